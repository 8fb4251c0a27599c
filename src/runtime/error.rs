//! [`RuntimeError`]: why a runtime could not be made or started.

use crate::schedule::{Refusal, ScheduleError};
use core::fmt;

/// Why a runtime could not be made or started.
#[derive(Debug)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A stream or job was refused.
    Schedule(ScheduleError),
    /// The stream or job announces another number of pieces than its workload has.
    Pieces {
        /// Announced.
        announced: usize,
        /// What the workload has.
        workload: u16,
    },
    /// Admission said no.
    Refused(Refusal),
    /// The dispatcher thread could not be made.
    Thread(std::io::Error),
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeError::Schedule(error) => error.fmt(f),
            RuntimeError::Pieces { announced, workload } => {
                write!(
                    f,
                    "{announced} pieces were announced for a workload of {workload}"
                )
            }
            RuntimeError::Refused(refusal) => refusal.fmt(f),
            RuntimeError::Thread(error) => write!(f, "the dispatcher thread could not be made: {error}"),
        }
    }
}

impl std::error::Error for RuntimeError {}

impl From<ScheduleError> for RuntimeError {
    fn from(error: ScheduleError) -> RuntimeError {
        RuntimeError::Schedule(error)
    }
}
