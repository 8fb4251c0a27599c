//! An [`Arena`]: a fixed amount of memory that one workload lives in, and a [`MemoryBudget`] that arenas are
//! cut from.
//!
//! ONNX Runtime has one environment in a process, and that environment one shared allocator for the
//! processor's memory. But a session keeps the allocator that it found when it was made. So an arena is
//! registered for just as long as a session is being made, one at a time, and every workload has a cap of its
//! own: what training takes can never be missing for inference.
//!
//! What lies in an arena: the tensors that the workload's pieces read and write, constants of the model, and
//! what ONNX Runtime needs between two nodes (with its memory pattern one block for a run, taken and given
//! back). What does not: ONNX Runtime's own graph and some hundred bytes a node and run on the heap, and
//! memory of a device, which has an option of its provider (`gpu_mem_limit`).
//!
//! ONNX Runtime does not survive an allocator that has nothing (1.31.1 reads address 0). So what does not fit
//! into an arena comes from the heap for the length of that run, and the run counts as failed: at
//! registration the workload is refused then, and since every later run takes what the first one took, later
//! this happens only to workloads that share an arena.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::{OrtAllocator, OrtMemoryInfo};
use super::blocks::{ALIGN, Blocks};
use super::library::{Library, call};
use rustix::mm::{MapFlags, ProtFlags};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Blocks of one arena: the tensors of a large step, and the constants of a large model.
const BLOCKS: usize = 8192;

/// Version of the allocator's table: three functions, known to every ONNX Runtime that is used here.
const TABLE: u32 = 17;

/// A fixed amount of memory for a workload. Cheap to clone; the clones are the same memory.
#[derive(Clone)]
pub struct Arena(Arc<Inner>);

/// The table comes first: ONNX Runtime knows the arena by the table's address.
#[repr(C)]
struct Inner {
    table: OrtAllocator,
    library: Library,
    region: *mut c_void,
    length: usize,
    /// Whether a thread uses `blocks`.
    busy: AtomicBool,
    blocks: UnsafeCell<Blocks>,
    taken: AtomicU64,
    given: AtomicU64,
    /// Size of the last request that did not fit; 0 if all did since it was asked for.
    refused: AtomicUsize,
    lock_refused: Option<i32>,
    _share: Option<Share>,
}

// SAFETY: `blocks` is used by the thread that has set `busy` alone; everything else is not changed or atomic.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} bytes, at most {}",
            self.used(),
            self.bytes(),
            self.peak()
        )
    }
}

impl Arena {
    /// Takes `bytes` from the operating system; with `lock` they are there from the beginning and never leave
    /// for a disk.
    ///
    /// # Errors
    /// [`OnnxError::Memory`] if the operating system has no such region. That it does not lock it is none: see
    /// [`lock_refused`](Arena::lock_refused).
    pub fn new(library: &Library, bytes: usize, lock: bool) -> Result<Arena, OnnxError> {
        Arena::of(library, bytes, lock, None)
    }

    fn of(library: &Library, bytes: usize, lock: bool, share: Option<Share>) -> Result<Arena, OnnxError> {
        let none = OnnxError::Memory {
            wanted: bytes,
            used: 0,
            cap: bytes,
        };
        // SAFETY: a new region, of which nobody else knows.
        let region = unsafe {
            let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, protection, flags)
        };
        let region = region.map_err(|_| none)?;
        // SAFETY: the region is ours; locking changes nothing but where it lies.
        let locked = lock.then(|| unsafe { rustix::mm::mlock(region, bytes) });
        let refused = locked.and_then(Result::err).map(|errno| errno.raw_os_error());
        Ok(Arena(Arc::new(Inner {
            table: OrtAllocator {
                version: TABLE,
                Alloc: Some(alloc),
                Free: Some(free),
                Info: Some(info),
                Reserve: None,
            },
            library: library.clone(),
            region,
            length: bytes,
            busy: AtomicBool::new(false),
            blocks: UnsafeCell::new(Blocks::new(bytes, BLOCKS)),
            taken: AtomicU64::new(0),
            given: AtomicU64::new(0),
            refused: AtomicUsize::new(0),
            lock_refused: refused,
            _share: share,
        })))
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.0.length
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.with(|blocks| blocks.used())
    }

    /// The most bytes that were in use at once: what the workload needs. Known once it is registered, since
    /// every run takes the same.
    pub fn peak(&self) -> usize {
        self.0.with(|blocks| blocks.peak())
    }

    /// How often memory was taken and given back so far.
    pub fn calls(&self) -> (u64, u64) {
        (
            self.0.taken.load(Ordering::Relaxed),
            self.0.given.load(Ordering::Relaxed),
        )
    }

    /// The errno with which the operating system refused to lock it; grant CAP_IPC_LOCK or raise the memlock
    /// limit.
    pub fn lock_refused(&self) -> Option<i32> {
        self.0.lock_refused
    }

    /// The error for what did not fit since the last call, if anything.
    pub(super) fn refusal(&self) -> Option<OnnxError> {
        if self.0.refused.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let wanted = self.0.refused.swap(0, Ordering::Relaxed);
        (wanted > 0).then(|| OnnxError::Memory {
            wanted,
            used: self.used(),
            cap: self.bytes(),
        })
    }

    /// `bytes` zeroed bytes for a tensor.
    pub(super) fn take(&self, bytes: usize) -> Result<Taken, OnnxError> {
        let start = self.0.take(bytes);
        let Some(start) = ptr::NonNull::new(start) else {
            return Err(self.refusal().unwrap_or(OnnxError::Memory {
                wanted: bytes,
                used: self.used(),
                cap: self.bytes(),
            }));
        };
        // SAFETY: so many bytes there are ours.
        unsafe { ptr::write_bytes(start.as_ptr().cast::<u8>(), 0, bytes) };
        Ok(Taken {
            arena: self.clone(),
            start: start.as_ptr(),
        })
    }

    /// Has ONNX Runtime know the arena while `make` makes a session; the session keeps it.
    pub(super) fn around<T>(&self, make: impl FnOnce() -> Result<T, OnnxError>) -> Result<T, OnnxError> {
        /// Whether an arena is registered: there is one environment, and so there can be one at a time.
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        while REGISTERED.swap(true, Ordering::Acquire) {
            // Somebody else registers a workload, which takes a while.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let library = &self.0.library;
        let table = (&raw const self.0.table).cast_mut();
        // SAFETY: the table lives as long as the arena, of which the session holds a share; ONNX Runtime's
        // functions do not change it. The description is the one that the table itself gives.
        let made = unsafe {
            let doing = "use an arena";
            call!(library, doing, RegisterAllocator(library.env().cast_mut(), table)).and_then(|()| {
                let made = make();
                call!(
                    library,
                    doing,
                    UnregisterAllocator(library.env().cast_mut(), library.memory())
                )?;
                made
            })
        };
        REGISTERED.store(false, Ordering::Release);
        made
    }
}

impl Inner {
    /// Uses the list. A session runs on one thread at a time, so another one is met here only while workloads
    /// are registered or where an arena is shared; it is gone again after some list entries.
    fn with<T>(&self, use_it: impl FnOnce(&mut Blocks) -> T) -> T {
        while self.busy.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: `busy` was clear, so no other thread is in here.
        let result = use_it(unsafe { &mut *self.blocks.get() });
        self.busy.store(false, Ordering::Release);
        result
    }

    /// As [`take`](Inner::take), from the heap if it does not fit.
    fn take_anyway(&self, size: usize) -> *mut c_void {
        let start = self.take(size);
        if !start.is_null() {
            return start;
        }
        let mut other = ptr::null_mut();
        // SAFETY: the out pointer is valid, and it stays null if the heap has nothing either.
        let _ = unsafe { libc::posix_memalign(&raw mut other, ALIGN, size.max(1)) };
        other
    }

    /// Null if it does not fit.
    fn take(&self, size: usize) -> *mut c_void {
        match self.with(|blocks| blocks.take(size)) {
            Some(start) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                // SAFETY: the offset lies within the region.
                unsafe { self.region.byte_add(start) }
            }
            None => {
                self.refused.store(size, Ordering::Relaxed);
                ptr::null_mut()
            }
        }
    }

    fn give(&self, start: *mut c_void) {
        let offset = (start as usize).wrapping_sub(self.region as usize);
        if offset >= self.length {
            // SAFETY: null, or from `take_anyway` and given back once.
            unsafe { libc::free(start) };
        } else if self.with(|blocks| blocks.give(offset)) {
            self.given.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: ours, and whoever points into it holds a share. An unmapping of a whole region has no way
        // to fail.
        let _ = unsafe { rustix::mm::munmap(self.region, self.length) };
    }
}

/// Bytes of an arena, given back when they are dropped.
pub(super) struct Taken {
    arena: Arena,
    pub(super) start: *mut c_void,
}

// SAFETY: plain memory; who reads or writes it is ordered by the rules of `Tensor`.
unsafe impl Send for Taken {}
// SAFETY: as above.
unsafe impl Sync for Taken {}

impl Drop for Taken {
    fn drop(&mut self) {
        self.arena.0.give(self.start);
    }
}

unsafe extern "C" fn alloc(this: *mut OrtAllocator, size: usize) -> *mut c_void {
    // SAFETY: the table is the first field of an `Inner` that lives as long as the session that calls.
    let inner = unsafe { this.cast::<Inner>().as_ref() };
    inner.map_or(ptr::null_mut(), |inner| inner.take_anyway(size))
}

unsafe extern "C" fn free(this: *mut OrtAllocator, start: *mut c_void) {
    // SAFETY: as in `alloc`.
    if let Some(inner) = unsafe { this.cast::<Inner>().as_ref() } {
        inner.give(start);
    }
}

unsafe extern "C" fn info(this: *const OrtAllocator) -> *const OrtMemoryInfo {
    // SAFETY: as in `alloc`.
    unsafe { this.cast::<Inner>().as_ref() }.map_or(ptr::null(), |inner| inner.library.memory())
}

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
struct Share {
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
