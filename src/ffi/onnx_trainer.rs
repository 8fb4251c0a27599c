//! An [ONNX trainer](fulcrum_onnx_trainer_t): a training graph as a job, by the same callbacks as any other engine.

#![allow(unsafe_code)]

use super::array;
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::feed::{FeedHandle, fulcrum_feed_t};
use super::job::{
    FULCRUM_PIECE_ABORTED, FULCRUM_PIECE_DRY, FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, fulcrum_job_t,
};
use super::onnx::Trainer;
use super::onnx_engine::{engine_of, fulcrum_onnx_engine_t};
use super::onnx_model::fulcrum_onnx_model_t;
use super::opaque::{self, Named, Opaque, call};
use super::sized::{self, Growing};
use super::status::{FULCRUM_ERR_ABORTED, FULCRUM_OK, fulcrum_status_t};
use super::weights::fulcrum_score_t;
use crate::workload::Progress;
use core::ffi::{c_char, c_void};
use core::ptr::null_mut;

/// An ONNX trainer: a training graph, cut into pieces. Made by fulcrum_onnx_trainer_open, freed by
/// fulcrum_onnx_trainer_close. It is the `user` of its job: it outlives the runtime, or is closed after
/// fulcrum_stop.
pub struct fulcrum_onnx_trainer_t(());

/// Fetches samples, on the dispatcher thread, in the first pieces of a step. `x` has room for `samples` rows; `y` for
/// as many labels, int64_t where they are classes and float where they are values, as the graph has it.
/// FULCRUM_OK (0): done; anything else: there is nothing to train on yet. It must not throw, jump out, allocate,
/// lock or touch files.
pub type fulcrum_onnx_fetch_t =
    Option<unsafe extern "C" fn(user: *mut c_void, samples: u32, x: *mut f32, y: *mut c_void) -> i32>;

/// How a trainer is made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_onnx_trainer_config_t {
    /// sizeof(fulcrum_onnx_trainer_config_t); set it before anything else.
    pub size: u32,
    /// Values of a sample, at least 1.
    pub row: u32,
    /// File of the training graph, as `fulcrum train-graph` writes it: step.onnx. Not NULL.
    pub step: *const c_char,
    /// File of the weights that training starts from, as `fulcrum train-graph` writes it. Not NULL.
    pub weights: *const c_char,
    /// Where samples come from: the trainer draws its minibatches from it, and has some held out if weights are
    /// handed over. Its number of values is `row`. It may be closed before the trainer is. NULL: there is fetch.
    pub feed: *mut fulcrum_feed_t,
    /// Fetches samples instead; it may draw from the feed itself, to change what it drew. NULL: there is a feed, and
    /// labels are classes.
    pub fetch: fulcrum_onnx_fetch_t,
    /// Handed to fetch. May be NULL.
    pub user: *mut c_void,
    /// The longest piece that is wanted, ns; the step is cut accordingly. 0: into one piece after the fetch.
    pub piece_ns: u64,
    /// The memory the trainer lives in, taken from the system at once; it is refused where that is not enough. 0: as
    /// much as it takes.
    pub memory_bytes: u64,
    /// Learning rate, above 0; fulcrum_onnx_trainer_rate changes it.
    pub lr: f32,
    /// How much longer than measured fulcrum_onnx_trainer_job says each piece is, in thousandths. Default 150.
    pub margin_permille: u32,
    /// FULCRUM_ONNX_LOCK_MEMORY or 0.
    pub flags: u32,
    /// Samples fetched in one piece, where a whole minibatch takes too long. Default: all.
    pub fetch_rows: u32,
    /// With a model: every so many samples of the feed one is held out from training, to judge weights on; at
    /// least 2. Default 4.
    pub held_out_every: u32,
    /// With a model: held-out samples that weights are judged on, the newest. Default 32.
    pub held_out: u32,
    /// With a model: samples judged in one piece, 1 to 64. Default 4.
    pub judged: u32,
    /// Must be 0.
    pub reserved: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    core::mem::size_of::<fulcrum_onnx_trainer_config_t>() == 96,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first; two u32 or an f32 and a u32 stand before each pointer or u64 and at the end, so there
// is no padding on a 64-bit target (asserted above), and it is only ever read. Zero is valid.
unsafe impl Growing for fulcrum_onnx_trainer_config_t {
    const NAME: &'static str = "fulcrum_onnx_trainer_config_t";
    const FIRST: u32 = core::mem::size_of::<fulcrum_onnx_trainer_config_t>() as u32;
}

impl Named for fulcrum_onnx_trainer_t {
    type Object = Trainer;
    /// "fultrai" and a 1.
    const MAGIC: u64 = u64::from_be_bytes(*b"fultrai1");
}

/// CONSTRUCTOR fulcrum_onnx_trainer_t: loads a training graph, measures its nodes, cuts it into pieces and runs each
/// several times, so that no later run has anything to set up. With a model its weights can be handed over to
/// that: samples are then held out from the feed, from now on until the trainer is closed. The fetch callback is
/// not called yet.
///
/// | allocates yes | blocks until the graph is loaded, measured and cut | threads any | real-time no |
/// @param engine  an open engine
/// @param model  the model that takes the weights, with FULCRUM_ONNX_SWAPS; NULL: none does
/// @param config  how it is made; not NULL
/// @param[out] out  the trainer, to be closed with fulcrum_onnx_trainer_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_MODEL (606), FULCRUM_ERR_ONNX_REFUSED (604),
///         FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
///         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PATH (107), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUSY (403): a sample was being pushed that very moment; FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_open(
    engine: *const fulcrum_onnx_engine_t,
    model: *const fulcrum_onnx_model_t,
    config: *const fulcrum_onnx_trainer_config_t,
    out: *mut *mut fulcrum_onnx_trainer_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        // SAFETY: the caller promises an open handle.
        let engine = unsafe { engine_of(engine) }?;
        // SAFETY: likewise, or NULL.
        let model = (!model.is_null()).then(|| unsafe { opaque::checked(model) });
        // SAFETY: the caller promises as many bytes as the struct says.
        let config = unsafe { sized::read(config, "config is NULL") }?;
        // SAFETY: the caller promises NULL or an open handle.
        let feed = (!config.feed.is_null()).then(|| unsafe { opaque::checked(config.feed.cast_const()) });
        let (model, feed) = (model.transpose()?, feed.transpose()?);
        let feed: Option<&FeedHandle> = feed.map(Opaque::object);
        // SAFETY: the caller promises what the struct's fields say of their pointers.
        unsafe { Trainer::open(engine, model.map(Opaque::object), feed, &config) }
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// METHOD fulcrum_onnx_trainer_t: fills in what a job needs to run this trainer: piece_count, piece_ns (measured upper
/// times and the margin, in the trainer's own memory; add what a fetch callback takes to its own), run_piece, user,
/// memory_bytes, save, load and, with a model, fill and eval with their lengths and numbers. All other fields stay
/// as they are: with a model set stream; for a job whose pieces can be given up set abort to fulcrum_onnx_trainer_abort, and abort_ns; for one
/// whose state is kept set checkpoint.
///
/// | allocates no | blocks no | threads any | real-time no |
/// @param trainer  an open trainer
/// @param[in,out] job  a struct whose size is that of this release or of a later one
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_job(
    trainer: *mut fulcrum_onnx_trainer_t,
    job: *mut fulcrum_job_t,
) -> fulcrum_status_t {
    const ROOM: usize = core::mem::offset_of!(fulcrum_job_t, memory_bytes) + 8;
    let fill_in = |it: &Trainer| {
        // SAFETY: the caller promises as many bytes as the struct says.
        let mut asked = unsafe { sized::read_of(job, ROOM, "job is NULL") }?;
        let (fills, evals) = (it.fills(), it.evals());
        let [fill_ns, eval_ns] = it.gate_ns();
        asked.piece_count = it.piece_ns().len() as u32;
        asked.piece_ns = it.piece_ns().as_ptr();
        asked.run_piece = Some(fulcrum_onnx_trainer_run_piece);
        asked.user = trainer.cast();
        asked.memory_bytes = it.memory_bytes();
        asked.save = Some(fulcrum_onnx_trainer_save);
        asked.load = Some(fulcrum_onnx_trainer_load);
        asked.fill = (fills > 0).then_some(fulcrum_onnx_trainer_fill);
        asked.eval = (evals > 0).then_some(fulcrum_onnx_trainer_eval);
        (asked.fill_count, asked.fill_ns) = (fills, fill_ns);
        (asked.eval_count, asked.eval_ns) = (evals, eval_ns);
        // SAFETY: as above, and writable.
        unsafe { sized::write(job, &asked, "job is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(trainer, null_mut(), fill_in) }
}

/// METHOD fulcrum_onnx_trainer_t: changes the learning rate, from the next step that begins on. A checkpoint does not
/// keep it.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param trainer  an open trainer
/// @param lr  the learning rate, finite and above 0
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_rate(
    trainer: *mut fulcrum_onnx_trainer_t,
    lr: f32,
) -> fulcrum_status_t {
    let set = |trainer: &Trainer| match trainer.set_rate(lr) {
        true => Ok(FULCRUM_OK),
        false => Err(Fault::Argument("lr must be finite and above 0")),
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(trainer, null_mut(), set) }
}

/// CALLBACK fulcrum_run_piece_t: runs a piece of a trainer, its user.
///
/// | allocates no, but ONNX Runtime some hundred bytes a node | blocks no | threads one at a time | real-time yes |
/// @param user  an open trainer
/// @param piece  which piece, counted from 0
/// @param[out] loss  written with the step's last piece; not a number where the step came to nothing
/// @return FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, FULCRUM_PIECE_DRY, FULCRUM_PIECE_ABORTED, or why it failed:
///         FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_ONNX_MEMORY (607), FULCRUM_ERR_ARGUMENT (101): also where it is not
///         the next piece; FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_run_piece(
    user: *mut c_void,
    piece: u32,
    loss: *mut f32,
) -> i32 {
    let run = |trainer: &Trainer| {
        sized::writable(loss, "loss is NULL")?;
        let value = match trainer.run_piece(piece)? {
            Ok(Progress::Ran) => return Ok(FULCRUM_PIECE_RAN),
            Ok(Progress::Dry) => return Ok(FULCRUM_PIECE_DRY),
            Ok(Progress::Stepped { loss }) => loss,
            Err(code) => return Ok(piece_code(code)),
        };
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(loss, value, "loss is NULL") }?;
        Ok(FULCRUM_PIECE_STEPPED)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), run) }
}

/// CALLBACK fulcrum_abort_t: ends the running piece of a trainer, its user, through ONNX Runtime's own flag for it,
/// which is looked at between two nodes.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param user  an open trainer
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_abort(user: *mut c_void) {
    let abort = |trainer: &Trainer| {
        trainer.abort();
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), abort) };
}

/// CALLBACK fulcrum_fill_t: copies a part of the weights of a trainer, its user, into a set of its model. That nobody
/// reads the set meanwhile is the caller's to see to; the runtime does.
///
/// | allocates no | blocks no | threads one at a time | real-time yes |
/// @param user  an open trainer, made with a model
/// @param set  the set, below FULCRUM_WEIGHT_SETS
/// @param part  which part, counted from 0
/// @return FULCRUM_OK, FULCRUM_PIECE_ABORTED, FULCRUM_ERR_ARGUMENT (101): no such set or part;
///         FULCRUM_ERR_NO_FUNCTION (508), FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_fill(user: *mut c_void, set: u32, part: u32) -> i32 {
    let fill = |trainer: &Trainer| trainer.fill(part, set as usize).map(piece_code);
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), fill) }
}

/// CALLBACK fulcrum_eval_t: judges a set of weights of a trainer's model on a part of the held-out samples, by cross
/// entropy and by right answers.
///
/// | allocates no | blocks no | threads one at a time | real-time yes |
/// @param user  an open trainer, made with a model
/// @param set  the set, below FULCRUM_WEIGHT_SETS
/// @param part  which part, counted from 0
/// @param[out] score  what it is worth
/// @return as fulcrum_onnx_trainer_fill
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_eval(
    user: *mut c_void,
    set: u32,
    part: u32,
    score: *mut fulcrum_score_t,
) -> i32 {
    let eval = |trainer: &Trainer| {
        sized::writable(score, "score is NULL")?;
        match trainer.eval(part, set as usize)? {
            Err(code) => return Ok(piece_code(code)),
            // SAFETY: checked above; the caller promises that it is writable.
            Ok(judged) => unsafe { sized::put(score, judged, "score is NULL") }?,
        }
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), eval) }
}

/// CALLBACK fulcrum_save_t: writes a part of the state of a trainer, its user: weights, optimiser, steps, and the position
/// of its feed. A trainer whose state lies in a device's memory does not.
///
/// | allocates no | blocks no | threads one at a time | real-time yes |
/// @param user  an open trainer
/// @param part  which part, counted from 0
/// @param[out] bytes  room for the part
/// @param capacity  how much room
/// @return the part's bytes, 0 past the last; more than capacity: nothing was written; below 0: a status, negated
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_save(
    user: *mut c_void,
    part: u32,
    bytes: *mut c_void,
    capacity: u64,
) -> i64 {
    let mut needed = 0;
    let save = |trainer: &Trainer| {
        let wrong = "bytes is NULL, or capacity more than there is";
        // SAFETY: the caller promises so much room.
        let into = unsafe { array::room(bytes.cast(), capacity, wrong) }?;
        match trainer.save(part, into)? {
            Ok(bytes) => needed = bytes as i64,
            Err(code) => return Ok(code),
        }
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    match unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), save) } {
        FULCRUM_OK => needed,
        status => -i64::from(status),
    }
}

/// CALLBACK fulcrum_load_t: takes back a part that fulcrum_onnx_trainer_save wrote for the same graph.
///
/// | allocates no | blocks no | threads one at a time, before the first step | real-time no |
/// @param user  an open trainer
/// @param part  which part, counted from 0
/// @param bytes  the part
/// @param size  its bytes
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101): also where it is a part of another graph's state;
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_load(
    user: *mut c_void,
    part: u32,
    bytes: *const c_void,
    size: u64,
) -> i32 {
    let load = |trainer: &Trainer| {
        let wrong = "bytes is NULL, or size more than a part has";
        let size = u32::try_from(size).map_err(|_| Fault::Argument(wrong))?;
        // SAFETY: the caller promises so many bytes.
        let from = unsafe { array::values(bytes.cast::<u8>(), size, wrong) }?;
        trainer.load(part, from)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(user.cast::<fulcrum_onnx_trainer_t>(), null_mut(), load) }
}

/// METHOD fulcrum_onnx_trainer_t: writes the present weights to a file, in the form of those that training started
/// from. The file is written whole or not at all. For before the start and after the stop of the runtime.
///
/// | allocates yes | blocks until the file is on disk | threads one at a time, no callback | real-time no |
/// @param trainer  an open trainer
/// @param path  the file; one that is there is replaced
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_MODEL_FILE (605), FULCRUM_ERR_PATH (107), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_write(
    trainer: *const fulcrum_onnx_trainer_t,
    path: *const c_char,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let write = |trainer: &Trainer| {
        // SAFETY: the caller promises a zero-terminated text or as many bytes as a path may have.
        let path = unsafe { sized::path_of(path, "path is NULL") }?;
        trainer.write(&path)?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(trainer, error, write) }
}

/// DESTRUCTOR fulcrum_onnx_trainer_t: frees the trainer. Stop the runtime first that it trains in. Closing NULL does
/// nothing. Closing twice, or while another thread uses the handle, is undefined.
///
/// | allocates no | blocks no | threads one, and no other call | real-time no |
/// @param trainer  the trainer, or NULL
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_trainer_close(trainer: *mut fulcrum_onnx_trainer_t) {
    // SAFETY: the caller promises NULL or an open handle.
    if unsafe { opaque::checked(trainer) }.is_err() {
        return;
    }
    // SAFETY: checked above; the caller promises that nobody else uses it.
    unsafe { opaque::free(trainer) };
}

/// A piece that was given up has a number of its own among those of pieces.
fn piece_code(code: fulcrum_status_t) -> i32 {
    if code == FULCRUM_ERR_ABORTED {
        FULCRUM_PIECE_ABORTED
    } else {
        code
    }
}
