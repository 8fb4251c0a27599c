//! A [status](fulcrum_status_t) is the integer a call returns; its text is here.
//!
//! Each noun has a block of a hundred codes, and a code is never used again for something else.

#![allow(unsafe_code, reason = "an exported name is unsafe")]

use crate::runtime::Warning;
use crate::workload::WorkloadError;
use core::ffi::{CStr, c_char};

/// What a call returns. A plain integer: C may hold values this library never made.
pub type fulcrum_status_t = i32;

/// The call did what it promises.
pub const FULCRUM_OK: fulcrum_status_t = 0;
/// There was nothing to take. Not an error; nothing was written.
pub const FULCRUM_EMPTY: fulcrum_status_t = 1;

// 1xx: any call. Last added: 107.

/// An argument is NULL, misaligned or outside its range.
pub const FULCRUM_ERR_ARGUMENT: fulcrum_status_t = 101;
/// This library has a bug: it panicked. The handle can only be closed.
pub const FULCRUM_ERR_BUG: fulcrum_status_t = 102;
/// A struct or flag asks for something this release of the library does not know.
pub const FULCRUM_ERR_TOO_NEW: fulcrum_status_t = 103;
/// A struct's size field is below its first release or above 4096.
pub const FULCRUM_ERR_SIZE: fulcrum_status_t = 104;
/// The handle is NULL, or not an open one of the type that the call takes.
pub const FULCRUM_ERR_HANDLE: fulcrum_status_t = 105;
/// A name is NULL, empty, not UTF-8, or does not end within FULCRUM_NAME_BYTES.
pub const FULCRUM_ERR_NAME: fulcrum_status_t = 106;
/// A path is empty, or does not end within FULCRUM_PATH_BYTES.
pub const FULCRUM_ERR_PATH: fulcrum_status_t = 107;

// 2xx: board and power modes. Last added: 216.

/// The folder shows no board: no CPU core, or a table of clocks that does not rise.
pub const FULCRUM_ERR_NO_BOARD: fulcrum_status_t = 201;
/// A setting of the board could not be read; nothing was written. The errno is in the detail.
pub const FULCRUM_ERR_UNREADABLE: fulcrum_status_t = 202;
/// The board has no such knob, or does not offer this value of it; nothing was written.
pub const FULCRUM_ERR_NOT_OFFERED: fulcrum_status_t = 203;
/// The board refused a write or to be read back, and the old mode is back. The errno is in the detail.
pub const FULCRUM_ERR_REFUSED: fulcrum_status_t = 204;
/// The board accepted a write and does not show it, and the old mode is back.
pub const FULCRUM_ERR_NOT_TAKEN: fulcrum_status_t = 205;
/// The board accepted a ceiling and shows a higher one, and the old mode is back.
pub const FULCRUM_ERR_EXCEEDED: fulcrum_status_t = 206;
/// The board is not in the mode it was found in: putting it back failed. The journal stays for the next attempt.
pub const FULCRUM_ERR_UNRESTORED: fulcrum_status_t = 207;
/// The journal could not be read or written; the errno is in the detail. The board is in its old mode.
pub const FULCRUM_ERR_JOURNAL: fulcrum_status_t = 208;
/// Another program, or another handle of this one, is changing this board's mode.
pub const FULCRUM_ERR_JOURNAL_BUSY: fulcrum_status_t = 209;
/// The journal is damaged, so what the board was found in is not known. The detail says what to do.
pub const FULCRUM_ERR_JOURNAL_DAMAGED: fulcrum_status_t = 210;
/// The journal is of another board.
pub const FULCRUM_ERR_JOURNAL_FOREIGN: fulcrum_status_t = 211;
/// An earlier change was cut off and left the board between two modes; call fulcrum_mode_recover.
pub const FULCRUM_ERR_CUT_OFF: fulcrum_status_t = 212;
/// The board has no nvpmodel.conf, or it cannot be read; the errno is in the detail.
pub const FULCRUM_ERR_NO_CONF: fulcrum_status_t = 213;
/// The board's nvpmodel.conf is broken; the detail says where.
pub const FULCRUM_ERR_CONF: fulcrum_status_t = 214;
/// The board's nvpmodel.conf has no preset of this id.
pub const FULCRUM_ERR_NO_PRESET: fulcrum_status_t = 215;
/// The preset needs a reboot; nothing was written.
pub const FULCRUM_ERR_REBOOT: fulcrum_status_t = 216;

// 3xx: schedule and admission. Last added: 324, and 315 before it.

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
/// A stream or job announces another number of pieces than its workload has.
pub const FULCRUM_ERR_PIECES_DIFFER: fulcrum_status_t = 306;
/// The burst of a stream is 0 or more than its queue holds.
pub const FULCRUM_ERR_BURST: fulcrum_status_t = 307;
/// The pieces of a minibatch last longer together than it costs, or one has no length.
pub const FULCRUM_ERR_COST: fulcrum_status_t = 308;
/// No stream has this number.
pub const FULCRUM_ERR_NO_STREAM: fulcrum_status_t = 311;
/// No job has this number.
pub const FULCRUM_ERR_NO_JOB: fulcrum_status_t = 312;
/// No latency can be promised to this stream.
pub const FULCRUM_ERR_NO_BOUND: fulcrum_status_t = 313;
/// The stream takes no new weights: it was added without an apply function, or another job hands its weights
/// to it.
pub const FULCRUM_ERR_NO_SWAP: fulcrum_status_t = 314;
/// No version served before the present one, or it was reverted to already.
pub const FULCRUM_ERR_NO_VERSION: fulcrum_status_t = 315;
/// Admission: the inference streams alone need more than the accelerator has.
pub const FULCRUM_ERR_OVERLOAD: fulcrum_status_t = 321;
/// Admission: a stream's bound is above its deadline.
pub const FULCRUM_ERR_LATE: fulcrum_status_t = 322;
/// Admission: a job's longest piece fits into no gap between releases, so it would never run.
pub const FULCRUM_ERR_STARVED: fulcrum_status_t = 323;
/// Admission: the streams and jobs hold more memory together than they may.
pub const FULCRUM_ERR_MEMORY: fulcrum_status_t = 324;

// 4xx: runtime, threads and checkpoints. Last added: 428, and 413 before 421.

/// The call does not belong to the handle's present phase; the detail says which it needs.
pub const FULCRUM_ERR_PHASE: fulcrum_status_t = 401;
/// The operating system made no thread; the errno is in the detail.
pub const FULCRUM_ERR_THREAD: fulcrum_status_t = 402;
/// Another thread is inside the same call this very moment. Nothing was done; call again.
pub const FULCRUM_ERR_BUSY: fulcrum_status_t = 403;
/// The stream's queue, or the way into the feed, is full. The request or the sample was not taken.
pub const FULCRUM_ERR_FULL: fulcrum_status_t = 404;
/// The call waits, for the dispatcher thread or for a board, and was made on the dispatcher thread, from a callback.
pub const FULCRUM_ERR_CALLBACK: fulcrum_status_t = 405;
/// The stream hands its results to a completion callback, so there is nothing to poll.
pub const FULCRUM_ERR_NOT_POLLED: fulcrum_status_t = 406;
/// Warning: the operating system refused a real-time priority.
pub const FULCRUM_WARN_PRIORITY: fulcrum_status_t = 411;
/// Warning: the operating system refused to pin the dispatcher to a processor.
pub const FULCRUM_WARN_CPU: fulcrum_status_t = 412;
/// Warning: the operating system refused to lock memory.
pub const FULCRUM_WARN_LOCK_MEMORY: fulcrum_status_t = 413;

/// A folder of checkpoints could not be made, read or written; the errno is in the detail.
pub const FULCRUM_ERR_CHECKPOINT: fulcrum_status_t = 421;
/// Another program, or another job of this one, keeps its checkpoints in this folder.
pub const FULCRUM_ERR_CHECKPOINT_BUSY: fulcrum_status_t = 422;
/// There are checkpoints and none is whole; move them away to start anew.
pub const FULCRUM_ERR_CHECKPOINT_DAMAGED: fulcrum_status_t = 423;
/// The checkpoint is of another job, or of another layout of its state.
pub const FULCRUM_ERR_CHECKPOINT_FOREIGN: fulcrum_status_t = 424;
/// The checkpoint was written by a later release, in a form that this one does not know.
pub const FULCRUM_ERR_CHECKPOINT_LATER: fulcrum_status_t = 425;
/// A single checkpoint has more bytes than may be written in an hour.
pub const FULCRUM_ERR_CHECKPOINT_BUDGET: fulcrum_status_t = 426;
/// The job does not tell its state or did not take it back, or it is too large or has too many parts. After a load
/// that failed the job's state is its own matter.
pub const FULCRUM_ERR_CHECKPOINT_STATE: fulcrum_status_t = 427;
/// The job keeps no checkpoints.
pub const FULCRUM_ERR_NO_CHECKPOINTS: fulcrum_status_t = 428;

// 5xx: workloads, in completions. Last added: 508.

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
/// The request was past its deadline before it could start, and its stream does not run such requests.
pub const FULCRUM_ERR_OVERDUE: fulcrum_status_t = 506;
/// The piece was given up for a request and is run again. Never in a completion.
pub const FULCRUM_ERR_ABORTED: fulcrum_status_t = 507;
/// The workload does not offer what it was asked for. Never in a completion.
pub const FULCRUM_ERR_NO_FUNCTION: fulcrum_status_t = 508;

// 6xx: the ONNX engine. Last added: 607.

/// The library was built without the ONNX engine: build it with the feature `onnx`.
pub const FULCRUM_ERR_NO_ONNX: fulcrum_status_t = 601;
/// ONNX Runtime was not found, or not loaded; the detail says where it was looked for.
pub const FULCRUM_ERR_ONNX_MISSING: fulcrum_status_t = 602;
/// The ONNX Runtime that was found is older than 1.17.
pub const FULCRUM_ERR_ONNX_TOO_OLD: fulcrum_status_t = 603;
/// ONNX Runtime refused something; its own words are in the detail.
pub const FULCRUM_ERR_ONNX_REFUSED: fulcrum_status_t = 604;
/// A model or weights file could not be read or written; the errno is in the detail.
pub const FULCRUM_ERR_MODEL_FILE: fulcrum_status_t = 605;
/// A file is no ONNX model, or lacks or has otherwise what it is needed for; the detail says which tensor.
pub const FULCRUM_ERR_MODEL: fulcrum_status_t = 606;
/// A model or trainer needs more memory than it was given.
pub const FULCRUM_ERR_ONNX_MEMORY: fulcrum_status_t = 607;

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
        FULCRUM_ERR_HANDLE => c"the handle is NULL or not an open one of the type that the call takes",
        FULCRUM_ERR_NAME => c"a name is NULL, empty, not UTF-8, or does not end within 32 bytes",
        FULCRUM_ERR_PATH => c"a path is empty or does not end within 4096 bytes",
        FULCRUM_ERR_NO_BOARD => c"the folder shows no board",
        FULCRUM_ERR_UNREADABLE => c"a setting of the board could not be read; nothing was written",
        FULCRUM_ERR_NOT_OFFERED => c"the board does not offer this knob or this value; nothing was written",
        FULCRUM_ERR_REFUSED => c"the board refused a write; the old mode is back",
        FULCRUM_ERR_NOT_TAKEN => c"the board accepted a write and does not show it; the old mode is back",
        FULCRUM_ERR_EXCEEDED => c"the board shows more than the ceiling it accepted; the old mode is back",
        FULCRUM_ERR_UNRESTORED => c"the board is not in the mode it was found in: putting it back failed",
        FULCRUM_ERR_JOURNAL => c"the journal could not be read or written; the board is in its old mode",
        FULCRUM_ERR_JOURNAL_BUSY => c"somebody else is changing this board's mode",
        FULCRUM_ERR_JOURNAL_DAMAGED => c"the journal is damaged",
        FULCRUM_ERR_JOURNAL_FOREIGN => c"the journal is of another board",
        FULCRUM_ERR_CUT_OFF => c"an earlier change was cut off; call fulcrum_mode_recover first",
        FULCRUM_ERR_NO_CONF => c"the board has no nvpmodel.conf that can be read",
        FULCRUM_ERR_CONF => c"the board's nvpmodel.conf is broken",
        FULCRUM_ERR_NO_PRESET => c"the board's nvpmodel.conf has no preset of this id",
        FULCRUM_ERR_REBOOT => c"the preset needs a reboot; nothing was written",
        FULCRUM_ERR_STREAMS_FULL => c"all places for streams are taken",
        FULCRUM_ERR_JOBS_FULL => c"all places for jobs are taken",
        FULCRUM_ERR_ZERO => c"period, deadline and cost of a stream must be above zero",
        FULCRUM_ERR_MINIBATCH => c"the minibatch is larger than the largest there is",
        FULCRUM_ERR_PIECES => c"a step has no piece, too many pieces, or a piece of no length",
        FULCRUM_ERR_PIECES_DIFFER => c"a job announces another number of pieces than its workload has",
        FULCRUM_ERR_BURST => c"the burst of a stream is 0 or more than its queue holds",
        FULCRUM_ERR_COST => {
            c"the pieces of a minibatch last longer together than it costs, or one has no length"
        }
        FULCRUM_ERR_NO_STREAM => c"no stream has this number",
        FULCRUM_ERR_NO_JOB => c"no job has this number",
        FULCRUM_ERR_NO_BOUND => c"no latency can be promised to this stream",
        FULCRUM_ERR_NO_SWAP => c"the stream takes no new weights, or those of another job",
        FULCRUM_ERR_NO_VERSION => c"there is no earlier version of the weights to go back to",
        FULCRUM_ERR_OVERLOAD => c"the inference streams alone need more than the accelerator has",
        FULCRUM_ERR_LATE => c"a stream's bound is above its deadline",
        FULCRUM_ERR_STARVED => c"a job's longest piece fits into no gap between releases",
        FULCRUM_ERR_MEMORY => c"the streams and jobs hold more memory than they may",
        FULCRUM_ERR_PHASE => c"the call does not belong to the handle's present phase",
        FULCRUM_ERR_THREAD => c"the operating system made no thread",
        FULCRUM_ERR_BUSY => c"another thread is inside the same call; call again",
        FULCRUM_ERR_FULL => c"the queue is full; the request or the sample was not taken",
        FULCRUM_ERR_CALLBACK => c"the call waits and was made on the dispatcher thread",
        FULCRUM_ERR_NOT_POLLED => c"the stream hands its results to a completion callback",
        FULCRUM_ERR_CHECKPOINT => c"a folder of checkpoints could not be made, read or written",
        FULCRUM_ERR_CHECKPOINT_BUSY => c"somebody else keeps checkpoints in this folder",
        FULCRUM_ERR_CHECKPOINT_DAMAGED => c"there are checkpoints and none is whole",
        FULCRUM_ERR_CHECKPOINT_FOREIGN => c"the checkpoint is of another job or another layout of its state",
        FULCRUM_ERR_CHECKPOINT_LATER => c"the checkpoint was written by a later release",
        FULCRUM_ERR_CHECKPOINT_BUDGET => c"a checkpoint has more bytes than may be written in an hour",
        FULCRUM_ERR_CHECKPOINT_STATE => c"the job does not tell its state or did not take it back",
        FULCRUM_ERR_NO_CHECKPOINTS => c"the job keeps no checkpoints",
        FULCRUM_WARN_PRIORITY => c"the operating system refused a real-time priority",
        FULCRUM_WARN_CPU => c"the operating system refused to pin the dispatcher",
        FULCRUM_WARN_LOCK_MEMORY => c"the operating system refused to lock memory",
        FULCRUM_ERR_UNPREPARED => c"the minibatch has a size the workload was not prepared for",
        FULCRUM_ERR_NO_DATA => c"a request came without its data",
        FULCRUM_ERR_FAILED => c"the workload's own code failed",
        FULCRUM_ERR_NOT_A_NUMBER => c"the loss is not a number",
        FULCRUM_ERR_OVERDUE => c"the request was past its deadline before it could start, and was not run",
        FULCRUM_ERR_ABORTED => c"the piece was given up for a request, and is run again",
        FULCRUM_ERR_PANICKED => c"the workload's own code panicked",
        FULCRUM_ERR_NO_FUNCTION => c"the workload was registered without the function for this",
        FULCRUM_ERR_NO_ONNX => {
            c"the library was built without the ONNX engine; build it with the feature onnx"
        }
        FULCRUM_ERR_ONNX_MISSING => c"ONNX Runtime was not found or not loaded",
        FULCRUM_ERR_ONNX_TOO_OLD => c"the ONNX Runtime that was found is older than 1.17",
        FULCRUM_ERR_ONNX_REFUSED => c"ONNX Runtime refused something",
        FULCRUM_ERR_MODEL_FILE => c"a model or weights file could not be read or written",
        FULCRUM_ERR_MODEL => c"a file is no ONNX model, or lacks or has otherwise what it is needed for",
        FULCRUM_ERR_ONNX_MEMORY => c"a model or trainer needs more memory than it was given",
        _ => c"unknown status",
    }
}

/// The number of a workload's error, and the workload's own code or 0.
pub(super) fn of_workload(error: WorkloadError) -> (fulcrum_status_t, i32) {
    match error {
        WorkloadError::Minibatch(_) => (FULCRUM_ERR_UNPREPARED, 0),
        WorkloadError::NoData => (FULCRUM_ERR_NO_DATA, 0),
        WorkloadError::Failed(code) => (FULCRUM_ERR_FAILED, code),
        WorkloadError::NotANumber => (FULCRUM_ERR_NOT_A_NUMBER, 0),
        WorkloadError::Overdue => (FULCRUM_ERR_OVERDUE, 0),
        WorkloadError::Aborted => (FULCRUM_ERR_ABORTED, 0),
        WorkloadError::Panicked => (FULCRUM_ERR_PANICKED, 0),
        WorkloadError::NotOffered => (FULCRUM_ERR_NO_FUNCTION, 0),
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
        for number in [-1, 2, 99, 299, i32::MAX, i32::MIN] {
            assert_eq!(text(number), c"unknown status");
        }
    }
}
