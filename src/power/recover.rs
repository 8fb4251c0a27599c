//! Recovery: what an earlier change left in the journal is put back, or explained.

use super::journal::{Entry, Journal, JournalError, Record, State, one_line};
use super::settle::Fault;
use super::transaction::put_back;
use crate::board::{Board, Setting};
use core::fmt;

/// What the journal said, and what became of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recovery {
    /// There is no journal: nothing was left.
    Nothing,
    /// An earlier change is held on purpose; nothing was done.
    Held(Record),
    /// So many settings were put back, or were found in place.
    Restored {
        /// How many the journal named.
        settings: usize,
        /// Whether the change had been held on purpose; else its program was cut off.
        held: bool,
        /// What is held still: the change before the one that was cut off.
        still_held: Option<Record>,
    },
    /// The machine was started anew since; the kernel came up with its own values, so there was nothing to put back.
    OtherBoot,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recovery::Nothing => f.write_str("nothing to restore: no change of the power mode is held or was cut off"),
            Recovery::Held(record) => {
                write!(f, "an earlier change of {} settings is held", record.entries.len())
            }
            Recovery::Restored { settings, held: true, .. } => {
                write!(f, "restored: {settings} settings are as they were before the mode was set")
            }
            Recovery::Restored { settings, still_held, .. } => {
                write!(
                    f,
                    "restored: a change of the power mode had been cut off; {settings} settings are as they were before it"
                )?;
                match still_held {
                    Some(_) => f.write_str(", where an earlier one is still held"),
                    None => Ok(()),
                }
            },
            Recovery::OtherBoot => f.write_str(
                "nothing to restore: the machine was started anew since the mode was changed, and came up with its own settings",
            ),
        }
    }
}

/// Why what an earlier change left could not be put back.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecoverError {
    /// The journal cannot be read.
    Journal(JournalError),
    /// The journal was written for another board; it stays where it is.
    Foreign {
        /// The board it is of.
        of: String,
        /// This board.
        here: String,
    },
    /// So many settings failed; the journal stays for the next attempt.
    Unrestored(u32, Fault),
}

impl From<JournalError> for RecoverError {
    fn from(error: JournalError) -> RecoverError {
        RecoverError::Journal(error)
    }
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoverError::Journal(error) => error.fmt(f),
            RecoverError::Foreign { of, here } => write!(
                f,
                "the journal was written for {of:?}, and this board is {here:?}; restore it there, or remove it"
            ),
            RecoverError::Unrestored(count, first) => write!(
                f,
                "{count} settings were not put back, the first because {first}; the journal stays, so try again"
            ),
        }
    }
}

impl std::error::Error for RecoverError {}

/// Puts back what a change that was cut off has left. One that is held on purpose is left alone.
pub fn recover<B: Board + ?Sized>(board: &mut B, journal: &Journal) -> Result<Recovery, RecoverError> {
    look(board, journal, false)
}

/// Puts back what any earlier change has left, held or cut off.
pub fn restore<B: Board + ?Sized>(board: &mut B, journal: &Journal) -> Result<Recovery, RecoverError> {
    look(board, journal, true)
}

fn look<B: Board + ?Sized>(
    board: &mut B,
    journal: &Journal,
    held_too: bool,
) -> Result<Recovery, RecoverError> {
    let Some(record) = journal.read()? else {
        return Ok(Recovery::Nothing);
    };
    if record.boot != journal.boot() {
        journal.remove()?;
        return Ok(Recovery::OtherBoot);
    }
    let here = one_line(board.facts().name());
    if record.board != here {
        return Err(RecoverError::Foreign {
            of: record.board,
            here,
        });
    }
    let held = record.state == State::Held;
    if held && !held_too {
        return Ok(Recovery::Held(record));
    }
    put_back_record(board, &record, held_too)?;
    // Of a change that was cut off while another was held, the held one goes on.
    let still_held: Vec<Entry> = record
        .entries
        .iter()
        .filter(|it| it.found != it.before)
        .map(Entry::held)
        .collect();
    let still_held = if held_too || still_held.is_empty() {
        journal.remove()?;
        None
    } else {
        journal.write(&here, State::Held, &still_held)?;
        Some(Record {
            state: State::Held,
            entries: still_held,
            ..record.clone()
        })
    };
    Ok(Recovery::Restored {
        settings: record.entries.len(),
        held,
        still_held,
    })
}

/// Puts back what `record` found, whatever journal it is from: [`restore`] (`oldest`) and [`recover`] (else) do once they know
/// that the record is of this boot and this board, and so does a rehearsal, which has no right to lock the journal.
///
/// # Errors
/// [`RecoverError::Unrestored`].
pub fn put_back_record<B: Board + ?Sized>(
    board: &mut B,
    record: &Record,
    oldest: bool,
) -> Result<(), RecoverError> {
    let value = |entry: &Entry| if oldest { entry.found } else { entry.before };
    let found: Vec<(Setting, u32)> = record.entries.iter().map(|it| (it.setting, value(it))).collect();
    put_back(board, &found).map_err(|(count, first)| RecoverError::Unrestored(count, first))
}
