//! The simulated trees that several tests use.

#![allow(dead_code, reason = "no test uses all of it")]

use fulcrum::twin::tree::{Hotplug, Options, Tree};
use rustix::io::Errno;

pub(crate) const BOARDS: [&str; 3] = ["agx-orin", "orin-nano", "agx-xavier"];
pub(crate) const CPU: &str = "sys/devices/system/cpu";
pub(crate) const POLICY: &str = "sys/devices/system/cpu/cpufreq/policy0";
pub(crate) const EMC: &str = "sys/kernel/debug/bpmp/debug/clk/emc";
pub(crate) const STILL: Options = Options {
    seed: 1,
    hotplug: Hotplug::Vanish,
    latencies: false,
    cpu0: Errno::PERM,
    live: false,
};

pub(crate) fn open(board: &str) -> Tree {
    Tree::open(board, STILL).unwrap()
}

/// The devfreq folder of the GPU, found as a program finds it.
pub(crate) fn gpu(tree: &Tree) -> String {
    let names = tree.list("sys/class/devfreq").unwrap();
    format!("sys/class/devfreq/{}", names[0])
}

/// Writes, then says what the file reads or what the write gave.
pub(crate) fn put(tree: &Tree, path: &str, text: &str) -> Result<String, Errno> {
    assert_eq!(tree.write(path, text)?, text.len());
    Ok(tree.text(path).unwrap())
}
