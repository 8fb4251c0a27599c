//! The [`Uptime`] of a dispatcher: what the time it spent on a stream or a job is a share of.

use crate::clock::{Clock, Monotonic};
use crate::units::Nanos;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// From the start of a dispatcher until it stopped, or until now. Read from any thread.
#[derive(Debug)]
pub struct Uptime {
    start: Nanos,
    /// When it stopped; [`Nanos::MAX`] before.
    stop: AtomicU64,
}

impl Uptime {
    pub(super) fn starting(now: Nanos) -> Uptime {
        Uptime {
            start: now,
            stop: AtomicU64::new(Nanos::MAX.0),
        }
    }

    /// Notes the stop; the first one counts.
    pub(super) fn stopped(&self) {
        self.stop.fetch_min(Monotonic.now().0, Relaxed);
    }

    /// Its length.
    pub fn get(&self) -> Nanos {
        Nanos(self.stop.load(Relaxed)).min(Monotonic.now()) - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_until_the_stop_and_never_after() {
        let uptime = Uptime::starting(Monotonic.now());
        let before = uptime.get();
        while uptime.get() == before {}
        uptime.stopped();
        let whole = uptime.get();
        uptime.stopped();
        assert!(whole > before && uptime.get() == whole);
    }
}
