//! The swap in every order of events and with every value that the memory model allows (loom): no set of
//! weights is written while a minibatch reads it, and what it reads is of the version it is told.
//!
//! The swap is the production source, compiled here over the model's atomics.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "the production module is public in its crate"
)]
#![allow(unsafe_code, reason = "the model's cells find who reads what another writes")]

use loom::cell::UnsafeCell;
use std::sync::Arc;

#[path = "../src/workload/swap.rs"]
mod swap;

/// The model of `src/workload/atomic.rs`.
mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

use swap::{Publisher, Reverter, SETS, Serving};

/// The weights of each set: one number, the version.
struct Weights([UnsafeCell<u32>; SETS]);

// SAFETY: loom itself watches each access, and fails the test where two meet.
unsafe impl Send for Weights {}
// SAFETY: as above.
unsafe impl Sync for Weights {}

impl Weights {
    fn new() -> Weights {
        Weights([const { 0 }; SETS].map(UnsafeCell::new))
    }

    fn read(&self, set: usize) -> u32 {
        // SAFETY: see above.
        self.0[set].with(|weights| unsafe { *weights })
    }

    fn write(&self, set: usize, version: u32) {
        // SAFETY: see above.
        self.0[set].with_mut(|weights| unsafe { *weights = version });
    }
}

/// Tries `world` in every order with at most two switches away from a thread that could go on.
fn model(world: impl Fn() + Send + Sync + 'static) {
    let mut tries = loom::model::Builder::new();
    tries.preemption_bound = Some(2);
    tries.check(world);
}

/// Fills and publishes `times` sets; where none is spare, or a revert came, it skips as the gate does.
fn train(publisher: &mut Publisher, weights: &Weights, times: u32) {
    let mut version = 0;
    for _ in 0..times {
        let changes = publisher.changes();
        if let Some(set) = publisher.spare() {
            weights.write(set.index(), version + 1);
            version = publisher.publish(changes).unwrap_or(version);
        }
    }
}

/// Runs `times` minibatches and tells their versions.
fn infer(serving: &mut Serving, weights: &Weights, times: usize) -> Vec<u32> {
    let minibatch = |_| {
        let running = serving.begin();
        assert_eq!(weights.read(running.set), running.version);
        running.version
    };
    (0..times).map(minibatch).collect()
}

/// As [`infer`], but it reads on after it said that it ended.
fn infer_past_the_end(serving: &mut Serving, weights: &Weights, times: usize) -> Vec<u32> {
    let minibatch = |_| {
        let running = serving.begin();
        let (set, version) = (running.set, running.version);
        drop(running);
        assert_eq!(weights.read(set), version);
        version
    };
    (0..times).map(minibatch).collect()
}

type Infer = fn(&mut Serving, &Weights, usize) -> Vec<u32>;

fn trains_and_infers(fills: u32, infer: Infer) {
    model(move || {
        let (mut publisher, mut serving, _) = swap::channel();
        let weights = Arc::new(Weights::new());
        let theirs = Arc::clone(&weights);
        let trainer = loom::thread::spawn(move || train(&mut publisher, &theirs, fills));
        let versions = infer(&mut serving, &weights, 2);
        assert!(versions.is_sorted(), "{versions:?}");
        trainer.join().unwrap();
    });
}

#[test]
fn no_set_is_filled_under_a_minibatch_and_versions_rise() {
    trains_and_infers(4, infer);
}

#[test]
#[should_panic]
fn the_model_finds_a_minibatch_that_reads_on_after_its_end() {
    trains_and_infers(4, infer_past_the_end);
}

fn reverts(reverter: &Reverter) -> usize {
    usize::from(reverter.revert().is_some())
}

#[test]
fn a_revert_from_a_third_thread_never_shows_a_set_that_is_being_filled() {
    model(|| {
        let (mut publisher, mut serving, reverter) = swap::channel();
        let weights = Arc::new(Weights::new());
        let theirs = Arc::clone(&weights);
        let trainer = loom::thread::spawn(move || train(&mut publisher, &theirs, 3));
        let operator = loom::thread::spawn(move || reverts(&reverter));
        let versions = infer(&mut serving, &weights, 2);
        trainer.join().unwrap();
        let reverted = operator.join().unwrap();
        let back = versions.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(back <= reverted, "{versions:?}");
    });
}
