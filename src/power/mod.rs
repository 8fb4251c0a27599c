//! Power: modes, the space of them, changing between them, and measuring what they draw.

pub mod mode;

#[cfg(feature = "std")]
pub mod change;
#[cfg(feature = "std")]
pub mod meter;
#[cfg(feature = "std")]
pub mod space;
#[cfg(feature = "std")]
pub mod window;

pub use mode::PowerMode;

#[cfg(feature = "std")]
pub use change::{Applied, Change, ChangeError, Fault, Unrestored};
#[cfg(feature = "std")]
pub use meter::{Meter, MeterError, Reading};
#[cfg(feature = "std")]
pub use space::ModeSpace;
#[cfg(feature = "std")]
pub use window::Window;
