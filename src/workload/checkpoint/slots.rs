//! [`Slots`]: two places for a checkpoint, of which the older one gives way.
//!
//! A checkpoint is written beside both, synced, renamed to the older slot, and then the folder is synced. So
//! at any moment one slot holds the newest checkpoint that was told to be kept, and nothing touches it until
//! the next one is.

use super::content::Checkpoint;
use super::disk::Disk;
use super::error::{CheckpointError, Damage, Why};
use super::form;
use std::io;

/// Names of the two slots.
const SLOTS: [&str; 2] = ["checkpoint-0", "checkpoint-1"];

/// Where a checkpoint is written until it is whole.
const BESIDE: &str = "checkpoint.tmp";

/// The two slots of one folder.
pub struct Slots {
    disk: Box<dyn Disk>,
    /// The slot that gives way next.
    next: usize,
    /// Of the newest checkpoint.
    sequence: u64,
    /// Whether the slots' names are on the medium as they were found.
    settled: bool,
    damages: Vec<Damage>,
}

impl Slots {
    /// Looks what the slots of `disk` hold, and returns the newest whole checkpoint, if there is one. Neither
    /// slot used means a fresh start; slots of which none is whole are an error.
    pub fn open(mut disk: Box<dyn Disk>) -> Result<(Slots, Option<Checkpoint>), CheckpointError> {
        // What a program that was killed has renamed counts from now on, so it must not be undone by a power
        // cut. A disk that refuses this can still be read, and is asked again before anything is written.
        let settled = disk.sync_folder().is_ok();
        let mut slots = Slots {
            disk,
            next: 0,
            sequence: 0,
            settled,
            damages: Vec::new(),
        };
        let mut newest: Option<Checkpoint> = None;
        for (slot, name) in SLOTS.iter().enumerate() {
            let Some(found) = slots.look(name)? else {
                continue;
            };
            if newest
                .as_ref()
                .is_none_or(|newest| newest.sequence < found.sequence)
            {
                slots.next = 1 - slot;
                slots.sequence = found.sequence;
                newest = Some(found);
            }
        }
        if newest.is_none() && !slots.damages.is_empty() {
            return Err(CheckpointError::Damaged(slots.damages));
        }
        Ok((slots, newest))
    }

    /// The checkpoint in a slot; `None` if it is empty or damaged.
    fn look(&mut self, name: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        let path = self.disk.path(name);
        let why = match self.disk.read(name) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match form::decode(&bytes) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(wrong) => match wrong.later_form {
                    // It may be newer than the other slot, and would be overwritten sooner or later.
                    Some(form) => return Err(CheckpointError::Later { path, form }),
                    None => Why::Wrong(wrong),
                },
            },
            // A bad block in one slot is what the other slot is for.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Why::Unreadable(error),
            Err(error) => {
                return Err(CheckpointError::Io {
                    doing: "reading",
                    path,
                    error,
                });
            }
        };
        self.damages.push(Damage { path, why });
        Ok(None)
    }

    /// Slots that were found damaged, while the other one was whole.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Number of the checkpoint that is written next.
    pub(super) fn coming(&self) -> u64 {
        self.sequence.saturating_add(1)
    }

    /// Does one of the operations below; after an error nothing is left of the attempt, and the slots are as
    /// they were.
    fn attempt(
        &mut self,
        doing: &'static str,
        name: &str,
        operation: impl FnOnce(&mut dyn Disk) -> io::Result<()>,
    ) -> Result<(), CheckpointError> {
        operation(&mut *self.disk).map_err(|error| {
            // A file whose sync failed is not synced again: the kernel may have dropped its pages and say all
            // is well.
            let _ = self.disk.remove(BESIDE);
            let path = self.disk.path(name);
            CheckpointError::Io { doing, path, error }
        })
    }

    /// Begins a file beside the slots.
    pub(super) fn begin(&mut self) -> Result<(), CheckpointError> {
        if !self.settled {
            self.attempt("syncing the folder of", BESIDE, |disk| disk.sync_folder())?;
            self.settled = true;
        }
        self.attempt("making", BESIDE, |disk| disk.create(BESIDE))
    }

    /// Writes the next bytes of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.attempt("writing", BESIDE, |disk| disk.write(bytes))
    }

    /// Brings it to the medium.
    pub(super) fn sync(&mut self) -> Result<(), CheckpointError> {
        self.attempt("syncing", BESIDE, |disk| disk.sync())
    }

    /// Puts it into the older slot.
    pub(super) fn place(&mut self) -> Result<(), CheckpointError> {
        let slot = self.older();
        self.attempt("renaming to", slot, |disk| disk.rename(BESIDE, slot))
    }

    /// Brings its place to the medium; from here on it is the newest. Where this fails it is not known to be,
    /// and the next one goes to the same slot: the other one is the newest that is.
    pub(super) fn settle(&mut self) -> Result<(), CheckpointError> {
        let slot = self.older();
        self.attempt("syncing the folder of", slot, |disk| disk.sync_folder())?;
        self.sequence = self.coming();
        self.next = 1 - self.next;
        Ok(())
    }

    fn older(&self) -> &'static str {
        let [first, second] = SLOTS;
        if self.next == 0 { first } else { second }
    }
}
