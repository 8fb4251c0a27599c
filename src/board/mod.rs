//! The machine: its knobs, rails, thermal zones and frequency tables.

pub mod knob;

#[cfg(feature = "std")]
mod cpu;
#[cfg(feature = "std")]
mod emc;
#[cfg(feature = "std")]
pub mod engines;
#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod facts;
#[cfg(feature = "std")]
mod gpu;
#[cfg(feature = "std")]
pub mod handle;
#[cfg(feature = "std")]
pub mod identity;
#[cfg(feature = "std")]
pub mod machine;
#[cfg(feature = "std")]
pub mod module;
#[cfg(feature = "std")]
pub mod nvpmodel;
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
mod running;
#[cfg(feature = "std")]
pub mod sensors;
#[cfg(feature = "std")]
pub mod setting;
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
pub use facts::{Cluster, Facts, FactsError, RawFacts};
#[cfg(feature = "std")]
pub use identity::Identity;
#[cfg(feature = "std")]
pub use machine::Machine;
#[cfg(feature = "std")]
pub use module::Module;
#[cfg(feature = "std")]
pub use rail::{Measured, Rail, RailName, Rails, Sensor};
#[cfg(feature = "std")]
pub use release::Release;
#[cfg(feature = "std")]
pub use sensors::{Overcurrent, Sensors, Throttling};
#[cfg(feature = "std")]
pub use setting::Setting;
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

    /// The settings that its knobs are made of; does not change while it is open. One may be absent at a time, as the
    /// clock of a cluster whose cores are all offline.
    fn settings(&self) -> &[Setting];

    /// The present value of `setting`; `None` while it is absent.
    fn get(&self, setting: Setting) -> Result<Option<u32>, BoardError>;

    /// Sets `setting` to `value`. A board may clamp, round or ignore a value and still answer `Ok`; the change of a power
    /// mode reads back what it writes.
    fn set(&mut self, setting: Setting, value: u32) -> Result<(), BoardError>;

    /// The value that `setting` would come to if `value` were asked for: the highest of its table that is not above, or its
    /// lowest. A ceiling is so never exceeded. What no table is known for stays as it is.
    fn nearest(&self, setting: Setting, value: u32) -> u32;

    /// Whether another party, such as the kernel's thermal governor, is known to hold clocks down now.
    fn is_limited(&self) -> bool;
}
