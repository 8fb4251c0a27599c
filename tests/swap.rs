//! The swap, end by end, on one thread; `swap_model.rs` tries it on several.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::workload::swap::{Publisher, SETS, Serving, channel};
use proptest::prelude::*;

fn publish(publisher: &mut Publisher) -> Option<u32> {
    publisher.spare()?;
    publisher.publish(publisher.changes())
}

/// Set and version of a minibatch that runs now.
fn serves(serving: &mut Serving) -> (usize, u32) {
    let running = serving.begin();
    (running.set, running.version)
}

#[test]
fn each_set_in_turn_serves_and_the_one_before_is_kept() {
    let (mut publisher, mut serving, reverter) = channel();
    assert_eq!(reverter.revert(), None);
    assert_eq!(serves(&mut serving), (0, 0));
    for version in 1..=7 {
        assert_eq!(publish(&mut publisher), Some(version));
        assert_eq!(serves(&mut serving), (version as usize % SETS, version));
    }
    assert_eq!(reverter.revert(), Some(6));
    assert_eq!(serves(&mut serving).1, 6);
    assert_eq!(reverter.revert(), None, "what was reverted is gone");
    assert_eq!(publish(&mut publisher), Some(8));
    assert_eq!(reverter.revert(), Some(6));
}

#[test]
fn a_set_that_a_minibatch_runs_with_is_not_spare() {
    let (mut publisher, mut serving, _) = channel();
    let running = serving.begin();
    publish(&mut publisher).unwrap();
    publish(&mut publisher).unwrap();
    assert!(publisher.spare().is_none());
    assert_eq!(publish(&mut publisher), None);
    drop(running);
    assert_eq!(publisher.spare().unwrap().index(), 0);
}

#[test]
fn weights_that_were_compared_with_what_serves_no_more_are_not_published() {
    let (mut publisher, mut serving, reverter) = channel();
    publish(&mut publisher).unwrap();
    let (changes, spare) = (publisher.changes(), publisher.spare().unwrap().index());
    reverter.revert().unwrap();
    assert_eq!(publisher.publish(changes), None);
    assert_eq!(serves(&mut serving).1, 0);
    assert_eq!(publisher.spare().unwrap().index(), spare);
}

#[test]
fn a_rejected_set_keeps_its_number_to_itself() {
    let (mut publisher, mut serving, _) = channel();
    publisher.spare().unwrap();
    assert_eq!(publisher.reject(), 1);
    assert_eq!(serves(&mut serving).1, 0);
    assert_eq!(publish(&mut publisher), Some(2));
}

#[test]
fn sets_of_another_swap_are_told_apart() {
    let (mut publisher, serving, _) = channel();
    let (_, other, _) = channel();
    let set = publisher.spare().unwrap();
    assert!(set.is_of(&serving.mark()) && !set.is_of(&other.mark()) && set.is_spare());
    assert!(!publisher.serving().is_spare());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spare_set_is_never_one_that_serves_or_served_before(steps in prop::collection::vec(0_u8..3, 0..60)) {
        let (mut publisher, mut serving, reverter) = channel();
        // Set and version of the one before, if it is kept, and of the one that serves.
        let mut kept = vec![(0, 0)];
        for step in steps {
            match step {
                0 => {
                    let set = publisher.spare().map(|set| set.index());
                    let version = publisher.publish(publisher.changes());
                    kept.extend(set.zip(version));
                    kept.drain(..kept.len().saturating_sub(2));
                }
                1 => {
                    let before = (kept.len() == 2).then(|| kept[0]);
                    prop_assert_eq!(reverter.revert(), before.map(|(_, version)| version));
                    kept.truncate(1);
                }
                _ => drop(publisher.spare()),
            }
            let spare = publisher.spare().map(|set| set.index());
            prop_assert!(spare.is_some_and(|spare| kept.iter().all(|(set, _)| *set != spare)));
            prop_assert_eq!(Some(&serves(&mut serving)), kept.last());
        }
    }
}
