//! A [`Preset`] is a power mode that the board's own tool knows; the text of its `nvpmodel.conf` is written from these.
//!
//! Grammar and mode tables: shared/design/jetson.md 2.1, 2.2 and 2.4. The text is ours, no copy of a shipped file.

use super::board::{Board, CpuParams};
use core::fmt::Write;

/// A power mode of the board's own tool. `None` is no cap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preset {
    pub(super) id: u32,
    pub(super) name: &'static str,
    /// The first so many cores are online.
    pub(super) cores: usize,
    /// kHz.
    pub(super) cpu: (u32, Option<u32>),
    /// Hz.
    pub(super) gpu: (u64, Option<u64>),
    /// Hz.
    pub(super) emc: Option<u64>,
    pub(super) tpc: u64,
    /// Caps of [`Board::engines`], Hz; empty is no cap on any.
    pub(super) engines: &'static [u64],
}

/// What `-1` means on a clock: the tool writes the highest number it knows.
const UNCAPPED: u64 = i64::MAX as u64;

/// A parameter of the file: its type, its name, and what its arguments stand for.
struct Param {
    kind: &'static str,
    name: String,
    args: Vec<(String, String)>,
}

impl Param {
    /// A file, with its place on the kernel after the one the file was written for.
    fn file(name: &str, arg: &str, path: &str, next: Option<&str>) -> Param {
        let mut args = vec![(arg.to_owned(), path.to_owned())];
        args.extend(next.map(|path| (format!("{arg}_KNEXT"), path.to_owned())));
        Param {
            kind: "FILE",
            name: name.to_owned(),
            args,
        }
    }

    /// A clock: table, highest and lowest in a folder, and in the folder on the next kernel.
    fn clock(name: String, folder: &str, files: [&str; 3], next: &str) -> Param {
        let names = ["FREQ_TABLE", "MAX_FREQ", "MIN_FREQ"];
        let now = names
            .iter()
            .zip(files)
            .map(|(arg, file)| ((*arg).to_owned(), format!("{folder}/{file}")));
        let then = names
            .iter()
            .zip(files)
            .map(|(arg, file)| (format!("{arg}_KNEXT"), format!("{next}/{file}")));
        Param {
            kind: "CLOCK",
            name,
            args: now.chain(then).collect(),
        }
    }

    /// A cap.
    fn cap(name: &str, path: &str, next: &str) -> Param {
        Param {
            kind: "CLOCK",
            name: name.to_owned(),
            args: vec![
                ("MAX_FREQ".to_owned(), path.to_owned()),
                ("MAX_FREQ_KNEXT".to_owned(), next.to_owned()),
            ],
        }
    }
}

/// The cores or policies that the configuration names, each with the first core it stands for.
fn cpus(board: &Board) -> Vec<(String, usize)> {
    match board.cpu_params {
        CpuParams::PerCore(prefix) => {
            let cores = board.clusters.iter().map(|(_, cores)| cores).sum();
            (0..cores)
                .map(|core| (format!("{prefix}_{core}"), core))
                .collect()
        }
        CpuParams::PerPolicy(prefix) => {
            let policies = board.clusters.iter().enumerate();
            policies
                .map(|(index, (first, _))| (format!("{prefix}_{index}"), *first))
                .collect()
        }
    }
}

fn has_fbp(board: &Board) -> bool {
    board.masks.iter().any(|(name, _)| *name == "fbp_pg_mask")
}

/// The value of the mask that no mode changes.
fn fbp(board: &Board) -> u64 {
    let mask = board.masks.iter().find(|(name, _)| *name == "fbp_pg_mask");
    mask.and_then(|(_, valid)| valid.first())
        .copied()
        .unwrap_or_default()
}

fn params(board: &Board) -> Vec<Param> {
    let next_gpu = if board.bus.ends_with("bus@0") {
        Some("/sys/devices/platform/gpu.0")
    } else {
        None
    };
    let gpu_file = |name: &str, arg: &str, file: &str| {
        let next = next_gpu.map(|folder| format!("{folder}/{file}"));
        Param::file(name, arg, &format!("/sys/devices/gpu.0/{file}"), next.as_deref())
    };
    let cores: usize = board.clusters.iter().map(|(_, cores)| cores).sum();
    let core = |core| {
        (
            format!("CORE_{core}"),
            format!("/sys/devices/system/cpu/cpu{core}/online"),
        )
    };
    let mut params = vec![Param {
        kind: "FILE",
        name: "CPU_ONLINE".to_owned(),
        args: (0..cores).map(core).collect(),
    }];
    if has_fbp(board) {
        params.push(gpu_file("FBP_POWER_GATING", "FBP_PG_MASK", "fbp_pg_mask"));
    }
    params.push(gpu_file("TPC_POWER_GATING", "TPC_PG_MASK", "tpc_pg_mask"));
    params.push(gpu_file(
        "GPU_POWER_CONTROL_ENABLE",
        "GPU_PWR_CNTL_EN",
        "power/control",
    ));
    params.push(gpu_file(
        "GPU_POWER_CONTROL_DISABLE",
        "GPU_PWR_CNTL_DIS",
        "power/control",
    ));
    for (name, core) in cpus(board) {
        let folder = format!("/sys/devices/system/cpu/cpu{core}/cpufreq");
        let files = [
            "scaling_available_frequencies",
            "scaling_max_freq",
            "scaling_min_freq",
        ];
        params.push(Param::clock(name, &folder, files, &folder));
    }
    let (gpu, next) = board.gpu_path.conf;
    let files = ["available_frequencies", "max_freq", "min_freq"];
    params.push(Param::clock("GPU".to_owned(), gpu, files, next));
    let emc = format!("/{}", board.emc_cap.0);
    params.push(Param::cap(
        "EMC",
        "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
        &emc,
    ));
    for engine in board.engines {
        let path = |path: &str| format!("/{path}");
        params.push(Param::cap(
            engine.param,
            &path(engine.cap_before),
            &path(engine.cap),
        ));
    }
    params
}

/// The rows of a mode, in the order in which the tool carries them out. `-1` is no cap.
fn rows(board: &Board, preset: &Preset) -> Vec<(String, &'static str, String)> {
    let cap = |cap: Option<u64>| cap.map_or("-1".to_owned(), |cap| cap.to_string());
    let mut rows = Vec::new();
    let mut row = |name: &str, arg: &'static str, value: String| rows.push((name.to_owned(), arg, value));
    if has_fbp(board) {
        row("FBP_POWER_GATING", "FBP_PG_MASK", fbp(board).to_string());
    }
    row("TPC_POWER_GATING", "TPC_PG_MASK", preset.tpc.to_string());
    row("GPU_POWER_CONTROL_ENABLE", "GPU_PWR_CNTL_EN", "on".to_owned());
    for (name, core) in cpus(board) {
        // A cluster that is offline has no clock.
        if core < preset.cores {
            row(&name, "MIN_FREQ", preset.cpu.0.to_string());
            row(&name, "MAX_FREQ", cap(preset.cpu.1.map(u64::from)));
        }
    }
    row("GPU", "MIN_FREQ", preset.gpu.0.to_string());
    row("GPU", "MAX_FREQ", cap(preset.gpu.1));
    row("GPU_POWER_CONTROL_DISABLE", "GPU_PWR_CNTL_DIS", "auto".to_owned());
    let no_cap = if board.emc_cap.1 == super::memory::CapRule::Iso {
        "0"
    } else {
        "-1"
    };
    row(
        "EMC",
        "MAX_FREQ",
        preset.emc.map_or(no_cap.to_owned(), |hz| hz.to_string()),
    );
    for (index, engine) in board.engines.iter().enumerate() {
        row(engine.param, "MAX_FREQ", cap(preset.engines.get(index).copied()));
    }
    rows
}

/// The text of the board's `nvpmodel.conf`.
pub(super) fn conf(board: &Board) -> String {
    let mut text = format!(
        "# Power modes of a simulated {}.\n# Written by fulcrum from published mode tables; not a vendor's file.\n",
        board.title
    );
    // Writing to a string cannot fail.
    for param in params(board) {
        let _ = writeln!(text, "\n< PARAM TYPE={} NAME={} >", param.kind, param.name);
        for (arg, path) in &param.args {
            let _ = writeln!(text, "{arg} {path}");
        }
    }
    let cores: usize = board.clusters.iter().map(|(_, cores)| cores).sum();
    for preset in board.presets {
        let _ = writeln!(text, "\n< POWER_MODEL ID={} NAME={} >", preset.id, preset.name);
        for core in 0..cores {
            let _ = writeln!(text, "CPU_ONLINE CORE_{core} {}", u8::from(core < preset.cores));
        }
        for (name, arg, value) in rows(board, preset) {
            let _ = writeln!(text, "{name} {arg} {value}");
        }
    }
    let _ = writeln!(
        text,
        "\n# The mode of the first start.\n< PM_CONFIG DEFAULT={} >",
        board.default_preset
    );
    text
}

/// The writes by which the board's tool sets a mode, in its order: path and text. It writes the nearest value of a
/// table, and every row, whether it changes anything or not (source: shared/design/jetson.md 2.2 and 2.3).
pub(super) fn writes(board: &Board, preset: &Preset) -> Vec<(String, String)> {
    let params = params(board);
    let cores: usize = board.clusters.iter().map(|(_, cores)| cores).sum();
    let online = (0..cores).map(|core| {
        let path = format!("sys/devices/system/cpu/cpu{core}/online");
        (path, u8::from(core < preset.cores).to_string())
    });
    let rest = rows(board, preset).into_iter().filter_map(|(name, arg, value)| {
        let param = params.iter().find(|param| param.name == name)?;
        let next = format!("{arg}_KNEXT");
        let wanted = [next.as_str(), arg];
        let found = wanted
            .iter()
            .find_map(|wanted| param.args.iter().find(|(arg, _)| arg == wanted));
        let path = found?.1.trim_start_matches('/').to_owned();
        let table: Vec<u64> = match name.as_str() {
            "GPU" => board.gpu.clone(),
            name if name.starts_with("CPU_") => board.cpu.iter().copied().map(u64::from).collect(),
            _ => Vec::new(),
        };
        let text = match value.parse::<u64>() {
            Ok(value) => {
                let nearest = table.iter().min_by_key(|point| point.abs_diff(value));
                nearest.copied().unwrap_or(value).to_string()
            }
            Err(_) if value == "-1" => table.last().copied().unwrap_or(UNCAPPED).to_string(),
            Err(_) => value,
        };
        Some((path, text))
    });
    online.chain(rest).collect()
}
