//! A [`Keeper`] is a thread that writes a job's checkpoints.

use super::writer::{Status, Writer};
use super::{CheckpointError, Statistics};
use crate::clock::{Clock, Monotonic};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a thread of a [`Keeper`] looks for a snapshot.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Results of a keeper's thread that wait to be polled; later ones are only counted.
const RESULTS: usize = 64;

/// The thread that writes a job's checkpoints. Dropping it writes what was handed over, and ends it.
#[derive(Debug)]
pub struct Keeper {
    results: rtrb::Consumer<Result<Status, CheckpointError>>,
    statistics: Arc<Statistics>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// The next thing worth telling, oldest first: a checkpoint that is kept, put off or failed.
    pub fn poll(&mut self) -> Option<Result<Status, CheckpointError>> {
        self.results.pop().ok()
    }

    /// What becomes of the checkpoints.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// Writes what was handed over and ends the thread. Results can still be polled.
    pub fn stop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic, and what failed was told.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Writer {
    /// Moves the writer to a thread of its own.
    pub fn start(self) -> Result<Keeper, CheckpointError> {
        let (tell, results) = rtrb::RingBuffer::new(RESULTS);
        let stop = Arc::new(AtomicBool::new(false));
        let (statistics, their_stop) = (Arc::clone(self.statistics()), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || self.run(&their_stop, tell))
            .map_err(CheckpointError::Thread)?;
        Ok(Keeper {
            results,
            statistics,
            stop,
            thread: Some(thread),
        })
    }

    fn run(mut self, stop: &AtomicBool, mut tell: rtrb::Producer<Result<Status, CheckpointError>>) {
        let mut put_off = None;
        loop {
            // Asked before the look: what was handed over before the stop is still written.
            let last = stop.load(Relaxed);
            let outcome = self.write_part(Monotonic.now());
            match outcome {
                Ok(Status::Wrote) => continue,
                Ok(Status::Idle) => {}
                Ok(Status::PutOff { until }) if put_off == Some(until) => {}
                // Nobody may listen; the statistics count all the same.
                outcome => {
                    if let Ok(Status::PutOff { until }) = outcome {
                        put_off = Some(until);
                    }
                    let idle = matches!(outcome, Ok(Status::PutOff { .. }));
                    let _ = tell.push(outcome);
                    if !idle {
                        continue;
                    }
                }
            }
            if last {
                return;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }
}
