//! The feed: samples on their way from a sensor to inference and training, in memory that is made once.

use std::fmt;

/// The way is full; the sample was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sample was not taken: those before it have not been used yet")
    }
}

impl std::error::Error for Full {}

/// The sensor's end of a hand-over.
#[derive(Debug)]
pub struct Pusher {
    row: usize,
    values: rtrb::Producer<f32>,
    tags: rtrb::Producer<u64>,
}

/// The user's end of a hand-over.
#[derive(Debug)]
pub struct Puller {
    row: usize,
    values: rtrb::Consumer<f32>,
    tags: rtrb::Consumer<u64>,
}

/// A way for up to `capacity` samples of `row` values and a tag each, from one thread to another, without lock.
pub fn handover(row: usize, capacity: usize) -> (Pusher, Puller) {
    let (push, pull) = rtrb::RingBuffer::new(row * capacity);
    let (push_tags, pull_tags) = rtrb::RingBuffer::new(capacity);
    (
        Pusher {
            row,
            values: push,
            tags: push_tags,
        },
        Puller {
            row,
            values: pull,
            tags: pull_tags,
        },
    )
}

impl Pusher {
    /// Copies a sample in; `sample` has as many values as a row.
    pub fn push(&mut self, sample: &[f32], tag: u64) -> Result<(), Full> {
        if sample.len() != self.row || self.tags.is_full() || self.values.slots() < self.row {
            return Err(Full);
        }
        let chunk = self.values.write_chunk_uninit(self.row).map_err(|_| Full)?;
        chunk.fill_from_iter(sample.iter().copied());
        // The tag follows the values, so who sees the tag sees the sample.
        self.tags.push(tag).map_err(|_| Full)
    }
}

impl Puller {
    /// Copies the oldest sample out and returns its tag; `None` if there is none. `into` has as many values as a row.
    pub fn pull(&mut self, into: &mut [f32]) -> Option<u64> {
        if into.len() != self.row {
            return None;
        }
        let tag = self.tags.pop().ok()?;
        let chunk = self.values.read_chunk(self.row).ok()?;
        let (first, second) = chunk.as_slices();
        for (place, value) in into.iter_mut().zip(first.iter().chain(second)) {
            *place = *value;
        }
        chunk.commit_all();
        Some(tag)
    }
}

/// The sensor's end of two hand-overs: most samples go to training, every so many are held out from it.
#[derive(Debug)]
pub struct Split {
    training: Pusher,
    held_out: Pusher,
    every: u64,
    pushed: u64,
}

impl Split {
    /// Holds out every `every`-th sample; below 2 counts as 2, since else there was nothing to train on.
    pub fn new(training: Pusher, held_out: Pusher, every: u32) -> Split {
        Split {
            training,
            held_out,
            every: u64::from(every.max(2)),
            pushed: 0,
        }
    }

    /// Copies a sample into one of the two. One that is to be held out and finds its way full is not trained
    /// on either.
    pub fn push(&mut self, sample: &[f32], tag: u64) -> Result<(), Full> {
        self.pushed = self.pushed.wrapping_add(1);
        if self.pushed.is_multiple_of(self.every) {
            self.held_out.push(sample, tag)
        } else {
            self.training.push(sample, tag)
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
        let ring = Replay::new(puller.row, capacity, 1);
        HeldOut { puller, ring }
    }

    /// Samples it has room for.
    pub fn capacity(&self) -> usize {
        self.ring.labels.len()
    }

    /// Values of one sample.
    pub fn row(&self) -> usize {
        self.ring.row
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

/// A bounded ring of labelled samples to train on; the oldest gives way to the newest.
#[derive(Debug)]
pub struct Replay {
    row: usize,
    values: Box<[f32]>,
    labels: Box<[i64]>,
    /// Samples ever stored.
    stored: usize,
    random: u64,
}

impl Replay {
    /// A ring of up to `capacity` (at least 1) samples of `row` values; the draws follow from `seed`.
    pub fn new(row: usize, capacity: usize, seed: u64) -> Replay {
        let capacity = capacity.max(1);
        Replay {
            row,
            values: vec![0.0; row * capacity].into_boxed_slice(),
            labels: vec![0; capacity].into_boxed_slice(),
            stored: 0,
            random: seed,
        }
    }

    /// Samples in the ring.
    pub fn len(&self) -> usize {
        self.stored.min(self.labels.len())
    }

    /// Whether the ring holds nothing yet.
    pub fn is_empty(&self) -> bool {
        self.stored == 0
    }

    /// Takes every sample that waits in `puller`; the tag is the label.
    pub fn refill(&mut self, puller: &mut Puller) {
        loop {
            let place = self.stored % self.labels.len();
            let Some(row) = self.values.get_mut(place * self.row..(place + 1) * self.row) else {
                return;
            };
            let Some(tag) = puller.pull(row) else { return };
            if let Some(label) = self.labels.get_mut(place) {
                *label = tag as i64;
            }
            self.stored += 1;
        }
    }

    /// Draws a minibatch as large as `labels`, uniformly and with replacement, into `values` and `labels`. Returns false
    /// and writes nothing while there are fewer samples than a minibatch.
    pub fn draw(&mut self, values: &mut [f32], labels: &mut [i64]) -> bool {
        if self.len() < labels.len() {
            return false;
        }
        for (into, label) in values.chunks_exact_mut(self.row).zip(labels) {
            let place = self.below(self.len());
            let row = self.values.get(place * self.row..(place + 1) * self.row);
            if let (Some(row), Some(known)) = (row, self.labels.get(place)) {
                into.copy_from_slice(row);
                *label = *known;
            }
        }
        true
    }

    /// Copies the samples from place `first` on, as many as `labels`, into `values` and `labels`. Returns
    /// false and writes nothing where there are fewer. Places hold what they hold until the next refill.
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

    /// A random place below `count`, from xorshift64* (Vigna 2016); the high half times `count` avoids a division.
    fn below(&mut self, count: usize) -> usize {
        // The generator's one forbidden state.
        self.random = self.random.max(1);
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let high = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((high * count as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_a_full_way_hands_the_sample_back() {
        let (mut push, mut pull) = handover(3, 2);
        push.push(&[1.0, 2.0, 3.0], 10).unwrap();
        push.push(&[4.0, 5.0, 6.0], 11).unwrap();
        assert_eq!(push.push(&[7.0, 8.0, 9.0], 12), Err(Full));
        let mut row = [0.0; 3];
        for (tag, first) in [(10, 1.0), (11, 4.0)] {
            assert_eq!(pull.pull(&mut row), Some(tag));
            assert_eq!(row[0], first);
        }
        assert_eq!(pull.pull(&mut row), None);
    }

    #[test]
    fn a_sample_of_another_size_is_not_taken() {
        let (mut push, mut pull) = handover(3, 2);
        assert_eq!(push.push(&[1.0], 1), Err(Full));
        push.push(&[1.0; 3], 1).unwrap();
        assert_eq!(pull.pull(&mut [0.0; 2]), None);
        assert_eq!(pull.pull(&mut [0.0; 3]), Some(1));
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
