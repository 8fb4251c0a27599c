//! The control thread: reads the board's rails and temperature, never on the dispatcher thread, since a rail may take as
//! long to read as a frame takes to come.

use crate::board::Board;
use crate::clock::{Clock, Monotonic};
use crate::power::meter::{Meter, Reading};
use crate::units::{Millicelsius, Milliwatts, Nanos};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Samples kept for a reader that is late: half a minute of an AGX Orin's sensor.
const KEPT: usize = 64;

/// What the sensors showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was read.
    pub at: Nanos,
    /// Total power, by the board's rule.
    pub power: Milliwatts,
    /// The hottest zone's temperature; `None` if it could not be read.
    pub temperature: Option<Millicelsius>,
    /// Mean power of all conversions so far.
    pub mean: Milliwatts,
    /// Highest power so far.
    pub max: Milliwatts,
}

/// A running control thread. Dropping it stops it.
#[derive(Debug)]
pub struct Control {
    samples: rtrb::Consumer<Sample>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Reads `board` every `interval`. The first conversion is left out: it may be of the time before the start.
    pub fn start<B: Board + Send + 'static>(board: B, interval: Nanos) -> io::Result<Control> {
        let (mut push, samples) = rtrb::RingBuffer::new(KEPT);
        let stop = Arc::new(AtomicBool::new(false));
        let their_stop = Arc::clone(&stop);
        let body = move || {
            let mut meter = Meter::new(board.facts());
            let _ = meter.sample(Monotonic.now(), &board);
            meter.reset();
            let mut next = Monotonic.now();
            while !their_stop.load(Relaxed) {
                next += interval;
                Monotonic.sleep_until(next);
                let at = Monotonic.now();
                // A rail that cannot be read leaves a gap; the next interval asks again.
                let Ok(Reading::New(power)) = meter.sample(at, &board) else {
                    continue;
                };
                let (Some(mean), Some(max)) = (meter.mean(), meter.max()) else {
                    continue;
                };
                // A reader that is that late misses the samples between.
                let _ = push.push(Sample {
                    at,
                    power,
                    temperature: board.temperature().ok(),
                    mean,
                    max,
                });
            }
        };
        let thread = std::thread::Builder::new()
            .name("fulcrum-control".into())
            .spawn(body)?;
        Ok(Control {
            samples,
            stop,
            thread: Some(thread),
        })
    }

    /// The next sample, if there is one.
    pub fn poll(&mut self) -> Option<Sample> {
        self.samples.pop().ok()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
