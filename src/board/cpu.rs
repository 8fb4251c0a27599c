//! CPU cores and clusters: who is there, who shares a clock, and which clocks there are.

use super::facts::Cluster;
use super::sysfs::{Root, cpus, number, table};
use crate::units::Kilohertz;

/// Where the kernel keeps the cores.
pub(super) const FOLDER: &str = "sys/devices/system/cpu";

/// Clocks on offer of a driver that has a range and no table, kHz apart.
const STEP: usize = 100_000;

/// The cores of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cores {
    /// Present, online or not: 0 up to this.
    pub(super) count: u8,
    /// Those that can be taken offline: never core 0.
    pub(super) hotplug: Vec<u8>,
    /// Clusters whose clock shows itself now.
    pub(super) clusters: Vec<Cluster>,
}

impl Cores {
    /// Reads what is there; a machine without such files has no core.
    pub(super) fn find(root: &Root) -> Cores {
        let listed = ["present", "possible", "online"];
        let mut cores = listed
            .into_iter()
            .filter_map(|list| root.value(&format!("{FOLDER}/{list}"), cpus).ok())
            .find(|cores| !cores.is_empty())
            .unwrap_or_default();
        // A trimmed container may show the folders and no list.
        if cores.is_empty() {
            let names = root.names(FOLDER).unwrap_or_default();
            let number = |name: &String| name.strip_prefix("cpu").and_then(|it| it.parse().ok());
            cores = names.iter().filter_map(number).collect();
        }
        let count = cores.last().map_or(0, |last| last.saturating_add(1));
        let hotplug = (1..count)
            .filter(|core| root.exists(&online_path(*core)))
            .collect();
        let names = root.names(&format!("{FOLDER}/cpufreq")).unwrap_or_default();
        let policies = names
            .iter()
            .filter_map(|name| name.strip_prefix("policy")?.parse().ok());
        Cores {
            count,
            hotplug,
            clusters: policies.filter_map(|policy| cluster(root, policy)).collect(),
        }
    }

    /// The cluster that `core` belongs to, by its first core; its own where that is not known.
    pub(super) fn cluster_of(&self, core: u8) -> u8 {
        let known = self.clusters.iter().find(|it| it.cores.contains(&core));
        known.map_or(core, Cluster::first)
    }

    /// The first cores of all clusters that are known or may yet appear: a core of no cluster may lead one that is offline,
    /// if it is one that can be.
    pub(super) fn cluster_names(&self) -> Vec<u8> {
        let known = |core: &u8| self.clusters.iter().any(|it| it.first() == *core);
        let may_appear = |core: &u8| self.cluster_of(*core) == *core && self.hotplug.contains(core);
        (0..self.count)
            .filter(|core| known(core) || may_appear(core))
            .collect()
    }
}

/// A set of cores; 256 of them can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoreSet([u64; 4]);

impl CoreSet {
    pub(super) const ALL: CoreSet = CoreSet([u64::MAX; 4]);
    pub(super) const NONE: CoreSet = CoreSet([0; 4]);

    pub(super) fn contains(self, core: u8) -> bool {
        self.0
            .get(usize::from(core / 64))
            .is_some_and(|word| word >> (core % 64) & 1 == 1)
    }

    /// The same set with `core` in it, or not.
    pub(super) fn with(mut self, core: u8, inside: bool) -> CoreSet {
        if let Some(word) = self.0.get_mut(usize::from(core / 64)) {
            let bit = 1 << (core % 64);
            *word = if inside { *word | bit } else { *word & !bit };
        }
        self
    }
}

/// The cluster of the cpufreq policy `policy`, as it shows itself now.
pub(super) fn cluster(root: &Root, policy: u8) -> Option<Cluster> {
    let folder = policy_path(policy);
    let cores = ["related_cpus", "affected_cpus"]
        .into_iter()
        .filter_map(|list| root.value(&format!("{folder}/{list}"), cpus).ok())
        .find(|cores| !cores.is_empty())?;
    let kilohertz = |clocks: Vec<u64>| {
        clocks
            .into_iter()
            .filter_map(|it| u32::try_from(it).ok())
            .map(Kilohertz)
            .collect()
    };
    let clocks = match root.value(&format!("{folder}/scaling_available_frequencies"), table) {
        Ok(clocks) => kilohertz(clocks),
        Err(_) => {
            let end = |name: &str| root.value(&format!("{folder}/cpuinfo_{name}_freq"), number).ok();
            let in_range = |clock: u64| u32::try_from(clock).ok().map(u64::from);
            let (low, high) = (in_range(end("min")?)?, in_range(end("max")?)?);
            let mut steps: Vec<u64> = (low..high).step_by(STEP).collect();
            steps.push(high);
            kilohertz(steps)
        }
    };
    // Named by its policy, which is its first core wherever the kernel made it with all of them on.
    let mut named = vec![policy];
    named.extend(cores.into_iter().filter(|core| *core != policy));
    Some(Cluster { cores: named, clocks })
}

pub(super) fn online_path(core: u8) -> String {
    format!("{FOLDER}/cpu{core}/online")
}

pub(super) fn policy_path(policy: u8) -> String {
    format!("{FOLDER}/cpufreq/policy{policy}")
}
