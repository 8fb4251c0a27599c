//! Profiles: rows (mode, workload, minibatch) -> (time, power), measured.

pub mod profiler;
pub mod row;
pub mod store;

pub use profiler::{Measured, measure};
pub use row::{Kind, RawRow, Row, RowError};
pub use store::{Profile, StoreError};
