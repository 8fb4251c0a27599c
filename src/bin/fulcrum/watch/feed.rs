//! A [`Feed`] is a thread that reads something again and again; its owner sees the latest reading and how old it is.

#![allow(
    clippy::disallowed_types,
    reason = "the view's threads are not the dispatcher; the lock is held to copy a reading, not while one is made"
)]

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// No reading goes on. No moment of the monotonic clock is that late.
const IDLE: u64 = u64::MAX;

/// A reading that takes longer says that a sensor does not answer: an INA3221 that is well takes two refreshes, 860 ms.
const PATIENCE: Nanos = Nanos::from_secs(1);

struct Shared<T> {
    /// The latest reading, and when it ended.
    latest: Mutex<Option<(Nanos, T)>>,
    stop: AtomicBool,
    /// When the reading that goes on began.
    reading: AtomicU64,
}

/// A thread that reads. Dropping it lets the thread end with its reading, and does not wait for that.
pub(super) struct Feed<T>(Arc<Shared<T>>);

impl<T: Clone + Send + 'static> Feed<T> {
    /// A feed that has not started.
    pub(super) fn new() -> Feed<T> {
        Feed(Arc::new(Shared {
            latest: Mutex::new(None),
            stop: AtomicBool::new(false),
            reading: AtomicU64::new(IDLE),
        }))
    }

    /// Calls `read` every `interval` from now on.
    pub(super) fn start(
        &self,
        name: &str,
        interval: Nanos,
        mut read: impl FnMut() -> T + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let run = move || {
            let mut next = Monotonic.now();
            while !shared.stop.load(Relaxed) {
                shared.reading.store(Monotonic.now().0, Relaxed);
                let reading = read();
                shared.reading.store(IDLE, Relaxed);
                let now = Monotonic.now();
                *shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, reading));
                // Intervals that a slow reading left out are not made up for.
                next = (next + interval).max(now);
                std::thread::sleep(Duration::from_nanos((next - now).0));
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(())
    }

    /// The latest reading and its age; `None` before the first.
    pub(super) fn latest(&self) -> Option<(Nanos, T)> {
        let latest = self
            .0
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        latest.map(|(at, reading)| (Monotonic.now() - at, reading))
    }

    /// How long the sensors have not answered, if that is too long.
    pub(super) fn blocked(&self) -> Option<Nanos> {
        let began = self.0.reading.load(Relaxed);
        let since = (began != IDLE).then(|| Monotonic.now() - Nanos(began));
        since.filter(|since| *since > PATIENCE)
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_never_ends_is_told_and_the_one_before_it_stays() {
        let feed = Feed::new();
        let mut first = true;
        let read = move || {
            if !std::mem::take(&mut first) {
                std::thread::sleep(Duration::from_secs(3_600));
            }
            7
        };
        feed.start("test", Nanos::from_millis(1), read).unwrap();
        Monotonic.sleep_until(Monotonic.now() + PATIENCE + PATIENCE);
        let (age, value) = feed.latest().unwrap();
        assert_eq!(value, 7);
        assert!(age > PATIENCE && feed.blocked().is_some());
    }
}
