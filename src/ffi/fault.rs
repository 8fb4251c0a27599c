//! A [`Fault`] is what a status stands for on the Rust side.

use super::status::*;
use crate::board::{BoardError, FactsError};
use crate::power::{ChangeError, JournalError, PowerMode, PresetError, RecoverError, Unrestored, settle};
use crate::runtime::RuntimeError;
use crate::schedule::{Refusal, ScheduleError};
use crate::workload::checkpoint::CheckpointError;
use core::fmt;

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
    /// What is wrong with the path.
    Path(&'static str),
    /// No such stream.
    NoStream(u32),
    /// No such job.
    NoJob(u32),
    /// The stream has no bound.
    NoBound,
    /// The stream takes no new weights, or another job has it.
    NoSwap(u32),
    /// The stream has no earlier version to go back to.
    NoVersion(u32),
    /// What the call needs.
    Phase(&'static str),
    /// The ONNX engine refused something or is not there: its code, the errno or 0, and what it says.
    Onnx(fulcrum_status_t, i32, String),
    /// A job's checkpoints cannot be had.
    Checkpoint(CheckpointError),
    /// The job keeps none.
    NoCheckpoints(u32),
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
    /// No thread was made.
    Thread(std::io::Error),
    /// The folder shows no board.
    NoBoard(FactsError),
    /// A setting could not be read.
    Unreadable(BoardError),
    /// The board lacks a knob, and why.
    NoKnob(&'static str),
    /// The mode space does not have this mode.
    NoMode(PowerMode),
    /// A change failed.
    Change(ChangeError),
    /// Putting a mode back failed.
    Unrestored(Unrestored),
    /// The journal failed.
    Journal(JournalError),
    /// An earlier change was cut off.
    CutOff,
    /// What an earlier change left could not be put back.
    Recover(RecoverError),
    /// No such preset, or not now.
    Preset(PresetError),
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
            Fault::Path(_) => FULCRUM_ERR_PATH,
            Fault::NoStream(_) => FULCRUM_ERR_NO_STREAM,
            Fault::NoJob(_) => FULCRUM_ERR_NO_JOB,
            Fault::NoBound => FULCRUM_ERR_NO_BOUND,
            Fault::NoSwap(_) => FULCRUM_ERR_NO_SWAP,
            Fault::NoVersion(_) => FULCRUM_ERR_NO_VERSION,
            Fault::Phase(_) => FULCRUM_ERR_PHASE,
            Fault::Onnx(code, ..) => *code,
            Fault::Checkpoint(error) => match error {
                CheckpointError::Io { .. } => FULCRUM_ERR_CHECKPOINT,
                CheckpointError::Busy(_) => FULCRUM_ERR_CHECKPOINT_BUSY,
                CheckpointError::Damaged(_) => FULCRUM_ERR_CHECKPOINT_DAMAGED,
                CheckpointError::Foreign { .. }
                | CheckpointError::Tensor { .. }
                | CheckpointError::Surplus(_) => FULCRUM_ERR_CHECKPOINT_FOREIGN,
                CheckpointError::Later { .. } => FULCRUM_ERR_CHECKPOINT_LATER,
                CheckpointError::Budget { .. } => FULCRUM_ERR_CHECKPOINT_BUDGET,
                CheckpointError::Parts { .. }
                | CheckpointError::OnDevice(_)
                | CheckpointError::TooLarge
                | CheckpointError::Refused(_) => FULCRUM_ERR_CHECKPOINT_STATE,
                CheckpointError::Thread(_) => FULCRUM_ERR_THREAD,
            },
            Fault::NoCheckpoints(_) => FULCRUM_ERR_NO_CHECKPOINTS,
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
                    ScheduleError::Cut { .. } => FULCRUM_ERR_COST,
                    ScheduleError::Pieces(_) => FULCRUM_ERR_PIECES,
                },
                RuntimeError::Pieces { .. } => FULCRUM_ERR_PIECES_DIFFER,
                RuntimeError::Refused(refusal) => match refusal {
                    Refusal::Overload => FULCRUM_ERR_OVERLOAD,
                    Refusal::Late { .. } => FULCRUM_ERR_LATE,
                    Refusal::Starved { .. } => FULCRUM_ERR_STARVED,
                    Refusal::Memory { .. } => FULCRUM_ERR_MEMORY,
                },
                RuntimeError::Thread(_) => FULCRUM_ERR_THREAD,
            },
            Fault::Thread(_) => FULCRUM_ERR_THREAD,
            Fault::NoBoard(_) => FULCRUM_ERR_NO_BOARD,
            Fault::Unreadable(_) => FULCRUM_ERR_UNREADABLE,
            Fault::NoKnob(_) | Fault::NoMode(_) => FULCRUM_ERR_NOT_OFFERED,
            Fault::Change(error) => match error {
                ChangeError::Unread(_) => FULCRUM_ERR_UNREADABLE,
                ChangeError::NotOffered(..) => FULCRUM_ERR_NOT_OFFERED,
                ChangeError::Journal {
                    unrestored: Some(_), ..
                }
                | ChangeError::Failed {
                    unrestored: Some(_), ..
                } => FULCRUM_ERR_UNRESTORED,
                ChangeError::Journal { error, .. } => of_journal(error),
                ChangeError::Failed { fault, .. } => match fault {
                    settle::Fault::Board(BoardError::Unreadable(..) | BoardError::Refused(..)) => {
                        FULCRUM_ERR_REFUSED
                    }
                    settle::Fault::NotTaken { .. } | settle::Fault::Limited { .. } => FULCRUM_ERR_NOT_TAKEN,
                    settle::Fault::NotKept { .. } => FULCRUM_ERR_EXCEEDED,
                },
            },
            Fault::Unrestored(_) => FULCRUM_ERR_UNRESTORED,
            Fault::Journal(error) => of_journal(error),
            Fault::CutOff => FULCRUM_ERR_CUT_OFF,
            Fault::Recover(error) => match error {
                RecoverError::Journal(error) => of_journal(error),
                RecoverError::Foreign { .. } => FULCRUM_ERR_JOURNAL_FOREIGN,
                RecoverError::Unrestored(..) => FULCRUM_ERR_UNRESTORED,
            },
            Fault::Preset(error) => match error {
                PresetError::NoConf(_) => FULCRUM_ERR_NO_CONF,
                PresetError::Conf(..) => FULCRUM_ERR_CONF,
                PresetError::Unknown { .. } | PresetError::Ambiguous { .. } => FULCRUM_ERR_NO_PRESET,
                PresetError::Reboot { .. } => FULCRUM_ERR_REBOOT,
            },
        }
    }

    /// The operating system's own number, or 0.
    pub(super) fn os_errno(&self) -> i32 {
        match self {
            Fault::Runtime(RuntimeError::Thread(error)) | Fault::Thread(error) => {
                error.raw_os_error().unwrap_or(0)
            }
            Fault::Unreadable(error) | Fault::Change(ChangeError::Unread(error)) => error.errno(),
            Fault::Change(ChangeError::Failed { fault, .. }) => errno_of_setting(fault),
            Fault::Unrestored(unrestored) => errno_of_setting(&unrestored.first),
            Fault::Recover(RecoverError::Unrestored(_, first)) => errno_of_setting(first),
            Fault::Journal(JournalError::Io(_, error))
            | Fault::Change(ChangeError::Journal {
                error: JournalError::Io(_, error),
                ..
            })
            | Fault::Recover(RecoverError::Journal(JournalError::Io(_, error))) => {
                error.raw_os_error().unwrap_or(0)
            }
            Fault::Preset(PresetError::NoConf(error)) => error.errno(),
            Fault::Onnx(_, errno, _) => *errno,
            Fault::Checkpoint(error) => error.errno(),
            _ => 0,
        }
    }
}

fn of_journal(error: &JournalError) -> fulcrum_status_t {
    match error {
        JournalError::Busy(_) => FULCRUM_ERR_JOURNAL_BUSY,
        JournalError::Io(..) => FULCRUM_ERR_JOURNAL,
        JournalError::Damaged(..) => FULCRUM_ERR_JOURNAL_DAMAGED,
    }
}

fn errno_of_setting(fault: &settle::Fault) -> i32 {
    match fault {
        settle::Fault::Board(error) => error.errno(),
        _ => 0,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Argument(what)
            | Fault::TooNew(what)
            | Fault::Name(what)
            | Fault::Path(what)
            | Fault::Phase(what)
            | Fault::NoKnob(what) => f.write_str(what),
            Fault::Onnx(_, _, what) => f.write_str(what),
            Fault::Size(what, size) => {
                write!(
                    f,
                    "{what}.size is {size}; set it to sizeof({what}) before filling the struct"
                )
            }
            Fault::NoStream(number) => write!(f, "there is no stream {number}"),
            Fault::NoSwap(number) => write!(
                f,
                "stream {number} takes no new weights: it was added without apply, or another job has it"
            ),
            Fault::NoVersion(number) => write!(f, "stream {number} has no earlier version to go back to"),
            Fault::Checkpoint(error) => error.fmt(f),
            Fault::NoCheckpoints(number) => write!(f, "job {number} keeps no checkpoints"),
            Fault::NoJob(number) => write!(f, "there is no job {number}"),
            Fault::Runtime(error) => error.fmt(f),
            Fault::Thread(error) => write!(f, "the sampling thread was not made: {error}"),
            Fault::NoBoard(error) => error.fmt(f),
            Fault::Unreadable(error) => error.fmt(f),
            Fault::NoMode(mode) => write!(
                f,
                "the board does not offer the mode {mode}; choose each knob from its table"
            ),
            Fault::Change(error) => error.fmt(f),
            Fault::Unrestored(error) => error.fmt(f),
            Fault::Journal(error) => error.fmt(f),
            Fault::Recover(error) => error.fmt(f),
            Fault::Preset(error) => error.fmt(f),
            _ => f.write_str(text(self.code()).to_str().unwrap_or_default()),
        }
    }
}

impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Fault {
        Fault::Runtime(error)
    }
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Fault {
        Fault::Change(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Fault {
        Fault::Journal(error)
    }
}

impl From<PresetError> for Fault {
    fn from(error: PresetError) -> Fault {
        Fault::Preset(error)
    }
}
