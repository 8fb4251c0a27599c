//! The processor's cores: those that are off, set apart, or sleep so deep that waking takes long.

use super::at;
use super::finding::{Findings, Level};
use fulcrum::board::Root;
use fulcrum::board::sysfs::{cpus, number};

const FOLDER: &str = "sys/devices/system/cpu";

/// Microseconds of waking from which an idle state is felt: twice the stall of a change of the CPU's clock, 49 us.
/// Source: shared/design/jetson.md 4.5.
const FELT: u64 = 100;

pub(super) fn look(root: &Root, findings: &mut Findings) {
    offline(root, findings);
    isolated(root, findings);
    idle(root, findings);
}

fn list(cores: &[u8]) -> String {
    let cores: Vec<String> = cores.iter().map(u8::to_string).collect();
    cores.join(",")
}

fn offline(root: &Root, findings: &mut Findings) {
    const NAME: &str = "offline-cores";
    let read = |file: &str| root.value(&format!("{FOLDER}/{file}"), cpus);
    let (present, online) = match (read("present"), read("online")) {
        (Ok(present), Ok(online)) => (present, online),
        (Err(error), _) | (_, Err(error)) => return findings.unread(NAME, &error),
    };
    let off: Vec<u8> = present.into_iter().filter(|it| !online.contains(it)).collect();
    let Some(first) = off.first() else {
        return findings.ok(NAME, format!("all {} cores are online", online.len()));
    };
    findings.found(
        Level::Note,
        NAME,
        format!(
            "cores {} are offline ({})",
            list(&off),
            at(root, &format!("{FOLDER}/online"))
        ),
        format!(
            "a power mode may want it so; else `echo 1 | sudo tee {}`",
            at(root, &format!("{FOLDER}/cpu{first}/online"))
        ),
    );
}

fn isolated(root: &Root, findings: &mut Findings) {
    const NAME: &str = "isolated-cores";
    let path = format!("{FOLDER}/isolated");
    match root.value(&path, cpus) {
        Ok(cores) if cores.is_empty() => findings.ok(NAME, format!("{} names none", at(root, &path))),
        Ok(cores) => findings.found(
            Level::Note,
            NAME,
            format!(
                "cores {} are set apart ({}): only what is pinned there runs there",
                list(&cores),
                at(root, &path)
            ),
            "pin the dispatcher to one of them, and leave them online in every mode",
        ),
        Err(error) => findings.unread(NAME, &error),
    }
}

/// An idle state that is on.
struct Idle {
    /// Microseconds that waking takes, if they can be read.
    latency: Option<u64>,
    core: u8,
    state: u8,
}

fn idle(root: &Root, findings: &mut Findings) {
    const NAME: &str = "idle-states";
    let cores = match root.value(&format!("{FOLDER}/online"), cpus) {
        Ok(cores) => cores,
        Err(error) => return findings.unread(NAME, &error),
    };
    let on: Vec<Idle> = cores.iter().flat_map(|core| states(root, *core)).collect();
    let deep = |it: &&Idle| it.state > 0 && it.latency.is_none_or(|it| it >= FELT);
    // The last of equals is taken: of the first core.
    let deepest = on
        .iter()
        .rev()
        .filter(deep)
        .max_by_key(|it| (it.latency, it.state));
    let Some(deepest) = deepest else {
        return findings.ok(
            NAME,
            format!("no core sleeps so deep that waking takes {FELT} us"),
        );
    };
    let folder = format!("{FOLDER}/cpu{}/cpuidle/state{}", deepest.core, deepest.state);
    let called = root.text(&format!("{folder}/name")).unwrap_or_default();
    let (level, takes) = match deepest.latency {
        Some(latency) => (Level::Warning, format!("waking takes {latency} us")),
        None => (Level::Note, "how long waking takes cannot be read".to_owned()),
    };
    let command = format!(
        "for it in {}/cpu*/cpuidle/state{}/disable; do echo 1 | sudo tee $it; done",
        at(root, FOLDER),
        deepest.state
    );
    findings.found(
        level,
        NAME,
        format!(
            "idle state {called:?} is on ({}/disable is 0): {takes}",
            at(root, &folder)
        ),
        format!("if that is too much for a bound, at the price of idle power: `{command}`"),
    );
}

/// The idle states of `core` that are on.
fn states(root: &Root, core: u8) -> Vec<Idle> {
    let folder = format!("{FOLDER}/cpu{core}/cpuidle");
    let names = root.names(&folder).unwrap_or_default();
    let states = names
        .iter()
        .filter_map(|it| it.strip_prefix("state")?.parse().ok());
    states
        .filter(|state| {
            let disabled = root.value(&format!("{folder}/state{state}/disable"), number);
            disabled.is_ok_and(|it| it == 0)
        })
        .map(|state: u8| Idle {
            latency: root.value(&format!("{folder}/state{state}/latency"), number).ok(),
            core,
            state,
        })
        .collect()
}
