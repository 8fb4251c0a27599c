//! A [status](fulcrum_status_t) is the integer a call returns; a [`Fault`] is what it stands for on the Rust side.
//!
//! Each noun has a block of a hundred codes, and a code is never used again for something else.

#![allow(unsafe_code, reason = "an exported name is unsafe")]

use crate::runtime::{RuntimeError, Warning};
use crate::schedule::{Refusal, ScheduleError};
use crate::workload::WorkloadError;
use core::ffi::{CStr, c_char};
use core::fmt;

/// What a call returns. A plain integer: C may hold values this library never made.
pub type fulcrum_status_t = i32;

/// The call did what it promises.
pub const FULCRUM_OK: fulcrum_status_t = 0;
/// There was nothing to take. Not an error; nothing was written.
pub const FULCRUM_EMPTY: fulcrum_status_t = 1;

// 1xx: any call. Last added: 106.

/// An argument is NULL, misaligned or outside its range.
pub const FULCRUM_ERR_ARGUMENT: fulcrum_status_t = 101;
/// This library has a bug: it panicked. The handle can only be closed.
pub const FULCRUM_ERR_BUG: fulcrum_status_t = 102;
/// A struct or flag asks for something this release of the library does not know.
pub const FULCRUM_ERR_TOO_NEW: fulcrum_status_t = 103;
/// A struct's size field is below its first release or above 4096.
pub const FULCRUM_ERR_SIZE: fulcrum_status_t = 104;
/// The handle is NULL, or not one that fulcrum_open made and fulcrum_close has not seen.
pub const FULCRUM_ERR_HANDLE: fulcrum_status_t = 105;
/// A name is NULL, empty, not UTF-8, or does not end within FULCRUM_NAME_BYTES.
pub const FULCRUM_ERR_NAME: fulcrum_status_t = 106;

// 2xx: power modes; none yet.

// 3xx: schedule and admission. Last added: 323.

/// All places for streams are taken.
pub const FULCRUM_ERR_STREAMS_FULL: fulcrum_status_t = 301;
/// All places for jobs are taken.
pub const FULCRUM_ERR_JOBS_FULL: fulcrum_status_t = 302;
/// The period, the deadline or the cost of a stream is zero.
pub const FULCRUM_ERR_ZERO: fulcrum_status_t = 303;
/// The minibatch is larger than the largest there is.
pub const FULCRUM_ERR_MINIBATCH: fulcrum_status_t = 304;
/// A step has no piece, too many pieces, or a piece of no length.
pub const FULCRUM_ERR_PIECES: fulcrum_status_t = 305;
/// A job announces another number of pieces than its workload has.
pub const FULCRUM_ERR_PIECES_DIFFER: fulcrum_status_t = 306;
/// The burst of a stream is 0 or more than its queue holds.
pub const FULCRUM_ERR_BURST: fulcrum_status_t = 307;
/// No stream has this number.
pub const FULCRUM_ERR_NO_STREAM: fulcrum_status_t = 311;
/// No job has this number.
pub const FULCRUM_ERR_NO_JOB: fulcrum_status_t = 312;
/// No latency can be promised to this stream.
pub const FULCRUM_ERR_NO_BOUND: fulcrum_status_t = 313;
/// Admission: the inference streams alone need more than the accelerator has.
pub const FULCRUM_ERR_OVERLOAD: fulcrum_status_t = 321;
/// Admission: a stream's bound is above its deadline.
pub const FULCRUM_ERR_LATE: fulcrum_status_t = 322;
/// Admission: a job's longest piece fits into no gap between releases, so it would never run.
pub const FULCRUM_ERR_STARVED: fulcrum_status_t = 323;

// 4xx: runtime. Last added: 413.

/// The call does not belong to the runtime's present phase: open, started or stopped.
pub const FULCRUM_ERR_PHASE: fulcrum_status_t = 401;
/// The operating system made no thread; the errno is in the detail.
pub const FULCRUM_ERR_THREAD: fulcrum_status_t = 402;
/// Another thread is inside the same call this very moment. Nothing was done; call again.
pub const FULCRUM_ERR_BUSY: fulcrum_status_t = 403;
/// The stream's queue is full. The request was not taken.
pub const FULCRUM_ERR_FULL: fulcrum_status_t = 404;
/// The call waits for the dispatcher thread and was made on it, from a callback.
pub const FULCRUM_ERR_CALLBACK: fulcrum_status_t = 405;
/// The stream hands its results to a completion callback, so there is nothing to poll.
pub const FULCRUM_ERR_NOT_POLLED: fulcrum_status_t = 406;
/// Warning: the operating system refused a real-time priority.
pub const FULCRUM_WARN_PRIORITY: fulcrum_status_t = 411;
/// Warning: the operating system refused to pin the dispatcher to a processor.
pub const FULCRUM_WARN_CPU: fulcrum_status_t = 412;
/// Warning: the operating system refused to lock memory.
pub const FULCRUM_WARN_LOCK_MEMORY: fulcrum_status_t = 413;

// 5xx: workloads, in completions. Last added: 505.

/// The minibatch has a size the workload was not prepared for.
pub const FULCRUM_ERR_UNPREPARED: fulcrum_status_t = 501;
/// A request came without its data.
pub const FULCRUM_ERR_NO_DATA: fulcrum_status_t = 502;
/// The workload's own code failed; its code stands beside this one.
pub const FULCRUM_ERR_FAILED: fulcrum_status_t = 503;
/// The loss is not a number.
pub const FULCRUM_ERR_NOT_A_NUMBER: fulcrum_status_t = 504;
/// The workload's own code panicked.
pub const FULCRUM_ERR_PANICKED: fulcrum_status_t = 505;

/// FUNCTION: returns one English sentence for a status. The text is static: never free it, never write to it.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param status  any integer
/// @return the sentence, never NULL; "unknown status" for a number that is no status
#[unsafe(no_mangle)]
pub extern "C" fn fulcrum_status_text(status: fulcrum_status_t) -> *const c_char {
    text(status).as_ptr()
}

/// The sentence of `status`.
pub(super) const fn text(status: fulcrum_status_t) -> &'static CStr {
    match status {
        FULCRUM_OK => c"done",
        FULCRUM_EMPTY => c"nothing to take",
        FULCRUM_ERR_ARGUMENT => c"an argument is NULL, misaligned or outside its range",
        FULCRUM_ERR_BUG => c"bug in fulcrum: it panicked; the handle can only be closed",
        FULCRUM_ERR_TOO_NEW => c"a struct or flag asks for something this release of fulcrum does not know",
        FULCRUM_ERR_SIZE => c"a struct's size field is below its first release or above 4096",
        FULCRUM_ERR_HANDLE => c"the handle is NULL or is no open runtime",
        FULCRUM_ERR_NAME => c"a name is NULL, empty, not UTF-8, or does not end within 32 bytes",
        FULCRUM_ERR_STREAMS_FULL => c"all places for streams are taken",
        FULCRUM_ERR_JOBS_FULL => c"all places for jobs are taken",
        FULCRUM_ERR_ZERO => c"period, deadline and cost of a stream must be above zero",
        FULCRUM_ERR_MINIBATCH => c"the minibatch is larger than the largest there is",
        FULCRUM_ERR_PIECES => c"a step has no piece, too many pieces, or a piece of no length",
        FULCRUM_ERR_PIECES_DIFFER => c"a job announces another number of pieces than its workload has",
        FULCRUM_ERR_NO_STREAM => c"no stream has this number",
        FULCRUM_ERR_NO_JOB => c"no job has this number",
        FULCRUM_ERR_NO_BOUND => c"no latency can be promised to this stream",
        FULCRUM_ERR_OVERLOAD => c"the inference streams alone need more than the accelerator has",
        FULCRUM_ERR_LATE => c"a stream's bound is above its deadline",
        FULCRUM_ERR_STARVED => c"a job's longest piece fits into no gap between releases",
        FULCRUM_ERR_PHASE => c"the call does not belong to the runtime's present phase",
        FULCRUM_ERR_THREAD => c"the operating system made no thread",
        FULCRUM_ERR_BUSY => c"another thread is inside the same call; call again",
        FULCRUM_ERR_FULL => c"the stream's queue is full; the request was not taken",
        FULCRUM_ERR_CALLBACK => c"the call waits for the dispatcher thread and was made on it",
        FULCRUM_ERR_NOT_POLLED => c"the stream hands its results to a completion callback",
        FULCRUM_WARN_PRIORITY => c"the operating system refused a real-time priority",
        FULCRUM_WARN_CPU => c"the operating system refused to pin the dispatcher",
        FULCRUM_WARN_LOCK_MEMORY => c"the operating system refused to lock memory",
        FULCRUM_ERR_UNPREPARED => c"the minibatch has a size the workload was not prepared for",
        FULCRUM_ERR_NO_DATA => c"a request came without its data",
        FULCRUM_ERR_FAILED => c"the workload's own code failed",
        FULCRUM_ERR_NOT_A_NUMBER => c"the loss is not a number",
        FULCRUM_ERR_PANICKED => c"the workload's own code panicked",
        _ => c"unknown status",
    }
}

/// Why a call did not do what it promises.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is wrong with which argument.
    Argument(&'static str),
    /// A panic was stopped at the edge.
    Bug,
    /// What is not known.
    TooNew(&'static str),
    /// Which struct, and the size it claims.
    Size(&'static str, u32),
    /// No open runtime.
    Handle,
    /// What is wrong with the name.
    Name(&'static str),
    /// No such stream.
    NoStream(u32),
    /// No such job.
    NoJob(u32),
    /// The stream has no bound.
    NoBound,
    /// What the call needs.
    Phase(&'static str),
    /// Another thread is in the same call.
    Busy,
    /// The queue is full.
    Full,
    /// Made on the dispatcher thread.
    Callback,
    /// Results go to the callback.
    NotPolled,
    /// The runtime's own refusal.
    Runtime(RuntimeError),
}

impl Fault {
    /// The number of this fault. The one place where Rust's errors become numbers; a new one does not compile until
    /// it has its own.
    pub(super) fn code(&self) -> fulcrum_status_t {
        match self {
            Fault::Argument(_) => FULCRUM_ERR_ARGUMENT,
            Fault::Bug => FULCRUM_ERR_BUG,
            Fault::TooNew(_) => FULCRUM_ERR_TOO_NEW,
            Fault::Size(..) => FULCRUM_ERR_SIZE,
            Fault::Handle => FULCRUM_ERR_HANDLE,
            Fault::Name(_) => FULCRUM_ERR_NAME,
            Fault::NoStream(_) => FULCRUM_ERR_NO_STREAM,
            Fault::NoJob(_) => FULCRUM_ERR_NO_JOB,
            Fault::NoBound => FULCRUM_ERR_NO_BOUND,
            Fault::Phase(_) => FULCRUM_ERR_PHASE,
            Fault::Busy => FULCRUM_ERR_BUSY,
            Fault::Full => FULCRUM_ERR_FULL,
            Fault::Callback => FULCRUM_ERR_CALLBACK,
            Fault::NotPolled => FULCRUM_ERR_NOT_POLLED,
            Fault::Runtime(error) => match error {
                RuntimeError::Schedule(error) => match error {
                    ScheduleError::StreamsFull => FULCRUM_ERR_STREAMS_FULL,
                    ScheduleError::JobsFull => FULCRUM_ERR_JOBS_FULL,
                    ScheduleError::Zero => FULCRUM_ERR_ZERO,
                    ScheduleError::Minibatch(_) => FULCRUM_ERR_MINIBATCH,
                    ScheduleError::Burst(_) => FULCRUM_ERR_BURST,
                    ScheduleError::Pieces(_) => FULCRUM_ERR_PIECES,
                },
                RuntimeError::Pieces { .. } => FULCRUM_ERR_PIECES_DIFFER,
                RuntimeError::Refused(refusal) => match refusal {
                    Refusal::Overload => FULCRUM_ERR_OVERLOAD,
                    Refusal::Late { .. } => FULCRUM_ERR_LATE,
                    Refusal::Starved { .. } => FULCRUM_ERR_STARVED,
                },
                RuntimeError::Thread(_) => FULCRUM_ERR_THREAD,
            },
        }
    }

    /// The operating system's own number, or 0.
    pub(super) fn os_errno(&self) -> i32 {
        match self {
            Fault::Runtime(RuntimeError::Thread(error)) => error.raw_os_error().unwrap_or(0),
            _ => 0,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Argument(what) | Fault::TooNew(what) | Fault::Name(what) | Fault::Phase(what) => {
                f.write_str(what)
            }
            Fault::Size(what, size) => {
                write!(
                    f,
                    "{what}.size is {size}; set it to sizeof({what}) before filling the struct"
                )
            }
            Fault::NoStream(number) => write!(f, "there is no stream {number}"),
            Fault::NoJob(number) => write!(f, "there is no job {number}"),
            Fault::Runtime(error) => error.fmt(f),
            _ => f.write_str(text(self.code()).to_str().unwrap_or_default()),
        }
    }
}

impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Fault {
        Fault::Runtime(error)
    }
}

/// The number of a workload's error, and the workload's own code or 0.
pub(super) fn of_workload(error: WorkloadError) -> (fulcrum_status_t, i32) {
    match error {
        WorkloadError::Minibatch(_) => (FULCRUM_ERR_UNPREPARED, 0),
        WorkloadError::NoData => (FULCRUM_ERR_NO_DATA, 0),
        WorkloadError::Failed(code) => (FULCRUM_ERR_FAILED, code),
        WorkloadError::NotANumber => (FULCRUM_ERR_NOT_A_NUMBER, 0),
        WorkloadError::Panicked => (FULCRUM_ERR_PANICKED, 0),
    }
}

/// The number of a warning, and the operating system's.
pub(super) fn of_warning(warning: Warning) -> (fulcrum_status_t, i32) {
    match warning {
        Warning::Priority(errno) => (FULCRUM_WARN_PRIORITY, errno),
        Warning::Cpu(_, errno) => (FULCRUM_WARN_CPU, errno),
        Warning::LockMemory(errno) => (FULCRUM_WARN_LOCK_MEMORY, errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Name and number of every status, read from this file so that none can be left out.
    fn all() -> Vec<(&'static str, i32)> {
        let constants = include_str!("status.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const "));
        let named = constants.filter_map(|line| line.split_once(": fulcrum_status_t = "));
        named
            .map(|(name, number)| (name, number.trim_end_matches(';').parse().unwrap()))
            .collect()
    }

    #[test]
    fn no_two_statuses_share_a_number() {
        let mut seen = BTreeMap::new();
        for (name, number) in all() {
            assert_eq!(seen.insert(number, name), None, "{name} is {number} too");
        }
        assert!(seen.len() > 30, "the constants were found");
    }

    #[test]
    fn every_status_has_its_own_text() {
        let mut seen = BTreeMap::new();
        for (name, number) in all() {
            assert_ne!(text(number), text(-1), "{name} has no text");
            assert_eq!(
                seen.insert(text(number), name),
                None,
                "{name} has the text of another"
            );
        }
    }

    #[test]
    fn an_unknown_number_has_a_text_too() {
        for number in [-1, 2, 99, 200, i32::MAX, i32::MIN] {
            assert_eq!(text(number), c"unknown status");
        }
    }
}
