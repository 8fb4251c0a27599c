//! [`Models`]: a network that tells shapes apart, its training step and its weights, built in or from files.

use crate::camera::{PIXELS, SHAPES};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::model::{Weight, decode_weights};
use fulcrum::workload::onnx::{
    Engine, InferenceConfig, Library, OnnxInference, OnnxTraining, Publish, Threads, TrainingConfig,
    weight_names,
};
use fulcrum::workload::{Request, WorkloadError, swap};
use std::borrow::Cow;
use std::error::Error;
use std::path::Path;

/// Learning rate of the training step (Adam).
const RATE: f32 = 4e-3;

/// The three model files.
pub(crate) struct Models {
    library: Library,
    infer: (String, Cow<'static, [u8]>),
    step: (String, Cow<'static, [u8]>),
    weights: Vec<Weight>,
    /// Of the weights, in the order of the forward model.
    pub(crate) names: Vec<String>,
    /// The engine's, for both; one if nothing else is said.
    pub(crate) threads: Threads,
}

impl Models {
    /// Opens ONNX Runtime and reads the files, built in unless named.
    pub(crate) fn read(
        infer: Option<&Path>,
        step: Option<&Path>,
        weights: Option<&Path>,
    ) -> Result<Models, Box<dyn Error>> {
        let library = Library::open()?;
        let infer = file_or(
            infer,
            "shapes_infer.onnx",
            include_bytes!("../../../tests/fixtures/shapes_infer.onnx"),
        )?;
        let step = file_or(
            step,
            "shapes_step.onnx",
            include_bytes!("../../../tests/fixtures/shapes_step.onnx"),
        )?;
        let weights = file_or(
            weights,
            "shapes_day.onnx",
            include_bytes!("../../../tests/fixtures/shapes_day.onnx"),
        )?;
        let names = weight_names(&infer.0, &infer.1)?;
        let weights = decode_weights(&weights.0, &weights.1)?;
        Ok(Models {
            library,
            infer,
            step,
            weights,
            names,
            threads: Threads::default(),
        })
    }

    /// The forward model as a workload that takes its frames from `fill`.
    pub(crate) fn inference(
        &self,
        minibatch: usize,
        fill: impl FnMut(&Request, &mut [f32]) -> Result<(), WorkloadError> + Send + 'static,
        swap: Option<swap::Serving>,
    ) -> Result<OnnxInference, Box<dyn Error>> {
        let config = InferenceConfig {
            name: self.infer.0.clone(),
            minibatch,
            row: PIXELS,
            classes: SHAPES.len(),
            weights: self.weights.clone(),
            fill: Box::new(fill),
            swap,
            engine: self.settings(),
        };
        Ok(OnnxInference::new(&self.library, &self.infer.1, config)?)
    }

    /// The training step as a job that takes its minibatches from `fetch`, in pieces of `wanted` on this machine.
    pub(crate) fn training(
        &self,
        wanted: Option<Nanos>,
        fetch: impl FnMut(&mut [f32], &mut [i64]) -> bool + Send + 'static,
        publish: Option<Publish>,
    ) -> Result<OnnxTraining, Box<dyn Error>> {
        let config: TrainingConfig = TrainingConfig {
            name: self.step.0.clone(),
            row: PIXELS,
            weights: self.weights.clone(),
            lr: RATE,
            wanted_piece: wanted,
            finer: false,
            fetch: Box::new(fetch),
            publish,
            engine: self.settings(),
        };
        Ok(OnnxTraining::new(&self.library, &self.step.1, config)?)
    }

    fn settings(&self) -> Engine {
        Engine {
            threads: self.threads.clone(),
            ..Engine::default()
        }
    }

    pub(crate) fn engine(&self) -> String {
        format!("ONNX Runtime {}", self.library.version())
    }
}

/// A model's name and bytes.
fn file_or(
    path: Option<&Path>,
    name: &str,
    built_in: &'static [u8],
) -> Result<(String, Cow<'static, [u8]>), String> {
    match path {
        None => Ok((name.to_string(), Cow::Borrowed(built_in))),
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|error| format!("{} could not be read: {error}", path.display()))?;
            Ok((path.display().to_string(), Cow::Owned(bytes)))
        }
    }
}
