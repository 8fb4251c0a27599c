//! A workload is an inference stream or a training job: what runs when the schedule says so.
//!
//! Both traits are called on the dispatcher thread alone. Implementations neither allocate nor lock nor touch files
//! after they are made; what must be slow happens at registration.

use core::fmt;
use gate::{Score, Verdict};
use std::sync::Arc;
use swap::Set;

pub use crate::schedule::{Pieces, Request};

mod atomic;
pub mod callback;
pub mod checkpoint;
pub mod feed;
pub mod gate;
#[cfg(feature = "onnx")]
pub mod onnx;
mod score;
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
    /// The workload does not do what it was asked for: it saves nothing, or hands no weights over.
    NotOffered,
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
            WorkloadError::NotOffered => f.write_str(
                "the workload does not offer this; give it the function for it when it is registered",
            ),
        }
    }
}

impl core::error::Error for WorkloadError {}

/// Work of an inference stream.
pub trait Inference: Send {
    /// Runs one minibatch for `requests`, oldest first, and writes one answer for each into `answers`
    /// (same length). An answer is 64 bits of the workload's own meaning, a class for example.
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError>;

    /// Pieces that a minibatch is cut into, 1 to [`crate::limits::PIECES`]; 1, the default, is an uncut one, which
    /// [`Inference::run`] runs.
    fn minibatch_pieces(&self) -> u16 {
        1
    }

    /// Runs piece `piece` (counted from 0) of a cut minibatch, whose `requests` are the same for each; between two pieces
    /// other work may run. The last piece writes the answers. After an error the minibatch is not gone on with.
    fn run_minibatch_piece(
        &mut self,
        piece: u16,
        requests: &[Request],
        answers: &mut [u64],
    ) -> Result<(), WorkloadError> {
        let _ = piece;
        self.run(requests, answers)
    }

    /// Bytes that it holds from its registration on and takes at most while it runs; 0, the default: it does not tell.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// The version of the weights that the last minibatch ran with: 0, the default, for those it was registered with, then what
    /// [`swap::Publisher`] counted. It goes back only by a revert.
    fn version(&self) -> u32 {
        0
    }
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
///
/// The first two functions are all that training needs. A job whose weights are to serve a stream offers
/// `fill`, and `eval` if they are to be judged first; [`gate::Gated`] then runs both as further pieces of the
/// step. A job that survives a restart offers `save` and `load`.
pub trait Training: Send {
    /// Pieces in one step, 1 to [`crate::limits::PIECES`].
    fn pieces(&self) -> u16;

    /// Runs piece `piece` (counted from 0) of the present step. After an error the step starts again from piece 0
    /// and the state is that of the last whole step.
    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError>;

    /// Bytes that it holds from its registration on and takes at most while it runs; 0, the default: it does not tell.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// What gives up the running piece from another thread; asked once, before the start. `None`, the default: nothing does.
    /// A piece given up ends with [`WorkloadError::Aborted`] and can be run again at once, as if it had never started.
    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        None
    }

    /// Cuts the step finer and says the new lengths, upper values as in [`crate::schedule::JobSpec`]; the next piece is then
    /// the first of a step. Asked between two steps, once pieces overran in 8 steps on end, and after a piece was given up 8
    /// times on end. `None`, the default: it cannot, or not without holding the dispatcher.
    fn cut_finer(&mut self) -> Option<Pieces> {
        None
    }

    /// Pieces in which [`Training::fill`] copies the weights; 0, the default: it hands none over.
    fn fill_pieces(&self) -> u16 {
        0
    }

    /// Copies part `piece` (counted from 0) of the present weights into the spare `set`. Asked between two
    /// steps, all parts in order, so the weights do not change meanwhile.
    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        let _ = (piece, set);
        Err(WorkloadError::NotOffered)
    }

    /// Pieces in which [`Training::eval`] judges a set of weights, at most; 0, the default: it judges none.
    fn eval_pieces(&self) -> u16 {
        0
    }

    /// What `set` is worth on minibatch `piece` (counted from 0) of the samples that are held out from
    /// training; they are the same for each set that is judged after one `fill`. A score of no samples: there
    /// are no more.
    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        let _ = (piece, set);
        Err(WorkloadError::NotOffered)
    }

    /// What became of the weights that the last step offered, told once. Asked after each step; `None`, the
    /// default: none were.
    fn verdict(&mut self) -> Option<Verdict> {
        None
    }

    /// Writes part `part` (counted from 0) of the state of the last whole step; returns its bytes. 0: past
    /// the last part. More than `into` holds: nothing was written, and so many are needed.
    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        let _ = (part, into);
        Err(WorkloadError::NotOffered)
    }

    /// Takes back a part that [`Training::save`] wrote; before the first step. The state counts once every
    /// part was given.
    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        let _ = (part, from);
        Err(WorkloadError::NotOffered)
    }
}

impl<I: Inference + ?Sized> Inference for Box<I> {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        (**self).run(requests, answers)
    }

    fn minibatch_pieces(&self) -> u16 {
        (**self).minibatch_pieces()
    }

    fn run_minibatch_piece(
        &mut self,
        piece: u16,
        requests: &[Request],
        answers: &mut [u64],
    ) -> Result<(), WorkloadError> {
        (**self).run_minibatch_piece(piece, requests, answers)
    }

    fn memory_bytes(&self) -> u64 {
        (**self).memory_bytes()
    }

    fn version(&self) -> u32 {
        (**self).version()
    }
}

impl<T: Training + ?Sized> Training for Box<T> {
    fn pieces(&self) -> u16 {
        (**self).pieces()
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        (**self).run_piece(piece)
    }

    fn memory_bytes(&self) -> u64 {
        (**self).memory_bytes()
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        (**self).aborter()
    }

    fn cut_finer(&mut self) -> Option<Pieces> {
        (**self).cut_finer()
    }

    fn fill_pieces(&self) -> u16 {
        (**self).fill_pieces()
    }

    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        (**self).fill(piece, set)
    }

    fn eval_pieces(&self) -> u16 {
        (**self).eval_pieces()
    }

    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        (**self).eval(piece, set)
    }

    fn verdict(&mut self) -> Option<Verdict> {
        (**self).verdict()
    }

    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        (**self).save(part, into)
    }

    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        (**self).load(part, from)
    }
}
