//! The [`State`] of a board at one moment: mode, clocks, heat, what slows it down, and whose its knobs are.

use crate::holding::Holding;
use fulcrum::board::thermal::Heat;
use fulcrum::board::{Board, Knob, Machine, Setting, SysfsSensors};
use fulcrum::power::{Drift, PowerMode, Standing};
use fulcrum::units::Millicelsius;
use std::path::PathBuf;

/// What a board is in.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// `None` where a setting could not be read.
    pub(super) mode: Option<PowerMode>,
    /// Cores there are, online or not.
    pub(super) cores: u8,
    pub(super) clocks: Vec<ClockNow>,
    pub(super) zones: Vec<(String, Heat)>,
    /// Events since the boot; `None` where a counter could not be read.
    pub(super) overcurrent: Vec<(&'static str, Option<u64>)>,
    /// Devices that slow the board down now: kind, how far, and how far they can go.
    pub(super) cooling: Vec<(String, u64, u64)>,
    /// What is held, as JSON says it, and as a person reads it.
    pub(super) holding: (&'static str, String),
    /// Of the knobs that are held.
    pub(super) drift: Vec<(Knob, Standing)>,
}

/// One clock, kHz.
#[derive(Clone, Debug)]
pub(super) struct ClockNow {
    pub(super) knob: Knob,
    /// `cpu0`, `gpu`, `emc`.
    pub(super) name: String,
    /// `None` where the board does not show it to this user.
    pub(super) running: Option<u32>,
    pub(super) ceiling: Option<u32>,
    /// The end of its table.
    pub(super) top: u32,
}

/// Reads all of it.
pub(super) struct StateReader {
    machine: Machine,
    sensors: SysfsSensors,
    folder: PathBuf,
}

impl StateReader {
    /// Reads `machine`, and the journal in `folder`.
    pub(super) fn new(machine: Machine, folder: PathBuf) -> StateReader {
        StateReader {
            sensors: SysfsSensors::find(machine.root()),
            machine,
            folder,
        }
    }

    /// May block as long as a sensor does.
    pub(super) fn read(&mut self) -> State {
        let machine = &self.machine;
        let holding = Holding::read(machine, &self.folder);
        let entries = holding.record().map_or(&[][..], |record| &record.entries);
        let asked: Vec<(Setting, u32)> = entries.iter().map(|entry| (entry.setting, entry.asked)).collect();
        let drift = Drift::new(&asked);
        let standing = |knob| Some((knob, drift.standing(machine, knob)?));
        State {
            mode: PowerMode::present(machine).ok(),
            cores: machine.facts().cores(),
            clocks: machine
                .settings()
                .iter()
                .filter_map(|setting| clock(machine, *setting))
                .collect(),
            zones: self
                .sensors
                .zones()
                .iter_mut()
                .map(|zone| (zone.kind().to_owned(), zone.read()))
                .collect(),
            overcurrent: self
                .sensors
                .overcurrent()
                .iter_mut()
                .map(|counter| (counter.kind.name(), counter.read().ok()))
                .collect(),
            cooling: self
                .sensors
                .cooling()
                .iter_mut()
                .filter_map(|device| {
                    let state = device.read().ok().filter(|state| *state > 0)?;
                    Some((device.kind().to_owned(), state, device.most()))
                })
                .collect(),
            drift: Knob::ALL.into_iter().filter_map(standing).collect(),
            holding: (holding.word(), holding.to_string()),
        }
    }
}

impl State {
    /// The hottest zone that is on, m C.
    pub(super) fn hottest(&self) -> Option<(&str, Millicelsius)> {
        let on = self.zones.iter().filter_map(|(kind, heat)| match heat {
            Heat::On(heat) => Some((kind.as_str(), *heat)),
            _ => None,
        });
        on.max_by_key(|(_, heat)| *heat)
    }
}

/// The clock below a ceiling; `None` for other settings, and for a cluster that is offline.
fn clock(machine: &Machine, setting: Setting) -> Option<ClockNow> {
    let name = match setting {
        Setting::CpuCeiling(first) => format!("cpu{first}"),
        Setting::GpuCeiling => "gpu".to_owned(),
        Setting::EmcCeiling => "emc".to_owned(),
        _ => return None,
    };
    let ceiling = machine.get(setting).ok().flatten();
    if ceiling.is_none() && setting.knob() == Knob::Cpu {
        return None;
    }
    Some(ClockNow {
        knob: setting.knob(),
        name,
        running: machine
            .running(setting)
            .and_then(|it| it.ok())
            .map(|clock| clock.0),
        // A ceiling that is none is the end of the table.
        ceiling: ceiling.map(|ceiling| machine.nearest(setting, ceiling)),
        top: machine.nearest(setting, u32::MAX),
    })
}
