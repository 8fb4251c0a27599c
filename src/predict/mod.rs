//! Predictors: from measured rows to estimates of time and power in any mode.

pub mod estimate;
pub mod table;

pub use estimate::Estimate;
pub use table::{Entry, Series, Table};
