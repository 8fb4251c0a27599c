//! `fulcrum mode set`: one transaction, held until somebody restores.

use super::asked::{Asked, Floored, floored};
use super::witness::{self, Witness, Write};
use super::{Common, Failure, REFUSED};
use crate::holding::Holding;
use crate::subject;
use fulcrum::board::{Board, Machine};
use fulcrum::power::{Change, Fault, Journal, PowerMode, Recovery, put_back_record, recover};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    board: String,
    simulated: bool,
    dry_run: bool,
    asked: String,
    /// What a change that was cut off had left, and what became of it.
    recovered: Option<String>,
    writes: Vec<Write>,
    floored: Vec<Floored>,
    limited: Vec<Limited>,
    /// Whether heat held clocks down when it began, so that what was found, and a restore goes back to, may be too low.
    hot: bool,
    /// Whether it is held until `mode restore`.
    held: bool,
    journal: String,
    /// The mode after it, as `mode set` takes it.
    mode: Option<String>,
}

/// A setting that another party holds below what was asked for.
#[derive(Serialize)]
struct Limited {
    setting: Option<String>,
    asked: Option<u32>,
    reads: Option<u32>,
    text: String,
}

impl Limited {
    fn new(fault: &Fault) -> Limited {
        let (setting, asked, reads) = match fault {
            Fault::Limited {
                setting,
                wanted,
                found,
            } => (Some(setting.to_string()), Some(*wanted), Some(*found)),
            _ => (None, None, None),
        };
        Limited {
            setting,
            asked,
            reads,
            text: fault.to_string(),
        }
    }
}

pub(super) fn run(common: &Common, text: &str) -> Result<String, Failure> {
    let mut machine = common.subject.open()?;
    let asked = Asked::parse(&machine, text)?;
    let folder = common.folder(&machine);
    let facts = machine.facts().clone();
    // What would be written is known before the journal is made: a mode that needs a reboot, or a right that is
    // missing, leaves no trace.
    let holding = Holding::read(&machine, &folder);
    let mut rehearsal = Witness::rehearsal(&mut machine, holding.record());
    if let Holding::Open(record) = &holding {
        // How it would end is not asked: the files it would write are.
        let _ = put_back_record(&mut rehearsal, record, false);
    }
    let change = Change::begin(&mut rehearsal)?;
    let goals = asked.goals(&change, &facts)?;
    change.apply_goals(&goals)?.keep()?;
    if let Some(refused) = rehearsal.refused() {
        return Err(Failure::from(refused));
    }

    let journal = Journal::lock(machine.root(), &folder)?;
    let mut witness = Witness::new(&mut machine);
    let recovery = recover(&mut witness, &journal)?;
    let recovered = match &recovery {
        Recovery::Restored { .. } | Recovery::OtherBoot => Some(recovery.to_string()),
        _ => None,
    };
    let held = match recovery {
        Recovery::Held(record) => Some(record),
        Recovery::Restored { still_held, .. } => still_held,
        _ => None,
    };
    let hot = witness.is_limited();
    let applied = Change::begin(&mut witness)?
        .journaled(journal, held)
        .apply_goals(&goals)?;
    let limited = applied.limited().iter().map(Limited::new).collect();
    applied.keep()?;
    let floored = floored(&witness, &goals);
    let writes = witness.writes();
    let report = Report {
        recovered,
        writes,
        floored,
        limited,
        hot,
        held: matches!(Holding::read(&machine, &folder), Holding::Held(_)),
        ..report(common, &machine, &asked)
    };
    print(common, report)
}

pub(super) fn rehearse(common: &Common, text: &str) -> Result<String, Failure> {
    let mut machine = common.subject.open()?;
    let asked = Asked::parse(&machine, text)?;
    let facts = machine.facts().clone();
    let holding = Holding::read(&machine, &common.folder(&machine));
    if let Holding::Foreign(_) | Holding::Unreadable(_) = holding {
        return Err(Failure {
            code: REFUSED,
            text: holding.to_string(),
        });
    }
    let mut rehearsal = Witness::rehearsal(&mut machine, holding.record());
    if let Holding::Open(record) = &holding {
        put_back_record(&mut rehearsal, record, false)?;
    }
    let change = Change::begin(&mut rehearsal)?;
    let goals = asked.goals(&change, &facts)?;
    change.apply_goals(&goals)?.keep()?;
    let floored = floored(&rehearsal, &goals);
    let writes = rehearsal.writes();
    let report = Report {
        dry_run: true,
        recovered: matches!(holding, Holding::Open(_))
            .then(|| "a change that was cut off would be put back first".to_owned()),
        writes,
        floored,
        held: matches!(holding, Holding::Held(_)),
        ..report(common, &machine, &asked)
    };
    print(common, report)
}

/// What is the same whatever was done.
fn report(common: &Common, machine: &Machine, asked: &Asked) -> Report {
    Report {
        board: subject::name(machine),
        simulated: subject::is_simulated(machine),
        dry_run: false,
        asked: asked.to_string(),
        recovered: None,
        writes: Vec::new(),
        floored: Vec::new(),
        limited: Vec::new(),
        hot: false,
        held: false,
        journal: common.folder(machine).display().to_string(),
        mode: PowerMode::present(machine).ok().map(|mode| mode.to_string()),
    }
}

fn print(common: &Common, report: Report) -> Result<String, Failure> {
    if common.subject.json {
        return Ok(subject::json(&report)?);
    }
    let mut text = String::new();
    if let Some(recovered) = &report.recovered {
        text += &format!("{recovered}\n");
    }
    let count = report.writes.len();
    let plural = if count == 1 { "" } else { "s" };
    text += &match (report.dry_run, count) {
        (_, 0) => format!(
            "{}: {} is in force already, nothing was written\n",
            report.board, report.asked
        ),
        (true, _) => format!(
            "{}: dry run of {}: {count} write{plural} in this order, nothing was written\n",
            report.board, report.asked
        ),
        (false, _) => format!(
            "{}: {} is set, {count} write{plural}\n",
            report.board, report.asked
        ),
    };
    text += &witness::text(&report.writes);
    for Floored { setting, asked, got } in &report.floored {
        text += &format!("floored: {setting} {asked} kHz is not in its table, {got} is the next lower one\n");
    }
    for limited in &report.limited {
        text += &format!("limited: {}\n", limited.text);
    }
    if report.hot {
        text += "heat held clocks down when this began: what was found is that, and a restore goes back to it; set the \
                 ceilings anew once the board has cooled\n";
    }
    if report.held && !report.dry_run {
        text += &format!("held until `fulcrum mode restore{}`\n", common.options());
    }
    if let Some(mode) = report.mode {
        text += &format!("now {mode}\n");
    }
    Ok(text)
}
