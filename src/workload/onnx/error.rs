//! [`OnnxError`]: why a model or the engine could not be used.

use std::fmt;

/// Why a model or the engine could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnnxError {
    /// The library was not found or not loaded. Each place that was tried, with the loader's reason.
    Missing(Vec<(String, String)>),
    /// The library was found, but does not answer to API version 17.
    TooOld {
        /// Where it was found.
        path: String,
        /// The version it gives itself.
        version: String,
    },
    /// ONNX Runtime refused something.
    Engine {
        /// What was asked of it.
        doing: String,
        /// Its own words.
        message: String,
    },
    /// The bytes are no ONNX model.
    Decode {
        /// Which file.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// An input, output or weight that is needed is not there.
    NoTensor {
        /// Which model.
        model: String,
        /// The tensor's name.
        name: String,
        /// What it is needed for.
        role: &'static str,
    },
    /// A tensor has the wrong element type or shape.
    WrongTensor {
        /// Which model.
        model: String,
        /// The tensor's name.
        name: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// An output would be written into memory that another tensor of the same run uses: training would go wrong without
    /// any error.
    Aliased {
        /// The output.
        output: String,
        /// The other tensor, an input mostly.
        input: String,
    },
    /// A swap carries another number of values than the model's weights have.
    Swap {
        /// Which model.
        model: String,
        /// Values of the model's weights.
        expected: usize,
        /// Values of the swap.
        found: usize,
    },
    /// The largest minibatch is 0 or above [`crate::limits::MINIBATCH`].
    Minibatch(usize),
    /// The number of micro-batches of an accumulated step is 0, or leaves no pieces for the fetch and the update.
    MicroBatches(usize),
    /// ONNX Runtime's profile, from which the cut is chosen, could not be written or read.
    Profile(String),
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnnxError::Missing(tried) => {
                f.write_str("ONNX Runtime was not found; `make onnxruntime` gets it, or set FULCRUM_ORT_LIB to the library. Tried:")?;
                for (place, reason) in tried {
                    write!(f, "\n  {place}: {reason}")?;
                }
                Ok(())
            }
            OnnxError::TooOld { path, version } => {
                write!(
                    f,
                    "ONNX Runtime {version} at {path} is too old; 1.17 or later is needed"
                )
            }
            OnnxError::Engine { doing, message } => write!(f, "ONNX Runtime could not {doing}: {message}"),
            OnnxError::Decode { what, reason } => write!(f, "{what} is not a readable ONNX model: {reason}"),
            OnnxError::NoTensor { model, name, role } => write!(f, "{model} has no {role} named `{name}`"),
            OnnxError::WrongTensor {
                model,
                name,
                expected,
                found,
            } => {
                write!(f, "`{name}` of {model} should be {expected}, but is {found}")
            }
            OnnxError::Aliased { output, input } => {
                write!(
                    f,
                    "output `{output}` shares memory with `{input}`, which the same run uses; give it memory of its own"
                )
            }
            OnnxError::Swap {
                model,
                expected,
                found,
            } => {
                write!(
                    f,
                    "the weights of {model} are {expected} values, but the swap carries {found}"
                )
            }
            OnnxError::Minibatch(size) => {
                write!(
                    f,
                    "a largest minibatch of {size} is outside 1 to {}",
                    crate::limits::MINIBATCH
                )
            }
            OnnxError::MicroBatches(count) => {
                write!(
                    f,
                    "a step of {count} micro-batches is outside 1 to {}",
                    crate::limits::PIECES - 2
                )
            }
            OnnxError::Profile(reason) => write!(f, "the time of each node could not be measured: {reason}"),
        }
    }
}

impl std::error::Error for OnnxError {}
