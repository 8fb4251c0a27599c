//! The monotonic clock, the only way the runtime learns the time.

use crate::units::Nanos;
use core::cell::Cell;

/// A clock that never goes back.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Nanos;
}

/// A clock moved by hand, so that a test can be a week long and take a millisecond.
#[derive(Debug, Default)]
pub struct ManualClock(Cell<Nanos>);

impl ManualClock {
    /// Moves the clock to `moment`; a moment in the past leaves it where it is.
    pub fn advance_to(&self, moment: Nanos) {
        self.0.set(self.0.get().max(moment));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        self.0.get()
    }
}

#[cfg(feature = "std")]
pub use monotonic::{Monotonic, thread_time};

#[cfg(feature = "std")]
mod monotonic {
    use super::{Clock, Nanos};
    use rustix::time::{ClockId, Timespec, clock_gettime};

    fn nanos(time: Timespec) -> Nanos {
        // Both clocks start at zero and never go back, so neither field is negative.
        Nanos::from_secs(time.tv_sec as u64) + Nanos(time.tv_nsec as u64)
    }

    /// `CLOCK_MONOTONIC`, the clock of futex time-outs and absolute sleeps.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Monotonic;

    impl Clock for Monotonic {
        fn now(&self) -> Nanos {
            nanos(clock_gettime(ClockId::Monotonic))
        }
    }

    impl Monotonic {
        /// Sleeps until `moment`, by an absolute timer; returns at once if it has passed.
        pub fn sleep_until(self, moment: Nanos) {
            let wanted = Timespec {
                tv_sec: (moment.0 / 1_000_000_000) as i64,
                tv_nsec: (moment.0 % 1_000_000_000) as i64,
            };
            while self.now() < moment {
                // Interrupted by a signal: the timer is absolute, so the loop only asks again.
                let _ = rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &wanted);
            }
        }
    }

    /// Processor time the calling thread has used. Unlike the wall clock it stands still while other programs run.
    pub fn thread_time() -> Nanos {
        nanos(clock_gettime(ClockId::ThreadCPUTime))
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_never_goes_back() {
        let clock = ManualClock::default();
        clock.advance_to(Nanos(5));
        clock.advance_to(Nanos(3));
        assert_eq!(clock.now(), Nanos(5));
    }

    #[test]
    fn an_absolute_sleep_never_returns_early() {
        let wanted = Monotonic.now() + Nanos::from_micros(300);
        Monotonic.sleep_until(wanted);
        assert!(Monotonic.now() >= wanted);
        Monotonic.sleep_until(Nanos::ZERO);
    }
}
