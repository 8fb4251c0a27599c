//! The [`Cpus`]: cores that go on and off, and the cpufreq policies over them.
//!
//! As kernels 5.10 and 5.15 behave (source: shared/design/jetson.md 4.1 and 4.2; `drivers/cpufreq/cpufreq.c`): a write
//! to `scaling_min_freq` or `scaling_max_freq` is a request of its own and succeeds whatever the other says; what is in
//! force is worked out from all requests and is what a read shows.

use super::Hotplug;
use super::attribute::choose;
use super::number;
use rustix::io::Errno;

/// The governors that can be chosen, in the order in which they are shown.
pub(super) const GOVERNORS: &[&str] = &[
    "interactive",
    "conservative",
    "ondemand",
    "userspace",
    "powersave",
    "performance",
    "schedutil",
];

/// A file of a core or of a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CpuFile {
    /// `cpuN/online`; its index is the core, that of all others the policy.
    Online,
    Affected,
    Min,
    Max,
    Current,
    Governor,
    Setspeed,
}

/// Cores that share a clock.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) first: usize,
    pub(super) cores: usize,
    min_request: u32,
    max_request: u32,
    governor: &'static str,
    /// What `scaling_setspeed` was last told.
    speed: u32,
}

/// All cores and their policies.
#[derive(Clone, Debug)]
pub(super) struct Cpus {
    pub(super) online: Vec<bool>,
    pub(super) policies: Vec<Policy>,
    /// Clock table, kHz, ascending.
    table: Vec<u32>,
    /// What thermal cooling allows at most, kHz.
    pub(super) cooling: u32,
    hotplug: Hotplug,
    /// What a write of `0` to `cpu0/online` gives.
    cpu0: Errno,
}

impl Cpus {
    pub(super) fn new(clusters: &[(usize, usize)], table: &[u32], hotplug: Hotplug, cpu0: Errno) -> Cpus {
        let policy = |(first, cores): &(usize, usize)| Policy {
            first: *first,
            cores: *cores,
            min_request: 0,
            max_request: u32::MAX,
            governor: "schedutil",
            speed: 0,
        };
        Cpus {
            online: vec![true; clusters.iter().map(|(_, cores)| cores).sum()],
            policies: clusters.iter().map(policy).collect(),
            table: table.to_vec(),
            cooling: u32::MAX,
            hotplug,
            cpu0,
        }
    }

    fn lowest(&self) -> u32 {
        self.table.first().copied().unwrap_or_default()
    }

    pub(super) fn highest(&self) -> u32 {
        self.table.last().copied().unwrap_or_default()
    }

    fn policy(&self, index: usize) -> Result<&Policy, Errno> {
        self.policies.get(index).ok_or(Errno::NOENT)
    }

    /// Whether a core of this policy is online.
    pub(super) fn active(&self, policy: usize) -> bool {
        self.policy(policy).is_ok_and(|policy| {
            self.online
                .iter()
                .skip(policy.first)
                .take(policy.cores)
                .any(|online| *online)
        })
    }

    /// Lowest and highest clock in force, kHz.
    pub(super) fn limits(&self, policy: &Policy) -> (u32, u32) {
        let (low, high) = (self.lowest(), self.highest());
        let mut max = policy.max_request.min(self.cooling).clamp(low, high);
        let mut min = policy.min_request.clamp(low, max);
        if !self.table.iter().any(|khz| (min..=max).contains(khz)) {
            // `cpufreq_frequency_table_verify`: an empty range grows to the next entry above it.
            max = self.table.iter().copied().find(|khz| *khz > max).unwrap_or(high);
            min = min.min(max);
        }
        (min, max)
    }

    /// The clock of a policy, kHz, at this load from 0 to 1.
    pub(super) fn current(&self, policy: &Policy, load: f64) -> u32 {
        let (min, max) = self.limits(policy);
        let wanted = match policy.governor {
            "performance" => max,
            "powersave" => min,
            "userspace" => policy.speed.clamp(min, max),
            // schedutil asks for a quarter more than is used; the others come close to it.
            _ => ((f64::from(self.highest()) * 1.25 * load) as u32).clamp(min, max),
        };
        // The lowest entry not below it, else the highest that the limits allow.
        let inside = self.table.iter().copied().filter(|khz| *khz <= max);
        inside
            .clone()
            .find(|khz| *khz >= wanted)
            .or(inside.max())
            .unwrap_or(max)
    }

    pub(super) fn show(&self, index: usize, file: CpuFile, load: f64) -> Result<String, Errno> {
        if file == CpuFile::Online {
            let online = self.online.get(index).ok_or(Errno::NOENT)?;
            return Ok(u8::from(*online).to_string());
        }
        let policy = self.policy(index)?;
        let (min, max) = self.limits(policy);
        Ok(match file {
            CpuFile::Affected => {
                let cores = (policy.first..policy.first + policy.cores)
                    .filter(|core| self.online.get(*core) == Some(&true));
                cores.map(|core| core.to_string()).collect::<Vec<_>>().join(" ")
            }
            CpuFile::Min => min.to_string(),
            CpuFile::Max => max.to_string(),
            CpuFile::Current | CpuFile::Online => self.current(policy, load).to_string(),
            CpuFile::Governor => policy.governor.to_owned(),
            CpuFile::Setspeed if policy.governor == "userspace" => policy.speed.to_string(),
            CpuFile::Setspeed => "<unsupported>".to_owned(),
        })
    }

    pub(super) fn store(&mut self, index: usize, file: CpuFile, text: &[u8], load: f64) -> Result<(), Errno> {
        if file == CpuFile::Online {
            return self.switch(index, number::boolean(text)?);
        }
        if !self.active(index) {
            // Only the variant that keeps the folder comes here. EINVAL up to 5.15 [recalled].
            return Err(Errno::INVAL);
        }
        let current = self.current(self.policy(index)?, load);
        let policy = self.policies.get_mut(index).ok_or(Errno::NOENT)?;
        let khz = |text| Ok(u32::try_from(number::leading(text)?).unwrap_or(u32::MAX));
        match file {
            CpuFile::Min => policy.min_request = khz(text)?,
            CpuFile::Max => policy.max_request = khz(text)?,
            CpuFile::Governor => {
                policy.governor = choose(text, GOVERNORS)?;
                policy.speed = current;
            }
            CpuFile::Setspeed if policy.governor == "userspace" => policy.speed = khz(text)?,
            CpuFile::Setspeed => return Err(Errno::INVAL),
            CpuFile::Online | CpuFile::Affected | CpuFile::Current => return Err(Errno::ACCESS),
        }
        Ok(())
    }

    fn switch(&mut self, core: usize, on: bool) -> Result<(), Errno> {
        let alone = self.online.iter().filter(|online| **online).count() == 1;
        let cpu0 = self.cpu0;
        let online = self.online.get_mut(core).ok_or(Errno::NOENT)?;
        if *online && !on {
            if alone {
                return Err(Errno::BUSY);
            }
            if core == 0 {
                return Err(cpu0);
            }
        }
        *online = on;
        Ok(())
    }

    /// Whether the folder of a policy, and the link of each of its cores to it, are there.
    pub(super) fn shown(&self, policy: usize) -> bool {
        self.hotplug == Hotplug::Keep || self.active(policy)
    }
}

/// A list of cores as the kernel prints it: `0-3,6`.
pub(super) fn list(cores: impl Iterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for core in cores {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => runs.push((core, core)),
        }
    }
    let run = |(first, last): &(usize, usize)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}
