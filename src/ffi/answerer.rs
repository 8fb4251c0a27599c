//! The C functions of a [stream](super::stream::fulcrum_stream_t) as an [`Inference`].

#![allow(unsafe_code)]

use super::handle::mark_dispatcher;
use super::request::{fulcrum_completion_t, fulcrum_request_t};
use super::stream::fulcrum_completed_t;
use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::runtime::Completion;
use crate::units::Nanos;
use crate::workload::{Inference, Request, WorkloadError, swap};
use core::ffi::c_void;

/// Runs a minibatch or a piece of one.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Whole(unsafe extern "C" fn(*mut c_void, *const fulcrum_request_t, u32, *mut u64) -> i32),
    Cut(unsafe extern "C" fn(*mut c_void, u32, *const fulcrum_request_t, u32, *mut u64) -> i32),
}

/// The C functions of a stream.
pub(super) struct Callbacks {
    pub(super) work: Work,
    /// Pieces in a minibatch, 1 if it is not cut.
    pub(super) pieces: u16,
    pub(super) completed: fulcrum_completed_t,
    pub(super) swap: Option<Swap>,
    pub(super) user: *mut c_void,
    /// When the minibatch started.
    pub(super) start: Nanos,
    /// Bytes that the caller says it holds.
    pub(super) memory_bytes: u64,
}

/// Where a stream's new weights come from.
pub(super) struct Swap {
    apply: unsafe extern "C" fn(*mut c_void, u32, u32),
    serving: swap::Serving,
    /// What the last minibatch ran with.
    set: usize,
    version: u32,
}

impl Swap {
    /// Set 0 serves, with version 0.
    pub(super) fn new(apply: unsafe extern "C" fn(*mut c_void, u32, u32), serving: swap::Serving) -> Swap {
        Swap {
            apply,
            serving,
            set: 0,
            version: 0,
        }
    }

    /// Takes the set to run with until the minibatch has ended, and tells the stream if it is another.
    fn begin(&mut self, user: *mut c_void) {
        let running = self.serving.begin().kept();
        if running != (self.set, self.version) {
            (self.set, self.version) = running;
            // SAFETY: `fulcrum_apply_t` states what the function may do. There are fewer sets than a u32 counts.
            unsafe { (self.apply)(user, self.set as u32, self.version) };
        }
    }
}

// SAFETY: fulcrum_stream_t.user promises use on the dispatcher thread, and nothing here uses it on another.
unsafe impl Send for Callbacks {}

impl Inference for Callbacks {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        self.run_minibatch_piece(0, requests, answers)
    }

    fn minibatch_pieces(&self) -> u16 {
        self.pieces
    }

    fn run_minibatch_piece(
        &mut self,
        piece: u16,
        requests: &[Request],
        answers: &mut [u64],
    ) -> Result<(), WorkloadError> {
        mark_dispatcher();
        let mut shown = [fulcrum_request_t {
            token: 0,
            release_ns: 0,
        }; limits::MINIBATCH];
        for (place, request) in shown.iter_mut().zip(requests) {
            *place = fulcrum_request_t {
                token: request.token,
                release_ns: request.release.0,
            };
        }
        let user = self.user;
        if piece == 0 {
            // An answer the callback forgets is 0, not one of an earlier minibatch.
            answers.fill(0);
            self.start = Monotonic.now();
            if let Some(swap) = &mut self.swap {
                swap.begin(user);
            }
        }
        let model_version = self.version();
        let count = requests.len().min(answers.len()).min(limits::MINIBATCH) as u32;
        let (shown, out) = (shown.as_ptr(), answers.as_mut_ptr());
        // SAFETY: both arrays have `count` places; the functions' types state what they may do.
        let code = unsafe {
            match self.work {
                Work::Whole(run) => run(user, shown, count, out),
                Work::Cut(run_piece) => run_piece(user, u32::from(piece), shown, count, out),
            }
        };
        let outcome = if code == 0 {
            Ok(())
        } else {
            Err(WorkloadError::Failed(code))
        };
        let ended = outcome.is_err() || piece + 1 >= self.pieces;
        if let Some(swap) = self.swap.as_mut().filter(|_| ended) {
            swap.serving.end();
        }
        if let Some(completed) = self.completed.filter(|_| ended) {
            let end = Monotonic.now();
            for (request, answer) in requests.iter().zip(answers.iter()) {
                let completion = Completion {
                    request: *request,
                    answer: outcome.map(|()| *answer),
                    start: self.start,
                    end,
                    model_version,
                };
                // SAFETY: the struct lives during the call; `fulcrum_completed_t` states what the function may do.
                unsafe { completed(user, &fulcrum_completion_t::from(completion)) };
            }
        }
        outcome
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn version(&self) -> u32 {
        self.swap.as_ref().map_or(0, |swap| swap.version)
    }
}
