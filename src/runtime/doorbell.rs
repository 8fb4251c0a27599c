//! The [`Doorbell`] wakes one sleeping thread, from any thread, without lock or allocation.
//!
//! `tests/doorbell_model.rs` compiles this file a second time, with the atomics and the futex of a model checker in the
//! place of `super::futex`, and tries every order of events; so it uses nothing else, and its tests stand in `futex`.

use super::futex::{self, AtomicBool, AtomicU32, Ordering::SeqCst};
use crate::units::Nanos;

/// A counter of rings that a thread can sleep on.
#[derive(Debug, Default)]
pub struct Doorbell {
    rings: AtomicU32,
    sleeping: AtomicBool,
}

impl Doorbell {
    /// The rings so far. Read before looking for work and hand to [`Doorbell::wait`], so that no ring is lost between.
    pub fn rings(&self) -> u32 {
        self.rings.load(SeqCst)
    }

    /// Wakes the sleeper, if there is one. One atomic addition where there is none; one system call where there is.
    pub fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        // The sleeper announces itself before it looks at `rings` for the last time, and both orders are sequentially
        // consistent: either it sees this ring or this load sees it asleep.
        if self.sleeping.load(SeqCst) {
            futex::wake(&self.rings);
        }
    }

    /// Sleeps until a ring after `seen`, or until `until` on the monotonic clock ([`Nanos::MAX`]: for ever).
    /// May return early; the caller looks again. For one thread.
    pub fn wait(&self, seen: u32, until: Nanos) {
        self.sleeping.store(true, SeqCst);
        if self.rings.load(SeqCst) == seen {
            futex::wait(&self.rings, seen, until);
        }
        self.sleeping.store(false, SeqCst);
    }

    /// Asks `step` for work until [`Doorbell::stop`]; where it answers with a moment there is none until then, or until
    /// a ring.
    pub(super) fn serve(&self, stop: &AtomicBool, mut step: impl FnMut() -> Option<Nanos>) {
        loop {
            // Read before `stop` too: it rings after it is set, so a stop that is not seen here ends the wait.
            let seen = self.rings();
            if stop.load(SeqCst) {
                return;
            }
            if let Some(until) = step() {
                self.wait(seen, until);
            }
        }
    }

    /// Ends [`Doorbell::serve`] after the step it is in.
    pub(super) fn stop(&self, stop: &AtomicBool) {
        stop.store(true, SeqCst);
        self.ring();
    }
}
