//! The simulated Jetson AGX Orin 64 GB: its tables, rails and the parameters of its physics.
//!
//! Tables as JetPack 6 shows them (`shared/data/jetson/boards.json`, entry `agx_orin_64gb`, which names the source of
//! each). Rails: INA3221 at 1-0040 and 1-0041, 2 mOhm shunts.

use super::physics::{Heat, Physics, PowerLaw, Shape};
use super::sensors::STEP;
use super::thermal::Thermal;
use crate::board::rail::rail_name;
use crate::board::supplies::REFRESH;
use crate::board::{Cluster, Rail, RawFacts, Sensor, Supplies};
use crate::units::Kilohertz;

/// The name it is opened by.
pub(super) const NAME: &str = "agx-orin";

/// The rails in the order of [`super::physics::RailPower`].
const RAILS: [&str; 4] = ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"];

/// Facts, supplies and physics.
pub(super) fn board() -> (RawFacts, Supplies, Physics) {
    // The CPU's points lie 76.8 MHz apart (two steps of the 38.4 MHz reference), with the top value added.
    let mut cpu: Vec<Kilohertz> = (0..28).map(|step| Kilohertz(115_200 + 76_800 * step)).collect();
    cpu.push(Kilohertz(2_201_600));
    let mut gpu: Vec<Kilohertz> = (3..=12).map(|step| Kilohertz(102_000 * step)).collect();
    gpu.push(Kilohertz(1_300_500));
    let facts = RawFacts {
        name: "Jetson AGX Orin".to_owned(),
        soc: "tegra234".to_owned(),
        simulated: true,
        cores: 12,
        hotplug: true,
        clusters: [0, 4, 8]
            .map(|first| Cluster {
                cores: (first..first + 4).collect(),
                clocks: cpu.clone(),
            })
            .to_vec(),
        gpu,
        emc: [204_000, 665_600, 2_133_000, 3_199_000].map(Kilohertz).to_vec(),
    };
    let supplies = Supplies::new(RAILS.map(|name| Rail {
        name: rail_name(name),
        sensor: Sensor::Current(Some(STEP)),
        refresh: REFRESH,
    }));
    (facts, supplies, PHYSICS)
}

/// The AGX has twice the Orin Nano's GPU cores (2048 to 1024) and memory width (256 to 128 bit), and its CPU cores.
const NANO_WIDTHS: f64 = 2.0;

pub(super) const PHYSICS: Physics = Physics {
    // MobileNetV2, ONNX Runtime CUDA, minibatch 1.
    inference: Shape {
        width: NANO_WIDTHS,
        ..Shape::MOBILENET
    },
    // A transformer's forward pass (ViT-small) stands for a training step's kernels: larger, less bound by the host.
    training: Shape {
        width: NANO_WIDTHS,
        ..Shape::VIT
    },
    inference_heat: Heat::MOBILENET,
    training_heat: Heat::RESNET50,
    law: PowerLaw {
        // Idle is 9.5 W in the top mode: 7.4 + 12 x 0.05 + 1.5. [assumed: 9 to 10 W]
        base: 7.4,
        core: 0.05,
        // Orin Nano: memory at 3199 instead of 2133 MHz costs 0.9 to 1.0 W at rest; twice the width here.
        memory: 1.5,
        // 9.5 + 5.2 + 4.865 = 19.565 W is what the fit of the Pagoda rows leaves at zero GPU activity.
        host: 5.2,
        gpu: 4.865,
        memory_share: 0.25,
        linear: 0.45,
    },
    thermal: Thermal {
        // The Orin Nano's cells rise by 1.0 C a watt; the AGX kit's heat sink is larger. [assumed: 0.65 in all]
        ambient: 30.0,
        die_to_sink: 0.25,
        sink_to_air: 0.40,
        die_heat: 20.0,
        sink_heat: 300.0,
    },
};
