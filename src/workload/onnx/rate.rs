//! The learning [`Rate`] of a trainer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The learning rate of a trainer, set from any thread and taken up where the next step begins. Cheap to clone; the
/// clones are the same rate. It is no state: a checkpoint does not keep it.
#[derive(Clone, Debug)]
pub struct Rate(Arc<AtomicU32>);

impl Rate {
    pub(super) fn new(rate: f32) -> Rate {
        Rate(Arc::new(AtomicU32::new(rate.to_bits())))
    }

    /// Steps that begin from now on use `rate`. Neither blocks nor allocates. False, and nothing changed, for one
    /// that is not a number, infinite or not above zero.
    pub fn set(&self, rate: f32) -> bool {
        let usable = rate.is_finite() && rate > 0.0;
        if usable {
            self.0.store(rate.to_bits(), Relaxed);
        }
        usable
    }

    /// What was set last, or the rate it was made with.
    pub fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_no_use_changes_nothing() {
        let rate = Rate::new(0.5);
        for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(!rate.set(wrong), "{wrong}");
        }
        assert_eq!(rate.get(), 0.5);
        assert!(rate.clone().set(0.25));
        assert_eq!(rate.get(), 0.25);
    }
}
