//! `--checkpoint`: the training state of a run on disk, where the next run takes it up.

use super::record;
use fulcrum::schedule::Pieces;
use fulcrum::units::Nanos;
use fulcrum::workload::Training;
use fulcrum::workload::checkpoint::{Checkpointed, Config, Folder, Keeper, STEPS, Slots, State, channel};
use std::error::Error;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Steps from one checkpoint to the next: about a second of training.
const EVERY: u32 = 10;

/// The thread that writes, and where training was taken up.
pub(super) struct Kept {
    keeper: Keeper,
    restored_steps: u64,
}

/// `job` from where the newest checkpoint in `folder` has it, and kept there from now on. `pieces` is what it announces,
/// and gets one more for each part of the state.
pub(super) fn keep<T: Training + State + 'static>(
    mut job: T,
    folder: &Path,
    pieces: &mut Pieces,
    announced: impl Fn(Nanos) -> Nanos,
) -> Result<(Box<dyn Training>, Kept), Box<dyn Error>> {
    let (slots, found) = Slots::open(Box::new(Folder::open(folder)?))?;
    for damage in slots.damages() {
        eprintln!("warning: {damage}; the other slot is whole and was taken");
    }
    let restored_steps = match &found {
        None => 0,
        Some(found) => {
            job.restore(found)?;
            found.counter(STEPS)
        }
    };
    match &found {
        None => eprintln!("no checkpoint in {} yet: training starts anew", folder.display()),
        Some(_) => eprintln!(
            "training resumed from step {restored_steps} in {}",
            folder.display()
        ),
    }
    let (snapshot, writer) = channel(&job, slots, Config::default())?;
    let statistics = writer.statistics();
    statistics.newest_steps.store(restored_steps, Relaxed);
    let job = Checkpointed::new(job, snapshot, EVERY)?;
    // There is room, as `Checkpointed` has checked.
    pieces.extend(job.part_lengths().iter().map(|length| announced(*length)));
    Ok((
        Box::new(job),
        Kept {
            keeper: writer.start()?,
            restored_steps,
        },
    ))
}

impl Kept {
    /// Writes what was copied last, and says what became of all.
    pub(super) fn stop(mut self) -> record::Checkpoint {
        self.keeper.stop();
        while let Some(result) = self.keeper.poll() {
            if let Err(error) = result {
                eprintln!("warning: {error}");
            }
        }
        let statistics = self.keeper.statistics();
        record::Checkpoint {
            restored_steps: self.restored_steps,
            newest_steps: statistics.newest_steps.load(Relaxed),
            kept: statistics.kept.get(),
            failed: statistics.failed.get(),
        }
    }
}
