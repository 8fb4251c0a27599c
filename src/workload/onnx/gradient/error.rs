//! [`GradientError`]: why no training graph could be made of a model.

use super::super::OnnxError;
use std::fmt;
use std::path::PathBuf;

/// Why no training graph could be made of a model. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GradientError {
    /// The bytes are no ONNX model, or one that contradicts itself.
    Model(OnnxError),
    /// The model is written for a version of the operators that is not covered.
    Opset {
        /// Which model.
        model: String,
        /// The version it asks for; 0 if it does not say.
        found: i64,
    },
    /// The model has not just one input of data.
    Inputs {
        /// Which model.
        model: String,
        /// The inputs that are no weights.
        found: Vec<String>,
    },
    /// The model has several outputs and none was chosen, or not the chosen one.
    Output {
        /// Which model.
        model: String,
        /// The chosen one.
        wanted: Option<String>,
        /// Those it has.
        found: Vec<String>,
    },
    /// A size other than the batch is left open.
    Dynamic {
        /// Which model.
        model: String,
        /// The input.
        input: String,
        /// The axis, counted from 0.
        axis: usize,
    },
    /// A tensor has an element type or size that is not covered.
    Tensor {
        /// Which model.
        model: String,
        /// The tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A tensor lies in another file, which could not be read.
    External {
        /// The tensor.
        tensor: String,
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An operator that is not covered.
    Operator {
        /// The operator.
        op: String,
        /// The node.
        node: String,
    },
    /// An operator without a gradient stands between a trained weight and the loss.
    NotDifferentiable {
        /// The operator.
        op: String,
        /// The node.
        node: String,
    },
    /// A node asks for something that is not covered or makes no sense.
    Node {
        /// The operator.
        op: String,
        /// The node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// The model's output does not suit the loss.
    Loss(String),
    /// No weight that may be trained has an influence on the loss.
    NothingTrained {
        /// Which model.
        model: String,
    },
    /// A name of layers fits no weight.
    Layers {
        /// The name.
        wanted: String,
        /// Some names of weights there are.
        known: Vec<String>,
    },
    /// A setting out of range.
    Setting(String),
    /// The files could not be written.
    Write {
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GradientError::Model(error) => write!(f, "{error}"),
            GradientError::Opset { model, found } => write!(
                f,
                "{model} is written for operator set {found}; 13 to 21 are covered, so export it with one of these"
            ),
            GradientError::Inputs { model, found } if found.is_empty() => {
                write!(
                    f,
                    "{model} has no input of data; one float32 tensor [batch, ...] is needed"
                )
            }
            GradientError::Inputs { model, found } => write!(
                f,
                "{model} has {} inputs of data ({}); export it with one",
                found.len(),
                found.join(", ")
            ),
            GradientError::Output {
                model,
                wanted: None,
                found,
            } => write!(
                f,
                "{model} has {} outputs ({}); say which one the loss is taken of with --output",
                found.len(),
                found.join(", ")
            ),
            GradientError::Output {
                model,
                wanted: Some(wanted),
                found,
            } => {
                write!(f, "{model} has no output `{wanted}`, but {}", found.join(", "))
            }
            GradientError::Dynamic { model, input, axis } => write!(
                f,
                "axis {axis} of input `{input}` of {model} has no fixed size; only the batch (axis 0) may be open, so \
                 export the model with a fixed size there"
            ),
            GradientError::Tensor { model, name, reason } => write!(f, "`{name}` of {model}: {reason}"),
            GradientError::External { tensor, file, reason } => write!(
                f,
                "the values of `{tensor}` lie in {}, which could not be read: {reason}; put the file beside the model",
                file.display()
            ),
            GradientError::Operator { op, node } => {
                write!(f, "operator {op} of node `{node}` is not covered")
            }
            GradientError::NotDifferentiable { op, node } => write!(
                f,
                "operator {op} of node `{node}` has no gradient, and trained weights stand before it; freeze them \
                 (--train-only, --freeze) or change the model"
            ),
            GradientError::Node { op, node, reason } => write!(f, "{op} of node `{node}`: {reason}"),
            GradientError::Loss(reason) => f.write_str(reason),
            GradientError::NothingTrained { model } => write!(
                f,
                "no weight of {model} that may be trained reaches the loss; look at --train-only and --freeze"
            ),
            GradientError::Layers { wanted, known } => write!(
                f,
                "no weight or node is named `{wanted}` or stands below it; there are {}",
                known.join(", ")
            ),
            GradientError::Setting(reason) => f.write_str(reason),
            GradientError::Write { path, reason } => {
                write!(f, "{} could not be written: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for GradientError {}

impl From<OnnxError> for GradientError {
    fn from(error: OnnxError) -> GradientError {
        GradientError::Model(error)
    }
}

/// What a rule may say; the node is added by who called it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotDifferentiable,
    Reason(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Refusal {
        Refusal::Reason(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Refusal {
        Refusal::Reason(reason.to_string())
    }
}

impl Refusal {
    pub(super) fn at(self, op: &str, node: &str) -> GradientError {
        let (op, node) = (op.to_string(), node.to_string());
        match self {
            Refusal::NotDifferentiable => GradientError::NotDifferentiable { op, node },
            Refusal::Reason(reason) => GradientError::Node { op, node, reason },
        }
    }
}
