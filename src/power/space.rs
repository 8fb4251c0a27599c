//! The [`ModeSpace`] is every power mode a board offers, each with a stable index.

use super::PowerMode;
use crate::board::Facts;
use crate::units::Kilohertz;

/// Every combination of cores online and CPU, GPU and memory clock that a board's tables allow.
///
/// Computed, not stored. The index counts the modes in their own order ([`PowerMode`]'s `Ord`: cores, CPU, GPU,
/// memory, the last changing fastest), so it stays the same as long as the tables do.
#[derive(Clone, Debug)]
pub struct ModeSpace {
    cores: u8,
    cpu: Vec<Kilohertz>,
    gpu: Vec<Kilohertz>,
    emc: Vec<Kilohertz>,
}

impl ModeSpace {
    /// The space of this board.
    pub fn of(facts: &Facts) -> ModeSpace {
        ModeSpace {
            cores: facts.cores(),
            cpu: facts.cpu().to_vec(),
            gpu: facts.gpu().to_vec(),
            emc: facts.emc().to_vec(),
        }
    }

    /// Number of modes; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a board has at least one mode")]
    pub fn len(&self) -> usize {
        usize::from(self.cores) * self.cpu.len() * self.gpu.len() * self.emc.len()
    }

    /// The mode at `index`, or `None` past the end.
    pub fn at(&self, index: usize) -> Option<PowerMode> {
        let (rest, emc) = (index / self.emc.len(), self.emc.get(index % self.emc.len())?);
        let (rest, gpu) = (rest / self.gpu.len(), self.gpu.get(rest % self.gpu.len())?);
        let (rest, cpu) = (rest / self.cpu.len(), self.cpu.get(rest % self.cpu.len())?);
        let cores = u8::try_from(rest + 1).ok().filter(|cores| *cores <= self.cores)?;
        Some(PowerMode {
            cores,
            cpu: *cpu,
            gpu: *gpu,
            emc: *emc,
        })
    }

    /// The index of `mode`, or `None` if the board does not offer it.
    pub fn index_of(&self, mode: &PowerMode) -> Option<usize> {
        if !(1..=self.cores).contains(&mode.cores) {
            return None;
        }
        let cpu = self.cpu.binary_search(&mode.cpu).ok()?;
        let gpu = self.gpu.binary_search(&mode.gpu).ok()?;
        let emc = self.emc.binary_search(&mode.emc).ok()?;
        let above = usize::from(mode.cores - 1) * self.cpu.len() + cpu;
        Some((above * self.gpu.len() + gpu) * self.emc.len() + emc)
    }

    /// The mode with every knob at its highest value; the last one.
    pub fn top(&self) -> PowerMode {
        let last = |table: &[Kilohertz]| table.last().copied().unwrap_or_default();
        PowerMode {
            cores: self.cores,
            cpu: last(&self.cpu),
            gpu: last(&self.gpu),
            emc: last(&self.emc),
        }
    }

    /// Every mode, in the order of the index.
    pub fn iter(&self) -> impl Iterator<Item = PowerMode> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}
