//! Power: modes, the space of them, changing between them, and measuring what they draw.

pub mod mode;

#[cfg(feature = "std")]
pub mod change;
#[cfg(feature = "std")]
mod domain;
#[cfg(feature = "std")]
pub mod drift;
#[cfg(feature = "std")]
pub mod goal;
#[cfg(feature = "std")]
pub mod journal;
#[cfg(feature = "std")]
pub mod meter;
#[cfg(feature = "std")]
pub mod preset;
#[cfg(feature = "std")]
pub mod recover;
#[cfg(feature = "std")]
pub mod settle;
#[cfg(feature = "std")]
pub mod space;
#[cfg(feature = "std")]
pub mod transaction;
#[cfg(feature = "std")]
pub mod window;

pub use mode::PowerMode;

#[cfg(feature = "std")]
pub use change::{Applied, Change, ChangeError, Unrestored, goals_offered};
#[cfg(feature = "std")]
pub use drift::{Drift, Standing};
#[cfg(feature = "std")]
pub use goal::{Goal, Want, goals};
#[cfg(feature = "std")]
pub use journal::{Journal, JournalError};
#[cfg(feature = "std")]
pub use meter::{Meter, MeterError, Reading};
#[cfg(feature = "std")]
pub use preset::{Preset, PresetError};
#[cfg(feature = "std")]
pub use recover::{RecoverError, Recovery, put_back_record, recover, restore};
#[cfg(feature = "std")]
pub use settle::Fault;
#[cfg(feature = "std")]
pub use space::ModeSpace;
#[cfg(feature = "std")]
pub use transaction::{Step, Transaction};
#[cfg(feature = "std")]
pub use window::Window;
