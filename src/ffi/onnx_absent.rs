//! What stands for `onnx.rs` where the library is built without the ONNX engine: no handle of it can be had, and who
//! asks for one is told so.

#![allow(unsafe_code, reason = "the functions promise what those of onnx.rs do")]

use super::fault::Fault;
use super::feed::FeedHandle;
use super::onnx_engine::{fulcrum_onnx_engine_config_t, fulcrum_provider_report_t};
use super::onnx_model::fulcrum_onnx_model_config_t;
use super::onnx_trainer::fulcrum_onnx_trainer_config_t;
use super::request::fulcrum_request_t;
use super::status::{self, FULCRUM_ERR_NO_ONNX, fulcrum_status_t};
use super::weights::fulcrum_score_t;
use crate::workload::Progress;
use std::path::Path;

/// There is none.
pub(super) enum Engine {}

/// There is none.
pub(super) enum Model {}

/// There is none.
pub(super) enum Trainer {}

impl Engine {
    pub(super) unsafe fn open(_: Option<&fulcrum_onnx_engine_config_t>) -> Result<Engine, Fault> {
        let absent = status::text(FULCRUM_ERR_NO_ONNX).to_string_lossy();
        Err(Fault::Onnx(FULCRUM_ERR_NO_ONNX, 0, absent.into_owned()))
    }

    pub(super) fn version(&self) -> &str {
        match *self {}
    }

    pub(super) fn provider_count(&self) -> u32 {
        match *self {}
    }

    pub(super) fn provider(&self, _: u32) -> Option<fulcrum_provider_report_t> {
        match *self {}
    }
}

impl Model {
    pub(super) unsafe fn open(engine: &Engine, _: &fulcrum_onnx_model_config_t) -> Result<Model, Fault> {
        match *engine {}
    }

    pub(super) fn swaps(&self) -> bool {
        match *self {}
    }

    pub(super) fn minibatch(&self) -> u32 {
        match *self {}
    }

    pub(super) fn cost_ns(&self) -> u64 {
        match *self {}
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        match *self {}
    }

    pub(super) fn run(&self, _: &[fulcrum_request_t], _: &mut [u64]) -> Result<fulcrum_status_t, Fault> {
        match *self {}
    }

    pub(super) fn apply(&self, _: usize, _: u32) {
        match *self {}
    }
}

impl Trainer {
    pub(super) unsafe fn open(
        engine: &Engine,
        _: Option<&Model>,
        _: Option<&FeedHandle>,
        _: &fulcrum_onnx_trainer_config_t,
    ) -> Result<Trainer, Fault> {
        match *engine {}
    }

    pub(super) fn piece_ns(&self) -> &[u64] {
        match *self {}
    }

    pub(super) fn gate_ns(&self) -> [u64; 2] {
        match *self {}
    }

    pub(super) fn fills(&self) -> u32 {
        match *self {}
    }

    pub(super) fn evals(&self) -> u32 {
        match *self {}
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        match *self {}
    }

    pub(super) fn run_piece(&self, _: u32) -> Result<Result<Progress, fulcrum_status_t>, Fault> {
        match *self {}
    }

    pub(super) fn set_rate(&self, _: f32) -> bool {
        match *self {}
    }

    pub(super) fn abort(&self) {
        match *self {}
    }

    pub(super) fn fill(&self, _: u32, _: usize) -> Result<fulcrum_status_t, Fault> {
        match *self {}
    }

    pub(super) fn eval(&self, _: u32, _: usize) -> Result<Result<fulcrum_score_t, fulcrum_status_t>, Fault> {
        match *self {}
    }

    pub(super) fn save(&self, _: u32, _: &mut [u8]) -> Result<Result<usize, fulcrum_status_t>, Fault> {
        match *self {}
    }

    pub(super) fn load(&self, _: u32, _: &[u8]) -> Result<fulcrum_status_t, Fault> {
        match *self {}
    }

    pub(super) fn write(&self, _: &Path) -> Result<(), Fault> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx_engine::fulcrum_onnx_engine_open;
    use super::*;
    use core::ptr::{null, null_mut};

    #[test]
    fn who_asks_for_the_engine_is_told_that_it_is_not_built_in() {
        let mut engine = null_mut();
        // SAFETY: NULL is the default, and `engine` is writable.
        let status = unsafe { fulcrum_onnx_engine_open(null(), &mut engine, null_mut()) };
        assert_eq!(status, FULCRUM_ERR_NO_ONNX);
        assert!(engine.is_null());
    }
}
