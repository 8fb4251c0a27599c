//! [`Paced`] makes a real workload take the time it would take on the simulated board.

use super::Twin;
use crate::clock::{Clock, Monotonic, thread_time};
use crate::profile::Kind;
use crate::units::Nanos;
use crate::workload::gate::Verdict;
use crate::workload::{Abort, Inference, Pieces, Progress, Request, Training, WorkloadError};
use std::sync::Arc;

/// A real workload at the pace of a simulated board.
///
/// Runs the real piece, then holds the accelerator (sleeps) until `start + max(wall, used x ratio)`, where `used` is
/// the processor time of the calling thread. Processor time, not wall time, is stretched: what other programs on the
/// host take from the piece is then added once, not multiplied by the ratio. A workload that hands its work to other
/// threads is therefore stretched too little; run the engine with one thread.
///
/// A hypervisor that gives the processor to another guest is invisible to the thread's clock: what it takes counts as
/// used. So no more than `longest`, the most that the work itself is known to use, is stretched; the rest is added once.
///
/// In the top mode the ratio is 1, so the host's own speed stands for the board's. A piece that had nothing
/// to do ([`Progress::Dry`]) is neither held nor counted. A gate belongs inside, so that its pieces are held
/// too. Allocates and locks nothing.
#[derive(Debug)]
pub struct Paced<W> {
    work: W,
    twin: Twin,
    longest: Nanos,
}

impl<W> Paced<W> {
    /// `work`, whose longest piece uses `longest` of this machine, at the pace of `twin`.
    pub fn new(work: W, twin: Twin, longest: Nanos) -> Paced<W> {
        Paced { work, twin, longest }
    }

    /// The workload itself.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.work
    }
}

/// A piece that is running.
struct Running {
    start: Nanos,
    processor: Nanos,
    ratio: u64,
    longest: Nanos,
}

impl Running {
    fn begin(twin: &Twin, kind: Kind, longest: Nanos) -> Running {
        // The mode at the start counts: a piece is never cut short by a change.
        let ratio = twin.ratio(&twin.mode(), kind);
        Running {
            start: Monotonic.now(),
            processor: thread_time(),
            ratio,
            longest,
        }
    }

    /// Holds the accelerator until the piece has taken its time.
    fn end(self, twin: &Twin, kind: Kind, minibatch: u32) {
        let used = thread_time() - self.processor;
        // Returns at once if the wall clock is there already.
        Monotonic.sleep_until(self.start + stretched(used, self.longest, self.ratio));
        twin.record(kind, minibatch, Monotonic.now() - self.start);
    }
}

/// How long a piece that used `used` of this machine holds the accelerator, at least.
fn stretched(used: Nanos, longest: Nanos, ratio: u64) -> Nanos {
    used.min(longest).scaled(ratio)
}

impl<W: Inference> Inference for Paced<W> {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        let running = Running::begin(&self.twin, Kind::Inference, self.longest);
        let outcome = self.work.run(requests, answers);
        // A minibatch holds at most limits::MINIBATCH requests.
        running.end(&self.twin, Kind::Inference, requests.len() as u32);
        outcome
    }

    fn minibatch_pieces(&self) -> u16 {
        self.work.minibatch_pieces()
    }

    fn run_minibatch_piece(
        &mut self,
        piece: u16,
        requests: &[Request],
        answers: &mut [u64],
    ) -> Result<(), WorkloadError> {
        let running = Running::begin(&self.twin, Kind::Inference, self.longest);
        let outcome = self.work.run_minibatch_piece(piece, requests, answers);
        running.end(&self.twin, Kind::Inference, requests.len() as u32);
        outcome
    }

    fn memory_bytes(&self) -> u64 {
        self.work.memory_bytes()
    }

    fn version(&self) -> u32 {
        self.work.version()
    }
}

impl<W: Training> Training for Paced<W> {
    fn pieces(&self) -> u16 {
        self.work.pieces()
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        let running = Running::begin(&self.twin, Kind::Training, self.longest);
        let outcome = self.work.run_piece(piece);
        // What was given up holds nobody.
        if !matches!(outcome, Ok(Progress::Dry) | Err(WorkloadError::Aborted)) {
            running.end(&self.twin, Kind::Training, 1);
        }
        outcome
    }

    fn memory_bytes(&self) -> u64 {
        self.work.memory_bytes()
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        self.work.aborter()
    }

    fn cut_finer(&mut self) -> Option<Pieces> {
        self.work.cut_finer()
    }

    fn verdict(&mut self) -> Option<Verdict> {
        self.work.verdict()
    }

    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        self.work.save(part, into)
    }

    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        self.work.load(part, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_piece_cannot_have_used_itself_is_not_stretched() {
        let (work, stall) = (Nanos::from_millis(2), Nanos::from_millis(40));
        assert_eq!(stretched(work, work.times(2), 3_000), Nanos::from_millis(6));
        assert_eq!(
            stretched(work + stall, work.times(2), 3_000),
            Nanos::from_millis(12)
        );
    }
}
