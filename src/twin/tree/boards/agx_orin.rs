//! AGX Orin 64 GB developer kit, JetPack 6 (L4T 36.4.4). Source of tables, paths and modes: shared/design/jetson.md and
//! shared/data/jetson; GPU caps other than 612 MHz and engine caps are inferred there.

use super::super::board::{Board, Channel, Chip, CpuParams, Engine, GpuPath, Rail};
use super::super::draw::Draw;
use super::super::memory::CapRule;
use super::super::preset::Preset;
use crate::twin::agx_orin::PHYSICS;

const fn channel(label: &'static str, rail: Option<Rail>, millivolts: u32) -> Channel {
    Channel {
        label,
        rail,
        millivolts,
        limit: 32_760,
    }
}

const CHIPS: &[Chip] = &[
    Chip {
        address: "1-0040",
        hwmon: 3,
        shunt: 2_000,
        channels: [
            channel("VDD_GPU_SOC", Some(Rail::GpuSoc), 19_600),
            channel("VDD_CPU_CV", Some(Rail::Cpu), 19_600),
            channel("VIN_SYS_5V0", Some(Rail::RestMemory), 4_968),
        ],
    },
    Chip {
        address: "1-0041",
        hwmon: 4,
        shunt: 2_000,
        channels: [
            channel("NC", None, 0),
            channel("VDDQ_VDD2_1V8AO", Some(Rail::Memory), 4_968),
            channel("NC", None, 0),
        ],
    },
];

/// An engine of JetPack 6: its cap lies in a folder that was called otherwise before.
macro_rules! engine {
    ($param:literal, $device:literal, $clock:literal, $highest:literal) => {
        Engine {
            param: $param,
            cap: concat!(
                "sys/devices/platform/bus@0/13e00000.host1x/",
                $device,
                "/clk_cap/",
                $clock
            ),
            cap_before: concat!(
                "sys/devices/platform/13e40000.host1x/",
                $device,
                "/acm/clk_cap/",
                $clock
            ),
            clock: Some($clock),
            highest: $highest,
        }
    };
}

const ENGINES: &[Engine] = &[
    engine!("DLA0_CORE", "15880000.nvdla0", "dla0_core", 1_600_000_000),
    engine!("DLA0_FALCON", "15880000.nvdla0", "dla0_falcon", 844_800_000),
    engine!("DLA1_CORE", "158c0000.nvdla1", "dla1_core", 1_600_000_000),
    engine!("DLA1_FALCON", "158c0000.nvdla1", "dla1_falcon", 844_800_000),
    engine!("PVA0_VPS", "16000000.pva0", "pva0_vps", 1_152_000_000),
    engine!("PVA0_AXI", "16000000.pva0", "pva0_cpu_axi", 832_000_000),
];

const PRESETS: &[Preset] = &[
    Preset {
        id: 0,
        name: "MAXN",
        cores: 12,
        cpu: (729_600, None),
        gpu: (0, None),
        emc: None,
        tpc: 0,
        engines: &[],
    },
    Preset {
        id: 1,
        name: "MODE_15W",
        cores: 4,
        cpu: (729_600, Some(1_113_600)),
        gpu: (0, Some(408_000_000)),
        emc: Some(2_133_000_000),
        tpc: 248,
        engines: &[
            614_400_000,
            294_400_000,
            614_400_000,
            294_400_000,
            307_200_000,
            217_600_000,
        ],
    },
    Preset {
        id: 2,
        name: "MODE_30W",
        cores: 8,
        cpu: (729_600, Some(1_728_000)),
        gpu: (0, Some(612_000_000)),
        emc: None,
        tpc: 240,
        engines: &[
            1_369_600_000,
            729_600_000,
            1_369_600_000,
            729_600_000,
            512_000_000,
            358_400_000,
        ],
    },
    Preset {
        id: 3,
        name: "MODE_50W",
        cores: 12,
        cpu: (729_600, Some(1_497_600)),
        gpu: (0, Some(816_000_000)),
        emc: None,
        tpc: 0,
        engines: &[
            1_369_600_000,
            729_600_000,
            1_369_600_000,
            729_600_000,
            704_000_000,
            486_400_000,
        ],
    },
];

pub(super) fn board() -> Board {
    let mut gpu: Vec<u64> = (3..=12).map(|step| 102_000_000 * step).collect();
    gpu.push(1_300_500_000);
    Board {
        name: "agx-orin",
        title: "Jetson AGX Orin 64 GB, JetPack 6 (L4T 36.4.4)",
        kernel: "5.15.148-tegra",
        model: "NVIDIA Jetson AGX Orin Developer Kit",
        compatible: &[
            "nvidia,p3737-0000+p3701-0005",
            "nvidia,p3701-0005",
            "nvidia,tegra234",
        ],
        release: "# R36 (release), REVISION: 4.4, GCID: 41062509, BOARD: generic, EABI: aarch64, \
                  DATE: Mon Jun 16 16:07:13 UTC 2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n\
                  TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia\n",
        clusters: &[(0, 4), (4, 4), (8, 4)],
        cpu: super::cpu_table(2_201_600),
        gpu,
        emc: vec![204_000_000, 665_600_000, 2_133_000_000, 3_199_000_000],
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
            ("tpc_pg_mask", &[0, 240, 248]),
            ("fbp_pg_mask", &[0]),
            ("gpc_pg_mask", &[0]),
        ],
        gpcs: 2,
        bus: "sys/devices/platform/bus@0",
        engines: ENGINES,
        zones: &super::ORIN_ZONES,
        fan: 65,
        hwmon: (1, Some(2)),
        chips: CHIPS,
        // As the twin in memory.
        draw: Draw {
            law: PHYSICS.law,
            work: PHYSICS.training_heat.watts,
            base: [0.25, 0.10, 0.10, 0.55],
            thermal: PHYSICS.thermal,
        },
        conf: "nvpmodel_p3701_0000.conf",
        fan_mode: "",
        presets: PRESETS,
        default_preset: 2,
        start_preset: 0,
        cpu_params: CpuParams::PerPolicy("CPU_A78"),
    }
}
