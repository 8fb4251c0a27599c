//! `fulcrum mode restore`: puts back what a board was found in.

use super::witness::{self, Witness, Write};
use super::{Common, Failure, REFUSED, UNRESTORED};
use crate::holding::Holding;
use crate::subject;
use fulcrum::board::Machine;
use fulcrum::power::{Journal, PowerMode, RecoverError, Recovery, put_back_record, restore};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    board: String,
    simulated: bool,
    dry_run: bool,
    /// `nothing`, `restored` or `other-boot`.
    outcome: &'static str,
    text: String,
    writes: Vec<Write>,
    /// The mode after it, as `mode set` takes it.
    mode: Option<String>,
}

pub(super) fn run(common: &Common) -> Result<String, Failure> {
    let mut machine = common.subject.open()?;
    let folder = common.folder(&machine);
    // Without a journal there is nothing that would need a right.
    if matches!(Holding::read(&machine, &folder), Holding::Nothing) {
        return finish(common, &machine, &Recovery::Nothing, Vec::new());
    }
    let journal = Journal::lock(machine.root(), &folder)?;
    if let Some(record) = Holding::read(&machine, &folder).record() {
        let mut rehearsal = Witness::rehearsal(&mut machine, Some(record));
        // How it would end is not asked: the files it would write are.
        let _ = put_back_record(&mut rehearsal, record, true);
        if let Some(refused) = rehearsal.refused() {
            return Err(Failure::from(refused));
        }
    }
    let mut witness = Witness::new(&mut machine);
    let recovery = restore(&mut witness, &journal).map_err(|error| match error {
        // What the board was found in is lost with the journal.
        RecoverError::Journal(error) => Failure {
            code: UNRESTORED,
            text: super::explained(&error),
        },
        other => other.into(),
    })?;
    let writes = witness.writes();
    finish(common, &machine, &recovery, writes)
}

fn finish(
    common: &Common,
    machine: &Machine,
    recovery: &Recovery,
    writes: Vec<Write>,
) -> Result<String, Failure> {
    let outcome = match recovery {
        Recovery::Restored { .. } => "restored",
        Recovery::OtherBoot => "other-boot",
        _ => "nothing",
    };
    print(common, machine, outcome, &recovery.to_string(), writes, false)
}

pub(super) fn rehearse(common: &Common) -> Result<String, Failure> {
    let mut machine = common.subject.open()?;
    let holding = Holding::read(&machine, &common.folder(&machine));
    let outcome = match &holding {
        Holding::Foreign(_) => {
            return Err(Failure {
                code: REFUSED,
                text: holding.to_string(),
            });
        }
        Holding::Unreadable(_) => {
            return Err(Failure {
                code: UNRESTORED,
                text: holding.to_string(),
            });
        }
        Holding::Nothing => "nothing",
        Holding::OtherBoot => "other-boot",
        Holding::Open(_) | Holding::Held(_) => "restored",
    };
    let writes = match holding.record() {
        Some(record) => {
            let mut rehearsal = Witness::rehearsal(&mut machine, Some(record));
            put_back_record(&mut rehearsal, record, true)?;
            rehearsal.writes()
        }
        None => Vec::new(),
    };
    print(common, &machine, outcome, &holding.to_string(), writes, true)
}

fn print(
    common: &Common,
    machine: &Machine,
    outcome: &'static str,
    text: &str,
    writes: Vec<Write>,
    dry_run: bool,
) -> Result<String, Failure> {
    let report = Report {
        board: subject::name(machine),
        simulated: subject::is_simulated(machine),
        dry_run,
        outcome,
        text: text.to_owned(),
        writes,
        mode: PowerMode::present(machine).ok().map(|mode| mode.to_string()),
    };
    if common.subject.json {
        return Ok(subject::json(&report)?);
    }
    let mut printed = format!("{}: {text}\n", report.board);
    if dry_run {
        let count = report.writes.len();
        printed += &format!("dry run: {count} writes in this order, nothing was written\n");
    }
    printed += &witness::text(&report.writes);
    if let Some(mode) = report.mode {
        printed += &format!("now {mode}\n");
    }
    Ok(printed)
}
