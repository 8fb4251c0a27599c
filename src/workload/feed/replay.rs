//! A [`Replay`] is a bounded ring of labelled samples, drawn from by a policy.

use super::handover::Puller;

/// Which samples are kept and drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The newest are kept; each is drawn as often as any other.
    #[default]
    Uniform,
    /// The newest are kept; only the last so many of them are drawn.
    Recent(usize),
    /// Every class, label 0 to less than this number, has its own share of the ring, equal but for one
    /// sample. In it is a uniform choice of all samples of the class so far (reservoir sampling, algorithm R
    /// of Vitter 1985). Each class that has any is drawn as often as any other. Samples with other labels are
    /// not taken.
    Balanced(usize),
}

/// A bounded ring of labelled samples to train on.
#[derive(Debug)]
pub struct Replay {
    row: usize,
    values: Box<[f32]>,
    labels: Box<[i64]>,
    policy: Policy,
    /// Samples seen: of the ring, or of each class.
    seen: Box<[u64]>,
    /// Classes that have a sample, in the order of their first one.
    classes: Vec<usize>,
    refused: u64,
    random: u64,
}

impl Replay {
    /// A ring of up to `capacity` (at least 1) samples of `row` values, of which the newest are kept and
    /// drawn uniformly; the draws follow from `seed`.
    pub fn new(row: usize, capacity: usize, seed: u64) -> Replay {
        Replay::with(row, capacity, Policy::Uniform, seed)
    }

    /// A ring with this policy. A class has room for at least one sample, so that `capacity` is at least
    /// their number.
    pub fn with(row: usize, capacity: usize, policy: Policy, seed: u64) -> Replay {
        let classes = match policy {
            Policy::Balanced(classes) => classes.max(1),
            Policy::Uniform | Policy::Recent(_) => 1,
        };
        let capacity = capacity.max(classes);
        Replay {
            row,
            values: vec![0.0; row * capacity].into_boxed_slice(),
            labels: vec![0; capacity].into_boxed_slice(),
            policy,
            seen: vec![0; classes].into_boxed_slice(),
            classes: Vec::with_capacity(classes),
            refused: 0,
            random: seed,
        }
    }

    /// Values of one sample.
    pub(super) fn row(&self) -> usize {
        self.row
    }

    /// Samples it has room for.
    pub(super) fn capacity(&self) -> usize {
        self.labels.len()
    }

    /// Copies the samples from place `first` on, as many as `labels`, into `values` and `labels`. Returns false and writes nothing
    /// where there are fewer. Places hold what they hold until the next refill.
    pub fn copy(&self, first: usize, values: &mut [f32], labels: &mut [i64]) -> bool {
        let end = first.saturating_add(labels.len());
        if end > self.len() {
            return false;
        }
        let rows = self.values.get(first * self.row..end * self.row);
        let (Some(rows), Some(known)) = (rows, self.labels.get(first..end)) else {
            return false;
        };
        if rows.len() != values.len() {
            return false;
        }
        values.copy_from_slice(rows);
        labels.copy_from_slice(known);
        true
    }

    /// Samples in the ring.
    pub fn len(&self) -> usize {
        (0..self.seen.len()).map(|class| self.held(class)).sum()
    }

    /// Whether the ring holds nothing yet.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Samples of class `class` in the ring; of a ring without classes all are of class 0.
    pub fn held(&self, class: usize) -> usize {
        let seen = self.seen.get(class).copied().unwrap_or(0);
        // A share fits into memory, so what is below it does.
        seen.min(self.share(class).1 as u64) as usize
    }

    /// Samples that were not taken because no class has their label.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// State of the random numbers, to be kept.
    pub(super) fn random(&self) -> u64 {
        self.random
    }

    /// Goes on with random numbers that were kept.
    pub(super) fn set_random(&mut self, random: u64) {
        self.random = random;
    }

    /// First place and number of places of a class: the shares differ by at most one.
    fn share(&self, class: usize) -> (usize, usize) {
        let (capacity, classes) = (self.labels.len(), self.seen.len());
        let (each, more) = (capacity / classes, capacity % classes);
        (each * class + more.min(class), each + usize::from(class < more))
    }

    /// Takes every sample that waits in `puller`; the tag is the label.
    pub fn refill(&mut self, puller: &mut Puller) {
        self.refill_at_most(puller, usize::MAX);
    }

    /// Takes at most `most` of the samples that wait in `puller`; returns how many there were.
    pub fn refill_at_most(&mut self, puller: &mut Puller, most: usize) -> usize {
        for count in 0..most {
            let Some(tag) = puller.tag() else {
                return count;
            };
            let label = tag as i64;
            let place = self.place(label);
            let row = place.and_then(|place| self.values.get_mut(place * self.row..(place + 1) * self.row));
            let known = place.and_then(|place| self.labels.get_mut(place));
            let (Some(row), Some(known)) = (row, known) else {
                puller.skip();
                continue;
            };
            if puller.pull(row).is_some() {
                *known = label;
            }
        }
        most
    }

    /// Where the next sample with this label goes; `None` if it is not kept.
    fn place(&mut self, label: i64) -> Option<usize> {
        let class = match self.policy {
            Policy::Balanced(_) => usize::try_from(label)
                .ok()
                .filter(|class| *class < self.seen.len()),
            Policy::Uniform | Policy::Recent(_) => Some(0),
        };
        let Some(class) = class else {
            self.refused += 1;
            return None;
        };
        let (start, room) = self.share(class);
        let seen = self.seen.get_mut(class)?;
        let before = *seen;
        *seen += 1;
        if before == 0 {
            // There is room for every class.
            self.classes.push(class);
        }
        let place = match self.policy {
            Policy::Uniform | Policy::Recent(_) => before % room as u64,
            Policy::Balanced(_) if before < room as u64 => before,
            // Of `before + 1` samples each stays with the same odds.
            Policy::Balanced(_) => self.below(before + 1),
        };
        (place < room as u64).then_some(start + place as usize)
    }

    /// Samples that have ever come, those left out of a full share included.
    pub fn came(&self) -> u64 {
        self.seen.iter().sum()
    }

    /// Draws a minibatch as large as `labels`, with replacement, into `values` and `labels`. Returns false
    /// and writes nothing while fewer samples have come than a minibatch has.
    pub fn draw(&mut self, values: &mut [f32], labels: &mut [i64]) -> bool {
        if self.is_empty() || self.came() < labels.len() as u64 {
            return false;
        }
        for (into, label) in values.chunks_exact_mut(self.row.max(1)).zip(labels) {
            let Some(place) = self.pick() else {
                return false;
            };
            let row = self.values.get(place * self.row..(place + 1) * self.row);
            if let (Some(row), Some(known)) = (row, self.labels.get(place)) {
                into.copy_from_slice(row);
                *label = *known;
            }
        }
        true
    }

    /// The place of a sample to train on; `None` of an empty ring.
    fn pick(&mut self) -> Option<usize> {
        let class = self.below(self.classes.len() as u64) as usize;
        let class = self.classes.get(class).copied()?;
        let ((start, room), held) = (self.share(class), self.held(class));
        let Policy::Recent(last) = self.policy else {
            return Some(start + self.below(held as u64) as usize);
        };
        let back = self.below(held.min(last.max(1)) as u64);
        let newest = self.seen.get(class)?.checked_sub(1)?;
        Some((newest.checked_sub(back)? % room as u64) as usize)
    }

    /// A random number below `count`, from xorshift64* (Vigna 2016); the high half times `count` avoids a
    /// division.
    fn below(&mut self, count: u64) -> u64 {
        // The generator's one forbidden state.
        self.random = self.random.max(1);
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let number = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D);
        ((u128::from(number) * u128::from(count)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::handover;
    use super::*;
    use proptest::prelude::*;

    /// A ring of one value a sample that has taken in samples with these labels; the value is the sample's
    /// number.
    fn filled(capacity: usize, policy: Policy, seed: u64, labels: impl IntoIterator<Item = i64>) -> Replay {
        let (mut push, mut pull) = handover(1, 1);
        let mut replay = Replay::with(1, capacity, policy, seed);
        for (number, label) in labels.into_iter().enumerate() {
            push.push(&[number as f32], label as u64).unwrap();
            replay.refill(&mut pull);
        }
        replay
    }

    /// How often each sample is drawn, by number.
    fn draws(replay: &mut Replay, count: usize, samples: usize) -> Vec<u64> {
        let mut drawn = vec![0; samples];
        let (mut value, mut label) = ([0.0], [0]);
        for _ in 0..count {
            assert!(replay.draw(&mut value, &mut label));
            drawn[value[0] as usize] += 1;
        }
        drawn
    }

    /// Pearson's statistic of counts that should be equal.
    fn chi_square(counts: &[u64]) -> f64 {
        let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let off = counts.iter().map(|count| (*count as f64 - expected).powi(2));
        off.sum::<f64>() / expected
    }

    /// What the statistic exceeds once in a million times with so many degrees of freedom (Wilson and
    /// Hilferty 1931).
    fn once_in_a_million(degrees: f64) -> f64 {
        let part = 2.0 / (9.0 * degrees);
        degrees * (1.0 - part + 4.753 * part.sqrt()).powi(3)
    }

    #[test]
    fn the_ring_keeps_the_newest_and_draws_only_what_it_holds() {
        let (mut push, mut pull) = handover(1, 8);
        let mut replay = Replay::new(1, 4, 7);
        let (mut values, mut labels) = ([0.0; 4], [0; 4]);
        assert!(!replay.draw(&mut values, &mut labels), "nothing to draw yet");
        for tag in 0..6 {
            push.push(&[tag as f32], tag).unwrap();
        }
        replay.refill(&mut pull);
        assert_eq!(replay.len(), 4);
        let mut seen = [0; 6];
        for _ in 0..200 {
            assert!(replay.draw(&mut values, &mut labels));
            for (value, label) in values.iter().zip(labels) {
                assert_eq!(*value, label as f32);
                seen[label as usize] += 1;
            }
        }
        assert_eq!(seen[..2], [0, 0]);
        assert!(seen[2..].iter().all(|count| *count > 100), "{seen:?}");
    }

    #[test]
    fn uniform_draws_are_uniform_over_the_newest_samples() {
        for seed in 1..20 {
            let mut replay = filled(50, Policy::Uniform, seed, (0..73).map(|_| 0));
            let drawn = draws(&mut replay, 20_000, 73);
            assert_eq!(drawn[..23], [0; 23], "the oldest gave way");
            let statistic = chi_square(&drawn[23..]);
            assert!(statistic < once_in_a_million(49.0), "seed {seed}: {statistic}");
        }
    }

    #[test]
    fn the_test_of_uniformity_sees_a_draw_that_is_off_by_a_tenth() {
        let mut counts = vec![400; 50];
        counts[..25].fill(440);
        counts[25..].fill(360);
        assert!(chi_square(&counts) > once_in_a_million(49.0));
    }

    #[test]
    fn every_sample_of_a_class_has_the_same_odds_to_stay_in_its_share() {
        let mut stayed = vec![0; 40];
        for seed in 1..4_000 {
            let replay = filled(
                16,
                Policy::Balanced(2),
                seed * 77,
                (0..80).map(|number| number % 2),
            );
            for place in 0..8 {
                stayed[replay.values[place] as usize / 2] += 1;
            }
        }
        let statistic = chi_square(&stayed);
        assert!(statistic < once_in_a_million(39.0), "{statistic}");
    }

    #[test]
    fn classes_are_drawn_alike_however_rare_they_are() {
        let labels = (0..2_000).map(|number| if number % 100 == 0 { 2 } else { number % 2 });
        let mut replay = filled(30, Policy::Balanced(3), 5, labels);
        let (mut values, mut labels) = ([0.0; 30], [0; 30]);
        let mut drawn = [0; 3];
        for _ in 0..1_000 {
            assert!(replay.draw(&mut values, &mut labels));
            labels.iter().for_each(|label| drawn[*label as usize] += 1);
        }
        assert!(chi_square(&drawn) < once_in_a_million(2.0), "{drawn:?}");
    }

    #[test]
    fn a_label_of_no_class_is_not_taken() {
        let replay = filled(4, Policy::Balanced(2), 1, [0, -1, 2, i64::MIN, 1]);
        assert_eq!((replay.len(), replay.refused()), (2, 3));
    }

    proptest! {
        #[test]
        fn a_reservoir_keeps_classes_balanced_within_one_unless_a_class_has_not_had_as_many(
            capacity in 1_usize..60,
            classes in 1_usize..8,
            labels in prop::collection::vec(0_i64..8, 0..400),
            seed in any::<u64>(),
        ) {
            let replay = filled(capacity, Policy::Balanced(classes), seed, labels.iter().copied());
            let held = (0..classes).map(|class| replay.held(class));
            let most = held.clone().max().unwrap();
            for (class, held) in held.enumerate() {
                let had = labels.iter().filter(|label| **label == class as i64).count();
                prop_assert!(held >= had.min(most.saturating_sub(1)), "class {class} holds {held} of {had}");
                prop_assert!(held <= capacity.max(classes).div_ceil(classes));
            }
            // What is said to be of a class is.
            for class in 0..classes {
                let (start, _) = replay.share(class);
                for place in start..start + replay.held(class) {
                    prop_assert_eq!(replay.labels[place], class as i64);
                    prop_assert_eq!(labels[replay.values[place] as usize], class as i64);
                }
            }
        }

        #[test]
        fn recent_draws_are_of_the_last_samples_alone(
            capacity in 1_usize..40,
            last in 0_usize..60,
            samples in 1_usize..120,
            seed in any::<u64>(),
        ) {
            let mut replay = filled(capacity, Policy::Recent(last), seed, (0..samples).map(|_| 0));
            let drawn = draws(&mut replay, 300, samples);
            let oldest = samples - last.max(1).min(capacity).min(samples);
            prop_assert!(drawn[..oldest].iter().all(|count| *count == 0), "{drawn:?}");
        }
    }
}
