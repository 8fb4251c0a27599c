//! The small step and the small forward model of tests/fixtures, ready to run.

#![allow(dead_code, reason = "each test uses a part")]

use fulcrum::units::{Nanos, Permille};
use fulcrum::workload::feed::{self, HeldOut};
use fulcrum::workload::gate::{Gate, Metric};
use fulcrum::workload::onnx::model::{Weight, decode_weights};
use fulcrum::workload::onnx::{
    Engine, InferenceConfig, Library, OnnxInference, OnnxTraining, Publish, TrainingConfig,
};
use fulcrum::workload::{Inference, Progress, Request, Training, swap};

pub(crate) const INFER: &[u8] = include_bytes!("../fixtures/tiny_infer.onnx");
pub(crate) const STEP: &[u8] = include_bytes!("../fixtures/tiny_step.onnx");
pub(crate) const WEIGHTS: &[u8] = include_bytes!("../fixtures/tiny_weights.onnx");
pub(crate) const ROW: usize = 64;
pub(crate) const CLASSES: usize = 3;

pub(crate) fn library() -> Library {
    Library::open().unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn weights() -> Vec<Weight> {
    decode_weights("tiny_weights.onnx", WEIGHTS).unwrap()
}

/// A picture that follows from the request's token.
pub(crate) fn picture(token: u64, row: &mut [f32]) {
    for (index, value) in row.iter_mut().enumerate() {
        *value = ((token * 31 + index as u64 * 7) % 97) as f32 / 97.0;
    }
}

pub(crate) fn inference(minibatch: usize, swap: Option<swap::Serving>) -> InferenceConfig {
    let fill = |request: &Request, row: &mut [f32]| {
        picture(request.token, row);
        Ok(())
    };
    let name = "tiny_infer.onnx".to_string();
    InferenceConfig {
        name,
        minibatch,
        row: ROW,
        classes: CLASSES,
        weights: weights(),
        fill: Box::new(fill),
        swap,
        engine: Engine::default(),
    }
}

/// Each class has its own stripe, so that there is something to learn.
pub(crate) fn stripes(x: &mut [f32], y: &mut [i64]) {
    let row = x.len() / y.len();
    for (sample, (pixels, label)) in x.chunks_exact_mut(row).zip(y).enumerate() {
        *label = (sample % CLASSES) as i64;
        for (index, pixel) in pixels.iter_mut().enumerate() {
            *pixel = if index * CLASSES / row == sample % CLASSES {
                1.0
            } else {
                0.1
            };
        }
    }
}

pub(crate) fn training(wanted_piece: Option<Nanos>, publish: Option<Publish>) -> TrainingConfig {
    let fetch = |x: &mut [f32], y: &mut [i64]| {
        stripes(x, y);
        true
    };
    let name = "tiny_step.onnx".to_string();
    TrainingConfig {
        name,
        row: ROW,
        weights: weights(),
        lr: 0.01,
        wanted_piece,
        finer: false,
        fetch: Box::new(fetch),
        publish,
        engine: Engine::default(),
    }
}

pub(crate) fn trainer(wanted_piece: Option<Nanos>) -> OnnxTraining {
    OnnxTraining::new(&library(), STEP, training(wanted_piece, None)).unwrap()
}

pub(crate) fn step(training: &mut impl Training) -> f32 {
    for piece in 0..training.pieces() {
        match training.run_piece(piece).unwrap() {
            Progress::Ran => assert!(piece + 1 < training.pieces()),
            Progress::Stepped { loss } => return loss,
            Progress::Dry => panic!("there is data"),
        }
    }
    panic!("the last piece ends the step")
}

pub(crate) fn answers(inference: &mut OnnxInference, tokens: &[u64]) -> Vec<u64> {
    let requests: Vec<Request> = tokens
        .iter()
        .map(|token| Request {
            token: *token,
            release: Nanos::ZERO,
        })
        .collect();
    let mut answers = vec![0; tokens.len()];
    inference.run(&requests, &mut answers).unwrap();
    answers
}

pub(crate) fn bits(training: &OnnxTraining, names: &[String]) -> Vec<u32> {
    let mut all = names.to_vec();
    all.extend(
        names
            .iter()
            .flat_map(|name| [format!("m.{name}"), format!("v.{name}")]),
    );
    all.push("t".to_string());
    all.iter()
        .flat_map(|name| training.state(name).unwrap())
        .map(|value| value.to_bits())
        .collect()
}

/// Held-out samples of [`stripes`], as many as fit.
pub(crate) fn held_out(samples: usize) -> HeldOut {
    let (mut push, pull) = feed::handover(ROW, samples);
    let (mut x, mut y) = (vec![0.0; ROW * samples], vec![0; samples]);
    stripes(&mut x, &mut y);
    for (row, label) in x.chunks_exact(ROW).zip(&y) {
        push.push(row, *label as u64).unwrap();
    }
    HeldOut::new(pull, samples)
}

/// Has a trainer's weights go to `inference`, judged on so many samples, 4 in a piece.
pub(crate) fn publish(inference: &mut OnnxInference, samples: usize) -> Publish {
    Publish {
        sets: inference.take_weight_sets().unwrap(),
        held_out: held_out(samples),
        minibatch: 4,
    }
}

/// A gate that every set passes.
pub(crate) fn open_gate(every: u32) -> Gate {
    Gate {
        every,
        metric: Metric::Loss,
        margin: Permille(u32::MAX),
    }
}
