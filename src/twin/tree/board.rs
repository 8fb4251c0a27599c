//! A [`Board`] is all that the simulated boards differ in; the tree is built from it.

use super::draw::Draw;
use super::memory::CapRule;
use super::preset::Preset;

/// What the boards differ in. Folders are relative to the root of the tree.
#[derive(Clone, Debug)]
pub(super) struct Board {
    /// The name it is opened by.
    pub(super) name: &'static str,
    /// For a person.
    pub(super) title: &'static str,
    /// `/proc/sys/kernel/osrelease`.
    pub(super) kernel: &'static str,
    /// Device tree: model, and the compatible strings from the carrier to the chip.
    pub(super) model: &'static str,
    pub(super) compatible: &'static [&'static str],
    /// `/etc/nv_tegra_release`.
    pub(super) release: &'static str,
    /// First core and number of cores of each policy.
    pub(super) clusters: &'static [(usize, usize)],
    /// kHz.
    pub(super) cpu: Vec<u32>,
    /// Hz.
    pub(super) gpu: Vec<u64>,
    /// Hz.
    pub(super) emc: Vec<u64>,
    /// Where the memory clock rests without load, Hz.
    pub(super) emc_rest: u64,
    pub(super) emc_cap: (&'static str, CapRule),
    pub(super) gpu_path: GpuPath,
    /// Masks: name, values that are a configuration.
    pub(super) masks: &'static [(&'static str, &'static [u64])],
    pub(super) gpcs: usize,
    /// The folder of the buses: i2c and, on JetPack 6, the GPU.
    pub(super) bus: &'static str,
    pub(super) engines: &'static [Engine],
    pub(super) zones: &'static [Zone],
    /// Pulse width of the fan at the start, 0 to 255.
    pub(super) fan: u64,
    /// Numbers of the hwmon folders: tachometer, over-current (if it has one).
    pub(super) hwmon: (u32, Option<u32>),
    pub(super) chips: &'static [Chip],
    pub(super) draw: Draw,
    /// `/etc/nvpmodel/<this>`.
    pub(super) conf: &'static str,
    /// What follows `pmode:NNNN` in the tool's note of its last mode.
    pub(super) fan_mode: &'static str,
    pub(super) presets: &'static [Preset],
    /// The id of `PM_CONFIG DEFAULT`.
    pub(super) default_preset: u32,
    /// The id of the preset it starts in.
    pub(super) start_preset: u32,
    /// The names under which the configuration addresses CPU clocks: one a core, or one a policy.
    pub(super) cpu_params: CpuParams,
}

/// Where the GPU is.
#[derive(Clone, Copy, Debug)]
pub(super) struct GpuPath {
    /// Its folder.
    pub(super) folder: &'static str,
    /// Its name: that of the folder and of the devfreq device.
    pub(super) name: &'static str,
    /// `of_node/name`.
    pub(super) node: &'static str,
    /// Links to it: their path and text.
    pub(super) links: &'static [(&'static str, &'static str)],
    /// Its devfreq folder as the configuration names it: on the kernel before, and on this one.
    pub(super) conf: (&'static str, &'static str),
}

/// A clock of another engine, with a cap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Engine {
    /// Its name in the configuration.
    pub(super) param: &'static str,
    /// The file of its cap.
    pub(super) cap: &'static str,
    /// The same on the kernel before, as the configuration names it.
    pub(super) cap_before: &'static str,
    /// Its folder under `/sys/kernel/debug/clk`, if there is one.
    pub(super) clock: Option<&'static str>,
    /// Hz.
    pub(super) highest: u64,
}

/// A thermal zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    pub(super) name: &'static str,
    pub(super) heat: Heat,
    /// Whether it has trip points: passive at 99 C, critical at 104.5 C.
    pub(super) trips: bool,
}

/// What a thermal zone measures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heat {
    /// The die, and this many millicelsius.
    Die(i32),
    /// Always the same, millicelsius.
    Constant(i32),
    /// A block that is off: a read gives `EAGAIN`.
    Off,
}

/// An INA3221.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chip {
    /// `1-0040`.
    pub(super) address: &'static str,
    /// Number of its hwmon folder.
    pub(super) hwmon: u32,
    /// Microohm.
    pub(super) shunt: u32,
    pub(super) channels: [Channel; 3],
}

/// A channel of an INA3221.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    pub(super) label: &'static str,
    /// What it carries; nothing is wired to one without.
    pub(super) rail: Option<Rail>,
    /// Bus voltage, mV.
    pub(super) millivolts: u32,
    /// Limits of the warning and of the critical alarm, mA.
    pub(super) limit: u32,
}

/// What a rail carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rail {
    Everything,
    CpuGpu,
    GpuSoc,
    Gpu,
    Cpu,
    /// The SoC's own part without memory.
    Soc,
    /// The SoC's own part with memory.
    SocMemory,
    Memory,
    /// What is left, with memory.
    RestMemory,
    Rest,
    /// Vision engines, which are off.
    Vision,
}

/// How the configuration names CPU clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CpuParams {
    /// `CPU_A78_N` with N a core.
    PerCore(&'static str),
    /// The same with N a policy.
    PerPolicy(&'static str),
}
