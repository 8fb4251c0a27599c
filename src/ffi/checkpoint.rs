//! [Checkpoints](fulcrum_checkpoint_t) of a job: its state on disk, through its own save and load.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use super::trainer::Trainer;
use crate::limits;
use crate::schedule::JobSpec;
use crate::units::Nanos;
use crate::workload::Training;
use crate::workload::checkpoint::{
    Budget, Checkpoint, CheckpointError, Checkpointed, Config, Folder, STEPS, Slots, Snapshot, State,
    Statistics, Writer, channel,
};
use core::ffi::c_char;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

/// Steps between two checkpoints where nothing is said.
const EVERY: u32 = 100;

/// How a job's state is kept: written into one of two slots in turn, on a thread of its own, so that after a
/// crash or a power cut at any moment the newest or the one before it loads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_checkpoint_t {
    /// sizeof(fulcrum_checkpoint_t); set it before anything else.
    pub size: u32,
    /// Steps from one checkpoint to the next. Default 100.
    pub every: u32,
    /// The folder they are kept in, of this job alone; made if it is missing. Not NULL. Copied.
    pub folder: *const c_char,
    /// What the state belongs to, a number of the caller's own: a checksum of the model or a version of the state's
    /// layout. A checkpoint of another is refused.
    pub identity: u64,
    /// Bytes that may be written in any hour, to spare the flash; checkpoints beyond that are put off. 0: no limit.
    pub budget_bytes: u64,
    /// The longest that save takes for one part, ns. 0: it is measured when the job is added, and half as much again
    /// is announced. A part is not given up for a request, so for a job with abort it is at most abort_ns.
    pub save_ns: u64,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    core::mem::size_of::<fulcrum_checkpoint_t>() == 40,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first; two u32 and a pointer stand before the u64s, so there is no padding on a 64-bit target
// (asserted above), and it is only ever read. Zero is valid: a NULL pointer.
unsafe impl Growing for fulcrum_checkpoint_t {
    const NAME: &'static str = "fulcrum_checkpoint_t";
    const FIRST: u32 = core::mem::size_of::<fulcrum_checkpoint_t>() as u32;
}

/// What became of a job's checkpoints.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_checkpoint_statistics_t {
    /// sizeof(fulcrum_checkpoint_statistics_t); set it before the call.
    pub size: u32,
    /// The operating system's number for the newest checkpoint that could not be written, or 0.
    pub os_errno: i32,
    /// Steps of the checkpoint that was taken up when the job was added; 0: there was none.
    pub restored_steps: u64,
    /// Steps of the newest checkpoint on disk, those before a restart included.
    pub newest_steps: u64,
    /// Times the state was copied.
    pub taken: u64,
    /// Steps after which a checkpoint was due and had to wait: the disk is slow, or the budget used up.
    pub waited: u64,
    /// Times save failed for a part; the checkpoint before stands.
    pub given_up: u64,
    /// Checkpoints that are on disk for good.
    pub kept: u64,
    /// Checkpoints that the budget put off.
    pub put_off: u64,
    /// Checkpoints that could not be written; the one before stands.
    pub failed: u64,
    /// Bytes given to the disk.
    pub bytes: u64,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_checkpoint_statistics_t>() == 80,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 80, so there is no padding.
unsafe impl Growing for fulcrum_checkpoint_statistics_t {
    const NAME: &'static str = "fulcrum_checkpoint_statistics_t";
    const FIRST: u32 = 80;
}

/// What a job keeps, for whoever asks.
#[derive(Clone)]
pub(super) struct Kept {
    restored_steps: u64,
    statistics: Arc<Statistics>,
}

/// A job's checkpoints, opened and taken up, with nothing of the runtime changed yet.
pub(super) struct Keeping {
    every: u32,
    /// Of each part.
    lengths: Vec<Nanos>,
    snapshot: Snapshot,
    pub(super) writer: Writer,
    pub(super) kept: Kept,
}

impl fulcrum_checkpoint_t {
    /// Opens the folder and has `trainer`, whose state it is of, take up what is kept there. `spec` has its other pieces.
    ///
    /// # Safety
    /// The pointers are as the struct says.
    pub(super) unsafe fn open(&self, spec: &JobSpec, trainer: &mut Trainer) -> Result<Keeping, Fault> {
        // SAFETY: as the caller promises.
        let folder = unsafe { sized::path_of(self.folder, "checkpoint.folder is NULL") }?;
        let room = limits::PIECES.saturating_sub(spec.pieces.len());
        trainer.tell_state(&spec.name, self.identity, room)?;
        let (slots, found) = Slots::open(Box::new(Folder::open(&folder)?))?;
        if let Some(found) = &found {
            trainer.restore(found)?;
        }
        let config = Config {
            budget: (self.budget_bytes > 0).then(|| Budget::an_hour(self.budget_bytes)),
            ..Config::default()
        };
        let (mut snapshot, writer) = channel(trainer, slots, config)?;
        let lengths = self.lengths(&mut snapshot, trainer);
        if let (Some(abort), Some(longest)) = (spec.abort, lengths.iter().max())
            && *longest > abort
        {
            return Err(Fault::Argument(
                "a part of the state takes longer to save than abort_ns, and is not given up: tell it in smaller parts",
            ));
        }
        let restored_steps = found
            .as_ref()
            .map_or(0, |found: &Checkpoint| found.counter(STEPS));
        let statistics = Arc::clone(writer.statistics());
        statistics.newest_steps.store(restored_steps, Relaxed);
        Ok(Keeping {
            every: if self.every == 0 { EVERY } else { self.every },
            lengths,
            snapshot,
            writer,
            kept: Kept {
                restored_steps,
                statistics,
            },
        })
    }
}

impl fulcrum_checkpoint_t {
    /// What each part is announced with.
    fn lengths(&self, snapshot: &mut Snapshot, trainer: &Trainer) -> Vec<Nanos> {
        if self.save_ns > 0 {
            return vec![Nanos(self.save_ns); snapshot.parts()];
        }
        let measured = snapshot.measure(trainer).into_iter();
        measured.map(|it| Nanos(it.0.saturating_add(it.0 / 2))).collect()
    }
}

impl Keeping {
    /// `work` with checkpoints, whose pieces are added to `spec`, and what is left to be done with the file side.
    pub(super) fn of<T: Training + State + 'static>(
        self,
        work: T,
        spec: &mut JobSpec,
    ) -> Result<(Box<dyn Training>, Writer, Kept), Fault> {
        let job = Checkpointed::new(work, self.snapshot, self.every)?;
        // There is room, as was checked when the folder was opened.
        spec.pieces
            .extend(self.lengths.into_iter().take(job.part_lengths().len()));
        Ok((Box::new(job), self.writer, self.kept))
    }
}

impl From<CheckpointError> for Fault {
    fn from(error: CheckpointError) -> Fault {
        Fault::Checkpoint(error)
    }
}

/// METHOD fulcrum_runtime_t: tells what became of a job's checkpoints. Counters are read one by one while it goes on.
/// Works after the stop too, when what was copied last is on disk.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param job  the job's number
/// @param[out] out  the statistics; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_NO_CHECKPOINTS (428), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_NO_JOB (312), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_checkpoint_statistics(
    rt: *const fulcrum_runtime_t,
    job: u32,
    out: *mut fulcrum_checkpoint_statistics_t,
) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        let kept = rt.view()?.checkpoints.get(job as usize);
        let kept = kept.ok_or(Fault::NoJob(job))?;
        let Kept {
            restored_steps,
            statistics,
        } = kept.as_ref().ok_or(Fault::NoCheckpoints(job))?;
        let told = fulcrum_checkpoint_statistics_t {
            size: 0,
            os_errno: statistics.errno.load(Relaxed),
            restored_steps: *restored_steps,
            newest_steps: statistics.newest_steps.load(Relaxed),
            taken: statistics.taken.get(),
            waited: statistics.waited.get(),
            given_up: statistics.given_up.get(),
            kept: statistics.kept.get(),
            put_off: statistics.put_off.get(),
            failed: statistics.failed.get(),
            bytes: statistics.bytes.get(),
        };
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), tell) }
}
