//! What there is where TensorRT's header was not: a [`Plan`] that cannot be opened.

#![allow(unsafe_code, reason = "the signatures are those of the other build")]

use super::{PlanTensor, TensorRtError};
use std::convert::Infallible;
use std::ffi::c_void;
use std::path::Path;

/// A built plan. This build has none.
#[derive(Clone)]
pub struct Plan(Infallible);

/// One inference of a plan. This build has none.
pub struct Context(Infallible);

impl Plan {
    /// Answers [`TensorRtError::NotBuilt`].
    pub fn open(_: &Path, _: &[u8]) -> Result<Plan, TensorRtError> {
        Err(TensorRtError::NotBuilt)
    }

    /// Its inputs and outputs.
    pub fn tensors(&self) -> Vec<PlanTensor> {
        match self.0 {}
    }

    /// Bytes of device memory that a [`Context`] works in.
    pub fn device_memory(&self) -> usize {
        match self.0 {}
    }

    /// A context that works in device memory.
    ///
    /// # Safety
    /// Never called: there is no plan.
    pub unsafe fn context(&self, _: *mut c_void) -> Result<Context, TensorRtError> {
        match self.0 {}
    }
}

impl Context {
    /// Where a tensor lies on the device.
    ///
    /// # Safety
    /// Never called: there is no context.
    pub unsafe fn set_address(&mut self, _: &str, _: *mut c_void) -> Result<(), TensorRtError> {
        match self.0 {}
    }

    /// Fixes the sizes of an input.
    pub fn set_shape(&mut self, _: &str, _: &[i64]) -> Result<(), TensorRtError> {
        match self.0 {}
    }

    /// Hands one inference to a stream.
    ///
    /// # Safety
    /// Never called: there is no context.
    pub unsafe fn enqueue(&mut self, _: *mut c_void) -> Result<(), TensorRtError> {
        match self.0 {}
    }
}
