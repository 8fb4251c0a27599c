//! The memory (EMC) clock: its ceiling, by the generation's path, and its table.

use super::gpu::kilohertz;
use super::sysfs::{Root, table};
use crate::units::Kilohertz;

/// Ceilings: JetPack 6 and 7, JetPack 4 and 5 (where 0 means none), Thor.
const CEILINGS: [&str; 3] = [
    "sys/kernel/nvpmodel_clk_cap/emc",
    "sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    "sys/class/devfreq/bwmgr/max_freq",
];

/// The clock in the firmware's debug files (root only): `rate`, and whether it is locked.
const CLOCK: &str = "sys/kernel/debug/bpmp/debug/clk/emc";

/// A memory clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Emc {
    /// The file of the ceiling, Hz.
    pub(super) ceiling: String,
    /// The file of the rate and the file that locks it, where this program may see them.
    pub(super) rate: Option<(String, String)>,
    /// Clocks on offer, rising.
    pub(super) clocks: Vec<Kilohertz>,
}

impl Emc {
    /// The memory clock, or why there is none to set.
    pub(super) fn find(root: &Root) -> Result<Emc, &'static str> {
        let ceiling = CEILINGS.into_iter().find(|path| root.exists(path));
        let ceiling = ceiling.ok_or("this kernel has no file for a ceiling of the memory clock")?;
        let clocks = clocks(root).ok_or(
            "the table of memory clocks cannot be read: it lies in debugfs, which takes root and a mounted /sys/kernel/debug",
        )?;
        let (rate, lock) = (format!("{CLOCK}/rate"), format!("{CLOCK}/mrq_rate_locked"));
        Ok(Emc {
            ceiling: ceiling.to_owned(),
            rate: (root.exists(&rate) && root.exists(&lock)).then_some((rate, lock)),
            clocks,
        })
    }
}

/// The table: one file on Orin, a folder with a file a clock on Xavier, devfreq's on Thor.
fn clocks(root: &Root) -> Option<Vec<Kilohertz>> {
    const ORIN: &str = "sys/kernel/debug/bpmp/debug/emc/possible_rates";
    const XAVIER: &str = "sys/kernel/debug/bpmp/debug/emc/tables/regular";
    const THOR: &str = "sys/class/devfreq/bwmgr/available_frequencies";
    let in_kilohertz = |clocks: Vec<u64>| {
        clocks
            .into_iter()
            .map(|it| kilohertz(it.saturating_mul(1_000)))
            .collect()
    };
    if let Ok(clocks) = root.value(ORIN, table) {
        return Some(in_kilohertz(clocks));
    }
    if let Ok(names) = root.names(XAVIER) {
        return table(&names.join(" ")).map(in_kilohertz);
    }
    let hertz = root.value(THOR, table).ok()?;
    Some(hertz.into_iter().map(kilohertz).collect())
}
