//! What the presets of a board's own nvpmodel.conf come to on it, as the verbs list them.

use fulcrum::board::{Board, Knob, Machine, Setting};
use fulcrum::power::preset::{Mask, Outcome, presets};
use fulcrum::power::{Goal, Preset, PresetError, Want};
use serde::Serialize;

/// One preset. Clocks are caps, kHz; `None` is a knob that the preset leaves alone or the board lacks.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) cores_online: Option<u32>,
    pub(crate) cpu_khz: Option<u32>,
    pub(crate) gpu_khz: Option<u32>,
    pub(crate) emc_khz: Option<u32>,
    /// Whether it needs a reboot, and why.
    pub(crate) reboot: bool,
    pub(crate) why: Option<String>,
    /// Whether the board starts in it.
    pub(crate) default: bool,
    /// Whether it is in force now; `None` where the settings cannot be read.
    pub(crate) present: Option<bool>,
}

/// The presets in the order of their file.
pub(crate) fn rows(machine: &Machine) -> Result<Vec<Row>, PresetError> {
    let (presets, default) = presets(machine)?;
    Ok(presets
        .iter()
        .map(|preset| row(machine, preset, default))
        .collect())
}

fn row(machine: &Machine, preset: &Preset, default: u32) -> Row {
    let why: Vec<String> = preset.masks.iter().map(mask).collect();
    let cap = |knob| ceilings(machine, preset, knob).max();
    Row {
        id: preset.id,
        name: preset.name.clone(),
        cores_online: cores(preset),
        cpu_khz: cap(Knob::Cpu),
        gpu_khz: cap(Knob::Gpu),
        emc_khz: cap(Knob::Emc),
        reboot: !why.is_empty(),
        why: (!why.is_empty()).then(|| why.join(", ")),
        default: preset.id == default,
        present: preset.is_present(machine).ok(),
    }
}

/// `tpc_pg_mask is 240 and has to be 252`.
pub(crate) fn mask(mask: &Mask) -> String {
    let name = mask.path.rsplit('/').next().unwrap_or_default();
    format!("{name} is {} and has to be {}", mask.present, mask.wanted)
}

fn goals(preset: &Preset) -> impl Iterator<Item = Goal> {
    preset.lines.iter().filter_map(|line| match line.outcome {
        Outcome::Asks(goal) => Some(goal),
        Outcome::LeftAlone(_) => None,
    })
}

fn cores(preset: &Preset) -> Option<u32> {
    let mut online: Vec<(Setting, Want)> = goals(preset)
        .filter(|goal| goal.setting.knob() == Knob::Cores)
        .map(|goal| (goal.setting, goal.want))
        .collect();
    if online.is_empty() {
        return None;
    }
    // Core 0 is always on.
    online.retain(|(_, want)| *want == Want::Exactly(1));
    online.sort_by_key(|(setting, _)| *setting);
    online.dedup();
    u32::try_from(online.len() + 1).ok()
}

fn ceilings(machine: &Machine, preset: &Preset, knob: Knob) -> impl Iterator<Item = u32> {
    goals(preset).filter_map(move |goal| match (goal.setting, goal.want) {
        (Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling, Want::Exactly(value))
            if goal.setting.knob() == knob =>
        {
            // A cluster that is offline shows no table; the others' stands for it.
            let clock = machine.nearest(goal.setting, value);
            Some(machine.facts().nearest(knob, clock))
        }
        _ => None,
    })
}
