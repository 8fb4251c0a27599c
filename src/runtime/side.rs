//! What the dispatcher has of each stream and job: its workload, its ends of the rings, its statistics.

use crate::limits;
use crate::schedule::{JobStatistics, Request, StreamStatistics, Submission};
use crate::trace::Event;
use crate::units::Nanos;
use crate::workload::{Abort, Inference, Training, WorkloadError};
use std::cmp::Ordering;
use std::sync::Arc;

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The request, with the caller's token.
    pub request: Request,
    /// The workload's answer, or why there is none.
    pub answer: Result<u64, WorkloadError>,
    /// When its minibatch started.
    pub start: Nanos,
    /// When its minibatch ended. Latency is this less the request's release.
    pub end: Nanos,
    /// The version of the weights its minibatch ran with, 0 for those the stream was added with; for a
    /// request that was not run, of the minibatch before.
    pub model_version: u32,
}

pub(super) struct StreamSide {
    pub(super) work: Box<dyn Inference>,
    pub(super) submissions: rtrb::Consumer<Submission>,
    pub(super) completions: rtrb::Producer<Completion>,
    pub(super) statistics: Arc<StreamStatistics>,
    pub(super) bound: Option<Nanos>,
    /// Of the weights of its last minibatch.
    pub(super) version: u32,
    pub(super) minibatch: Minibatch,
}

/// The minibatch of a stream that started last; where it is cut, other work may run before it ends.
pub(super) struct Minibatch {
    pub(super) requests: [Request; limits::MINIBATCH],
    pub(super) answers: [u64; limits::MINIBATCH],
    pub(super) count: usize,
    pub(super) start: Nanos,
}

impl Default for Minibatch {
    fn default() -> Minibatch {
        Minibatch {
            requests: [Request::default(); limits::MINIBATCH],
            answers: [0; limits::MINIBATCH],
            count: 0,
            start: Nanos::ZERO,
        }
    }
}

impl StreamSide {
    /// Notes the version of the weights that a minibatch ran with; what to tell of it.
    pub(super) fn versioned(&mut self, stream: u8, version: u32, at: Nanos) -> Option<Event> {
        let before = std::mem::replace(&mut self.version, version);
        match version.cmp(&before) {
            Ordering::Equal => None,
            Ordering::Greater => {
                self.statistics.swaps.add(1);
                Some(Event::Swapped { stream, version, at })
            }
            Ordering::Less => {
                self.statistics.reverts.add(1);
                Some(Event::Reverted { stream, version, at })
            }
        }
    }
}

pub(super) struct JobSide {
    pub(super) work: Box<dyn Training>,
    /// What gives its pieces up, and how long that takes; until the start.
    pub(super) aborter: Option<(Arc<dyn Abort>, Nanos)>,
    pub(super) statistics: Arc<JobStatistics>,
}
