//! What a user [`Asked`] for: a preset of the board, or values for some of its knobs.

use super::Failure;
use fulcrum::board::{Board, Facts, Knob, Machine, Setting};
use fulcrum::power::mode::parse_knobs;
use fulcrum::power::preset::{find, presets};
use fulcrum::power::{Change, ChangeError, Goal, Preset, Want};
use serde::Serialize;
use std::fmt;

/// What was asked for, found to be there.
#[derive(Debug)]
pub(super) enum Asked {
    /// A mode of the board's nvpmodel.conf.
    Preset(Preset),
    /// Values for knobs.
    Knobs(Vec<(Knob, u32)>),
}

/// A clock that is not in its table.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Floored {
    pub(super) setting: String,
    pub(super) asked: u32,
    pub(super) got: u32,
}

impl Asked {
    /// Reads `text`: knobs if it has an equals sign, else a preset's name or id.
    pub(super) fn parse(machine: &Machine, text: &str) -> Result<Asked, Failure> {
        if text.contains('=') {
            let knobs = parse_knobs(text).map_err(|error| format!("{text:?}: {error}"))?;
            return Ok(Asked::Knobs(knobs.to_vec()));
        }
        let (presets, _) = presets(machine)?;
        Ok(Asked::Preset(find(&presets, text)?.clone()))
    }

    /// What it asks of single settings. Refused before anything is written where it needs a reboot, or where the board
    /// does not offer it.
    pub(super) fn goals<B: Board>(
        &self,
        change: &Change<'_, B>,
        facts: &Facts,
    ) -> Result<Vec<Goal>, Failure> {
        match self {
            Asked::Preset(preset) => Ok(preset.goals()?),
            Asked::Knobs(knobs) => change.goals(knobs).map_err(|error| match error {
                ChangeError::NotOffered(knob, value) => Failure::from(not_offered(facts, knob, value)),
                other => other.into(),
            }),
        }
    }
}

fn not_offered(facts: &Facts, knob: Knob, value: u32) -> String {
    let values = facts.values(knob);
    let unit = if knob == Knob::Cores { "" } else { " kHz" };
    match (values.first(), values.last()) {
        (Some(low), Some(high)) => {
            format!(
                "the board does not offer {knob}={value}: {knob} goes from {low} to {high}{unit}; nothing was written"
            )
        }
        _ => format!(
            "the board does not offer {knob}={value}: it has no such knob, and `fulcrum board` says why; nothing was \
             written"
        ),
    }
}

impl fmt::Display for Asked {
    /// `15W (preset 0)`, or the knobs as `mode set` takes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Preset(preset) => write!(f, "{} (preset {})", preset.name, preset.id),
            Asked::Knobs(knobs) => {
                let knobs: Vec<String> = knobs
                    .iter()
                    .map(|(knob, value)| format!("{knob}={value}"))
                    .collect();
                f.write_str(&knobs.join(","))
            }
        }
    }
}

/// The ceilings among `goals` that come to a lower clock of their table. No ceiling at all is not lowered.
pub(super) fn floored<B: Board>(board: &B, goals: &[Goal]) -> Vec<Floored> {
    let floored = goals.iter().filter_map(|goal| match (goal.setting, goal.want) {
        (Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling, Want::Exactly(asked)) => {
            let got = board.nearest(goal.setting, asked);
            (asked != u32::MAX && got < asked).then(|| Floored {
                setting: goal.setting.to_string(),
                asked,
                got,
            })
        }
        _ => None,
    });
    floored.collect()
}
