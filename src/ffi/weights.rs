//! New weights: the functions by which any engine hands them from a job to a stream, and the way back.
//!
//! Both sides keep [`FULCRUM_WEIGHT_SETS`] sets of weights. The job copies its weights into a spare one and
//! judges it; the stream is told which one serves. Which is which is the library's business, so no function
//! here copies for inference.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized;
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::workload::gate::{Metric, Score};
use crate::workload::swap;
use core::ffi::c_void;
use core::ptr::null_mut;

/// Sets of weights that a job and its stream share, numbered from 0: in service, in service before, being
/// filled. All hold the first weights when they are registered.
pub const FULCRUM_WEIGHT_SETS: u32 = 3;

const _: () = assert!(swap::SETS == FULCRUM_WEIGHT_SETS as usize, "the header says so");

/// Weights are compared by their mean loss: worse by so many thousandths of the loss in service.
pub const FULCRUM_METRIC_LOSS: u32 = 0;
/// Weights are compared by their right answers: worse by so many thousandths of all samples.
pub const FULCRUM_METRIC_ACCURACY: u32 = 1;
/// Weights are compared by both; the worse of the two counts.
pub const FULCRUM_METRIC_BOTH: u32 = 2;

/// What a set of weights is worth on some held-out samples. Its layout never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct fulcrum_score_t {
    /// Sum of the samples' losses; 0 where only answers are judged.
    pub loss: f64,
    /// Samples that were answered rightly.
    pub right: u32,
    /// Samples judged; 0: there are no more.
    pub samples: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_score_t>() == 16,
    "the layout is frozen"
);

impl From<fulcrum_score_t> for Score {
    fn from(score: fulcrum_score_t) -> Score {
        Score {
            loss: score.loss,
            right: score.right,
            samples: score.samples,
        }
    }
}

/// The metric of this number, if there is one.
pub(super) fn metric(number: u32) -> Option<Metric> {
    match number {
        FULCRUM_METRIC_LOSS => Some(Metric::Loss),
        FULCRUM_METRIC_ACCURACY => Some(Metric::Accuracy),
        FULCRUM_METRIC_BOTH => Some(Metric::Both),
        _ => None,
    }
}

/// Has a stream use another set of weights from its next minibatch on: those of version `version`, in set
/// `set`. Called on the dispatcher thread right before that minibatch, whose cost it is part of; so it
/// exchanges a pointer or an index, and copies nothing. Before the first call set 0 serves, with version 0.
/// It must not throw, jump out, allocate, lock or touch files.
pub type fulcrum_apply_t = Option<unsafe extern "C" fn(user: *mut c_void, set: u32, version: u32)>;

/// Copies part `part`, counted from 0, of a job's present weights into set `set`, on the dispatcher thread.
/// Between two steps, one part a piece; nobody reads the set meanwhile. 0: done; FULCRUM_PIECE_ABORTED, if
/// the job has an abort function: given up, to be called again; else it failed, and the old weights stay. It
/// must not throw, jump out, allocate, lock or touch files.
pub type fulcrum_fill_t = Option<unsafe extern "C" fn(user: *mut c_void, set: u32, part: u32) -> i32>;

/// Judges set `set` on part `part`, counted from 0, of samples that were never trained on, on the dispatcher
/// thread; one part a piece. Called for the new weights first, then for those in service with the same parts,
/// which must be the same samples. It writes the score; one of no samples says that there are no more.
/// Returns as fulcrum_fill_t, with the same rules.
pub type fulcrum_eval_t =
    Option<unsafe extern "C" fn(user: *mut c_void, set: u32, part: u32, score: *mut fulcrum_score_t) -> i32>;

/// Ends the running piece as soon as it can, which then returns FULCRUM_PIECE_ABORTED and is run again.
/// Called from any thread, while pieces run on another, so it sets a flag and nothing more. A call that finds
/// no piece running may end the next one.
pub type fulcrum_abort_t = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Writes part `part`, counted from 0, of a job's state as it is after a whole step. Returns its bytes, 0
/// past the last part; more than `capacity`: nothing was written, and so many are needed; below 0: it failed.
/// The number of parts and their bytes never change; with a capacity of 0 only they are asked for. Called when
/// the job is added, and on the dispatcher thread between two steps, one part a piece; there it must not throw,
/// jump out, allocate, lock or touch files.
pub type fulcrum_save_t =
    Option<unsafe extern "C" fn(user: *mut c_void, part: u32, bytes: *mut c_void, capacity: u64) -> i64>;

/// Takes back a part of `size` bytes that fulcrum_save_t wrote, before the first step: all parts in order, or
/// none. 0: done; else it failed, and the job is not added.
pub type fulcrum_load_t =
    Option<unsafe extern "C" fn(user: *mut c_void, part: u32, bytes: *const c_void, size: u64) -> i32>;

/// METHOD fulcrum_runtime_t: goes back to the weights that served a stream before the present ones, from its
/// next minibatch on. One step back is kept; what was gone back from is dropped. The job trains on from where
/// it is.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param stream  the stream's number
/// @param[out] out_version  the version that serves now
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_SWAP (314),
///         FULCRUM_ERR_NO_VERSION (315), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_revert(
    rt: *mut fulcrum_runtime_t,
    stream: u32,
    out_version: *mut u32,
) -> fulcrum_status_t {
    let revert = |rt: &Handle| {
        sized::writable(out_version, "out_version is NULL")?;
        let known = rt.view()?.streams.get(stream as usize);
        known.ok_or(Fault::NoStream(stream))?;
        let reverter = rt.port(stream)?.reverter.get();
        let version = reverter.ok_or(Fault::NoSwap(stream))?.revert();
        let version = version.ok_or(Fault::NoVersion(stream))?;
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_version, version, "out_version is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), revert) }
}
