//! Orin Nano 8 GB Super, JetPack 6.2 (L4T 36.5.0). Source of tables, paths and modes: shared/design/jetson.md and
//! shared/data/jetson, from a recorded board (dankang21/jetson-latency-lab).

use super::super::board::{Board, Channel, Chip, CpuParams, GpuPath, Rail};
use super::super::draw::Draw;
use super::super::memory::CapRule;
use super::super::preset::Preset;
use crate::twin::physics::PowerLaw;
use crate::twin::thermal::Thermal;

const fn channel(label: &'static str, rail: Rail, limit: u32) -> Channel {
    Channel {
        label,
        rail: Some(rail),
        millivolts: 5_056,
        limit,
    }
}

const CHIPS: &[Chip] = &[Chip {
    address: "1-0040",
    hwmon: 1,
    shunt: 5_000,
    channels: [
        channel("VDD_IN", Rail::Everything, 7_784),
        channel("VDD_CPU_GPU_CV", Rail::CpuGpu, 32_760),
        channel("VDD_SOC", Rail::SocMemory, 32_760),
    ],
}];

const fn preset(id: u32, name: &'static str, cores: usize, cpu: Option<u32>, gpu: Option<u64>) -> Preset {
    Preset {
        id,
        name,
        cores,
        cpu: (729_600, cpu),
        gpu: (0, gpu),
        emc: Some(2_133_000_000),
        tpc: 240,
        engines: &[],
    }
}

const PRESETS: &[Preset] = &[
    preset(0, "15W", 6, Some(1_497_600), Some(612_000_000)),
    Preset {
        emc: Some(3_199_000_000),
        ..preset(1, "25W", 6, Some(1_344_000), Some(918_000_000))
    },
    Preset {
        emc: None,
        ..preset(2, "MAXN_SUPER", 6, None, None)
    },
    // Its mask is inferred from two TPCs being active.
    Preset {
        tpc: 252,
        ..preset(3, "7W", 4, Some(960_000), Some(408_000_000))
    },
];

pub(super) fn board() -> Board {
    Board {
        name: "orin-nano",
        title: "Jetson Orin Nano 8 GB Super, JetPack 6.2 (L4T 36.5.0)",
        kernel: "5.15.185-tegra",
        model: "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        compatible: &[
            "nvidia,p3768-0000+p3767-0005-super",
            "nvidia,p3767-0005",
            "nvidia,tegra234",
        ],
        release: "# R36 (release), REVISION: 5.0, GCID: 43688277, BOARD: generic, EABI: aarch64, \
                  DATE: Fri Jan 16 03:50:45 UTC 2026\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n\
                  TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia\n",
        clusters: &[(0, 4), (4, 2)],
        cpu: super::cpu_table(1_728_000),
        gpu: (3..=10).map(|step| 102_000_000 * step).collect(),
        emc: vec![204_000_000, 665_600_000, 2_133_000_000, 3_199_000_000],
        // Recorded at rest: whatever the cap allows.
        emc_rest: 3_199_000_000,
        emc_cap: ("sys/kernel/nvpmodel_clk_cap/emc", CapRule::Rounds),
        gpu_path: GpuPath {
            folder: "sys/devices/platform/bus@0/17000000.gpu",
            name: "17000000.gpu",
            node: "gpu",
            links: &super::ORIN_GPU_LINKS,
            conf: (
                "/sys/devices/17000000.ga10b/devfreq/17000000.ga10b",
                "/sys/devices/platform/17000000.gpu/devfreq_dev",
            ),
        },
        masks: &[
            ("tpc_pg_mask", &[240, 252]),
            ("fbp_pg_mask", &[2]),
            ("gpc_pg_mask", &[0]),
        ],
        gpcs: 1,
        bus: "sys/devices/platform/bus@0",
        engines: &[],
        zones: &super::ORIN_ZONES,
        fan: 88,
        hwmon: (2, Some(3)),
        chips: CHIPS,
        // Idle as recorded: 4.65 W in all, 0.57 W on CPU and GPU, 1.5 W on the SoC. Memory costs 0.95 W more at 3199
        // than at 2133 MHz (measured: 0.9 to 1.0). The rest is assumed so that MAXN_SUPER takes 25 W in full use.
        draw: Draw {
            law: PowerLaw {
                base: 2.85,
                core: 0.05,
                memory: 1.5,
                host: 5.0,
                gpu: 2.5,
                memory_share: 0.25,
                linear: 0.45,
            },
            work: 12.5,
            base: [0.06, 0.03, 0.0, 0.91],
            // Cells rise by 1.0 C a watt (measured); how that divides is assumed.
            thermal: Thermal {
                ambient: 45.5,
                die_to_sink: 0.4,
                sink_to_air: 0.6,
                die_heat: 10.0,
                sink_heat: 120.0,
            },
        },
        conf: "nvpmodel_p3767_0003_super.conf",
        fan_mode: "",
        presets: PRESETS,
        default_preset: 1,
        start_preset: 1,
        cpu_params: CpuParams::PerCore("CPU_A78"),
    }
}
