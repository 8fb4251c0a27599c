//! The [`ModeSpace`] is every power mode a board offers, each with a stable index.

use super::PowerMode;
use crate::board::{Facts, Knob};

/// Every combination of cores online and CPU, GPU and memory clock that a board's tables allow.
///
/// Computed, not stored. The index counts the modes in their own order ([`PowerMode`]'s `Ord`: cores, CPU, GPU,
/// memory, the last changing fastest), so it stays the same as long as the tables do. A knob that the board lacks has one
/// value: all cores, or a clock of 0.
#[derive(Clone, Debug)]
pub struct ModeSpace {
    /// In the order of [`Knob::ALL`]; none is empty.
    axes: [Vec<u32>; 4],
}

impl ModeSpace {
    /// The space of this board.
    pub fn of(facts: &Facts) -> ModeSpace {
        let axes = Knob::ALL.map(|knob| {
            let mut values = facts.values(knob);
            if values.is_empty() {
                values.push(if knob == Knob::Cores {
                    u32::from(facts.cores())
                } else {
                    0
                });
            }
            values
        });
        ModeSpace { axes }
    }

    /// Number of modes; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a board has at least one mode")]
    pub fn len(&self) -> usize {
        self.axes.iter().map(Vec::len).product()
    }

    /// The mode at `index`, or `None` past the end.
    pub fn at(&self, index: usize) -> Option<PowerMode> {
        let mut mode = PowerMode::default();
        let mut rest = index;
        for (knob, axis) in Knob::ALL.into_iter().zip(&self.axes).rev() {
            mode.set(knob, *axis.get(rest % axis.len())?);
            rest /= axis.len();
        }
        (rest == 0).then_some(mode)
    }

    /// The index of `mode`, or `None` if the board does not offer it.
    pub fn index_of(&self, mode: &PowerMode) -> Option<usize> {
        let mut index = 0;
        for (knob, axis) in Knob::ALL.into_iter().zip(&self.axes) {
            index = index * axis.len() + axis.binary_search(&mode.get(knob)).ok()?;
        }
        Some(index)
    }

    /// The mode with every knob at its highest value; the last one.
    pub fn top(&self) -> PowerMode {
        let mut mode = PowerMode::default();
        for (knob, axis) in Knob::ALL.into_iter().zip(&self.axes) {
            mode.set(knob, axis.last().copied().unwrap_or_default());
        }
        mode
    }

    /// The mode of a board whose knobs are all at the least: what a knob that is absent keeps.
    pub(super) fn bare(&self) -> PowerMode {
        let mut mode = PowerMode::default();
        for (knob, axis) in Knob::ALL.into_iter().zip(&self.axes) {
            mode.set(
                knob,
                if axis.len() == 1 {
                    axis.first().copied().unwrap_or_default()
                } else {
                    0
                },
            );
        }
        mode
    }

    /// Every mode, in the order of the index.
    pub fn iter(&self) -> impl Iterator<Item = PowerMode> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}
