//! [`ScheduleError`]: why a stream or a job could not be added.

use crate::limits;
use crate::units::Nanos;
use core::fmt;

/// Why a stream or a job could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleError {
    /// All [`limits::STREAMS`] places are taken.
    StreamsFull,
    /// All [`limits::JOBS`] places are taken.
    JobsFull,
    /// The period, the deadline or the cost of the stream is zero.
    Zero,
    /// The minibatch is zero or above [`limits::MINIBATCH`].
    Minibatch(u32),
    /// The burst is zero or above [`limits::REQUESTS`].
    Burst(u32),
    /// The pieces of a minibatch last longer together than its cost, or one has no length.
    Cut {
        /// Their sum.
        sum: Nanos,
        /// The announced cost.
        cost: Nanos,
    },
    /// The job has no piece, more than [`limits::PIECES`], or a piece of no length.
    Pieces(usize),
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleError::StreamsFull => write!(f, "there are already {} streams", limits::STREAMS),
            ScheduleError::JobsFull => write!(f, "there are already {} training jobs", limits::JOBS),
            ScheduleError::Zero => f.write_str("period, deadline and cost of a stream must be above zero"),
            ScheduleError::Minibatch(size) => {
                write!(
                    f,
                    "a minibatch of {size} requests is outside 1 to {}",
                    limits::MINIBATCH
                )
            }
            ScheduleError::Burst(burst) => {
                write!(
                    f,
                    "a burst of {burst} requests is outside 1 to {}",
                    limits::REQUESTS
                )
            }
            ScheduleError::Cut { sum, cost } => {
                write!(
                    f,
                    "the pieces of a minibatch last {sum} in all and it costs {cost}, or a piece has no length; announce a \
                     cost of at least their sum"
                )
            }
            ScheduleError::Pieces(count) => {
                write!(
                    f,
                    "a step of {count} pieces is outside 1 to {}, or a piece has no length",
                    limits::PIECES
                )
            }
        }
    }
}

impl core::error::Error for ScheduleError {}
