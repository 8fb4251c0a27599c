//! [`RailFiles`] are the files behind a board's rails: INA3221 and INA238 on Jetson, energy counters on a PC.

use super::handle::Handle;
use super::powercap;
use super::rail::{Measured, RAILS, Rail, Rails, Sensor, rail_name};
use super::supplies::{REFRESH, Supplies};
use super::sysfs::{FileError, Root, number};
use crate::units::{Milliwatts, Nanos};

/// Where the devices on the I2C buses are listed, each with the name of its chip.
const DEVICES: &str = "sys/bus/i2c/devices";

/// Channels of an INA3221. Its inputs 4 to 6 are the shunts' voltages and 7 is their sum: no rails.
const CHANNELS: core::ops::RangeInclusive<u8> = 1..=3;

/// Microvolts of one step of an INA3221's shunt voltage. Source: Linux, drivers/hwmon/ina3221.c.
const SHUNT_STEP: u64 = 40;

/// Longest refresh that is believed. Source: 3 channels, 1024 samples, 2 x 8.2 ms each come to 50 s.
const LONGEST_REFRESH: u64 = 60_000;

/// The files of one rail.
#[derive(Debug)]
pub(super) enum Files {
    /// Millivolts and milliamperes.
    Current(Handle, Handle),
    /// Power, in units of this many microwatts.
    Power(Handle, u64),
    /// Microjoules since some moment.
    Energy(Handle),
}

impl Files {
    fn read(&mut self) -> Result<Measured, FileError> {
        Ok(match self {
            Files::Current(volts, amperes) => Measured::Current {
                millivolts: volts.value(not_negative)?,
                milliamperes: amperes.value(not_negative)?,
            },
            Files::Power(file, unit) => {
                let count = file.value(not_negative)?;
                Measured::Power(Milliwatts::from_microwatts(
                    u64::from(count).saturating_mul(*unit),
                ))
            }
            Files::Energy(file) => Measured::Energy(file.value(number)?),
        })
    }
}

/// The rails of a board and the files that show them.
#[derive(Debug)]
pub struct RailFiles {
    supplies: Supplies,
    files: Vec<Files>,
    notes: Vec<String>,
}

/// What a search has come to so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rails: Vec<(Rail, Files)>,
    pub(super) notes: Vec<String>,
}

impl RailFiles {
    /// Finds the rails below `root` by driver and label; numbers of devices may change from boot to boot. Reads no
    /// measurement. The energy counters of powercap are looked for where there is no such sensor.
    pub fn find(root: &Root) -> RailFiles {
        let mut found = Found::default();
        for device in root.names(DEVICES).unwrap_or_default() {
            let folder = format!("{DEVICES}/{device}");
            let chip = root.text(&format!("{folder}/name")).unwrap_or_default();
            let channels = match chip {
                chip if chip.contains("ina3221") => ina3221,
                chip if chip.contains("ina238") => ina238,
                _ => continue,
            };
            for (sub, layout) in layouts(root, &folder) {
                channels(root, &sub, layout, &device, &mut found);
            }
        }
        if found.rails.is_empty() {
            powercap::find(root, &mut found);
        }
        for (rail, _) in found.rails.iter().skip(RAILS) {
            let note = format!(
                "rail {} is one more than the {RAILS} there is room for",
                rail.name
            );
            found.notes.push(note);
        }
        found.rails.truncate(RAILS);
        let (rails, files): (Vec<Rail>, Vec<Files>) = found.rails.into_iter().unzip();
        RailFiles {
            supplies: Supplies::new(rails),
            files,
            notes: found.notes,
        }
    }

    /// The rails and the rule for their total.
    pub fn supplies(&self) -> &Supplies {
        &self.supplies
    }

    /// What was found and cannot be used, and why; a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What each rail shows now. May block for two refreshes on an INA3221, which answers when a conversion ends.
    pub fn read(&mut self) -> Rails {
        self.read_where(|_, _| true)
    }

    /// What the rails of the total show now; the others answer `ENODATA` and are not read.
    pub fn read_total(&mut self) -> Rails {
        self.read_where(Supplies::counts)
    }

    fn read_where(&mut self, wanted: impl Fn(&Supplies, usize) -> bool) -> Rails {
        let answers = self.files.iter_mut().enumerate().take(RAILS);
        answers
            .map(|(index, files)| match wanted(&self.supplies, index) {
                true => files.read().map_err(|error| error.errno()),
                false => Err(libc::ENODATA),
            })
            .collect()
    }
}

/// How a driver lays out its files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// JetPack 5 and newer.
    Hwmon,
    /// JetPack 4.
    Iio,
}

/// The folders of a device that hold measurements.
fn layouts(root: &Root, folder: &str) -> Vec<(String, Layout)> {
    let hwmon = root.names(&format!("{folder}/hwmon")).unwrap_or_default();
    let hwmon = hwmon
        .into_iter()
        .map(|name| (format!("{folder}/hwmon/{name}"), Layout::Hwmon));
    let iio = root.names(folder).unwrap_or_default();
    let iio = iio.into_iter().filter(|name| name.starts_with("iio:device"));
    hwmon
        .chain(iio.map(|name| (format!("{folder}/{name}"), Layout::Iio)))
        .collect()
}

fn ina3221(root: &Root, folder: &str, layout: Layout, device: &str, found: &mut Found) {
    for channel in CHANNELS {
        // iio counts its channels from 0.
        let index = channel - 1;
        let [label, volts, amperes, shunt] = match layout {
            Layout::Hwmon => [
                format!("{folder}/in{channel}_label"),
                format!("{folder}/in{channel}_input"),
                format!("{folder}/curr{channel}_input"),
                format!("{folder}/shunt{channel}_resistor"),
            ],
            Layout::Iio => [
                format!("{folder}/rail_name_{index}"),
                format!("{folder}/in_voltage{index}_input"),
                format!("{folder}/in_current{index}_input"),
                String::new(),
            ],
        };
        let label = root.text(&label).ok();
        // "Not connected".
        if label.as_deref() == Some("NC") {
            continue;
        }
        let name = label.clone().unwrap_or_else(|| format!("{device}.{channel}"));
        let power = format!("{folder}/in_power{index}_input");
        let (sensor, files) = if root.exists(&volts) && root.exists(&amperes) {
            let shunt = root.value(&shunt, number).ok();
            let handles = (Handle::new(root, &volts), Handle::new(root, &amperes));
            (
                Sensor::Current(shunt.and_then(step)),
                Files::Current(handles.0, handles.1),
            )
        } else if layout == Layout::Iio && root.exists(&power) {
            (Sensor::Power, Files::Power(Handle::new(root, &power), 1_000))
        } else {
            found.notes.extend(
                label.map(|label| format!("rail {label} has a label but no voltage and current in {folder}")),
            );
            continue;
        };
        let rail = Rail {
            name: rail_name(&name),
            sensor,
            refresh: refresh(root, folder),
        };
        found.rails.push((rail, files));
    }
}

fn ina238(root: &Root, folder: &str, _: Layout, _: &str, found: &mut Found) {
    let power = format!("{folder}/power1_input");
    if !root.exists(&power) {
        found
            .notes
            .push(format!("the INA238 in {folder} shows no power1_input"));
        return;
    }
    // The chip has one input. On Thor that is the board's, and the driver gives it no label.
    let label = root.text(&format!("{folder}/power1_label"));
    let rail = Rail {
        name: rail_name(label.as_deref().unwrap_or("VIN")),
        sensor: Sensor::Power,
        refresh: refresh(root, folder),
    };
    found
        .rails
        .push((rail, Files::Power(Handle::new(root, &power), 1)));
}

/// How long a chip shows the same conversion. Its `update_interval` (ms) has the number of samples in it.
fn refresh(root: &Root, folder: &str) -> Nanos {
    let interval = root.value(&format!("{folder}/update_interval"), number);
    match interval {
        Ok(ms) if (1..=LONGEST_REFRESH).contains(&ms) => Nanos::from_millis(ms),
        _ => REFRESH,
    }
}

/// One step of the current in mA, rounded up, over a shunt of `microohms`.
fn step(microohms: u64) -> Option<u32> {
    let milliamperes = (SHUNT_STEP * 1_000).checked_div(microohms)?;
    let exact = milliamperes.checked_mul(microohms)? == SHUNT_STEP * 1_000;
    u32::try_from(milliamperes + u64::from(!exact)).ok()
}

/// A whole number; a negative one, which a sensor at rest may show, counts as zero.
pub fn not_negative(text: &str) -> Option<u32> {
    let value: i64 = text.parse().ok()?;
    u32::try_from(value.max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_40_microvolts_over_the_shunt_rounded_up() {
        assert_eq!(step(5_000), Some(8));
        assert_eq!(step(2_000), Some(20));
        assert_eq!(step(3_000), Some(14));
        assert_eq!(step(u64::MAX), Some(1));
        assert_eq!(step(0), None);
    }

    #[test]
    fn a_negative_current_is_none_and_a_word_is_an_error() {
        assert_eq!(not_negative("-8"), Some(0));
        assert_eq!(not_negative("920"), Some(920));
        assert_eq!(not_negative("99999999999"), None);
        assert_eq!(not_negative("NC"), None);
    }
}
