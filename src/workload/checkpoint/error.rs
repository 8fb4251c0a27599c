//! [`CheckpointError`]: why a checkpoint could not be written, read or taken up.

use super::content::{Identity, Shape};
use super::form::Wrong;
use crate::workload::WorkloadError;
use core::fmt;
use std::io;
use std::path::PathBuf;

/// What is the matter with a slot.
#[derive(Debug)]
pub enum Why {
    /// The medium did not give it back.
    Unreadable(io::Error),
    /// It is not a whole checkpoint.
    Wrong(Wrong),
}

/// A slot that holds no whole checkpoint.
#[derive(Debug)]
pub struct Damage {
    /// The slot's file.
    pub path: PathBuf,
    /// What is the matter.
    pub why: Why,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Unreadable(error) => write!(f, "{path} could not be read: {error}"),
            Why::Wrong(wrong) => write!(f, "{path}: {wrong}"),
        }
    }
}

/// Why a checkpoint could not be written, read or taken up. Whatever it says, the newest whole checkpoint on
/// disk and the job's own state are as they were.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Another program keeps its checkpoints in this folder.
    Busy(PathBuf),
    /// The operating system refused.
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        error: io::Error,
    },
    /// There are slots and none is whole.
    Damaged(Vec<Damage>),
    /// A slot was written in a later form, by a later release.
    Later {
        /// The slot's file.
        path: PathBuf,
        /// Its form.
        form: u32,
    },
    /// The checkpoint is of another graph.
    Foreign {
        /// Of which.
        found: Identity,
        /// Of which it should be.
        wanted: Identity,
    },
    /// A state tensor is missing or has another type or shape.
    Tensor {
        /// What is needed.
        wanted: Shape,
        /// What the checkpoint has under this name.
        found: Option<Shape>,
    },
    /// The checkpoint holds a tensor that the job has no use for.
    Surplus(Shape),
    /// The step has no room for so many parts.
    Parts {
        /// Parts of the state.
        parts: usize,
        /// Room that the step's own pieces leave.
        room: usize,
    },
    /// A single checkpoint has more bytes than may be written in an hour.
    Budget {
        /// Bytes of a checkpoint.
        checkpoint: u64,
        /// Bytes an hour.
        budget: u64,
    },
    /// The state of this graph lies in a device's memory, which checkpoints are not kept of.
    OnDevice(Identity),
    /// The state has more bytes than this machine can hold in memory at once, or than a file may have.
    TooLarge,
    /// The thread that writes could not be made.
    Thread(io::Error),
    /// The job did not tell its state, or did not take it back.
    Refused(WorkloadError),
}

impl CheckpointError {
    /// The operating system's own number, or 0.
    pub fn errno(&self) -> i32 {
        match self {
            CheckpointError::Io { error, .. } | CheckpointError::Thread(error) => {
                error.raw_os_error().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::Busy(path) => write!(
                f,
                "another program keeps checkpoints here (it holds {}); name another folder, or end it first",
                path.display()
            ),
            CheckpointError::Io { doing, path, error } => write!(
                f,
                "the checkpoint could not be kept: {doing} {}: {error}; the one before stands",
                path.display()
            ),
            CheckpointError::Damaged(damages) => {
                f.write_str("no slot holds a whole checkpoint; move the files away to start anew")?;
                damages.iter().try_for_each(|damage| write!(f, "; {damage}"))
            }
            CheckpointError::Later { path, form } => write!(
                f,
                "{} has form {form}, which this release does not know; update fulcrum, or name another folder",
                path.display()
            ),
            CheckpointError::Foreign { found, wanted } => write!(
                f,
                "the checkpoint is of the graph {found}, not of {wanted}; name another folder for this graph"
            ),
            CheckpointError::Tensor { wanted, found: None } => {
                write!(f, "the checkpoint lacks the state tensor {wanted}")
            }
            CheckpointError::Tensor {
                wanted,
                found: Some(found),
            } => {
                write!(f, "the state tensor {wanted} is kept as {found}")
            }
            CheckpointError::Surplus(shape) => {
                write!(f, "the checkpoint holds {shape}, which is no state of this job")
            }
            CheckpointError::Parts { parts, room } => write!(
                f,
                "the state has {parts} parts and the step has room for {room} more pieces; take larger parts"
            ),
            CheckpointError::Budget { checkpoint, budget } => write!(
                f,
                "a checkpoint has {checkpoint} bytes and {budget} may be written in an hour; allow more, or keep none"
            ),
            CheckpointError::OnDevice(graph) => write!(
                f,
                "the state of {graph} lies in a device's memory, which no checkpoint is kept of; train it on \
                 the processor, or keep none"
            ),
            CheckpointError::TooLarge => {
                f.write_str("the state has more bytes than fit into memory, or into a file of 4 GiB")
            }
            CheckpointError::Refused(error) => {
                write!(f, "the job did not tell its state or take it back: {error}")
            }
            CheckpointError::Thread(error) => {
                write!(f, "the thread that writes checkpoints could not be made: {error}")
            }
        }
    }
}

impl std::error::Error for CheckpointError {}
