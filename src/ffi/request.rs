//! A [request](fulcrum_request_t) of a stream, and what [became of it](fulcrum_completion_t).

#![allow(unsafe_code)]

use super::fault::Fault;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized;
use super::status::{self, FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use crate::clock::{Clock, Monotonic};
use crate::runtime::Completion;
use crate::schedule::Request;
use crate::units::Nanos;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

/// One request of an inference stream. Its layout never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fulcrum_request_t {
    /// The caller's own word for this request.
    pub token: u64,
    /// When the request was due, ns on the clock of fulcrum_now_ns. Latency counts from here.
    pub release_ns: u64,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_request_t>() == 16,
    "the layout is frozen"
);

/// What became of one request. Its layout never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fulcrum_completion_t {
    /// The caller's own word for the request.
    pub token: u64,
    /// When the request was due, ns on the clock of fulcrum_now_ns.
    pub release_ns: u64,
    /// When its minibatch started.
    pub start_ns: u64,
    /// When its minibatch ended. Latency is end_ns - release_ns.
    pub end_ns: u64,
    /// The answer of the run callback; 0 where status is not FULCRUM_OK.
    pub answer: u64,
    /// FULCRUM_OK, or why there is no answer: one of 5xx.
    pub status: fulcrum_status_t,
    /// With FULCRUM_ERR_FAILED (503) what the run callback returned; else 0.
    pub code: i32,
    /// The version of the weights its minibatch ran with: 0 for those the stream was added with. It goes back
    /// only by fulcrum_revert.
    pub model_version: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_completion_t>() == 56,
    "the layout is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_completion_t, status) == 40,
    "the layout is frozen"
);

const _: () = assert!(2 * crate::limits::REQUESTS == 128, "the header says so");

impl From<Completion> for fulcrum_completion_t {
    fn from(completion: Completion) -> fulcrum_completion_t {
        let (status, code) = completion
            .answer
            .map_or_else(status::of_workload, |_| (FULCRUM_OK, 0));
        fulcrum_completion_t {
            token: completion.request.token,
            release_ns: completion.request.release.0,
            start_ns: completion.start.0,
            end_ns: completion.end.0,
            answer: completion.answer.unwrap_or(0),
            status,
            code,
            model_version: completion.model_version,
            reserved: 0,
        }
    }
}

/// FUNCTION: returns the present moment on CLOCK_MONOTONIC, the clock of every moment in this header, ns.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @return nanoseconds since some moment in the past; never goes back
#[unsafe(no_mangle)]
pub extern "C" fn fulcrum_now_ns() -> u64 {
    Monotonic.now().0
}

/// METHOD fulcrum_runtime_t: hands a request in and wakes the dispatcher. Of two threads that hand in to the same
/// stream at the same moment one gets FULCRUM_ERR_BUSY; neither waits.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a started runtime
/// @param stream  the stream's number
/// @param token  comes back with the result
/// @param release_ns  when the request was due, ns on the clock of fulcrum_now_ns; 0: now
/// @return FULCRUM_OK, FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_FULL (404), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_submit(
    rt: *mut fulcrum_runtime_t,
    stream: u32,
    token: u64,
    release_ns: u64,
) -> fulcrum_status_t {
    let submit = |rt: &Handle| {
        rt.takes_requests()?;
        let mut submitter = rt.port(stream)?.submitter.enter().ok_or(Fault::Busy)?;
        let submitter = submitter.as_mut().ok_or(Fault::NoStream(stream))?;
        let release = if release_ns == 0 {
            Monotonic.now()
        } else {
            Nanos(release_ns)
        };
        submitter
            .submit(Request { token, release })
            .map_err(|_| Fault::Full)?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), submit) }
}

/// METHOD fulcrum_runtime_t: takes the oldest result of a stream. 128 results wait; later ones are dropped and counted
/// as untaken. Results that wait can still be taken after the stop.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param stream  the stream's number
/// @param[out] out  the result
/// @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_NOT_POLLED (406), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_poll(
    rt: *mut fulcrum_runtime_t,
    stream: u32,
    out: *mut fulcrum_completion_t,
) -> fulcrum_status_t {
    let poll = |rt: &Handle| {
        sized::writable(out, "out is NULL")?;
        rt.view()?;
        let port = rt.port(stream)?;
        let mut completions = port.completions.enter().ok_or(Fault::Busy)?;
        let completions = completions.as_mut().ok_or(Fault::NoStream(stream))?;
        if port.called_back.load(Relaxed) {
            return Err(Fault::NotPolled);
        }
        let Some(completion) = completions.poll() else {
            return Ok(FULCRUM_EMPTY);
        };
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out, completion.into(), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), poll) }
}

/// METHOD fulcrum_runtime_t: tells the worst-case latency promised to a stream, from release to completion. It holds as
/// long as arrivals, costs and pieces keep what was announced; every measured latency is checked against it.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param stream  the stream's number
/// @param[out] out_ns  the bound, ns
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_NO_STREAM (311), FULCRUM_ERR_NO_BOUND (313),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_bound(
    rt: *const fulcrum_runtime_t,
    stream: u32,
    out_ns: *mut u64,
) -> fulcrum_status_t {
    let bound = |rt: &Handle| {
        let promised = rt
            .view()?
            .bounds
            .get(stream as usize)
            .ok_or(Fault::NoStream(stream))?;
        let bound = promised.ok_or(Fault::NoBound)?;
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { sized::put(out_ns, bound.0, "out_ns is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), bound) }
}
