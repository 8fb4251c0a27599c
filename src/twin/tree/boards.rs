//! The boards that can be simulated as a tree, and what they have in common.

use super::board::{Board, Heat, Zone};

mod agx_orin;
mod agx_xavier;
mod orin_nano;

/// Makes a board.
type Make = fn() -> Board;

/// Every board.
pub(super) const ALL: [Make; 3] = [agx_orin::board, orin_nano::board, agx_xavier::board];

/// The points of the CPU clock, kHz: 76.8 MHz apart (two steps of the 38.4 MHz reference), with the top added.
/// Source: `drivers/cpufreq/tegra194-cpufreq.c`.
fn cpu_table(top: u32) -> Vec<u32> {
    let mut table: Vec<u32> = (115_200..top).step_by(76_800).collect();
    table.push(top);
    table
}

/// Thermal zones of tegra234 under JetPack 6. Vision blocks are off.
const ORIN_ZONES: [Zone; 9] = [
    zone("cpu-thermal", Heat::Die(-2_343), true),
    zone("gpu-thermal", Heat::Die(0), true),
    zone("cv0-thermal", Heat::Off, false),
    zone("cv1-thermal", Heat::Off, false),
    zone("cv2-thermal", Heat::Off, false),
    zone("soc0-thermal", Heat::Die(-2_937), true),
    zone("soc1-thermal", Heat::Die(-1_937), true),
    zone("soc2-thermal", Heat::Die(-3_468), true),
    zone("tj-thermal", Heat::Die(0), true),
];

const fn zone(name: &'static str, heat: Heat, trips: bool) -> Zone {
    Zone { name, heat, trips }
}

/// Links to the GPU under JetPack 6.
const ORIN_GPU_LINKS: [(&str, &str); 3] = [
    ("sys/devices/platform/17000000.gpu", "bus@0/17000000.gpu"),
    ("sys/devices/platform/gpu.0", "bus@0/17000000.gpu"),
    ("sys/devices/platform/bus@0/gpu.0", "17000000.gpu"),
];
