//! The [`Rest`] that a schedule owes the machine: a share of the time in which it runs nothing.
//!
//! Linux lets real-time threads have 95 % of a processor and then stands them still for the rest of the second
//! (`kernel.sched_rt_runtime_us`; from 6.12 on the fair server, once ordinary threads starve). A dispatcher that trains in all
//! spare time would meet that once a second, for 50 ms, at a moment nobody chose. So training leaves the time free itself, a
//! little at a time, where it costs no request anything. Time that is idle anyway counts.

use crate::units::Nanos;

/// How far work may run ahead of its rest. With the share one part in a hundred above the kernel's own, every second holds
/// as much rest as that asks for.
const AHEAD: Nanos = Nanos::from_millis(10);

/// The most that is owed, so that inference alone above its share does not stop training for long afterwards.
const MOST: Nanos = Nanos::from_millis(50);

/// What is owed, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// Thousandths of the time; 0 asks for none.
    pub(super) permille: u32,
    /// Owed when the last work ended.
    owed: Nanos,
    ended: Nanos,
}

impl Rest {
    pub(super) fn of(permille: u32) -> Rest {
        Rest {
            permille: permille.min(999),
            ..Rest::default()
        }
    }

    /// Notes that work ran from `start` to `end`.
    pub(super) fn worked(&mut self, start: Nanos, end: Nanos) {
        let share = u64::from(self.permille);
        let due = Nanos(((end - start).0 / 1_000).saturating_mul(share * 1_000 / (1_000 - share)));
        // The difference of two moments is never below zero here.
        self.owed = (self.owed - (start - self.ended) + due).min(MOST);
        self.ended = end;
    }

    /// When training may run again; a moment in the past if it may now.
    pub(super) fn until(self) -> Nanos {
        self.ended + (self.owed - AHEAD)
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_always_ready_leaves_its_share_of_every_second_free() {
        let seconds = if cfg!(miri) { 3 } else { 20 };
        let (mut rest, mut now, mut idle) = (Rest::of(60), Nanos::ZERO, std::vec::Vec::new());
        while now < Nanos::from_secs(seconds) {
            let start = now.max(rest.until());
            idle.push((now, start));
            now = start + Nanos::from_millis(4);
            rest.worked(start, now);
        }
        for second in 0..seconds - 1 {
            let (from, to) = (Nanos::from_secs(second), Nanos::from_secs(second + 1));
            let free = idle.iter().fold(Nanos::ZERO, |sum, (start, end)| {
                sum + ((*end).min(to) - (*start).max(from))
            });
            let least = if second == 0 { 49 } else { 59 };
            assert!(
                free >= Nanos::from_millis(least) && free <= Nanos::from_millis(61),
                "{free}"
            );
        }
    }

    #[test]
    fn idle_time_counts_and_is_not_saved_up_and_no_share_owes_nothing() {
        let mut rest = Rest::of(500);
        rest.worked(Nanos::ZERO, Nanos::from_millis(20));
        assert_eq!(rest.until(), Nanos::from_millis(30));
        // A second of idleness pays the 20 ms that are owed and no more.
        rest.worked(Nanos::from_secs(1), Nanos::from_secs(1) + Nanos::from_millis(20));
        assert_eq!(rest.until(), Nanos::from_secs(1) + Nanos::from_millis(30));
        rest.worked(Nanos::from_secs(2), Nanos::from_secs(9));
        assert_eq!(rest.until(), Nanos::from_secs(9) + MOST - AHEAD);
        let mut none = Rest::of(0);
        none.worked(Nanos::ZERO, Nanos::from_secs(9));
        assert!(none.until() <= Nanos::from_secs(9));
    }
}
