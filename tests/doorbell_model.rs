//! From submit to completion, in every order of events and with every value that the memory model allows (loom).
//!
//! The doorbell is the production source, compiled here over the model's atomics. The rings of requests and results are
//! those of the crate rtrb, whose proof is its own; a word that is published by release and read by acquire, which is what
//! they promise, stands for each.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub, reason = "the production module is public in its crate")]

use fulcrum::units::{self, Nanos};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool as Flag, AtomicU64, Ordering::*};
use loom::thread;

#[path = "../src/runtime/doorbell.rs"]
mod doorbell;

/// The model of `src/runtime/futex.rs`.
mod futex {
    use super::Nanos;
    pub use loom::sync::atomic::Ordering;
    use loom::sync::atomic::fence;
    use loom::sync::{Condvar, Mutex};
    use std::sync::atomic::Ordering::*;

    /// What the kernel keeps for a word: its queue of sleepers, and the lock under which it compares.
    #[derive(Debug, Default)]
    struct Sleepers {
        lock: Mutex<()>,
        woken: Condvar,
    }

    /// loom takes a sequentially consistent access for acquire and release only, but knows such fences. All accesses of the
    /// doorbell's words are of that kind, and then a fence on each side of each is the same.
    fn consistent<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
        assert_eq!(order, SeqCst);
        fence(SeqCst);
        let value = access();
        fence(SeqCst);
        value
    }

    #[derive(Debug, Default)]
    pub struct AtomicU32(loom::sync::atomic::AtomicU32, Sleepers);

    impl AtomicU32 {
        pub fn load(&self, order: Ordering) -> u32 {
            consistent(order, || self.0.load(Acquire))
        }
        pub fn fetch_add(&self, more: u32, order: Ordering) -> u32 {
            consistent(order, || self.0.fetch_add(more, AcqRel))
        }
    }

    #[derive(Debug, Default)]
    pub struct AtomicBool(loom::sync::atomic::AtomicBool);

    impl AtomicBool {
        pub fn load(&self, order: Ordering) -> bool {
            consistent(order, || self.0.load(Acquire))
        }
        pub fn store(&self, value: bool, order: Ordering) {
            consistent(order, || self.0.store(value, Release));
        }
    }

    /// Sleeps for ever where nobody wakes it, and loom calls that a deadlock.
    pub fn wait(word: &AtomicU32, seen: u32, until: Nanos) {
        assert_eq!(until, Nanos::MAX);
        let lock = word.1.lock.lock().unwrap();
        if word.load(SeqCst) == seen {
            drop(word.1.woken.wait(lock).unwrap());
        }
    }

    pub fn wake(word: &AtomicU32) {
        let _lock = word.1.lock.lock().unwrap();
        word.1.woken.notify_one();
    }
}

use doorbell::Doorbell;
use futex::{AtomicBool, AtomicU32};

/// Tries `world` in every order with at most two switches away from a thread that could go on: no known fault of such a
/// protocol takes more, and those put in below take fewer.
fn model(world: impl Fn() + Send + Sync + 'static) {
    let mut tries = loom::model::Builder::new();
    tries.preemption_bound = Some(2);
    tries.check(world);
}

/// The way of a request: published by the caller, seen and answered by the dispatcher, polled by the caller.
#[derive(Debug, Default)]
struct Way {
    request: AtomicU64,
    answer: AtomicU64,
}

impl Way {
    fn submit(&self, ring: impl FnOnce()) {
        self.request.store(1, Release);
        ring();
    }

    /// What the dispatcher does with it; says whether there was something to do.
    fn run(&self) -> bool {
        let waits = self.request.load(Acquire) == 1 && self.answer.load(Relaxed) == 0;
        if waits {
            self.answer.store(2, Release);
        }
        waits
    }
}

#[test]
fn each_submitted_request_is_answered_and_a_stop_ends_the_dispatcher() {
    model(|| {
        let bell = Arc::new(Doorbell::default());
        let stop = Arc::new(AtomicBool::default());
        let way = Arc::new(Way::default());
        let dispatcher = {
            let (bell, stop, way) = (Arc::clone(&bell), Arc::clone(&stop), Arc::clone(&way));
            thread::spawn(move || bell.serve(&stop, || (!way.run()).then_some(Nanos::MAX)))
        };
        way.submit(|| bell.ring());
        bell.stop(&stop);
        dispatcher.join().unwrap();
        // A stop does not wait for requests; what was taken in is answered whole.
        assert!([0, 2].contains(&way.answer.load(Acquire)));
    });
}

/// Two callers ring the bell of a dispatcher that ends when it has answered both; a lost ring is a deadlock.
fn answers_both<B: Send + Sync + Default + 'static>(ring: fn(&B), rings: fn(&B) -> u32, wait: fn(&B, u32)) {
    model(move || {
        let bell = Arc::new(B::default());
        let ways = Arc::new([Way::default(), Way::default()]);
        let caller = {
            let (bell, ways) = (Arc::clone(&bell), Arc::clone(&ways));
            thread::spawn(move || ways[0].submit(|| ring(&bell)))
        };
        let dispatcher = {
            let (bell, ways) = (Arc::clone(&bell), Arc::clone(&ways));
            thread::spawn(move || {
                let mut answered = 0;
                while answered < 2 {
                    let seen = rings(&bell);
                    match ways.iter().filter(|way| way.run()).count() {
                        0 => wait(&bell, seen),
                        some => answered += some,
                    }
                }
            })
        };
        ways[1].submit(|| ring(&bell));
        caller.join().unwrap();
        dispatcher.join().unwrap();
        assert!(ways.iter().all(|way| way.answer.load(Acquire) == 2));
    });
}

#[test]
fn requests_of_two_threads_are_both_answered() {
    answers_both::<Doorbell>(Doorbell::ring, Doorbell::rings, |bell, seen| {
        bell.wait(seen, Nanos::MAX);
    });
}

/// A doorbell with one of its two pairs of accesses the wrong way round.
#[derive(Default)]
struct Broken {
    rings: AtomicU32,
    sleeping: AtomicBool,
}

impl Broken {
    fn rings(&self) -> u32 {
        self.rings.load(SeqCst)
    }
    fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        if self.sleeping.load(SeqCst) {
            futex::wake(&self.rings);
        }
    }
    fn ring_that_looks_before_it_counts(&self) {
        let sleeping = self.sleeping.load(SeqCst);
        self.rings.fetch_add(1, SeqCst);
        if sleeping {
            futex::wake(&self.rings);
        }
    }
    fn wait(&self, seen: u32) {
        self.sleeping.store(true, SeqCst);
        if self.rings.load(SeqCst) == seen {
            futex::wait(&self.rings, seen, Nanos::MAX);
        }
        self.sleeping.store(false, SeqCst);
    }
    fn wait_without_announcing(&self, seen: u32) {
        if self.rings.load(SeqCst) == seen {
            futex::wait(&self.rings, seen, Nanos::MAX);
        }
    }
}

#[test]
#[ignore = "ends in a deadlock"]
fn broken_ring_that_looks_for_the_sleeper_before_it_counts() {
    answers_both::<Broken>(
        Broken::ring_that_looks_before_it_counts,
        Broken::rings,
        Broken::wait,
    );
}

#[test]
#[ignore = "ends in a deadlock"]
fn broken_sleeper_that_does_not_announce_itself() {
    answers_both::<Broken>(Broken::ring, Broken::rings, Broken::wait_without_announcing);
}

#[test]
#[ignore = "ends in a deadlock"]
fn broken_dispatcher_that_looks_for_the_stop_before_it_reads_the_rings() {
    model(|| {
        let bell = Arc::new(Doorbell::default());
        let stop = Arc::new(Flag::new(false));
        let dispatcher = {
            let (bell, stop) = (Arc::clone(&bell), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Acquire) {
                    bell.wait(bell.rings(), Nanos::MAX);
                }
            })
        };
        stop.store(true, Release);
        bell.ring();
        dispatcher.join().unwrap();
    });
}

#[test]
fn the_model_finds_each_way_to_break_the_protocol() {
    for broken in [
        "broken_ring_that_looks_for_the_sleeper_before_it_counts",
        "broken_sleeper_that_does_not_announce_itself",
        "broken_dispatcher_that_looks_for_the_stop_before_it_reads_the_rings",
    ] {
        // In a process of its own: loom ends a deadlock by a panic within a panic, which no test survives.
        let outcome = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact", broken])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&outcome.stderr);
        assert!(
            !outcome.status.success() && told.contains("deadlock; threads"),
            "{broken} was not found: {told}"
        );
    }
}
