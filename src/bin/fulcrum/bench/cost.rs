//! `fulcrum bench cost`: one decision, the way from a submit to the work, and how often the dispatcher leaves its processor.

use super::context_switches::ContextSwitches;
use super::quantile;
use super::sleeper::{Sleeper, await_nonzero};
use crate::table::{Side, Table};
use clap::Args;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{
    Arrival, JobSpec, Overdue, Pieces, Policy, Request, Schedule, StreamSpec, Submission, name,
};
use fulcrum::units::Nanos;
use fulcrum::workload::Progress;
use fulcrum::workload::callback::{JobCallback, StreamCallback};
use serde::Serialize;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Decisions timed together for the median; one alone is about as short as reading the clock.
const BATCH: u64 = 256;

/// The median of a decision with eight streams is to be at most so many nanoseconds.
const DECISION_TARGET: u64 = 200;

/// The median of submit-to-running is to be at most so many times that of a bare futex wake.
const WAKE_TARGET: f64 = 1.3;

/// How long each piece of the job runs in which context switches are counted.
const PIECE: Nanos = Nanos::from_micros(200);

/// What the hot path costs.
///
/// One decision; from a submit to the first instruction of the work beside the operating system's own futex wake, the two
/// in turn; context switches of the dispatcher.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum bench cost
  fulcrum bench cost --quick --json")]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// A tenth of the measurements
    #[arg(long)]
    quick: bool,
}

#[derive(Serialize)]
struct Cost {
    /// Whether the program was built without optimisation, so that its figures say nothing.
    debug_build: bool,
    decision: Decision,
    submit_to_running: Wake,
    switches: Switches,
    allocations: Allocations,
}

#[derive(Serialize)]
struct Decision {
    rows: Vec<DecisionRow>,
    /// With eight streams, in the slower of its two states.
    median_ns: u64,
    p9999_ns: u64,
    target_median_ns: u64,
    met: bool,
}

#[derive(Serialize)]
struct DecisionRow {
    streams: u64,
    /// Requests that wait in each stream.
    waiting: u64,
    /// Of batches, per decision.
    median_ns: u64,
    /// Of single decisions, one reading of the clock included.
    p9999_ns: u64,
}

#[derive(Serialize)]
struct Wake {
    repeats: usize,
    submit_median_us: f64,
    submit_p999_us: f64,
    bare_median_us: f64,
    bare_p999_us: f64,
    median_over_bare: f64,
    p999_over_bare: f64,
    target_median_over_bare: f64,
    met: bool,
}

#[derive(Serialize)]
struct Switches {
    requests: u64,
    voluntary_per_request: f64,
    involuntary_per_request: f64,
    pieces: u64,
    voluntary_per_piece: f64,
    involuntary_per_piece: f64,
}

/// Counting them takes an allocator of its own, which this program does not have.
#[derive(Serialize)]
struct Allocations {
    after_start: Option<u64>,
    proven_by: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let scale = if arguments.quick { 1 } else { 10 };
    eprintln!("decisions ...");
    let decision = decisions(1_000 * scale, 100_000 * scale);
    eprintln!("wake-ups ...");
    let (submit_to_running, on_request) = wakes(300 * scale)?;
    eprintln!("context switches ...");
    let on_piece = pieces(Nanos::from_millis(300 * scale as u64))?;
    let requests = submit_to_running.repeats as u64;
    let cost = Cost {
        debug_build: cfg!(debug_assertions),
        decision,
        submit_to_running,
        switches: Switches {
            requests,
            voluntary_per_request: per(on_request.voluntary, requests),
            involuntary_per_request: per(on_request.involuntary, requests),
            pieces: on_piece.0,
            voluntary_per_piece: per(on_piece.1.voluntary, on_piece.0),
            involuntary_per_piece: per(on_piece.1.involuntary, on_piece.0),
        },
        allocations: Allocations {
            after_start: None,
            proven_by: "tests/hot_path.rs",
        },
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&cost)?);
    } else {
        print(&cost);
    }
    Ok(())
}

fn per(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

fn camera(period: Nanos) -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival: Arrival::Periodic {
            period,
            jitter: Nanos::from_micros(100),
        },
        deadline: Nanos::from_millis(200),
        minibatch: 1,
        cost: Nanos::from_micros(500),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    }
}

/// A `slack` schedule over one job of twelve pieces, whose every stream holds `waiting` requests or has had one.
fn schedule(streams: u64, waiting: u64) -> Schedule {
    let mut schedule = Schedule::new(Policy::Slack, Nanos::from_micros(50), Nanos::from_micros(200));
    for stream in 0..streams {
        let _ = schedule.add_stream(camera(Nanos::from_micros(33_000 + 1_000 * stream)));
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
            let at = request.release;
            let _ = schedule.arrive(stream, Submission { request, at });
        }
        if waiting == 0 {
            schedule.start_minibatch(stream, 1, &mut [Request::default()]);
        }
    }
    schedule
}

fn decisions(batches: usize, singles: usize) -> Decision {
    let mut rows = Vec::new();
    for (streams, waiting) in [(1, 0), (1, 4), (8, 0), (8, 4)] {
        let schedule = schedule(streams, waiting);
        let decide = |step: u64| {
            black_box(schedule.decide(black_box(Nanos::from_millis(12) + Nanos(step))));
        };
        let timed = |count: u64, from: u64| {
            let start = Monotonic.now();
            (from..from + count).for_each(decide);
            (Monotonic.now() - start).0 / count
        };
        let sorted = |count: u64, times: usize| {
            let mut times: Vec<u64> = (0..times as u64).map(|round| timed(count, round)).collect();
            times.sort_unstable();
            times
        };
        rows.push(DecisionRow {
            streams,
            waiting,
            median_ns: quantile(&sorted(BATCH, batches), 5_000),
            p9999_ns: quantile(&sorted(1, singles), 9_999),
        });
    }
    let worst = |of: fn(&DecisionRow) -> u64| {
        let eight = rows.iter().filter(|row| row.streams == 8);
        eight.map(of).max().unwrap_or(0)
    };
    let (median_ns, p9999_ns) = (worst(|row| row.median_ns), worst(|row| row.p9999_ns));
    Decision {
        rows,
        median_ns,
        p9999_ns,
        target_median_ns: DECISION_TARGET,
        met: median_ns <= DECISION_TARGET,
    }
}

fn wakes(repeats: usize) -> Result<(Wake, ContextSwitches), Box<dyn Error>> {
    let (started, thread) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicI32::new(0)));
    let (note, their_thread) = (Arc::clone(&started), Arc::clone(&thread));
    let work = move |_: &[Request], _: &mut [u64]| {
        let now = Monotonic.now().0;
        their_thread.store(rustix::thread::gettid().as_raw_pid(), SeqCst);
        note.store(now, SeqCst);
        Ok(())
    };
    let mut builder = Builder::new(Options::default());
    let spec = StreamSpec {
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(1),
        },
        ..camera(Nanos::from_millis(1))
    };
    let (mut submitter, mut completions) = builder.stream(spec, Box::new(StreamCallback(work)))?;
    let _runtime = builder.start()?;
    let sleeper = Sleeper::start()?;
    let (mut submits, mut bare) = (Vec::new(), Vec::new());
    let mut before = ContextSwitches::default();
    // The first one only tells which thread the dispatcher is.
    for token in 0..=repeats as u64 {
        std::thread::sleep(Duration::from_micros(300));
        bare.push(sleeper.wake());
        std::thread::sleep(Duration::from_micros(300));
        started.store(0, SeqCst);
        let release = Monotonic.now();
        submitter.submit(Request { token, release })?;
        submits.push(await_nonzero(&started) - release.0);
        while completions.poll().is_some() {}
        if token == 0 {
            (submits, bare) = (Vec::new(), Vec::new());
            before = ContextSwitches::by(thread.load(SeqCst))?;
        }
    }
    let left = ContextSwitches::by(thread.load(SeqCst))?.since(before);
    submits.sort_unstable();
    bare.sort_unstable();
    let us = |times: &[u64], permyriad| quantile(times, permyriad) as f64 / 1e3;
    let median_over_bare = us(&submits, 5_000) / us(&bare, 5_000);
    let wake = Wake {
        repeats,
        submit_median_us: us(&submits, 5_000),
        submit_p999_us: us(&submits, 9_990),
        bare_median_us: us(&bare, 5_000),
        bare_p999_us: us(&bare, 9_990),
        median_over_bare,
        p999_over_bare: us(&submits, 9_990) / us(&bare, 9_990),
        target_median_over_bare: WAKE_TARGET,
        met: median_over_bare <= WAKE_TARGET,
    };
    Ok((wake, left))
}

/// Runs a job of short pieces back to back for `time`; its pieces and how often the dispatcher left its processor.
fn pieces(time: Nanos) -> Result<(u64, ContextSwitches), Box<dyn Error>> {
    let thread = Arc::new(AtomicI32::new(0));
    let their_thread = Arc::clone(&thread);
    let run = move |piece| {
        their_thread.store(rustix::thread::gettid().as_raw_pid(), SeqCst);
        let end = Monotonic.now() + PIECE;
        while Monotonic.now() < end {
            std::hint::spin_loop();
        }
        Ok(if piece == 11 {
            Progress::Stepped { loss: 1.0 }
        } else {
            Progress::Ran
        })
    };
    let mut builder = Builder::new(Options::default());
    let spec = JobSpec {
        name: name("learner"),
        pieces: [PIECE; 12].into_iter().collect(),
        abort: None,
    };
    builder.job(spec, Box::new(JobCallback { pieces: 12, run }))?;
    let runtime = builder.start()?;
    let job = runtime.job(0).ok_or("the runtime lost its job")?;
    while job.pieces.get() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (before, first) = (ContextSwitches::by(thread.load(SeqCst))?, job.pieces.get());
    std::thread::sleep(Duration::from_nanos(time.0));
    let left = ContextSwitches::by(thread.load(SeqCst))?.since(before);
    Ok((job.pieces.get() - first, left))
}

fn print(cost: &Cost) {
    if cost.debug_build {
        println!("built without optimisation: the figures say nothing\n");
    }
    let verdict = |met| if met { "met" } else { "not met" };
    let mut decisions = Table::new([Side::Right; 4]);
    decisions.row(["streams", "waiting", "median, ns", "p99.99, ns"]);
    for row in &cost.decision.rows {
        decisions.row([row.streams, row.waiting, row.median_ns, row.p9999_ns]);
    }
    println!(
        "one decision (`slack`, a job of 12 pieces; median of batches of {BATCH}, p99.99 of single ones, clock included)"
    );
    print!("{decisions}");
    println!(
        "target: median of at most {} ns with 8 streams: {}\n",
        cost.decision.target_median_ns,
        verdict(cost.decision.met)
    );
    let wake = &cost.submit_to_running;
    let mut wakes = Table::new([Side::Left, Side::Right, Side::Right]);
    wakes.row(["", "median", "p99.9"]);
    wakes.row([
        "submit to running, us".to_string(),
        format!("{:.1}", wake.submit_median_us),
        format!("{:.1}", wake.submit_p999_us),
    ]);
    wakes.row([
        "bare futex wake, us".to_string(),
        format!("{:.1}", wake.bare_median_us),
        format!("{:.1}", wake.bare_p999_us),
    ]);
    wakes.row([
        "ratio".to_string(),
        format!("{:.2}", wake.median_over_bare),
        format!("{:.2}", wake.p999_over_bare),
    ]);
    println!(
        "submit to running beside a bare futex wake, {} of each in turn",
        wake.repeats
    );
    print!("{wakes}");
    println!(
        "target: median ratio of at most {}: {}\n",
        wake.target_median_over_bare,
        verdict(wake.met)
    );
    let switches = &cost.switches;
    println!("context switches of the dispatcher, voluntary and involuntary");
    println!(
        "  per request that wakes it    {:.2} and {:.3}",
        switches.voluntary_per_request, switches.involuntary_per_request
    );
    println!(
        "  per piece back to back       {:.2} and {:.3}\n",
        switches.voluntary_per_piece, switches.involuntary_per_piece
    );
    println!(
        "allocations after start: not counted here; {} proves that there are none",
        cost.allocations.proven_by
    );
}
