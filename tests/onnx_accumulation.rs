//! A step over several micro-batches, on ONNX Runtime: the step of all samples together, past the gate, kept on disk.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod counting;
mod forward;
mod graphs;

use counting::calls;
use forward::{lenet, mobilenet};
use fulcrum::units::Nanos;
use fulcrum::workload::checkpoint::{Checkpointed, Config, Folder, Slots, State, channel};
use fulcrum::workload::feed::{self, HeldOut};
use fulcrum::workload::gate::{Gate, Gated, Verdict};
use fulcrum::workload::onnx::gradient::{BatchNorm, Files, Loss, Optimizer, Recipe};
use fulcrum::workload::onnx::model::{Weight, decode_weights};
use fulcrum::workload::onnx::{
    AccumulationConfig, Engine, Fetch, InferenceConfig, OnnxAccumulation, OnnxError, OnnxInference, Publish,
    weight_names,
};
use fulcrum::workload::swap::{self, Serving};
use fulcrum::workload::{Inference, Progress, Request, Training, WorkloadError};
use graphs::{CLASSES, MICRO_BATCH, PIXELS, classes, config, library, made, recipe, step, stripes, trainer};

/// The samples of [`stripes`], `parts` of them one after the other; then again.
fn in_parts(parts: usize, spoil: Option<usize>) -> Fetch {
    let mut next = 0;
    Box::new(move |x, y| {
        let (mut samples, mut labels) = (vec![0.0; MICRO_BATCH * PIXELS], [0; MICRO_BATCH]);
        stripes(&mut samples, &mut labels);
        let part = next % parts;
        x.copy_from_slice(&samples[part * x.len()..][..x.len()]);
        y.copy_from_slice(&labels[part * y.len()..][..y.len()]);
        if spoil == Some(next) {
            x[0] = f32::NAN;
        }
        next += 1;
        true
    })
}

fn accumulation(files: &Files, micro_batches: usize, lr: f32, fetch: Fetch) -> AccumulationConfig {
    AccumulationConfig {
        name: "net".to_string(),
        row: PIXELS,
        weights: decode_weights("weights.onnx", files.file("weights.onnx").unwrap()).unwrap(),
        lr,
        micro_batches,
        fetch,
        publish: None,
        engine: Engine::default(),
    }
}

fn accumulating(files: &Files, config: AccumulationConfig) -> OnnxAccumulation {
    let file = |name: &str| files.file(name).unwrap();
    OnnxAccumulation::new(&library(), file("grad.onnx"), file("apply.onnx"), config)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn accumulated_step(training: &mut OnnxAccumulation) -> f32 {
    for piece in 0..training.pieces() {
        if let Progress::Stepped { loss } = training.run_piece(piece).unwrap() {
            return loss;
        }
    }
    panic!("the last piece ends the step")
}

#[test]
fn gradients_accumulated_over_micro_batches_make_the_step_of_all_samples_together() {
    for optimizer in [
        Optimizer::Sgd,
        Optimizer::Momentum,
        Optimizer::Adam,
        Optimizer::AdamW,
    ] {
        let recipe = Recipe {
            clip: Some(0.5),
            ..recipe(Loss::CrossEntropy, optimizer)
        };
        let files = made(&lenet(), &recipe);
        let mut whole = trainer(&files, config(&files, PIXELS, 0.01, classes()));
        for parts in [2, 3] {
            let recipe = Recipe {
                micro_batch: (MICRO_BATCH / parts) as u32,
                ..recipe.clone()
            };
            let files = made(&lenet(), &recipe);
            let mut training = accumulating(&files, accumulation(&files, parts, 0.01, in_parts(parts, None)));
            assert_eq!(usize::from(training.pieces()), parts + 2);
            if parts == 2 {
                for _ in 0..4 {
                    let (one, other) = (step(&mut whole), accumulated_step(&mut training));
                    assert!(
                        (one - other).abs() < 1e-4 * one.abs(),
                        "{optimizer}: {one} {other}"
                    );
                }
            } else {
                for _ in 0..4 {
                    accumulated_step(&mut training);
                }
            }
            for weight in &files.summary.trained {
                let (one, other) = (
                    whole.state(&weight.name).unwrap(),
                    training.state(&weight.name).unwrap(),
                );
                let pairs = one.iter().zip(other);
                let worst = pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                assert!(worst < 2e-4, "{optimizer}, {}: {worst}", weight.name);
            }
        }
    }
}

#[test]
fn an_accumulated_step_uses_the_learning_rate_that_was_set_before_it_began() {
    let files = made(&lenet(), &recipe(Loss::CrossEntropy, Optimizer::Sgd));
    let make = |lr| accumulating(&files, accumulation(&files, 1, lr, in_parts(1, None)));
    let (mut straight, mut changed) = (make(0.01), make(0.5));
    accumulated_step(&mut straight);
    assert!(changed.rate().set(0.01));
    for piece in 0..changed.pieces() {
        changed.run_piece(piece).unwrap();
        assert!(changed.rate().set(0.5));
    }
    for weight in &files.summary.trained {
        assert_eq!(straight.state(&weight.name), changed.state(&weight.name));
    }
}

#[test]
fn an_accumulated_step_that_is_no_number_leaves_the_state_and_the_next_one_counts() {
    let recipe = Recipe {
        batch_norm: BatchNorm::Batch,
        micro_batch: 3,
        ..recipe(Loss::CrossEntropy, Optimizer::Adam)
    };
    let files = made(&mobilenet(), &recipe);
    let mut training = accumulating(&files, accumulation(&files, 2, 0.02, in_parts(2, Some(3))));
    let names = ["stem.weight", "m.stem.weight", "t", "stem_bn.running_mean"];
    let bits = |training: &OnnxAccumulation| -> Vec<u32> {
        let values = names.iter().flat_map(|name| training.state(name).unwrap());
        values.map(|value| value.to_bits()).collect()
    };
    let start = bits(&training);
    accumulated_step(&mut training);
    let before = bits(&training);
    assert_ne!(start, before);
    let last = training.pieces() - 1;
    for piece in 0..last {
        assert_eq!(training.run_piece(piece), Ok(Progress::Ran));
    }
    assert_eq!(training.run_piece(last), Err(WorkloadError::NotANumber));
    assert_eq!(bits(&training), before);
    // Out of order: refused, and the state stays.
    assert!(training.run_piece(2).is_err());
    assert_eq!(bits(&training), before);
    let first = accumulated_step(&mut training);
    let later = (0..60).map(|_| accumulated_step(&mut training)).last().unwrap();
    assert!(later < first / 3.0, "{first} -> {later}");
}

#[test]
fn after_registration_an_accumulated_step_allocates_nothing_in_rust() {
    let recipe = Recipe {
        batch_norm: BatchNorm::Batch,
        micro_batch: 3,
        ..recipe(Loss::CrossEntropy, Optimizer::Adam)
    };
    let files = made(&mobilenet(), &recipe);
    let fetch: Fetch = Box::new(|x, y| {
        x.fill(0.5);
        y.fill(1);
        true
    });
    let mut training = accumulating(&files, accumulation(&files, 2, 0.01, fetch));
    let before = calls();
    for _ in 0..3 {
        accumulated_step(&mut training);
    }
    assert_eq!(calls(), before);
}

#[test]
fn an_accumulated_step_waits_for_data_and_loses_none_of_it() {
    let files = made(
        &lenet(),
        &Recipe {
            micro_batch: 3,
            ..recipe(Loss::CrossEntropy, Optimizer::Sgd)
        },
    );
    let names: Vec<String> = files.summary.trained.iter().map(|it| it.name.clone()).collect();
    let (mut parts, mut asked) = (in_parts(2, None), 0);
    let config: AccumulationConfig = AccumulationConfig {
        // Every second time there is nothing.
        fetch: Box::new(move |x, y| {
            asked += 1;
            asked % 2 == 0 && parts(x, y)
        }),
        ..accumulation(&files, 2, 0.1, classes())
    };
    let mut training = accumulating(&files, config);
    assert_eq!(training.run_piece(0), Ok(Progress::Dry));
    assert_eq!(
        training.run_piece(0),
        Ok(Progress::Dry),
        "the first part is here, the second not"
    );
    let loss = accumulated_step(&mut training);
    let mut whole = accumulating(&files, accumulation(&files, 2, 0.1, in_parts(2, None)));
    assert_eq!(accumulated_step(&mut whole), loss);
    assert_eq!(whole.weights(&names), training.weights(&names));
    for count in [0, 127] {
        let error = OnnxAccumulation::new(
            &library(),
            files.file("grad.onnx").unwrap(),
            files.file("apply.onnx").unwrap(),
            accumulation(&files, count, 0.1, classes()),
        );
        assert_eq!(error.err(), Some(OnnxError::MicroBatches { count, most: 126 }));
    }
}

/// Running statistics and weights of both kinds of copies.
fn in_two(optimizer: Optimizer) -> Files {
    let recipe = Recipe {
        batch_norm: BatchNorm::Batch,
        micro_batch: (MICRO_BATCH / 2) as u32,
        ..recipe(Loss::CrossEntropy, optimizer)
    };
    made(&mobilenet(), &recipe)
}

fn serving(files: &Files, weights: Vec<Weight>, swap: Option<Serving>) -> OnnxInference {
    let fill = |request: &Request, row: &mut [f32]| {
        let mut samples = vec![0.0; MICRO_BATCH * PIXELS];
        stripes(&mut samples, &mut [0; MICRO_BATCH]);
        row.copy_from_slice(&samples[request.token as usize * PIXELS..][..PIXELS]);
        Ok(())
    };
    let config = InferenceConfig {
        name: "infer.onnx".to_string(),
        minibatch: MICRO_BATCH,
        row: PIXELS,
        classes: CLASSES,
        weights,
        fill: Box::new(fill),
        swap,
        engine: Engine::default(),
    };
    OnnxInference::new(&library(), files.file("infer.onnx").unwrap(), config).unwrap()
}

fn answers(inference: &mut OnnxInference) -> [u64; MICRO_BATCH] {
    let requests = [0, 1, 2, 3, 4, 5].map(|token| Request {
        token,
        release: Nanos::ZERO,
    });
    let mut answers = [9; MICRO_BATCH];
    inference.run(&requests, &mut answers).unwrap();
    answers
}

#[test]
fn weights_of_accumulated_steps_pass_the_gate_and_serve_with_their_running_statistics() {
    let files = in_two(Optimizer::Adam);
    let start = || decode_weights("weights.onnx", files.file("weights.onnx").unwrap()).unwrap();
    let names = weight_names("infer.onnx", files.file("infer.onnx").unwrap()).unwrap();
    let (publisher, swap, _) = swap::channel();
    let mut inference = serving(&files, start(), Some(swap));
    let (mut push, pull) = feed::handover(PIXELS, MICRO_BATCH);
    let (mut samples, mut labels) = (vec![0.0; MICRO_BATCH * PIXELS], [0; MICRO_BATCH]);
    stripes(&mut samples, &mut labels);
    for (sample, label) in samples.chunks_exact(PIXELS).zip(labels) {
        push.push(sample, label as u64).unwrap();
    }
    let publish = Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: HeldOut::new(pull, MICRO_BATCH),
        minibatch: MICRO_BATCH / 2,
    };
    let config: AccumulationConfig = AccumulationConfig {
        publish: Some(publish),
        ..accumulation(&files, 2, 0.02, in_parts(2, None))
    };
    let training = accumulating(&files, config);
    let (fill, eval) = training.gate_lengths();
    assert!(fill > Nanos::ZERO && eval > Nanos::ZERO);
    let gate = Gate {
        every: 1,
        ..Gate::default()
    };
    let mut training = Gated::new(training, publisher, gate);
    let mut published = 0;
    for _ in 0..60 {
        // What the schedule does: a step's pieces, its gate's included.
        let ended = (0..training.pieces()).find_map(|piece| match training.run_piece(piece).unwrap() {
            Progress::Stepped { .. } => Some(training.verdict()),
            _ => None,
        });
        if let Some(Some(Verdict::Published { version })) = ended {
            published += 1;
            let mut fresh = serving(&files, training.job().weights(&names), None);
            assert_eq!(answers(&mut inference), answers(&mut fresh), "version {version}");
            assert_eq!(inference.version(), version);
        }
    }
    assert!(published > 5, "{published}");
    assert_eq!(answers(&mut inference), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn accumulated_training_that_was_kept_and_taken_up_goes_on_bit_by_bit() {
    let files = in_two(Optimizer::Adam);
    let folder = std::env::temp_dir().join(format!("fulcrum-accumulated-{}", std::process::id()));
    let slots = || Slots::open(Box::new(Folder::open(&folder).unwrap())).unwrap();
    let start = || accumulating(&files, accumulation(&files, 2, 0.02, in_parts(2, None)));
    let mut straight = start();
    let losses: Vec<u32> = (0..6)
        .map(|_| accumulated_step(&mut straight).to_bits())
        .collect();
    {
        let training = start();
        let part = Config {
            part: 512,
            budget: None,
        };
        let (snapshot, writer) = channel(&training, slots().0, part).unwrap();
        let mut training = Checkpointed::new(training, snapshot, 3).unwrap();
        let mut keeper = writer.start().unwrap();
        for loss in &losses[..4] {
            let ended = (0..training.pieces()).find_map(|piece| match training.run_piece(piece).unwrap() {
                Progress::Stepped { loss } => Some(loss),
                _ => None,
            });
            assert_eq!(ended.unwrap().to_bits(), *loss);
        }
        keeper.stop();
    }
    let kept = slots().1.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(kept.counter("steps"), 3);
    let mut again = start();
    // A step that was begun does not go on over the new state.
    assert_eq!(again.run_piece(0), Ok(Progress::Ran));
    again.restore(&kept).unwrap();
    assert_eq!(again.steps(), 3);
    assert!(again.run_piece(1).is_err());
    for loss in &losses[3..] {
        assert_eq!(accumulated_step(&mut again).to_bits(), *loss);
    }
    let names: Vec<String> = again.shapes().into_iter().map(|shape| shape.name).collect();
    assert!(
        names.iter().any(|name| name.ends_with("running_mean")),
        "{names:?}"
    );
    assert_eq!(again.weights(&names), straight.weights(&names));
}

#[test]
fn micro_batches_that_leave_no_room_for_the_gate_are_refused_with_the_number_that_does() {
    let files = in_two(Optimizer::Sgd);
    let weights = decode_weights("weights.onnx", files.file("weights.onnx").unwrap()).unwrap();
    let (_publisher, swap, _reverter) = swap::channel();
    let mut inference = serving(&files, weights, Some(swap));
    let (_push, pull) = feed::handover(PIXELS, 40);
    let publish = Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: HeldOut::new(pull, 40),
        minibatch: 1,
    };
    let config: AccumulationConfig = AccumulationConfig {
        publish: Some(publish),
        ..accumulation(&files, 60, 0.02, classes())
    };
    let [grad, apply] = ["grad.onnx", "apply.onnx"].map(|name| files.file(name).unwrap());
    let refused = OnnxAccumulation::new(&library(), grad, apply, config)
        .err()
        .unwrap();
    // 128 pieces less the fetch, the update, a copy, and two sets judged on 40 minibatches of one.
    assert_eq!(refused, OnnxError::MicroBatches { count: 60, most: 45 });
    assert!(
        refused
            .to_string()
            .contains("60 micro-batches is outside 1 to 45"),
        "{refused}"
    );
}
