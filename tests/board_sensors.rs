//! Identity and sensors of each board, read from small trees of plain files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::engines::engine_caps;
use fulcrum::board::rail::Measured;
use fulcrum::board::thermal::{Doubt, Heat, Zones};
use fulcrum::board::{Identity, Overcurrent, Root, Sensor, Sensors, SysfsSensors};
use fulcrum::units::{Millicelsius, Milliwatts, Nanos};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A folder with a board's files, removed when it is dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "fulcrum-board-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Relaxed)
        );
        let tree = Tree(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&tree.0).unwrap();
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    /// A file; as the kernel prints it, with a line end, unless it is a device-tree string.
    fn write(&self, path: &str, text: &str) {
        let place = self.0.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let end = if text.ends_with('\0') { "" } else { "\n" };
        std::fs::write(place, format!("{text}{end}")).unwrap();
    }

    /// An INA3221 of JetPack 5 and newer: label, mV and mA of each channel, and what else such a chip shows.
    fn ina3221(&self, device: &str, hwmon: &str, microohms: &str, channels: [(&str, &str, &str); 3]) {
        let chip = format!("sys/bus/i2c/devices/{device}");
        self.write(&format!("{chip}/name"), "ina3221");
        let folder = format!("{chip}/hwmon/{hwmon}");
        self.write(&format!("{folder}/name"), "ina3221");
        self.write(&format!("{folder}/update_interval"), "430");
        self.write(&format!("{folder}/samples"), "512");
        for (n, (label, millivolts, milliamperes)) in (1..).zip(channels) {
            self.write(&format!("{folder}/in{n}_label"), label);
            self.write(&format!("{folder}/in{n}_input"), millivolts);
            self.write(&format!("{folder}/curr{n}_input"), milliamperes);
            self.write(&format!("{folder}/shunt{n}_resistor"), microohms);
            // The voltage over the shunt, uV.
            self.write(&format!("{folder}/in{}_input", n + 3), "4600");
        }
        self.write(&format!("{folder}/in7_label"), "sum of shunt voltages");
        self.write(&format!("{folder}/in7_input"), "0");
        self.write(&format!("{folder}/curr4_input"), "0");
    }

    fn zone(&self, number: usize, kind: &str, temperature: &str) {
        let folder = format!("sys/class/thermal/thermal_zone{number}");
        self.write(&format!("{folder}/type"), kind);
        self.write(&format!("{folder}/temp"), temperature);
    }

    fn root(&self) -> Root {
        Root::new(&self.0)
    }

    fn sensors(&self) -> SysfsSensors {
        SysfsSensors::find(&self.root())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names(sensors: &SysfsSensors) -> Vec<&str> {
    let rails = sensors.supplies().rails();
    rails.iter().map(|rail| rail.name.as_str()).collect()
}

#[test]
fn orin_nano_with_jetpack_6() {
    let tree = Tree::new(&[
        (
            "proc/device-tree/model",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
        ),
        (
            "proc/device-tree/compatible",
            "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
        ),
        (
            "etc/nv_tegra_release",
            "# R36 (release), REVISION: 5.0, GCID: 43688277, BOARD: generic, EABI: aarch64\n# KERNEL_VARIANT: oot",
        ),
        ("proc/sys/kernel/osrelease", "5.15.185-tegra"),
        ("sys/class/hwmon/hwmon0/name", "pwmfan"),
        ("sys/class/hwmon/hwmon3/name", "soctherm_oc"),
        ("sys/class/hwmon/hwmon3/oc1_event_cnt", "0"),
        ("sys/class/hwmon/hwmon3/oc1_throt_en", "1"),
        ("sys/class/hwmon/hwmon3/oc3_event_cnt", "27390"),
        ("sys/class/thermal/cooling_device0/type", "pwm-fan"),
        ("sys/class/thermal/cooling_device0/cur_state", "3"),
        ("sys/class/thermal/cooling_device1/type", "cpufreq-cpu0"),
        ("sys/class/thermal/cooling_device1/cur_state", "2"),
        ("sys/class/thermal/cooling_device1/max_state", "21"),
    ]);
    tree.ina3221(
        "1-0040",
        "hwmon1",
        "5000",
        [
            ("VDD_IN", "5056", "920"),
            ("VDD_CPU_GPU_CV", "5056", "112"),
            ("VDD_SOC", "5056", "296"),
        ],
    );
    tree.zone(0, "cpu-thermal", "47875");
    tree.zone(1, "gpu-thermal", "50218");
    tree.write("sys/class/thermal/thermal_zone1/trip_point_0_type", "passive");
    tree.write("sys/class/thermal/thermal_zone1/trip_point_0_temp", "99000");
    let identity = Identity::read(&tree.root());
    assert_eq!(identity.to_string(), "Jetson Orin Nano 8GB Super (p3767-0005)");
    assert_eq!(identity.soc.as_deref(), Some("tegra234"));
    assert_eq!(identity.jetpack(), Some("6.2.2"));
    assert_eq!(identity.kernel.as_deref(), Some("5.15.185-tegra"));
    let mut sensors = tree.sensors();
    assert_eq!(names(&sensors), ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]);
    assert_eq!(
        sensors.supplies().total_rule(),
        "VDD_IN (VDD_CPU_GPU_CV, VDD_SOC are part of it, not counted again)"
    );
    assert_eq!(sensors.supplies().refresh(), Nanos::from_millis(430));
    assert_eq!(sensors.supplies().rails()[0].sensor, Sensor::Current(Some(8)));
    let rails = sensors.rails();
    // 5.056 V at 920 mA.
    assert_eq!(sensors.supplies().total(&rails), Some(Milliwatts(4_652)));
    assert_eq!(sensors.supplies().resolution(&rails), Milliwatts(41));
    // The total needs one rail of the three.
    let needed = sensors.rails_of_total();
    assert_eq!(sensors.supplies().total(&needed), Some(Milliwatts(4_652)));
    assert!(needed[0].is_ok() && needed[1].is_err() && needed[2].is_err());
    assert_eq!(sensors.temperature(), Some(Millicelsius(50_218)));
    let gpu = sensors.zones().iter().nth(1).unwrap();
    assert_eq!(
        (gpu.kind(), gpu.trips()[0].at),
        ("gpu-thermal", Millicelsius(99_000))
    );
    let seen = sensors.throttling();
    assert_eq!(seen.overcurrent, [Some(0), None, Some(27_390)]);
    // The fan turns, and slows nothing down.
    assert_eq!((seen.cooling, seen.unreadable), (1, 0));
    let counters: Vec<Overcurrent> = sensors.overcurrent().iter().map(|it| it.kind).collect();
    assert_eq!(counters, [Overcurrent::UnderVoltage, Overcurrent::Instantaneous]);
}

#[test]
fn agx_orin_has_no_input_rail_and_counts_memory_once() {
    let tree = Tree::new(&[
        (
            "sys/firmware/devicetree/base/compatible",
            "nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0",
        ),
        (
            "sys/devices/platform/bus@0/13e00000.host1x/15880000.nvdla0/clk_cap/dla0_core",
            "1600000000",
        ),
        (
            "sys/devices/platform/bus@0/13e00000.host1x/16000000.pva0/clk_cap/pva0_vps",
            "1152000000",
        ),
        (
            "sys/devices/platform/bus@0/13e00000.host1x/15480000.nvdec/clk_cap/nvdec",
            "1",
        ),
    ]);
    // Numbers of hwmon change from boot to boot.
    tree.ina3221(
        "1-0040",
        "hwmon4",
        "2000",
        [
            ("VDD_GPU_SOC", "19600", "200"),
            ("VDD_CPU_CV", "19600", "100"),
            ("VIN_SYS_5V0", "5000", "800"),
        ],
    );
    tree.ina3221(
        "1-0041",
        "hwmon3",
        "2000",
        [
            ("NC", "0", "0"),
            ("VDDQ_VDD2_1V8AO", "4968", "400"),
            ("NC", "0", "0"),
        ],
    );
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (VDDQ_VDD2_1V8AO is part of these, not counted again)"
    );
    let rails = sensors.rails();
    assert_eq!(rails.len(), 4);
    assert_eq!(
        sensors.supplies().total(&rails),
        Some(Milliwatts(3_920 + 1_960 + 4_000))
    );
    // About 400 mW at 19.6 V, on two rails, and 100 mW at 5 V.
    assert_eq!(sensors.supplies().resolution(&rails), Milliwatts(392 * 2 + 100));
    let caps: Vec<_> = engine_caps(&tree.root())
        .into_iter()
        .map(|cap| (cap.name, cap.hertz.unwrap()))
        .collect();
    assert_eq!(
        caps,
        [
            ("dla0_core".to_owned(), 1_600_000_000),
            ("pva0_vps".to_owned(), 1_152_000_000)
        ]
    );
}

#[test]
fn agx_xavier_with_jetpack_5_sums_six_rails() {
    let tree = Tree::new(&[
        ("proc/device-tree/model", "Jetson-AGX\0"),
        (
            "proc/device-tree/compatible",
            "nvidia,p2972-0000\0nvidia,tegra194\0",
        ),
        (
            "etc/nv_tegra_release",
            "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64",
        ),
        (
            "sys/devices/platform/13e10000.host1x/158c0000.nvdla1/acm/clk_cap/dla1_core",
            "750000000",
        ),
    ]);
    let channels = |names: [&'static str; 3]| names.map(|name| (name, "19160", "100"));
    tree.ina3221("1-0040", "hwmon2", "5000", channels(["GPU", "CPU", "SOC"]));
    tree.ina3221("1-0041", "hwmon3", "5000", channels(["CV", "VDDRQ", "SYS5V"]));
    tree.zone(0, "CPU-therm", "41500");
    // It shows 50 C whatever happens, and an old tool's word for "off".
    tree.zone(1, "PMIC-Die", "50000");
    tree.zone(2, "GPU-therm", "-256000");
    let identity = Identity::read(&tree.root());
    assert_eq!(identity.to_string(), "Jetson AGX Xavier (p2972-0000)");
    assert_eq!(identity.jetpack(), Some("5.1.2"));
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "GPU + CPU + SOC + CV + VDDRQ + SYS5V"
    );
    let rails = sensors.rails();
    assert_eq!(sensors.supplies().total(&rails), Some(Milliwatts(6 * 1_916)));
    assert_eq!(sensors.temperature(), Some(Millicelsius(41_500)));
    let shown: Vec<Heat> = Zones::find(&tree.root()).iter_mut().map(|it| it.read()).collect();
    assert_eq!(shown[1], Heat::Doubted(Millicelsius(50_000), Doubt::Constant));
    assert_eq!(shown[2], Heat::Doubted(Millicelsius(-256_000), Doubt::Range));
    assert_eq!(engine_caps(&tree.root())[0].name, "dla1_core");
}

#[test]
fn nano_with_jetpack_4_has_the_older_layout() {
    let chip = "sys/bus/i2c/devices/6-0040/iio:device0";
    let tree = Tree::new(&[
        (
            "proc/device-tree/compatible",
            "nvidia,jetson-nano\0nvidia,tegra210\0",
        ),
        (
            "proc/device-tree/nvidia,dtsfilename",
            "/dvs/git/dirty/git-master_linux/kernel/porg/kernel-dts/tegra210-p3448-0000-p3449-0000-b00.dts\0",
        ),
        (
            "etc/nv_tegra_release",
            "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64",
        ),
        ("sys/bus/i2c/devices/6-0040/name", "ina3221x"),
        ("sys/bus/i2c/devices/i2c-6/name", "Tegra I2C adapter"),
    ]);
    let rails = ["POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"];
    for (n, name) in rails.iter().enumerate() {
        tree.write(&format!("{chip}/rail_name_{n}"), name);
        tree.write(&format!("{chip}/in_power{n}_input"), "2000");
    }
    // One channel shows voltage and current too.
    tree.write(&format!("{chip}/in_voltage1_input"), "5000");
    tree.write(&format!("{chip}/in_current1_input"), "40");
    let identity = Identity::read(&tree.root());
    assert_eq!(identity.to_string(), "Jetson Nano (p3448-0000)");
    assert_eq!(identity.jetpack(), Some("4.6.1"));
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "POM_5V_IN (POM_5V_GPU, POM_5V_CPU are part of it, not counted again)"
    );
    assert_eq!(sensors.supplies().refresh(), Nanos::from_millis(430));
    let rails = sensors.rails();
    assert_eq!(rails[0], Ok(Measured::Power(Milliwatts(2_000))));
    assert_eq!(rails[1].unwrap().power(), Some(Milliwatts(200)));
}

#[test]
fn thor_has_its_total_from_an_ina238() {
    let chip = "sys/bus/i2c/devices/2-0044";
    let tree = Tree::new(&[
        ("sys/class/devfreq/gpu-gpc-0/cur_freq", "0"),
        (
            "var/lib/dpkg/status",
            "Package: zlib1g\nVersion: 1:1.3\n\nPackage: nvidia-l4t-core\nVersion: 38.4.0-20251230",
        ),
        (&format!("{chip}/name"), "ina238"),
        (&format!("{chip}/hwmon/hwmon5/name"), "ina238"),
        (&format!("{chip}/hwmon/hwmon5/power1_input"), "31250500"),
    ]);
    let rails = [("VDD_GPU", "12000", "400"), ("VDD_CPU_SOC_MSS", "12000", "500")];
    tree.ina3221(
        "2-0040",
        "hwmon4",
        "1000",
        [rails[0], rails[1], ("VIN_SYS_5V0", "5000", "700")],
    );
    let identity = Identity::read(&tree.root());
    assert_eq!(identity.soc.as_deref(), Some("tegra264"));
    assert_eq!(
        (identity.to_string().as_str(), identity.jetpack()),
        ("tegra264", Some("7.1"))
    );
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "VIN (VDD_GPU, VDD_CPU_SOC_MSS, VIN_SYS_5V0 are part of it, not counted again)"
    );
    let rails = sensors.rails();
    // Microwatts, rounded up.
    assert_eq!(sensors.supplies().total(&rails), Some(Milliwatts(31_251)));
}

#[test]
fn a_plain_linux_machine_is_a_board_too() {
    let zone = |number: &str, name: &'static str, energy: &'static str| {
        let folder = format!("sys/class/powercap/{number}");
        [
            (format!("{folder}/name"), name),
            (format!("{folder}/energy_uj"), energy),
            (format!("{folder}/max_energy_range_uj"), "262143328850"),
        ]
    };
    let tree = Tree::new(&[
        ("sys/class/dmi/id/product_name", "NUC11TNHi5"),
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: 11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz\nflags\t: fpu",
        ),
        ("proc/sys/kernel/osrelease", "6.8.0-45-generic"),
        ("sys/class/powercap/intel-rapl/enabled", "1"),
    ]);
    for (path, text) in [
        zone("intel-rapl:0", "package-0", "5000000"),
        zone("intel-rapl:0:0", "core", "2000000"),
        zone("intel-rapl-mmio:0", "package-0", "5000000"),
    ]
    .concat()
    {
        tree.write(&path, text);
    }
    let identity = Identity::read(&tree.root());
    assert_eq!(identity.to_string(), "NUC11TNHi5");
    assert_eq!(
        identity.soc.as_deref(),
        Some("11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz")
    );
    assert_eq!((identity.l4t, identity.module), (None, None));
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "package-0 (package-0/core is part of it, not counted again)"
    );
    assert!(sensors.supplies().counts_energy());
    assert_eq!(sensors.rails()[0], Ok(Measured::Energy(5_000_000)));
    // One reading of a counter says nothing.
    let rails = sensors.rails();
    assert_eq!(sensors.supplies().total(&rails), None);
    assert_eq!(sensors.temperature(), None);
}

#[test]
fn a_folder_with_nothing_in_it_is_an_unknown_board_without_sensors() {
    let tree = Tree::new(&[]);
    let identity = Identity::read(&tree.root());
    assert_eq!(identity, Identity::default());
    assert_eq!(identity.to_string(), "unknown board");
    let mut sensors = tree.sensors();
    assert_eq!(
        sensors.supplies().total_rule(),
        "none: this board has no power sensor that could be read"
    );
    assert!(sensors.rails().is_empty() && sensors.temperature().is_none());
    assert_eq!(sensors.throttling(), Default::default());
    assert!(sensors.notes().is_empty() && engine_caps(&tree.root()).is_empty());
}

#[test]
fn what_is_there_and_cannot_be_used_is_said() {
    let tree = Tree::new(&[
        ("sys/bus/i2c/devices/1-0040/name", "ina3221"),
        ("sys/bus/i2c/devices/1-0040/hwmon/hwmon1/in1_label", "VDD_IN"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "many"),
        ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "9"),
    ]);
    let sensors = tree.sensors();
    let notes = sensors.notes();
    assert!(
        notes[0].contains("rail VDD_IN has a label but no voltage"),
        "{notes:?}"
    );
    assert!(notes[1].contains("energy counter package-0"), "{notes:?}");
}

#[test]
fn a_rail_that_fails_once_is_read_again() {
    let tree = Tree::new(&[]);
    tree.ina3221(
        "1-0040",
        "hwmon1",
        "5000",
        [
            ("VDD_IN", "5000", "1000"),
            ("VDD_CPU_GPU_CV", "5000", "100"),
            ("VDD_SOC", "5000", "100"),
        ],
    );
    let mut sensors = tree.sensors();
    let current = "sys/bus/i2c/devices/1-0040/hwmon/hwmon1/curr1_input";
    tree.write(current, "none");
    assert!(sensors.rails()[0].is_err());
    tree.write(current, "2000");
    let rails = sensors.rails();
    assert_eq!(sensors.supplies().total(&rails), Some(Milliwatts(10_000)));
}
