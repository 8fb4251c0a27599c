//! [`RunOptions`]: what ends a run of ONNX Runtime before its time, from another thread.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::OrtRunOptions;
use super::library::{Library, call};
use crate::workload::Abort;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Options of a run, whose terminate flag ends it at the next node border.
pub(super) struct RunOptions {
    library: Library,
    options: *mut OrtRunOptions,
    /// Aborts begun, and those whose flag is set. Between the two the flag may or may not be.
    begun: AtomicU64,
    set: AtomicU64,
    /// Aborts that a reset has undone. Of the running thread alone.
    undone: AtomicU64,
}

// SAFETY: the object is a few settings that are not changed after `new`, but for the terminate flag, which the header of
// ONNX Runtime documents to be set from another thread while runs go on.
unsafe impl Send for RunOptions {}
// SAFETY: as above.
unsafe impl Sync for RunOptions {}

impl RunOptions {
    pub(super) fn new(library: &Library) -> Result<RunOptions, OnnxError> {
        let mut made = RunOptions {
            library: library.clone(),
            options: ptr::null_mut(),
            begun: AtomicU64::new(0),
            set: AtomicU64::new(0),
            undone: AtomicU64::new(0),
        };
        // SAFETY: the object is released by `drop`.
        unsafe {
            call!(
                library,
                "make run options",
                CreateRunOptions(&raw mut made.options)
            )
        }?;
        Ok(made)
    }

    pub(super) fn raw(&self) -> *const OrtRunOptions {
        self.options
    }

    /// Whether an abort may have ended the run that just ended; the next run goes on again. Called after each run. An abort
    /// that is half done now may end the next run, and then is seen there.
    pub(super) fn reset(&self) -> bool {
        let set = self.set.load(SeqCst);
        let aborted = self.begun.load(SeqCst) != self.undone.load(SeqCst);
        if aborted && let Some(unset) = self.library.api().RunOptionsUnsetTerminate {
            self.undone.store(set, SeqCst);
            // SAFETY: the options live. Clearing a flag has no way to fail, so the status is null.
            let _ = unsafe { unset(self.options) };
        }
        aborted
    }
}

impl Abort for RunOptions {
    fn abort(&self) {
        if let Some(set) = self.library.api().RunOptionsSetTerminate {
            self.begun.fetch_add(1, SeqCst);
            // SAFETY: the options live. Setting a flag has no way to fail, so the status is null.
            let _ = unsafe { set(self.options) };
            self.set.fetch_add(1, SeqCst);
        }
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("aborts", &self.begun)
            .finish_non_exhaustive()
    }
}

impl Drop for RunOptions {
    fn drop(&mut self) {
        if let (Some(release), false) = (self.library.api().ReleaseRunOptions, self.options.is_null()) {
            // SAFETY: made by `new`, released once.
            unsafe { release(self.options) };
        }
    }
}
