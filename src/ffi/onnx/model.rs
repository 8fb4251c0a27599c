//! The model behind a handle: a forward model and the callbacks that feed and read it.

#![allow(unsafe_code)]

use super::{Engine, MARGIN, User, code, or, read, weights, with_margin};
use crate::ffi::fault::Fault;
use crate::ffi::gate::Gate;
use crate::ffi::onnx_model::{FULCRUM_ONNX_LOCK_MEMORY, FULCRUM_ONNX_SWAPS, fulcrum_onnx_model_config_t};
use crate::ffi::request::fulcrum_request_t;
use crate::ffi::sized;
use crate::ffi::status::{FULCRUM_OK, fulcrum_status_t};
use crate::limits;
use crate::units::Nanos;
use crate::workload::onnx::{Fill, InferenceConfig, OnnxInference, WeightSets};
use crate::workload::swap::{self, Told};
use crate::workload::{Inference, Request, WorkloadError};

fn shown(request: &Request) -> fulcrum_request_t {
    fulcrum_request_t {
        token: request.token,
        release_ns: request.release.0,
    }
}

/// What a `fulcrum_onnx_model_t` points to.
pub(in crate::ffi) struct Model {
    inference: Gate<OnnxInference>,
    /// Of a model whose weights may be exchanged.
    pub(super) sets: Option<(Told, WeightSets)>,
    minibatch: u32,
    cost_ns: u64,
    memory_bytes: u64,
}

impl Model {
    /// # Safety
    /// The pointers in `config` are as the struct says.
    pub(in crate::ffi) unsafe fn open(
        engine: &Engine,
        config: &fulcrum_onnx_model_config_t,
    ) -> Result<Model, Fault> {
        if config.flags & !(FULCRUM_ONNX_SWAPS | FULCRUM_ONNX_LOCK_MEMORY) != 0 {
            return Err(Fault::TooNew(
                "config.flags has a flag this release of fulcrum does not know",
            ));
        }
        if config.row == 0 || config.outputs == 0 {
            return Err(Fault::Argument("config.row and config.outputs must be above 0"));
        }
        let input = config.input.ok_or(Fault::Argument("config.input is NULL"))?;
        // SAFETY: as the caller promises, for both.
        let (path, weights) = unsafe {
            (
                sized::path_of(config.model, "config.model is NULL")?,
                weights(config.weights)?,
            )
        };
        let (name, model) = read(&path)?;
        let (told, serving) = swap::told();
        let swaps = config.flags & FULCRUM_ONNX_SWAPS != 0;
        let user = User(config.user);
        let fill: Fill = Box::new(move |request, row| {
            let (shown, values) = (shown(request), row.len() as u32);
            // SAFETY: both live during the call; `fulcrum_onnx_input_t` states what the function may do.
            match unsafe { input(user.get(), &shown, row.as_mut_ptr(), values) } {
                0 => Ok(()),
                code @ 1.. => Err(WorkloadError::Failed(code)),
                _ => Err(WorkloadError::NoData),
            }
        });
        let minibatch = or(config.minibatch, 1);
        let mut inference = OnnxInference::new(
            &engine.library,
            &model,
            InferenceConfig {
                name,
                minibatch: minibatch as usize,
                row: config.row as usize,
                classes: config.outputs as usize,
                weights,
                fill,
                swap: swaps.then_some(serving),
                engine: engine.of_workload(config.memory_bytes, config.flags)?,
            },
        )?;
        if let Some(output) = config.output {
            inference.read_with(Box::new(move |request, row| {
                let (shown, values) = (shown(request), row.len() as u32);
                // SAFETY: both live during the call; `fulcrum_onnx_output_t` states what the function may do.
                unsafe { output(user.get(), &shown, row.as_ptr(), values) }
            }));
        }
        let measured = inference.measure().map_err(|error| {
            Fault::Onnx(
                code(error),
                0,
                format!("the model could not be measured: {error}"),
            )
        })?;
        let cost_ns = with_margin(measured, or(config.margin_permille, MARGIN));
        Ok(Model {
            sets: inference.take_weight_sets().map(|sets| (told, sets)),
            memory_bytes: inference.memory_bytes(),
            inference: Gate::new(inference),
            minibatch,
            cost_ns,
        })
    }

    pub(in crate::ffi) fn swaps(&self) -> bool {
        self.sets.is_some()
    }

    pub(in crate::ffi) fn minibatch(&self) -> u32 {
        self.minibatch
    }

    pub(in crate::ffi) fn cost_ns(&self) -> u64 {
        self.cost_ns
    }

    pub(in crate::ffi) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(in crate::ffi) fn run(
        &self,
        requests: &[fulcrum_request_t],
        answers: &mut [u64],
    ) -> Result<fulcrum_status_t, Fault> {
        let mut own = [Request::default(); limits::MINIBATCH];
        for (own, shown) in own.iter_mut().zip(requests) {
            *own = Request {
                token: shown.token,
                release: Nanos(shown.release_ns),
            };
        }
        let own = own.get(..requests.len()).unwrap_or_default();
        let mut inference = self.inference.enter().ok_or(Fault::Busy)?;
        // Without an allocation: the sentence of an error is not asked for here.
        Ok(inference.run(own, answers).map_or_else(code, |()| FULCRUM_OK))
    }

    pub(in crate::ffi) fn apply(&self, set: usize, version: u32) {
        if let Some((told, _)) = &self.sets {
            told.serve(set, version);
        }
    }
}
