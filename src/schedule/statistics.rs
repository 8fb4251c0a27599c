//! Statistics of a stream or a job: counters in fixed memory, written by the dispatcher, read by anyone.

use super::Histogram;
use crate::units::Nanos;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A counter with one writing thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`; a plain load and store, since there is one writer.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).saturating_add(amount), Relaxed);
    }

    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What became of a stream's requests.
#[derive(Debug, Default)]
pub struct StreamStatistics {
    /// Latency from release to completion, of every request that was answered. Its jitter is the maximum less the minimum.
    pub latency: Histogram,
    /// From release to hand-in, of every request that was taken: the sensor's own jitter, to stand beside the announced one.
    pub handed_in: Histogram,
    /// Requests that ended after their deadline.
    pub misses: Counter,
    /// Requests that took longer than the printed bound.
    pub bound_violations: Counter,
    /// Requests whose workload failed.
    pub failed: Counter,
    /// Requests that were handed back unrun, past their deadline, by their stream's rule. They count as misses too.
    pub skipped: Counter,
    /// Requests that did not arrive as announced (too early, handed in too late): the arrivals, not the schedule, broke
    /// the promise the bound rests on. They count as misses and violations all the same.
    pub off_schedule: Counter,
    /// Results that nobody took in time; the requests were answered all the same.
    pub untaken: Counter,
    /// Time the accelerator spent on this stream.
    pub busy: Counter,
    /// Times the bound moved, because of what was measured.
    pub bound_moves: Counter,
    /// Times a minibatch ran with newer weights than the one before.
    pub swaps: Counter,
    /// Times a minibatch ran with older weights than the one before.
    pub reverts: Counter,
    present_bound: AtomicU64,
}

impl StreamStatistics {
    /// The bound that holds by what is measured, to stand beside the one printed at the start; `None` if there is none.
    pub fn present_bound(&self) -> Option<Nanos> {
        Some(Nanos(self.present_bound.load(Relaxed))).filter(|bound| *bound < Nanos::MAX)
    }

    /// Notes the present bound.
    pub fn set_present_bound(&self, bound: Option<Nanos>) {
        self.present_bound.store(bound.unwrap_or(Nanos::MAX).0, Relaxed);
    }

    /// Counts a request that ended `latency` after its release; says whether it kept its deadline, and its bound.
    pub fn answered(&self, latency: Nanos, deadline: Nanos, bound: Option<Nanos>) -> (bool, bool) {
        self.latency.record(latency);
        let kept = latency <= deadline;
        let bounded = bound.is_none_or(|bound| latency <= bound);
        self.misses.add(u64::from(!kept));
        self.bound_violations.add(u64::from(!bounded));
        (kept, bounded)
    }
}

/// What became of a training job.
#[derive(Debug, Default)]
pub struct JobStatistics {
    /// Steps (minibatches) ended.
    pub steps: Counter,
    /// Pieces run.
    pub pieces: Counter,
    /// Pieces that took longer than announced, the allowance for it included.
    pub overruns: Counter,
    /// Pieces given up for a request. They count neither as run nor as failed.
    pub aborted: Counter,
    /// Time that pieces given up had had, ns.
    pub wasted: Counter,
    /// Steps that were cut finer because pieces overran.
    pub recuts: Counter,
    /// Pieces that ran for more than twice their announced length, counted while they ran, by who takes the events.
    pub hung: Counter,
    /// 1 once the job was parked.
    pub parked: Counter,
    /// Pieces that failed.
    pub failures: Counter,
    /// Times the job was asked and had no data.
    pub dry: Counter,
    /// Sets of weights that were put into service.
    pub swaps: Counter,
    /// Sets of weights that were worse than those in service, and not used.
    pub rejected: Counter,
    /// Time the accelerator spent on this job.
    pub busy: Counter,
    /// Time per piece.
    pub piece: Histogram,
    first_loss: AtomicU32,
    last_loss: AtomicU32,
}

impl JobStatistics {
    /// Counts an ended step.
    pub fn stepped(&self, loss: f32) {
        if self.steps.get() == 0 {
            self.first_loss.store(loss.to_bits(), Relaxed);
        }
        self.last_loss.store(loss.to_bits(), Relaxed);
        self.steps.add(1);
    }

    /// Loss of the first and of the newest step; `None` before the first.
    pub fn losses(&self) -> Option<(f32, f32)> {
        let load = |bits: &AtomicU32| f32::from_bits(bits.load(Relaxed));
        (self.steps.get() > 0).then(|| (load(&self.first_loss), load(&self.last_loss)))
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_as_missed_past_its_deadline_and_as_broken_past_its_bound() {
        let statistics = StreamStatistics::default();
        let (deadline, bound) = (Nanos(20), Some(Nanos(10)));
        assert_eq!(statistics.answered(Nanos(10), deadline, bound), (true, true));
        assert_eq!(statistics.answered(Nanos(20), deadline, bound), (true, false));
        assert_eq!(statistics.answered(Nanos(21), deadline, bound), (false, false));
        assert_eq!(statistics.answered(Nanos(21), deadline, None), (false, true));
        assert_eq!(
            (statistics.misses.get(), statistics.bound_violations.get()),
            (2, 2)
        );
    }

    #[test]
    fn the_present_bound_is_the_one_told_last() {
        let statistics = StreamStatistics::default();
        for bound in [Some(Nanos(7)), None] {
            statistics.set_present_bound(bound);
            assert_eq!(statistics.present_bound(), bound);
        }
    }

    #[test]
    fn a_job_tells_its_first_and_its_newest_loss() {
        let statistics = JobStatistics::default();
        assert_eq!(statistics.losses(), None);
        for loss in [3.0, 2.0, 1.0] {
            statistics.stepped(loss);
        }
        assert_eq!(statistics.losses(), Some((3.0, 1.0)));
    }
}
