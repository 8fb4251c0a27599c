//! An [`Event`] is one thing that happened on the dispatcher, in fixed size.

use crate::units::{Nanos, Permille};

/// What happened. Times are moments on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A minibatch of an inference stream ran, from the start of its first piece to the end of its last.
    Minibatch {
        /// Index of the stream.
        stream: u8,
        /// Requests in it.
        count: u8,
        /// When it started and ended.
        start: Nanos,
        /// When it ended.
        end: Nanos,
    },
    /// A piece of a minibatch that is cut ran.
    MinibatchPiece {
        /// Index of the stream.
        stream: u8,
        /// Index of the piece in its minibatch.
        piece: u16,
        /// When it started.
        start: Nanos,
        /// When it ended.
        end: Nanos,
    },
    /// A piece of a training job ran.
    Piece {
        /// Index of the job.
        job: u8,
        /// Index of the piece in its step.
        piece: u16,
        /// When it started.
        start: Nanos,
        /// When it ended.
        end: Nanos,
    },
    /// A training step was finished.
    Step {
        /// Index of the job.
        job: u8,
        /// Its loss.
        loss: f32,
        /// When.
        at: Nanos,
    },
    /// A request ended after its deadline.
    Missed {
        /// Index of the stream.
        stream: u8,
        /// By how much.
        late: Nanos,
        /// When it ended.
        at: Nanos,
    },
    /// A request took longer than the bound that was printed for its stream.
    BoundBroken {
        /// Index of the stream.
        stream: u8,
        /// The latency.
        latency: Nanos,
        /// When it ended.
        at: Nanos,
    },
    /// A workload failed; the code is the one of its error.
    Failed {
        /// Index of the stream or job.
        index: u8,
        /// Whether it is a training job.
        training: bool,
        /// When.
        at: Nanos,
    },
    /// The bound of a stream is another now, because of what was measured.
    BoundMoved {
        /// Index of the stream.
        stream: u8,
        /// The present bound; [`Nanos::MAX`] if there is none.
        bound: Nanos,
        /// When.
        at: Nanos,
    },
    /// A job failed or overran so often that it no longer runs.
    Parked {
        /// Index of the job.
        job: u8,
        /// When.
        at: Nanos,
    },
    /// A piece runs for more than twice its announced length, and has not ended.
    Hung {
        /// Index of the job.
        job: u8,
        /// Index of the piece in its step.
        piece: u16,
        /// When it started.
        since: Nanos,
    },
    /// A minibatch ran with newer weights than the one before.
    Swapped {
        /// Index of the stream.
        stream: u8,
        /// Their version.
        version: u32,
        /// When it started.
        at: Nanos,
    },
    /// A minibatch ran with older weights than the one before: somebody reverted.
    Reverted {
        /// Index of the stream.
        stream: u8,
        /// Their version.
        version: u32,
        /// When it started.
        at: Nanos,
    },
    /// New weights were worse than those in service by more than the margin, and are not used.
    Rejected {
        /// Index of the job.
        job: u8,
        /// The version they would have had.
        version: u32,
        /// By how much.
        by: Permille,
        /// When.
        at: Nanos,
    },
}

const _: () = assert!(
    core::mem::size_of::<Event>() <= 24,
    "an event is copied on the hot path"
);
