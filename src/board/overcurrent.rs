//! [`OvercurrentFiles`] are the counters of the over-current logic, `soctherm_oc`.

use super::handle::Handle;
use super::sensors::Overcurrent;
use super::sysfs::{Root, number};

/// Where the drivers with measurements are listed.
const HWMON: &str = "sys/class/hwmon";

/// One counter.
#[derive(Debug)]
pub struct OvercurrentFile {
    /// What it counts.
    pub kind: Overcurrent,
    /// Whether the board slows down at such an event; `None` where it does not say.
    pub throttles: Option<bool>,
    file: Handle,
}

impl OvercurrentFile {
    /// Events since boot, or the operating system's error number.
    pub fn read(&mut self) -> Result<u64, i32> {
        self.file.value(number).map_err(|error| error.errno())
    }
}

/// The over-current counters of a board; none on a board without them.
#[derive(Debug, Default)]
pub struct OvercurrentFiles(Vec<OvercurrentFile>);

impl OvercurrentFiles {
    /// Finds them below `root` by the driver's name.
    pub fn find(root: &Root) -> OvercurrentFiles {
        let drivers = root.names(HWMON).unwrap_or_default();
        let driver = drivers.into_iter().find(|driver| {
            let name = root.text(&format!("{HWMON}/{driver}/name"));
            name.is_ok_and(|name| name == "soctherm_oc")
        });
        let Some(driver) = driver else {
            return OvercurrentFiles::default();
        };
        let counters = Overcurrent::ALL.into_iter().zip(1..).filter_map(|(kind, index)| {
            let of = |what: &str| format!("{HWMON}/{driver}/oc{index}_{what}");
            let path = of("event_cnt");
            root.exists(&path).then(|| OvercurrentFile {
                kind,
                throttles: root.value(&of("throt_en"), number).ok().map(|flag| flag != 0),
                file: Handle::new(root, &path),
            })
        });
        OvercurrentFiles(counters.collect())
    }

    /// The counters, to be read one by one.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut OvercurrentFile> {
        self.0.iter_mut()
    }

    /// The counters.
    pub fn iter(&self) -> impl Iterator<Item = &OvercurrentFile> {
        self.0.iter()
    }
}
