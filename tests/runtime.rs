//! Requests in, answers out: what the runtime promises, with real threads.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::limits;
use fulcrum::runtime::{Builder, Completion, Completions, Options, Runtime, RuntimeError, Submitter};
use fulcrum::schedule::log;
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Refusal, Request, StreamSpec, name};
use fulcrum::trace::Event;
use fulcrum::units::Nanos;
use fulcrum::workload::callback::{JobCallback, StreamCallback};
use fulcrum::workload::{Inference, Progress, WorkloadError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

fn stream(deadline: Nanos) -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(10),
        },
        deadline,
        minibatch: 1,
        cost: Nanos::from_millis(1),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    }
}

fn job(pieces: usize, length: Nanos) -> JobSpec {
    JobSpec {
        name: name("learner"),
        pieces: std::iter::repeat_n(length, pieces).collect(),
        abort: None,
    }
}

fn plus_one(requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
    for (request, answer) in requests.iter().zip(answers) {
        *answer = request.token + 1;
    }
    Ok(())
}

fn wait_for(completions: &mut Completions) -> Completion {
    loop {
        if let Some(completion) = completions.poll() {
            return completion;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn submit(submitter: &mut Submitter, token: u64) {
    submitter
        .submit(Request {
            token,
            release: Monotonic.now(),
        })
        .unwrap();
}

fn with_trainer(
    run: impl FnMut(u16) -> Result<Progress, WorkloadError> + Send + 'static,
) -> (Runtime, Submitter, Completions) {
    let mut builder = Builder::new(Options::default());
    let ends = builder
        .stream(stream(Nanos::from_secs(5)), Box::new(StreamCallback(plus_one)))
        .unwrap();
    builder
        .job(
            job(2, Nanos::from_millis(1)),
            Box::new(JobCallback { pieces: 2, run }),
        )
        .unwrap();
    (builder.start().unwrap(), ends.0, ends.1)
}

#[test]
fn every_request_is_answered_once_and_in_order() {
    let (runtime, mut submitter, mut completions) = with_trainer(|_| Ok(Progress::Ran));
    for token in 0..200 {
        submit(&mut submitter, token);
        let completion = wait_for(&mut completions);
        assert_eq!(
            (completion.request.token, completion.answer),
            (token, Ok(token + 1))
        );
        assert!(completion.request.release <= completion.start && completion.start <= completion.end);
    }
    assert_eq!(completions.poll(), None);
    assert_eq!(runtime.stream(0).unwrap().latency.count(), 200);
}

#[test]
fn a_trainer_that_fails_panics_or_is_dry_stops_no_inference() {
    let bad: [fn(u16) -> Result<Progress, WorkloadError>; 3] = [
        |_| Err(WorkloadError::Failed(-1)),
        |_| panic!("the trainer of this test panics on purpose"),
        |_| Ok(Progress::Dry),
    ];
    for run in bad {
        let (runtime, mut submitter, mut completions) = with_trainer(run);
        for token in 0..20 {
            submit(&mut submitter, token);
            assert_eq!(wait_for(&mut completions).answer, Ok(token + 1));
        }
        let statistics = runtime.job(0).unwrap();
        assert!(statistics.failures.get() + statistics.dry.get() > 0);
        assert_eq!(statistics.steps.get(), 0);
    }
}

#[test]
fn an_inference_that_fails_says_so_in_its_completion_and_in_the_counter() {
    let mut builder = Builder::new(Options::default());
    let work = |_: &[Request], _: &mut [u64]| Err(WorkloadError::NoData);
    let (mut submitter, mut completions) = builder
        .stream(stream(Nanos::from_secs(5)), Box::new(StreamCallback(work)))
        .unwrap();
    let runtime = builder.start().unwrap();
    submit(&mut submitter, 3);
    assert_eq!(wait_for(&mut completions).answer, Err(WorkloadError::NoData));
    assert_eq!(runtime.stream(0).unwrap().failed.get(), 1);
}

#[test]
fn a_request_past_its_deadline_or_its_bound_is_counted_and_told() {
    let mut builder = Builder::new(Options {
        start_unfit: true,
        ..Options::default()
    });
    let slow = |requests: &[Request], answers: &mut [u64]| {
        std::thread::sleep(Duration::from_millis(20));
        plus_one(requests, answers)
    };
    let (mut submitter, mut completions) = builder
        .stream(stream(Nanos::from_millis(2)), Box::new(StreamCallback(slow)))
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let mut events = runtime.events().unwrap();
    submit(&mut submitter, 1);
    wait_for(&mut completions);
    runtime.stop();
    let statistics = runtime.stream(0).unwrap();
    assert_eq!(
        (statistics.misses.get(), statistics.bound_violations.get()),
        (1, 1)
    );
    let told: Vec<Event> = std::iter::from_fn(|| events.poll()).collect();
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Missed { stream: 0, .. }))
    );
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::BoundBroken { stream: 0, .. }))
    );
}

#[test]
fn a_full_queue_hands_the_request_back_and_loses_none() {
    let mut builder = Builder::new(Options::default());
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let mut first = true;
    let held = move |requests: &[Request], answers: &mut [u64]| {
        if std::mem::take(&mut first) {
            gate.recv().unwrap();
        }
        plus_one(requests, answers)
    };
    let (mut submitter, mut completions) = builder
        .stream(stream(Nanos::from_secs(60)), Box::new(StreamCallback(held)))
        .unwrap();
    let _runtime = builder.start().unwrap();
    let mut taken = 0;
    while submitter
        .submit(Request {
            token: taken,
            release: Monotonic.now(),
        })
        .is_ok()
    {
        taken += 1;
    }
    assert!(taken >= limits::REQUESTS as u64);
    release.send(()).unwrap();
    for token in 0..taken {
        assert_eq!(wait_for(&mut completions).request.token, token);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let mut builder = Builder::new(Options::default());
    let _ends = builder
        .stream(stream(Nanos::from_millis(5)), Box::new(StreamCallback(plus_one)))
        .unwrap();
    let run = |_| Ok(Progress::Stepped { loss: 0.0 });
    builder
        .job(
            job(1, Nanos::from_millis(50)),
            Box::new(JobCallback { pieces: 1, run }),
        )
        .unwrap();
    let Err(RuntimeError::Refused(Refusal::Late {
        stream: 0,
        largest_piece,
        ..
    })) = builder.start()
    else {
        panic!()
    };
    assert!(
        largest_piece > Nanos::from_millis(2) && largest_piece < Nanos::from_millis(4),
        "{largest_piece}"
    );
}

#[test]
fn a_job_whose_workload_has_other_pieces_than_announced_is_refused() {
    let mut builder = Builder::new(Options::default());
    let run = |_| Ok(Progress::Ran);
    let refused = builder.job(
        job(3, Nanos::from_millis(1)),
        Box::new(JobCallback { pieces: 2, run }),
    );
    assert!(matches!(
        refused,
        Err(RuntimeError::Pieces {
            announced: 3,
            workload: 2
        })
    ));
}

#[test]
fn results_that_nobody_takes_are_counted_and_the_requests_answered_all_the_same() {
    let (mut runtime, mut submitter, _completions) = with_trainer(|_| Ok(Progress::Dry));
    for token in 0..400 {
        while submitter
            .submit(Request {
                token,
                release: Monotonic.now(),
            })
            .is_err()
        {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    while runtime.stream(0).unwrap().latency.count() < 400 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime.stop();
    assert_eq!(
        runtime.stream(0).unwrap().untaken.get(),
        400 - 2 * limits::REQUESTS as u64
    );
}

#[test]
fn the_log_of_a_run_is_replayed_bit_for_bit_and_is_kept_only_where_it_was_asked_for() {
    let mut builder = Builder::new(Options {
        log_decisions: true,
        ..Options::default()
    });
    let spec = StreamSpec {
        overdue: Overdue::Newest,
        ..stream(Nanos::from_millis(50))
    };
    let (mut submitter, mut completions) = builder.stream(spec, Box::new(StreamCallback(plus_one))).unwrap();
    let run = |piece| {
        std::thread::sleep(Duration::from_micros(300));
        Ok(if piece == 0 {
            Progress::Ran
        } else {
            Progress::Stepped { loss: 0.5 }
        })
    };
    builder
        .job(
            job(2, Nanos::from_millis(1)),
            Box::new(JobCallback { pieces: 2, run }),
        )
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let mut decisions = runtime.decisions().unwrap();
    for token in 0..20 {
        submit(&mut submitter, token);
        wait_for(&mut completions);
    }
    // One that is overdue before it comes.
    let long_ago = Monotonic.now() - Nanos::from_secs(1);
    submitter
        .submit(Request {
            token: 20,
            release: long_ago,
        })
        .unwrap();
    assert_eq!(wait_for(&mut completions).answer, Err(WorkloadError::Overdue));
    runtime.stop();
    let entries: Vec<log::Entry> = std::iter::from_fn(|| decisions.poll()).collect();
    assert_eq!(decisions.lost(), 0);
    assert!(
        entries
            .iter()
            .any(|entry| matches!(entry, log::Entry::Skipped { .. }))
    );
    let differences: Vec<_> = log::replay(decisions.schedule().clone(), &entries).collect();
    assert_eq!(differences, []);
    let (mut unasked, ..) = with_trainer(|_| Ok(Progress::Dry));
    assert!(unasked.decisions().is_none());
}

/// A long network whose pieces run until the test lets them go on.
struct Cut(Arc<AtomicU64>);

impl Inference for Cut {
    fn run(&mut self, _: &[Request], _: &mut [u64]) -> Result<(), WorkloadError> {
        Err(WorkloadError::Failed(1))
    }

    fn minibatch_pieces(&self) -> u16 {
        3
    }

    fn run_minibatch_piece(
        &mut self,
        piece: u16,
        requests: &[Request],
        answers: &mut [u64],
    ) -> Result<(), WorkloadError> {
        while self.0.load(SeqCst) <= u64::from(piece) {
            std::hint::spin_loop();
        }
        if piece == 2 {
            plus_one(requests, answers)?;
        }
        Ok(())
    }
}

#[test]
fn a_request_is_answered_between_two_pieces_of_a_long_minibatch() {
    let mut builder = Builder::new(Options {
        start_unfit: true,
        ..Options::default()
    });
    let long = StreamSpec {
        cost: Nanos::from_millis(3),
        pieces: [Nanos::from_millis(1); 3].into_iter().collect(),
        ..stream(Nanos::from_secs(50))
    };
    let gate = Arc::new(AtomicU64::new(0));
    let refused = builder.stream(long.clone(), Box::new(StreamCallback(plus_one)));
    assert!(matches!(
        refused.err(),
        Some(RuntimeError::Pieces {
            announced: 3,
            workload: 1
        })
    ));
    let (mut submit_long, mut long_done) = builder.stream(long, Box::new(Cut(Arc::clone(&gate)))).unwrap();
    let (mut submit_urgent, mut urgent_done) = builder
        .stream(stream(Nanos::from_secs(5)), Box::new(StreamCallback(plus_one)))
        .unwrap();
    let runtime = builder.start().unwrap();
    submit(&mut submit_long, 10);
    // Taken in while the first piece is held, at the latest while the second is.
    submit(&mut submit_urgent, 20);
    gate.store(1, SeqCst);
    let urgent = wait_for(&mut urgent_done);
    assert_eq!(urgent.answer, Ok(21));
    assert!(long_done.poll().is_none());
    gate.store(3, SeqCst);
    let long = wait_for(&mut long_done);
    assert_eq!(long.answer, Ok(11));
    assert!(long.end > urgent.end);
    assert_eq!(runtime.stream(0).unwrap().latency.count(), 1);
    assert_eq!(runtime.stream(1).unwrap().handed_in.count(), 1);
    assert!(runtime.uptime().get() > Nanos::ZERO);
}

/// A stream that says it holds so many bytes.
struct Holding(u64);

impl Inference for Holding {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        plus_one(requests, answers)
    }

    fn memory_bytes(&self) -> u64 {
        self.0
    }
}

#[test]
fn workloads_that_hold_more_memory_than_the_options_allow_are_not_started() {
    let start = |memory, start_unfit| {
        let mut builder = Builder::new(Options {
            memory,
            start_unfit,
            ..Options::default()
        });
        for bytes in [300, 200] {
            builder
                .stream(stream(Nanos::from_secs(5)), Box::new(Holding(bytes)))
                .unwrap();
        }
        builder.start()
    };
    assert!(matches!(
        start(Some(499), false).err(),
        Some(RuntimeError::Refused(Refusal::Memory {
            taken: 500,
            most: 499
        }))
    ));
    let unfit = start(Some(499), true).unwrap();
    assert!(matches!(unfit.admission(), Err(Refusal::Memory { .. })));
    assert!(start(Some(500), false).is_ok() && start(None, false).is_ok());
}
