//! A [`Change`] moves a board to another power mode as one transaction: begin, apply, keep; else it is restored.
//!
//! ```text
//! Change::begin(&mut board)   reads the present settings; writes nothing
//!     .apply(mode)            writes what differs, reads each write back; on any failure puts the old values back
//!     -> Applied              dropped (error path, panic): puts the old values back
//!         .keep()             the new mode stays
//!         .restore()          puts the old values back and says whether that worked
//! ```
//!
//! With a [`Journal`] the old values are on disk before the first write, so that [`recover`](super::recover()) can put them
//! back after a crash. The order of writes is [`Transaction`]'s.

use super::goal::{Goal, goals, knobs_of};
use super::journal::{Journal, JournalError, Record};
use super::settle::Fault;
use super::transaction::{Step, StepError, Transaction};
use super::{ModeSpace, PowerMode};
use crate::board::{Board, BoardError, Knob, Setting};
use core::cell::Cell;
use core::fmt;

/// The board is not in what it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unrestored {
    /// The mode it was found in and should be in.
    pub wanted: PowerMode,
    /// How many settings could not be put back.
    pub settings: u32,
    /// The first of their faults.
    pub first: Fault,
}

impl fmt::Display for Unrestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the board was not put back to {}: {} of its settings failed, the first because {}; it is tried again by `fulcrum \
             mode restore` and at the next start, where a journal is kept",
            self.wanted, self.settings, self.first
        )
    }
}

impl core::error::Error for Unrestored {}

/// Why a mode was not applied.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChangeError {
    /// The present settings could not be read; nothing was written.
    Unread(BoardError),
    /// The board does not offer this value; nothing was written.
    NotOffered(Knob, u32),
    /// The journal could not be written. The board is in its old mode, unless `unrestored` says otherwise.
    Journal {
        /// Why.
        error: JournalError,
        /// Set if putting the old values back failed too.
        unrestored: Option<Unrestored>,
    },
    /// A write failed. The board is in its old mode, unless `unrestored` says otherwise.
    Failed {
        /// What failed.
        fault: Fault,
        /// Set if putting the old values back failed too.
        unrestored: Option<Unrestored>,
    },
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the power mode was not changed")?;
        let (cause, unrestored): (&dyn fmt::Display, _) = match self {
            ChangeError::Unread(error) => return write!(f, ": {error}"),
            ChangeError::NotOffered(knob, value) => {
                return write!(
                    f,
                    ": the board does not offer {knob}={value}; choose from its table"
                );
            }
            ChangeError::Journal { error, unrestored } => (error, unrestored),
            ChangeError::Failed { fault, unrestored } => (fault, unrestored),
        };
        match unrestored {
            None => write!(f, " and the old one is back: {cause}"),
            Some(unrestored) => write!(f, ": {cause}; and {unrestored}"),
        }
    }
}

impl core::error::Error for ChangeError {}

impl PowerMode {
    /// The power mode that `board` is in now: cores online, and of several CPU clusters the highest ceiling.
    pub fn present<B: Board + ?Sized>(board: &B) -> Result<PowerMode, BoardError> {
        Ok(mode_of(board, Transaction::begin(board)?.all_found()))
    }
}

/// The mode that these values of `board`'s settings are.
fn mode_of<B: Board + ?Sized>(board: &B, values: &[(Setting, u32)]) -> PowerMode {
    // What the board lacks has its one value.
    let mut mode = ModeSpace::of(board.facts()).bare();
    let online = |(setting, value): &(Setting, u32)| matches!(setting, Setting::Online(_)) && *value > 0;
    if values.iter().any(|(setting, _)| setting.knob() == Knob::Cores) {
        mode.set(
            Knob::Cores,
            1 + values.iter().filter(|it| online(it)).count() as u32,
        );
    }
    for (setting, value) in values {
        if let Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling = setting {
            let knob = setting.knob();
            mode.set(knob, board.nearest(*setting, *value).max(mode.get(knob)));
        }
    }
    mode
}

/// What these knobs ask of single settings. A clock between two of the table comes to the lower one.
///
/// # Errors
/// [`ChangeError::NotOffered`]: the board lacks the knob, has fewer cores, or no clock as low as that.
pub fn goals_offered<B: Board + ?Sized>(board: &B, knobs: &[(Knob, u32)]) -> Result<Vec<Goal>, ChangeError> {
    let offers = |knob, value| {
        let values = board.facts().values(knob);
        let lowest = values.first().is_some_and(|first| *first <= value);
        lowest && (knob != Knob::Cores || values.last().is_some_and(|last| value <= *last))
    };
    match knobs.iter().find(|(knob, value)| !offers(*knob, *value)) {
        Some((knob, value)) => Err(ChangeError::NotOffered(*knob, *value)),
        None => Ok(goals(board, knobs)),
    }
}

/// A change that has begun: the old values are known and nothing is written.
pub struct Change<'b, B: Board + ?Sized> {
    board: &'b mut B,
    before: PowerMode,
    transaction: Transaction,
    report: Option<&'b Cell<Option<Unrestored>>>,
}

impl<'b, B: Board + ?Sized> Change<'b, B> {
    /// Reads what the board is in. Fails with [`ChangeError::Unread`].
    pub fn begin(board: &'b mut B) -> Result<Change<'b, B>, ChangeError> {
        let transaction = Transaction::begin(board).map_err(ChangeError::Unread)?;
        let before = mode_of(board, transaction.all_found());
        Ok(Change {
            board,
            before,
            transaction,
            report: None,
        })
    }

    /// Keeps `journal`, so that a crash does not leave the board between two modes. `held` is what [`super::recover()`] found
    /// to be held by an earlier change: a later restore goes back to before that one.
    pub fn journaled(mut self, journal: Journal, held: Option<Record>) -> Change<'b, B> {
        self.transaction.journaled(journal, held);
        self
    }

    /// Where a restore that fails while an [`Applied`] is dropped leaves its error: a drop cannot return it.
    pub fn report_to(mut self, report: &'b Cell<Option<Unrestored>>) -> Change<'b, B> {
        self.report = Some(report);
        self
    }

    /// The mode the board was found in.
    pub fn before(&self) -> PowerMode {
        self.before
    }

    /// What [`Change::apply_goals`] would write.
    pub fn plan(&self, goals: &[Goal]) -> Vec<Step> {
        self.transaction.plan(self.board, goals)
    }

    /// Moves every knob of the board to its value in `mode`. After an error the old values are back, or the error says that
    /// they are not.
    pub fn apply(self, mode: PowerMode) -> Result<Applied<'b, B>, ChangeError> {
        let (before, facts) = (self.before, self.board.facts());
        let mut knobs = knobs_of(&mode);
        // What the board is in already need not be on offer: another program may have put it there. What is on offer is
        // asked for all the same: of clusters that come on.
        knobs.retain(|(knob, value)| *value != before.get(*knob) || facts.offers(*knob, *value));
        self.apply_knobs(&knobs)
    }

    /// What these knobs ask of single settings; see [`goals_offered`].
    pub fn goals(&self, knobs: &[(Knob, u32)]) -> Result<Vec<Goal>, ChangeError> {
        goals_offered(self.board, knobs)
    }

    /// As [`Change::apply`], for these knobs alone.
    pub fn apply_knobs(self, knobs: &[(Knob, u32)]) -> Result<Applied<'b, B>, ChangeError> {
        let goals = self.goals(knobs)?;
        self.apply_goals(&goals)
    }

    /// As [`Change::apply`], for single settings, as a preset of the board names them.
    pub fn apply_goals(self, goals: &[Goal]) -> Result<Applied<'b, B>, ChangeError> {
        // Made before the first write, so that a panic inside the board restores as well.
        let mut applied = Applied {
            change: self,
            limited: Vec::new(),
            armed: true,
        };
        let change = &mut applied.change;
        match change.transaction.apply(change.board, goals) {
            Ok(limited) => {
                applied.limited = limited;
                Ok(applied)
            }
            Err(StepError::Setting(fault)) => Err(ChangeError::Failed {
                fault,
                unrestored: applied.restore().err(),
            }),
            Err(StepError::Journal(error)) => Err(ChangeError::Journal {
                error,
                unrestored: applied.restore().err(),
            }),
        }
    }
}

/// A mode that is in force but not yet kept.
#[must_use = "dropping this puts the old mode back"]
pub struct Applied<'b, B: Board + ?Sized> {
    change: Change<'b, B>,
    limited: Vec<Fault>,
    armed: bool,
}

impl<B: Board + ?Sized> fmt::Debug for Change<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change(from {})", self.before)
    }
}

impl<B: Board + ?Sized> fmt::Debug for Applied<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Applied(from {}, {:?})", self.change.before, self.asked())
    }
}

impl<B: Board + ?Sized> Applied<'_, B> {
    /// The mode the board was found in.
    pub fn before(&self) -> PowerMode {
        self.change.before
    }

    /// The board, to be read while the mode is in force.
    pub fn board(&self) -> &B {
        self.change.board
    }

    /// What was asked of each setting; for [`super::Drift`].
    pub fn asked(&self) -> &[(Setting, u32)] {
        self.change.transaction.asked()
    }

    /// The settings that another party holds below (or a floor above) what was asked for: each a [`Fault::Limited`].
    pub fn limited(&self) -> &[Fault] {
        &self.limited
    }

    /// Lets the new mode stay. With a journal the old values stay on disk until somebody restores; if that fails the old
    /// mode is put back.
    pub fn keep(mut self) -> Result<(), ChangeError> {
        let change = &mut self.change;
        match change.transaction.keep(change.board) {
            Ok(()) => {
                self.armed = false;
                Ok(())
            }
            Err(error) => Err(ChangeError::Journal {
                error,
                unrestored: self.restore().err(),
            }),
        }
    }

    /// Puts the old values back. What fails stays in the journal, if one is kept.
    pub fn restore(mut self) -> Result<(), Unrestored> {
        self.armed = false;
        self.put_back()
    }

    fn put_back(&mut self) -> Result<(), Unrestored> {
        let change = &mut self.change;
        let wanted = change.before;
        let put_back = change.transaction.put_back(change.board);
        put_back.map_err(|(settings, first)| Unrestored {
            wanted,
            settings,
            first,
        })?;
        // A journal that cannot be removed puts the same values back once more.
        let _ = change.transaction.forget(change.board);
        Ok(())
    }
}

impl<B: Board + ?Sized> Drop for Applied<'_, B> {
    fn drop(&mut self) {
        if self.armed
            && let Err(unrestored) = self.put_back()
            && let Some(report) = self.change.report
        {
            report.set(Some(unrestored));
        }
    }
}
