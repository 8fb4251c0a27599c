//! New weights serve only if they pass the gate, on real ONNX Runtime; the version of every answer is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Completion, Options};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::trace::Event;
use fulcrum::units::{Nanos, Permille};
use fulcrum::workload::feed::{self, HeldOut, Pusher};
use fulcrum::workload::gate::{Gate, Gated, Metric, Verdict};
use fulcrum::workload::onnx::model::{Weight, decode_weights};
use fulcrum::workload::onnx::{
    Engine, InferenceConfig, Library, OnnxError, OnnxInference, OnnxTraining, Publish, TrainingConfig,
    weight_names,
};
use fulcrum::workload::swap::{self, Reverter};
use fulcrum::workload::{Inference, Progress, Training, WorkloadError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

const INFER: &[u8] = include_bytes!("fixtures/tiny_infer.onnx");
const STEP: &[u8] = include_bytes!("fixtures/tiny_step.onnx");
const WEIGHTS: &[u8] = include_bytes!("fixtures/tiny_weights.onnx");
const ROW: usize = 64;
const CLASSES: usize = 3;
const HELD_OUT: usize = 12;

fn library() -> Library {
    Library::open().unwrap_or_else(|error| panic!("{error}"))
}

fn weights() -> Vec<Weight> {
    decode_weights("tiny_weights.onnx", WEIGHTS).unwrap()
}

/// Each class has its own stripe; `sample` and its noise tell two pictures of a class apart.
fn stripe(sample: u64, row: &mut [f32]) -> u64 {
    let label = sample % CLASSES as u64;
    for (index, pixel) in row.iter_mut().enumerate() {
        let noise = ((sample * 31 + index as u64 * 7) % 97) as f32 / 970.0;
        let lit = index * CLASSES / ROW == label as usize;
        *pixel = noise + if lit { 1.0 } else { 0.1 };
    }
    label
}

/// Labels that say nothing of the picture, or the right ones.
#[derive(Clone, Default)]
struct Shuffle(Arc<AtomicBool>);

/// A forward model and its trainer with the gate between.
struct Pair {
    inference: OnnxInference,
    training: Gated<OnnxTraining>,
    held_out: Pusher,
    reverter: Reverter,
    shuffle: Shuffle,
    lengths: Pieces,
}

fn pair(gate: Gate) -> Pair {
    let (publisher, serving, reverter) = swap::channel();
    let (mut push, pull) = feed::handover(ROW, HELD_OUT);
    let mut row = [0.0; ROW];
    for sample in 0..HELD_OUT as u64 {
        let label = stripe(1_000 + sample, &mut row);
        push.push(&row, label).unwrap();
    }
    let mut inference = OnnxInference::new(&library(), INFER, serve(weights(), Some(serving))).unwrap();
    let publish = Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: HeldOut::new(pull, HELD_OUT),
        minibatch: 4,
    };
    let shuffle = Shuffle::default();
    let training = OnnxTraining::new(&library(), STEP, learn(shuffle.clone(), Some(publish))).unwrap();
    let own: Vec<Nanos> = training.piece_lengths().to_vec();
    let (fill, eval) = training.gate_lengths();
    assert!(fill > Nanos::ZERO && eval > Nanos::ZERO);
    let mut training = Gated::new(training, publisher, gate);
    Pair {
        lengths: training.lengths(&own, fill, eval).unwrap(),
        inference,
        training,
        held_out: push,
        reverter,
        shuffle,
    }
}

fn serve(weights: Vec<Weight>, swap: Option<swap::Serving>) -> InferenceConfig {
    InferenceConfig {
        name: "tiny_infer.onnx".to_string(),
        minibatch: 4,
        row: ROW,
        classes: CLASSES,
        weights,
        fill: Box::new(|request: &Request, row: &mut [f32]| {
            stripe(request.token, row);
            Ok(())
        }),
        swap,
        engine: Engine::default(),
    }
}

fn learn(shuffle: Shuffle, publish: Option<Publish>) -> TrainingConfig {
    let mut sample = 0;
    TrainingConfig {
        name: "tiny_step.onnx".to_string(),
        row: ROW,
        weights: weights(),
        lr: 0.01,
        wanted_piece: None,
        finer: false,
        fetch: Box::new(move |x, y| {
            for (row, label) in x.chunks_exact_mut(ROW).zip(y) {
                sample += 1;
                *label = stripe(sample, row) as i64;
                if shuffle.0.load(SeqCst) {
                    *label = (*label + 1) % CLASSES as i64;
                }
            }
            true
        }),
        publish,
        engine: Engine::default(),
    }
}

fn every_step() -> Gate {
    Gate {
        every: 1,
        ..Gate::default()
    }
}

/// Runs one step as the schedule would, with its gate.
fn step(training: &mut Gated<OnnxTraining>) -> Option<Verdict> {
    for piece in 0..training.pieces() {
        if let Progress::Stepped { loss } = training.run_piece(piece).unwrap() {
            assert!(loss.is_finite());
            return training.verdict();
        }
    }
    panic!("the last piece ends the step");
}

fn answers(inference: &mut OnnxInference) -> Vec<u64> {
    let tokens: Vec<u64> = (0..40).collect();
    let mut all = vec![0; tokens.len()];
    for (tokens, answers) in tokens.chunks(4).zip(all.chunks_mut(4)) {
        let requests: Vec<Request> = tokens
            .iter()
            .map(|token| Request {
                token: *token,
                release: Nanos::ZERO,
            })
            .collect();
        inference.run(&requests, answers).unwrap();
    }
    all
}

/// What a forward model made anew with these weights answers.
fn fresh(weights: Vec<Weight>) -> Vec<u64> {
    answers(&mut OnnxInference::new(&library(), INFER, serve(weights, None)).unwrap())
}

fn names() -> Vec<String> {
    weight_names("tiny_infer.onnx", INFER).unwrap()
}

#[test]
fn better_weights_serve_from_the_next_minibatch_on_and_answer_as_if_made_with_them() {
    let mut pair = pair(every_step());
    assert_eq!(answers(&mut pair.inference), fresh(weights()));
    assert_eq!(pair.inference.version(), 0);
    let mut published = 0;
    while published < 5 {
        if let Some(Verdict::Published { version }) = step(&mut pair.training) {
            published += 1;
            assert_eq!(
                answers(&mut pair.inference),
                fresh(pair.training.job().weights(&names()))
            );
            assert_eq!(pair.inference.version(), version);
        }
    }
}

#[test]
fn weights_trained_on_wrong_labels_are_rejected_and_inference_answers_as_before() {
    let mut pair = pair(every_step());
    while !matches!(
        (0..50).map(|_| step(&mut pair.training)).last().flatten(),
        Some(Verdict::Published { .. })
    ) {}
    let before = answers(&mut pair.inference);
    let right = |token: &u64| before[*token as usize] == token % CLASSES as u64;
    assert!(
        (0..40).filter(right).count() > 35,
        "it has learnt something: {before:?}"
    );
    pair.shuffle.0.store(true, SeqCst);
    let mut rejected = 0;
    for _ in 0..60 {
        match step(&mut pair.training) {
            Some(Verdict::Rejected { by, .. }) => {
                assert!(by > Permille(50));
                rejected += 1;
            }
            Some(Verdict::Published { version }) => {
                // The first steps may still be within the margin.
                assert!(rejected == 0, "version {version} is not worse?");
            }
            None => panic!("there are held-out samples"),
        }
    }
    assert!(rejected > 40, "{rejected}");
    let after = answers(&mut pair.inference);
    let still_right = |token: &u64| after[*token as usize] == token % CLASSES as u64;
    assert!((0..40).filter(still_right).count() > 35, "{after:?}");
    // The trainer itself has unlearnt it, so this was the gate.
    let unlearnt = fresh(pair.training.job().weights(&names()));
    let wrong = |token: &u64| unlearnt[*token as usize] != token % CLASSES as u64;
    assert!((0..40).filter(wrong).count() > 30, "{unlearnt:?}");
}

#[test]
fn pieces_of_the_gate_that_are_given_up_change_no_verdict() {
    let (mut straight, mut aborted) = (pair(every_step()), pair(every_step()));
    let aborter = aborted.training.aborter().unwrap();
    let mut given_up = 0;
    for _ in 0..5 {
        let expected = step(&mut straight.training);
        for piece in 0..aborted.training.pieces() {
            // The flag stands before the run, so the run ends at its first node; a copy is no run.
            aborter.abort();
            let mut outcome = aborted.training.run_piece(piece);
            if outcome == Err(WorkloadError::Aborted) {
                given_up += 1;
                outcome = aborted.training.run_piece(piece);
            }
            if let Progress::Stepped { .. } = outcome.unwrap() {
                assert_eq!(aborted.training.verdict(), expected);
                assert_eq!(answers(&mut aborted.inference), answers(&mut straight.inference));
                break;
            }
        }
    }
    assert!(
        given_up >= 5 * 7,
        "a segment and six minibatches a step: {given_up}"
    );
}

#[test]
fn a_revert_restores_the_answers_bit_for_bit_and_the_next_swap_goes_on() {
    // Everything passes, so that each step swaps.
    let mut pair = pair(Gate {
        every: 1,
        metric: Metric::Both,
        margin: Permille(u32::MAX),
    });
    let mut sets = vec![weights()];
    for version in 1..=6 {
        assert_eq!(step(&mut pair.training), Some(Verdict::Published { version }));
        sets.push(pair.training.job().weights(&names()));
        answers(&mut pair.inference);
    }
    assert_eq!(pair.reverter.revert(), Some(5));
    assert_eq!(answers(&mut pair.inference), fresh(sets[5].clone()));
    assert_eq!(pair.inference.version(), 5);
    assert_eq!(pair.reverter.revert(), None);
    assert_eq!(step(&mut pair.training), Some(Verdict::Published { version: 7 }));
    answers(&mut pair.inference);
    assert_eq!(pair.inference.version(), 7);
    assert_eq!(pair.reverter.revert(), Some(5), "six was reverted and is gone");
    assert_eq!(answers(&mut pair.inference), fresh(sets[5].clone()));
}

#[test]
fn held_out_samples_that_come_later_are_judged_on_too() {
    let mut pair = pair(every_step());
    step(&mut pair.training);
    let mut row = [0.0; ROW];
    // The world turned round: the same pictures have other names now.
    for sample in 0..HELD_OUT as u64 {
        let label = (stripe(sample, &mut row) + 1) % CLASSES as u64;
        pair.held_out.push(&row, label).unwrap();
    }
    let learnt = |pair: &mut Pair| (0..40).map(|_| step(&mut pair.training)).collect::<Vec<_>>();
    let published = |told: &[Option<Verdict>]| {
        let passed = |it: &&Option<Verdict>| matches!(it, Some(Verdict::Published { .. }));
        told.iter().filter(passed).count()
    };
    let old = learnt(&mut pair);
    assert!(published(&old) < 20, "what is learnt is wrong now: {old:?}");
    pair.shuffle.0.store(true, SeqCst);
    let new = learnt(&mut pair);
    assert!(published(&new) > published(&old), "{new:?}");
}

#[test]
fn a_set_of_another_swap_or_one_in_service_is_not_written() {
    let mut first = pair(every_step());
    let (mut publisher, ..) = swap::channel();
    let before = answers(&mut first.inference);
    let mut training = {
        let Pair { training, .. } = pair(every_step());
        training
    };
    step(&mut training);
    let (publisher_of, serving, _) = swap::channel();
    let mut inference = OnnxInference::new(&library(), INFER, serve(weights(), Some(serving))).unwrap();
    let publish = Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: HeldOut::new(feed::handover(ROW, 8).1, 8),
        minibatch: 4,
    };
    assert!(inference.take_weight_sets().is_none(), "one trainer has them");
    let mut job = OnnxTraining::new(&library(), STEP, learn(Shuffle::default(), Some(publish))).unwrap();
    let mut publisher_of = publisher_of;
    let foreign = publisher.spare().unwrap();
    assert_eq!(job.fill(0, &foreign), Err(WorkloadError::Failed(-4)));
    assert_eq!(job.eval(0, &foreign), Err(WorkloadError::Failed(-4)));
    assert_eq!(
        job.fill(0, &publisher_of.serving()),
        Err(WorkloadError::Failed(-4))
    );
    assert_eq!(job.fill(0, &publisher_of.spare().unwrap()), Ok(()));
    assert_eq!(answers(&mut inference), before);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let make = |row, samples, minibatch| {
        let (_, serving, _) = swap::channel();
        let mut inference = OnnxInference::new(&library(), INFER, serve(weights(), Some(serving))).unwrap();
        let publish = Publish {
            sets: inference.take_weight_sets().unwrap(),
            held_out: HeldOut::new(feed::handover(row, 8).1, samples),
            minibatch,
        };
        OnnxTraining::new(&library(), STEP, learn(Shuffle::default(), Some(publish))).err()
    };
    assert!(make(ROW, 8, 4).is_none());
    assert_eq!(make(ROW, 8, 0), Some(OnnxError::Minibatch(0)));
    assert_eq!(make(ROW, 8, 9), Some(OnnxError::Minibatch(9)));
    let said = make(ROW + 1, 8, 4).unwrap().to_string();
    assert!(said.contains("65 values") && said.contains("takes 64"), "{said}");
    let (_, serving, _) = swap::channel();
    let mut other = OnnxInference::new(&library(), INFER, serve(weights(), Some(serving))).unwrap();
    let publish = Publish {
        sets: other.take_weight_sets().unwrap(),
        held_out: HeldOut::new(feed::handover(ROW, 8).1, 8),
        minibatch: 4,
    };
    const SHAPES: &[u8] = include_bytes!("fixtures/shapes_step.onnx");
    const SHAPES_WEIGHTS: &[u8] = include_bytes!("fixtures/shapes_weights.onnx");
    let config = TrainingConfig {
        row: 1024,
        weights: decode_weights("shapes_weights.onnx", SHAPES_WEIGHTS).unwrap(),
        ..learn(Shuffle::default(), Some(publish))
    };
    let said = OnnxTraining::new(&library(), SHAPES, config).err().unwrap();
    assert!(said.to_string().contains("`conv1.w`"), "{said}");
}

/// A camera that shows a stripe, beside the trainer, on a runtime; what was answered, and what was told.
/// `each` is told the request and the swaps so far; it goes on until `rejections` sets were turned away, too.
fn run(
    pair: Pair,
    rejections: u64,
    mut each: impl FnMut(u64, u64),
) -> (Vec<Completion>, Vec<Event>, u64, u64) {
    let Pair {
        inference,
        training,
        lengths,
        ..
    } = pair;
    let mut builder = Builder::new(Options {
        start_unfit: true,
        ..Options::default()
    });
    let spec = StreamSpec {
        name: name("camera"),
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(4),
        },
        deadline: Nanos::from_secs(5),
        minibatch: 1,
        cost: Nanos::from_millis(1),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    };
    let (mut submitter, mut completions) = builder.stream(spec, Box::new(inference)).unwrap();
    let job = JobSpec {
        name: name("learner"),
        pieces: lengths,
        abort: None,
    };
    builder.job(job, Box::new(training)).unwrap();
    let mut runtime = builder.start().unwrap();
    let mut events = runtime.events().unwrap();
    let (mut answered, mut told) = (Vec::new(), Vec::new());
    // At least so many, and as many more as a busy machine needs for some swaps.
    let job = runtime.job(0).unwrap();
    let enough = |token| token >= 150 && job.swaps.get() > 4 && job.rejected.get() >= rejections;
    for token in (0..100_000).take_while(|token| !enough(*token)) {
        let release = Monotonic.now();
        submitter.submit(Request { token, release }).unwrap();
        while answered.len() as u64 <= token {
            answered.extend(completions.poll());
            told.extend(std::iter::from_fn(|| events.poll()));
            std::thread::sleep(Duration::from_micros(200));
        }
        each(token, job.swaps.get());
    }
    runtime.stop();
    told.extend(std::iter::from_fn(|| events.poll()));
    assert_eq!(events.lost(), 0);
    let job = runtime.job(0).unwrap();
    (answered, told, job.swaps.get(), job.rejected.get())
}

#[test]
fn every_completion_has_its_version_which_goes_back_by_a_revert_alone() {
    let pair = pair(every_step());
    let reverter = pair.reverter.clone();
    let mut reverts = 0;
    let (answered, told, swaps, _) = run(pair, 0, |token, _| {
        reverts += usize::from(token % 30 == 29 && reverter.revert().is_some());
    });
    let versions: Vec<u32> = answered.iter().map(|it| it.model_version).collect();
    assert!(*versions.iter().max().unwrap() > 3 && swaps > 3, "{versions:?}");
    let back = versions.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(
        back <= reverts,
        "{back} times back by {reverts} reverts: {versions:?}"
    );
    // The events tell the same story as the completions.
    let mut now = 0;
    let mut from_events = Vec::new();
    for event in told {
        match event {
            Event::Swapped {
                stream: 0, version, ..
            } => {
                assert!(version > now);
                now = version;
            }
            Event::Reverted {
                stream: 0, version, ..
            } => {
                assert!(version < now);
                now = version;
            }
            Event::Minibatch { .. } => from_events.push(now),
            _ => {}
        }
    }
    assert_eq!(from_events, versions);
}

#[test]
fn rejected_weights_are_told_by_how_much_and_counted() {
    let pair = pair(every_step());
    let shuffle = pair.shuffle.clone();
    let (answered, told, swaps, rejected) = run(pair, 1, |_, swaps| shuffle.0.store(swaps > 4, SeqCst));
    let events: Vec<Permille> = told
        .iter()
        .filter_map(|event| match event {
            Event::Rejected { job: 0, by, .. } => Some(*by),
            _ => None,
        })
        .collect();
    assert_eq!(events.len() as u64, rejected);
    assert!(rejected > 0 && swaps > 0, "{rejected} rejected, {swaps} swapped");
    assert!(events.iter().all(|by| *by > Permille(50)));
    assert!(answered.iter().all(|it| it.answer.is_ok()));
}

#[test]
fn a_job_whose_loss_is_no_number_step_after_step_is_parked_and_says_so_and_publishes_nothing_more() {
    let (publisher, serving, _) = swap::channel();
    let mut inference = OnnxInference::new(&library(), INFER, serve(weights(), Some(serving))).unwrap();
    let (mut push, pull) = feed::handover(ROW, 8);
    for sample in 0..8 {
        let mut row = [0.0; ROW];
        let label = stripe(sample, &mut row);
        push.push(&row, label).unwrap();
    }
    let publish = Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: HeldOut::new(pull, 8),
        minibatch: 4,
    };
    let mut poisoned = learn(Shuffle::default(), Some(publish));
    let mut steps = 0;
    let mut fetch = poisoned.fetch;
    poisoned.fetch = Box::new(move |x, y| {
        steps += 1;
        let fetched = fetch(x, y);
        if steps > 3 {
            x[0] = f32::NAN;
        }
        fetched
    });
    let job = OnnxTraining::new(&library(), STEP, poisoned).unwrap();
    let own: Vec<Nanos> = job.piece_lengths().to_vec();
    let (fill, eval) = job.gate_lengths();
    let mut gated = Gated::new(job, publisher, every_step());
    let lengths = gated.lengths(&own, fill, eval).unwrap();
    let mut builder = Builder::new(Options {
        start_unfit: true,
        ..Options::default()
    });
    let spec = JobSpec {
        name: name("learner"),
        pieces: lengths,
        abort: None,
    };
    builder.job(spec, Box::new(gated)).unwrap();
    let mut runtime = builder.start().unwrap();
    let mut events = runtime.events().unwrap();
    while runtime.job(0).unwrap().parked.get() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime.stop();
    let told: Vec<Event> = std::iter::from_fn(|| events.poll()).collect();
    let job = runtime.job(0).unwrap();
    assert_eq!((job.steps.get(), job.failures.get()), (3, 8));
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Parked { job: 0, .. }))
    );
    // Each good step was judged, no bad one was.
    assert_eq!(job.swaps.get() + job.rejected.get(), 3);
}
