//! An [`Arena`]: the memory that one workload lives in.
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
//! Sessions of one arena take their memory from the same few blocks, one after the other. Segments of a step with an
//! allocator each would touch memory of their own, which the cache does not hold: cut into twelve, a step of 15 ms took a
//! tenth longer. So a trainer without a cap has an arena too, one that grows while the trainer is registered.
//!
//! ONNX Runtime does not survive an allocator that has nothing (1.31.1 reads address 0). So what does not fit
//! into an arena comes from the heap for the length of that run, and the run counts as failed: at
//! registration the workload is refused then, and since every later run takes what the first one took, later
//! this happens only to workloads that share an arena.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::{OrtAllocator, OrtMemoryInfo};
use super::blocks::ALIGN;
use super::library::{Library, call};
use super::memory_budget::Share;
use super::regions::{Given, Regions};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Version of the allocator's table: three functions, known to every ONNX Runtime that is used here.
const TABLE: u32 = 17;

/// Memory for a workload, a fixed amount of it. Cheap to clone; the clones are the same memory.
#[derive(Clone)]
pub struct Arena(Arc<Inner>);

/// The table comes first: ONNX Runtime knows the arena by the table's address.
#[repr(C)]
struct Inner {
    table: OrtAllocator,
    library: Library,
    /// Whether a thread uses `regions`.
    busy: AtomicBool,
    regions: UnsafeCell<Regions>,
    taken: AtomicU64,
    given: AtomicU64,
    /// Size of the last request that did not fit; 0 if all did since it was asked for.
    refused: AtomicUsize,
    lock_refused: Option<i32>,
    _share: Option<Share>,
}

// SAFETY: `regions` is used by the thread that has set `busy` alone; everything else is not changed or atomic.
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

    pub(super) fn of(
        library: &Library,
        bytes: usize,
        lock: bool,
        share: Option<Share>,
    ) -> Result<Arena, OnnxError> {
        let none = OnnxError::Memory {
            wanted: bytes,
            used: 0,
            cap: bytes,
        };
        let regions = Regions::new(bytes, lock).map_err(|_| none)?;
        Ok(Arena::over(library, regions, share))
    }

    /// One with nothing yet, which takes from the operating system whatever its workload asks for.
    pub(super) fn growing(library: &Library) -> Arena {
        Arena::over(library, Regions::growing(), None)
    }

    fn over(library: &Library, regions: Regions, share: Option<Share>) -> Arena {
        Arena(Arc::new(Inner {
            table: OrtAllocator {
                version: TABLE,
                Alloc: Some(alloc),
                Free: Some(free),
                Info: Some(info),
                Reserve: None,
            },
            library: library.clone(),
            lock_refused: regions.lock_refused(),
            busy: AtomicBool::new(false),
            regions: UnsafeCell::new(regions),
            taken: AtomicU64::new(0),
            given: AtomicU64::new(0),
            refused: AtomicUsize::new(0),
            _share: share,
        }))
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.0.with(|regions| regions.bytes())
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.with(|regions| regions.used())
    }

    /// The most bytes that were in use at once: what the workload needs. Known once it is registered, since
    /// every run takes the same.
    pub fn peak(&self) -> usize {
        self.0.with(|regions| regions.peak())
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
    fn with<T>(&self, use_it: impl FnOnce(&mut Regions) -> T) -> T {
        while self.busy.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: `busy` was clear, so no other thread is in here.
        let result = use_it(unsafe { &mut *self.regions.get() });
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
        match self.with(|regions| regions.take(size)) {
            Some(start) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                start
            }
            None => {
                self.refused.store(size, Ordering::Relaxed);
                ptr::null_mut()
            }
        }
    }

    fn give(&self, start: *mut c_void) {
        match self.with(|regions| regions.give(start)) {
            Given::Back => {
                self.given.fetch_add(1, Ordering::Relaxed);
            }
            Given::Twice => {}
            // SAFETY: null, or from `take_anyway` and given back once.
            Given::Elsewhere => unsafe { libc::free(start) },
        }
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
