//! An [`Operation`] is one write to a knob, as the log of a tree keeps it.

use crate::units::Nanos;
use core::fmt;
use rustix::io::Errno;
use std::collections::VecDeque;

/// How many the log holds; the oldest leave first. A switch takes tens of writes, a long test tens of thousands.
const KEPT: usize = 1 << 17;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The thread of this number, through the mount; a program's first thread has the number of its process.
    Process(u32),
    /// The program that holds the tree.
    Holder,
    /// Other software of the board: an adversary, by its name.
    Other(&'static str),
}

/// One write to a knob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who wrote.
    pub by: By,
    /// From the root of the tree, without links in it.
    pub path: String,
    /// What was written, without the newline at its end.
    pub text: String,
    /// What the write gave.
    pub result: Result<(), Errno>,
    /// How long it was made to take: latency and blocking, not the twin's own work.
    pub took: Nanos,
}

impl fmt::Display for Operation {
    /// `4711 sys/devices/system/cpu/cpu5/online "0" ok`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            By::Process(pid) => write!(f, "{pid}")?,
            By::Holder => f.write_str("-")?,
            By::Other(name) => f.write_str(name)?,
        }
        write!(f, " {} {:?} ", self.path, self.text)?;
        match self.result {
            Ok(()) => f.write_str("ok"),
            Err(errno) => errno.fmt(f),
        }
    }
}

/// The writes so far, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(VecDeque<Operation>);

impl Log {
    pub(super) fn push(&mut self, operation: Operation) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(operation);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter()
    }
}
