//! The knobs: whether their files can be written, and what hides those that are not on offer.

use super::finding::{Findings, Level};
use super::{at, is_jetson};
use fulcrum::board::{Knob, Machine, Root};
use std::fs::File;

/// Debug files of the kernel: the memory clock's table and its lock are there.
const DEBUG: &str = "sys/kernel/debug";

pub(super) fn look(root: &Root, machine: &Machine, findings: &mut Findings) {
    for knob in Knob::ALL {
        let name = format!("knob-{knob}");
        match machine.absence(knob) {
            Some(why) => {
                let what = format!("not on offer: {why}");
                if is_jetson(machine) {
                    let fix =
                        "see `debugfs`, `container` and `sysfs`; until then modes leave this knob alone";
                    findings.found(Level::Warning, name, what, fix);
                } else {
                    findings.noted(name, what);
                }
            }
            None => written(root, machine, knob, name, findings),
        }
    }
    debug_files(root, is_jetson(machine), findings);
}

fn written(root: &Root, machine: &Machine, knob: Knob, name: String, findings: &mut Findings) {
    let files = machine.files(knob);
    let fault = |path: &str| File::options().write(true).open(root.join(path)).err();
    let mut refused = files
        .iter()
        .filter_map(|(setting, path)| Some((setting, path, fault(path)?)));
    let Some((setting, path, error)) = refused.next() else {
        return findings.ok(name, format!("all {} files can be written", files.len()));
    };
    let what = format!(
        "{setting} cannot be written ({}: {error}); {} of the knob's {} files refuse",
        at(root, path),
        refused.count() + 1,
        files.len()
    );
    findings.found(Level::Problem, name, what, writing_needs(error.raw_os_error()));
}

/// What to do about a knob that could not be opened for writing with this error.
fn writing_needs(errno: Option<i32>) -> &'static str {
    match errno {
        Some(libc::EROFS) => {
            "mount it for writing: `sudo mount -o remount,rw /sys`, or give the container `--privileged -v /sys:/sys`"
        }
        Some(libc::EACCES | libc::EPERM) => {
            "run fulcrum as root, or let a udev rule give its group the files (`sudo fulcrum doctor` says if it helps)"
        }
        _ => "the file is there and takes no value: look for messages of its driver in `sudo dmesg`",
    }
}

fn debug_files(root: &Root, jetson: bool, findings: &mut Findings) {
    let shown = at(root, DEBUG);
    let (so, fix) = match root.names(DEBUG) {
        Ok(names) if !names.is_empty() => {
            return findings.ok("debugfs", format!("{shown} is mounted and can be read"));
        }
        Err(error) if matches!(error.errno(), libc::EACCES | libc::EPERM) => (
            format!("{shown} is closed to this user"),
            "run fulcrum as root: `sudo fulcrum doctor`",
        ),
        _ => (
            format!("{shown} is empty or missing, so debugfs is not mounted"),
            "`sudo mount -t debugfs none /sys/kernel/debug`; for docker `-v /sys/kernel/debug:/sys/kernel/debug`",
        ),
    };
    if jetson {
        let what = format!("{so}: the table of memory clocks and their lock cannot be seen");
        findings.found(Level::Warning, "debugfs", what, fix);
    } else {
        findings.noted("debugfs", format!("{so}; only a Jetson's memory clock needs it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_own_advice() {
        assert!(writing_needs(Some(libc::EROFS)).contains("remount,rw"));
        assert!(writing_needs(Some(libc::EACCES)).contains("root"));
        assert!(writing_needs(Some(libc::EINVAL)).contains("dmesg"));
        assert!(writing_needs(None).contains("dmesg"));
    }
}
