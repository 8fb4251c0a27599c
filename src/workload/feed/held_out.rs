//! Samples that are [held out](HeldOut) from training, to judge new weights on.

use super::handover::{Full, Puller, Pusher};
use super::replay::Replay;

/// The sensor's end of two hand-overs: most samples go to training, every so many are held out from it.
#[derive(Debug)]
pub struct Split {
    training: Pusher,
    held_out: Option<(Pusher, u64)>,
    pushed: u64,
}

impl Split {
    /// Holds out every `every`-th sample; below 2 counts as 2, since else there was nothing to train on.
    pub fn new(training: Pusher, held_out: Pusher, every: u32) -> Split {
        let mut split = Split::undivided(training);
        split.hold_out(held_out, every);
        split
    }

    /// Holds nothing out yet.
    pub fn undivided(training: Pusher) -> Split {
        Split {
            training,
            held_out: None,
            pushed: 0,
        }
    }

    /// From now on holds out every `every`-th sample, as [`Split::new`] does. What was held out before ends.
    pub fn hold_out(&mut self, held_out: Pusher, every: u32) {
        self.held_out = Some((held_out, u64::from(every.max(2))));
    }

    /// Whether samples are held out and somebody has the other end.
    pub fn holds_out(&self) -> bool {
        let held_out = self.held_out.as_ref();
        held_out.is_some_and(|(pusher, _)| !pusher.is_abandoned())
    }

    /// Copies a sample into one of the two. One that is to be held out and finds its way full is not trained on either.
    /// Where nobody has the other end any more nothing is held out.
    pub fn push(&mut self, sample: &[f32], tag: u64) -> Result<(), Full> {
        self.pushed = self.pushed.wrapping_add(1);
        match &mut self.held_out {
            Some((held_out, every)) if self.pushed.is_multiple_of(*every) && !held_out.is_abandoned() => {
                held_out.push(sample, tag)
            }
            _ => self.training.push(sample, tag),
        }
    }
}

/// Samples to judge weights on: a ring of its own, behind a hand-over that training does not see.
#[derive(Debug)]
pub struct HeldOut {
    puller: Puller,
    ring: Replay,
}

impl HeldOut {
    /// The newest `capacity` (at least 1) samples that come out of `puller`; the tag is the label.
    pub fn new(puller: Puller, capacity: usize) -> HeldOut {
        let ring = Replay::new(puller.row(), capacity, 1);
        HeldOut { puller, ring }
    }

    /// Samples it has room for.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Values of one sample.
    pub fn row(&self) -> usize {
        self.ring.row()
    }

    /// Takes in what came since the last time. Between two calls the samples stay.
    pub fn refill(&mut self) {
        self.ring.refill(&mut self.puller);
    }

    /// Minibatch `index` of those as large as `labels`; false if there are not so many samples.
    pub fn minibatch(&self, index: usize, values: &mut [f32], labels: &mut [i64]) -> bool {
        self.ring.copy(index.saturating_mul(labels.len()), values, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::handover;
    use super::*;

    #[test]
    fn samples_are_held_out_from_when_it_is_asked_until_the_other_end_is_gone() {
        let (training, mut to_train) = handover(1, 64);
        let mut split = Split::undivided(training);
        let mut push = |split: &mut Split, tags: std::ops::RangeInclusive<u64>| {
            tags.for_each(|tag| split.push(&[0.0], tag).unwrap());
            std::iter::from_fn(|| to_train.pull(&mut [0.0])).collect::<Vec<u64>>()
        };
        assert_eq!(push(&mut split, 1..=4), [1, 2, 3, 4]);
        assert!(!split.holds_out());
        let (held_out, to_judge) = handover(1, 1);
        split.hold_out(held_out, 2);
        assert!(split.holds_out());
        assert_eq!(push(&mut split, 5..=6), [5]);
        assert_eq!(split.push(&[0.0], 7), Ok(()));
        assert_eq!(split.push(&[0.0], 8), Err(Full), "not trained on either");
        drop(to_judge);
        assert!(!split.holds_out());
        assert_eq!(push(&mut split, 9..=12), [7, 9, 10, 11, 12]);
    }

    #[test]
    fn every_so_many_samples_are_held_out_and_never_reach_training() {
        let (training, mut to_train) = handover(1, 64);
        let (held_out, to_judge) = handover(1, 64);
        let mut split = Split::new(training, held_out, 4);
        for tag in 1..=40 {
            split.push(&[tag as f32], tag).unwrap();
        }
        let trained: Vec<u64> = std::iter::from_fn(|| to_train.pull(&mut [0.0])).collect();
        assert_eq!(trained.len(), 30);
        assert!(trained.iter().all(|tag| !tag.is_multiple_of(4)));
        let mut held = HeldOut::new(to_judge, 8);
        let (mut values, mut labels) = ([0.0; 4], [0; 4]);
        assert!(!held.minibatch(0, &mut values, &mut labels), "not taken in yet");
        held.refill();
        let mut seen = Vec::new();
        for index in 0..2 {
            assert!(held.minibatch(index, &mut values, &mut labels));
            seen.extend(labels);
        }
        seen.sort_unstable();
        assert_eq!(seen, [12, 16, 20, 24, 28, 32, 36, 40]);
        assert!(!held.minibatch(2, &mut values, &mut labels));
    }
}
