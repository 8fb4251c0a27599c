//! Builds the nodes of a board: every file, folder and link, in an order that is always the same.

pub(super) mod sensors;

use super::attribute::{Attribute, CpuList, Kept};
use super::board::Board;
use super::cpu::{self, CpuFile};
use super::gpu::{self, GpuFile};
use super::memory::MemoryFile;
use super::node::{Ino, Kind, Nodes, ROOT};
use super::preset;
use rustix::io::Errno;

/// The nodes of a board, and the places whose presence depends on its state.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) nodes: Nodes,
    /// For each policy its folder, and the `cpufreq` link of each of its cores.
    pub(super) policies: Vec<Vec<Ino>>,
    /// The folder of the GPU's governor `userspace`.
    pub(super) userspace: Ino,
    /// `/var/lib`, which outlives a reboot.
    pub(super) lasting: Ino,
    /// The tool's note of its last mode.
    pub(super) status: Ino,
}

/// Adds files, making the folders above them.
struct Builder(Nodes);

impl Builder {
    fn folder(&mut self, path: &str, perm: u16, disk: bool) -> Result<Ino, Errno> {
        let mut at = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at = match self.0.lookup(at, part) {
                Ok(ino) => ino,
                Err(_) => self.0.add(at, part, perm, Kind::folder(disk))?,
            };
        }
        Ok(at)
    }

    fn node(&mut self, path: &str, perm: u16, kind: Kind) -> Result<Ino, Errno> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder, 0o755, false)?;
        self.0.add(folder, name, perm, kind)
    }

    fn knob(&mut self, path: &str, perm: u16, attribute: Attribute) -> Result<Ino, Errno> {
        self.node(path, perm, Kind::Knob(attribute))
    }

    /// A file that never changes: one line.
    fn line(&mut self, path: &str, text: &str) -> Result<Ino, Errno> {
        self.knob(path, 0o444, Attribute::Fixed(format!("{text}\n").into_bytes()))
    }

    /// A file that never changes, without a newline: as the device tree shows strings.
    fn bytes(&mut self, path: &str, text: &str) -> Result<Ino, Errno> {
        self.knob(path, 0o444, Attribute::Fixed(text.as_bytes().to_vec()))
    }

    fn kept(&mut self, path: &str, kept: Kept) -> Result<Ino, Errno> {
        self.knob(path, 0o644, Attribute::Kept(kept))
    }

    fn disk(&mut self, path: &str, text: &str) -> Result<Ino, Errno> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder(folder, 0o755, true)?;
        self.0
            .add(folder, name, 0o644, Kind::Disk(text.as_bytes().to_vec()))
    }

    /// A link with a text of its own.
    fn link(&mut self, path: &str, text: &str) -> Result<Ino, Errno> {
        self.node(path, 0o777, Kind::Link(text.to_owned()))
    }

    /// A link to a path from the root, made relative: an absolute one would leave the tree.
    fn link_to(&mut self, path: &str, target: &str) -> Result<Ino, Errno> {
        let up = "../".repeat(path.matches('/').count());
        self.link(path, &format!("{up}{target}"))
    }
}

/// All nodes of a board. Fails only where a path is named twice or lies below a file.
pub(super) fn build(board: &Board) -> Result<Built, Errno> {
    let mut to = Builder(Nodes::new());
    identity(&mut to, board)?;
    let (policies, lists) = (cpus(&mut to, board)?, &board.clusters);
    debug_assert_eq!(policies.len(), lists.len());
    let userspace = gpu(&mut to, board)?;
    memory(&mut to, board)?;
    engines(&mut to, board)?;
    sensors::zones(&mut to, board)?;
    sensors::fan_and_over_current(&mut to, board)?;
    for (index, chip) in board.chips.iter().enumerate() {
        sensors::rails(&mut to, board, index, chip)?;
    }
    for (name, perm, attribute) in [
        ("control", 0o644, Attribute::Control),
        ("log", 0o444, Attribute::Log),
        ("error", 0o444, Attribute::Error),
    ] {
        to.knob(&format!(".twin/{name}"), perm, attribute)?;
    }
    let status = format!("pmode:{:04}{}\n", board.start_preset, board.fan_mode);
    let status = to.disk("var/lib/nvpmodel/status", &status)?;
    to.disk(
        "var/lib/nvpmodel/conf_file_path",
        &format!("/etc/nvpmodel/{}\n", board.conf),
    )?;
    to.folder("var/lib/fulcrum", 0o755, true)?;
    let lasting = to.folder("var/lib", 0o755, true)?;
    to.folder("run", 0o755, true)?;
    to.0.sync_all();
    Ok(Built {
        nodes: to.0,
        policies,
        userspace,
        lasting,
        status,
    })
}

fn identity(to: &mut Builder, board: &Board) -> Result<(), Errno> {
    let base = "sys/firmware/devicetree/base";
    to.bytes(&format!("{base}/model"), &format!("{}\0", board.model))?;
    let compatible: String = board.compatible.iter().map(|name| format!("{name}\0")).collect();
    to.bytes(&format!("{base}/compatible"), &compatible)?;
    to.link_to("proc/device-tree", base)?;
    to.line("proc/sys/kernel/osrelease", board.kernel)?;
    to.knob("proc/sys/kernel/random/boot_id", 0o444, Attribute::BootId)?;
    to.disk("etc/nv_tegra_release", board.release)?;
    to.disk(&format!("etc/nvpmodel/{}", board.conf), &preset::conf(board))?;
    to.link("etc/nvpmodel.conf", &format!("nvpmodel/{}", board.conf))?;
    // Nobody but root looks into debugfs.
    to.folder("sys/kernel", 0o755, false)?;
    to.folder("sys/kernel/debug", 0o700, false)?;
    Ok(())
}

fn cpus(to: &mut Builder, board: &Board) -> Result<Vec<Vec<Ino>>, Errno> {
    let root = "sys/devices/system/cpu";
    for (name, list) in [
        ("possible", CpuList::All),
        ("present", CpuList::All),
        ("online", CpuList::Online),
        ("offline", CpuList::Offline),
    ] {
        to.knob(&format!("{root}/{name}"), 0o444, Attribute::CpuList(list))?;
    }
    let table: String = board.cpu.iter().map(|khz| format!("{khz} ")).collect();
    let governors: String = cpu::GOVERNORS.iter().map(|name| format!("{name} ")).collect();
    let (lowest, highest) = (board.cpu.first(), board.cpu.last());
    let mut policies = Vec::new();
    for (index, (first, cores)) in board.clusters.iter().enumerate() {
        let cores = *first..first + cores;
        let policy = format!("{root}/cpufreq/policy{first}");
        let mut places = vec![to.folder(&policy, 0o755, false)?];
        let related: Vec<String> = cores.clone().map(|core| core.to_string()).collect();
        to.line(&format!("{policy}/related_cpus"), &related.join(" "))?;
        to.line(
            &format!("{policy}/cpuinfo_min_freq"),
            &lowest.map_or(String::new(), u32::to_string),
        )?;
        to.line(
            &format!("{policy}/cpuinfo_max_freq"),
            &highest.map_or(String::new(), u32::to_string),
        )?;
        to.line(&format!("{policy}/cpuinfo_transition_latency"), "300000")?;
        to.line(&format!("{policy}/scaling_available_frequencies"), &table)?;
        to.line(&format!("{policy}/scaling_available_governors"), &governors)?;
        to.line(&format!("{policy}/scaling_driver"), "tegra194")?;
        for (name, perm, file) in [
            ("affected_cpus", 0o444, CpuFile::Affected),
            ("cpuinfo_cur_freq", 0o400, CpuFile::Current),
            ("scaling_cur_freq", 0o444, CpuFile::Current),
            ("scaling_governor", 0o644, CpuFile::Governor),
            ("scaling_max_freq", 0o644, CpuFile::Max),
            ("scaling_min_freq", 0o644, CpuFile::Min),
            ("scaling_setspeed", 0o644, CpuFile::Setspeed),
        ] {
            to.knob(&format!("{policy}/{name}"), perm, Attribute::Cpu(index, file))?;
        }
        for core in cores {
            let folder = format!("{root}/cpu{core}");
            to.knob(
                &format!("{folder}/online"),
                0o644,
                Attribute::Cpu(core, CpuFile::Online),
            )?;
            for (state, name) in [(0, "WFI"), (1, "c7")] {
                to.line(&format!("{folder}/cpuidle/state{state}/name"), name)?;
                to.kept(
                    &format!("{folder}/cpuidle/state{state}/disable"),
                    Kept::Flag(false),
                )?;
            }
            places.push(to.link(&format!("{folder}/cpufreq"), &format!("../cpufreq/policy{first}"))?);
        }
        policies.push(places);
    }
    Ok(policies)
}

fn gpu(to: &mut Builder, board: &Board) -> Result<Ino, Errno> {
    let path = &board.gpu_path;
    let (folder, name) = (path.folder, path.name);
    let devfreq = format!("{folder}/devfreq/{name}");
    to.line(&format!("{devfreq}/name"), name)?;
    let table: Vec<String> = board.gpu.iter().map(u64::to_string).collect();
    to.line(&format!("{devfreq}/available_frequencies"), &table.join(" "))?;
    to.line(
        &format!("{devfreq}/available_governors"),
        &gpu::GOVERNORS.join(" "),
    )?;
    to.kept(
        &format!("{devfreq}/polling_interval"),
        Kept::Number(50, 0..=10_000),
    )?;
    to.line(&format!("{devfreq}/trans_stat"), "Not Supported.")?;
    let delay = Kept::Number(500, 0..=u64::from(u32::MAX));
    to.kept(&format!("{folder}/railgate_delay"), delay)?;
    to.line(&format!("{folder}/power/autosuspend_delay_ms"), "500")?;
    to.kept(&format!("{folder}/enable_3d_scaling"), Kept::Flag(true))?;
    to.bytes(&format!("{folder}/of_node/name"), path.node)?;
    for (name, perm, file) in [
        ("cur_freq", 0o444, GpuFile::Current),
        ("target_freq", 0o444, GpuFile::Current),
        ("governor", 0o644, GpuFile::Governor),
        ("min_freq", 0o644, GpuFile::Min),
        ("max_freq", 0o644, GpuFile::Max),
        ("userspace/set_freq", 0o644, GpuFile::SetFreq),
    ] {
        to.knob(&format!("{devfreq}/{name}"), perm, Attribute::Gpu(file))?;
    }
    for (name, perm, file) in [
        ("load", 0o444, GpuFile::Load),
        ("railgate_enable", 0o644, GpuFile::RailgateEnable),
        ("is_railgated", 0o444, GpuFile::IsRailgated),
        ("gpu_powered_on", 0o444, GpuFile::PoweredOn),
        ("golden_img_status", 0o444, GpuFile::Golden),
        ("power/control", 0o644, GpuFile::PowerControl),
        ("power/runtime_status", 0o444, GpuFile::RuntimeStatus),
        ("tsg_timeslice_min_us", 0o644, GpuFile::SliceMin),
        ("tsg_timeslice_max_us", 0o644, GpuFile::SliceMax),
    ] {
        to.knob(&format!("{folder}/{name}"), perm, Attribute::Gpu(file))?;
    }
    for (index, (name, _)) in board.masks.iter().enumerate() {
        to.knob(
            &format!("{folder}/{name}"),
            0o644,
            Attribute::Gpu(GpuFile::Mask(index)),
        )?;
    }
    to.link(&format!("{devfreq}/device"), "../..")?;
    to.link(&format!("{folder}/devfreq_dev"), &format!("devfreq/{name}"))?;
    to.link_to(&format!("sys/class/devfreq/{name}"), &devfreq)?;
    for (path, text) in path.links {
        to.link(path, text)?;
    }
    for gpc in 0..board.gpcs {
        let path = format!("sys/kernel/debug/bpmp/debug/clk/nafll_gpc{gpc}/pto_counter");
        to.knob(&path, 0o444, Attribute::Gpu(GpuFile::Measured))?;
    }
    to.folder(&format!("{devfreq}/userspace"), 0o755, false)
}

fn memory(to: &mut Builder, board: &Board) -> Result<(), Errno> {
    to.knob(board.emc_cap.0, 0o664, Attribute::Memory(MemoryFile::Cap))?;
    let debug = "sys/kernel/debug";
    let clock = format!("{debug}/bpmp/debug/clk/emc");
    for (name, perm, file) in [
        ("rate", 0o644, MemoryFile::Rate),
        ("mrq_rate_locked", 0o644, MemoryFile::Locked),
        ("state", 0o644, MemoryFile::State),
        ("pto_counter", 0o444, MemoryFile::Measured),
    ] {
        to.knob(&format!("{clock}/{name}"), perm, Attribute::Memory(file))?;
    }
    let hz = |hz: Option<&u64>| hz.map_or(String::new(), u64::to_string);
    to.line(&format!("{clock}/min_rate"), &hz(board.emc.first()))?;
    to.line(&format!("{clock}/max_rate"), &hz(board.emc.last()))?;
    let khz = board.emc.iter().map(|hz| (hz / 1_000).to_string());
    if board.bus.ends_with("bus@0") {
        let khz: Vec<String> = khz.collect();
        to.line(
            &format!("{debug}/bpmp/debug/emc/possible_rates"),
            &format!("{} (kHz)", khz.join(" ")),
        )?;
        to.kept(&format!("{debug}/bpmp/debug/bwmgr/bwmgr_halt"), Kept::Flag(false))?;
    } else {
        for khz in khz {
            to.line(&format!("{debug}/bpmp/debug/emc/tables/regular/{khz}"), "")?;
        }
    }
    to.line(&format!("{debug}/cactmon/mc_all"), "0")?;
    Ok(())
}

fn engines(to: &mut Builder, board: &Board) -> Result<(), Errno> {
    for (index, engine) in board.engines.iter().enumerate() {
        to.knob(engine.cap, 0o664, Attribute::EngineCap(index))?;
        if let Some(clock) = engine.clock {
            let folder = format!("sys/kernel/debug/clk/{clock}");
            // PVA shows no users even while it runs.
            let users = if clock.starts_with("dla") { "1" } else { "0" };
            to.knob(&format!("{folder}/clk_rate"), 0o444, Attribute::EngineRate(index))?;
            to.knob(
                &format!("{folder}/clk_max_rate"),
                0o444,
                Attribute::EngineRate(index),
            )?;
            to.line(&format!("{folder}/clk_min_rate"), "0")?;
            to.line(&format!("{folder}/clk_enable_count"), users)?;
        }
    }
    Ok(())
}
