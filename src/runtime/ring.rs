//! [`Ring`]: what the dispatcher hands to a thread that drains it in its own time.

use crate::limits;
use crate::schedule::statistics::Counter;
use std::sync::Arc;

/// The dispatcher's end. Nothing waits for room: what a full ring has none for is lost, and counted.
pub(super) struct Ring<T> {
    entries: rtrb::Producer<T>,
    lost: Arc<Counter>,
}

impl<T> Ring<T> {
    /// Room for [`limits::EVENTS`] entries; also the end they are drained from and the count of those lost.
    pub(super) fn new() -> (Ring<T>, rtrb::Consumer<T>, Arc<Counter>) {
        let (entries, drain) = rtrb::RingBuffer::new(limits::EVENTS);
        let lost = Arc::new(Counter::default());
        let ring = Ring {
            entries,
            lost: Arc::clone(&lost),
        };
        (ring, drain, lost)
    }

    /// Hands an entry over.
    pub(super) fn keep(&mut self, entry: T) {
        if self.entries.push(entry).is_err() {
            self.lose();
        }
    }

    /// Counts one that was not handed over.
    pub(super) fn lose(&self) {
        self.lost.add(1);
    }
}
