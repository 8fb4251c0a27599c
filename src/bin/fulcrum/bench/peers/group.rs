//! [`Group`]: a control group made for one process of an arm, and removed after it.

use crate::doctor::cgroup::{Version, folders};
use core::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of the groups begin so; the process that made them follows.
const PREFIX: &str = "fulcrum-bench-";

/// The period of a quota, microseconds: a twelfth of the time between two requests.
const QUOTA_PERIOD: u64 = 5_000;

/// What the kernel grants to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Of a processor that others want too, a share in this proportion: 1 to 100.
    Weight(u64),
    /// At most so many thousandths of one processor.
    Quota(u64),
}

impl Limit {
    /// File and value in either version. Version 1 counts shares from 2, version 2 weights from 1.
    fn setting(self, version: Version) -> Vec<(&'static str, String)> {
        let time = |per_mille: u64| per_mille * QUOTA_PERIOD / 1_000;
        match (self, version) {
            (Limit::Weight(weight), Version::First) => vec![("cpu.shares", (10 * weight).to_string())],
            (Limit::Weight(weight), Version::Second) => vec![("cpu.weight", weight.to_string())],
            (Limit::Quota(per_mille), Version::First) => vec![
                ("cpu.cfs_period_us", QUOTA_PERIOD.to_string()),
                ("cpu.cfs_quota_us", time(per_mille).to_string()),
            ],
            (Limit::Quota(per_mille), Version::Second) => {
                vec![("cpu.max", format!("{} {QUOTA_PERIOD}", time(per_mille)))]
            }
        }
    }
}

/// A group without a process. Dropping it removes it, which takes that its processes have ended.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Group {
    /// Makes the group `name` beside or above this process's own, wherever the kernel lets it have a limit.
    ///
    /// # Errors
    /// Each place that was tried and why it would not do.
    pub(super) fn new(name: &str, limit: Limit) -> Result<Group, String> {
        let groups = fs::read_to_string("/proc/self/cgroup")
            .map_err(|error| format!("/proc/self/cgroup could not be read: {error}"))?;
        let mut refused = String::new();
        for version in [Version::Second, Version::First] {
            for folder in folders(&groups, version) {
                let folder = Path::new("/").join(folder);
                if !folder.join("cgroup.procs").exists() {
                    continue;
                }
                match Group::within(&folder, name, &limit.setting(version)) {
                    Ok(group) => return Ok(group),
                    Err(error) => {
                        let _ = write!(refused, "; {}: {error}", folder.display());
                    }
                }
            }
        }
        Err(format!("no control group with a limit could be made{refused}"))
    }

    fn within(folder: &Path, name: &str, settings: &[(&str, String)]) -> Result<Group, String> {
        sweep(folder);
        let path = folder.join(format!("{PREFIX}{}-{name}", std::process::id()));
        fs::create_dir(&path).map_err(|error| error.to_string())?;
        let group = Group(path);
        for (file, value) in settings {
            if !group.0.join(file).exists() {
                return Err(format!("a new group has no {file}"));
            }
            fs::write(group.0.join(file), value).map_err(|error| format!("{file}: {error}"))?;
        }
        Ok(group)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Moves the calling process into the group at `path`.
pub(super) fn join(path: &Path) -> Result<(), String> {
    fs::write(path.join("cgroup.procs"), std::process::id().to_string())
        .map_err(|error| format!("the control group {} was not entered: {error}", path.display()))
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that stays is empty and harmless, and the next run sweeps it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes empty groups whose maker was killed.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_its_form_in_either_version() {
        let told = |limit: Limit, version| limit.setting(version);
        assert_eq!(
            told(Limit::Weight(1), Version::First),
            [("cpu.shares", "10".to_string())]
        );
        assert_eq!(
            told(Limit::Weight(100), Version::Second),
            [("cpu.weight", "100".to_string())]
        );
        assert_eq!(
            told(Limit::Quota(600), Version::Second),
            [("cpu.max", "3000 5000".to_string())]
        );
        assert_eq!(
            told(Limit::Quota(600), Version::First)[1],
            ("cpu.cfs_quota_us", "3000".to_string())
        );
    }

    #[test]
    fn a_folder_that_is_no_group_is_refused_and_left_as_it_was() {
        let folder = std::env::temp_dir().join(format!("fulcrum-group-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let error = Group::within(&folder, "learn", &Limit::Weight(1).setting(Version::Second)).unwrap_err();
        assert!(error.contains("cpu.weight"), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(&folder).unwrap();
    }
}
