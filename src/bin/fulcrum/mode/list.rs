//! `fulcrum mode list`: the presets of a board, and the size of its mode space.

use super::{Common, Failure};
use crate::presets::{Row, rows};
use crate::subject::{self, megahertz};
use crate::table::{Side, Table};
use fulcrum::board::{Board, Knob, Machine};
use fulcrum::power::preset::noted;
use fulcrum::power::{ModeSpace, PowerMode};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    board: String,
    simulated: bool,
    /// The mode in force, as `mode set` takes it.
    mode: Option<String>,
    modes: Vec<Row>,
    /// Why there are no presets.
    no_modes: Option<String>,
    /// The id of the file's default.
    default: Option<u32>,
    /// The id that the tool nvpmodel noted as its last request; no proof of what is in force.
    noted: Option<u32>,
    space: Space,
}

/// How many modes there are, and how many values each knob has.
#[derive(Serialize)]
struct Space {
    size: usize,
    cores: usize,
    cpu: usize,
    gpu: usize,
    emc: usize,
}

pub(super) fn run(common: &Common) -> Result<String, Failure> {
    let machine = common.subject.open()?;
    let report = report(&machine);
    if common.subject.json {
        return Ok(subject::json(&report)?);
    }
    let mut text = format!("{}: ", report.board);
    match &report.no_modes {
        Some(why) => text += &format!("{why}\n"),
        None => text += &format!("{} presets\n{}", report.modes.len(), table(&report.modes)),
    }
    if let Some(noted) = report.noted {
        text +=
            &format!("\nnvpmodel noted {noted} as its last request, which is no proof of what is in force\n");
    }
    let Space {
        size,
        cores,
        cpu,
        gpu,
        emc,
    } = report.space;
    text += &format!(
        "\n{size} modes in all: {cores} of cores x {cpu} CPU x {gpu} GPU x {emc} memory clocks; `mode set` takes any\n"
    );
    if let Some(mode) = report.mode {
        text += &format!("now {mode}\n");
    }
    Ok(text)
}

fn report(machine: &Machine) -> Report {
    let (modes, no_modes) = match rows(machine) {
        Ok(modes) => (modes, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    // A knob that the board lacks has its one value.
    let count = |knob| machine.facts().values(knob).len().max(1);
    Report {
        board: subject::name(machine),
        simulated: subject::is_simulated(machine),
        mode: PowerMode::present(machine).ok().map(|mode| mode.to_string()),
        default: modes.iter().find(|mode| mode.default).map(|mode| mode.id),
        modes,
        no_modes,
        noted: noted(machine),
        space: Space {
            size: ModeSpace::of(machine.facts()).len(),
            cores: count(Knob::Cores),
            cpu: count(Knob::Cpu),
            gpu: count(Knob::Gpu),
            emc: count(Knob::Emc),
        },
    }
}

/// The presets for a person.
pub(crate) fn table(modes: &[Row]) -> Table<7> {
    use Side::{Left, Right};
    let mut table = Table::new([Right, Left, Right, Right, Right, Right, Left]);
    table.row(["   id", "name", "cores", "CPU MHz", "GPU MHz", "EMC MHz", ""]);
    for mode in modes {
        let number = |value: Option<u32>| value.map_or("-".to_owned(), |value| value.to_string());
        let clock = |khz: Option<u32>| khz.map_or("-".to_owned(), megahertz);
        let mut notes = Vec::new();
        if mode.present == Some(true) {
            notes.push("in force".to_owned());
        }
        if mode.default {
            notes.push("default".to_owned());
        }
        if let Some(why) = &mode.why {
            notes.push(format!("needs a reboot: {why}"));
        }
        table.row([
            mode.id.to_string(),
            mode.name.clone(),
            number(mode.cores_online),
            clock(mode.cpu_khz),
            clock(mode.gpu_khz),
            clock(mode.emc_khz),
            notes.join("; "),
        ]);
    }
    table
}
