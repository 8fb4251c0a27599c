//! A [job](fulcrum_job_t) of training whose pieces a C function runs.

#![allow(unsafe_code)]

use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::handle::{Handle, mark_dispatcher};
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::limits;
use crate::runtime::RuntimeError;
use crate::schedule::{JobSpec, ScheduleError};
use crate::workload::{Progress, Training, WorkloadError};
use core::ffi::{c_char, c_void};

/// A piece ran; the next one of this step may follow.
pub const FULCRUM_PIECE_RAN: i32 = 0;
/// A piece ran and was the step's last; its loss was written.
pub const FULCRUM_PIECE_STEPPED: i32 = 1;
/// There is nothing to train on yet; the same piece is asked for again a little later.
pub const FULCRUM_PIECE_DRY: i32 = 2;

/// Runs one piece of the present step, on the dispatcher thread. Pieces are counted from 0. Returns FULCRUM_PIECE_RAN;
/// for the step's last piece it writes the loss and returns FULCRUM_PIECE_STEPPED; without data FULCRUM_PIECE_DRY. Any
/// other number means that it failed, and so does a loss that is not a number: the step then starts again from piece 0,
/// and the function goes back to the state of the last whole step. It must not throw, jump out, allocate, lock or touch
/// files.
pub type fulcrum_run_piece_t =
    Option<unsafe extern "C" fn(user: *mut c_void, piece: u32, loss: *mut f32) -> i32>;

/// What a training job asks for: one step after the other, each cut into pieces that run in order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_job_t {
    /// sizeof(fulcrum_job_t); set it before anything else.
    pub size: u32,
    /// Pieces in one step, 1 to 128.
    pub piece_count: u32,
    /// For people and traces: UTF-8, at most 31 bytes and a zero. Copied.
    pub name: *const c_char,
    /// The longest each of the piece_count pieces takes, ns: upper quantiles or maxima, never means. Above 0. Copied.
    pub piece_ns: *const u64,
    /// Runs a piece. Not NULL.
    pub run_piece: fulcrum_run_piece_t,
    /// Handed to the callback. Used on the dispatcher thread until the runtime is stopped or closed. May be NULL.
    pub user: *mut c_void,
}

const _: () = assert!(limits::PIECES == 128, "the header says so");

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(
        core::mem::size_of::<fulcrum_job_t>() == 40,
        "the first release is frozen"
    );
    assert!(
        core::mem::offset_of!(fulcrum_job_t, user) == 32,
        "the first release is frozen"
    );
};

// SAFETY: repr(C), a u32 first, two u32 and then pointers alone, so there is no padding. Zero is valid: NULL pointers
// and no callback.
unsafe impl Growing for fulcrum_job_t {
    const NAME: &'static str = "fulcrum_job_t";
    const FIRST: u32 = size_of::<fulcrum_job_t>() as u32;
}

impl fulcrum_job_t {
    fn spec(&self) -> Result<JobSpec, Fault> {
        let count = self.piece_count as usize;
        if count == 0 || count > limits::PIECES {
            return Err(RuntimeError::from(ScheduleError::Pieces(count)).into());
        }
        // SAFETY: the caller promises `piece_count` lengths.
        let pieces = unsafe { sized::lengths(self.piece_ns, count, "job.piece_ns is NULL") }?;
        // SAFETY: the caller promises a zero-terminated or 32-byte text.
        let name = unsafe { sized::name(self.name) }?;
        Ok(JobSpec {
            name,
            pieces,
            abort: None,
        })
    }
}

/// The C function of a job.
struct Callback {
    pieces: u16,
    run_piece: unsafe extern "C" fn(*mut c_void, u32, *mut f32) -> i32,
    user: *mut c_void,
}

// SAFETY: fulcrum_job_t.user promises use on the dispatcher thread, and nothing here uses it on another.
unsafe impl Send for Callback {}

impl Training for Callback {
    fn pieces(&self) -> u16 {
        self.pieces
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        mark_dispatcher();
        let mut loss = 0.0;
        // SAFETY: `loss` lives during the call; `fulcrum_run_piece_t` states what the function may do.
        match unsafe { (self.run_piece)(self.user, u32::from(piece), &mut loss) } {
            FULCRUM_PIECE_RAN => Ok(Progress::Ran),
            FULCRUM_PIECE_STEPPED if loss.is_nan() => Err(WorkloadError::NotANumber),
            FULCRUM_PIECE_STEPPED => Ok(Progress::Stepped { loss }),
            FULCRUM_PIECE_DRY => Ok(Progress::Dry),
            code => Err(WorkloadError::Failed(code)),
        }
    }
}

/// METHOD fulcrum_runtime_t: adds a training job. Jobs are numbered from 0 in the order of adding. What the struct, its
/// name and its lengths hold is copied.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param rt  a runtime that was not started yet
/// @param job  what the job asks for
/// @param[out] out_job  the job's number
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_NAME (106), FULCRUM_ERR_JOBS_FULL (302), FULCRUM_ERR_PIECES (305), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_job_add(
    rt: *mut fulcrum_runtime_t,
    job: *const fulcrum_job_t,
    out_job: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let add = |rt: &Handle| {
        sized::writable(out_job, "out_job is NULL")?;
        // SAFETY: the caller promises as many bytes as the struct says.
        let job = unsafe { sized::read(job, "job is NULL") }?;
        let spec = job.spec()?;
        let run_piece = job.run_piece.ok_or(Fault::Argument("job.run_piece is NULL"))?;
        // A step has at most limits::PIECES pieces, which fit.
        let work = Callback {
            pieces: job.piece_count as u16,
            run_piece,
            user: job.user,
        };
        rt.build(|building| {
            building.builder.job(spec, Box::new(work))?;
            let number = building.jobs;
            building.jobs += 1;
            // SAFETY: checked above; the caller promises that it is writable.
            unsafe { sized::put(out_job, number, "out_job is NULL") }
        })?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(rt, error, add) }
}
