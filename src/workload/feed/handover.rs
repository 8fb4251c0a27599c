//! A [handover](handover) brings samples from one thread to another, in memory that is made once.

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

/// A way for up to `capacity` samples of `row` values and a tag each, from one thread to another, without
/// lock.
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

    /// Whether the user's end is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.tags.is_abandoned()
    }
}

impl Puller {
    /// Values of one sample.
    pub(super) fn row(&self) -> usize {
        self.row
    }

    /// The oldest sample's tag, which stays where it is.
    pub fn tag(&self) -> Option<u64> {
        self.tags.peek().ok().copied()
    }

    /// Throws the oldest sample away; false if there is none.
    pub fn skip(&mut self) -> bool {
        let chunk = match self.tags.pop() {
            Ok(_) => self.values.read_chunk(self.row),
            Err(_) => return false,
        };
        if let Ok(chunk) = chunk {
            chunk.commit_all();
        }
        true
    }

    /// Copies the oldest sample out and returns its tag; `None` if there is none. `into` has as many values
    /// as a row.
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
}
