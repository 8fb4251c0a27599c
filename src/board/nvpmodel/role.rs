//! A [`Role`] is what the file behind a row does, told by its path: names of parameters differ from board to board.

use super::Target;

/// What a file of sysfs does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Switches this CPU on or off.
    CoreOnline(u32),
    /// Highest clock of the cluster that this CPU is in, kHz.
    CpuMax(u32),
    /// Lowest clock of the cluster that this CPU is in, kHz.
    CpuMin(u32),
    /// Highest clock of the GPU, Hz.
    GpuMax,
    /// Lowest clock of the GPU, Hz.
    GpuMin,
    /// Highest clock of the memory, Hz; 0 is no cap.
    EmcMax,
    /// Gates texture processing clusters of the GPU; a change needs a reboot.
    TpcMask,
    /// Gates frame buffer partitions of the GPU; a change needs a reboot.
    FbpMask,
    /// Gates other units; a change needs a reboot.
    OtherMask,
    /// Keeps a device powered (`on`) or lets it sleep (`auto`).
    PowerControl,
    /// None of these.
    Other,
}

/// What the devfreq directory of a GPU is called, of Tegra X1 to Thor. Source: shared/design/jetson.md 1.3.
const GPUS: [&str; 5] = ["gpu", "gp10b", "gv11b", "ga10b", "gb10b"];

impl Role {
    /// The role of the plain path, or where that tells nothing, of the twin's.
    pub(super) fn of(target: &Target<'_>) -> Role {
        match Role::of_path(target.plain.path) {
            Role::Other => target.knext.map_or(Role::Other, |node| Role::of_path(node.path)),
            role => role,
        }
    }

    /// Whether the file masks units of the GPU.
    pub fn is_mask(self) -> bool {
        matches!(self, Role::TpcMask | Role::FbpMask | Role::OtherMask)
    }

    /// Whether the file takes a frequency.
    pub fn is_clock(self) -> bool {
        matches!(
            self,
            Role::CpuMax(_) | Role::CpuMin(_) | Role::GpuMax | Role::GpuMin | Role::EmcMax
        )
    }

    fn of_path(path: &str) -> Role {
        let mut parts = path.rsplit('/');
        let (last, parent) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        // `cpuN/online`, `cpuN/cpufreq/scaling_max_freq` or `cpufreq/policyN/scaling_max_freq`.
        let cpu = || {
            path.rsplit('/').find_map(|part| {
                part.strip_prefix("cpu")
                    .or_else(|| part.strip_prefix("policy"))?
                    .parse()
                    .ok()
            })
        };
        let named = |names: &[&str]| names.iter().any(|name| path.contains(name));
        // Thor's `gpu-nvd-0` is the video engines' clock.
        let gpu = named(&["devfreq"]) && named(&GPUS) && !named(&["gpu-nvd"]);
        match last {
            "online" => cpu().map_or(Role::Other, Role::CoreOnline),
            "scaling_max_freq" => cpu().map_or(Role::Other, Role::CpuMax),
            "scaling_min_freq" => cpu().map_or(Role::Other, Role::CpuMin),
            "max_freq" if parent == "bwmgr" => Role::EmcMax,
            "max_freq" if gpu => Role::GpuMax,
            "min_freq" if gpu => Role::GpuMin,
            "emc_iso_cap" => Role::EmcMax,
            "emc" if parent == "nvpmodel_clk_cap" => Role::EmcMax,
            "tpc_pg_mask" => Role::TpcMask,
            "fbp_pg_mask" => Role::FbpMask,
            "control" if parent == "power" => Role::PowerControl,
            other if other.ends_with("_pg_mask") => Role::OtherMask,
            _ => Role::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_generation_tells_its_role() {
        let table = [
            ("/sys/devices/system/cpu/cpu11/online", Role::CoreOnline(11)),
            (
                "/sys/devices/system/cpu/cpu4/cpufreq/scaling_max_freq",
                Role::CpuMax(4),
            ),
            (
                "/sys/devices/system/cpu/cpufreq/policy8/scaling_min_freq",
                Role::CpuMin(8),
            ),
            ("/sys/devices/gpu.0/devfreq/57000000.gpu/max_freq", Role::GpuMax),
            (
                "/sys/devices/17000000.gp10b/devfreq/devfreq0/min_freq",
                Role::GpuMin,
            ),
            ("/sys/devices/17000000.ga10b/devfreq_dev/max_freq", Role::GpuMax),
            (
                "/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq",
                Role::GpuMax,
            ),
            ("/sys/class/devfreq/gpu-gpc-0/max_freq", Role::GpuMax),
            ("/sys/class/devfreq/gpu-nvd-0/max_freq", Role::Other),
            ("/sys/class/devfreq/bwmgr/max_freq", Role::EmcMax),
            ("/sys/kernel/nvpmodel_emc_cap/emc_iso_cap", Role::EmcMax),
            ("/sys/kernel/nvpmodel_clk_cap/emc", Role::EmcMax),
            ("/sys/kernel/nvpmodel_emc_cap/nafll_dla", Role::Other),
            ("/sys/devices/gpu.0/tpc_pg_mask", Role::TpcMask),
            ("/sys/devices/platform/gpu.0/fbp_pg_mask", Role::FbpMask),
            ("/opt/nvidia/l4t-gpusetup/gpu_pg_mask", Role::OtherMask),
            ("/sys/devices/gpu.0/power/control", Role::PowerControl),
            ("/sys/devices/system/node/online", Role::Other),
            ("", Role::Other),
        ];
        for (path, role) in table {
            assert_eq!(Role::of_path(path), role, "{path}");
        }
    }
}
