//! A [`Setting`] is one writable file's worth of a [`Knob`]: a core, or one end of a clock's range.

use super::Knob;
use core::fmt;
use core::str::FromStr;

/// One writable file's worth of a knob. Values are kilohertz, or 0 and 1.
///
/// CPU clusters are named as the kernel names their cpufreq policies: by their first core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Whether this core is online: 1 or 0. Never core 0: a module may not survive that.
    Online(u8),
    /// Lowest clock of the CPU cluster, kHz.
    CpuFloor(u8),
    /// Highest clock of the CPU cluster, kHz.
    CpuCeiling(u8),
    /// Whether the GPU is kept powered: 1, or 0 where it may be switched off while it is idle.
    GpuHold,
    /// Lowest clock of the GPU, kHz.
    GpuFloor,
    /// Highest clock of the GPU, kHz.
    GpuCeiling,
    /// The clock that somebody locked the memory at, kHz. There only while the lock is on; the lock itself is never
    /// written.
    EmcRate,
    /// Highest clock of the memory, kHz; 0 where there is no ceiling.
    EmcCeiling,
}

impl Setting {
    /// The knob it is a part of.
    pub const fn knob(self) -> Knob {
        match self {
            Setting::Online(_) => Knob::Cores,
            Setting::CpuFloor(_) | Setting::CpuCeiling(_) => Knob::Cpu,
            Setting::GpuHold | Setting::GpuFloor | Setting::GpuCeiling => Knob::Gpu,
            Setting::EmcRate | Setting::EmcCeiling => Knob::Emc,
        }
    }
}

impl fmt::Display for Setting {
    /// `core4`, `cpu4-ceiling`, `gpu-floor`: the form the journal keeps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Online(core) => write!(f, "core{core}"),
            Setting::CpuFloor(cluster) => write!(f, "cpu{cluster}-floor"),
            Setting::CpuCeiling(cluster) => write!(f, "cpu{cluster}-ceiling"),
            Setting::GpuHold => f.write_str("gpu-hold"),
            Setting::GpuFloor => f.write_str("gpu-floor"),
            Setting::GpuCeiling => f.write_str("gpu-ceiling"),
            Setting::EmcRate => f.write_str("emc-rate"),
            Setting::EmcCeiling => f.write_str("emc-ceiling"),
        }
    }
}

/// No setting has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSetting;

impl FromStr for Setting {
    type Err = UnknownSetting;

    fn from_str(text: &str) -> Result<Setting, UnknownSetting> {
        let cluster = |end: &str| {
            text.strip_prefix("cpu")
                .and_then(|rest| rest.strip_suffix(end))
                .and_then(|number| number.parse::<u8>().ok())
        };
        match text {
            "gpu-hold" => return Ok(Setting::GpuHold),
            "gpu-floor" => return Ok(Setting::GpuFloor),
            "gpu-ceiling" => return Ok(Setting::GpuCeiling),
            "emc-rate" => return Ok(Setting::EmcRate),
            "emc-ceiling" => return Ok(Setting::EmcCeiling),
            _ => {}
        }
        if let Some(core) = text.strip_prefix("core").and_then(|number| number.parse().ok()) {
            Ok(Setting::Online(core))
        } else if let Some(cluster) = cluster("-floor") {
            Ok(Setting::CpuFloor(cluster))
        } else if let Some(cluster) = cluster("-ceiling") {
            Ok(Setting::CpuCeiling(cluster))
        } else {
            Err(UnknownSetting)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_back_from_its_name() {
        let all = [
            Setting::Online(11),
            Setting::CpuFloor(4),
            Setting::CpuCeiling(8),
            Setting::GpuHold,
            Setting::GpuFloor,
            Setting::GpuCeiling,
            Setting::EmcRate,
            Setting::EmcCeiling,
        ];
        for setting in all {
            assert_eq!(setting.to_string().parse(), Ok(setting));
        }
        for wrong in ["", "core", "core300", "cpu-floor", "cpu4", "fan"] {
            assert_eq!(wrong.parse::<Setting>(), Err(UnknownSetting), "{wrong}");
        }
    }
}
