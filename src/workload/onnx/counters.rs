//! [`Counters`]: how far a trainer has come, to keep with its state.

use crate::workload::checkpoint::{Checkpoint, STEPS};
use crate::workload::feed::Position;
use std::sync::Arc;

/// Steps ended, and the position of a feed where there is one to keep.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) steps: u64,
    pub(super) position: Option<Arc<Position>>,
}

impl Counters {
    /// As a checkpoint calls them.
    pub(super) fn names(&self) -> Vec<String> {
        let position = self.position.iter().flat_map(|_| Position::NAMES);
        [STEPS].into_iter().chain(position).map(String::from).collect()
    }

    /// The value of one, by its place among the names.
    pub(super) fn value(&self, counter: usize) -> u64 {
        match counter.checked_sub(1) {
            None => self.steps,
            Some(place) => self.position.as_ref().map_or(0, |position| position.value(place)),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 + self.position.as_ref().map_or(0, |_| Position::NAMES.len())
    }

    /// Takes up values in the order of the names.
    pub(super) fn set(&mut self, mut values: impl Iterator<Item = u64>) {
        let mut next = || values.next().unwrap_or(0);
        self.steps = next();
        if let Some(position) = &self.position {
            position.restore(Position::NAMES.map(|_| next()));
        }
    }

    /// Takes up those of `checkpoint`.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) {
        let names = [STEPS].into_iter().chain(Position::NAMES);
        self.set(names.map(|name| checkpoint.counter(name)));
    }
}
