//! An [`Opaque`] object is what a handle of C points to: marked, so that what is no handle is refused, and poisoned by
//! a panic.

#![allow(unsafe_code)]

use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::sized;
use super::status::{FULCRUM_OK, fulcrum_status_t};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A type that C knows by name and holds by pointer only.
pub(super) trait Named {
    /// What the pointer really points to, inside of an [`Opaque`].
    type Object;
    /// Marks the memory; another for each type.
    const MAGIC: u64;
}

/// What a pointer of C points to. C knows its first eight bytes, and those only by this file.
#[repr(C)]
pub(super) struct Opaque<T> {
    magic: AtomicU64,
    poisoned: AtomicBool,
    object: T,
}

impl<T> Opaque<T> {
    /// The object, poisoned or not: for closing.
    pub(super) fn object(&self) -> &T {
        &self.object
    }
}

const _: () = assert!(
    core::mem::offset_of!(Opaque<u64>, magic) == 0,
    "the magic is read before anything else"
);

/// Makes an object and hands it to C in `out`; for constructors.
///
/// # Safety
/// `out` is NULL, or valid for writing; `error` likewise.
pub(super) unsafe fn open<C: Named>(
    out: *mut *mut C,
    error: *mut fulcrum_error_t,
    make: impl FnOnce() -> Result<C::Object, Fault>,
) -> fulcrum_status_t {
    let made = catch_unwind(AssertUnwindSafe(|| {
        sized::writable(out, "out is NULL")?;
        let made = Box::new(Opaque {
            magic: AtomicU64::new(C::MAGIC),
            poisoned: AtomicBool::new(false),
            object: make()?,
        });
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out, Box::into_raw(made).cast(), "out is NULL") }
    }));
    match made.unwrap_or(Err(Fault::Bug)) {
        Ok(()) => FULCRUM_OK,
        // SAFETY: as the caller promises.
        Err(fault) => unsafe { told(error, &fault) },
    }
}

/// Runs `body` on a checked object. A panic stops here and poisons the handle; a fault is told in `error`, if that is
/// not NULL, and as its code.
///
/// # Safety
/// `at` is NULL, or readable for eight bytes and, if those are the magic, a handle nobody closes meanwhile. `error` is
/// NULL, or valid for writing.
pub(super) unsafe fn call<C: Named>(
    at: *const C,
    error: *mut fulcrum_error_t,
    body: impl FnOnce(&C::Object) -> Result<fulcrum_status_t, Fault>,
) -> fulcrum_status_t {
    // SAFETY: as the caller promises.
    let outcome = unsafe { checked(at) }.and_then(|opaque| {
        if opaque.poisoned.load(Relaxed) {
            return Err(Fault::Bug);
        }
        catch_unwind(AssertUnwindSafe(|| body(&opaque.object))).unwrap_or_else(|_| {
            opaque.poisoned.store(true, Relaxed);
            Err(Fault::Bug)
        })
    });
    // SAFETY: as the caller promises.
    outcome.unwrap_or_else(|fault| unsafe { told(error, &fault) })
}

/// The checked object.
///
/// # Safety
/// As for [`call`].
pub(super) unsafe fn checked<'a, C: Named>(at: *const C) -> Result<&'a Opaque<C::Object>, Fault>
where
    C::Object: 'a,
{
    let at = at.cast::<Opaque<C::Object>>();
    if at.is_null() || !at.is_aligned() {
        return Err(Fault::Handle);
    }
    // SAFETY: `magic` stands first (asserted above), and the caller promises its eight bytes.
    if unsafe { at.cast::<u64>().read() } != C::MAGIC {
        return Err(Fault::Handle);
    }
    // SAFETY: with this magic it is a box that `open` made and `free` has not seen.
    Ok(unsafe { &*at })
}

/// Frees an object. A panic while it is freed has nowhere to go.
///
/// # Safety
/// `at` was checked, and nobody else uses it.
pub(super) unsafe fn free<C: Named>(at: *mut C) {
    // SAFETY: the magic said that `open` made this box; the caller promises the rest.
    let opaque = unsafe { Box::from_raw(at.cast::<Opaque<C::Object>>()) };
    // As far as reading freed memory tells anything.
    opaque.magic.store(0, Relaxed);
    let _ = catch_unwind(AssertUnwindSafe(|| drop(opaque)));
}

/// Tells `fault` in `error` and returns its code.
///
/// # Safety
/// `error` is NULL, or valid for writing.
pub(super) unsafe fn told(error: *mut fulcrum_error_t, fault: &Fault) -> fulcrum_status_t {
    // SAFETY: as the caller promises.
    unsafe { fulcrum_error_t::fill(error, fault) };
    fault.code()
}
