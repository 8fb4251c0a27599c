//! The swap: new weights go from the trainer to inference, without lock or allocation, between two pieces.
//!
//! Sets of weights travel in buffers that are made once and go round: filled by the trainer, taken by inference, given
//! back. Where no spare buffer is at hand the trainer skips a set; the next one is newer anyway.

/// Buffers in circulation: one being filled, one waiting, one being read.
const BUFFERS: usize = 3;

/// A set of weights on its way: all tensors one after the other, in the order both ends agreed on.
#[derive(Debug)]
struct Set {
    version: u32,
    values: Box<[f32]>,
}

/// The trainer's end.
#[derive(Debug)]
pub struct Sender {
    values: usize,
    full: rtrb::Producer<Set>,
    spare: rtrb::Consumer<Set>,
    version: u32,
}

/// The inference end.
#[derive(Debug)]
pub struct Receiver {
    values: usize,
    full: rtrb::Consumer<Set>,
    spare: rtrb::Producer<Set>,
}

/// A way for sets of `len` values in all.
pub fn channel(len: usize) -> (Sender, Receiver) {
    let (full, take) = rtrb::RingBuffer::new(BUFFERS);
    let (mut give, spare) = rtrb::RingBuffer::new(BUFFERS);
    for _ in 0..BUFFERS {
        // The ring has room for every buffer there is.
        let _ = give.push(Set {
            version: 0,
            values: vec![0.0; len].into_boxed_slice(),
        });
    }
    (
        Sender {
            values: len,
            full,
            spare,
            version: 0,
        },
        Receiver {
            values: len,
            full: take,
            spare: give,
        },
    )
}

impl Sender {
    /// Values in a set.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Lets `fill` write a set and sends it. Returns its version, counted from 1; `None` if no buffer is spare.
    pub fn send_with(&mut self, fill: impl FnOnce(&mut [f32])) -> Option<u32> {
        let mut set = self.spare.pop().ok()?;
        fill(&mut set.values);
        self.version = self.version.wrapping_add(1);
        set.version = self.version;
        self.full.push(set).ok()?;
        Some(self.version)
    }
}

impl Receiver {
    /// Values in a set.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Shows the newest set to `read`, if one came since the last call; older ones are skipped. Returns its version.
    pub fn take_with(&mut self, read: impl FnOnce(&[f32])) -> Option<u32> {
        let mut newest = self.full.pop().ok()?;
        while let Ok(newer) = self.full.pop() {
            let _ = self.spare.push(std::mem::replace(&mut newest, newer));
        }
        read(&newest.values);
        let version = newest.version;
        let _ = self.spare.push(newest);
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_set_wins_and_is_seen_once() {
        let (mut sender, mut receiver) = channel(2);
        assert_eq!(receiver.take_with(|_| panic!("nothing was sent")), None);
        for version in 1..=2 {
            assert_eq!(
                sender.send_with(|values| values.fill(version as f32)),
                Some(version)
            );
        }
        assert_eq!(
            receiver.take_with(|values| assert_eq!(values, [2.0, 2.0])),
            Some(2)
        );
        assert_eq!(receiver.take_with(|_| panic!("it was taken already")), None);
    }

    #[test]
    fn a_trainer_that_is_ahead_skips_a_set_and_goes_on_after_it_was_taken() {
        let (mut sender, mut receiver) = channel(1);
        for version in 1..=3 {
            assert_eq!(sender.send_with(|_| ()), Some(version));
        }
        assert_eq!(sender.send_with(|_| panic!("no buffer is spare")), None);
        assert_eq!(receiver.take_with(|_| ()), Some(3));
        assert_eq!(sender.send_with(|_| ()), Some(4));
    }
}
