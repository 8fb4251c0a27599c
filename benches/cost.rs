//! What the hot path costs: one decision, and the way from a submit to the first instruction of the work, beside the
//! operating system's own futex wake in the same run, the two in turn. Run by `make bench`; `--quick` for a tenth.

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Policy, Request, Schedule, StreamSpec, Submission, name};
use fulcrum::units::Nanos;
use fulcrum::workload::callback::StreamCallback;
use rustix::thread::futex;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Decisions timed together; one alone is shorter than reading the clock.
const BATCH: u64 = 256;

fn camera(period_us: u64) -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival: Arrival::Periodic {
            period: Nanos::from_micros(period_us),
            jitter: Nanos::from_micros(100),
        },
        deadline: Nanos::from_millis(200),
        minibatch: 1,
        cost: Nanos::from_micros(500),
        priority: 0,
        overdue: Overdue::Run,
    }
}

fn quantile(sorted: &[u64], permyriad: usize) -> u64 {
    sorted
        .get((sorted.len() * permyriad / 10_000).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0)
}

fn decisions(rounds: usize) {
    println!("decision, ns (batches of {BATCH}; a slack schedule with one job of 12 pieces)");
    println!("  streams   waiting    median    p99.9");
    for streams in [1, 8] {
        for waiting in [0, 4] {
            let mut schedule = Schedule::new(Policy::Slack, Nanos::from_micros(50), Nanos::from_micros(200));
            for stream in 0..streams {
                let _ = schedule.add_stream(camera(33_000 + 1_000 * stream));
            }
            let pieces = [Nanos::from_millis(2); 12].into_iter().collect();
            let _ = schedule.add_job(JobSpec {
                name: name("learner"),
                pieces,
                abort: None,
            });
            schedule.start(Nanos::ZERO);
            for stream in 0..streams as usize {
                for token in 0..waiting.max(1) {
                    let request = Request {
                        token,
                        release: Nanos::from_millis(10),
                    };
                    let _ = schedule.arrive(
                        stream,
                        Submission {
                            request,
                            at: request.release,
                        },
                    );
                }
                if waiting == 0 {
                    schedule.start_minibatch(stream, 1, &mut [Request::default()]);
                }
            }
            let mut times: Vec<u64> = (0..rounds)
                .map(|round| {
                    let start = Monotonic.now();
                    for step in 0..BATCH {
                        black_box(
                            schedule.decide(black_box(Nanos::from_millis(12) + Nanos(round as u64 + step))),
                        );
                    }
                    (Monotonic.now() - start).0 / BATCH
                })
                .collect();
            times.sort_unstable();
            println!(
                "  {streams:7}   {waiting:7}   {:7}  {:7}",
                quantile(&times, 5_000),
                quantile(&times, 9_990)
            );
        }
    }
}

/// A thread that sleeps on a futex and notes when it woke.
struct Sleeper {
    futex: Arc<AtomicU32>,
    woke: Arc<AtomicU64>,
}

impl Sleeper {
    fn start() -> Sleeper {
        let (futex, woke) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
        let (their_futex, their_woke) = (Arc::clone(&futex), Arc::clone(&woke));
        std::thread::spawn(move || {
            let mut seen = 0;
            loop {
                while their_futex.load(SeqCst) == seen {
                    let _ = futex::wait(&their_futex, futex::Flags::PRIVATE, seen, None);
                }
                seen = their_futex.load(SeqCst);
                their_woke.store(Monotonic.now().0, SeqCst);
            }
        });
        Sleeper { futex, woke }
    }

    fn wake(&self) -> u64 {
        self.woke.store(0, SeqCst);
        let start = Monotonic.now().0;
        self.futex.fetch_add(1, SeqCst);
        let _ = futex::wake(&self.futex, futex::Flags::PRIVATE, 1);
        await_nonzero(&self.woke) - start
    }
}

fn await_nonzero(moment: &AtomicU64) -> u64 {
    loop {
        let value = moment.load(SeqCst);
        if value != 0 {
            return value;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn wakes(rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let started = Arc::new(AtomicU64::new(0));
    let note = Arc::clone(&started);
    let work = move |_: &[Request], _: &mut [u64]| {
        note.store(Monotonic.now().0, SeqCst);
        Ok(())
    };
    let mut builder = Builder::new(Options::default());
    let spec = StreamSpec {
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(1),
        },
        ..camera(1_000)
    };
    let (mut submitter, mut completions) = builder.stream(spec, Box::new(StreamCallback(work)))?;
    let _runtime = builder.start()?;
    let sleeper = Sleeper::start();
    let (mut submits, mut bare) = (Vec::new(), Vec::new());
    for token in 0..rounds as u64 {
        std::thread::sleep(Duration::from_micros(300));
        bare.push(sleeper.wake());
        std::thread::sleep(Duration::from_micros(300));
        started.store(0, SeqCst);
        let start = Monotonic.now();
        submitter.submit(Request {
            token,
            release: start,
        })?;
        submits.push(await_nonzero(&started) - start.0);
        while completions.poll().is_some() {}
    }
    submits.sort_unstable();
    bare.sort_unstable();
    println!("submit to running, us, beside a bare futex wake in the same run ({rounds} each, in turn)");
    println!("              median      p99    p99.9");
    for (label, times) in [("submit", &submits), ("bare wake", &bare)] {
        let us = |permyriad| quantile(times, permyriad) as f64 / 1e3;
        println!(
            "  {label:9} {:8.1} {:8.1} {:8.1}",
            us(5_000),
            us(9_900),
            us(9_990)
        );
    }
    println!(
        "  ratio     {:8.2}",
        quantile(&submits, 5_000) as f64 / quantile(&bare, 5_000).max(1) as f64
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scale = if std::env::args().any(|argument| argument == "--quick") {
        1
    } else {
        10
    };
    decisions(1_000 * scale);
    wakes(300 * scale)
}
