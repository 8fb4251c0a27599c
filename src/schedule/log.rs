//! The log of decisions: every input of a [`Schedule`] and every decision it took, so that [`replay`] takes them again.

#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod text;

use super::{Action, Ended, Request, Schedule, Submission};
use crate::limits;
use crate::units::Nanos;

/// One input of a schedule or one of its decisions. Moments are on the clock of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Input: a request was taken in.
    Arrived {
        /// Index of the stream.
        stream: u8,
        /// When it was due.
        release: Nanos,
        /// When it was handed in.
        at: Nanos,
    },
    /// Decision: the oldest request of a stream goes back unrun.
    Skipped {
        /// Index of the stream.
        stream: u8,
        /// When that was decided.
        at: Nanos,
    },
    /// Decision: run a minibatch of the oldest requests.
    Minibatch {
        /// Index of the stream.
        stream: u8,
        /// Requests in it.
        count: u8,
        /// When that was decided.
        at: Nanos,
    },
    /// Decision: go on with a minibatch that was cut.
    GoOn {
        /// Index of the stream.
        stream: u8,
        /// Index of the piece in its minibatch.
        piece: u16,
        /// When that was decided.
        at: Nanos,
    },
    /// Decision: run a piece of a job.
    Piece {
        /// Index of the job.
        job: u8,
        /// Index of the piece in its step.
        piece: u16,
        /// When that was decided.
        at: Nanos,
    },
    /// Decision: nothing runs.
    Idle {
        /// Until when, unless a request arrives.
        until: Nanos,
        /// When that was decided.
        at: Nanos,
    },
    /// Input: a minibatch ended, or a piece of one that is cut.
    Answered {
        /// Index of the stream.
        stream: u8,
        /// When it started.
        start: Nanos,
        /// When it ended.
        end: Nanos,
    },
    /// Input: a minibatch that was cut failed, and what was left of it is not run.
    GivenUp {
        /// Index of the stream.
        stream: u8,
        /// When it failed.
        at: Nanos,
    },
    /// Input: a piece of a job ended.
    Ended {
        /// Index of the job.
        job: u8,
        /// What it came to.
        ended: Ended,
        /// When it started.
        start: Nanos,
        /// When it ended.
        end: Nanos,
    },
}

const _: () = assert!(
    core::mem::size_of::<Entry>() <= 24,
    "an entry is copied on the hot path"
);

impl Entry {
    /// The entry of a request that was taken in.
    pub fn arrived(stream: usize, submission: &Submission) -> Entry {
        Entry::Arrived {
            stream: stream as u8,
            release: submission.request.release,
            at: submission.at,
        }
    }

    /// The entry of what was decided at `at`.
    pub fn decided(action: Action, at: Nanos) -> Entry {
        match action {
            Action::Minibatch { stream, count } => Entry::Minibatch {
                stream: stream as u8,
                count: count as u8,
                at,
            },
            Action::GoOn { stream, piece } => Entry::GoOn {
                stream: stream as u8,
                piece,
                at,
            },
            Action::Piece { job, piece } => Entry::Piece {
                job: job as u8,
                piece,
                at,
            },
            Action::Idle { until } => Entry::Idle { until, at },
        }
    }

    /// When it was decided, handed in, or ended.
    pub fn at(&self) -> Nanos {
        match self {
            Entry::Arrived { at, .. }
            | Entry::Skipped { at, .. }
            | Entry::Minibatch { at, .. }
            | Entry::GoOn { at, .. }
            | Entry::GivenUp { at, .. }
            | Entry::Piece { at, .. }
            | Entry::Idle { at, .. }
            | Entry::Answered { end: at, .. }
            | Entry::Ended { end: at, .. } => *at,
        }
    }
}

/// A place of a log at which the schedule decides otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place, counted from 0.
    pub entry: usize,
    /// What the log says.
    pub recorded: Entry,
    /// What is decided now; `None` if the entry is an input that this schedule cannot take.
    pub taken: Option<Entry>,
}

/// Takes the decisions of a log again, by a schedule as it was at its start, and answers where they differ. After a
/// difference the log is followed: each decision is compared in the state that the recorded ones led to.
pub fn replay(mut schedule: Schedule, entries: &[Entry]) -> impl Iterator<Item = Difference> {
    entries.iter().enumerate().filter_map(move |(entry, recorded)| {
        let taken = take_again(&mut schedule, *recorded);
        (taken != Some(*recorded)).then_some(Difference {
            entry,
            recorded: *recorded,
            taken,
        })
    })
}

/// Hands an input to the schedule, or asks it for the decision and carries the recorded one out.
fn take_again(schedule: &mut Schedule, recorded: Entry) -> Option<Entry> {
    match recorded {
        Entry::Arrived { stream, release, at } => {
            // The token is the caller's own word; no decision looks at it.
            let request = Request { token: 0, release };
            let taken = schedule.arrive(usize::from(stream), Submission { request, at });
            return taken.is_ok().then_some(recorded);
        }
        Entry::Ended {
            job,
            ended,
            start,
            end,
        } => {
            schedule.jobs().get(usize::from(job))?;
            schedule.end_piece(usize::from(job), ended, start, end);
            return Some(recorded);
        }
        Entry::Answered { stream, start, end } => {
            schedule.streams().get(usize::from(stream))?;
            schedule.end_minibatch(usize::from(stream), start, end);
            return Some(recorded);
        }
        Entry::GivenUp { stream, .. } => {
            schedule.streams().get(usize::from(stream))?;
            schedule.give_up(usize::from(stream));
            return Some(recorded);
        }
        _ => {}
    }
    let at = recorded.at();
    let taken = match schedule.skip_overdue(at) {
        Some((stream, _)) => Entry::Skipped {
            stream: stream as u8,
            at,
        },
        None => Entry::decided(schedule.decide(at), at),
    };
    match recorded {
        Entry::Minibatch { stream, count, .. } => {
            let mut minibatch = [Request::default(); limits::MINIBATCH];
            schedule.start_minibatch(usize::from(stream), usize::from(count), &mut minibatch);
        }
        Entry::GoOn { stream, .. } => schedule.go_on(usize::from(stream)),
        _ => {}
    }
    Some(taken)
}
