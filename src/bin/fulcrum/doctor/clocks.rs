//! The clocks: who moves them between the limits, whether somebody pinned them, and what time is read from.

use super::finding::{Findings, Level};
use super::{at, is_jetson};
use fulcrum::board::sysfs::number;
use fulcrum::board::{Board, Machine, Root, Setting};
use fulcrum::power::journal::{Journal, State};

/// The lock that jetson_clocks puts on the memory clock.
const LOCK: &str = "sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked";

const SOURCE: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";

pub(super) fn look(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    if let Some(machine) = machine {
        governors(root, machine, findings);
        let pins = pins(machine);
        let all = !pins.is_empty() && pins.iter().all(|(_, pinned)| *pinned);
        pinned(root, all, &pins, findings);
        lock(root, machine, all, findings);
    }
    source(root, findings);
}

/// The floors of the CPU clusters and the GPU that can be read now, and whether each stands at its ceiling.
fn pins(machine: &Machine) -> Vec<(Setting, bool)> {
    let now = |setting| machine.get(setting).ok().flatten();
    let floors = machine.settings().iter().copied();
    floors
        .filter_map(|floor| {
            let ceiling = match floor {
                Setting::CpuFloor(first) => Setting::CpuCeiling(first),
                Setting::GpuFloor => Setting::GpuCeiling,
                _ => return None,
            };
            Some((floor, now(floor)? >= now(ceiling)?))
        })
        .collect()
}

fn governors(root: &Root, machine: &Machine, findings: &mut Findings) {
    for (floor, pinned) in pins(machine) {
        let (name, file, gpu) = match floor {
            Setting::CpuFloor(first) => (format!("governor-cpu{first}"), "scaling_governor", false),
            _ => ("governor-gpu".to_owned(), "governor", true),
        };
        let Some(floor) = machine.path(floor) else {
            continue;
        };
        let folder = floor.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("{folder}/{file}");
        let governor = match root.text(&path) {
            Ok(governor) => governor,
            Err(error) => {
                findings.unread(name, &error);
                continue;
            }
        };
        let shown = at(root, &path);
        if pinned {
            findings.ok(
                name,
                format!("{shown} is {governor}, with nothing to choose: floor and ceiling are one"),
            );
            continue;
        }
        let ceiling = floor.replace("min_freq", "max_freq");
        let fix = format!(
            "for streams with a tight bound raise the floor: `cat {} | sudo tee {}`",
            at(root, &ceiling),
            at(root, &floor)
        );
        match judge(&governor, gpu) {
            (Level::Ok, _) => findings.ok(name, format!("{shown} is {governor}")),
            (level, means) => findings.found(level, name, format!("{shown} is {governor}: {means}"), fix),
        }
    }
}

/// What a governor means for periodic work. On an Orin Nano Super a 100 Hz inference ran 62 % slower with free clocks
/// than with pinned ones, 69 % of it from the GPU's alone, and the worst tail needed the CPU pinned too.
/// Source: github dankang21/jetson-latency-lab (0970a90e), as in shared/design/jetson.md 4.3.
fn judge(governor: &str, gpu: bool) -> (Level, &'static str) {
    match governor {
        "performance" => (Level::Ok, ""),
        "userspace" => (
            Level::Warning,
            "the clock stays where some program put it, within the limits",
        ),
        "powersave" => (
            Level::Warning,
            "the clock stays at its floor, whatever ceiling a mode has",
        ),
        _ if gpu => (
            Level::Warning,
            "the clock falls between two requests and each starts slow (a 100 Hz inference was measured 62 % slower)",
        ),
        "schedutil" => (
            Level::Note,
            "the clock falls between two requests, which costs the worst latencies of periodic work",
        ),
        _ => (
            Level::Warning,
            "the clock is found by sampling the load, so that each request after a gap starts slow",
        ),
    }
}

fn pinned(root: &Root, all: bool, pins: &[(Setting, bool)], findings: &mut Findings) {
    const NAME: &str = "jetson-clocks";
    if pins.is_empty() {
        return findings.ok(NAME, "no clock can be set here, so none is pinned");
    }
    if !all {
        return findings.ok(
            NAME,
            "not every floor stands at its ceiling, so jetson_clocks is not in force",
        );
    }
    let held = Journal::peek(&Journal::folder(root));
    let ours = matches!(held, Ok(Some(record)) if record.state == State::Held);
    let what = format!("all {} clocks are pinned, floor at ceiling", pins.len());
    if ours {
        let what = format!("{what}, while a mode of fulcrum's is held");
        findings.found(
            Level::Note,
            NAME,
            what,
            "`sudo fulcrum mode restore` puts back what was found",
        );
    } else {
        let what = format!("{what}, as jetson_clocks leaves them: a mode must lower both");
        let fix = "`sudo jetson_clocks --restore` before fulcrum starts, or undo whatever else pinned them";
        findings.found(Level::Warning, NAME, what, fix);
    }
}

fn lock(root: &Root, machine: &Machine, pinned: bool, findings: &mut Findings) {
    const NAME: &str = "memory-clock-lock";
    match root.value(LOCK, number) {
        Ok(0) => findings.ok(NAME, format!("{} is 0", at(root, LOCK))),
        Ok(locked) => {
            let by = if pinned {
                "jetson_clocks is in force"
            } else {
                "left by `jetson_clocks --restore` or another program"
            };
            findings.found(
                Level::Warning,
                NAME,
                format!(
                    "{} is {locked}: the memory clock does not follow its ceiling ({by})",
                    at(root, LOCK)
                ),
                format!("`echo 0 | sudo tee {}`", at(root, LOCK)),
            );
        }
        Err(error) if error.is_missing() && !is_jetson(machine) => {
            findings.ok(NAME, "no Jetson, so no such lock");
        }
        Err(error) => findings.unread(NAME, &error),
    }
}

fn source(root: &Root, findings: &mut Findings) {
    const NAME: &str = "clock-source";
    let source = match root.text(SOURCE) {
        Ok(source) => source,
        Err(error) => return findings.unread(NAME, &error),
    };
    let what = format!("{} is {source}", at(root, SOURCE));
    match source.as_str() {
        "tsc" | "arch_sys_counter" => findings.ok(NAME, what),
        "kvm-clock" | "hyperv_clocksource_tsc_page" => findings.found(
            Level::Note,
            NAME,
            format!("{what}: a virtual machine's clock, which its host may adjust"),
            "measure on the board itself",
        ),
        _ => findings.found(
            Level::Warning,
            NAME,
            format!("{what}: each look at the time is a system call, or it is coarse"),
            format!(
                "`echo tsc | sudo tee {}`, if current_clocksource's neighbour available_clocksource lists it",
                at(root, SOURCE)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_governor_that_keeps_the_clock_up_is_well() {
        assert_eq!(judge("performance", false).0, Level::Ok);
        assert_eq!(judge("performance", true).0, Level::Ok);
        assert_eq!(judge("schedutil", false).0, Level::Note);
        for other in [
            "ondemand",
            "conservative",
            "interactive",
            "powersave",
            "userspace",
        ] {
            assert_eq!(judge(other, false).0, Level::Warning, "{other}");
        }
        for other in ["nvhost_podgov", "simple_ondemand", "userspace"] {
            assert_eq!(judge(other, true).0, Level::Warning, "{other}");
        }
    }
}
