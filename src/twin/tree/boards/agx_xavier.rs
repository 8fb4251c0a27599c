//! AGX Xavier developer kit, JetPack 5 (L4T 35.4.1). Source of tables, paths and modes: shared/design/jetson.md and
//! shared/data/jetson; built there from several sources, no single recorded machine.

use super::super::board::{Board, Channel, Chip, CpuParams, Engine, GpuPath, Heat, Rail, Zone};
use super::super::draw::Draw;
use super::super::memory::CapRule;
use super::super::preset::Preset;
use super::zone;
use crate::twin::physics::PowerLaw;
use crate::twin::thermal::Thermal;

const fn channel(label: &'static str, rail: Rail) -> Channel {
    Channel {
        label,
        rail: Some(rail),
        millivolts: 19_160,
        limit: 32_760,
    }
}

const CHIPS: &[Chip] = &[
    Chip {
        address: "1-0040",
        hwmon: 2,
        shunt: 5_000,
        channels: [
            channel("GPU", Rail::Gpu),
            channel("CPU", Rail::Cpu),
            channel("SOC", Rail::Soc),
        ],
    },
    Chip {
        address: "1-0041",
        hwmon: 3,
        shunt: 5_000,
        channels: [
            channel("CV", Rail::Vision),
            channel("VDDRQ", Rail::Memory),
            channel("SYS5V", Rail::Rest),
        ],
    },
];

/// An engine of JetPack 5; both kernels of its configuration have the cap in the same place.
macro_rules! engine {
    ($param:literal, $path:literal, $highest:literal) => {
        Engine {
            param: $param,
            cap: concat!("sys/devices/platform/", $path),
            cap_before: concat!("sys/devices/platform/", $path),
            clock: None,
            highest: $highest,
        }
    };
}

/// The highest rates are not listed anywhere: those of the published clocks, [assumed].
const ENGINES: &[Engine] = &[
    engine!(
        "DLA0_CORE",
        "13e10000.host1x/15880000.nvdla0/acm/clk_cap/dla0_core",
        1_395_200_000
    ),
    engine!(
        "DLA0_FALCON",
        "13e10000.host1x/15880000.nvdla0/acm/clk_cap/dla0_falcon",
        840_000_000
    ),
    engine!(
        "DLA1_CORE",
        "13e10000.host1x/158c0000.nvdla1/acm/clk_cap/dla1_core",
        1_395_200_000
    ),
    engine!(
        "DLA1_FALCON",
        "13e10000.host1x/158c0000.nvdla1/acm/clk_cap/dla1_falcon",
        840_000_000
    ),
    engine!(
        "PVA0_VPS0",
        "13e10000.host1x/16000000.pva0/acm/clk_cap/pva0_vps0",
        1_088_000_000
    ),
    engine!(
        "PVA0_VPS1",
        "13e10000.host1x/16000000.pva0/acm/clk_cap/pva0_vps1",
        1_088_000_000
    ),
    engine!(
        "PVA0_AXI",
        "13e10000.host1x/16000000.pva0/acm/clk_cap/pva0_axi",
        760_000_000
    ),
    engine!(
        "PVA1_VPS0",
        "13e10000.host1x/16800000.pva1/acm/clk_cap/pva1_vps0",
        1_088_000_000
    ),
    engine!(
        "PVA1_VPS1",
        "13e10000.host1x/16800000.pva1/acm/clk_cap/pva1_vps1",
        1_088_000_000
    ),
    engine!(
        "PVA1_AXI",
        "13e10000.host1x/16800000.pva1/acm/clk_cap/pva1_axi",
        760_000_000
    ),
    engine!("CVNAS", "14000000.tegra-cvnas/clk_cap", 1_356_800_000),
];

const ZONES: &[Zone] = &[
    zone("CPU-therm", Heat::Die(0), false),
    zone("GPU-therm", Heat::Die(-500), false),
    zone("AUX-therm", Heat::Die(-2_000), false),
    zone("AO-therm", Heat::Die(-2_000), false),
    zone("PMIC-Die", Heat::Constant(50_000), false),
    zone("Tdiode_tegra", Heat::Die(250), false),
    zone("Tboard_tegra", Heat::Die(-2_000), false),
    zone("thermal-fan-est", Heat::Die(-1_200), false),
];

const fn thirty(id: u32, name: &'static str, cores: usize, cpu: u32) -> Preset {
    Preset {
        id,
        name,
        cores,
        cpu: (1_200_000, Some(cpu)),
        gpu: (318_750_000, Some(900_000_000)),
        emc: Some(1_600_000_000),
        tpc: 0,
        engines: &[
            1_050_000_000,
            630_000_000,
            1_050_000_000,
            630_000_000,
            760_000_000,
            760_000_000,
            532_000_000,
            760_000_000,
            760_000_000,
            532_000_000,
            1_011_200_000,
        ],
    }
}

const PRESETS: &[Preset] = &[
    Preset {
        id: 0,
        name: "MAXN",
        cores: 8,
        cpu: (1_200_000, None),
        gpu: (318_750_000, None),
        emc: None,
        tpc: 0,
        engines: &[],
    },
    Preset {
        id: 1,
        name: "MODE_10W",
        cores: 2,
        cpu: (1_200_000, Some(1_200_000)),
        gpu: (318_750_000, Some(520_000_000)),
        emc: Some(1_065_600_000),
        tpc: 5,
        engines: &[
            550_000_000,
            330_000_000,
            550_000_000,
            330_000_000,
            115_200_000,
            115_200_000,
            115_200_000,
            115_200_000,
            115_200_000,
            115_200_000,
            601_600_000,
        ],
    },
    Preset {
        id: 2,
        name: "MODE_15W",
        cores: 4,
        cpu: (1_200_000, Some(1_200_000)),
        gpu: (318_750_000, Some(670_000_000)),
        emc: Some(1_331_200_000),
        tpc: 0,
        engines: &[
            750_000_000,
            450_000_000,
            750_000_000,
            450_000_000,
            550_000_000,
            550_000_000,
            385_000_000,
            550_000_000,
            550_000_000,
            385_000_000,
            716_800_000,
        ],
    },
    thirty(3, "MODE_30W_ALL", 8, 1_200_000),
    thirty(4, "MODE_30W_6CORE", 6, 1_450_000),
    thirty(5, "MODE_30W_4CORE", 4, 1_780_000),
    thirty(6, "MODE_30W_2CORE", 2, 2_100_000),
];

pub(super) fn board() -> Board {
    let kilo = |khz: &[u64]| khz.iter().map(|khz| khz * 1_000).collect();
    Board {
        name: "agx-xavier",
        title: "Jetson AGX Xavier, JetPack 5 (L4T 35.4.1)",
        kernel: "5.10.120-tegra",
        model: "Jetson-AGX",
        compatible: &["nvidia,p2972-0000", "nvidia,tegra194"],
        release: "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, \
                  DATE: Tue Aug  1 19:57:35 UTC 2023\n",
        clusters: &[(0, 2), (2, 2), (4, 2), (6, 2)],
        cpu: super::cpu_table(2_265_600),
        gpu: kilo(&[
            114_750, 216_750, 318_750, 420_750, 522_750, 624_750, 675_750, 828_750, 905_250, 1_032_750,
            1_198_500, 1_236_750, 1_338_750, 1_377_000,
        ]),
        emc: kilo(&[
            204_000, 408_000, 665_600, 800_000, 1_065_600, 1_331_200, 1_600_000, 1_866_000, 2_133_000,
        ]),
        emc_rest: 408_000_000,
        emc_cap: ("sys/kernel/nvpmodel_emc_cap/emc_iso_cap", CapRule::Iso),
        gpu_path: GpuPath {
            folder: "sys/devices/platform/17000000.gv11b",
            name: "17000000.gv11b",
            node: "gv11b",
            links: &[
                ("sys/devices/platform/gpu.0", "17000000.gv11b"),
                ("sys/devices/gpu.0", "platform/17000000.gv11b"),
                ("sys/devices/17000000.gv11b", "platform/17000000.gv11b"),
            ],
            conf: (
                "/sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
                "/sys/devices/17000000.gv11b/devfreq_dev",
            ),
        },
        masks: &[("tpc_pg_mask", &[0, 5])],
        gpcs: 0,
        bus: "sys/devices/platform",
        engines: ENGINES,
        zones: ZONES,
        fan: 65,
        hwmon: (1, None),
        chips: CHIPS,
        // Idle 3.2 W on six rails, as the readings of one board; full use of MAXN takes about 45 W. [assumed]
        draw: Draw {
            law: PowerLaw {
                base: 2.7,
                core: 0.1,
                memory: 3.0,
                host: 14.0,
                gpu: 6.0,
                memory_share: 0.2,
                linear: 0.45,
            },
            work: 20.0,
            base: [0.06, 0.02, 0.36, 0.56],
            // Rest at 40 C; how the resistance divides is assumed.
            thermal: Thermal {
                ambient: 38.0,
                die_to_sink: 0.25,
                sink_to_air: 0.4,
                die_heat: 20.0,
                sink_heat: 300.0,
            },
        },
        conf: "nvpmodel_t194.conf",
        fan_mode: " fmode:quiet",
        presets: PRESETS,
        default_preset: 2,
        start_preset: 2,
        cpu_params: CpuParams::PerPolicy("CPU_DENVER"),
    }
}
