//! Builds what measures: thermal zones, rails, the fan, the over-current counters.

use super::super::attribute::{Attribute, Kept};
use super::super::board::{Board, Channel, Chip, Heat};
use super::super::rails::RailFile;
use super::Builder;
use rustix::io::Errno;

/// Governors of a thermal zone.
const ZONE_POLICIES: &[&str] = &["step_wise", "user_space", "continuous_therm_est", "bang_bang"];

pub(super) fn zones(to: &mut Builder, board: &Board) -> Result<(), Errno> {
    for (index, zone) in board.zones.iter().enumerate() {
        let folder = format!("sys/devices/virtual/thermal/thermal_zone{index}");
        to.line(&format!("{folder}/type"), zone.name)?;
        to.knob(&format!("{folder}/temp"), 0o444, Attribute::Temperature(index))?;
        to.kept(
            &format!("{folder}/policy"),
            Kept::Word("step_wise", ZONE_POLICIES),
        )?;
        to.kept(
            &format!("{folder}/mode"),
            Kept::Word("enabled", &["enabled", "disabled"]),
        )?;
        if zone.trips {
            for (trip, kind, at) in [(0, "passive", 99_000), (1, "critical", 104_500)] {
                to.line(&format!("{folder}/trip_point_{trip}_type"), kind)?;
                to.line(&format!("{folder}/trip_point_{trip}_temp"), &at.to_string())?;
            }
        }
        debug_assert!(!zone.trips || !matches!(zone.heat, Heat::Off));
        to.link_to(&format!("sys/class/thermal/thermal_zone{index}"), &folder)?;
    }
    // Names as mainline's drivers give them (recalled): the first policy, and the GPU's clock.
    for (index, kind) in ["cpufreq-cpu0", "devfreq-gpu"].into_iter().enumerate() {
        let folder = format!("sys/devices/virtual/thermal/cooling_device{index}");
        to.line(&format!("{folder}/type"), kind)?;
        to.line(&format!("{folder}/max_state"), COOLED)?;
        to.knob(&format!("{folder}/cur_state"), 0o444, Attribute::Cooling)?;
        to.link_to(&format!("sys/class/thermal/cooling_device{index}"), &folder)?;
    }
    Ok(())
}

/// The state of a device that is cooled as far as the twin does: to half its clock.
pub(in crate::twin::tree) const COOLED: &str = "10";

fn hwmon(to: &mut Builder, device: &str, number: u32, name: &str) -> Result<String, Errno> {
    let folder = format!("{device}/hwmon/hwmon{number}");
    to.line(&format!("{folder}/name"), name)?;
    to.link_to(&format!("sys/class/hwmon/hwmon{number}"), &folder)?;
    Ok(folder)
}

pub(super) fn fan_and_over_current(to: &mut Builder, board: &Board) -> Result<(), Errno> {
    let fan = hwmon(to, "sys/devices/platform/pwm-fan", 0, "pwmfan")?;
    to.knob(&format!("{fan}/pwm1"), 0o644, Attribute::FanDuty)?;
    to.kept(&format!("{fan}/pwm1_enable"), Kept::Number(1, 0..=5))?;
    let (tachometer, over_current) = board.hwmon;
    let rpm = hwmon(
        to,
        "sys/devices/platform/39c0000.tachometer",
        tachometer,
        "pwm_tach",
    )?;
    to.knob(&format!("{rpm}/rpm"), 0o444, Attribute::FanSpeed)?;
    if let Some(number) = over_current {
        let folder = hwmon(
            to,
            "sys/devices/platform/soctherm-oc-event",
            number,
            "soctherm_oc",
        )?;
        for input in 1..=3 {
            to.line(&format!("{folder}/oc{input}_throt_en"), "1")?;
            let count = format!("{folder}/oc{input}_event_cnt");
            to.knob(&count, 0o444, Attribute::OverCurrent(input - 1))?;
        }
    }
    Ok(())
}

pub(super) fn rails(to: &mut Builder, board: &Board, index: usize, chip: &Chip) -> Result<(), Errno> {
    let device = format!("{}/c240000.i2c/i2c-1/{}", board.bus, chip.address);
    to.line(&format!("{device}/name"), "ina3221")?;
    let folder = hwmon(to, &device, chip.hwmon, "ina3221")?;
    for place in ["sys/bus/i2c/drivers/ina3221", "sys/bus/i2c/devices"] {
        to.link_to(&format!("{place}/{}", chip.address), &device)?;
    }
    let mut file = |name: String, perm: u16, file: RailFile| {
        to.knob(&format!("{folder}/{name}"), perm, Attribute::Rail(index, file))
    };
    file("samples".to_owned(), 0o644, RailFile::Samples)?;
    file("update_interval".to_owned(), 0o644, RailFile::Interval)?;
    for (at, Channel { rail, .. }) in chip.channels.iter().enumerate() {
        let n = at + 1;
        file(format!("in{n}_input"), 0o444, RailFile::Millivolts(at))?;
        file(format!("curr{n}_input"), 0o444, RailFile::Milliamperes(at))?;
        file(format!("in{n}_enable"), 0o644, RailFile::Enable(at))?;
        if rail.is_some() {
            file(format!("in{}_input", n + 3), 0o444, RailFile::Shunt(at))?;
            file(format!("curr{n}_crit"), 0o644, RailFile::Critical(at))?;
            file(format!("curr{n}_max"), 0o644, RailFile::Warn(at))?;
            file(format!("curr{n}_crit_alarm"), 0o444, RailFile::CriticalAlarm(at))?;
            file(format!("curr{n}_max_alarm"), 0o444, RailFile::WarnAlarm(at))?;
        }
    }
    // The sum of the channels, which is not set up: it reads zero.
    file("in7_input".to_owned(), 0o444, RailFile::Shunt(3))?;
    file("curr4_input".to_owned(), 0o444, RailFile::Milliamperes(3))?;
    file("curr4_crit".to_owned(), 0o644, RailFile::Critical(3))?;
    file("curr4_crit_alarm".to_owned(), 0o444, RailFile::CriticalAlarm(3))?;
    to.line(&format!("{folder}/in7_label"), "sum of shunt voltages")?;
    for (at, channel) in chip.channels.iter().enumerate() {
        to.line(&format!("{folder}/in{}_label", at + 1), channel.label)?;
        if channel.rail.is_some() {
            let shunt = chip.shunt.to_string();
            to.line(&format!("{folder}/shunt{}_resistor", at + 1), &shunt)?;
        }
    }
    Ok(())
}
