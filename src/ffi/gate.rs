//! A [`Gate`] lets one thread at a time to what it holds, and turns the second away instead of making it wait.

#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// Holds a value for one thread at a time. Never blocks, so a low-priority thread inside cannot hold up a fast one.
#[derive(Debug, Default)]
pub(super) struct Gate<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through `Inside` alone, of which there is one at a time; so threads share no reference
// to it, they hand the value to each other, which `Send` allows.
unsafe impl<T: Send> Sync for Gate<T> {}

impl<T> Gate<T> {
    /// A gate around `value`.
    pub(super) const fn new(value: T) -> Gate<T> {
        Gate {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Access until the answer is dropped; `None` while another has it.
    pub(super) fn enter(&self) -> Option<Inside<'_, T>> {
        // An `Inside` is made only by the one who got in: dropping it opens the gate.
        match self.taken.compare_exchange(false, true, Acquire, Acquire) {
            Ok(_) => Some(Inside(self)),
            Err(_) => None,
        }
    }
}

/// Sole access to a gate's value.
#[derive(Debug)]
pub(super) struct Inside<'a, T>(&'a Gate<T>);

impl<T> Deref for Inside<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this is the only `Inside` of its gate, since `taken` went from false to true for it.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`; `&mut self` keeps this thread from a second reference.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        self.0.taken.store(false, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_turned_away_until_the_first_left() {
        let gate = Gate::new(1);
        let inside = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        assert!(
            gate.enter().is_none(),
            "turning one away does not open the gate to the next"
        );
        drop(inside);
        assert!(gate.enter().is_some());
    }

    #[test]
    fn threads_never_meet_inside() {
        let gate = Gate::new(0_u64);
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        let entered: u64 = std::thread::scope(|scope| {
            let count = || {
                let entered = (0..rounds).filter_map(|_| gate.enter());
                entered
                    .map(|mut inside| *inside = core::hint::black_box(*inside) + 1)
                    .count() as u64
            };
            let threads = [scope.spawn(count), scope.spawn(count)];
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(*gate.enter().unwrap(), entered);
    }
}
