//! The [`Report`] on a board, in the form of `fulcrum board --json`.

use crate::presets;
use crate::subject;
use fulcrum::board::engines::{EngineCap, engine_caps};
use fulcrum::board::overcurrent::OvercurrentFile;
use fulcrum::board::rail::{Measured, Rail};
use fulcrum::board::thermal::{Heat, Zone};
use fulcrum::board::{self, Board, Machine, Sensors, Setting, SysfsSensors};
use fulcrum::power::PowerMode;
use serde::Serialize;
use std::fs::OpenOptions;
use std::io;

/// Everything that is known of a board. Clocks are kHz.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) name: String,
    pub(super) model: Option<String>,
    pub(super) module: Option<String>,
    pub(super) soc: Option<String>,
    pub(super) jetpack: Option<String>,
    pub(super) l4t: Option<String>,
    pub(super) kernel: Option<String>,
    pub(super) simulated: bool,
    pub(super) clusters: Vec<Cluster>,
    pub(super) knobs: Vec<Knob>,
    pub(super) modes: Vec<presets::Row>,
    /// Why there are no modes.
    pub(super) no_modes: Option<String>,
    pub(super) rails: Vec<RailReport>,
    pub(super) total_rule: String,
    pub(super) zones: Vec<ZoneReport>,
    pub(super) overcurrent: Vec<Counter>,
    pub(super) engines: Vec<Engine>,
    /// What was found and cannot be used.
    pub(super) notes: Vec<String>,
}

/// Cores that share a clock. Cores whose clock does not show itself stand together in the last.
#[derive(Serialize)]
pub(super) struct Cluster {
    pub(super) cores: Vec<u8>,
    pub(super) online: Vec<u8>,
    pub(super) table: Vec<u32>,
    /// Why the table is empty.
    pub(super) why: Option<String>,
}

/// A knob: its first file, all of its files, and what it can be set to.
#[derive(Serialize)]
pub(super) struct Knob {
    pub(super) name: &'static str,
    pub(super) path: Option<String>,
    pub(super) paths: Vec<String>,
    pub(super) table: Vec<u32>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) current: Option<u32>,
    pub(super) writable: bool,
    /// Why it is absent or cannot be written.
    pub(super) why: Option<String>,
}

#[derive(Serialize)]
pub(super) struct RailReport {
    pub(super) name: String,
    pub(super) counted: bool,
    pub(super) mw: Option<u32>,
    pub(super) millivolts: Option<u32>,
    pub(super) milliamperes: Option<u32>,
    pub(super) energy_uj: Option<u64>,
    pub(super) refresh_ms: u64,
    pub(super) error: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ZoneReport {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `on`, `off` (its block has no power), `doubted` or `unreadable`.
    pub(super) state: &'static str,
    pub(super) millicelsius: Option<i32>,
    pub(super) trips: Vec<Trip>,
}

#[derive(Serialize)]
pub(super) struct Trip {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) millicelsius: i32,
}

#[derive(Serialize)]
pub(super) struct Counter {
    pub(super) kind: &'static str,
    pub(super) events: Option<u64>,
    pub(super) throttles: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct Engine {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) khz: Option<u64>,
    pub(super) error: Option<String>,
}

impl Report {
    /// Reads the board.
    pub(super) fn read(machine: &Machine) -> Report {
        let identity = machine.identity();
        let mut sensors = SysfsSensors::find(machine.root());
        let (modes, no_modes) = match presets::rows(machine) {
            Ok(modes) => (modes, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let present = PowerMode::present(machine).ok();
        let shown = sensors.rails();
        let supplies = sensors.supplies().clone();
        let rails = supplies.rails().iter().zip(&shown).enumerate();
        Report {
            name: subject::name(machine),
            model: identity.model.clone(),
            module: identity.module.as_ref().map(|module| module.part.clone()),
            soc: identity.soc.clone(),
            jetpack: identity.jetpack().map(str::to_owned),
            l4t: identity.l4t.as_ref().map(ToString::to_string),
            kernel: identity.kernel.clone(),
            simulated: subject::is_simulated(machine),
            clusters: clusters(machine),
            knobs: board::Knob::ALL
                .map(|it| knob(machine, it, present.as_ref()))
                .into(),
            modes,
            no_modes,
            rails: rails
                .map(|(index, (rail, shown))| rail_report(rail, *shown, supplies.counts(index)))
                .collect(),
            total_rule: supplies.total_rule(),
            zones: sensors.zones().iter_mut().map(zone).collect(),
            overcurrent: sensors.overcurrent().iter_mut().map(counter).collect(),
            engines: engine_caps(machine.root())
                .into_iter()
                .map(|cap| engine(machine, cap))
                .collect(),
            notes: sensors.notes().to_vec(),
        }
    }
}

fn clusters(machine: &Machine) -> Vec<Cluster> {
    let facts = machine.facts();
    let is_online = |core: &u8| *core == 0 || machine.get(Setting::Online(*core)) != Ok(Some(0));
    let cluster = |cores: Vec<u8>, table: Vec<u32>, why: Option<String>| Cluster {
        online: cores.iter().copied().filter(is_online).collect(),
        cores,
        table,
        why,
    };
    let mut clusters: Vec<Cluster> = facts
        .clusters()
        .iter()
        .map(|it| {
            cluster(
                it.cores.clone(),
                it.clocks.iter().map(|clock| clock.0).collect(),
                None,
            )
        })
        .collect();
    let known = |core: &u8| facts.clusters().iter().any(|it| it.cores.contains(core));
    let others: Vec<u8> = (0..facts.cores()).filter(|core| !known(core)).collect();
    if !others.is_empty() {
        let mut rest = cluster(others, Vec::new(), None);
        let why = if rest.online.is_empty() {
            "their clusters and clocks show when a core is on"
        } else {
            "the kernel shows no cpufreq policy for them"
        };
        rest.why = Some(why.to_owned());
        clusters.push(rest);
    }
    clusters
}

fn knob(machine: &Machine, knob: board::Knob, present: Option<&PowerMode>) -> Knob {
    let table = machine.facts().values(knob);
    let why = machine.absence(knob);
    // Of a clock the ceiling is the knob; floor and hold only follow it.
    let is_knob = |setting: &Setting| {
        matches!(
            setting,
            Setting::Online(_) | Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling
        )
    };
    let files = machine
        .files(knob)
        .into_iter()
        .filter(|(setting, _)| is_knob(setting));
    let paths: Vec<String> = match why {
        None => files.map(|(_, path)| subject::file(machine, &path)).collect(),
        Some(_) => Vec::new(),
    };
    let refused = paths.iter().find_map(|path| Some((path, refusal(path)?)));
    let refused = refused.map(|(path, error)| format!("{path}: {error}"));
    Knob {
        name: knob.name(),
        path: paths.first().cloned(),
        min: table.first().copied(),
        max: table.last().copied(),
        current: present.map(|mode| mode.get(knob)).filter(|value| *value > 0),
        writable: !paths.is_empty() && refused.is_none(),
        why: why.map(str::to_owned).or(refused),
        paths,
        table,
    }
}

/// Why a file cannot be opened for writing; `None` if it can. Writes nothing.
fn refusal(path: &str) -> Option<io::Error> {
    OpenOptions::new().write(true).open(path).err()
}

fn errno(error: i32) -> String {
    io::Error::from_raw_os_error(error).to_string()
}

fn rail_report(rail: &Rail, shown: Result<Measured, i32>, counted: bool) -> RailReport {
    let (mut millivolts, mut milliamperes, mut energy_uj) = (None, None, None);
    match shown {
        Ok(Measured::Current {
            millivolts: volts,
            milliamperes: amperes,
        }) => {
            (millivolts, milliamperes) = (Some(volts), Some(amperes));
        }
        Ok(Measured::Energy(energy)) => energy_uj = Some(energy),
        Ok(Measured::Power(_)) | Err(_) => {}
    }
    RailReport {
        name: rail.name.as_str().to_owned(),
        counted,
        mw: shown.ok().and_then(Measured::power).map(|power| power.0),
        millivolts,
        milliamperes,
        energy_uj,
        refresh_ms: rail.refresh.0 / 1_000_000,
        error: shown.err().map(errno),
    }
}

fn zone(zone: &mut Zone) -> ZoneReport {
    let (state, heat) = match zone.read() {
        Heat::On(heat) => ("on", Some(heat.0)),
        Heat::Off => ("off", None),
        Heat::Doubted(..) => ("doubted", None),
        Heat::Unreadable(_) => ("unreadable", None),
    };
    let trips = zone.trips().iter().map(|trip| Trip {
        kind: trip.kind.clone(),
        millicelsius: trip.at.0,
    });
    ZoneReport {
        kind: zone.kind().to_owned(),
        state,
        millicelsius: heat,
        trips: trips.collect(),
    }
}

fn counter(counter: &mut OvercurrentFile) -> Counter {
    Counter {
        kind: counter.kind.name(),
        events: counter.read().ok(),
        throttles: counter.throttles,
    }
}

fn engine(machine: &Machine, cap: EngineCap) -> Engine {
    Engine {
        name: cap.name,
        path: subject::file(machine, &cap.path),
        khz: cap.hertz.as_ref().ok().map(|hertz| hertz / 1_000),
        error: cap.hertz.err().map(|error| error.to_string()),
    }
}
