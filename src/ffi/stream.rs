//! A [stream](fulcrum_stream_t) of inference requests whose minibatches a C function runs.

#![allow(unsafe_code)]

use super::answerer::{Callbacks, Swap, Work};
use super::array;
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::gate::Gate;
use super::handle::Handle;
use super::opaque::call;
use super::request::{fulcrum_completion_t, fulcrum_request_t};
use super::runtime::fulcrum_runtime_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use super::weights::fulcrum_apply_t;
use crate::limits;
use crate::runtime::{Completions, RuntimeError, Submitter};
use crate::schedule::{Arrival, Overdue, Pieces, ScheduleError, StreamSpec};
use crate::units::Nanos;
use crate::workload::swap;
use core::ffi::{c_char, c_void};
use core::sync::atomic::AtomicBool;
use std::sync::OnceLock;

/// Stream flag: requests come at any time, but never two within period_ns. Without it they come each period_ns.
pub const FULCRUM_SPORADIC: u32 = 1;

/// Runs one minibatch, on the dispatcher thread. Writes one answer for each request; an answer is 64 bits of the
/// caller's own meaning. It must not throw, jump out, allocate, lock or touch files. 0: done; else the minibatch
/// failed, and the number comes back in the completions' code.
pub type fulcrum_run_t = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        requests: *const fulcrum_request_t,
        count: u32,
        answers: *mut u64,
    ) -> i32,
>;

/// Runs one piece of a minibatch that is cut, on the dispatcher thread. Pieces are counted from 0, and between two of them
/// other work may run; the requests are the same for each. The last piece writes the answers. 0: done; else the minibatch
/// failed and is not gone on with. The rules of fulcrum_run_t hold.
pub type fulcrum_run_minibatch_piece_t = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        piece: u32,
        requests: *const fulcrum_request_t,
        count: u32,
        answers: *mut u64,
    ) -> i32,
>;

/// Takes one result, on the dispatcher thread, right after its minibatch; its time counts as the minibatch's. It must
/// not throw, jump out, allocate, lock or touch files.
pub type fulcrum_completed_t =
    Option<unsafe extern "C" fn(user: *mut c_void, completion: *const fulcrum_completion_t)>;

/// What a stream asks for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_stream_t {
    /// sizeof(fulcrum_stream_t); set it before anything else.
    pub size: u32,
    /// FULCRUM_SPORADIC or 0.
    pub flags: u32,
    /// For people and traces: UTF-8, at most 31 bytes and a zero. Copied.
    pub name: *const c_char,
    /// Time between two requests, ns; with FULCRUM_SPORADIC the least time. Above 0.
    pub period_ns: u64,
    /// How long after its release a request may be handed in, ns. Part of the bound. 0 with FULCRUM_SPORADIC.
    pub jitter_ns: u64,
    /// Latest completion, counted from the release, ns. Above 0.
    pub deadline_ns: u64,
    /// The longest one minibatch takes, ns: an upper quantile or a maximum, never a mean. Above 0.
    pub cost_ns: u64,
    /// Requests in one minibatch, 1 to 64. Default 1.
    pub minibatch: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Runs a minibatch. Not NULL, unless piece_count is above 0.
    pub run: fulcrum_run_t,
    /// Takes each result as it comes; NULL: results wait for fulcrum_poll.
    pub completed: fulcrum_completed_t,
    /// Handed to both callbacks. Used on the dispatcher thread until the runtime is stopped or closed. May be NULL.
    pub user: *mut c_void,
    /// Of a higher number goes first, under FULCRUM_POLICY_PRIORITY; 0 to 255. The other policies do not look at it.
    pub priority: u32,
    /// What becomes of requests that are past their deadline before they could start: FULCRUM_OVERDUE_RUN (0),
    /// FULCRUM_OVERDUE_SKIP or FULCRUM_OVERDUE_NEWEST.
    pub overdue: u32,
    /// With FULCRUM_SPORADIC: requests that may come at once, if over a longer time they keep to period_ns; 1 to 64.
    /// Default 1.
    pub burst: u32,
    /// Pieces that a minibatch is cut into, so that more urgent work may come between two; at most 128. 0: it is not cut.
    pub piece_count: u32,
    /// The longest each of the piece_count pieces takes, ns; their sum is at most cost_ns. Copied. NULL if it is not cut.
    pub piece_ns: *const u64,
    /// Runs a piece. Not NULL if piece_count is above 0.
    pub run_piece: fulcrum_run_minibatch_piece_t,
    /// Takes new weights; NULL: the stream keeps those it has.
    pub apply: fulcrum_apply_t,
    /// Bytes that what the callbacks run holds, its weights and buffers; admission sums them up, see
    /// fulcrum_config_t. 0: not told.
    pub memory_bytes: u64,
}

/// Overdue requests are run all the same, and counted as missed.
pub const FULCRUM_OVERDUE_RUN: u32 = 0;
/// Overdue requests come back with the code FULCRUM_ERR_OVERDUE, and are counted as missed.
pub const FULCRUM_OVERDUE_SKIP: u32 = 1;
/// As FULCRUM_OVERDUE_SKIP, and of those that wait only the newest minibatch is run.
pub const FULCRUM_OVERDUE_NEWEST: u32 = 2;

/// Bytes of the struct in the first release: up to and with `user`.
const FIRST: u32 = core::mem::offset_of!(fulcrum_stream_t, priority) as u32;

const _: () = assert!(limits::MINIBATCH == 64, "the header says so");

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(FIRST == 80, "the first release is frozen");
    assert!(
        core::mem::offset_of!(fulcrum_stream_t, minibatch) == 48,
        "the first release is frozen"
    );
    assert!(
        core::mem::offset_of!(fulcrum_stream_t, user) == 72,
        "the first release is frozen"
    );
};

// SAFETY: repr(C), a u32 first; two u32 stand before each pointer-sized or 8-byte field, so there is no
// padding on a 64-bit target (asserted above); on a 32-bit one four bytes before the last field or at the
// end, and it is only ever read. Zero is valid: NULL pointers and no callbacks.
unsafe impl Growing for fulcrum_stream_t {
    const NAME: &'static str = "fulcrum_stream_t";
    const FIRST: u32 = FIRST;
}

impl fulcrum_stream_t {
    fn spec(&self) -> Result<StreamSpec, Fault> {
        if self.flags & !FULCRUM_SPORADIC != 0 {
            return Err(Fault::TooNew(
                "stream.flags has a flag this release of fulcrum does not know",
            ));
        }
        if self.reserved != 0 {
            return Err(Fault::TooNew("stream.reserved must be 0"));
        }
        let period = Nanos(self.period_ns);
        let arrival = match (
            self.flags & FULCRUM_SPORADIC != 0,
            Nanos(self.jitter_ns),
            self.burst,
        ) {
            (false, jitter, 0 | 1) => Arrival::Periodic { period, jitter },
            (false, ..) => {
                return Err(Fault::Argument(
                    "a periodic stream has no burst: set burst to 0 or 1",
                ));
            }
            (true, Nanos::ZERO, 0 | 1) => Arrival::Sporadic { period },
            (true, Nanos::ZERO, burst) => Arrival::Bursty { period, burst },
            (true, ..) => {
                return Err(Fault::Argument(
                    "a sporadic stream has no jitter: set jitter_ns to 0",
                ));
            }
        };
        Ok(StreamSpec {
            // SAFETY: the caller promises a zero-terminated or 32-byte text.
            name: unsafe { sized::name(self.name) }?,
            arrival,
            deadline: Nanos(self.deadline_ns),
            minibatch: self.minibatch.max(1),
            cost: Nanos(self.cost_ns),
            pieces: self.pieces()?,
            priority: u8::try_from(self.priority)
                .map_err(|_| Fault::Argument("stream.priority is above 255"))?,
            overdue: match self.overdue {
                FULCRUM_OVERDUE_RUN => Overdue::Run,
                FULCRUM_OVERDUE_SKIP => Overdue::Skip,
                FULCRUM_OVERDUE_NEWEST => Overdue::Newest,
                _ => return Err(Fault::TooNew("stream.overdue is not known to this release")),
            },
        })
    }
}

impl fulcrum_stream_t {
    fn pieces(&self) -> Result<Pieces, Fault> {
        let count = self.piece_count as usize;
        if count > limits::PIECES {
            return Err(RuntimeError::from(ScheduleError::Pieces(count)).into());
        }
        if count == 0 {
            return Ok(Pieces::new());
        }
        // SAFETY: the caller promises `piece_count` lengths.
        unsafe { array::lengths(self.piece_ns, count, "stream.piece_ns is NULL") }
    }

    fn work(&self) -> Result<Work, Fault> {
        match (self.piece_count, self.run, self.run_piece) {
            (0, None, _) => Err(Fault::Argument("stream.run is NULL")),
            (0, Some(run), _) => Ok(Work::Whole(run)),
            (_, _, None) => Err(Fault::Argument("stream.run_piece is NULL")),
            (_, _, Some(run_piece)) => Ok(Work::Cut(run_piece)),
        }
    }
}

/// The caller's end of a stream.
#[derive(Default)]
pub(super) struct Port {
    pub(super) submitter: Gate<Option<Submitter>>,
    pub(super) completions: Gate<Option<Completions>>,
    /// Results go to a callback.
    pub(super) called_back: AtomicBool,
    /// Set where the stream takes new weights.
    pub(super) reverter: OnceLock<swap::Reverter>,
}

/// METHOD fulcrum_runtime_t: adds an inference stream. Streams are numbered from 0 in the order of adding. What the
/// struct and its name hold is copied.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param rt  a runtime that was not started yet
/// @param stream  what the stream asks for
/// @param[out] out_stream  the stream's number
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_NAME (106), FULCRUM_ERR_STREAMS_FULL (301), FULCRUM_ERR_ZERO (303),
///         FULCRUM_ERR_MINIBATCH (304), FULCRUM_ERR_PIECES (305), FULCRUM_ERR_BURST (307), FULCRUM_ERR_COST (308),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_stream_add(
    rt: *mut fulcrum_runtime_t,
    stream: *const fulcrum_stream_t,
    out_stream: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let add = |rt: &Handle| {
        sized::writable(out_stream, "out_stream is NULL")?;
        // SAFETY: the caller promises as many bytes as the struct says.
        let stream = unsafe { sized::read(stream, "stream is NULL") }?;
        let spec = stream.spec()?;
        let mut work = Callbacks {
            work: stream.work()?,
            // At most limits::PIECES, which fit.
            pieces: stream.piece_count.max(1) as u16,
            completed: stream.completed,
            swap: None,
            user: stream.user,
            start: Nanos::ZERO,
            memory_bytes: stream.memory_bytes,
        };
        let ends = stream.apply.map(|apply| {
            let (publisher, serving, reverter) = swap::channel();
            work.swap = Some(Swap::new(apply, serving));
            (publisher, reverter)
        });
        rt.build(|building| {
            let (submitter, completions) = building.builder.stream(spec, Box::new(work))?;
            let number = building.streams;
            building.streams += 1;
            let (publisher, reverter) = ends.unzip();
            building.publishers.push(publisher);
            if let Some(reverter) = reverter {
                // Nobody has set it before: each port is connected once.
                let _ = rt.port(number)?.reverter.set(reverter);
            }
            rt.port(number)?
                .connect(submitter, completions, stream.completed.is_some());
            // SAFETY: checked above; the caller promises that it is writable.
            unsafe { sized::put(out_stream, number, "out_stream is NULL") }
        })?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(rt, error, add) }
}

impl Port {
    /// Makes the port usable. Nobody is inside its gates: before the start every call that would be is refused.
    fn connect(&self, submitter: Submitter, completions: Completions, called_back: bool) {
        self.called_back
            .store(called_back, core::sync::atomic::Ordering::Relaxed);
        if let Some(mut place) = self.submitter.enter() {
            *place = Some(submitter);
        }
        if let Some(mut place) = self.completions.enter() {
            *place = Some(completions);
        }
    }
}
