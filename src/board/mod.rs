//! The machine: its knobs, rails, thermal zones and frequency tables.

pub mod knob;

mod cpu;
mod emc;
pub mod engines;
pub mod error;
pub mod facts;
mod gpu;
pub mod handle;
pub mod identity;
pub mod machine;
pub mod module;
pub mod nvpmodel;
pub mod overcurrent;
mod powercap;
pub mod rail;
pub mod rails;
pub mod release;
mod running;
pub mod sensors;
pub mod setting;
pub mod supplies;
pub mod sysfs;
pub mod sysfs_sensors;
pub mod thermal;

pub use knob::Knob;

pub use error::BoardError;
pub use facts::{Cluster, Facts, FactsError, RawFacts};
pub use identity::Identity;
pub use machine::Machine;
pub use module::Module;
pub use rail::{Measured, Rail, RailName, Rails, Sensor};
pub use release::Release;
pub use sensors::{Overcurrent, Sensors, Throttling};
pub use setting::Setting;
pub use supplies::Supplies;
pub use sysfs::{FileError, FileFault, Root};
pub use sysfs_sensors::SysfsSensors;

/// Everything that may be set on a board. Implemented by the twin, and by the tree of sysfs files.
///
/// Nothing outside an implementation knows a file's name. Calls may block for milliseconds: never make one from the
/// dispatcher thread. What a board measures of itself is apart, in [`Sensors`].
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
