//! The machine: its knobs, rails, thermal zones and frequency tables.

pub mod knob;

#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod facts;
#[cfg(feature = "std")]
pub mod nvpmodel;
#[cfg(feature = "std")]
pub mod rail;

pub use knob::Knob;

#[cfg(feature = "std")]
pub use error::BoardError;
#[cfg(feature = "std")]
pub use facts::{Facts, FactsError, RawFacts};
#[cfg(feature = "std")]
pub use rail::{Rail, RailName, RailReading, Rails};

/// Everything that may be asked of a board. Implemented by the twin, and by the tree of sysfs files.
///
/// Nothing outside an implementation knows a file's name. Calls may block for milliseconds: a rail's register is
/// read when its conversion ends. Never call one from the dispatcher thread.
#[cfg(feature = "std")]
pub trait Board {
    /// What the board is and offers; does not change while it is open.
    fn facts(&self) -> &Facts;

    /// The present value of `knob`: cores online, or kilohertz.
    fn read(&self, knob: Knob) -> Result<u32, BoardError>;

    /// Sets `knob` to `value`: cores online, or kilohertz. A board may clamp, round or ignore a value and still
    /// answer `Ok`; the change of a power mode reads back what it writes.
    fn write(&mut self, knob: Knob, value: u32) -> Result<(), BoardError>;

    /// The latest reading of each rail, in the order of [`Facts::rails`]; a rail that is off is left out.
    fn rails(&self) -> Result<Rails, BoardError>;

    /// The temperature of the zone that throttles first.
    fn temperature(&self) -> Result<crate::units::Millicelsius, BoardError>;
}
