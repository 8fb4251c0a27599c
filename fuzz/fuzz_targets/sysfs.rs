//! Any text in the files of a board: no reader panics, and what it takes is in range.
//!
//! The first byte says how: `T` cuts the rest at every `|` into the files of a small tree and detects the board below it;
//! any other gives the whole text to each reader.

#![no_main]

use fulcrum::board::identity::{board_id, chip, chip_id, cpu_model, strings};
use fulcrum::board::rails::not_negative;
use fulcrum::board::sysfs::{cpus, number, table, trimmed};
use fulcrum::board::thermal::temperature;
use fulcrum::board::{Board, Identity, Machine, Module, Release, Root, Sensors, SysfsSensors, module};
use fulcrum::power::{ModeSpace, PowerMode, journal, mode};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Files of the tree, in the order of the input's parts.
const FILES: [&str; 22] = [
    "sys/devices/system/cpu/present",
    "sys/devices/system/cpu/cpu1/online",
    "sys/devices/system/cpu/cpufreq/policy0/related_cpus",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_available_frequencies",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq",
    "sys/class/devfreq/17000000.gpu/available_frequencies",
    "sys/class/devfreq/17000000.gpu/max_freq",
    "sys/class/devfreq/17000000.gpu/min_freq",
    "sys/class/devfreq/17000000.gpu/device/power/control",
    "sys/kernel/nvpmodel_clk_cap/emc",
    "sys/kernel/debug/bpmp/debug/emc/possible_rates",
    "proc/device-tree/model",
    "proc/device-tree/compatible",
    "etc/nv_tegra_release",
    "sys/bus/i2c/devices/1-0040/name",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon1/in1_label",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon1/in1_input",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon1/curr1_input",
    "sys/class/thermal/thermal_zone0/type",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/class/thermal/cooling_device0/cur_state",
];

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    base.join(format!("fulcrum-fuzz-{}", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| match bytes.split_first() {
    Some((b'T', rest)) => tree(rest),
    _ => texts(bytes),
});

fn texts(bytes: &[u8]) {
    let _ = journal::decode(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = (trimmed(text), number(text), not_negative(text), temperature(text));
    if let Some(table) = table(text) {
        assert!(!table.is_empty() && table.is_sorted_by(|a, b| a < b));
    }
    if let Some(cpus) = cpus(text) {
        assert!(cpus.is_sorted_by(|a, b| a < b));
    }
    let _ = strings(text).iter().filter_map(|it| chip(it)).count();
    let _ = (chip_id(text), board_id(text), cpu_model(text));
    let _ = Module::find(module::parts(text).collect::<Vec<_>>().iter().map(String::as_str));
    for release in [Release::from_tegra_release(text), Release::from_dpkg_status(text)]
        .into_iter()
        .flatten()
    {
        let _ = (release.jetpack(), release.to_string());
    }
    if let Ok(knobs) = mode::parse_knobs(text) {
        assert!(!knobs.is_empty() && knobs.iter().all(|(_, value)| *value > 0));
    }
}

fn tree(bytes: &[u8]) {
    // Nothing of the input before: a finding must be found again from its bytes alone.
    let _ = std::fs::remove_dir_all(FOLDER.as_path());
    for (path, content) in FILES.iter().zip(bytes.split(|byte| *byte == b'|')) {
        let path = FOLDER.join(path);
        std::fs::create_dir_all(path.parent().expect("every file lies in a folder"))
            .expect("a RAM disk has room");
        std::fs::write(path, content).expect("a RAM disk has room");
    }
    let root = Root::new(FOLDER.as_path());
    let _ = Identity::read(&root).to_string();
    if let Ok(machine) = Machine::detect(root.clone()) {
        let space = ModeSpace::of(machine.facts());
        assert!(space.index_of(&space.top()) == Some(space.len() - 1));
        for setting in machine.settings() {
            let _ = machine.get(*setting);
            let _ = machine.nearest(*setting, u32::MAX);
        }
        let _ = (PowerMode::present(&machine), machine.is_limited());
    }
    let mut sensors = SysfsSensors::find(&root);
    let rails = sensors.rails();
    let _ = (sensors.supplies().total(&rails), sensors.supplies().total_rule());
    let _ = (sensors.temperature(), sensors.throttling());
    let _ = std::fs::remove_dir_all(FOLDER.as_path());
}
