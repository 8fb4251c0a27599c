//! The [`Position`] of a feed: how far it has come, for a checkpoint to keep.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How far a feed has come. Shared by the feed's ends and whoever keeps it; each number has one writing
/// thread.
#[derive(Debug, Default)]
pub struct Position {
    /// Row of its file that the feeder hands over next.
    row: AtomicU64,
    /// Samples drawn for training.
    drawn: AtomicU64,
    /// State of the random numbers behind the draws.
    random: AtomicU64,
}

impl Position {
    /// Names of the numbers, in the order of [`value`](Position::value).
    pub const NAMES: [&'static str; 3] = ["feed.row", "feed.drawn", "feed.random"];

    fn numbers(&self) -> [&AtomicU64; 3] {
        [&self.row, &self.drawn, &self.random]
    }

    /// The number in this place; 0 for one there is not.
    pub fn value(&self, place: usize) -> u64 {
        self.numbers().get(place).map_or(0, |number| number.load(Relaxed))
    }

    /// Row of the file that the feeder hands over next.
    pub(super) fn row(&self) -> &AtomicU64 {
        &self.row
    }

    /// Samples drawn.
    pub(super) fn drawn(&self) -> &AtomicU64 {
        &self.drawn
    }

    /// State of the random numbers.
    pub(super) fn random(&self) -> &AtomicU64 {
        &self.random
    }

    /// Takes up numbers that were kept, in the order of the names. For before the feed is used.
    pub fn restore(&self, values: [u64; 3]) {
        for (number, value) in self.numbers().into_iter().zip(values) {
            number.store(value, Relaxed);
        }
    }
}
