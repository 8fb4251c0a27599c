//! The ends of a runtime that others hold: requests in, results, events and decisions out.

use super::doorbell::Doorbell;
use super::side::Completion;
use super::watch::{Watch, Watchman};
use crate::clock::{Clock, Monotonic};
use crate::schedule::log::Entry;
use crate::schedule::statistics::Counter;
use crate::schedule::{Full, Request, Schedule, Submission};
use crate::trace::Event;
use std::sync::Arc;

/// Hands requests of one stream in. One thread at a time; another stream has its own.
#[derive(Debug)]
pub struct Submitter {
    pub(super) submissions: rtrb::Producer<Submission>,
    pub(super) doorbell: Arc<Doorbell>,
    pub(super) stream: usize,
    pub(super) watch: Arc<Watch>,
}

impl Submitter {
    /// Hands `request` in, wakes the dispatcher, and gives up the training piece that runs where that is worth it. Neither blocks nor allocates; a full queue hands the request back.
    pub fn submit(&mut self, request: Request) -> Result<(), Full> {
        let submission = Submission {
            request,
            at: Monotonic.now(),
        };
        self.submissions.push(submission).map_err(|_| Full(submission))?;
        self.watch.abort_for(self.stream, request.release, submission.at);
        self.doorbell.ring();
        Ok(())
    }
}

/// Results of one stream, oldest first. One thread at a time.
#[derive(Debug)]
pub struct Completions(pub(super) rtrb::Consumer<Completion>);

impl Completions {
    /// The next result, if there is one. Neither blocks nor allocates.
    pub fn poll(&mut self) -> Option<Completion> {
        self.0.pop().ok()
    }
}

/// Events of the dispatcher, oldest first.
#[derive(Debug)]
pub struct Events {
    pub(super) events: rtrb::Consumer<Event>,
    pub(super) lost: Arc<Counter>,
    pub(super) watchman: Watchman,
}

impl Events {
    /// The next event, if there is one. A piece that hangs is told here while it runs: the dispatcher cannot, so a
    /// control loop that is to know calls this at its own rate.
    pub fn poll(&mut self) -> Option<Event> {
        let waiting = self.events.pop().ok();
        waiting.or_else(|| self.watchman.hung(Monotonic.now()))
    }

    /// Events that found the ring full, since the start.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }
}

/// The log of decisions, oldest first.
#[derive(Debug)]
pub struct Decisions {
    pub(super) schedule: Schedule,
    pub(super) entries: rtrb::Consumer<Entry>,
    pub(super) lost: Arc<Counter>,
}

impl Decisions {
    /// The schedule as it was at the start, before the first entry.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The next entry, if there is one.
    pub fn poll(&mut self) -> Option<Entry> {
        self.entries.pop().ok()
    }

    /// Entries that found the ring full, since the start. A log that lost one cannot be replayed.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }
}
