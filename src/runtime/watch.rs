//! The [`Watch`] shows other threads which training piece runs now and when it is due, so that one that hangs is noticed
//! while it holds the dispatcher. Atomics alone: neither side ever waits for the other.

use crate::schedule::statistics::Counter;
use crate::schedule::{RunningPiece, worth_aborting};
use crate::trace::Event;
use crate::units::Nanos;
use crate::workload::Abort;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::sync::{Arc, OnceLock};

/// How a job's pieces are given up.
#[derive(Debug)]
pub(super) struct Aborter {
    pub(super) abort: Arc<dyn Abort>,
    /// How long that takes at most.
    pub(super) latency: Nanos,
}

/// What is known once the schedule is whole.
#[derive(Debug)]
pub(super) struct Aborters {
    /// By job; `None` where pieces run to their end.
    pub(super) jobs: Vec<Option<Aborter>>,
    /// By stream: how long after its release a request may wait for a piece.
    pub(super) patience: Vec<Nanos>,
}

/// No piece runs. The monotonic clock has left its first nanosecond behind.
const NONE: u64 = 0;

/// A piece that runs longer than so many times its announced length hangs.
const HUNG: u64 = 2;

/// The piece that runs now.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When it started; [`NONE`] between two.
    start: AtomicU64,
    /// Its announced length, the allowance included.
    length: AtomicU64,
    /// Its job in the upper half, its place in the step in the lower one.
    which: AtomicU32,
    /// Empty until the start, and for good where the policy aborts nothing.
    aborters: OnceLock<Aborters>,
}

/// What [`Watch::running`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) job: u8,
    pub(super) piece: u16,
    pub(super) start: Nanos,
    pub(super) length: Nanos,
}

impl Watch {
    /// The dispatcher starts a piece.
    pub(super) fn begin(&self, running: Running) {
        self.length.store(running.length.0, Relaxed);
        self.which
            .store(u32::from(running.job) << 16 | u32::from(running.piece), Relaxed);
        self.start.store(running.start.0, SeqCst);
        // The dispatcher looks for requests after this, a submitter looks for a piece after its own: one sees the other.
        fence(SeqCst);
    }

    /// Says how pieces are given up from now on; called once, at the start.
    pub(super) fn set_aborters(&self, aborters: Aborters) {
        let _ = self.aborters.set(aborters);
    }

    fn aborter(&self, job: u8) -> Option<&Aborter> {
        self.aborters.get()?.jobs.get(usize::from(job))?.as_ref()
    }

    /// Whether pieces of `job` may be given up.
    pub(super) fn may_abort(&self, job: u8) -> bool {
        self.aborter(job).is_some()
    }

    /// Gives up the running piece if that is worth it for a request of `stream`, which is in the queue already.
    pub(super) fn abort_for(&self, stream: usize, release: Nanos, now: Nanos) {
        fence(SeqCst);
        let Some(running) = self.running() else { return };
        let patience = self.aborters.get().and_then(|it| it.patience.get(stream));
        let (Some(aborter), Some(patience)) = (self.aborter(running.job), patience) else {
            return;
        };
        let piece = RunningPiece {
            start: running.start,
            end: running.start + running.length,
        };
        if worth_aborting(now, piece, release + *patience, aborter.latency) {
            aborter.abort.abort();
        }
    }

    /// Gives up the piece that hangs, if its job's may be.
    fn abort_hung(&self, job: u8) {
        if let Some(aborter) = self.aborter(job) {
            aborter.abort.abort();
        }
    }

    /// The piece ended.
    pub(super) fn end(&self) {
        self.start.store(NONE, SeqCst);
    }

    /// The piece that runs now. A reader that is overtaken by the next piece sees none.
    pub(super) fn running(&self) -> Option<Running> {
        let start = self.start.load(SeqCst);
        let (length, which) = (self.length.load(SeqCst), self.which.load(SeqCst));
        let steady = start != NONE && self.start.load(SeqCst) == start;
        steady.then_some(Running {
            job: (which >> 16) as u8,
            piece: which as u16,
            start: Nanos(start),
            length: Nanos(length),
        })
    }
}

/// Tells once of each piece that hangs.
#[derive(Debug)]
pub(super) struct Watchman {
    pub(super) watch: Arc<Watch>,
    /// By job: pieces that hung. This is the one that counts.
    pub(super) hung: Vec<Arc<crate::schedule::JobStatistics>>,
    /// When the piece that was told last started.
    pub(super) told: Nanos,
}

impl Watchman {
    /// The running piece, if it hangs at `now` and was not told yet.
    pub(super) fn hung(&mut self, now: Nanos) -> Option<Event> {
        let running = self.watch.running()?;
        if running.start == self.told || now <= running.start + running.length.times(HUNG) {
            return None;
        }
        self.told = running.start;
        self.watch.abort_hung(running.job);
        let counter: Option<&Counter> = self.hung.get(usize::from(running.job)).map(|it| &it.hung);
        if let Some(counter) = counter {
            counter.add(1);
        }
        Some(Event::Hung {
            job: running.job,
            piece: running.piece,
            since: running.start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_hangs_past_twice_its_length_and_is_told_once() {
        let watch: Arc<Watch> = Arc::default();
        let statistics: Arc<crate::schedule::JobStatistics> = Arc::default();
        let mut watchman = Watchman {
            watch: Arc::clone(&watch),
            hung: vec![Arc::clone(&statistics)],
            told: Nanos::ZERO,
        };
        assert_eq!(watchman.hung(Nanos(1_000)), None);
        let (start, length) = (Nanos(100), Nanos(10));
        let running = Running {
            job: 0,
            piece: 7,
            start,
            length,
        };
        watch.begin(running);
        assert_eq!(watch.running(), Some(running));
        assert_eq!(watchman.hung(Nanos(120)), None);
        let told = Event::Hung {
            job: 0,
            piece: 7,
            since: start,
        };
        assert_eq!(watchman.hung(Nanos(121)), Some(told));
        assert_eq!(watchman.hung(Nanos(122)), None);
        watch.end();
        assert_eq!((watch.running(), statistics.hung.get()), (None, 1));
        watch.begin(Running {
            start: Nanos(200),
            ..running
        });
        assert!(watchman.hung(Nanos(300)).is_some());
        assert_eq!(statistics.hung.get(), 2);
    }
}
