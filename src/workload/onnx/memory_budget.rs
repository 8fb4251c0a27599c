//! A [`MemoryBudget`]: how many bytes all workloads together may have, from which arenas are cut.

use super::OnnxError;
use super::arena::Arena;
use super::library::Library;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes all workloads together may have: admission of memory, a plain sum. Cheap to clone; the
/// clones are the same budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    cap: usize,
    taken: AtomicUsize,
}

/// Part of a budget, given back when it is dropped.
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl MemoryBudget {
    /// A budget of `cap` bytes.
    pub fn new(cap: usize) -> MemoryBudget {
        let taken = AtomicUsize::new(0);
        MemoryBudget(Arc::new(Budget { cap, taken }))
    }

    /// Bytes that are not given away.
    pub fn left(&self) -> usize {
        self.0.cap.saturating_sub(self.0.taken.load(Ordering::Relaxed))
    }

    /// Whether a workload of `bytes` fits beside those that have their arena.
    pub fn would_fit(&self, bytes: usize) -> bool {
        bytes <= self.left()
    }

    /// An arena of `bytes`, which come back when its last workload goes.
    ///
    /// # Errors
    /// [`OnnxError::Memory`] if so much is not left; nothing is taken then. And what [`Arena::new`] refuses.
    pub fn arena(&self, library: &Library, bytes: usize, lock: bool) -> Result<Arena, OnnxError> {
        let taken = &self.0.taken;
        let add = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.0.cap);
        let before = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        before.map_err(|used| OnnxError::Memory {
            wanted: bytes,
            used,
            cap: self.0.cap,
        })?;
        let share = Share {
            budget: Arc::clone(&self.0),
            bytes,
        };
        Arena::of(library, bytes, lock, Some(share))
    }
}
