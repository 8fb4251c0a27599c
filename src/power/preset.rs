//! A [`Preset`] is a mode of the board's own nvpmodel.conf, resolved to what this board needs: settings to write, rows that
//! are left alone and why, and whether it would take a reboot.

use super::goal::{Goal, Want};
use crate::board::nvpmodel::{Conf, ConfError, Mode, Node, Role, Row, Target, Value};
use crate::board::{Board, BoardError, FileError, Machine, Setting};
use core::fmt;

/// The file of the modes, below the root; on a Jetson a link to the one for its module.
pub const CONF: &str = "etc/nvpmodel.conf";

/// Longest file that is read. Shipped ones have 10 to 40 KiB.
const LONGEST: usize = 1 << 20;

/// What the tool noted as its last request; no proof of what is in force.
const STATUS: &str = "var/lib/nvpmodel/status";

/// Why a row of the mode is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftAlone {
    /// The board has no such file: a knob of another kernel, or of a part that this module lacks.
    Absent,
    /// A mask of GPU units, which already is as the mode wants it.
    MaskAsWanted,
    /// A mask of GPU units that is another than the mode wants; it stands in [`Preset::masks`].
    MaskDiffers,
    /// A mask of GPU units that cannot be read here, so that it must be taken to be right.
    MaskUnreadable,
    /// Power control of the GPU: it is kept powered while its clocks are written, and then left as found.
    PowerControl,
    /// A clock of an engine (DLA, PVA, video), a current limit, a fan: not fulcrum's to write.
    NotOurs,
    /// A core that is always on.
    FirstCore,
}

impl fmt::Display for LeftAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeftAlone::Absent => "this board has no such file",
            LeftAlone::MaskAsWanted => "the mask is as the mode wants it",
            LeftAlone::MaskDiffers => "the mask is another, so the mode needs a reboot",
            LeftAlone::MaskUnreadable => "the mask cannot be read; taken to be as the mode wants it",
            LeftAlone::PowerControl => {
                "the GPU is kept powered while its clocks are written, and then left as found"
            }
            LeftAlone::NotOurs => {
                "read only to fulcrum: engine clocks, current limits and fans are never written"
            }
            LeftAlone::FirstCore => "core 0 is always on",
        })
    }
}

/// What becomes of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It asks this of a setting.
    Asks(Goal),
    /// It is not written.
    LeftAlone(LeftAlone),
}

/// One row of the mode, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line in the file, from 1.
    pub line: u32,
    /// The file that it names on this board.
    pub path: String,
    /// Its value as it stands.
    pub text: String,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// A mask that the mode wants to be another than it is. Only a reboot changes it once the GPU was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The file.
    pub path: String,
    /// What it is.
    pub present: u64,
    /// What the mode wants.
    pub wanted: u64,
}

/// A mode of nvpmodel.conf on one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its number in the file.
    pub id: u32,
    /// Its name in the file; not always unique.
    pub name: String,
    /// Its rows, in the order of the file.
    pub lines: Vec<Line>,
    /// The masks that stand against it. While there is one, the mode cannot be applied.
    pub masks: Vec<Mask>,
}

/// Why there is no such preset.
#[derive(Debug)]
#[non_exhaustive]
pub enum PresetError {
    /// The board has no nvpmodel.conf, or it cannot be read.
    NoConf(FileError),
    /// The file is broken.
    Conf(std::path::PathBuf, ConfError),
    /// No mode has this name or id; here are those there are.
    Unknown {
        /// What was asked for.
        asked: String,
        /// `id name` of each, separated by commas.
        known: String,
    },
    /// Several modes have this name; here are their ids.
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The ids, separated by commas.
        ids: String,
    },
    /// The mode needs a reboot: these masks differ. Nothing was written.
    Reboot {
        /// The mode.
        name: String,
        /// The first mask that differs.
        mask: Mask,
    },
}

impl fmt::Display for PresetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PresetError::NoConf(error) => write!(
                f,
                "this board offers no presets: {error}; name knobs instead, such as cores=4,gpu=408000"
            ),
            PresetError::Conf(path, error) => {
                write!(f, "{}:{error}; see `fulcrum conf check`", path.display())
            }
            PresetError::Unknown { asked, known } => {
                write!(
                    f,
                    "no preset is called {asked:?}; there are {known}; or name knobs, such as cores=4,gpu=408000"
                )
            }
            PresetError::Ambiguous { asked, ids } => {
                write!(f, "several presets are called {asked:?}; choose by id: {ids}")
            }
            PresetError::Reboot { name, mask } => write!(
                f,
                "preset {name} needs a reboot: {} is {} and would have to be {}, which the driver refuses once the GPU was used; \
                 nothing was written. Switch with `nvpmodel` and reboot, or set clocks and cores alone",
                mask.path, mask.present, mask.wanted
            ),
        }
    }
}

impl std::error::Error for PresetError {}

/// The presets of `machine`, in the order of its file, and the id of the file's default.
pub fn presets(machine: &Machine) -> Result<(Vec<Preset>, u32), PresetError> {
    let bytes = machine
        .root()
        .bytes_within(CONF, LONGEST)
        .map_err(PresetError::NoConf)?;
    let conf = Conf::parse(&bytes).map_err(|error| PresetError::Conf(machine.root().join(CONF), error))?;
    let presets = conf
        .modes()
        .iter()
        .map(|mode| Preset::resolve(machine, mode))
        .collect();
    Ok((presets, conf.default_id()))
}

/// The preset that `asked` names by its id or its name.
pub fn find<'a>(presets: &'a [Preset], asked: &str) -> Result<&'a Preset, PresetError> {
    let by_id = asked
        .parse()
        .ok()
        .and_then(|id: u32| presets.iter().find(|it| it.id == id));
    let mut by_name = presets.iter().filter(|it| it.name == asked);
    match (by_name.next(), by_name.next(), by_id) {
        (Some(preset), None, _) | (None, _, Some(preset)) => Ok(preset),
        (Some(_), Some(_), _) => Err(PresetError::Ambiguous {
            asked: asked.to_owned(),
            ids: list(presets.iter().filter(|it| it.name == asked), |it| {
                it.id.to_string()
            }),
        }),
        (None, _, None) => Err(PresetError::Unknown {
            asked: asked.to_owned(),
            known: list(presets.iter(), |it| format!("{} {}", it.id, it.name)),
        }),
    }
}

fn list<'a>(presets: impl Iterator<Item = &'a Preset>, show: impl Fn(&Preset) -> String) -> String {
    presets.map(show).collect::<Vec<_>>().join(", ")
}

/// The id of the mode that the nvpmodel tool noted as its last request, as in `pmode:0002`.
pub fn noted(machine: &Machine) -> Option<u32> {
    let text = machine.root().text(STATUS).ok()?;
    let digits = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("pmode:"))?;
    digits.parse().ok()
}

impl Preset {
    /// What `mode` asks of this board, worked out before anything is written.
    pub fn resolve(machine: &Machine, mode: &Mode<'_>) -> Preset {
        let mut masks = Vec::new();
        let lines = mode
            .rows()
            .iter()
            .map(|row| line(machine, row, &mut masks))
            .collect();
        Preset {
            id: mode.id(),
            name: mode.name().to_owned(),
            lines,
            masks,
        }
    }

    /// What it asks of each setting; of several rows for one setting the last counts, as the tool writes them in order.
    ///
    /// # Errors
    /// [`PresetError::Reboot`]: it cannot be applied as the board runs now.
    pub fn goals(&self) -> Result<Vec<Goal>, PresetError> {
        if let Some(mask) = self.masks.first() {
            return Err(PresetError::Reboot {
                name: self.name.clone(),
                mask: mask.clone(),
            });
        }
        let mut goals: Vec<Goal> = Vec::new();
        for line in &self.lines {
            if let Outcome::Asks(goal) = line.outcome {
                goals.retain(|known| known.setting != goal.setting);
                goals.push(goal);
            }
        }
        Ok(goals)
    }

    /// Whether the board is in it now, as far as its settings tell: each is at the value of its table that this program
    /// would write, or that NVIDIA's tool would, which takes the nearest one instead of the next lower.
    pub fn is_present(&self, machine: &Machine) -> Result<bool, BoardError> {
        let Ok(goals) = self.goals() else {
            return Ok(false);
        };
        for goal in goals {
            let (Some(value), Want::Exactly(asked)) = (machine.get(goal.setting)?, goal.want) else {
                // The clock of a cluster that is offline.
                continue;
            };
            let value = machine.nearest(goal.setting, value);
            let ours = machine.nearest(goal.setting, asked);
            if value != ours && value.abs_diff(asked) > ours.abs_diff(asked) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn line(machine: &Machine, row: &Row<'_>, masks: &mut Vec<Mask>) -> Line {
    let node = chosen(machine, &row.target);
    let path = node.map_or(row.target.plain.path, |node| node.path);
    let outcome = match row.role {
        Role::CoreOnline(0) => Outcome::LeftAlone(LeftAlone::FirstCore),
        // A core's clock has no file while the core is off; the board knows it all the same.
        Role::CoreOnline(_)
        | Role::CpuMax(_)
        | Role::CpuMin(_)
        | Role::GpuMax
        | Role::GpuMin
        | Role::EmcMax => machine
            .setting_at(path)
            .and_then(|setting| goal(setting, row.value))
            .map_or(Outcome::LeftAlone(LeftAlone::Absent), Outcome::Asks),
        role if role.is_mask() => mask(machine, node, row.value, masks),
        Role::PowerControl => Outcome::LeftAlone(LeftAlone::PowerControl),
        _ if node.is_none() => Outcome::LeftAlone(LeftAlone::Absent),
        _ => Outcome::LeftAlone(LeftAlone::NotOurs),
    };
    Line {
        line: row.line,
        path: path.to_owned(),
        text: row.text.to_owned(),
        outcome,
    }
}

/// The path for the newer kernel if the board has it, else the plain one if it has that.
fn chosen<'a>(machine: &Machine, target: &Target<'a>) -> Option<Node<'a>> {
    let nodes = target.knext.into_iter().chain([target.plain]);
    nodes.into_iter().find(|node| machine.root().exists(node.path))
}

fn goal(setting: Setting, value: Value) -> Option<Goal> {
    let value = match (setting, value) {
        // No ceiling at all: the highest the table has.
        (Setting::EmcCeiling, Value::Number(0)) | (_, Value::Uncapped) => u32::MAX,
        (Setting::Online(_) | Setting::CpuFloor(_) | Setting::CpuCeiling(_), Value::Number(number)) => {
            u32::try_from(number).unwrap_or(u32::MAX)
        }
        (_, Value::Number(hertz)) => u32::try_from(hertz / 1_000).unwrap_or(u32::MAX),
        (_, Value::Word) => return None,
    };
    Some(Goal {
        setting,
        want: Want::Exactly(value),
    })
}

fn mask(machine: &Machine, node: Option<Node<'_>>, wanted: Value, masks: &mut Vec<Mask>) -> Outcome {
    let Some(node) = node else {
        return Outcome::LeftAlone(LeftAlone::Absent);
    };
    let present = machine.root().value(node.path, crate::board::sysfs::number);
    match (present, wanted) {
        (Ok(present), Value::Number(wanted)) if present != wanted => {
            masks.push(Mask {
                path: node.path.to_owned(),
                present,
                wanted,
            });
            Outcome::LeftAlone(LeftAlone::MaskDiffers)
        }
        (Ok(_), Value::Number(_)) => Outcome::LeftAlone(LeftAlone::MaskAsWanted),
        _ => Outcome::LeftAlone(LeftAlone::MaskUnreadable),
    }
}
