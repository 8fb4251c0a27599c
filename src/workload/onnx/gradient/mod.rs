//! Training graphs of a user's own forward model.
//!
//! [`differentiate`] reads a model as PyTorch exports it, builds it for a fixed micro-batch, adds its
//! gradient, a loss and an optimizer, and returns them as ordinary graphs of standard operators, which
//! [`OnnxTraining`](super::OnnxTraining) and every ONNX Runtime from 1.17 on run:
//!
//! | file | inputs | outputs |
//! | --- | --- | --- |
//! | `step.onnx` | `x`, `y`, `lr`, state S | `loss`, every `S_out` |
//! | `grad.onnx` | `x`, `y`, weights W, sums `g.W`, running statistics S | `loss`, `g.W_out`, `S_out` |
//! | `apply.onnx` | `lr`, `scale`, `g.W`, weights and moments S | every `S_out` |
//! | `eval.onnx` | `x`, `y`, weights, running statistics | `loss`, `metric` |
//! | `infer.onnx` | `x`, weights, running statistics | `logits` |
//! | `weights.onnx` | | the start values of weights and running statistics |
//!
//! `g.W_out` is `g.W` plus the gradient; the gradient that `apply.onnx` follows is `g.W` times `scale`.
//! [`OnnxAccumulation`](super::OnnxAccumulation) runs the two.
//!
//! State is named as in [`OnnxTraining`](super::OnnxTraining): weights and running statistics by their own
//! names, moments `m.W` and `v.W`, the count of steps `t`. Accumulating K micro-batches: start from `g.W` of
//! zeros, run `grad.onnx` K times, then `apply.onnx` with a scale of 1 / K.
//!
//! The way of a model: `read` (bytes to nodes and tensors) -> `groups` (batch normalisation replaced, if
//! asked) -> `trace` (nodes to a graph of fixed sizes, by `fold` and `rules`) -> `loss` -> `graph` (backward)
//! -> `optimizer` -> `write`.

mod call;
mod differentiate;
mod error;
mod files;
mod fold;
mod graph;
mod groups;
mod infer;
mod loss;
mod numbers;
mod optimizer;
mod proto;
mod read;
mod recipe;
mod rules;
mod select;
mod summary;
mod trace;
mod value;
mod window;
mod write;

pub use differentiate::differentiate;
pub use error::GradientError;
pub use files::Files;
pub use recipe::{BatchNorm, Loss, Optimizer, Recipe};
pub use summary::{Named, Summary};
