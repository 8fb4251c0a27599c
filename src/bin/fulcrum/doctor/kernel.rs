//! The kernel: whether it lets a real-time thread run, and whether it owns the processor at all.

use super::finding::{Findings, Level};
use super::{at, long_text};
use fulcrum::board::Root;
use fulcrum::board::sysfs::{number, trimmed};

const RUNTIME: &str = "proc/sys/kernel/sched_rt_runtime_us";
const PERIOD: &str = "proc/sys/kernel/sched_rt_period_us";
const REALTIME: &str = "sys/kernel/realtime";
const VERSION: &str = "proc/version";
const CPUINFO: &str = "proc/cpuinfo";
const HYPERVISOR: &str = "sys/hypervisor/type";
const STAT: &str = "proc/stat";

pub(super) fn look(root: &Root, findings: &mut Findings) {
    throttling(root, findings);
    preemption(root, findings);
    hypervisor(root, findings);
    stolen(root, findings);
}

fn throttling(root: &Root, findings: &mut Findings) {
    const NAME: &str = "rt-throttling";
    let runtime = root.value(RUNTIME, |text| trimmed(text).parse::<i64>().ok());
    let (runtime, period) = match (runtime, root.value(PERIOD, number)) {
        (Ok(runtime), Ok(period)) => (runtime, period),
        (Err(error), _) | (_, Err(error)) => return findings.unread(NAME, &error),
    };
    let shown = at(root, RUNTIME);
    // -1 is no limit, and no unsigned number.
    match u64::try_from(runtime) {
        Ok(runtime) if runtime < period => findings.found(
            Level::Warning,
            NAME,
            format!(
                "{shown} is {runtime} of {period}: a real-time thread is stopped for {} ms each {} ms; training leaves them free",
                (period - runtime) as f64 / 1e3,
                period as f64 / 1e3
            ),
            "`sudo sysctl -w kernel.sched_rt_runtime_us=-1`, if no other real-time program could run away",
        ),
        _ => findings.ok(NAME, format!("{shown} is {runtime}: a busy real-time thread is not stopped")),
    }
}

fn preemption(root: &Root, findings: &mut Findings) {
    const NAME: &str = "preemption";
    if root.value(REALTIME, number).is_ok_and(|it| it == 1) {
        return findings.ok(NAME, format!("{} is 1: a real-time kernel", at(root, REALTIME)));
    }
    let version = match long_text(root, VERSION) {
        Ok(version) => version,
        Err(error) => return findings.unread(NAME, &error),
    };
    let shown = at(root, VERSION);
    match preemption_of(&version) {
        Preemption::Realtime => findings.ok(NAME, format!("{shown} says PREEMPT_RT")),
        Preemption::Some(word) => findings.found(
            Level::Note,
            NAME,
            format!(
                "{shown} says {word}, not PREEMPT_RT: the kernel's own work may delay the dispatcher for ms"
            ),
            "for hard bounds install a real-time kernel; NVIDIA's JetPack has packages of one",
        ),
        Preemption::None => findings.found(
            Level::Warning,
            NAME,
            format!(
                "{shown} does not say PREEMPT: a thread in the kernel is not interrupted for the dispatcher"
            ),
            "install a kernel with PREEMPT or PREEMPT_RT; NVIDIA's JetPack kernels have it",
        ),
    }
}

/// When the kernel interrupts itself.
#[derive(Debug, PartialEq, Eq)]
enum Preemption<'a> {
    Realtime,
    Some(&'a str),
    None,
}

/// From the kernel's version text, `... #1 SMP PREEMPT Tue ...`.
fn preemption_of(version: &str) -> Preemption<'_> {
    let words = || version.split_whitespace();
    if words().any(|it| matches!(it, "PREEMPT_RT" | "RT")) {
        return Preemption::Realtime;
    }
    let word = words().find(|it| matches!(*it, "PREEMPT" | "PREEMPT_DYNAMIC"));
    word.map_or(Preemption::None, Preemption::Some)
}

fn hypervisor(root: &Root, findings: &mut Findings) {
    const NAME: &str = "hypervisor";
    let by = match root.text(HYPERVISOR) {
        Ok(kind) => Some(format!("{} is {kind}", at(root, HYPERVISOR))),
        Err(_) => match long_text(root, CPUINFO) {
            Ok(text) => {
                has_hypervisor(&text).then(|| format!("{} has the flag `hypervisor`", at(root, CPUINFO)))
            }
            Err(error) => return findings.unread(NAME, &error),
        },
    };
    match by {
        Some(by) => findings.found(
            Level::Note,
            NAME,
            format!("{by}: this is a virtual machine, and its times are not a board's"),
            "measure profiles and bounds on the board itself",
        ),
        None => findings.ok(NAME, "no sign of a hypervisor"),
    }
}

/// Whether `/proc/cpuinfo` of a PC has the flag by which a processor says that it is not real.
fn has_hypervisor(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|it| it == "hypervisor"))
}

fn stolen(root: &Root, findings: &mut Findings) {
    const NAME: &str = "steal-time";
    let text = match long_text(root, STAT) {
        Ok(text) => text,
        Err(error) => return findings.unread(NAME, &error),
    };
    let shown = at(root, STAT);
    match steal(&text) {
        Some((0, _)) => findings.ok(NAME, format!("{shown} tells of none")),
        Some((stolen, all)) => findings.found(
            Level::Warning,
            NAME,
            format!(
                "{shown}: other machines of the host took {stolen} of {all} ticks since the boot ({:.2} %)",
                stolen as f64 * 100.0 / all as f64
            ),
            "give the virtual machine processors of its own, or measure on the board itself",
        ),
        None => findings.noted(
            NAME,
            format!("not judged: {shown} has no line of all processors with steal time"),
        ),
    }
}

/// Ticks that a host took, and all ticks, from the first line of `/proc/stat`: user, nice, system, idle, iowait, irq,
/// softirq, steal; guests' time after it is counted in user's already.
fn steal(stat: &str) -> Option<(u64, u64)> {
    let ticks = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = ticks
        .split_whitespace()
        .take(8)
        .map_while(|it| it.parse().ok())
        .collect();
    let all = ticks.iter().fold(0, |all: u64, it| all.saturating_add(*it));
    Some((*ticks.get(7)?, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kernels_are_told_apart_by_when_they_interrupt_themselves() {
        let jetson =
            "Linux version 5.15.148-tegra (buildbrain@x) (gcc) #1 SMP PREEMPT Tue Jan 7 17:14:38 PST 2025";
        assert_eq!(preemption_of(jetson), Preemption::Some("PREEMPT"));
        assert_eq!(preemption_of("#1 SMP PREEMPT_RT Tue"), Preemption::Realtime);
        assert_eq!(preemption_of("#1 SMP PREEMPT RT Tue"), Preemption::Realtime);
        assert_eq!(
            preemption_of("#1 SMP PREEMPT_DYNAMIC @0"),
            Preemption::Some("PREEMPT_DYNAMIC")
        );
        assert_eq!(preemption_of("#65-Ubuntu SMP Mon"), Preemption::None);
    }

    #[test]
    fn stolen_ticks_are_the_eighth_and_guests_are_not_counted_twice() {
        assert_eq!(steal("cpu  10 0 5 80 1 0 2 2 50 0\ncpu0 1 1\n"), Some((2, 100)));
        assert_eq!(steal("cpu  10 0 5 80\n"), None);
        assert_eq!(steal("cpu0 10 0 5 80 1 0 2 2\n"), None);
    }

    #[test]
    fn the_flag_is_a_whole_word_of_the_flags() {
        assert!(has_hypervisor(
            "model name\t: x\nflags\t\t: fpu hypervisor lahf_lm\n"
        ));
        assert!(!has_hypervisor("model name\t: hypervisor\nflags\t\t: fpu\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "(cpu |flags)?[\\PC\n0-9 ]{0,80}") {
            let _ = (steal(&text), has_hypervisor(&text));
            let _ = preemption_of(&text);
        }
    }
}
