//! `fulcrum mode show`: the present mode and what is held; or what would become of a mode on this board.

use super::asked::Asked;
use super::witness::Witness;
use super::{Common, Failure};
use crate::holding::Holding;
use crate::presets;
use crate::subject;
use crate::table::{Side, Table};
use fulcrum::board::{Board, Knob, Machine, Setting};
use fulcrum::power::preset::{LeftAlone, Outcome};
use fulcrum::power::{Change, Drift, Goal, ModeSpace, PowerMode, Preset, Want};
use serde::Serialize;

/// The board as it is.
#[derive(Serialize)]
struct Present {
    board: String,
    simulated: bool,
    /// As `mode set` takes it.
    mode: String,
    /// Its index in the mode space; `None` where another program has set what no table has.
    index: Option<usize>,
    /// The presets that are in force.
    presets: Vec<String>,
    journal: JournalReport,
    drift: Vec<DriftReport>,
}

#[derive(Serialize)]
struct JournalReport {
    folder: String,
    /// `none`, `held`, `open`, `other-boot`, `foreign` or `unreadable`.
    state: &'static str,
    text: String,
    entries: Vec<EntryReport>,
}

#[derive(Serialize)]
struct EntryReport {
    setting: String,
    path: String,
    found: u32,
    asked: u32,
    now: Option<u32>,
}

#[derive(Serialize)]
struct DriftReport {
    knob: &'static str,
    standing: String,
}

pub(super) fn present(common: &Common) -> Result<String, Failure> {
    let machine = common.subject.open()?;
    let mode =
        PowerMode::present(&machine).map_err(|error| format!("the present mode is not known: {error}"))?;
    let folder = common.folder(&machine);
    let holding = Holding::read(&machine, &folder);
    let entries = holding.record().map_or(&[][..], |record| &record.entries);
    let asked: Vec<(Setting, u32)> = entries.iter().map(|entry| (entry.setting, entry.asked)).collect();
    let drift = Drift::new(&asked);
    let presets = presets::rows(&machine).unwrap_or_default();
    let report = Present {
        board: subject::name(&machine),
        simulated: subject::is_simulated(&machine),
        mode: mode.to_string(),
        index: ModeSpace::of(machine.facts()).index_of(&mode),
        presets: presets
            .into_iter()
            .filter(|preset| preset.present == Some(true))
            .map(|preset| preset.name)
            .collect(),
        journal: JournalReport {
            folder: folder.display().to_string(),
            state: holding.word(),
            text: holding.to_string(),
            entries: entries
                .iter()
                .map(|entry| EntryReport {
                    setting: entry.setting.to_string(),
                    path: machine
                        .path(entry.setting)
                        .map_or_else(String::new, |path| subject::file(&machine, &path)),
                    found: entry.found,
                    asked: entry.asked,
                    now: machine.get(entry.setting).ok().flatten(),
                })
                .collect(),
        },
        drift: Knob::ALL
            .into_iter()
            .filter_map(|knob| {
                Some(DriftReport {
                    knob: knob.name(),
                    standing: drift.standing(&machine, knob)?.to_string(),
                })
            })
            .collect(),
    };
    if common.subject.json {
        return Ok(subject::json(&report)?);
    }
    Ok(text_of(&report))
}

fn text_of(report: &Present) -> String {
    let mut text = format!("{}\n{}\n", report.board, report.mode);
    match report.index {
        Some(index) => text += &format!("mode {index} of the board's space"),
        None => text += "between two modes of the board's space: another program has set it",
    }
    if !report.presets.is_empty() {
        text += &format!(", preset {}", report.presets.join(", "));
    }
    text += &format!("\n{}\n", report.journal.text);
    let mut table = Table::new([Side::Left, Side::Right, Side::Right, Side::Right]);
    table.row(["  setting", "found", "asked", "now"]);
    for entry in &report.journal.entries {
        let now = entry.now.map_or("absent".to_owned(), |now| now.to_string());
        table.row([
            format!("  {}", entry.setting),
            entry.found.to_string(),
            entry.asked.to_string(),
            now,
        ]);
    }
    if !report.journal.entries.is_empty() {
        text += &table.to_string();
    }
    for drift in &report.drift {
        let meaning = match drift.standing.as_str() {
            "ours" => "as asked",
            "limited" => "another party holds it below: heat, firmware, a lower cap",
            "taken over" => "another program has written it",
            _ => "it could not be read",
        };
        text += &format!("{:<6} {}: {meaning}\n", drift.knob, drift.standing);
    }
    text
}

/// A mode, and what would become of it.
#[derive(Serialize)]
struct Plan {
    board: String,
    simulated: bool,
    asked: String,
    reboot: bool,
    rows: Vec<Row>,
}

/// One row of the mode. Values of settings are kHz, or 0 and 1.
#[derive(Debug, Serialize)]
struct Row {
    /// Its line in nvpmodel.conf.
    line: Option<u32>,
    path: String,
    /// As it stands in the file, in the file's own unit.
    value: String,
    setting: Option<String>,
    /// `written`, `floored`, `in place`, `superseded`, `absent`, `left alone` or `reboot`.
    outcome: &'static str,
    now: Option<u32>,
    to: Option<u32>,
    why: Option<String>,
}

pub(super) fn asked(common: &Common, text: &str) -> Result<String, Failure> {
    let mut machine = common.subject.open()?;
    let asked = Asked::parse(&machine, text)?;
    let (rows, reboot) = match &asked {
        Asked::Preset(preset) => (preset_rows(&machine, preset), !preset.masks.is_empty()),
        Asked::Knobs(_) => {
            let facts = machine.facts().clone();
            let mut rehearsal = Witness::rehearsal(&mut machine, None);
            let goals = asked.goals(&Change::begin(&mut rehearsal)?, &facts)?;
            (
                goals
                    .iter()
                    .filter_map(|goal| knob_row(&machine, *goal))
                    .collect(),
                false,
            )
        }
    };
    let plan = Plan {
        board: subject::name(&machine),
        simulated: subject::is_simulated(&machine),
        asked: asked.to_string(),
        reboot,
        rows,
    };
    if common.subject.json {
        return Ok(subject::json(&plan)?);
    }
    let mut printed = format!("{}: {}\n", plan.board, plan.asked);
    if reboot {
        printed += "needs a reboot: `mode set` refuses it before the first write\n";
    }
    use Side::{Left, Right};
    let root = machine.root().path().display().to_string();
    let root = root.trim_end_matches('/').to_owned();
    let mut table = Table::new([Right, Left, Right, Left, Left, Left, Left]);
    table.row(["line", "setting", "value", "", "", "file", ""]);
    for row in &plan.rows {
        let line = row.line.map_or(String::new(), |line| line.to_string());
        let change = match (row.now, row.to) {
            (Some(now), Some(to)) if now != to => format!("{now} -> {to}"),
            (None, Some(to)) => format!("-> {to}"),
            (Some(now), _) => now.to_string(),
            (None, None) => String::new(),
        };
        // The root is in the first line already.
        let file = row.path.strip_prefix(root.as_str()).unwrap_or(&row.path);
        let [setting, why] = [&row.setting, &row.why].map(|it| it.clone().unwrap_or_default());
        table.row([
            line,
            setting,
            row.value.clone(),
            change,
            row.outcome.to_owned(),
            file.to_owned(),
            why,
        ]);
    }
    Ok(printed + &table.to_string())
}

fn preset_rows(machine: &Machine, preset: &Preset) -> Vec<Row> {
    let rows = preset.lines.iter().enumerate().map(|(index, line)| {
        let mut row = match line.outcome {
            Outcome::Asks(goal) => {
                let mut row = goal_row(machine, goal);
                let later = preset.lines.iter().skip(index + 1);
                let mut later =
                    later.filter(|it| matches!(it.outcome, Outcome::Asks(it) if it.setting == goal.setting));
                if let Some(last) = later.next_back() {
                    (row.outcome, row.to) = ("superseded", None);
                    row.why = Some(format!("line {} sets the same", last.line));
                }
                row
            }
            Outcome::LeftAlone(why) => {
                let mask = preset.masks.iter().find(|mask| mask.path == line.path);
                Row {
                    outcome: match (why, mask) {
                        (_, Some(_)) => "reboot",
                        (LeftAlone::Absent, None) => "absent",
                        _ => "left alone",
                    },
                    why: Some(mask.map_or_else(|| why.to_string(), presets::mask)),
                    ..Row::new()
                }
            }
        };
        row.line = Some(line.line);
        row.path = subject::file(machine, &line.path);
        row.value.clone_from(&line.text);
        row
    });
    rows.collect()
}

/// A row of knobs; `None` where there is nothing to ask of the setting but that it follows.
fn knob_row(machine: &Machine, goal: Goal) -> Option<Row> {
    let Want::Exactly(value) = goal.want else {
        return None;
    };
    let row = goal_row(machine, goal);
    Some(Row {
        path: subject::file(machine, &machine.path(goal.setting)?),
        value: value.to_string(),
        ..row
    })
}

fn goal_row(machine: &Machine, goal: Goal) -> Row {
    let (Want::Exactly(asked) | Want::AtMost(asked) | Want::AsFound(asked)) = goal.want;
    let now = machine.get(goal.setting).ok().flatten();
    let to = machine.nearest(goal.setting, asked);
    // The end of a table that does not show itself while its cluster is offline.
    let shown = (to != u32::MAX).then_some(to);
    let same = now.is_some_and(|now| machine.nearest(goal.setting, now) == to);
    let (outcome, why) = match asked {
        u32::MAX if same => ("in place", Some("no cap".to_owned())),
        u32::MAX => ("written", Some("no cap: the highest of the table".to_owned())),
        _ if to < asked => ("floored", Some(format!("{asked} kHz is not in the table"))),
        _ if same => ("in place", None),
        _ if to > asked => ("written", Some("the lowest of the table".to_owned())),
        _ if now.is_none() => ("written", Some("once a core of its cluster is on".to_owned())),
        _ => ("written", None),
    };
    Row {
        setting: Some(goal.setting.to_string()),
        outcome,
        now,
        to: shown,
        why,
        ..Row::new()
    }
}

impl Row {
    fn new() -> Row {
        Row {
            line: None,
            path: String::new(),
            value: String::new(),
            setting: None,
            outcome: "",
            now: None,
            to: None,
            why: None,
        }
    }
}
