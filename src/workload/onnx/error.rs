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
    /// An output would be written into memory that another tensor of the same run uses: training would go
    /// wrong without any error.
    Aliased {
        /// The output.
        output: String,
        /// The other tensor, an input mostly.
        input: String,
    },
    /// Held-out samples have another size than the model's input.
    HeldOut {
        /// Which model.
        model: String,
        /// Values of a sample that the model takes.
        expected: usize,
        /// Values of a held-out sample.
        found: usize,
    },
    /// The largest minibatch is 0 or above [`crate::limits::MINIBATCH`], or more than all held-out samples.
    Minibatch(usize),
    /// A step has no room for so many parts of a fetch.
    Parts {
        /// Parts asked for.
        parts: usize,
        /// Pieces that the segments leave.
        room: usize,
    },
    /// Weights are to go from one device to another.
    Devices {
        /// Number of the device that the trainer runs on.
        trainer: i32,
        /// Number of the device that the forward model runs on.
        inference: i32,
    },
    /// A workload needs more memory than its arena has, or an arena more than the budget has left. All in
    /// bytes.
    Memory {
        /// What was asked for and did not fit.
        wanted: usize,
        /// What was in use.
        used: usize,
        /// What there is.
        cap: usize,
    },
    /// A session of so many threads: 0, or above [`MOST_THREADS`](super::MOST_THREADS).
    Threads(usize),
    /// The number of micro-batches of an accumulated step is 0, or leaves no pieces for the fetch, the update and the
    /// gate.
    MicroBatches {
        /// Micro-batches.
        count: usize,
        /// How many of them the other pieces leave room for.
        most: usize,
    },
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
            OnnxError::HeldOut {
                model,
                expected,
                found,
            } => {
                write!(
                    f,
                    "the held-out samples have {found} values, but {model} takes {expected}; hand such ones over"
                )
            }
            OnnxError::Minibatch(size) => {
                write!(
                    f,
                    "a minibatch of {size} is outside 1 to {}, or larger than all held-out samples",
                    crate::limits::MINIBATCH
                )
            }
            OnnxError::Parts { parts, room } => {
                write!(
                    f,
                    "a fetch in {parts} parts has no room beside the segments, which leave {room}; take larger parts"
                )
            }
            OnnxError::Devices { trainer, inference } => {
                write!(
                    f,
                    "weights cannot go from device {trainer}, the trainer's, to device {inference}, the forward \
                     model's; give both the same"
                )
            }
            OnnxError::Memory { wanted, used, cap } => {
                write!(
                    f,
                    "{wanted} bytes of memory do not fit: {used} of {cap} are in use; give the workload more, or a smaller \
                     minibatch"
                )
            }
            OnnxError::Threads(count) => {
                write!(
                    f,
                    "{count} threads for one piece are outside 1 to {}; 1 is the calling thread alone",
                    super::MOST_THREADS
                )
            }
            OnnxError::MicroBatches { count, most } => {
                write!(
                    f,
                    "a step of {count} micro-batches is outside 1 to {most}, which its other pieces leave room for"
                )
            }
            OnnxError::Profile(reason) => write!(f, "the time of each node could not be measured: {reason}"),
        }
    }
}

impl std::error::Error for OnnxError {}
