//! [`Regions`]: memory of the operating system, and which parts of it are taken.

#![allow(unsafe_code)]

use super::blocks::Blocks;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::ffi::c_void;
use std::ptr;

/// Blocks of one region: the tensors of a large step, and the constants of a large model.
const BLOCKS: usize = 8192;

/// Regions of a memory that grows. Each is at least a quarter of all before it, so that this many hold any step.
const REGIONS: usize = 64;

/// The smallest region that a memory grows by: most tensors of a step are smaller, and share it.
const SMALLEST: usize = 16 << 20;

/// What became of memory that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Back,
    /// Nothing was taken there.
    Twice,
    /// It is not from here.
    Elsewhere,
}

/// One mapping.
struct Region {
    start: *mut c_void,
    length: usize,
    blocks: Blocks,
}

/// Memory in one region, or in ever more of them. Neither taking nor giving back allocates, unless it grows.
pub(super) struct Regions {
    list: Vec<Region>,
    grows: bool,
    peak: usize,
    lock_refused: Option<i32>,
}

impl Region {
    fn new(length: usize) -> Result<Region, Errno> {
        // SAFETY: a new region, of which nobody else knows.
        let start = unsafe {
            let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, protection, flags)
        };
        Ok(Region {
            start: start?,
            length,
            blocks: Blocks::new(length, BLOCKS),
        })
    }

    fn take(&mut self, size: usize) -> Option<*mut c_void> {
        let offset = self.blocks.take(size)?;
        // SAFETY: the offset lies within the region.
        Some(unsafe { self.start.byte_add(offset) })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: ours, and whoever points into it holds a share. An unmapping of a whole region has no way
        // to fail.
        let _ = unsafe { rustix::mm::munmap(self.start, self.length) };
    }
}

impl Regions {
    /// One region of `bytes`; with `lock` it is there from the beginning and never leaves for a disk.
    pub(super) fn new(bytes: usize, lock: bool) -> Result<Regions, Errno> {
        let region = Region::new(bytes)?;
        // SAFETY: the region is ours; locking changes nothing but where it lies.
        let locked = lock.then(|| unsafe { rustix::mm::mlock(region.start, bytes) });
        Ok(Regions {
            list: vec![region],
            grows: false,
            peak: 0,
            lock_refused: locked.and_then(Result::err).map(Errno::raw_os_error),
        })
    }

    /// None yet; each that is needed is taken from the operating system then.
    pub(super) fn growing() -> Regions {
        Regions {
            list: Vec::with_capacity(REGIONS),
            grows: true,
            peak: 0,
            lock_refused: None,
        }
    }

    /// The errno with which the operating system refused to lock it.
    pub(super) fn lock_refused(&self) -> Option<i32> {
        self.lock_refused
    }

    /// Where `size` bytes lie that are the caller's now; `None` if there are not so many.
    pub(super) fn take(&mut self, size: usize) -> Option<*mut c_void> {
        let taken = self.list.iter_mut().find_map(|region| region.take(size));
        let taken = taken.or_else(|| self.grow(size))?;
        self.peak = self.peak.max(self.used());
        Some(taken)
    }

    fn grow(&mut self, size: usize) -> Option<*mut c_void> {
        if !self.grows || self.list.len() == REGIONS {
            return None;
        }
        let length = size.max(SMALLEST).max(self.bytes() / 4);
        let length = length.checked_next_multiple_of(SMALLEST)?;
        self.list.push(Region::new(length).ok()?);
        self.list.last_mut()?.take(size)
    }

    /// Takes back what lies at `start`.
    pub(super) fn give(&mut self, start: *mut c_void) -> Given {
        for region in &mut self.list {
            let offset = (start as usize).wrapping_sub(region.start as usize);
            if offset < region.length {
                return if region.blocks.give(offset) {
                    Given::Back
                } else {
                    Given::Twice
                };
            }
        }
        Given::Elsewhere
    }

    pub(super) fn bytes(&self) -> usize {
        self.list.iter().map(|region| region.length).sum()
    }

    pub(super) fn used(&self) -> usize {
        self.list.iter().map(|region| region.blocks.used()).sum()
    }

    /// The most that was taken at once.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fixed_memory_has_what_it_has_and_a_growing_one_what_is_asked_for() {
        let mut fixed = Regions::new(4096, false).unwrap();
        let first = fixed.take(4096).unwrap();
        assert_eq!(fixed.take(1), None);
        let mut growing = Regions::growing();
        assert_eq!((growing.bytes(), growing.give(first)), (0, Given::Elsewhere));
        let small = growing.take(100).unwrap();
        assert_eq!(growing.bytes(), SMALLEST);
        let large = growing.take(3 * SMALLEST + 1).unwrap();
        assert_eq!(growing.bytes(), 5 * SMALLEST);
        assert_eq!(growing.give(small), Given::Back);
        assert_eq!(growing.give(small), Given::Twice);
        assert_eq!(growing.take(100), Some(small));
        assert_eq!(growing.give(large), Given::Back);
        assert_eq!(growing.take(3 * SMALLEST), Some(large));
        assert_eq!(growing.take(usize::MAX), None);
        assert!(growing.peak() >= 3 * SMALLEST + 101 && growing.bytes() == 5 * SMALLEST);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_apart_and_writable_and_all_of_it_comes_back(
            sizes in prop::collection::vec(1_usize..2 * SMALLEST, 1..30),
        ) {
            let mut growing = Regions::growing();
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for size in &sizes {
                let start = growing.take(*size).unwrap();
                // SAFETY: so many bytes there are ours.
                unsafe {
                    start.cast::<u8>().write(1);
                    start.cast::<u8>().byte_add(size - 1).write(2);
                }
                let start = start as usize;
                let apart = |(other, long): &(usize, usize)| start + size <= *other || other + long <= start;
                prop_assert!(taken.iter().all(apart));
                taken.push((start, *size));
            }
            prop_assert!(growing.used() >= sizes.iter().sum() && growing.peak() == growing.used());
            for (start, _) in taken {
                prop_assert_eq!(growing.give(start as *mut c_void), Given::Back);
            }
            prop_assert_eq!(growing.used(), 0);
        }
    }
}
