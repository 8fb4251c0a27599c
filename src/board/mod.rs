//! The machine: its knobs, rails, thermal zones and frequency tables.

pub mod knob;

#[cfg(feature = "std")]
pub mod engines;
#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod facts;
#[cfg(feature = "std")]
pub mod handle;
#[cfg(feature = "std")]
pub mod identity;
#[cfg(feature = "std")]
pub mod module;
#[cfg(feature = "std")]
pub mod overcurrent;
#[cfg(feature = "std")]
mod powercap;
#[cfg(feature = "std")]
pub mod rail;
#[cfg(feature = "std")]
pub mod rails;
#[cfg(feature = "std")]
pub mod release;
#[cfg(feature = "std")]
pub mod sensors;
#[cfg(feature = "std")]
pub mod supplies;
#[cfg(feature = "std")]
pub mod sysfs;
#[cfg(feature = "std")]
pub mod sysfs_sensors;
#[cfg(feature = "std")]
pub mod thermal;

pub use knob::Knob;

#[cfg(feature = "std")]
pub use error::BoardError;
#[cfg(feature = "std")]
pub use facts::{Facts, FactsError, RawFacts};
#[cfg(feature = "std")]
pub use identity::Identity;
#[cfg(feature = "std")]
pub use module::Module;
#[cfg(feature = "std")]
pub use rail::{Measured, Rail, RailName, Rails, Sensor};
#[cfg(feature = "std")]
pub use release::Release;
#[cfg(feature = "std")]
pub use sensors::{Overcurrent, Sensors, Throttling};
#[cfg(feature = "std")]
pub use supplies::Supplies;
#[cfg(feature = "std")]
pub use sysfs::{FileError, FileFault, Root};
#[cfg(feature = "std")]
pub use sysfs_sensors::SysfsSensors;

/// Everything that may be set on a board. Implemented by the twin, and by the tree of sysfs files.
///
/// Nothing outside an implementation knows a file's name. Calls may block for milliseconds: never make one from the
/// dispatcher thread. What a board measures of itself is apart, in [`Sensors`].
#[cfg(feature = "std")]
pub trait Board {
    /// What the board is and offers; does not change while it is open.
    fn facts(&self) -> &Facts;

    /// The present value of `knob`: cores online, or kilohertz.
    fn read(&self, knob: Knob) -> Result<u32, BoardError>;

    /// Sets `knob` to `value`: cores online, or kilohertz. A board may clamp, round or ignore a value and still
    /// answer `Ok`; the change of a power mode reads back what it writes.
    fn write(&mut self, knob: Knob, value: u32) -> Result<(), BoardError>;
}
