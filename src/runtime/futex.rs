//! The futex: a thread sleeps in the kernel while a word has a value, without lock or allocation.

use crate::units::Nanos;
use rustix::thread::futex;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Sleeps while `word` is `seen`, until [`wake`] or until `until` on the monotonic clock ([`Nanos::MAX`]: for ever). May
/// return early.
pub(super) fn wait(word: &AtomicU32, seen: u32, until: Nanos) {
    let time = futex::Timespec {
        tv_sec: (until.0 / 1_000_000_000) as i64,
        tv_nsec: (until.0 % 1_000_000_000) as i64,
    };
    // The bit set is the one form of the wait whose time-out is an absolute moment.
    let timeout = (until != Nanos::MAX).then_some(&time);
    let any = core::num::NonZeroU32::MAX;
    let _ = futex::wait_bitset(word, futex::Flags::PRIVATE, seen, timeout, any);
}

/// Wakes one thread that sleeps on `word`.
pub(super) fn wake(word: &AtomicU32) {
    let _ = futex::wake(word, futex::Flags::PRIVATE, 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Monotonic};
    use crate::runtime::doorbell::Doorbell;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn no_ring_is_lost_between_looking_for_work_and_sleeping() {
        let (bell, done) = (Arc::new(Doorbell::default()), Arc::new(AtomicU32::new(0)));
        let (their_bell, their_done) = (Arc::clone(&bell), Arc::clone(&done));
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let ringer = std::thread::spawn(move || {
            for round in 1..=rounds {
                their_done.store(round, SeqCst);
                their_bell.ring();
                while their_done.load(SeqCst) == round {
                    std::thread::yield_now();
                }
            }
        });
        for round in 1..=rounds {
            loop {
                let seen = bell.rings();
                if done.load(SeqCst) == round {
                    break;
                }
                // For ever: a lost ring hangs the test.
                bell.wait(seen, Nanos::MAX);
            }
            done.store(0, SeqCst);
        }
        ringer.join().unwrap();
    }

    #[test]
    fn a_wait_ends_at_its_moment_and_one_in_the_past_at_once() {
        let bell = Doorbell::default();
        let until = Monotonic.now() + Nanos::from_millis(2);
        while Monotonic.now() < until {
            bell.wait(bell.rings(), until);
        }
        bell.wait(bell.rings(), Nanos::ZERO);
        bell.wait(bell.rings().wrapping_sub(1), Nanos::MAX);
    }

    #[test]
    fn a_loop_that_is_told_to_stop_ends_though_it_had_nothing_to_do() {
        for _ in 0..if cfg!(miri) { 20 } else { 5_000 } {
            let (bell, stop) = (Arc::new(Doorbell::default()), Arc::new(AtomicBool::new(false)));
            let (their_bell, their_stop) = (Arc::clone(&bell), Arc::clone(&stop));
            let served = std::thread::spawn(move || their_bell.serve(&their_stop, || Some(Nanos::MAX)));
            bell.stop(&stop);
            // A lost stop hangs the test.
            served.join().unwrap();
        }
    }
}
