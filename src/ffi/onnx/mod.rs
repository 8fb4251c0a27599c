//! The ONNX engine behind the C ABI: what a handle of it points to, where the engine is built in. Where it is not
//! `onnx_absent.rs` stands for this folder.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::sized;
use super::status::*;
use crate::units::Nanos;
use crate::workload::WorkloadError;
use crate::workload::onnx::model::{Weight, decode_weights};
use crate::workload::onnx::{self, OUT_OF_MEMORY, OnnxError};
use core::ffi::{c_char, c_void};
use std::path::Path;

mod engine;
mod model;
mod trainer;

pub(super) use engine::Engine;
pub(super) use model::Model;
pub(super) use trainer::Trainer;

/// How much longer than measured things are said to take where nothing is said, in thousandths.
const MARGIN: u32 = 150;

/// `value`, or `default` for 0.
fn or(value: u32, default: u32) -> u32 {
    if value == 0 { default } else { value }
}

/// `measured` and a margin of so many thousandths.
fn with_margin(measured: Nanos, permille: u32) -> u64 {
    let all = u128::from(measured.0) * (1_000 + u128::from(permille));
    u64::try_from(all.div_ceil(1_000)).unwrap_or(u64::MAX)
}

impl From<OnnxError> for Fault {
    fn from(error: OnnxError) -> Fault {
        let code = match error {
            OnnxError::Missing(_) => FULCRUM_ERR_ONNX_MISSING,
            OnnxError::TooOld { .. } => FULCRUM_ERR_ONNX_TOO_OLD,
            OnnxError::Engine { .. } | OnnxError::Profile(_) => FULCRUM_ERR_ONNX_REFUSED,
            OnnxError::Decode { .. }
            | OnnxError::NoTensor { .. }
            | OnnxError::WrongTensor { .. }
            | OnnxError::Aliased { .. } => FULCRUM_ERR_MODEL,
            OnnxError::Memory { .. } => FULCRUM_ERR_ONNX_MEMORY,
            OnnxError::HeldOut { .. }
            | OnnxError::Minibatch(_)
            | OnnxError::Parts { .. }
            | OnnxError::Devices { .. }
            | OnnxError::Threads(_)
            | OnnxError::MicroBatches { .. } => FULCRUM_ERR_ARGUMENT,
        };
        Fault::Onnx(code, 0, error.to_string())
    }
}

/// The number by which a callback says this; one of the caller's own callbacks stays as it is.
fn code(error: WorkloadError) -> fulcrum_status_t {
    match error {
        WorkloadError::Failed(onnx::ENGINE) => FULCRUM_ERR_ONNX_REFUSED,
        WorkloadError::Failed(OUT_OF_MEMORY) => FULCRUM_ERR_ONNX_MEMORY,
        // What is left below zero is a piece or part that is not the next one.
        WorkloadError::Failed(..0) => FULCRUM_ERR_ARGUMENT,
        WorkloadError::Failed(code) => code,
        other => of_workload(other).0,
    }
}

/// The name of a file, for messages, and what it holds.
fn read(path: &Path) -> Result<(String, Vec<u8>), Fault> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok((name, bytes)),
        Err(error) => Err(Fault::Onnx(
            FULCRUM_ERR_MODEL_FILE,
            error.raw_os_error().unwrap_or(0),
            format!("{name} could not be read: {error}"),
        )),
    }
}

/// # Safety
/// `path` is NULL, or as [`sized::path`] needs it.
unsafe fn weights(path: *const c_char) -> Result<Vec<Weight>, Fault> {
    // SAFETY: as the caller promises.
    match unsafe { sized::path(path) }? {
        None => Ok(Vec::new()),
        Some(path) => {
            let (name, bytes) = read(&path)?;
            Ok(decode_weights(&name, &bytes)?)
        }
    }
}

/// A pointer that the caller's callbacks are handed.
#[derive(Clone, Copy)]
struct User(*mut c_void);

// SAFETY: the structs that hold it promise use on the dispatcher thread.
unsafe impl Send for User {}

impl User {
    /// A method, so that a closure takes the whole of it and not the pointer alone.
    fn get(self) -> *mut c_void {
        self.0
    }
}
