//! Throttling: heat and current that hold clocks down, whatever is set.

use super::at;
use super::finding::{Findings, Level};
use fulcrum::board::Root;
use fulcrum::board::sysfs::number;
use fulcrum::board::thermal::slows_down;

const COOLING: &str = "sys/class/thermal";
const SENSORS: &str = "sys/class/hwmon";

/// What the counters of `soctherm_oc` count. Source: shared/design/jetson.md 1.9.
const EVENTS: [(u8, &str); 3] = [
    (1, "under-voltage"),
    (2, "average over-current"),
    (3, "instantaneous over-current"),
];

pub(super) fn look(root: &Root, findings: &mut Findings) {
    cooling(root, findings);
    over_current(root, findings);
}

fn cooling(root: &Root, findings: &mut Findings) {
    const NAME: &str = "cooling";
    let names = match root.names(COOLING) {
        Ok(names) => names,
        Err(error) => return findings.unread(NAME, &error),
    };
    let devices: Vec<String> = names
        .into_iter()
        .filter(|it| it.starts_with("cooling_device"))
        .collect();
    let at_work = devices.iter().find_map(|device| {
        let kind = root.text(&format!("{COOLING}/{device}/type")).unwrap_or_default();
        let path = format!("{COOLING}/{device}/cur_state");
        let state = root.value(&path, number).ok()?;
        (state > 0 && slows_down(&kind)).then_some((kind, path, state))
    });
    match at_work {
        Some((kind, path, state)) => findings.found(
            Level::Warning,
            NAME,
            format!("{} is {state}: {kind:?} holds clocks down because of heat", at(root, &path)),
            "cool the board (fan, heat sink, air), or choose a smaller mode; do not measure a profile until it is cool",
        ),
        None => findings.ok(NAME, format!("none of {} cooling devices limits a clock", devices.len())),
    }
}

fn over_current(root: &Root, findings: &mut Findings) {
    const NAME: &str = "over-current";
    let names = match root.names(SENSORS) {
        Ok(names) => names,
        Err(error) => return findings.unread(NAME, &error),
    };
    let sensor = names.iter().find_map(|name| {
        let folder = format!("{SENSORS}/{name}");
        root.text(&format!("{folder}/name"))
            .is_ok_and(|it| it == "soctherm_oc")
            .then_some(folder)
    });
    let Some(folder) = sensor else {
        return findings.ok(
            NAME,
            format!(
                "no counters of over-current (no soctherm_oc below {})",
                at(root, SENSORS)
            ),
        );
    };
    let mut moved = Vec::new();
    for (number_of, means) in EVENTS {
        let path = format!("{folder}/oc{number_of}_event_cnt");
        match root.value(&path, number) {
            Ok(0) => {}
            Ok(count) => moved.push(format!("{} is {count} ({means})", at(root, &path))),
            Err(error) if error.is_missing() => {}
            Err(error) => return findings.unread(NAME, &error),
        }
    }
    if moved.is_empty() {
        return findings.ok(
            NAME,
            format!("no over-current since the boot ({})", at(root, &folder)),
        );
    }
    findings.found(
        Level::Warning,
        NAME,
        format!(
            "{}: since the boot the hardware has skipped clocks that still read as set",
            moved.join(", ")
        ),
        "choose a smaller mode or a stronger supply, and see in `fulcrum watch` whether they still move",
    );
}
