//! Power: modes, the space of them, changing between them, and measuring what they draw.

pub mod mode;

pub mod change;
mod domain;
pub mod drift;
pub mod goal;
pub mod journal;
pub mod meter;
pub mod preset;
pub mod recover;
pub mod settle;
pub mod space;
pub mod transaction;
pub mod window;

pub use mode::PowerMode;

pub use change::{Applied, Change, ChangeError, Unrestored, goals_offered};
pub use drift::{Drift, Standing};
pub use goal::{Goal, Want, goals};
pub use journal::{Journal, JournalError};
pub use meter::{Meter, MeterError, Reading};
pub use preset::{Preset, PresetError};
pub use recover::{RecoverError, Recovery, put_back_record, recover, restore};
pub use settle::Fault;
pub use space::ModeSpace;
pub use transaction::{Step, Transaction};
pub use window::Window;
