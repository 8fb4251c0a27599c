//! What measuring costs: processor time of the control thread at its usual 10 Hz, as a part of one core, and of one
//! sample read back to back. The board is a tree of plain files with the sensors of an AGX Orin; where this machine has
//! sensors of its own, they are read too. Run by `make bench`; `--quick` for a short look.

use fulcrum::board::{Root, Sensors, SysfsSensors};
use fulcrum::clock::{Clock, Monotonic, thread_time};
use fulcrum::power::Meter;
use fulcrum::runtime::control::{Control, INTERVAL};
use fulcrum::units::Nanos;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::path::{Path, PathBuf};

fn write(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    let place = folder.join(path);
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(place, format!("{text}\n"))
}

/// Two INA3221 of which four channels are connected, nine zones, three over-current counters, four cooling devices.
fn agx_orin(folder: &Path) -> io::Result<()> {
    let chips = [
        ("1-0040", ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"]),
        ("1-0041", ["NC", "VDDQ_VDD2_1V8AO", "NC"]),
    ];
    for (device, labels) in chips {
        let chip = format!("sys/bus/i2c/devices/{device}");
        write(folder, &format!("{chip}/name"), "ina3221")?;
        for (n, label) in (1..).zip(labels) {
            write(folder, &format!("{chip}/hwmon/hwmon3/in{n}_label"), label)?;
            write(folder, &format!("{chip}/hwmon/hwmon3/in{n}_input"), "19600")?;
            write(folder, &format!("{chip}/hwmon/hwmon3/curr{n}_input"), "400")?;
            write(folder, &format!("{chip}/hwmon/hwmon3/shunt{n}_resistor"), "2000")?;
        }
    }
    for n in 0..9 {
        let zone = format!("sys/class/thermal/thermal_zone{n}");
        write(folder, &format!("{zone}/type"), "soc-thermal")?;
        write(folder, &format!("{zone}/temp"), "47875")?;
    }
    for n in 0..4 {
        let device = format!("sys/class/thermal/cooling_device{n}");
        write(folder, &format!("{device}/type"), "cpufreq-cpu")?;
        write(folder, &format!("{device}/cur_state"), "0")?;
    }
    write(folder, "sys/class/hwmon/hwmon2/name", "soctherm_oc")?;
    for n in 1..=3 {
        write(folder, &format!("sys/class/hwmon/hwmon2/oc{n}_event_cnt"), "0")?;
    }
    Ok(())
}

/// Processor time of the whole process; while the control thread runs, the others sleep.
fn process_time() -> Nanos {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Nanos::from_secs(time.tv_sec as u64) + Nanos(time.tv_nsec as u64)
}

fn percent(used: Nanos, of: Nanos) -> f64 {
    100.0 * used.as_secs_f64() / of.as_secs_f64()
}

fn measure(label: &str, root: &Root, seconds: u64) -> io::Result<()> {
    let mut sensors = SysfsSensors::find(root);
    println!("{label}; total: {}", sensors.supplies().total_rule());
    let rounds: u32 = 2_000;
    let mut meter = Meter::new(sensors.supplies(), Monotonic.now());
    let start = thread_time();
    for _ in 0..rounds {
        let rails = sensors.rails_of_total();
        let _ = meter.take(Monotonic.now(), &rails);
        meter.note(sensors.throttling());
        let _ = sensors.temperature();
    }
    let each = Nanos((thread_time() - start).0 / u64::from(rounds));
    println!(
        "  one sample with everything, back to back: {:.1} us, {:.3} % of one core at 10 Hz",
        each.0 as f64 / 1e3,
        percent(each, INTERVAL)
    );
    let (wall, used) = (Monotonic.now(), process_time());
    let control = Control::start(sensors, INTERVAL)?;
    std::thread::sleep(std::time::Duration::from_secs(seconds));
    let (wall, used) = (Monotonic.now() - wall, process_time() - used);
    drop(control);
    println!(
        "  control thread at 10 Hz for {seconds} s: {:.3} % of one core (limit 0.5 %)",
        percent(used, wall)
    );
    Ok(())
}

fn main() -> io::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let seconds = if quick { 2 } else { 20 };
    let folder: PathBuf = std::env::temp_dir().join(format!("fulcrum-bench-{}", std::process::id()));
    agx_orin(&folder)?;
    let measured = measure("tree of an AGX Orin", &Root::new(&folder), seconds);
    std::fs::remove_dir_all(&folder)?;
    measured?;
    measure("this machine", &Root::new("/"), seconds)
}
