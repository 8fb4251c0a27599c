//! [`LogError`]: why a log of decisions could not be read, and where.

use super::text::FIRST;
use crate::schedule::ScheduleError;
use std::fmt;

/// Why a log could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: Wrong,
}

/// What is wrong with a line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// The file begins otherwise than a log does.
    NoLog,
    /// The file ends before its last line.
    Truncated,
    /// This word stands where another is needed; empty: the line ends too early.
    Word(String, &'static str),
    /// The line goes on after its end, with this word.
    Longer(String),
    /// The schedule refuses the stream or the job.
    Refused(ScheduleError),
    /// The last line counts another number of entries than there are.
    Count(u64, usize),
    /// So many entries were lost while the log was written, so what follows cannot be taken again.
    Lost(u64),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        match &self.what {
            Wrong::NoLog => write!(
                f,
                "this is not a log of decisions of this release; such a file begins with \"{FIRST}\" and is written by \
                 `fulcrum demo --log`"
            ),
            Wrong::Truncated => f.write_str("the log ends here without its last line; record it anew"),
            Wrong::Word(word, wanted) if word.is_empty() => {
                write!(f, "the line ends where {wanted} is needed")
            }
            Wrong::Word(word, wanted) => write!(f, "\"{word}\" is not {wanted}"),
            Wrong::Longer(word) => write!(f, "\"{word}\" stands after the end of the line"),
            Wrong::Refused(error) => write!(f, "{error}"),
            Wrong::Count(counted, are) => {
                write!(
                    f,
                    "the log counts {counted} entries but has {are}; record it anew"
                )
            }
            Wrong::Lost(lost) => write!(
                f,
                "{lost} entries were lost while the log was written, since nobody drained them in time; record it anew"
            ),
        }
    }
}

impl std::error::Error for LogError {}
