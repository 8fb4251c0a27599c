//! A [`Transaction`] is what a change of mode knows: what the board was found in, what was asked for, and the journal.
//!
//! It holds no board, so that it can be kept beside one; [`super::Change`] and [`super::Applied`] are its safe front. The
//! order of writes:
//!
//! 1. cores that come on, since a cluster's clock files exist only while one of its cores is on; what appears is noted first;
//! 2. clocks that fall, the floor before the ceiling, since a floor above its ceiling is refused by old kernels (4.9) and
//!    silently clamped by new ones;
//! 3. clocks that rise, the ceiling before the floor. Falling before rising keeps the draw in between below the greater of
//!    the two modes', as far as clocks go;
//! 4. cores that go off.
//!
//! The GPU is kept powered while its clocks are written, and then left as it was found. Only what differs is written.

use super::domain::{Domain, clocks, domains, in_order};
use super::goal::{Goal, Want};
use super::journal::{Entry, Journal, JournalError, Record, State};
use super::settle::{Fault, settle, write};
use crate::board::{Board, BoardError, Setting};
use core::convert::Infallible;

/// What a change of mode knows.
#[derive(Debug)]
pub struct Transaction {
    /// What each setting was found at when the change began; those that appeared later are noted then.
    found: Vec<(Setting, u32)>,
    /// What each setting that was asked for should be at.
    asked: Vec<(Setting, u32)>,
    /// Entries of an earlier change that is held: what they found counts, not what this change finds.
    held: Vec<Entry>,
    journal: Option<Journal>,
    /// Whether the first setting may be written: the journal, if one is kept, has an open record of this change.
    noted: bool,
}

/// One write that a change would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which setting.
    pub setting: Setting,
    /// What it is now; `None` while it is absent.
    pub from: Option<u32>,
    /// What it would be written to.
    pub to: u32,
}

/// Why a step of the change failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum StepError {
    /// A setting failed.
    Setting(Fault),
    /// The journal failed; the write that it was for was not made.
    Journal(JournalError),
}

impl From<Fault> for StepError {
    fn from(fault: Fault) -> StepError {
        StepError::Setting(fault)
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> StepError {
        StepError::Journal(error)
    }
}

impl Transaction {
    /// Reads what `board` is in. Writes nothing.
    pub fn begin<B: Board + ?Sized>(board: &B) -> Result<Transaction, BoardError> {
        let mut found = Vec::new();
        for setting in board.settings() {
            if let Some(value) = board.get(*setting)? {
                found.push((*setting, value));
            }
        }
        Ok(Transaction {
            found,
            asked: Vec::new(),
            held: Vec::new(),
            journal: None,
            noted: false,
        })
    }

    /// Keeps `journal` from now on. `held` is the record of an earlier change that is still held, if there is one.
    pub fn journaled(&mut self, journal: Journal, held: Option<Record>) {
        self.journal = Some(journal);
        self.held = held.map_or(Vec::new(), |record| record.entries);
    }

    /// What each setting was found at.
    pub fn all_found(&self) -> &[(Setting, u32)] {
        &self.found
    }

    /// What `setting` was found at.
    pub fn found(&self, setting: Setting) -> Option<u32> {
        value(&self.found, setting)
    }

    /// What each setting that was asked for should be at.
    pub fn asked(&self) -> &[(Setting, u32)] {
        &self.asked
    }

    /// What [`Transaction::apply`] would write, in the order of its passes; empty if the board is there already.
    pub fn plan<B: Board + ?Sized>(&self, board: &B, goals: &[Goal]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let core = |(setting, to): (Setting, u32)| Step {
            setting,
            from: self.found(setting),
            to,
        };
        let differs = |step: &Step| step.from != Some(step.to);
        let on = |step: &Step| step.to == 1;
        steps.extend(cores(goals).map(core).filter(|it| differs(it) && on(it)));
        // The clocks of clusters that come on are not there yet; what their table makes of them shows only then.
        if !steps.is_empty() {
            let absent = goals.iter().filter(|goal| self.found(goal.setting).is_none());
            steps.extend(absent.filter_map(|goal| match (goal.setting, goal.want) {
                (setting @ (Setting::CpuFloor(_) | Setting::CpuCeiling(_)), Want::Exactly(to)) => {
                    Some(Step {
                        setting,
                        from: None,
                        to,
                    })
                }
                _ => None,
            }));
        }
        let domains = domains(board, goals, &self.found);
        let clocks = in_order(&domains).map(|end| Step {
            setting: end.setting,
            from: Some(end.now),
            to: end.to,
        });
        steps.extend(clocks.filter(differs));
        steps.extend(cores(goals).map(core).filter(|it| differs(it) && !on(it)));
        steps
    }

    /// Brings `board` to `goals`; returns what another party limits. After an error some of it may be written.
    pub fn apply<B: Board + ?Sized>(
        &mut self,
        board: &mut B,
        goals: &[Goal],
    ) -> Result<Vec<Fault>, StepError> {
        let mut limited = Vec::new();
        let mut put =
            |it: &mut Transaction, board: &mut B, setting: Setting, to: u32| -> Result<(), StepError> {
                let before = match board.get(setting) {
                    Ok(None) => return Ok(()),
                    Ok(Some(value)) if value == to => return Ok(()),
                    Ok(value) => value,
                    // What cannot be read may still be written; the read-back decides.
                    Err(_) => None,
                };
                it.note(board, goals)?;
                match write(board, setting, to, before) {
                    Err(fault @ Fault::Limited { .. }) => limited.push(fault),
                    other => other?,
                }
                Ok(())
            };
        self.asked = domains(board, goals, &self.found)
            .iter()
            .flat_map(Domain::both)
            .map(|end| (end.setting, end.to))
            .chain(cores(goals))
            .collect();
        for (core, _) in cores(goals).filter(|(_, on)| *on == 1) {
            put(self, board, core, 1)?;
        }
        self.look_again(board, goals)?;
        let domains = domains(board, goals, &self.found);
        // A cluster that came on has a table of its own.
        for end in domains.iter().flat_map(Domain::both) {
            remember(&mut self.asked, end.setting, end.to);
        }
        let hold = self.found(Setting::GpuHold);
        clocks(&domains, hold, |setting, to| put(self, board, setting, to))?;
        for (core, _) in cores(goals).filter(|(_, on)| *on == 0) {
            put(self, board, core, 0)?;
        }
        Ok(limited)
    }

    /// Puts back what was found, in the same order. One setting that fails does not keep the others from it; returns how
    /// many failed, and the first of their faults.
    pub fn put_back<B: Board + ?Sized>(&self, board: &mut B) -> Result<(), (u32, Fault)> {
        // Where nothing was written, what others wrote meanwhile is theirs.
        if self.noted {
            put_back(board, &self.found)
        } else {
            Ok(())
        }
    }

    /// After a successful restore: the journal goes, or says again what an earlier change holds.
    pub fn forget<B: Board + ?Sized>(&mut self, board: &B) -> Result<(), JournalError> {
        self.asked.clear();
        match &self.journal {
            Some(journal) if self.noted && self.held.is_empty() => journal.remove(),
            Some(journal) if self.noted => journal.write(board.facts().name(), State::Held, &self.held),
            _ => Ok(()),
        }
    }

    /// Lets the change stay: the journal keeps what was found for whoever restores.
    pub fn keep<B: Board + ?Sized>(&mut self, board: &B) -> Result<(), JournalError> {
        match &self.journal {
            Some(journal) if self.noted => journal.write(board.facts().name(), State::Held, &self.entries()),
            _ => Ok(()),
        }
    }

    /// Writes the journal before the first setting is written.
    fn note<B: Board + ?Sized>(&mut self, board: &B, goals: &[Goal]) -> Result<(), JournalError> {
        if !self.noted {
            // Of a knob that is not asked for nothing is written, so nothing is put back either.
            self.found
                .retain(|(setting, _)| goals.iter().any(|goal| goal.setting.knob() == setting.knob()));
            // Noted even if it fails: what a failing disk took of the journal is then forgotten with the change.
            self.noted = true;
            self.write_journal(board)?;
        }
        Ok(())
    }

    /// Notes the settings that appeared with the cores that came on, before any of them is written.
    fn look_again<B: Board + ?Sized>(&mut self, board: &B, goals: &[Goal]) -> Result<(), StepError> {
        let known = self.found.len();
        for goal in goals {
            if self.found(goal.setting).is_none()
                && let Some(value) = board.get(goal.setting).map_err(Fault::Board)?
            {
                self.found.push((goal.setting, value));
            }
        }
        if self.noted && self.found.len() > known {
            self.write_journal(board)?;
        }
        Ok(())
    }

    fn write_journal<B: Board + ?Sized>(&self, board: &B) -> Result<(), JournalError> {
        match &self.journal {
            Some(journal) => journal.write(board.facts().name(), State::Open, &self.entries()),
            None => Ok(()),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let of_this = self.found.iter().map(|(setting, found)| Entry {
            setting: *setting,
            found: self.held_value(*setting).unwrap_or(*found),
            before: *found,
            asked: value(&self.asked, *setting).unwrap_or(*found),
        });
        let others = self
            .held
            .iter()
            .filter(|entry| self.found(entry.setting).is_none());
        of_this.chain(others.copied()).collect()
    }

    fn held_value(&self, setting: Setting) -> Option<u32> {
        let entry = self.held.iter().find(|entry| entry.setting == setting);
        entry.map(|entry| entry.found)
    }
}

/// Puts `found` back on `board`; see [`Transaction::put_back`].
pub(super) fn put_back<B: Board + ?Sized>(
    board: &mut B,
    found: &[(Setting, u32)],
) -> Result<(), (u32, Fault)> {
    let mut failed: Option<(u32, Fault)> = None;
    let mut put = |board: &mut B, setting: Setting, to: u32| -> Result<(), Infallible> {
        // What heat limits is as it was found, as far as it is this program's to say.
        if let Err(fault) = settle(board, setting, to)
            && !(matches!(fault, Fault::Limited { .. }) && board.is_limited())
        {
            failed = Some(failed.map_or((1, fault), |(count, first)| (count + 1, first)));
        }
        Ok(())
    };
    let goals: Vec<Goal> = found
        .iter()
        .map(|(setting, value)| Goal {
            setting: *setting,
            want: Want::AsFound(*value),
        })
        .collect();
    for (core, _) in cores(&goals).filter(|(_, on)| *on == 1) {
        let Ok(()) = put(board, core, 1);
    }
    let gone: Vec<(Setting, u32)> = found
        .iter()
        .filter(|(setting, _)| !is_reachable(board, *setting, found))
        .copied()
        .collect();
    let hold = value(found, Setting::GpuHold);
    let Ok(()) = clocks(&domains(board, &goals, found), hold, |setting, to| {
        put(board, setting, to)
    });
    // A change that was cut off may have left it on without a clock that differs.
    if let Some(to) = hold {
        let Ok(()) = put(board, Setting::GpuHold, to);
    }
    for (core, _) in cores(&goals).filter(|(_, on)| *on == 0) {
        let Ok(()) = put(board, core, 0);
    }
    for (setting, to) in gone {
        let fault = Fault::Board(BoardError::Refused(setting, to, BoardError::ABSENT));
        failed = Some(failed.map_or((1, fault), |(count, first)| (count + 1, first)));
    }
    failed.map_or(Ok(()), Err)
}

/// Whether a setting that was found once can be put back now. The clock of a cluster that was found asleep need not be, nor
/// a rate that nobody locks any more; any other that is gone is out of this program's sight, not in its old state.
fn is_reachable<B: Board + ?Sized>(board: &B, setting: Setting, found: &[(Setting, u32)]) -> bool {
    match setting {
        Setting::Online(_) | Setting::EmcRate => true,
        Setting::CpuFloor(first) | Setting::CpuCeiling(first)
            if value(found, Setting::Online(first)) == Some(0) =>
        {
            true
        }
        _ => board.settings().contains(&setting) && board.get(setting) != Ok(None),
    }
}

pub(super) fn value(values: &[(Setting, u32)], setting: Setting) -> Option<u32> {
    let known = values.iter().find(|(known, _)| *known == setting);
    known.map(|(_, value)| *value)
}

fn remember(values: &mut Vec<(Setting, u32)>, setting: Setting, to: u32) {
    match values.iter_mut().find(|(known, _)| *known == setting) {
        Some((_, value)) => *value = to,
        None => values.push((setting, to)),
    }
}

/// The cores among `goals`, with whether they should be online.
fn cores(goals: &[Goal]) -> impl Iterator<Item = (Setting, u32)> {
    goals.iter().filter_map(|goal| match (goal.setting, goal.want) {
        (Setting::Online(_), Want::Exactly(on) | Want::AsFound(on)) => Some((goal.setting, on)),
        _ => None,
    })
}
