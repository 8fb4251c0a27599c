//! Training graphs that `fulcrum train-graph` makes of small models, with samples that they can learn.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fulcrum::workload::onnx::gradient::{Files, Loss, Optimizer, Recipe, differentiate};
use fulcrum::workload::onnx::model::decode_weights;
use fulcrum::workload::onnx::{Engine, Fetch, Library, Minibatches, OnnxTraining, TrainingConfig};
use fulcrum::workload::{Progress, Training};

pub(crate) const MICRO_BATCH: usize = 6;
pub(crate) const CLASSES: usize = 3;
pub(crate) const PIXELS: usize = 144;

pub(crate) fn library() -> Library {
    Library::open().unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn recipe(loss: Loss, optimizer: Optimizer) -> Recipe {
    Recipe {
        optimizer,
        ..Recipe::new(loss, MICRO_BATCH as u32)
    }
}

pub(crate) fn made(model: &[u8], recipe: &Recipe) -> Files {
    differentiate("net.onnx", model, None, recipe).unwrap_or_else(|error| panic!("{error}"))
}

/// Each class has its own stripe of the row.
pub(crate) fn stripes(x: &mut [f32], y: &mut [i64]) {
    let row = x.len() / y.len();
    for (sample, (values, label)) in x.chunks_exact_mut(row).zip(y).enumerate() {
        *label = (sample % CLASSES) as i64;
        for (index, value) in values.iter_mut().enumerate() {
            let bright = index * CLASSES / row == sample % CLASSES;
            *value = if bright { 1.0 } else { 0.1 } + ((index * 7 + sample * 13) % 11) as f32 / 50.0;
        }
    }
}

pub(crate) fn config<F>(files: &Files, row: usize, lr: f32, fetch: F) -> TrainingConfig<F> {
    TrainingConfig {
        name: "step.onnx".to_string(),
        row,
        weights: decode_weights("weights.onnx", files.file("weights.onnx").unwrap()).unwrap(),
        lr,
        wanted_piece: None,
        finer: false,
        fetch,
        publish: None,
        engine: Engine::default(),
    }
}

pub(crate) fn classes() -> Fetch {
    Box::new(|x, y| {
        stripes(x, y);
        true
    })
}

pub(crate) fn trainer<F: Into<Minibatches>>(files: &Files, config: TrainingConfig<F>) -> OnnxTraining {
    OnnxTraining::new(&library(), files.file("step.onnx").unwrap(), config)
        .unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn step(training: &mut OnnxTraining) -> f32 {
    for piece in 0..training.pieces() {
        if let Progress::Stepped { loss } = training.run_piece(piece).unwrap() {
            return loss;
        }
    }
    panic!("the last piece ends the step")
}
