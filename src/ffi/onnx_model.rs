//! An [ONNX model](fulcrum_onnx_model_t) that serves a stream, by the same callbacks as any other engine.

#![allow(unsafe_code)]

use super::error::fulcrum_error_t;
use super::onnx::Model;
use super::onnx_engine::{engine_of, fulcrum_onnx_engine_t};
use super::opaque::{self, Named, call};
use super::request::fulcrum_request_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use super::stream::fulcrum_stream_t;
use crate::limits;
use core::ffi::{c_char, c_void};
use core::ptr::null_mut;

/// An ONNX model, prepared to serve a stream. Made by fulcrum_onnx_model_open, freed by fulcrum_onnx_model_close.
/// It is the `user` of its stream: it outlives the runtime, or is closed after fulcrum_stop.
pub struct fulcrum_onnx_model_t(());

/// Flag of a model: its weights are inputs and may be exchanged, by a trainer made with it or through
/// fulcrum_onnx_model_apply.
pub const FULCRUM_ONNX_SWAPS: u32 = 1;
/// Flag of a model or trainer with memory_bytes: that memory is locked, so that it never leaves for a disk.
pub const FULCRUM_ONNX_LOCK_MEMORY: u32 = 2;

/// Writes the input row of one request, on the dispatcher thread, right before its minibatch, as part of its cost.
/// 0: done; above 0: the minibatch fails with this number, FULCRUM_ERR_NO_DATA (502) for example. It must not
/// throw, jump out, allocate, lock or touch files.
pub type fulcrum_onnx_input_t = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        request: *const fulcrum_request_t,
        row: *mut f32,
        values: u32,
    ) -> i32,
>;

/// Makes the answer to one request of its output row, on the dispatcher thread, right after its minibatch, as part
/// of its cost. The row is gone after the call. It must not throw, jump out, allocate, lock or touch files.
pub type fulcrum_onnx_output_t = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        request: *const fulcrum_request_t,
        row: *const f32,
        values: u32,
    ) -> u64,
>;

/// How a model is made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_onnx_model_config_t {
    /// sizeof(fulcrum_onnx_model_config_t); set it before anything else.
    pub size: u32,
    /// The largest minibatch, 1 to 64; every size from 1 up is prepared. Default 1.
    pub minibatch: u32,
    /// File of the forward model: input `x` (float32, [N, ...] with N left open), output `logits` (float32,
    /// [N, ...]); every other input is a weight. `fulcrum train-graph` writes it as infer.onnx. Not NULL.
    pub model: *const c_char,
    /// File of the weights' first values, as `fulcrum train-graph` writes it; NULL: the model has them in itself.
    pub weights: *const c_char,
    /// Writes a request's input row. Not NULL.
    pub input: fulcrum_onnx_input_t,
    /// Makes the answer of a request's output row; NULL: the answer is the index of the largest output.
    pub output: fulcrum_onnx_output_t,
    /// Handed to both. May be NULL.
    pub user: *mut c_void,
    /// Values of an input row, at least 1.
    pub row: u32,
    /// Values of an output row, at least 1.
    pub outputs: u32,
    /// FULCRUM_ONNX_SWAPS, FULCRUM_ONNX_LOCK_MEMORY, or-ed.
    pub flags: u32,
    /// How much longer than measured fulcrum_onnx_model_stream says the model takes, in thousandths. Default 150.
    pub margin_permille: u32,
    /// The memory the model lives in, taken from the system at once; it is refused where that is not enough. A
    /// trainer can then take none of it. 0: as much as it takes.
    pub memory_bytes: u64,
}

const _: () = assert!(limits::MINIBATCH == 64, "the header says so");

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    core::mem::size_of::<fulcrum_onnx_model_config_t>() == 72,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first; two u32 stand before each pointer or u64, so there is no padding on a 64-bit target
// (asserted above), and it is only ever read. Zero is valid: NULL pointers and no callbacks.
unsafe impl Growing for fulcrum_onnx_model_config_t {
    const NAME: &'static str = "fulcrum_onnx_model_config_t";
    const FIRST: u32 = core::mem::size_of::<fulcrum_onnx_model_config_t>() as u32;
}

impl Named for fulcrum_onnx_model_t {
    type Object = Model;
    /// "fulmodl" and a 1.
    const MAGIC: u64 = u64::from_be_bytes(*b"fulmodl1");
}

/// CONSTRUCTOR fulcrum_onnx_model_t: loads a model, runs every size of minibatch once, so that no later run has
/// anything to set up, and measures the largest. The callbacks are not called yet. Building an engine of TensorRT
/// happens here, and takes minutes without a cache.
///
/// | allocates yes | blocks until the model is loaded and measured | threads any | real-time no |
/// @param engine  an open engine
/// @param config  how it is made; not NULL
/// @param[out] out  the model, to be closed with fulcrum_onnx_model_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_MODEL (606), FULCRUM_ERR_ONNX_REFUSED (604),
///         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
///         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PATH (107), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_model_open(
    engine: *const fulcrum_onnx_engine_t,
    config: *const fulcrum_onnx_model_config_t,
    out: *mut *mut fulcrum_onnx_model_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        // SAFETY: the caller promises an open handle.
        let engine = unsafe { engine_of(engine) }?;
        // SAFETY: the caller promises as many bytes as the struct says.
        let config = unsafe { sized::read(config, "config is NULL") }?;
        // SAFETY: the caller promises what the struct's fields say of their pointers.
        unsafe { Model::open(engine, &config) }
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// METHOD fulcrum_onnx_model_t: fills in what a stream needs to be served by this model: run, user, minibatch, cost_ns
/// (the measured upper time of the largest minibatch and the margin; add what the callbacks take), memory_bytes
/// and, with FULCRUM_ONNX_SWAPS, apply. All other fields stay as they are.
///
/// | allocates no | blocks no | threads any | real-time no |
/// @param model  an open model
/// @param[in,out] stream  a struct whose size is that of this release or of a later one
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_model_stream(
    model: *mut fulcrum_onnx_model_t,
    stream: *mut fulcrum_stream_t,
) -> fulcrum_status_t {
    const ROOM: usize = core::mem::offset_of!(fulcrum_stream_t, memory_bytes) + 8;
    let fill_in = |it: &Model| {
        // SAFETY: the caller promises as many bytes as the struct says.
        let mut asked = unsafe { sized::read_of(stream, ROOM, "stream is NULL") }?;
        asked.run = Some(fulcrum_onnx_model_run);
        asked.apply = it.swaps().then_some(fulcrum_onnx_model_apply);
        asked.user = model.cast();
        asked.minibatch = it.minibatch();
        asked.cost_ns = it.cost_ns();
        asked.memory_bytes = it.memory_bytes();
        // SAFETY: as above, and writable.
        unsafe { sized::write(stream, &asked, "stream is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(model, null_mut(), fill_in) }
}

/// CALLBACK fulcrum_run_t: runs a minibatch on a model, its user.
///
/// | allocates no, but ONNX Runtime some hundred bytes a node | blocks no | threads one at a time | real-time yes |
/// @param user  an open model
/// @param requests  the requests
/// @param count  how many, at most the model's minibatch
/// @param[out] answers  an answer for each
/// @return FULCRUM_OK, what the input callback returned, FULCRUM_ERR_UNPREPARED (501), FULCRUM_ERR_ONNX_REFUSED (604),
///         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_model_run(
    user: *mut c_void,
    requests: *const fulcrum_request_t,
    count: u32,
    answers: *mut u64,
) -> i32 {
    let run = |model: &Model| {
        sized::writable(requests.cast_mut(), "requests is NULL")?;
        sized::writable(answers, "answers is NULL")?;
        let count = (count as usize).min(limits::MINIBATCH);
        // SAFETY: neither NULL nor misaligned; the caller promises so many requests.
        let requests = unsafe { core::slice::from_raw_parts(requests, count) };
        // SAFETY: likewise for the answers.
        let answers = unsafe { core::slice::from_raw_parts_mut(answers, count) };
        model.run(requests, answers)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_model_t>(), null_mut(), run) }
}

/// CALLBACK fulcrum_apply_t: has a model, its user, run with another set of its weights from the next minibatch on.
/// Without FULCRUM_ONNX_SWAPS it does nothing.
///
/// | allocates no | blocks no | threads one at a time | real-time yes |
/// @param user  an open model
/// @param set  the set, below FULCRUM_WEIGHT_SETS
/// @param version  of its weights
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_model_apply(user: *mut c_void, set: u32, version: u32) {
    let apply = |model: &Model| {
        model.apply(set as usize, version);
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_model_t>(), null_mut(), apply) };
}

/// DESTRUCTOR fulcrum_onnx_model_t: frees the model. Stop the runtime first that it serves; a trainer that was made
/// with it goes on. Closing NULL does nothing. Closing twice, or while another thread uses the handle, is
/// undefined.
///
/// | allocates no | blocks no | threads one, and no other call | real-time no |
/// @param model  the model, or NULL
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_model_close(model: *mut fulcrum_onnx_model_t) {
    // SAFETY: the caller promises NULL or an open handle.
    if unsafe { opaque::checked(model) }.is_err() {
        return;
    }
    // SAFETY: checked above; the caller promises that nobody else uses it.
    unsafe { opaque::free(model) };
}
