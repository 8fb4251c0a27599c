//! The C functions of a [job](super::job::fulcrum_job_t) as a [`Training`].

#![allow(unsafe_code)]

use super::handle::mark_dispatcher;
use super::job::{
    FULCRUM_PIECE_ABORTED, FULCRUM_PIECE_DRY, FULCRUM_PIECE_RAN, FULCRUM_PIECE_STEPPED, fulcrum_job_t,
};
use super::weights::{
    fulcrum_abort_t, fulcrum_eval_t, fulcrum_fill_t, fulcrum_load_t, fulcrum_save_t, fulcrum_score_t,
};
use crate::workload::checkpoint::{Checkpoint, CheckpointError, Element, Identity, STEPS, Shape, State};
use crate::workload::gate::Score;
use crate::workload::swap::Set;
use crate::workload::{Abort, Progress, Training, WorkloadError};
use core::ffi::c_void;
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a part of the state whose size has changed.
const RESIZED: i32 = -1;

/// The C functions of a job. The numbers of pieces were checked to be at most `limits::PIECES`.
pub(super) struct Trainer {
    run_piece: unsafe extern "C" fn(*mut c_void, u32, *mut f32) -> i32,
    pieces: u16,
    abort: fulcrum_abort_t,
    fill: fulcrum_fill_t,
    fills: u16,
    eval: fulcrum_eval_t,
    evals: u16,
    save: fulcrum_save_t,
    load: fulcrum_load_t,
    user: *mut c_void,
    memory_bytes: u64,
    /// What its state belongs to, of one that keeps checkpoints.
    identity: Identity,
    /// Bytes of each part of the state.
    parts: Vec<u64>,
    /// Steps ended, those before a checkpoint that was taken up included.
    steps: u64,
}

// SAFETY: fulcrum_job_t.user promises use on the dispatcher thread, and nothing here but `Aborter` uses it on
// another.
unsafe impl Send for Trainer {}

impl Trainer {
    /// Of a job that was checked.
    pub(super) fn new(
        job: &fulcrum_job_t,
        run_piece: unsafe extern "C" fn(*mut c_void, u32, *mut f32) -> i32,
    ) -> Trainer {
        Trainer {
            run_piece,
            pieces: job.piece_count as u16,
            abort: job.abort,
            fill: job.fill,
            fills: job.fill_count as u16,
            eval: job.eval,
            evals: job.eval_count as u16,
            save: job.save,
            load: job.load,
            user: job.user,
            memory_bytes: job.memory_bytes,
            identity: Identity::of("", &[]),
            parts: Vec::new(),
            steps: 0,
        }
    }

    /// Asks how large each part of the state is, of which there may be `most`, and notes what it belongs to.
    pub(super) fn tell_state(
        &mut self,
        name: &str,
        identity: u64,
        most: usize,
    ) -> Result<(), CheckpointError> {
        self.load
            .ok_or(CheckpointError::Refused(WorkloadError::NotOffered))?;
        self.identity = Identity::of(name, &identity.to_le_bytes());
        self.parts.clear();
        loop {
            // More than the limit's parts are never asked for, so the number fits.
            let bytes = Training::save(self, self.parts.len() as u16, &mut []);
            match bytes.map_err(CheckpointError::Refused)? {
                0 if self.parts.is_empty() => {
                    return Err(CheckpointError::Refused(WorkloadError::NotOffered));
                }
                0 => return Ok(()),
                bytes => self.parts.push(bytes as u64),
            }
            if self.parts.len() > most {
                return Err(CheckpointError::Parts {
                    parts: self.parts.len(),
                    room: most,
                });
            }
        }
    }

    /// Calls the function that writes a part into `into`.
    fn save_part(&self, part: usize, into: &mut [u8]) -> Result<usize, WorkloadError> {
        let save = self.save.ok_or(WorkloadError::NotOffered)?;
        // SAFETY: the buffer is as long as it says; `fulcrum_save_t` states what the function may do. There are
        // fewer parts than a u32 counts.
        let bytes = unsafe {
            save(
                self.user,
                part as u32,
                into.as_mut_ptr().cast(),
                into.len() as u64,
            )
        };
        // Below zero it is the function's own code, which is small.
        usize::try_from(bytes).map_err(|_| WorkloadError::Failed(bytes.max(i32::MIN.into()) as i32))
    }

    /// What a code other than a piece's own says.
    fn failed(&self, code: i32) -> WorkloadError {
        if code == FULCRUM_PIECE_ABORTED && self.abort.is_some() {
            WorkloadError::Aborted
        } else {
            WorkloadError::Failed(code)
        }
    }

    fn done(&self, code: i32) -> Result<(), WorkloadError> {
        if code == 0 { Ok(()) } else { Err(self.failed(code)) }
    }
}

impl Training for Trainer {
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
            FULCRUM_PIECE_STEPPED => {
                self.steps = self.steps.wrapping_add(1);
                Ok(Progress::Stepped { loss })
            }
            FULCRUM_PIECE_DRY => Ok(Progress::Dry),
            code => Err(self.failed(code)),
        }
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        let abort = self.abort?;
        Some(Arc::new(Aborter {
            abort,
            user: self.user,
        }))
    }

    fn fill_pieces(&self) -> u16 {
        self.fills
    }

    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        mark_dispatcher();
        let fill = self.fill.ok_or(WorkloadError::NotOffered)?;
        // SAFETY: `fulcrum_fill_t` states what the function may do. There are fewer sets than a u32 counts.
        self.done(unsafe { fill(self.user, set.index() as u32, u32::from(piece)) })
    }

    fn eval_pieces(&self) -> u16 {
        self.evals
    }

    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        mark_dispatcher();
        let eval = self.eval.ok_or(WorkloadError::NotOffered)?;
        let mut score = fulcrum_score_t::default();
        // SAFETY: `score` lives during the call; `fulcrum_eval_t` states what the function may do.
        self.done(unsafe { eval(self.user, set.index() as u32, u32::from(piece), &mut score) })?;
        Ok(score.into())
    }

    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        self.save_part(usize::from(part), into)
    }

    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        let load = self.load.ok_or(WorkloadError::NotOffered)?;
        // SAFETY: as for `save`.
        let code = unsafe {
            load(
                self.user,
                u32::from(part),
                from.as_ptr().cast(),
                from.len() as u64,
            )
        };
        if code == 0 {
            Ok(())
        } else {
            Err(WorkloadError::Failed(code))
        }
    }
}

/// A part of the state is a tensor of bytes.
fn part_name(part: usize) -> String {
    format!("part {part}")
}

/// Of a job that keeps checkpoints, after [`Trainer::tell_state`].
impl State for Trainer {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn shapes(&self) -> Vec<Shape> {
        let shape = |(part, bytes): (usize, &u64)| Shape {
            name: part_name(part),
            element: Element::U8,
            dims: vec![*bytes],
        };
        self.parts.iter().enumerate().map(shape).collect()
    }

    fn whole(&self) -> bool {
        true
    }

    /// On the thread that adds the job too, when it is measured; so that thread is not noted as a dispatcher.
    fn copy(&self, tensor: usize, _: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        match self.save_part(tensor, into)? {
            bytes if bytes == into.len() => Ok(()),
            // A part has another size than it said at first.
            _ => Err(WorkloadError::Failed(RESIZED)),
        }
    }

    fn counters(&self) -> Vec<String> {
        vec![STEPS.to_string()]
    }

    fn count(&self, _: usize) -> u64 {
        self.steps
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint.fits(&self.identity, &State::shapes(self))?;
        for part in 0..self.parts.len() {
            let kept = checkpoint.tensor(&part_name(part));
            let bytes = kept.map_or(&[][..], |kept| &kept.values);
            self.load(part as u16, bytes).map_err(CheckpointError::Refused)?;
        }
        self.steps = checkpoint.counter(STEPS);
        Ok(())
    }
}

/// The C function that ends a job's pieces.
#[derive(Debug)]
struct Aborter {
    abort: unsafe extern "C" fn(*mut c_void),
    user: *mut c_void,
}

// SAFETY: `fulcrum_abort_t` promises that the function may be called with its user from any thread.
unsafe impl Send for Aborter {}
// SAFETY: as above.
unsafe impl Sync for Aborter {}

impl Abort for Aborter {
    fn abort(&self) {
        // SAFETY: as above.
        unsafe { (self.abort)(self.user) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::sized::Growing;
    use super::*;
    use core::ptr::null_mut;

    /// A state of two parts of four bytes each.
    type Parts = [[u8; 4]; 2];

    unsafe extern "C" fn run_piece(_: *mut c_void, _: u32, _: *mut f32) -> i32 {
        FULCRUM_PIECE_ABORTED
    }

    unsafe extern "C" fn save(user: *mut c_void, part: u32, bytes: *mut c_void, capacity: u64) -> i64 {
        // SAFETY: the test's own state.
        let state = unsafe { &*user.cast::<Parts>() };
        match state.get(part as usize) {
            None => 0,
            Some([255, ..]) => -7,
            Some(part) if capacity < 4 => part.len() as i64,
            Some(part) => {
                // SAFETY: there is room for four bytes.
                unsafe { bytes.cast::<[u8; 4]>().write(*part) };
                4
            }
        }
    }

    unsafe extern "C" fn load(user: *mut c_void, part: u32, bytes: *const c_void, size: u64) -> i32 {
        // SAFETY: the test's own state.
        let state = unsafe { &mut *user.cast::<Parts>() };
        match state.get_mut(part as usize) {
            Some(place) if size == 4 => {
                // SAFETY: four bytes, as the size says.
                *place = unsafe { bytes.cast::<[u8; 4]>().read() };
                0
            }
            _ => 9,
        }
    }

    fn job(user: *mut c_void) -> fulcrum_job_t {
        fulcrum_job_t {
            size: fulcrum_job_t::FIRST,
            piece_count: 1,
            save: Some(save),
            load: Some(load),
            user,
            ..fulcrum_job_t::EMPTY
        }
    }

    #[test]
    fn a_state_goes_out_and_comes_back_part_by_part() {
        let mut state: Parts = [[1, 2, 3, 4], [5, 6, 7, 8]];
        let mut trainer = Trainer::new(&job((&raw mut state).cast()), run_piece);
        let mut bytes = [0; 8];
        assert_eq!(trainer.save(1, &mut bytes[..2]), Ok(4), "so many are needed");
        assert_eq!(bytes, [0; 8]);
        assert_eq!(trainer.save(1, &mut bytes), Ok(4));
        assert_eq!(trainer.save(2, &mut bytes), Ok(0), "past the last part");
        assert_eq!(trainer.load(0, &bytes[..4]), Ok(()));
        assert_eq!(trainer.load(0, &bytes[..3]), Err(WorkloadError::Failed(9)));
        assert_eq!(state, [[5, 6, 7, 8]; 2]);
        state[0][0] = 255;
        let mut trainer = Trainer::new(&job((&raw mut state).cast()), run_piece);
        assert_eq!(trainer.save(0, &mut bytes), Err(WorkloadError::Failed(-7)));
    }

    #[test]
    fn what_was_not_given_is_not_offered_and_a_piece_without_abort_cannot_be_given_up() {
        let mut trainer = Trainer::new(
            &fulcrum_job_t {
                save: None,
                load: None,
                ..job(null_mut())
            },
            run_piece,
        );
        assert_eq!(trainer.save(0, &mut []), Err(WorkloadError::NotOffered));
        assert_eq!(trainer.load(0, &[]), Err(WorkloadError::NotOffered));
        assert!(trainer.aborter().is_none());
        assert_eq!(
            trainer.run_piece(0),
            Err(WorkloadError::Failed(FULCRUM_PIECE_ABORTED))
        );
    }
}
