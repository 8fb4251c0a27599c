//! The control thread: reads the board's sensors, never on the dispatcher thread, since a rail may take as long to read
//! as a frame takes to come, or for ever.

use crate::board::Sensors;
use crate::clock::{Clock, Monotonic};
use crate::power::meter::{Meter, Reading};
use crate::power::window::Window;
use crate::units::{Millicelsius, Milliwatts, Nanos};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often to read unless there is a reason for another interval: four looks at each conversion of a Jetson.
pub const INTERVAL: Nanos = Nanos::from_millis(100);

/// Samples kept for a reader that is late: half a minute of an AGX Orin's sensor.
const KEPT: usize = 64;

/// A sample comes at least this often while the sensors answer, so that heat is known where power is not.
const PULSE: Nanos = Nanos::from_secs(1);

/// How long the end of a reading is awaited before the thread is left to itself. An INA3221 that is well answers within
/// two refreshes, 860 ms.
const PATIENCE: Nanos = Nanos::from_secs(1);

/// No reading goes on. No moment of the monotonic clock is that late.
const IDLE: u64 = u64::MAX;

/// What the sensors showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was read.
    pub at: Nanos,
    /// Total power of a new conversion, by the board's rule; `None` where a second went by without one.
    pub power: Option<Milliwatts>,
    /// The hottest zone's temperature; `None` if it could not be read.
    pub temperature: Option<Millicelsius>,
    /// The present window so far.
    pub window: Window,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    /// When the window was asked to begin.
    begin: AtomicU64,
    /// When the latest conversion was read; [`IDLE`] before the first.
    newest: AtomicU64,
    /// When the reading that goes on began; [`IDLE`] between two.
    reading: AtomicU64,
}

/// A running control thread. Dropping it stops it.
#[derive(Debug)]
pub struct Control {
    samples: rtrb::Consumer<Sample>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Reads `sensors` every `interval`, a millisecond at least. The first window begins now.
    pub fn start<S: Sensors + 'static>(sensors: S, interval: Nanos) -> io::Result<Control> {
        let (push, samples) = rtrb::RingBuffer::new(KEPT);
        let now = Monotonic.now();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            begin: AtomicU64::new(now.0),
            newest: AtomicU64::new(IDLE),
            reading: AtomicU64::new(IDLE),
        });
        let meter = Meter::new(sensors.supplies(), now);
        let mut sampler = Sampler {
            sensors,
            meter,
            push,
            shared: Arc::clone(&shared),
            began: now,
            pushed: now,
        };
        let thread = std::thread::Builder::new()
            .name("fulcrum-control".into())
            .spawn(move || sampler.run(interval.max(Nanos::from_millis(1))))?;
        Ok(Control {
            samples,
            shared,
            thread: Some(thread),
        })
    }

    /// The next sample, if there is one.
    pub fn poll(&mut self) -> Option<Sample> {
        self.samples.pop().ok()
    }

    /// Begins a new window and answers with its first moment: samples whose window begins earlier are of the one
    /// before.
    pub fn begin_window(&self) -> Nanos {
        let now = Monotonic.now();
        self.shared.begin.store(now.0, Relaxed);
        now
    }

    /// How long ago the latest conversion was read; `None` before the first.
    pub fn age(&self) -> Option<Nanos> {
        since(&self.shared.newest)
    }

    /// How long the reading that goes on has taken already; `None` between two. More than a second means that a sensor
    /// does not answer.
    pub fn blocked(&self) -> Option<Nanos> {
        since(&self.shared.reading)
    }
}

fn since(moment: &AtomicU64) -> Option<Nanos> {
    let moment = moment.load(Relaxed);
    (moment != IDLE).then(|| Monotonic.now() - Nanos(moment))
}

impl Drop for Control {
    /// Awaits the end of a reading for a second at most. A thread that a sensor holds for longer is left to itself; it
    /// ends when the sensor lets go of it.
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        let Some(thread) = self.thread.take() else {
            return;
        };
        thread.thread().unpark();
        let last = Monotonic.now() + PATIENCE;
        while !thread.is_finished() && Monotonic.now() < last {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Sampler<S> {
    sensors: S,
    meter: Meter,
    push: rtrb::Producer<Sample>,
    shared: Arc<Shared>,
    /// When the present window was asked to begin.
    began: Nanos,
    /// When a sample was pushed last.
    pushed: Nanos,
}

impl<S: Sensors> Sampler<S> {
    fn run(&mut self, interval: Nanos) {
        let mut next = Monotonic.now();
        // What the counters of the first window start from.
        self.shared.reading.store(next.0, Relaxed);
        self.meter.note(self.sensors.throttling());
        self.shared.reading.store(IDLE, Relaxed);
        while !self.shared.stop.load(Relaxed) {
            let start = Monotonic.now();
            if start < next {
                // Woken at the end, and sometimes for no reason: the loop looks at the clock again.
                std::thread::park_timeout(Duration::from_nanos((next - start).0));
                continue;
            }
            self.shared.reading.store(start.0, Relaxed);
            self.sample();
            self.shared.reading.store(IDLE, Relaxed);
            // A reading that took longer than the interval leaves intervals out; they are not made up for.
            next = (next + interval).max(Monotonic.now());
        }
    }

    fn sample(&mut self) {
        let begin = Nanos(self.shared.begin.load(Relaxed));
        if begin != self.began {
            self.began = begin;
            self.meter.begin_window(begin);
        }
        let rails = self.sensors.rails_of_total();
        let at = Monotonic.now();
        // A failure counts in the window; the next interval asks again.
        let power = match self.meter.take(at, &rails) {
            Ok(Reading::New(power)) => Some(power),
            Ok(Reading::Doubtful(_) | Reading::Stale | Reading::Mark) | Err(_) => None,
        };
        if power.is_some() {
            self.shared.newest.store(at.0, Relaxed);
        }
        // Heat and counters move slowly: they are read with each conversion, not with each look.
        if power.is_none() && at < self.pushed + PULSE {
            return;
        }
        self.pushed = at;
        self.meter.note(self.sensors.throttling());
        // A reader that is that late misses the samples between.
        let _ = self.push.push(Sample {
            at,
            power,
            temperature: self.sensors.temperature(),
            window: self.meter.window(at),
        });
    }
}
