//! A [`Holding`] is what the journal says about a board, read without a lock and without a right to write.

use fulcrum::board::{Board, Machine};
use fulcrum::power::journal::{Journal, JournalError, Record, State};
use std::fmt;
use std::path::Path;

/// What the journal says about a board.
#[derive(Debug)]
pub(crate) enum Holding {
    /// There is no journal.
    Nothing,
    /// It is of a boot before this one.
    OtherBoot,
    /// It was written for the board of this name.
    Foreign(String),
    /// It is damaged, or may not be read.
    Unreadable(JournalError),
    /// A change is going on, or was cut off.
    Open(Record),
    /// A mode was set on purpose and is held until somebody restores.
    Held(Record),
}

impl Holding {
    /// Reads the journal in `folder`.
    pub(crate) fn read(machine: &Machine, folder: &Path) -> Holding {
        match Journal::peek(folder) {
            Ok(None) => Holding::Nothing,
            Ok(Some(record)) if record.boot != Journal::boot_of(machine.root()) => Holding::OtherBoot,
            Ok(Some(record)) if record.board != machine.facts().name() => Holding::Foreign(record.board),
            Ok(Some(record)) if record.state == State::Open => Holding::Open(record),
            Ok(Some(record)) => Holding::Held(record),
            Err(error) => Holding::Unreadable(error),
        }
    }

    /// The record of this board, of this boot.
    pub(crate) fn record(&self) -> Option<&Record> {
        match self {
            Holding::Open(record) | Holding::Held(record) => Some(record),
            _ => None,
        }
    }

    /// The word for it in JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Holding::Nothing => "none",
            Holding::OtherBoot => "other-boot",
            Holding::Foreign(_) => "foreign",
            Holding::Unreadable(_) => "unreadable",
            Holding::Open(_) => "open",
            Holding::Held(_) => "held",
        }
    }
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holding::Nothing => f.write_str("nothing is held"),
            Holding::OtherBoot => f.write_str(
                "nothing is held: the journal is of an earlier boot, and settings do not outlive one",
            ),
            Holding::Foreign(of) => write!(f, "the journal was written for {of:?}, another board"),
            Holding::Unreadable(error) => error.fmt(f),
            Holding::Open(record) => write!(
                f,
                "a change of {} settings is going on or was cut off; `fulcrum mode restore` puts it back",
                record.entries.len()
            ),
            Holding::Held(record) => {
                write!(
                    f,
                    "{} settings are held until `fulcrum mode restore`",
                    record.entries.len()
                )
            }
        }
    }
}
