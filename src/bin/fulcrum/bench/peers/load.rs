//! [`Load`]: how much of the machine other work took while an arm ran, and how often the arm's threads gave
//! way.

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use std::fs;

/// Above this share of the processors a repeat counts as disturbed.
pub(super) const DISTURBED: f64 = 0.02;

/// What the kernel has counted by a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    at: Nanos,
    machine: Machine,
    /// Ticks that the watched processes have used.
    own: u64,
    switches: u64,
}

/// The first line of `/proc/stat`, ticks of all processors together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Machine {
    /// Idle or waiting for a device.
    idle: u64,
    /// Taken by the hypervisor for others.
    steal: u64,
    processors: u64,
}

impl Load {
    /// What there is to read now about the machine and `processes`, which must live. Where `threads` do the
    /// work, the first of each process only waits for them and does not count.
    pub(super) fn now(processes: &[u32], threads: bool) -> Result<Load, String> {
        let machine = parse_machine(&read("/proc/stat")?).ok_or("/proc/stat is not as expected")?;
        let mut own = 0;
        let mut switches = 0;
        for process in processes.iter().copied().chain([std::process::id()]) {
            let path = format!("/proc/{process}/stat");
            own += parse_used(&read(&path)?).ok_or_else(|| format!("{path} is not as expected"))?;
        }
        for process in processes {
            switches += switches_of(*process, threads)?;
        }
        Ok(Load {
            at: Monotonic.now(),
            machine,
            own,
            switches,
        })
    }

    /// The share of all processors that went neither to the watched processes nor was left idle.
    pub(super) fn others_since(&self, before: &Load) -> f64 {
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let all = (self.at - before.at).as_secs_f64() * self.machine.processors as f64 * ticks;
        let idle = self.machine.idle.saturating_sub(before.machine.idle) as f64;
        let own = self.own.saturating_sub(before.own) as f64;
        let steal = self.machine.steal.saturating_sub(before.machine.steal) as f64;
        // Stolen time is in what is left over, unless the kernel charges it to the process that it was stolen
        // from.
        (all - idle - own).max(steal) / all.max(1.0)
    }

    pub(super) fn switches_since(&self, before: &Load) -> u64 {
        self.switches.saturating_sub(before.switches)
    }
}

/// The part of each second that the kernel lets real-time threads run where others want to
/// (`sched_rt_runtime_us`); `None` if it does not tell.
pub(super) fn realtime_share() -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        let text = read(&format!("/proc/sys/kernel/{name}")).ok()?;
        text.trim().parse().ok()
    };
    let (runtime, period) = (number("sched_rt_runtime_us")?, number("sched_rt_period_us")?);
    // -1 is no limit.
    Some(if runtime < 0.0 {
        1.0
    } else {
        runtime / period.max(1.0)
    })
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path} could not be read: {error}"))
}

fn parse_machine(text: &str) -> Option<Machine> {
    let mut fields = text.lines().next()?.split_whitespace().skip(1).skip(3);
    let mut field = || fields.next()?.parse::<u64>().ok();
    let idle = field()? + field()?;
    let (_irq, _softirq, steal) = (field()?, field()?, field()?);
    let of_one = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(Machine {
        idle,
        steal,
        processors: text.lines().filter(of_one).count() as u64,
    })
}

/// User and system ticks from `/proc/PID/stat`, fields 14 and 15. The name before them may hold blanks and
/// brackets.
fn parse_used(text: &str) -> Option<u64> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Of all threads of a process that live, or all but its first.
fn switches_of(process: u32, but_first: bool) -> Result<u64, String> {
    let folder = format!("/proc/{process}/task");
    let tasks = fs::read_dir(&folder).map_err(|error| format!("{folder} could not be read: {error}"))?;
    let threads = tasks
        .flatten()
        .filter_map(|task| task.file_name().into_string().ok())
        .filter(|thread| !but_first || *thread != process.to_string());
    let of = |thread: String| {
        // One that has just ended has nothing to tell.
        let text = fs::read_to_string(format!("{folder}/{thread}/status")).unwrap_or_default();
        let counts = text.lines().filter_map(|line| {
            let count = line
                .strip_prefix("voluntary_ctxt_switches:")
                .or(line.strip_prefix("nonvoluntary_ctxt_switches:"));
            count?.trim().parse::<u64>().ok()
        });
        counts.sum::<u64>()
    };
    Ok(threads.map(of).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let text = "cpu  23800 21161 8090 64238 765 1 45 37 0 0\ncpu0 1 2\ncpu1 3 4\nintr 5\n";
        let machine = Machine {
            idle: 64_238 + 765,
            steal: 37,
            processors: 2,
        };
        assert_eq!(parse_machine(text), Some(machine));
        assert_eq!(parse_machine("cpu 1 2"), None);
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 100 0 0 0 70 5 0 0 20 0 1 0 99";
        assert_eq!(parse_used(stat), Some(75));
        assert_eq!(parse_used("12 (a"), None);
    }

    #[test]
    fn what_is_left_over_is_other_work_and_stolen_time_is_never_less() {
        let load = |at, idle, own, steal| Load {
            at: Nanos::from_secs(at),
            machine: Machine {
                idle,
                steal,
                processors: 2,
            },
            own,
            switches: 0,
        };
        let ticks = rustix::param::clock_ticks_per_second();
        let before = load(10, 0, 0, 0);
        let close = |share: f64, wanted: f64| assert!((share - wanted).abs() < 1e-9, "{share} {wanted}");
        close(load(11, ticks, ticks / 2, 0).others_since(&before), 0.25);
        close(load(11, ticks, ticks, 0).others_since(&before), 0.0);
        close(load(11, ticks, ticks, ticks / 10).others_since(&before), 0.05);
    }
}
