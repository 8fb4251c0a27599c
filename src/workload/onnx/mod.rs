//! ONNX Runtime as the engine of inference and training, opened at run time.
//!
//! Nothing is linked: the library is found by [`Library::open`] (`FULCRUM_ORT_LIB`, the loader's path, the
//! place where `make onnxruntime` puts it) and asked for version 17 of its C API, so one binary serves ONNX
//! Runtime 1.17 and later. A version is never probed: a library that is too old says so on stderr by itself.
//!
//! The bindings are bindgen's output, committed, the same for x86-64 and aarch64. To make them anew:
//! `ORT_INCLUDE_DIR=<folder of onnxruntime_c_api.h> cargo build --features bindgen`, then put the file that
//! the build names under the notice in `bindings.rs`.
//!
//! The crate `onnxruntime-sys` is not used: its only release, 0.0.14, has no bindings for aarch64 Linux (on a
//! Jetson it compiles to nothing), downloads ONNX Runtime 1.8.1 in its build script, and maps C enums to Rust
//! enums, which is undefined behaviour as soon as the library returns a value the enum does not know.
//!
//! Training is an ordinary graph: forward, backward and optimiser of standard operators, the state as inputs
//! and outputs. It runs on every ONNX Runtime. The training API of ONNX Runtime is unmaintained since 1.19.2
//! and not used.
//!
//! What a workload may use of the machine is its [`Engine`]: threads, execution providers, memory. All of it
//! is had or refused at registration, and what was refused is told. Trainer and forward model each may lie on
//! a device or not: new weights go from the state straight into the spare set. Between two devices they do
//! not ([`OnnxError::Devices`]), and of a state on a device no checkpoint is kept
//! ([`CheckpointError::OnDevice`](crate::workload::checkpoint::CheckpointError::OnDevice)).
//!
//! Our side allocates nothing after registration. ONNX Runtime itself makes about two small, short-lived
//! allocations a node and run, none of them of a tensor's size once every minibatch size has run once.

#[rustfmt::skip]
#[allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals, dead_code, unreachable_pub)]
#[allow(unsafe_code, clippy::all, clippy::undocumented_unsafe_blocks, rustdoc::all)]
mod bindings;
mod accumulation;
mod accumulation_state;
mod arena;
mod binding;
mod blocks;
mod borders;
mod candidate;
mod counters;
mod cut;
mod device;
mod engine;
mod error;
mod fetch;
mod fetching;
mod filling;
mod finite;
pub mod gradient;
mod inference;
mod library;
mod memory;
mod memory_budget;
pub mod model;
mod node_times;
mod provider;
mod rate;
mod regions;
mod run_options;
mod segments;
mod session;
mod settings;
mod sharing;
mod state;
mod step;
mod sums;
mod tensor;
#[cfg(feature = "tensorrt")]
pub mod tensorrt;
mod threads;
mod training;
mod transfer;
mod weight_sets;

pub use accumulation::{AccumulationConfig, OnnxAccumulation};
pub use arena::Arena;
pub use candidate::Publish;
pub use engine::Engine;
pub use error::OnnxError;
pub use fetch::{Fetch, FetchValues, Minibatches};
pub use inference::{ENGINE, Fill, InferenceConfig, OUT_OF_MEMORY, OnnxInference, Read};
pub use library::Library;
pub use memory_budget::MemoryBudget;
pub use provider::{Provider, ProviderReport, ProviderState, Providers, TensorRt};
pub use rate::Rate;
pub use threads::{MOST as MOST_THREADS, Refusals, Threads};
pub use training::{OnnxTraining, TrainingConfig};
pub use weight_sets::{WeightSets, weight_names};
