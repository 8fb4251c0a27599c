//! [`Zones`] are a board's temperature sensors; [`Cooling`] are the devices that keep them cool by slowing it down.

use super::handle::Handle;
use super::sysfs::{FileFault, Root, number};
use crate::units::Millicelsius;
use core::fmt;

/// Where both are listed.
const THERMAL: &str = "sys/class/thermal";

/// Temperatures outside of this are no board's, m C. Tools of JetPack 4 and 5 print -256 C for a zone that is off.
const BELIEVED: core::ops::RangeInclusive<i32> = -55_000..=200_000;

/// What happens at a temperature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// `passive` slows down, `active` starts a fan, `hot` warns, `critical` switches off.
    pub kind: String,
    /// From here on.
    pub at: Millicelsius,
}

/// Why a zone's value is not taken for a temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A PMIC without a sensor: its zone shows a constant, 50 C, on every board that has one.
    Constant,
    /// Outside of what any board survives, as the -256 C that old tools show for a zone that is off.
    Range,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doubt::Constant => "a constant, not a measurement",
            Doubt::Range => "no temperature that a board can have",
        })
    }
}

/// What a zone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heat {
    /// A temperature.
    On(Millicelsius),
    /// The block it measures has no power (`EAGAIN`).
    Off,
    /// A value that is not believed.
    Doubted(Millicelsius, Doubt),
    /// The zone could not be read: the operating system's error number.
    Unreadable(i32),
}

/// One temperature sensor.
#[derive(Debug)]
pub struct Zone {
    kind: String,
    trips: Vec<Trip>,
    file: Handle,
}

impl Zone {
    /// What it measures, as `gpu-thermal`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its trip points. Read them; never write one.
    pub fn trips(&self) -> &[Trip] {
        &self.trips
    }

    /// What it shows now.
    pub fn read(&mut self) -> Heat {
        match self.file.value(temperature) {
            Ok(heat) if !BELIEVED.contains(&heat.0) => Heat::Doubted(heat, Doubt::Range),
            // Source: shared/design/jetson.md 1.7.
            Ok(heat) if self.kind.starts_with("PMIC") => Heat::Doubted(heat, Doubt::Constant),
            Ok(heat) => Heat::On(heat),
            Err(error) if error.fault == FileFault::Errno(libc::EAGAIN) => Heat::Off,
            Err(error) => Heat::Unreadable(error.errno()),
        }
    }
}

/// The temperature sensors of a board.
#[derive(Debug, Default)]
pub struct Zones(Vec<Zone>);

impl Zones {
    /// Finds the zones below `root`. Their numbers say nothing; their types name them.
    pub fn find(root: &Root) -> Zones {
        let zones = folders(root, "thermal_zone").filter_map(|folder| {
            Some(Zone {
                kind: root.text(&format!("{folder}/type")).ok()?,
                trips: trips(root, &folder),
                file: Handle::new(root, &format!("{folder}/temp")),
            })
        });
        Zones(zones.collect())
    }

    /// The zones, to be read one by one.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Zone> {
        self.0.iter_mut()
    }

    /// The zones.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.0.iter()
    }

    /// The hottest zone that is on, and its temperature.
    pub fn hottest(&mut self) -> Option<(&str, Millicelsius)> {
        let on = self.0.iter_mut().filter_map(|zone| match zone.read() {
            Heat::On(heat) => Some((zone.kind.as_str(), heat)),
            Heat::Off | Heat::Doubted(..) | Heat::Unreadable(_) => None,
        });
        on.max_by_key(|(_, heat)| *heat)
    }
}

fn folders(root: &Root, stem: &str) -> impl Iterator<Item = String> {
    let names = root.names(THERMAL).unwrap_or_default();
    let folders = names.into_iter().filter(move |name| name.starts_with(stem));
    folders.map(|name| format!("{THERMAL}/{name}"))
}

fn trips(root: &Root, folder: &str) -> Vec<Trip> {
    let trip = |index: u32| {
        let of = |what: &str| format!("{folder}/trip_point_{index}_{what}");
        Some(Trip {
            kind: root.text(&of("type")).ok()?,
            at: root.value(&of("temp"), temperature).ok()?,
        })
    };
    // Numbered without a gap from 0.
    (0..).map_while(trip).collect()
}

/// A temperature as a zone shows it: a whole number of m C.
pub fn temperature(text: &str) -> Option<Millicelsius> {
    text.parse().ok().map(Millicelsius)
}

/// A device that the kernel may use to cool.
#[derive(Debug)]
pub struct CoolingDevice {
    kind: String,
    most: u64,
    file: Handle,
}

impl CoolingDevice {
    /// What it is, as `cpufreq-cpu0`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// How far it can go.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// How far it goes now, 0 to [`CoolingDevice::most`]; the operating system's error number where that is not known.
    pub fn read(&mut self) -> Result<u64, i32> {
        let state = self.file.value(|text| text.parse::<i64>().ok());
        // intel_powerclamp shows -1 at rest.
        state
            .map(|state| u64::try_from(state).unwrap_or(0))
            .map_err(|error| error.errno())
    }
}

/// Whether a cooling device of this type slows the board down. Fans and screens do not, nor does the offset of Intel's
/// threshold.
pub fn slows_down(kind: &str) -> bool {
    let lower = kind.to_ascii_lowercase();
    !["fan", "lcd", "tcc offset"].iter().any(|it| lower.contains(it))
}

/// The devices that cool by slowing the board down.
#[derive(Debug, Default)]
pub struct Cooling(Vec<CoolingDevice>);

impl Cooling {
    /// Finds them below `root`; see [`slows_down`].
    pub fn find(root: &Root) -> Cooling {
        let devices = folders(root, "cooling_device").filter_map(|folder| {
            let kind = root.text(&format!("{folder}/type")).ok()?;
            slows_down(&kind).then(|| CoolingDevice {
                most: root.value(&format!("{folder}/max_state"), number).unwrap_or(0),
                file: Handle::new(root, &format!("{folder}/cur_state")),
                kind,
            })
        });
        Cooling(devices.collect())
    }

    /// The devices, to be read one by one.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut CoolingDevice> {
        self.0.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_are_signed_whole_numbers() {
        assert_eq!(temperature("47875"), Some(Millicelsius(47_875)));
        assert_eq!(temperature("-256000"), Some(Millicelsius(-256_000)));
        assert_eq!(temperature("47.8"), None);
        assert_eq!(temperature(""), None);
    }
}
