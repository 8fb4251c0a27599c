//! TensorRT without ONNX Runtime: a built plan, run in device memory of the caller's.
//!
//! TensorRT has only C++ classes, so a shim of C++ is compiled where its header `NvInfer.h` is found at build
//! time: in `TENSORRT_INCLUDE_DIR`, else in the system's include folders. Elsewhere everything here answers
//! [`TensorRtError::NotBuilt`]. The library itself, `libnvinfer`, is opened at run time.
//!
//! The shim was compiled and run against a stand-in of the header (tests/nvinfer_mock) alone: against the
//! real header never yet. The way that is known to work is the TensorRT provider of ONNX Runtime,
//! [`Provider::TensorRt`](super::Provider).

use std::fmt;

#[cfg(not(have_tensorrt))]
mod absent;
#[cfg(have_tensorrt)]
mod plan;

#[cfg(not(have_tensorrt))]
pub use absent::{Context, Plan};
#[cfg(have_tensorrt)]
pub use plan::{Context, Plan};

/// Why TensorRT could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorRtError {
    /// The header was not there when fulcrum was built.
    NotBuilt,
    /// The library was not loaded; where it was looked for, and the loader's words.
    Library(String),
    /// The library refused to start, mostly because it is of another version than the header was.
    Runtime,
    /// The bytes are no plan of this version for this device; build the plan anew on this board.
    Plan,
    /// No execution context was made; the device's memory may be full.
    Context,
    /// The plan has no tensor of this name, or refuses what was set for it.
    Tensor(String),
    /// An inference was not accepted; a tensor has no address, or the device failed.
    Enqueue,
}

impl fmt::Display for TensorRtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorRtError::NotBuilt => f.write_str(
                "TensorRT is not built in; build with the feature `tensorrt` and TENSORRT_INCLUDE_DIR set to the folder \
                 of NvInfer.h, or use ONNX Runtime's TensorRT provider",
            ),
            TensorRtError::Library(reason) => write!(f, "TensorRT's library was not loaded: {reason}"),
            TensorRtError::Runtime => {
                f.write_str("TensorRT's library refused to start; build against the header of its own version")
            }
            TensorRtError::Plan => {
                f.write_str("the plan is not one of this TensorRT for this device; build it anew on this board")
            }
            TensorRtError::Context => f.write_str("TensorRT made no execution context; free some device memory"),
            TensorRtError::Tensor(name) => write!(f, "the plan has no tensor `{name}` that takes this"),
            TensorRtError::Enqueue => {
                f.write_str("TensorRT did not take the inference; give every tensor an address first")
            }
        }
    }
}

impl std::error::Error for TensorRtError {}

/// Whether the shim is built in.
pub const fn built_in() -> bool {
    cfg!(have_tensorrt)
}

/// An input or output of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTensor {
    /// Its name.
    pub name: String,
    /// Whether it is an input.
    pub input: bool,
    /// TensorRT's number of the element type; 0 is float32.
    pub element: i32,
    /// Sizes; -1 where the plan leaves one open.
    pub dims: Vec<i64>,
}
