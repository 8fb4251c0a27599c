//! The latency of a write: how long the caller of `write(2)` waits on the real board.
//!
//! Source: shared/design/jetson.md 4.5 (Orin Nano Super, L4T 36.5.0, 150 to 200 switches each), median and 99th
//! percentile. Hotplug was not measured anywhere; 5 to 60 ms are inferred.

use super::attribute::Attribute;
use super::cpu::CpuFile;
use super::gpu::GpuFile;
use super::memory::MemoryFile;
use crate::units::Nanos;

/// Median and 99th percentile, us.
type Spread = (u64, u64);

const CPU: Spread = (1_400, 2_000);
/// Half of a pair of highest and lowest: 5.1 and 6.6 ms.
const GPU: Spread = (2_550, 3_300);
const MEMORY: Spread = (8_700, 11_000);
/// One message to the firmware.
const FIRMWARE: Spread = (700, 900);
/// Inferred.
const HOTPLUG: Spread = (20_000, 60_000);

/// How long a write to this attribute takes; `chance` is from -1 to 1.
pub(super) fn of_store(attribute: &Attribute, chance: f64) -> Nanos {
    let spread = match attribute {
        Attribute::Cpu(_, CpuFile::Online) => HOTPLUG,
        Attribute::Cpu(_, CpuFile::Min | CpuFile::Max | CpuFile::Setspeed | CpuFile::Governor) => CPU,
        Attribute::Gpu(GpuFile::Min | GpuFile::Max | GpuFile::SetFreq | GpuFile::Governor) => GPU,
        Attribute::Memory(MemoryFile::Rate) => MEMORY,
        Attribute::Memory(_) | Attribute::EngineCap(_) => FIRMWARE,
        _ => return Nanos::ZERO,
    };
    sample(spread, chance)
}

/// How long a read takes. Only the firmware's files are slow; a rail's read may be blocked by a fault.
pub(super) fn of_show(attribute: &Attribute, chance: f64) -> Nanos {
    match attribute {
        Attribute::Memory(file) if *file != MemoryFile::Cap => sample(FIRMWARE, chance),
        Attribute::Gpu(GpuFile::Measured) => sample(FIRMWARE, chance),
        _ => Nanos::ZERO,
    }
}

/// A value whose median and 99th percentile are those given: even below the median, with a tail above it.
fn sample((median, high): Spread, chance: f64) -> Nanos {
    let span = high.saturating_sub(median) as f64;
    let off = if chance < 0.0 {
        chance * 0.05 * median as f64
    } else {
        chance.powi(4) / 0.92 * span
    };
    Nanos::from_micros((median as f64 + off) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_99th_percentile_are_those_measured() {
        let mut all: Vec<u64> = (0..=2_000)
            .map(|i| sample(CPU, f64::from(i) / 1e3 - 1.0).0 / 1_000)
            .collect();
        all.sort_unstable();
        assert_eq!(all[1_000], 1_400);
        assert!((1_950..=2_050).contains(&all[1_980]), "{}", all[1_980]);
    }
}
