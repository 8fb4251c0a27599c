//! The physics of a simulated board: how long a piece takes in a mode, and what the board draws meanwhile.
//!
//! **Time.** `t = h / f_cpu x (s + (1 - s) / cores) + ((a / f_gpu)^n + (b / f_emc)^n)^(1/n)`, the last two terms
//! divided by how much wider the board is than the one fitted. `h` is the host's launches and input, `a` GPU cycles,
//! `b` memory traffic. Fitted by least squares of the relative error to `orin-nano-super-latency-lab/profile.csv`
//! (25 rows each: 8 GPU x 3 memory clocks and one at 204 MHz; CPU fixed at 6 x 1728 MHz):
//!
//! | shape | stands for | mean error | largest |
//! | --- | --- | --- | --- |
//! | [`Shape::MOBILENET`] | inference | 1.04 % | 3.1 % |
//! | [`Shape::VIT`] | training | 1.11 % | 4.6 % |
//!
//! That data has one CPU setting (6 cores), so `h` is its constant term. `s` is chosen: 0.85 for inference, because
//! in `tx2-flexibo/profile.csv` medians on one core and on four differ by less than 3 % and fits give 0.5 to 0.98;
//! 0.6 for training, whose input pipeline uses more cores (assumed).
//!
//! **Power.** `base + core x cores + memory(z^2) + busy x (host(x, cores) + gpu(y)) + active x heat(y) / ratio`, the
//! last two for each kind of work, with `x, y, z` the CPU, GPU and memory clock over their highest. What switches at a
//! rate draws `0.45 f + 0.55 f^3` of its most. Heat is energy per piece times pieces per second; three quarters of the
//! energy are the GPU's and go with `0.45 + 0.55 y^2`, a quarter is memory traffic, which no clock makes cheaper.
//! Levels fitted to `orin-agx-pagoda/profile.csv` (top mode; mobnet and resnet50, minibatch 1 to 64, without the bad
//! resnet50 row at 32): `19.565 W + watts x activity`, mean error 1.9 %, largest 3.9 %. How power falls with the
//! clocks is assumed, not fitted: that data has one mode.
//!
//! The tests in `tests/twin_fit.rs` compute these errors again.
//!
//! Floating point stays inside this module; what leaves it is whole thousandths or milliwatts, rounded up.

use super::thermal::Thermal;
use crate::power::PowerMode;
use crate::profile::Kind;

/// Time of a piece as host, GPU and memory work.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Host work, ms x kHz on one core.
    pub host: f64,
    /// The part of the host's work that one core does alone, 0 to 1.
    pub serial: f64,
    /// GPU work, ms x kHz.
    pub gpu: f64,
    /// Memory traffic, ms x kHz.
    pub memory: f64,
    /// How sharply the larger of GPU and memory rules, from 1 (they add) upward.
    pub blend: f64,
    /// How many times wider the GPU and the memory are than those of the board fitted.
    pub width: f64,
}

impl Shape {
    /// MobileNetV2 on Orin Nano Super.
    pub const MOBILENET: Shape = Shape {
        host: 0.738479 * 1_728_000.0 / (0.85 + 0.15 / 6.0),
        serial: 0.85,
        gpu: 3.114271 * 1_020_000.0,
        memory: 1.398818 * 3_199_000.0,
        blend: 1.796267,
        width: 1.0,
    };

    /// ViT-small on Orin Nano Super.
    pub const VIT: Shape = Shape {
        host: 1.023143 * 1_728_000.0 / (0.6 + 0.4 / 6.0),
        serial: 0.6,
        gpu: 9.216942 * 1_020_000.0,
        memory: 5.951417 * 3_199_000.0,
        blend: 2.369849,
        width: 1.0,
    };

    /// Cores that the host's work keeps busy while it lasts, at least 1: Amdahl's speed-up. The same work on fewer
    /// cores takes longer and draws less.
    fn threads(&self, mode: &PowerMode) -> f64 {
        1.0 / (self.serial + (1.0 - self.serial) / f64::from(mode.cores.max(1)))
    }

    /// Milliseconds of one piece in `mode`.
    pub fn millis(&self, mode: &PowerMode) -> f64 {
        let gpu = self.gpu / f64::from(mode.gpu.0.max(1));
        let memory = self.memory / f64::from(mode.emc.0.max(1));
        let device = (gpu.powf(self.blend) + memory.powf(self.blend)).powf(1.0 / self.blend);
        self.host / f64::from(mode.cpu.0.max(1)) / self.threads(mode) + device / self.width
    }
}

/// How much of the GPU a minibatch keeps busy, and what that draws.
#[derive(Clone, Copy, Debug)]
pub struct Heat {
    /// Watts at full activity in the top mode, above those of an accelerator that is held but starved.
    pub watts: f64,
    /// The minibatch size at which launches and GPU work last equally long.
    pub knee: f64,
    /// The minibatch size where the piece does not say it: a training step's.
    pub usual: u32,
}

impl Heat {
    /// MobileNet on AGX Orin.
    pub const MOBILENET: Heat = Heat {
        watts: 19.788,
        knee: 11.279,
        usual: 1,
    };
    /// ResNet-50 on AGX Orin, at minibatch 16.
    pub const RESNET50: Heat = Heat {
        watts: 34.976,
        knee: 5.521,
        usual: 16,
    };

    /// The GPU's activity while the piece runs, 0 to 1. Minibatch time is flat while launches rule, then linear.
    pub fn activity(&self, minibatch: u32) -> f64 {
        let load = f64::from(minibatch) / self.knee;
        load / (1.0 + load.powi(3)).cbrt()
    }
}

/// What a board draws apart from its workloads' own heat, W.
#[derive(Clone, Copy, Debug)]
pub struct PowerLaw {
    /// Drawn always.
    pub base: f64,
    /// Drawn by each core online.
    pub core: f64,
    /// Drawn by the memory at its highest clock.
    pub memory: f64,
    /// Drawn by the host's work at the highest clock on all cores while the accelerator is held.
    pub host: f64,
    /// Drawn by the GPU at its highest clock while it is held.
    pub gpu: f64,
    /// The part of a workload's heat that is memory traffic, 0 to 1.
    pub memory_share: f64,
    /// The part of switching power that is linear in the clock, 0 to 1; the rest goes with its cube.
    pub linear: f64,
}

/// One kind's part of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// How much of the span it holds the accelerator, 0 to 1.
    pub busy: f64,
    /// The same, weighted by [`Heat::activity`].
    pub active: f64,
}

/// What the workloads do in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    /// The inference streams' part.
    pub inference: Share,
    /// The training jobs' part.
    pub training: Share,
}

/// Power by rail, W.
#[derive(Clone, Copy, Debug, Default)]
pub struct RailPower {
    /// GPU and the SoC's own part.
    pub gpu_soc: f64,
    /// CPU clusters.
    pub cpu_cv: f64,
    /// Everything on the 5 V system rail, memory among it.
    pub sys_5v: f64,
    /// Memory, fed from the 5 V rail and a part of it.
    pub memory: f64,
}

impl RailPower {
    /// The board's power, W: the first three; memory is in the third.
    pub fn total(&self) -> f64 {
        self.gpu_soc + self.cpu_cv + self.sys_5v
    }
}

/// All parameters of one board.
#[derive(Clone, Copy, Debug)]
pub struct Physics {
    /// Time of inference pieces.
    pub inference: Shape,
    /// Time of training pieces.
    pub training: Shape,
    /// Heat of inference pieces.
    pub inference_heat: Heat,
    /// Heat of training pieces.
    pub training_heat: Heat,
    /// Power.
    pub law: PowerLaw,
    /// Temperature.
    pub thermal: Thermal,
}

impl Physics {
    fn shape(&self, kind: Kind) -> &Shape {
        match kind {
            Kind::Inference => &self.inference,
            Kind::Training => &self.training,
        }
    }

    fn heat(&self, kind: Kind) -> &Heat {
        match kind {
            Kind::Inference => &self.inference_heat,
            Kind::Training => &self.training_heat,
        }
    }

    /// Time in `mode` over time in `top`, thousandths, rounded up; 1000 in `top` itself and never less.
    pub fn ratio(&self, mode: &PowerMode, top: &PowerMode, kind: Kind) -> u64 {
        // A cast from a float saturates; the largest ratio of a real table is a few hundred thousand.
        if mode == top {
            1_000
        } else {
            (self.slowdown(mode, top, kind) * 1e3).ceil() as u64
        }
    }

    fn slowdown(&self, mode: &PowerMode, top: &PowerMode, kind: Kind) -> f64 {
        let shape = self.shape(kind);
        (shape.millis(mode) / shape.millis(top)).max(1.0)
    }

    /// The GPU's activity, 0 to 1, while a piece of this kind runs in the top mode. A training piece's own minibatch
    /// is not known here: the usual one is taken.
    pub fn activity(&self, kind: Kind, minibatch: u32) -> f64 {
        let heat = self.heat(kind);
        match kind {
            Kind::Inference => heat.activity(minibatch),
            Kind::Training => heat.activity(heat.usual),
        }
    }

    /// Use by a workload that runs back to back.
    pub fn full_use(&self, kind: Kind, minibatch: u32) -> Use {
        let share = Share {
            busy: 1.0,
            active: self.activity(kind, minibatch),
        };
        match kind {
            Kind::Inference => Use {
                inference: share,
                ..Use::default()
            },
            Kind::Training => Use {
                training: share,
                ..Use::default()
            },
        }
    }

    /// What the board draws in `mode` under this use, without noise. Linear in the use.
    pub fn power(&self, mode: &PowerMode, top: &PowerMode, used: &Use) -> RailPower {
        let law = &self.law;
        let part = |value: u32, most: u32| f64::from(value) / f64::from(most.max(1));
        let (x, y, z) = (
            part(mode.cpu.0, top.cpu.0),
            part(mode.gpu.0, top.gpu.0),
            part(mode.emc.0, top.emc.0),
        );
        let rate = |f: f64| law.linear * f + (1.0 - law.linear) * f.powi(3);
        let busy = used.inference.busy + used.training.busy;

        let host = |shape: &Shape, share: &Share| share.busy * shape.threads(mode) / shape.threads(top);
        let host = host(&self.inference, &used.inference) + host(&self.training, &used.training);
        let cpu = law.core * f64::from(mode.cores) + law.host * host * rate(x);

        // Work per second falls as the pieces get longer; energy per piece falls with the voltage.
        let work =
            |kind, share: &Share| share.active * self.heat(kind).watts / self.slowdown(mode, top, kind);
        let work = work(Kind::Inference, &used.inference) + work(Kind::Training, &used.training);
        let energy = law.linear + (1.0 - law.linear) * y.powi(2);
        let gpu = busy * law.gpu * rate(y) + work * (1.0 - law.memory_share) * energy;
        let memory = law.memory * z.powi(2) + work * law.memory_share;

        // How the base divides among the rails is assumed; only the sum is ever compared with a limit.
        RailPower {
            gpu_soc: gpu + 0.35 * law.base,
            cpu_cv: cpu + 0.10 * law.base,
            sys_5v: memory + 0.55 * law.base,
            memory,
        }
    }
}
