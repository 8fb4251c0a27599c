//! A [job](fulcrum_job_t) of training whose pieces C functions run.

#![allow(unsafe_code)]

use super::array;
use super::checkpoint::fulcrum_checkpoint_t;
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use super::trainer::Trainer;
use super::weights::{self, fulcrum_abort_t, fulcrum_eval_t, fulcrum_fill_t, fulcrum_load_t, fulcrum_save_t};
use crate::limits;
use crate::runtime::RuntimeError;
use crate::schedule::{JobSpec, ScheduleError};
use crate::units::{Nanos, Permille};
use crate::workload::gate::Gate;
use core::ffi::{c_char, c_void};

/// A piece ran; the next one of this step may follow.
pub const FULCRUM_PIECE_RAN: i32 = 0;
/// A piece ran and was the step's last; its loss was written.
pub const FULCRUM_PIECE_STEPPED: i32 = 1;
/// There is nothing to train on yet; the same piece is asked for again a little later.
pub const FULCRUM_PIECE_DRY: i32 = 2;
/// A piece was given up because the job's abort function was called; the same one is run again, as if it had
/// never started.
pub const FULCRUM_PIECE_ABORTED: i32 = 3;

/// Runs one piece of the present step, on the dispatcher thread. Pieces are counted from 0. Returns
/// FULCRUM_PIECE_RAN; for the step's last piece it writes the loss and returns FULCRUM_PIECE_STEPPED; without
/// data FULCRUM_PIECE_DRY; given up by the job's abort function FULCRUM_PIECE_ABORTED. Any other number means
/// that it failed, and so does a loss that is not a number: the step then starts again from piece 0, and the
/// function goes back to the state of the last whole step. It must not throw, jump out, allocate, lock or
/// touch files.
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
    /// Handed to every callback. Used on the dispatcher thread until the runtime is stopped or closed, but by
    /// abort, which any thread may call. May be NULL.
    pub user: *mut c_void,
    /// How long it takes at most until a piece that was told to end has ended, ns: an upper value, part of
    /// the bound. Above 0 with abort, else 0.
    pub abort_ns: u64,
    /// The longest that fill takes, ns. Above 0 with fill, else 0.
    pub fill_ns: u64,
    /// The longest that eval takes, ns. Above 0 with eval, else 0.
    pub eval_ns: u64,
    /// Ends the running piece; NULL: pieces run to their end.
    pub abort: fulcrum_abort_t,
    /// Copies the job's weights for the stream below; NULL: it hands none over.
    pub fill: fulcrum_fill_t,
    /// Judges weights before they serve; NULL: all that fill copied serve. Needs fill.
    pub eval: fulcrum_eval_t,
    /// Writes the job's state; NULL: it cannot be saved.
    pub save: fulcrum_save_t,
    /// Takes the job's state back; NULL: it cannot be loaded.
    pub load: fulcrum_load_t,
    /// How the job's state is kept, with save and load: what is kept already is loaded when the job is added, and a copy
    /// is taken every so many steps, each part a piece behind the others. NULL: it is not kept. Copied.
    pub checkpoint: *const fulcrum_checkpoint_t,
    /// Parts that fill copies, each a piece. Above 0 with fill, else 0. All pieces, those of a step, of fill
    /// and twice those of eval, are 128 at most.
    pub fill_count: u32,
    /// Parts that eval judges at most, each a piece, for each of the two sets. Above 0 with eval, else 0.
    pub eval_count: u32,
    /// With fill: the stream whose weights these are. It was added before, with an apply function; one job
    /// has it.
    pub stream: u32,
    /// With fill: steps from one set of weights to the next. Default 4.
    pub every: u32,
    /// With eval: FULCRUM_METRIC_LOSS (0), FULCRUM_METRIC_ACCURACY or FULCRUM_METRIC_BOTH.
    pub metric: u32,
    /// With eval: how much worse than those in service new weights may be, in thousandths as the metric says.
    /// Default 50.
    pub margin_permille: u32,
    /// Bytes that what the callbacks train holds, weights, optimiser and buffers; admission sums them up, see
    /// fulcrum_config_t. 0: not told.
    pub memory_bytes: u64,
}

/// Bytes of the struct in the first release: up to and with `user`.
const FIRST: u32 = core::mem::offset_of!(fulcrum_job_t, abort_ns) as u32;

const _: () = assert!(limits::PIECES == 128, "the header says so");

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(FIRST == 40, "the first release is frozen");
    assert!(
        core::mem::size_of::<fulcrum_job_t>() == 144,
        "the fields fill it, without padding"
    );
    assert!(
        core::mem::offset_of!(fulcrum_job_t, user) == 32,
        "the first release is frozen"
    );
};

// SAFETY: repr(C), a u32 first; the u32 stand in pairs, and so do the pointers, so there is no padding on a
// 64-bit target (asserted above) and none on a 32-bit one. Zero is valid: NULL pointers and no callbacks.
unsafe impl Growing for fulcrum_job_t {
    const NAME: &'static str = "fulcrum_job_t";
    const FIRST: u32 = FIRST;
}

impl fulcrum_job_t {
    /// A job that asks for nothing, to be filled in.
    #[cfg(test)]
    pub(super) const EMPTY: fulcrum_job_t = fulcrum_job_t {
        size: 0,
        piece_count: 0,
        name: core::ptr::null(),
        piece_ns: core::ptr::null(),
        run_piece: None,
        user: core::ptr::null_mut(),
        abort_ns: 0,
        fill_ns: 0,
        eval_ns: 0,
        abort: None,
        fill: None,
        eval: None,
        save: None,
        load: None,
        checkpoint: core::ptr::null(),
        fill_count: 0,
        eval_count: 0,
        stream: 0,
        every: 0,
        metric: 0,
        margin_permille: 0,
        memory_bytes: 0,
    };

    /// All pieces of the step as one job asks for them; those of the gate come after its own.
    fn spec(&self) -> Result<JobSpec, Fault> {
        let (count, fills) = (self.piece_count as usize, self.fill_count as usize);
        let evals = (self.eval_count as usize).saturating_mul(2);
        let all = count.saturating_add(fills).saturating_add(evals);
        if count == 0 || all > limits::PIECES {
            return Err(RuntimeError::from(ScheduleError::Pieces(all)).into());
        }
        // SAFETY: the caller promises `piece_count` lengths.
        let own = unsafe { array::lengths(self.piece_ns, count, "job.piece_ns is NULL") }?;
        if own.contains(&Nanos::ZERO) {
            return Err(RuntimeError::from(ScheduleError::Pieces(count)).into());
        }
        // SAFETY: the caller promises a zero-terminated or 32-byte text.
        let name = unsafe { sized::name(self.name) }?;
        let gate = core::iter::repeat_n(Nanos(self.fill_ns), fills)
            .chain(core::iter::repeat_n(Nanos(self.eval_ns), evals));
        Ok(JobSpec {
            name,
            pieces: own.into_iter().chain(gate).collect(),
            abort: Some(Nanos(self.abort_ns)).filter(|latency| *latency > Nanos::ZERO),
        })
    }

    /// How the state is kept, if it is.
    fn checkpoint(&self) -> Result<Option<fulcrum_checkpoint_t>, Fault> {
        if self.checkpoint.is_null() {
            return Ok(None);
        }
        if self.save.is_none() || self.load.is_none() {
            return Err(Fault::Argument("job.checkpoint needs job.save and job.load"));
        }
        // SAFETY: not NULL; the caller promises as many bytes as the struct says.
        let checkpoint = unsafe { sized::read(self.checkpoint, "job.checkpoint is misaligned") }?;
        Ok(Some(checkpoint))
    }

    /// The way through the gate, if the job hands weights over. Each function comes with its numbers, and
    /// none without.
    fn gate(&self) -> Result<Option<Gate>, Fault> {
        if self.abort.is_some() != (self.abort_ns > 0) {
            return Err(Fault::Argument("job.abort and job.abort_ns belong together"));
        }
        let filled = [self.fill.is_some(), self.fill_ns > 0, self.fill_count > 0];
        if filled.contains(&true) && filled.contains(&false) {
            return Err(Fault::Argument(
                "job.fill, job.fill_ns and job.fill_count belong together",
            ));
        }
        let judged = [self.eval.is_some(), self.eval_ns > 0, self.eval_count > 0];
        if judged.contains(&true) && judged.contains(&false) {
            return Err(Fault::Argument(
                "job.eval, job.eval_ns and job.eval_count belong together",
            ));
        }
        if self.fill.is_none() && self.eval.is_some() {
            return Err(Fault::Argument("job.eval judges what job.fill copies: set both"));
        }
        let metric = weights::metric(self.metric).ok_or(Fault::TooNew(
            "job.metric is not known to this release of fulcrum",
        ))?;
        let default = Gate::default();
        let or = |value: u32, default: u32| if value == 0 { default } else { value };
        Ok(self.fill.map(|_| Gate {
            every: or(self.every, default.every),
            metric,
            margin: Permille(or(self.margin_permille, default.margin.0)),
        }))
    }
}

/// METHOD fulcrum_runtime_t: adds a training job. Jobs are numbered from 0 in the order of adding. What the struct, its
/// name and its lengths hold is copied. With checkpoints save is called here, for each part's size and time, and load
/// if there is something to load.
///
/// | allocates yes | blocks no; with checkpoints until the newest is read | threads one at a time, no callback | real-time no |
/// @param rt  a runtime that was not started yet
/// @param job  what the job asks for
/// @param[out] out_job  the job's number
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_NAME (106), FULCRUM_ERR_JOBS_FULL (302), FULCRUM_ERR_PIECES (305),
///         FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_SWAP (314), FULCRUM_ERR_PATH (107),
///         FULCRUM_ERR_CHECKPOINT (421), FULCRUM_ERR_CHECKPOINT_BUSY (422), FULCRUM_ERR_CHECKPOINT_DAMAGED (423),
///         FULCRUM_ERR_CHECKPOINT_FOREIGN (424), FULCRUM_ERR_CHECKPOINT_LATER (425),
///         FULCRUM_ERR_CHECKPOINT_BUDGET (426), FULCRUM_ERR_CHECKPOINT_STATE (427), FULCRUM_ERR_PHASE (401),
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
        let gate = job.gate()?;
        let checkpoint = job.checkpoint()?;
        let spec = job.spec()?;
        let run_piece = job.run_piece.ok_or(Fault::Argument("job.run_piece is NULL"))?;
        let mut trainer = Trainer::new(&job, run_piece);
        rt.build(|building| {
            // Before the stream's end is taken: what is refused takes nothing.
            if building.jobs as usize >= limits::JOBS {
                return Err(RuntimeError::from(ScheduleError::JobsFull).into());
            }
            if gate.is_some() {
                building.swaps(job.stream)?;
            }
            let keeping = checkpoint.map(|asked| {
                // SAFETY: the caller promises what the struct's fields say of their pointers.
                unsafe { asked.open(&spec, &mut trainer) }
            });
            let keeping = keeping.transpose()?;
            let publisher = match gate {
                None => None,
                Some(gate) => Some((building.take_publisher(job.stream)?, gate)),
            };
            building.add_job(spec, trainer, publisher, keeping)?;
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
