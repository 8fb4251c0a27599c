//! [`Memory`]: what the workloads take together, and what they may. Training that does not fit starves inference of memory as
//! surely as of time, so admission counts both.

use super::{Refusal, Schedule};

/// Bytes that the workloads said they hold, and the most that they may.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    taken: u64,
    most: Option<u64>,
}

impl Memory {
    pub(super) fn would_fit(self) -> Result<(), Refusal> {
        match self.most {
            Some(most) if self.taken > most => Err(Refusal::Memory {
                taken: self.taken,
                most,
            }),
            _ => Ok(()),
        }
    }
}

impl Schedule {
    /// Has admission refuse workloads that hold more than `bytes` together.
    pub fn set_memory(&mut self, bytes: u64) {
        self.memory.most = Some(bytes);
    }

    /// Counts `bytes` that a stream or a job holds.
    pub fn add_memory(&mut self, bytes: u64) {
        self.memory.taken = self.memory.taken.saturating_add(bytes);
    }
}
