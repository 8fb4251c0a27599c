//! A [`Change`] moves a board to another power mode as one transaction: begin, apply, keep; else it is restored.
//!
//! ```text
//! Change::begin(&mut board)   reads the present mode; writes nothing
//!     .apply(mode)            writes what differs, reads each write back; on any failure puts the old mode back
//!     -> Applied              dropped (error path, panic): puts the old mode back
//!         .keep()             the new mode stays
//!         .restore()          puts the old mode back and says whether that worked
//! ```
//!
//! The order of writes: cores that come on, then clocks that fall, then clocks that rise, then cores that go off. A
//! core's clock file exists only while it is on, and falling before rising keeps the draw in between below the
//! greater of the two modes' as far as clocks go.

use super::PowerMode;
use crate::board::{Board, BoardError, Knob};
use core::cell::Cell;
use core::fmt;

/// What went wrong with one knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The board answered with an error.
    Board(BoardError),
    /// The write was accepted, but the knob reads otherwise.
    NotKept {
        /// The knob.
        knob: Knob,
        /// What was written.
        wanted: u32,
        /// What was read back.
        found: u32,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Board(error) => error.fmt(f),
            Fault::NotKept { knob, wanted, found } => write!(
                f,
                "knob {knob} took the write of {wanted} but reads {found}; another program or a limit holds it"
            ),
        }
    }
}

/// The board is not in the mode it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unrestored {
    /// The mode it was found in and should be in.
    pub wanted: PowerMode,
    /// How many knobs could not be put back.
    pub knobs: u8,
    /// The first of their faults.
    pub first: Fault,
}

impl fmt::Display for Unrestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the board was not put back to {}: {} of its knobs failed, the first because {}; set that mode by hand",
            self.wanted, self.knobs, self.first
        )
    }
}

impl core::error::Error for Unrestored {}

/// Why a mode was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The present mode could not be read; nothing was written.
    Unread(BoardError),
    /// The board does not offer this value; nothing was written.
    NotOffered(Knob, u32),
    /// A write failed. The board is in its old mode, unless `unrestored` says otherwise.
    Failed {
        /// What failed.
        fault: Fault,
        /// Set if putting the old mode back failed too.
        unrestored: Option<Unrestored>,
    },
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::Unread(error) => write!(f, "the power mode was not changed: {error}"),
            ChangeError::NotOffered(knob, value) => {
                write!(
                    f,
                    "the power mode was not changed: the board does not offer {knob}={value}; choose from its table"
                )
            }
            ChangeError::Failed {
                fault,
                unrestored: None,
            } => {
                write!(
                    f,
                    "the power mode was not changed and the old one is back: {fault}"
                )
            }
            ChangeError::Failed {
                fault,
                unrestored: Some(unrestored),
            } => {
                write!(f, "the power mode was not changed: {fault}; and {unrestored}")
            }
        }
    }
}

impl core::error::Error for ChangeError {}

/// The power mode a board is in now.
pub fn present_mode<B: Board + ?Sized>(board: &B) -> Result<PowerMode, BoardError> {
    let mut mode = PowerMode::default();
    for knob in Knob::ALL {
        mode.set(knob, board.read(knob)?);
    }
    Ok(mode)
}

/// A change that has been begun: the old mode is known and nothing is written.
pub struct Change<'b, B: Board + ?Sized> {
    board: &'b mut B,
    before: PowerMode,
    report: Option<&'b Cell<Option<Unrestored>>>,
}

impl<'b, B: Board + ?Sized> Change<'b, B> {
    /// Reads the mode the board is in. Fails with [`ChangeError::Unread`].
    pub fn begin(board: &'b mut B) -> Result<Change<'b, B>, ChangeError> {
        let before = present_mode(board).map_err(ChangeError::Unread)?;
        Ok(Change {
            board,
            before,
            report: None,
        })
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

    /// Moves the board to `mode`. After an error the old mode is back, or the error says that it is not.
    pub fn apply(self, mode: PowerMode) -> Result<Applied<'b, B>, ChangeError> {
        for knob in Knob::ALL {
            let value = mode.get(knob);
            // What the board is in already need not be on offer: another program may have put it there.
            if value != self.before.get(knob) && !self.board.facts().offers(knob, value) {
                return Err(ChangeError::NotOffered(knob, value));
            }
        }
        // Made before the first write, so that a panic inside the board restores as well.
        let mut applied = Applied {
            change: self,
            mode,
            armed: true,
        };
        match applied.write_all() {
            Ok(()) => Ok(applied),
            Err(fault) => Err(ChangeError::Failed {
                fault,
                unrestored: applied.restore().err(),
            }),
        }
    }
}

/// A mode that is in force but not yet kept.
#[must_use = "dropping this puts the old mode back"]
pub struct Applied<'b, B: Board + ?Sized> {
    change: Change<'b, B>,
    mode: PowerMode,
    armed: bool,
}

impl<B: Board + ?Sized> fmt::Debug for Applied<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Applied({} -> {})", self.change.before, self.mode)
    }
}

impl<B: Board + ?Sized> Applied<'_, B> {
    /// The mode in force.
    pub fn mode(&self) -> PowerMode {
        self.mode
    }

    /// The mode the board was found in.
    pub fn before(&self) -> PowerMode {
        self.change.before
    }

    /// The board, to be read while the mode is in force.
    pub fn board(&self) -> &B {
        self.change.board
    }

    /// Lets the new mode stay.
    pub fn keep(mut self) {
        self.armed = false;
    }

    /// Puts the old mode back.
    pub fn restore(mut self) -> Result<(), Unrestored> {
        self.armed = false;
        self.put_back()
    }

    fn write_all(&mut self) -> Result<(), Fault> {
        for knob in order(&self.change.before, &self.mode) {
            settle(self.change.board, knob, self.mode.get(knob))?;
        }
        Ok(())
    }

    /// One knob that cannot be put back does not keep the others from it.
    fn put_back(&mut self) -> Result<(), Unrestored> {
        let wanted = self.change.before;
        let mut failed: Option<Unrestored> = None;
        for knob in order(&self.mode, &wanted) {
            if let Err(fault) = settle(self.change.board, knob, wanted.get(knob)) {
                failed
                    .get_or_insert(Unrestored {
                        wanted,
                        knobs: 0,
                        first: fault,
                    })
                    .knobs += 1;
            }
        }
        failed.map_or(Ok(()), Err)
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

/// The order in which the knobs are written on the way from one mode to another; see the module.
fn order(from: &PowerMode, to: &PowerMode) -> [Knob; 4] {
    let mut knobs = Knob::ALL;
    knobs.sort_by_key(|knob| match (*knob, to.get(*knob) < from.get(*knob)) {
        (Knob::Cores, false) => 0,
        (_, true) if *knob != Knob::Cores => 1,
        (Knob::Cores, true) => 3,
        _ => 2,
    });
    knobs
}

/// Brings one knob to `wanted`: writes it only if it reads otherwise, and reads the write back.
fn settle<B: Board + ?Sized>(board: &mut B, knob: Knob, wanted: u32) -> Result<(), Fault> {
    // A knob that cannot be read may still be written; the read-back decides.
    if board.read(knob) == Ok(wanted) {
        return Ok(());
    }
    board.write(knob, wanted).map_err(Fault::Board)?;
    match board.read(knob).map_err(Fault::Board)? {
        found if found == wanted => Ok(()),
        found => Err(Fault::NotKept { knob, wanted, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Kilohertz;

    #[test]
    fn cores_come_on_first_and_go_off_last_and_clocks_fall_before_they_rise() {
        let low = PowerMode {
            cores: 2,
            cpu: Kilohertz(1),
            gpu: Kilohertz(9),
            emc: Kilohertz(1),
        };
        let high = PowerMode {
            cores: 8,
            cpu: Kilohertz(5),
            gpu: Kilohertz(3),
            emc: Kilohertz(5),
        };
        assert_eq!(order(&low, &high), [Knob::Cores, Knob::Gpu, Knob::Cpu, Knob::Emc]);
        assert_eq!(order(&high, &low), [Knob::Cpu, Knob::Emc, Knob::Gpu, Knob::Cores]);
    }
}
