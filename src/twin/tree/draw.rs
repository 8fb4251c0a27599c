//! The [`Draw`] of a board: what its parts take, by clocks, cores and load.
//!
//! The same law of power and the same two thermal nodes as [`super::super::physics`]; only the load is set by hand here
//! instead of coming from real pieces.

use super::board::Rail;
use crate::twin::physics::PowerLaw;
use crate::twin::thermal::Thermal;

/// The parameters of a board's power and temperature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    pub(super) law: PowerLaw,
    /// What the GPU's work takes at full load in the top mode, W; the law's memory share of it is memory traffic.
    pub(super) work: f64,
    /// How the base divides: GPU, CPU, SoC, rest. Sums to 1.
    pub(super) base: [f64; 4],
    pub(super) thermal: Thermal,
}

/// Clocks as parts of their highest, and loads from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) cores: usize,
    pub(super) all_cores: usize,
    pub(super) cpu: f64,
    pub(super) gpu: f64,
    pub(super) emc: f64,
    pub(super) cpu_load: f64,
    pub(super) gpu_load: f64,
}

/// What the parts take, W.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) gpu: f64,
    pub(super) cpu: f64,
    pub(super) soc: f64,
    pub(super) memory: f64,
    pub(super) rest: f64,
}

impl Draw {
    pub(super) fn parts(&self, state: &State) -> Parts {
        let law = &self.law;
        let rate = |f: f64| law.linear * f + (1.0 - law.linear) * f.powi(3);
        let [gpu, cpu, soc, rest] = self.base.map(|share| share * law.base);
        let online = state.cores as f64 / state.all_cores.max(1) as f64;
        let work = self.work * state.gpu_load * state.gpu;
        let energy = law.linear + (1.0 - law.linear) * state.gpu.powi(2);
        Parts {
            gpu: gpu + state.gpu_load * law.gpu * rate(state.gpu) + work * (1.0 - law.memory_share) * energy,
            cpu: cpu + law.core * state.cores as f64 + law.host * state.cpu_load * online * rate(state.cpu),
            soc,
            memory: law.memory * state.emc.powi(2) + work * law.memory_share,
            rest,
        }
    }
}

impl Parts {
    pub(super) fn total(&self) -> f64 {
        self.gpu + self.cpu + self.soc + self.memory + self.rest
    }

    /// What a rail carries, W.
    pub(super) fn on(&self, rail: Rail) -> f64 {
        match rail {
            Rail::Everything => self.total(),
            Rail::CpuGpu => self.cpu + self.gpu,
            Rail::GpuSoc => self.gpu + self.soc,
            Rail::Gpu => self.gpu,
            Rail::Cpu => self.cpu,
            Rail::Soc => self.soc,
            Rail::SocMemory => self.soc + self.memory,
            Rail::Memory => self.memory,
            Rail::RestMemory => self.rest + self.memory,
            Rail::Rest => self.rest,
            Rail::Vision => 0.0,
        }
    }

    /// The sum of `self` and `other` times `weight`.
    pub(super) fn plus(&self, other: &Parts, weight: f64) -> Parts {
        Parts {
            gpu: self.gpu + other.gpu * weight,
            cpu: self.cpu + other.cpu * weight,
            soc: self.soc + other.soc * weight,
            memory: self.memory + other.memory * weight,
            rest: self.rest + other.rest * weight,
        }
    }
}
