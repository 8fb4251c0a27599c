//! A container: what it hides of the board and takes of the processor.

use super::finding::{Findings, Level};
use super::{at, cgroup, is_jetson, long_text, mounts};
use fulcrum::board::sysfs::cpus;
use fulcrum::board::{Board, Machine, Root};

/// Files by which engines mark what they run.
const MARKS: [(&str, &str); 3] = [
    (".dockerenv", "docker"),
    ("run/.containerenv", "podman"),
    ("run/systemd/container", "a container engine"),
];

const MOUNTS: &str = "proc/self/mountinfo";

/// The device tree's two doors.
const TREES: [&str; 2] = [
    "proc/device-tree/compatible",
    "sys/firmware/devicetree/base/compatible",
];

pub(super) fn look(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    let inside = MARKS.into_iter().find(|(path, _)| root.exists(path));
    match inside {
        Some((path, engine)) => findings.found(
            Level::Note,
            "container",
            format!("{} is there, so this is a container of {engine}", at(root, path)),
            "start it with `--privileged -v /sys:/sys -v /sys/kernel/debug:/sys/kernel/debug \
             -v /var/lib/fulcrum:/var/lib/fulcrum`, and look at the programs and services of the host from the host",
        ),
        None => findings.ok("container", "none of the files is there by which engines mark a container"),
    }
    sysfs(root, machine, findings);
    device_tree(root, machine, inside.is_some(), findings);
    quota(root, findings);
    cpuset(root, findings);
}

fn sysfs(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    const NAME: &str = "sysfs";
    let table = match long_text(root, MOUNTS) {
        Ok(table) => table,
        Err(error) => return findings.unread(NAME, &error),
    };
    match mounts::of(&table, "/sys/devices/system/cpu") {
        Some(mount) if mount.read_only => {
            let knobs = machine.is_some_and(|it| !it.settings().is_empty());
            findings.found(
                if knobs { Level::Problem } else { Level::Note },
                NAME,
                format!("{} is mounted read-only ({}): no knob can be written", mount.point, at(root, MOUNTS)),
                "`sudo mount -o remount,rw /sys`, or start the container with `--privileged` or `-v /sys:/sys`",
            );
        }
        Some(mount) => findings.ok(NAME, format!("{} is mounted for writing", mount.point)),
        None => findings.found(
            Level::Note,
            NAME,
            format!("{} names no file system that /sys lies on", at(root, MOUNTS)),
            "`sudo mount -t sysfs none /sys` if knobs are missing",
        ),
    }
}

fn device_tree(root: &Root, machine: Option<&Machine>, inside: bool, findings: &mut Findings) {
    const NAME: &str = "device-tree";
    if let Some(tree) = TREES
        .into_iter()
        .find(|path| root.text(path).is_ok_and(|text| !text.is_empty()))
    {
        return findings.ok(NAME, format!("{} can be read", at(root, tree)));
    }
    let hidden = format!("no {}", at(root, TREES[0]));
    if machine.is_some_and(is_jetson) {
        findings.found(
            Level::Warning,
            NAME,
            format!("{hidden}, although this is a Jetson: its model cannot be told"),
            "start the container with `--privileged`, or docker's `--security-opt systempaths=unconfined`",
        );
    } else if inside {
        findings.found(
            Level::Note,
            NAME,
            format!("{hidden}: the container hides it, or the machine is a PC and has none"),
            "on a Jetson start the container with `--privileged`",
        );
    } else {
        findings.ok(NAME, format!("{hidden}, as on any PC"));
    }
}

fn quota(root: &Root, findings: &mut Findings) {
    const NAME: &str = "cpu-quota";
    let quota = match cgroup::quota(root) {
        Ok(Some(quota)) => quota,
        Ok(None) => return findings.ok(NAME, "no quota of processor time on this control group"),
        Err(error) => return findings.unread(NAME, &error),
    };
    // Below one whole processor even a dispatcher that is alone is stopped in each period.
    let level = if quota.per_mille() < 1_000 {
        Level::Problem
    } else {
        Level::Warning
    };
    findings.found(
        level,
        NAME,
        format!(
            "{} allows {} us of processor time each {} us, of all threads: used up, they stand until it ends",
            at(root, &quota.path),
            quota.time,
            quota.period
        ),
        "take the quota away: no `--cpus` or `--cpu-quota` for docker, `CPUQuota=` empty in the unit; share cores with \
         `--cpuset-cpus`",
    );
}

fn cpuset(root: &Root, findings: &mut Findings) {
    const NAME: &str = "cpuset";
    const STATUS: &str = "proc/self/status";
    const ONLINE: &str = "sys/devices/system/cpu/online";
    let allowed = match root.value(STATUS, allowed) {
        Ok(allowed) => allowed,
        Err(error) => return findings.unread(NAME, &error),
    };
    let online = match root.value(ONLINE, cpus) {
        Ok(online) => online,
        Err(error) => return findings.unread(NAME, &error),
    };
    // Isolated cores are kept from everybody who does not ask for them.
    let isolated = root
        .value("sys/devices/system/cpu/isolated", cpus)
        .unwrap_or_default();
    let kept = online
        .iter()
        .filter(|it| !allowed.contains(it) && !isolated.contains(it))
        .count();
    if kept == 0 {
        return findings.ok(
            NAME,
            format!("this process may run on all {} cores online", online.len()),
        );
    }
    let may = allowed.iter().filter(|it| online.contains(it)).count();
    findings.found(
        if may < 2 { Level::Warning } else { Level::Note },
        NAME,
        format!("{}: this process may run on {may} of {} cores online", at(root, STATUS), online.len()),
        "leave two or more, one for the dispatcher: docker's `--cpuset-cpus`, the unit's `AllowedCPUs=`, `taskset`",
    );
}

/// The processors that `/proc/self/status` allows.
fn allowed(status: &str) -> Option<Vec<u8>> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    cpus(list.trim()).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_a_process_may_use_are_read_from_the_list_and_not_the_mask() {
        assert_eq!(
            allowed("Cpus_allowed:\tf\nCpus_allowed_list:\t0-1,3\n"),
            Some(vec![0, 1, 3])
        );
        assert_eq!(allowed("Cpus_allowed:\tf\n"), None);
        assert_eq!(allowed("Cpus_allowed_list:\tall\n"), None);
        assert_eq!(allowed("Cpus_allowed_list:\n"), None);
    }
}
