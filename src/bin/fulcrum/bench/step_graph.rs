//! A [`StepGraph`]: a training step from a file or built in, with start values and minibatches that are
//! drawn.

use fulcrum::units::Nanos;
use fulcrum::workload::onnx::model::{Weight, decode};
use fulcrum::workload::onnx::{Engine, OnnxError, TrainingConfig};
use std::borrow::Cow;
use std::error::Error;
use std::path::PathBuf;

/// Learning rate: so small that no net runs away from drawn start values.
const RATE: f32 = 1e-3;

/// A training step, and what a run of it begins with.
pub(super) struct StepGraph {
    pub(super) name: String,
    pub(super) model: Cow<'static, [u8]>,
    /// Names of its state tensors.
    pub(super) states: Vec<String>,
    weights: Vec<Weight>,
    /// Values of one sample.
    row: usize,
}

impl StepGraph {
    /// The graphs in `paths`, or the built-in ones if there are none.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<StepGraph>, Box<dyn Error>> {
        let mut graphs = Vec::new();
        for path in paths {
            let bytes = std::fs::read(path)
                .map_err(|error| format!("{} could not be read: {error}", path.display()))?;
            graphs.push(StepGraph::new(path.display().to_string(), bytes.into())?);
        }
        if paths.is_empty() {
            let tiny: &[u8] = include_bytes!("../../../../tests/fixtures/tiny_step.onnx");
            let shapes: &[u8] = include_bytes!("../../../../tests/fixtures/shapes_step.onnx");
            for (name, bytes) in [("tiny_step", tiny), ("shapes_step", shapes)] {
                graphs.push(StepGraph::new(name.to_string(), bytes.into())?);
            }
        }
        Ok(graphs)
    }

    fn new(name: String, model: Cow<'static, [u8]>) -> Result<StepGraph, OnnxError> {
        let (_, graph) = decode(&name, &model)?;
        let (mut states, mut weights, mut row) = (Vec::new(), Vec::new(), 0);
        let mut draw = draw();
        for input in &graph.input {
            let name = input.name.clone().unwrap_or_default();
            let dims = input.tensor().map_or(Vec::new(), |(_, dims)| dims);
            let values = |dims: &[i64]| -> usize {
                let sizes = dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0));
                sizes.product()
            };
            match name.as_str() {
                "x" => row = values(dims.get(1..).unwrap_or_default()),
                "y" | "lr" => {}
                _ => {
                    // Biases start at zero; the values of a layer so that it neither grows nor shrinks what
                    // it is given.
                    let reads = values(dims.get(1..).unwrap_or_default()).max(1);
                    let scale = if dims.len() > 1 {
                        (6.0 / reads as f32).sqrt()
                    } else {
                        0.0
                    };
                    weights.push(Weight {
                        name: name.clone(),
                        values: (0..values(&dims)).map(|_| draw() * scale).collect(),
                        dims,
                    });
                    states.push(name);
                }
            }
        }
        Ok(StepGraph {
            name,
            model,
            states,
            weights,
            row,
        })
    }

    /// A run of it in pieces of `wanted`. Every run of one graph sees the same minibatches.
    pub(super) fn training(&self, wanted: Option<Nanos>, engine: Engine) -> TrainingConfig {
        let mut draw = draw();
        let fetch = move |x: &mut [f32], y: &mut [i64]| {
            x.fill_with(&mut draw);
            // Two classes, which every net has.
            y.iter_mut()
                .zip(0..)
                .for_each(|(label, sample)| *label = sample % 2);
            true
        };
        TrainingConfig {
            name: self.name.clone(),
            row: self.row,
            weights: self.weights.clone(),
            lr: RATE,
            wanted_piece: wanted,
            finer: false,
            fetch: Box::new(fetch),
            publish: None,
            engine,
        }
    }
}

/// Numbers from -0.5 to 0.5, always the same ones (a linear congruential generator with Knuth's constants for
/// 64 bits).
pub(super) fn draw() -> impl FnMut() -> f32 + Send {
    let mut state = 1_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    }
}
