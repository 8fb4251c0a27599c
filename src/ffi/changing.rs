//! [`Changing`] is a board and the change of its power mode, from C's begin to its keep or restore.
//!
//! As [`crate::power::Change`], which borrows the board; between two calls of C nobody can. A mode that is applied is
//! put back by whoever closes the board.

use super::fault::Fault;
use crate::board::{Knob, Machine, Setting};
use crate::power::goal::Goal;
use crate::power::journal::State;
use crate::power::transaction::StepError;
use crate::power::{
    ChangeError, Drift, Journal, ModeSpace, PowerMode, Recovery, Standing, Transaction, Unrestored, recover,
    restore,
};
use std::path::PathBuf;

/// Where a change that has begun stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The old values are known; nothing is written.
    Begun,
    /// The new mode is in force, or was being written when a panic came.
    Applied,
    /// Putting the old mode back failed.
    Unrestored,
}

/// A change that has begun.
struct Begun {
    before: PowerMode,
    transaction: Transaction,
    stage: Stage,
}

/// A board and the change of its mode.
pub(super) struct Changing {
    machine: Machine,
    space: ModeSpace,
    begun: Option<Begun>,
    /// What the modes that were kept through this handle ask of each setting.
    kept: Vec<(Setting, u32)>,
}

impl Changing {
    pub(super) fn new(machine: Machine) -> Changing {
        Changing {
            space: ModeSpace::of(crate::board::Board::facts(&machine)),
            machine,
            begun: None,
            kept: Vec::new(),
        }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn space(&self) -> &ModeSpace {
        &self.space
    }

    /// The journal in `folder`, or in the board's own one, locked.
    fn journal(&self, folder: Option<PathBuf>) -> Result<Journal, Fault> {
        let folder = folder.unwrap_or_else(|| Journal::folder(self.machine.root()));
        Ok(Journal::lock(self.machine.root(), &folder)?)
    }

    /// Refuses what belongs before a change.
    fn refuse_begun(&self) -> Result<(), Fault> {
        match self.begun.as_ref().map(|begun| begun.stage) {
            None => Ok(()),
            Some(Stage::Begun | Stage::Applied) => Err(Fault::Phase(
                "a change has begun on this handle; keep or restore it first",
            )),
            Some(Stage::Unrestored) => Err(Fault::Phase(
                "a change was not put back; call fulcrum_mode_restore again first",
            )),
        }
    }

    /// Locks the journal and reads what the board is in.
    pub(super) fn begin(&mut self, folder: Option<PathBuf>) -> Result<(), Fault> {
        self.refuse_begun()?;
        let journal = self.journal(folder)?;
        let record = journal.read()?;
        // Begun over it, this change would take the state between two modes for the one to restore.
        if record.is_some_and(|it| it.state == State::Open && it.boot == journal.boot()) {
            return Err(Fault::CutOff);
        }
        // With no change cut off it writes no setting; it tells what is held and drops what another boot left.
        let held = match recover(&mut self.machine, &journal).map_err(Fault::Recover)? {
            Recovery::Held(record) => Some(record),
            Recovery::Restored { still_held, .. } => still_held,
            Recovery::Nothing | Recovery::OtherBoot => None,
        };
        let mut transaction = Transaction::begin(&self.machine).map_err(Fault::Unreadable)?;
        let before = PowerMode::present(&self.machine).map_err(Fault::Unreadable)?;
        transaction.journaled(journal, held);
        self.begun = Some(Begun {
            before,
            transaction,
            stage: Stage::Begun,
        });
        Ok(())
    }

    /// The mode the board was found in, while a change has begun and nothing is applied.
    pub(super) fn before(&self) -> Result<PowerMode, Fault> {
        match &self.begun {
            Some(begun) if begun.stage == Stage::Begun => Ok(begun.before),
            Some(_) => Err(Fault::Phase(
                "a mode is applied already; keep or restore it, then begin again",
            )),
            None => Err(Fault::Phase(
                "no change has begun on this handle; call fulcrum_mode_begin first",
            )),
        }
    }

    /// Brings the board to `goals`; tells how many settings another party limits. A failure ends the change.
    pub(super) fn apply(&mut self, goals: &[Goal]) -> Result<u32, Fault> {
        self.before()?;
        let Some(begun) = &mut self.begun else {
            return Err(Fault::Bug);
        };
        // Before the first write, so that closing puts the old mode back after a panic too.
        begun.stage = Stage::Applied;
        let error = match begun.transaction.apply(&mut self.machine, goals) {
            Ok(limited) => return Ok(limited.len() as u32),
            Err(error) => error,
        };
        let unrestored = self.put_back().err();
        Err(Fault::Change(match error {
            StepError::Setting(fault) => ChangeError::Failed { fault, unrestored },
            StepError::Journal(error) => ChangeError::Journal { error, unrestored },
        }))
    }

    /// Lets the applied mode stay. If the journal cannot say so the old mode is put back.
    pub(super) fn keep(&mut self) -> Result<(), Fault> {
        let Some(begun) = self.begun.as_mut().filter(|it| it.stage == Stage::Applied) else {
            return Err(Fault::Phase(
                "no mode is applied; call fulcrum_mode_begin and fulcrum_mode_apply first",
            ));
        };
        if let Err(error) = begun.transaction.keep(&self.machine) {
            let unrestored = self.put_back().err();
            return Err(Fault::Change(ChangeError::Journal { error, unrestored }));
        }
        let asked = begun.transaction.asked();
        self.kept
            .retain(|(setting, _)| !asked.iter().any(|(again, _)| again == setting));
        self.kept.extend_from_slice(asked);
        self.begun = None;
        Ok(())
    }

    /// Ends the change and puts the old mode back.
    pub(super) fn restore(&mut self) -> Result<(), Fault> {
        if self.begun.is_none() {
            return Err(Fault::Phase(
                "no change has begun on this handle; a mode that was kept is put back by fulcrum_mode_recover with \
                 FULCRUM_RECOVER_HELD",
            ));
        }
        self.put_back().map_err(Fault::Unrestored)
    }

    /// Puts back what a change that has begun wrote; with none there is nothing to do. After a failure it can be called
    /// again.
    pub(super) fn put_back(&mut self) -> Result<(), Unrestored> {
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        if let Err((settings, first)) = begun.transaction.put_back(&mut self.machine) {
            begun.stage = Stage::Unrestored;
            return Err(Unrestored {
                wanted: begun.before,
                settings,
                first,
            });
        }
        // A journal that cannot be removed puts the same values back once more.
        let _ = begun.transaction.forget(&self.machine);
        self.begun = None;
        Ok(())
    }

    /// Puts back what an earlier change has left: one that was cut off, and one that is held if `held_too`.
    pub(super) fn recover(&mut self, folder: Option<PathBuf>, held_too: bool) -> Result<Recovery, Fault> {
        self.refuse_begun()?;
        let journal = self.journal(folder)?;
        let look = if held_too { restore } else { recover };
        let recovery = look(&mut self.machine, &journal).map_err(Fault::Recover)?;
        if matches!(recovery, Recovery::Restored { .. }) {
            self.kept.clear();
        }
        Ok(recovery)
    }

    /// How `knob` stands to what was asked of it through this handle, by the mode that is applied or else was kept.
    pub(super) fn drift(&self, knob: Knob) -> Option<Standing> {
        let applied = self.begun.as_ref().filter(|it| it.stage == Stage::Applied);
        let applied = applied.map_or(&[][..], |begun| begun.transaction.asked());
        let standing = |asked| Drift::new(asked).standing(&self.machine, knob);
        standing(applied).or_else(|| standing(&self.kept))
    }
}
