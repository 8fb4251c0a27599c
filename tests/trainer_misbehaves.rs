//! Whatever a trainer does, inference misses nothing that admission promised beyond the piece that hangs, and it is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Completions, Options, Runtime, Submitter};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::trace::Event;
use fulcrum::units::Nanos;
use fulcrum::workload::callback::StreamCallback;
use fulcrum::workload::{Abort, Progress, Training, WorkloadError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A trainer whose pieces take the time that `run` takes, with a finer cut at hand.
struct Trainer<F> {
    pieces: u16,
    finer: Option<Pieces>,
    run: F,
}

impl<F: FnMut(u16) -> Result<Progress, WorkloadError> + Send> Training for Trainer<F> {
    fn pieces(&self) -> u16 {
        self.pieces
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        (self.run)(piece)
    }

    fn cut_finer(&mut self) -> Option<Pieces> {
        let finer = self.finer.take()?;
        self.pieces = finer.len() as u16;
        Some(finer)
    }
}

fn start(work: Box<dyn Training>, length: Nanos) -> (Runtime, Submitter, Completions) {
    let mut builder = Builder::new(Options {
        // A machine that stalls for this long makes the comparison void; see `stalled`.
        late: Nanos::from_millis(20),
        ..Options::default()
    });
    let spec = StreamSpec {
        name: name("camera"),
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(30),
        },
        deadline: Nanos::from_millis(400),
        minibatch: 1,
        // Answered at once; the rest is for a machine that others share.
        cost: Nanos::from_millis(20),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    };
    let answer = |requests: &[Request], answers: &mut [u64]| {
        answers[0] = requests[0].token;
        Ok(())
    };
    let ends = builder.stream(spec, Box::new(StreamCallback(answer))).unwrap();
    let job = JobSpec {
        name: name("learner"),
        pieces: std::iter::repeat_n(length, usize::from(work.pieces())).collect(),
        abort: work.aborter().map(|_| Nanos::from_millis(10)),
    };
    builder.job(job, work).unwrap();
    (builder.start().unwrap(), ends.0, ends.1)
}

fn spin(time: Nanos) {
    let until = Monotonic.now() + time;
    while Monotonic.now() < until {
        std::hint::spin_loop();
    }
}

/// Submits 30 requests; the longest time by which this thread itself woke late is how long the machine stalled.
fn drive(submitter: &mut Submitter, completions: &mut Completions) -> Nanos {
    let mut stalled = Nanos::ZERO;
    let mut answered = 0;
    let first = Monotonic.now();
    for token in 0..30 {
        let due = first + Nanos::from_millis(40).times(token);
        Monotonic.sleep_until(due);
        let release = Monotonic.now();
        stalled = stalled.max(release - due);
        submitter.submit(Request { token, release }).unwrap();
    }
    while answered < 30 {
        answered += u64::from(completions.poll().is_some());
        std::thread::sleep(Duration::from_micros(200));
    }
    stalled
}

#[test]
fn trainers_that_spin_sleep_panic_or_fail_within_their_length_break_no_bound() {
    let length = Nanos::from_millis(5);
    let bad: [fn(u16) -> Result<Progress, WorkloadError>; 4] = [
        |_| {
            spin(Nanos::from_millis(5));
            Ok(Progress::Stepped { loss: 1.0 })
        },
        |_| {
            std::thread::sleep(Duration::from_millis(4));
            Ok(Progress::Stepped { loss: 1.0 })
        },
        |_| panic!("the trainer of this test panics on purpose"),
        |_| Err(WorkloadError::Failed(-1)),
    ];
    for run in bad {
        let work = Trainer {
            pieces: 1,
            finer: None,
            run,
        };
        let (mut runtime, mut submitter, mut completions) = start(Box::new(work), length);
        let bound = runtime.bound(0).unwrap();
        let stalled = drive(&mut submitter, &mut completions);
        runtime.stop();
        let statistics = runtime.stream(0).unwrap();
        assert_eq!(statistics.latency.count(), 30);
        // The machine itself is not what is tested.
        if stalled < Nanos::from_millis(2) && runtime.job(0).unwrap().overruns.get() == 0 {
            assert_eq!(
                statistics.bound_violations.get(),
                0,
                "{} above {bound}",
                statistics.latency.max()
            );
            assert_eq!(statistics.misses.get(), 0);
        }
    }
}

#[test]
fn a_trainer_that_overruns_every_piece_moves_the_bound_and_is_parked_and_inference_goes_on() {
    let work = Trainer {
        pieces: 1,
        finer: None,
        run: |_| {
            spin(Nanos::from_millis(30));
            Ok(Progress::Stepped { loss: 1.0 })
        },
    };
    let (mut runtime, mut submitter, mut completions) = start(Box::new(work), Nanos::from_millis(5));
    let mut events = runtime.events().unwrap();
    let printed = runtime.bound(0).unwrap();
    while runtime.job(0).unwrap().parked.get() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drive(&mut submitter, &mut completions);
    runtime.stop();
    let told: Vec<Event> = std::iter::from_fn(|| events.poll()).collect();
    let parked = told
        .iter()
        .position(|event| matches!(event, Event::Parked { job: 0, .. }));
    let moved = told
        .iter()
        .position(|event| matches!(event, Event::BoundMoved { stream: 0, bound, .. } if *bound > printed));
    let job = runtime.job(0).unwrap();
    assert_eq!(
        (job.overruns.get(), job.pieces.get(), job.parked.get()),
        (16, 16, 1)
    );
    assert!(moved.is_some() && moved < parked, "{told:?}");
    // A parked job blocks nobody any more.
    assert_eq!(runtime.stream(0).unwrap().present_bound(), Some(printed));
    assert_eq!(runtime.stream(0).unwrap().latency.count(), 30);
}

#[test]
fn a_trainer_that_cuts_finer_goes_on() {
    let length = Arc::new(AtomicU64::new(60));
    let theirs = Arc::clone(&length);
    let work = Trainer {
        pieces: 1,
        finer: Some(Pieces::from_slice(&[Nanos::from_millis(40); 2]).unwrap()),
        run: move |piece| {
            spin(Nanos::from_millis(theirs.load(SeqCst)));
            Ok(if piece == 1 {
                Progress::Stepped { loss: 1.0 }
            } else {
                Progress::Ran
            })
        },
    };
    let (mut runtime, ..) = start(Box::new(work), Nanos::from_millis(5));
    while runtime.job(0).unwrap().recuts.get() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    length.store(1, SeqCst);
    let before = runtime.job(0).unwrap().steps.get();
    while runtime.job(0).unwrap().steps.get() < before + 20 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime.stop();
    assert_eq!(runtime.job(0).unwrap().parked.get(), 0);
}

#[test]
fn a_piece_that_hangs_is_told_while_it_runs() {
    let over = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&over);
    let work = Trainer {
        pieces: 1,
        finer: None,
        run: move |_| {
            while !theirs.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(Progress::Stepped { loss: 1.0 })
        },
    };
    let (mut runtime, ..) = start(Box::new(work), Nanos::from_millis(5));
    let mut events = runtime.events().unwrap();
    let hung = loop {
        if let Some(event) = events.poll() {
            break event;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(matches!(hung, Event::Hung { job: 0, piece: 0, .. }), "{hung:?}");
    assert_eq!(events.poll(), None);
    over.store(true, SeqCst);
    runtime.stop();
    assert_eq!(runtime.job(0).unwrap().hung.get(), 1);
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Abort for Flag {
    fn abort(&self) {
        self.0.store(true, SeqCst);
    }
}

/// Spins for 600 ms a piece unless it is told to end.
struct Long(Arc<Flag>);

impl Training for Long {
    fn pieces(&self) -> u16 {
        1
    }

    fn run_piece(&mut self, _: u16) -> Result<Progress, WorkloadError> {
        let until = Monotonic.now() + Nanos::from_millis(600);
        while Monotonic.now() < until {
            if self.0.0.swap(false, SeqCst) {
                return Err(WorkloadError::Aborted);
            }
            std::hint::spin_loop();
        }
        Ok(Progress::Stepped { loss: 1.0 })
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        let flag: Arc<Flag> = Arc::clone(&self.0);
        Some(flag)
    }
}

#[test]
fn a_piece_above_the_deadline_is_admitted_where_it_can_be_aborted_and_is_for_each_request() {
    let (mut runtime, mut submitter, mut completions) =
        start(Box::new(Long(Arc::default())), Nanos::from_millis(600));
    let bound = runtime.bound(0).unwrap();
    assert!(bound < Nanos::from_millis(200), "{bound}");
    let stalled = drive(&mut submitter, &mut completions);
    // Nothing comes any more, so the piece that was given up again and again ends.
    while runtime.job(0).unwrap().steps.get() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    runtime.stop();
    let (stream, job) = (runtime.stream(0).unwrap(), runtime.job(0).unwrap());
    assert!(job.aborted.get() > 0 && job.aborted.get() <= 30);
    assert!(job.wasted.get() > 0);
    assert_eq!((job.failures.get(), job.parked.get()), (0, 0));
    assert_eq!(stream.latency.count(), 30);
    if stalled < Nanos::from_millis(2) {
        assert_eq!(
            stream.bound_violations.get(),
            0,
            "{} above {bound}",
            stream.latency.max()
        );
    }
}
