//! The energy counters of a PC: zones of Linux's powercap, such as a processor package, its cores and its memory.

use super::handle::Handle;
use super::rail::{Rail, Sensor, rail_name};
use super::rails::{Files, Found};
use super::sysfs::{Root, number};
use crate::units::Nanos;

/// Where the zones are. Source: Linux, Documentation/power/powercap/powercap.rst.
const ZONES: &str = "sys/class/powercap";

/// How often a counter moves. Source: Intel SDM 3B, "RAPL interfaces": about every millisecond.
const REFRESH: Nanos = Nanos::from_millis(1);

/// Adds every zone that has a counter which can be read.
pub(super) fn find(root: &Root, found: &mut Found) {
    for zone in root.names(ZONES).unwrap_or_default() {
        let folder = format!("{ZONES}/{zone}");
        let counter = format!("{folder}/energy_uj");
        // The same packages once more, through another door.
        if zone.starts_with("intel-rapl-mmio") || !root.exists(&counter) {
            continue;
        }
        let name = zone_name(root, &zone);
        let range = root.value(&format!("{folder}/max_energy_range_uj"), number);
        match (root.value(&counter, number), range) {
            (Ok(_), Ok(range)) if range > 0 => found.rails.push((
                Rail {
                    name: rail_name(&name),
                    sensor: Sensor::Energy(range),
                    refresh: REFRESH,
                },
                Files::Energy(Handle::new(root, &counter)),
            )),
            // Readable by root alone since 2020, because fine readings of it leak keys.
            (Err(error), _) if error.errno() == libc::EACCES => found.notes.push(format!(
                "energy counter {name} is there and needs the right to read {}",
                error.path.display()
            )),
            (Err(error), _) | (_, Err(error)) => {
                found.notes.push(format!("energy counter {name}: {error}"));
            }
            (Ok(_), Ok(_)) => found.notes.push(format!("energy counter {name} has no range")),
        }
    }
}

/// `package-0`, or `package-0/core` for a zone inside another: `intel-rapl:0:1` lies inside `intel-rapl:0`.
fn zone_name(root: &Root, zone: &str) -> String {
    let own = |zone: &str| {
        root.text(&format!("{ZONES}/{zone}/name"))
            .unwrap_or_else(|_| zone.to_owned())
    };
    match zone.rsplit_once(':') {
        Some((outer, _)) if outer.contains(':') => format!("{}/{}", own(outer), own(zone)),
        _ => own(zone),
    }
}
