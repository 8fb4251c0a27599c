//! A [`Feeder`] brings the samples of a file into a feed, on a thread of its own: the dispatcher never waits
//! for a disk.

use super::handover::Pusher;
use super::position::Position;
use super::samples::{SampleError, Samples};
use crate::schedule::statistics::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread rests when the way into the feed is full.
const REST: Duration = Duration::from_millis(1);

/// What a feeder and its thread share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    unusable: Counter,
}

/// The thread that reads a file of samples, from its beginning to its end and over again. Dropping it ends
/// the thread.
#[derive(Debug)]
pub struct Feeder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), SampleError>>>,
}

impl Feeder {
    /// Reads `samples` into `pusher`, from the row of `position` on, where it notes how far it has come.
    pub fn start(samples: Samples, pusher: Pusher, position: Arc<Position>) -> std::io::Result<Feeder> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("feeder".into())
            .spawn(move || feed(samples, pusher, &position, &theirs))?;
        Ok(Feeder {
            shared,
            thread: Some(thread),
        })
    }

    /// Samples with a value that is not finite, which no training survives; they are passed over.
    pub fn unusable(&self) -> u64 {
        self.shared.unusable.get()
    }

    /// Whether the thread has ended by itself, because the file can no longer be read.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread and says why it had ended by itself, if it had.
    pub fn stop(&mut self) -> Result<(), SampleError> {
        self.shared.stop.store(true, Relaxed);
        match self.thread.take() {
            None => Ok(()),
            Some(thread) => {
                thread.thread().unpark();
                // It does not panic.
                thread.join().unwrap_or(Ok(()))
            }
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // Who wants to know what went wrong asks `stop`.
        let _ = self.stop();
    }
}

fn feed(
    mut samples: Samples,
    mut pusher: Pusher,
    position: &Position,
    shared: &Shared,
) -> Result<(), SampleError> {
    let mut values = vec![0.0; samples.row()];
    let mut passed_over = 0;
    while !shared.stop.load(Relaxed) {
        let row = position.row().load(Relaxed) % samples.count();
        let label = samples.read(row, &mut values)?;
        if values.iter().all(|value| value.is_finite()) {
            passed_over = 0;
            while pusher.push(&values, label as u64).is_err() {
                std::thread::park_timeout(REST);
                if shared.stop.load(Relaxed) {
                    return Ok(());
                }
            }
        } else {
            shared.unusable.add(1);
            passed_over += 1;
            if passed_over == samples.count() {
                return Err(samples.wrong("no sample has finite values alone"));
            }
        }
        position.row().store((row + 1) % samples.count(), Relaxed);
    }
    Ok(())
}
