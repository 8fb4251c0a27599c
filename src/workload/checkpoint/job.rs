//! [`Checkpointed`] is a training job that keeps checkpoints: copying its state is some pieces more of every
//! Nth step.

use super::CheckpointError;
use super::content::{Checkpoint, State};
use super::snapshot::Snapshot;
use crate::clock::thread_time;
use crate::limits;
use crate::schedule::Pieces;
use crate::units::Nanos;
use crate::workload::gate::Verdict;
use crate::workload::{Abort, Progress, Training, WorkloadError};
use std::sync::Arc;

/// Copies of each part when it is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 6;

/// The shortest length a part is announced with, as for a fetch: less cannot be told from the clock's own
/// cost.
const LEAST_PART: Nanos = Nanos::from_micros(100);

/// Where the job stands between a step that ended and its parts.
#[derive(Clone, Copy, Debug)]
struct Copying {
    /// What the step came to, told when the last part is copied.
    loss: f32,
    /// The next part.
    part: usize,
}

/// A training job whose state is kept every `every` steps. Its step has the work's own pieces and then one
/// for each part of the state; a step after which nothing is due ends before those.
#[derive(Debug)]
pub struct Checkpointed<T> {
    work: T,
    snapshot: Snapshot,
    every: u32,
    /// Steps since the last snapshot.
    since: u32,
    copying: Option<Copying>,
    lengths: Vec<Nanos>,
}

impl<T: Training + State> Checkpointed<T> {
    /// `work`, kept through `snapshot` every `every` steps (at least 1). Measures how long each part takes to
    /// copy.
    pub fn new(work: T, mut snapshot: Snapshot, every: u32) -> Result<Checkpointed<T>, CheckpointError> {
        work.keepable()?;
        let parts = snapshot.parts();
        let room = limits::PIECES.saturating_sub(usize::from(work.pieces()));
        if parts > room {
            return Err(CheckpointError::Parts { parts, room });
        }
        let lengths = snapshot.measure(&work);
        Ok(Checkpointed {
            work,
            snapshot,
            every: every.max(1),
            since: 0,
            copying: None,
            lengths,
        })
    }

    /// The measured upper length of each part, in order: what the pieces behind the work's own are announced
    /// with.
    pub fn part_lengths(&self) -> &[Nanos] {
        &self.lengths
    }

    /// The work itself.
    pub fn work(&self) -> &T {
        &self.work
    }

    /// Takes up a checkpoint; for before the start.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        self.work.restore(checkpoint)
    }

    fn copy_next(&mut self, Copying { loss, part }: Copying) -> Progress {
        if self.snapshot.copy_part(&self.work, part).is_err() {
            // The step itself has ended well; the checkpoint before stands.
            self.snapshot.give_up();
            self.since = 0;
            return Progress::Stepped { loss };
        }
        if part + 1 < self.snapshot.parts() {
            self.copying = Some(Copying { loss, part: part + 1 });
            return Progress::Ran;
        }
        self.snapshot.send();
        self.since = 0;
        Progress::Stepped { loss }
    }
}

impl Snapshot {
    /// The upper length of copying each part of `state`. Processor time counts: a piece runs on the calling
    /// thread alone.
    pub(crate) fn measure(&mut self, state: &impl State) -> Vec<Nanos> {
        if !self.begin(state) {
            return vec![LEAST_PART; self.parts()];
        }
        let mut lengths = Vec::new();
        for part in 0..self.parts() {
            let mut times = [Nanos::ZERO; MEASURED];
            for time in &mut times {
                let start = thread_time();
                // One that fails here fails when it counts, and is counted there.
                let _ = self.copy_part(state, part);
                *time = thread_time() - start;
            }
            times.sort_unstable();
            let second = times.iter().rev().nth(1).copied();
            lengths.push(LEAST_PART.max(second.unwrap_or_default()));
        }
        lengths
    }
}

impl<T: Training + State> Training for Checkpointed<T> {
    fn pieces(&self) -> u16 {
        // At most PIECES together, checked when it was made.
        self.work.pieces().saturating_add(self.snapshot.parts() as u16)
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        // The step of the work has ended, so whatever piece is asked for is one of ours.
        if let Some(copying) = self.copying.take() {
            return Ok(self.copy_next(copying));
        }
        let progress = self.work.run_piece(piece)?;
        let Progress::Stepped { loss } = progress else {
            return Ok(progress);
        };
        self.since = self.since.saturating_add(1);
        if self.since < self.every || !self.snapshot.begin(&self.work) {
            return Ok(progress);
        }
        self.copying = Some(Copying { loss, part: 0 });
        Ok(Progress::Ran)
    }

    /// The image that goes round included.
    fn memory_bytes(&self) -> u64 {
        self.work.memory_bytes() + self.snapshot.bytes()
    }

    fn verdict(&mut self) -> Option<Verdict> {
        self.work.verdict()
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        self.work.aborter()
    }

    fn cut_finer(&mut self) -> Option<Pieces> {
        let mut pieces = self.work.cut_finer()?;
        for length in &self.lengths {
            // Without room the schedule comes to these parts under the numbers of the step's first pieces;
            // their length is then measured there.
            let _ = pieces.push(*length);
        }
        Some(pieces)
    }
}
