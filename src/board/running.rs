//! The clocks that run now, beside the ceilings that hold them.

use super::gpu::kilohertz;
use super::sysfs::number;
use super::{FileError, Machine, Setting};
use crate::units::Kilohertz;

impl Machine {
    /// The clock that runs now below `ceiling`, as the kernel last set it; the hardware may skip pulses and not say so.
    /// `None` where `ceiling` is no ceiling of a clock, where the board does not show what runs, and for a cluster that
    /// is offline. An idle GPU may show 0.
    ///
    /// Reading the memory's clock asks the firmware and takes up to 0.9 ms (source: shared/design/jetson.md 1.4).
    pub fn running(&self, ceiling: Setting) -> Option<Result<Kilohertz, FileError>> {
        let path = match ceiling {
            // Never cpuinfo_cur_freq: measuring holds the core for 500 us (source: shared/design/jetson.md 1.2).
            Setting::CpuCeiling(_) => beside(&self.path(ceiling)?, "scaling_cur_freq"),
            Setting::GpuCeiling => beside(&self.path(ceiling)?, "cur_freq"),
            Setting::EmcCeiling => self.path(Setting::EmcRate)?,
            _ => return None,
        };
        match self.root().value(&path, number) {
            Err(error) if error.is_missing() => None,
            Ok(clock) if matches!(ceiling, Setting::CpuCeiling(_)) => {
                Some(Ok(Kilohertz(u32::try_from(clock).unwrap_or(u32::MAX))))
            }
            other => Some(other.map(kilohertz)),
        }
    }
}

/// The file called `name` in the folder of `path`.
fn beside(path: &str, name: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{name}")
}
