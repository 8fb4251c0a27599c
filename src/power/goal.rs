//! A [`Goal`] is what one setting should come to.

use super::PowerMode;
use crate::board::{Board, Knob, Setting};

/// How a value is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// This value, or the nearest the board offers.
    Exactly(u32),
    /// The present value, but not more than this one: a floor below a ceiling that falls.
    AtMost(u32),
    /// This value, which was read from the same setting, to the letter.
    AsFound(u32),
}

/// What one setting should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    /// Which.
    pub setting: Setting,
    /// To what.
    pub want: Want,
}

/// The goals that bring `knobs` of `board` to their values: the first so many cores online, and ceilings for the clocks.
/// Floors come down as far as they must, and no further.
pub fn goals<B: Board + ?Sized>(board: &B, knobs: &[(Knob, u32)]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (knob, value) in knobs {
        let settings = board.settings().iter().copied().filter(|it| it.knob() == *knob);
        goals.extend(settings.filter_map(|setting| {
            let want = match setting {
                Setting::Online(core) => Want::Exactly(u32::from(u32::from(core) < *value)),
                Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling => Want::Exactly(*value),
                Setting::CpuFloor(_) | Setting::GpuFloor | Setting::EmcRate => Want::AtMost(*value),
                // Raised while the GPU's clocks are written, and put back; nothing to ask for.
                Setting::GpuHold => return None,
            };
            Some(Goal { setting, want })
        }));
    }
    goals
}

/// Every knob of `mode` with its value, without those that the board lacks.
pub fn knobs_of(mode: &PowerMode) -> Vec<(Knob, u32)> {
    Knob::ALL
        .into_iter()
        .map(|knob| (knob, mode.get(knob)))
        .filter(|(_, value)| *value > 0)
        .collect()
}
