//! A workload is an inference stream or a training job: what runs when the schedule says so.
//!
//! Both traits are called on the dispatcher thread alone. Implementations neither allocate nor lock nor touch files
//! after they are made; what must be slow happens at registration.

use core::fmt;
use std::sync::Arc;

pub use crate::schedule::{Pieces, Request};

pub mod callback;
pub mod checkpoint;
pub mod feed;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod swap;

/// Why a workload could not do its piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The minibatch is empty, or larger than the workload was prepared for.
    Minibatch(u32),
    /// A request came without its data (its frame was never handed over).
    NoData,
    /// The engine or the callback failed with this code.
    Failed(i32),
    /// The step's loss is not a number; the old state is kept.
    NotANumber,
    /// The request was past its deadline before it could start, and its stream does not run such requests.
    Overdue,
    /// The piece was given up for a request; the same one may be run again, as if it had never started.
    Aborted,
    /// The workload's code panicked. The runtime goes on; the workload's own state is unknown.
    Panicked,
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkloadError::Minibatch(size) => {
                write!(
                    f,
                    "a minibatch of {size} was not prepared; register the stream with this size"
                )
            }
            WorkloadError::NoData => {
                f.write_str("a request came without its data; hand the frame over before the request")
            }
            WorkloadError::Failed(code) => write!(f, "the workload's own code failed with {code}"),
            WorkloadError::NotANumber => {
                f.write_str("the loss is not a number; the last good weights are kept")
            }
            WorkloadError::Overdue => {
                f.write_str("the request was past its deadline before it could start, and was not run")
            }
            WorkloadError::Aborted => {
                f.write_str("the piece was given up for a request, and will be run again")
            }
            WorkloadError::Panicked => {
                f.write_str("the workload's own code panicked; its message went to stderr")
            }
        }
    }
}

impl core::error::Error for WorkloadError {}

/// Work of an inference stream.
pub trait Inference: Send {
    /// Runs one minibatch for `requests`, oldest first, and writes one answer for each into `answers`
    /// (same length). An answer is 64 bits of the workload's own meaning, a class for example.
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError>;
}

/// What a piece of training came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// The piece ran; the next one of this step may follow.
    Ran,
    /// The piece ran and was the step's last; the new state counts from now on.
    Stepped {
        /// The minibatch's loss before the step.
        loss: f32,
    },
    /// Nothing to train on yet; the same piece is asked for again later.
    Dry,
}

/// Gives up the piece that a training job runs.
pub trait Abort: fmt::Debug + Send + Sync {
    /// Tells the running piece to end. From any thread; neither blocks nor allocates. Where no piece runs it does nothing, or
    /// gives up the next one.
    fn abort(&self);
}

/// Work of a training job: a minibatch (one step) cut into pieces, run in order.
pub trait Training: Send {
    /// Pieces in one step, 1 to [`crate::limits::PIECES`].
    fn pieces(&self) -> u16;

    /// Runs piece `piece` (counted from 0) of the present step. After an error the step starts again from piece 0
    /// and the state is that of the last whole step.
    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError>;

    /// What gives up the running piece from another thread; asked once, before the start. `None`, the default: nothing does.
    /// A piece given up ends with [`WorkloadError::Aborted`] and can be run again at once, as if it had never started.
    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        None
    }

    /// Asked between two steps, once pieces overran in 8 steps on end: cuts the step finer and says the new lengths, upper
    /// values as in [`crate::schedule::JobSpec`]. `None`, the default: it cannot, or not without holding the dispatcher.
    fn cut_finer(&mut self) -> Option<Pieces> {
        None
    }
}

impl<I: Inference + ?Sized> Inference for Box<I> {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        (**self).run(requests, answers)
    }
}

impl<T: Training + ?Sized> Training for Box<T> {
    fn pieces(&self) -> u16 {
        (**self).pieces()
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        (**self).run_piece(piece)
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        (**self).aborter()
    }

    fn cut_finer(&mut self) -> Option<Pieces> {
        (**self).cut_finer()
    }
}
