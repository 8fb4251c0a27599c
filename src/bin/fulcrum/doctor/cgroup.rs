//! A control group: how much processor time the kernel lets this process have.

use super::long_text;
use fulcrum::board::sysfs::trimmed;
use fulcrum::board::{FileError, Root};

const OWN: &str = "proc/self/cgroup";

/// Where version 2 is mounted: alone, or beside version 1.
const SECOND: [&str; 2] = ["sys/fs/cgroup", "sys/fs/cgroup/unified"];
/// Where the processor's controller of version 1 is mounted.
const FIRST: [&str; 2] = ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"];

/// So much time in each period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    /// The file that says so, below the root.
    pub(super) path: String,
    /// Microseconds of processor time, of all threads together.
    pub(super) time: u64,
    /// Length of a period, microseconds.
    pub(super) period: u64,
}

impl Quota {
    /// Thousandths of a processor.
    pub(super) fn per_mille(&self) -> u64 {
        self.time.saturating_mul(1_000) / self.period.max(1)
    }
}

/// The tightest quota of this process's group and those around it; `None` if none has one.
pub(super) fn quota(root: &Root) -> Result<Option<Quota>, FileError> {
    let groups = long_text(root, OWN)?;
    let second = folders(&groups, Version::Second)
        .into_iter()
        .filter_map(|folder| {
            let path = format!("{folder}/cpu.max");
            let (time, period) = root.value(&path, maximum).ok()??;
            Some(Quota { path, time, period })
        });
    let first = folders(&groups, Version::First).into_iter().filter_map(|folder| {
        let path = format!("{folder}/cpu.cfs_quota_us");
        let number = |path: &str| root.value(path, fulcrum::board::sysfs::number).ok();
        // -1 is no quota, and no unsigned number.
        let (time, period) = (number(&path)?, number(&format!("{folder}/cpu.cfs_period_us"))?);
        Some(Quota { path, time, period })
    });
    Ok(second.chain(first).min_by_key(Quota::per_mille))
}

/// Microseconds that version 1 lets this process's group run in a real-time class, and the file that says so; `None`
/// where the kernel does not ration that.
pub(super) fn realtime(root: &Root) -> Option<(String, i64)> {
    let groups = long_text(root, OWN).ok()?;
    folders(&groups, Version::First).into_iter().find_map(|folder| {
        let path = format!("{folder}/cpu.rt_runtime_us");
        let runtime = root.value(&path, |text| trimmed(text).parse().ok()).ok()?;
        Some((path, runtime))
    })
}

/// Of control groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Second,
}

/// The folders of this process's group and those around it, the nearest first, from `/proc/self/cgroup`.
pub(crate) fn folders(groups: &str, version: Version) -> Vec<String> {
    let group = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let wanted = match version {
            Version::First => controllers.split(',').any(|it| it == "cpu"),
            Version::Second => controllers.is_empty(),
        };
        wanted.then_some(path)
    });
    let Some(mut group) = group else {
        return Vec::new();
    };
    // A group outside of this process's view begins with dots, which lead out of the folder.
    if group.split('/').any(|part| part == "..") {
        group = "/";
    }
    let places = if version == Version::First { FIRST } else { SECOND };
    let mut folders = Vec::new();
    let mut group = group.trim_end_matches('/');
    loop {
        folders.extend(places.iter().map(|place| format!("{place}{group}")));
        match group.rfind('/') {
            Some(end) => group = group.get(..end).unwrap_or(""),
            None => return folders,
        }
    }
}

/// `cpu.max`: `50000 100000`, or `max 100000` for no quota.
#[allow(clippy::option_option, reason = "not a value of that file, no quota, a quota")]
fn maximum(text: &str) -> Option<Option<(u64, u64)>> {
    let (time, period) = text.split_once(' ')?;
    if time == "max" {
        return Some(None);
    }
    Some(Some((time.parse().ok()?, period.trim().parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quota_is_told_from_none_and_from_rubbish() {
        assert_eq!(maximum("50000 100000"), Some(Some((50_000, 100_000))));
        assert_eq!(maximum("max 100000"), Some(None));
        assert_eq!(maximum("50000"), None);
        assert_eq!(maximum("many 100000"), None);
    }

    #[test]
    fn the_group_and_those_around_it_are_looked_at_in_both_versions() {
        let groups = "4:memory:/m\n3:cpu,cpuacct:/docker/ab\n0::/robot.slice\n";
        let first = folders(groups, Version::First);
        assert_eq!(first[0], "sys/fs/cgroup/cpu/docker/ab");
        assert!(first.contains(&"sys/fs/cgroup/cpu,cpuacct/docker".to_owned()));
        assert!(first.contains(&"sys/fs/cgroup/cpu".to_owned()));
        let second = folders(groups, Version::Second);
        let expected = [
            "sys/fs/cgroup/robot.slice",
            "sys/fs/cgroup/unified/robot.slice",
            "sys/fs/cgroup",
            "sys/fs/cgroup/unified",
        ];
        assert_eq!(second, expected);
        assert_eq!(folders("0::/../../x\n", Version::Second), expected[2..]);
        assert!(folders("1:cpuset:/\n", Version::First).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "(0::|1:cpu:)?[\\PC\n:/.]{0,80}") {
            let _ = (folders(&text, Version::First), folders(&text, Version::Second), maximum(&text));
        }
    }
}
