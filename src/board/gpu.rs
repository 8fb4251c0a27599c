//! The GPU: its clock's folder, found by walking devfreq, and the folder of its device.

use super::sysfs::{Root, table};
use crate::units::Kilohertz;

/// Where every devfreq device is linked, whatever the JetPack release calls its device.
const CLASS: &str = "sys/class/devfreq";

/// Names of Jetson GPUs in the device tree that do not hold the word: Xavier, TX2, Orin JP5, Thor.
/// Source: jetson_stats, gpu.py (f41d5cad).
const NAMES: [&str; 4] = ["gv11b", "gp10b", "ga10b", "gb10b"];

/// Folders of kernels whose class folder may be empty (Nano, TX2, Xavier and Orin on JetPack 4 and 5).
/// Source: nvpmodel.conf files, jetson_clocks.
const PLACES: [&str; 6] = [
    "sys/devices/gpu.0/devfreq/57000000.gpu",
    "sys/devices/57000000.gpu/devfreq/57000000.gpu",
    "sys/devices/17000000.gp10b/devfreq/17000000.gp10b",
    "sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
    "sys/devices/17000000.ga10b/devfreq_dev",
    "sys/devices/platform/17000000.gpu/devfreq_dev",
];

/// A GPU clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gpu {
    /// The folder with `min_freq` and `max_freq`, Hz.
    pub(super) folder: String,
    /// The file that keeps the device powered (`on`) or lets it sleep (`auto`), where there is one.
    pub(super) control: Option<String>,
    /// Clocks on offer, rising.
    pub(super) clocks: Vec<Kilohertz>,
}

impl Gpu {
    /// The first GPU with a table of clocks. A GPU that was never powered since the boot may show none yet.
    pub(super) fn find(root: &Root) -> Option<Gpu> {
        let names = root.names(CLASS).unwrap_or_default();
        let of_class = names.iter().map(|name| (format!("{CLASS}/{name}"), name.clone()));
        let is_gpu = |folder: &str, name: &str| {
            // Thor has a second clock, of its video engines.
            if name.starts_with("gpu-nvd") {
                return false;
            }
            let node = root
                .text(&format!("{folder}/device/of_node/name"))
                .unwrap_or_default();
            [node.as_str(), name]
                .iter()
                .any(|it| it.contains("gpu") || NAMES.iter().any(|known| it.contains(known)))
        };
        let in_class = of_class
            .filter(|(folder, name)| is_gpu(folder, name))
            .map(|(folder, _)| folder);
        let all = in_class.chain(PLACES.map(String::from));
        all.into_iter().find_map(|folder| {
            let hertz = root
                .value(&format!("{folder}/available_frequencies"), table)
                .ok()?;
            let control = format!("{folder}/device/power/control");
            Some(Gpu {
                control: root.exists(&control).then_some(control),
                folder,
                clocks: hertz.into_iter().map(kilohertz).collect(),
            })
        })
    }
}

/// Hertz as kilohertz, rounded down; what is more than 4 THz means "no limit" and stays the highest there is.
pub(super) fn kilohertz(hertz: u64) -> Kilohertz {
    Kilohertz(u32::try_from(hertz / 1_000).unwrap_or(u32::MAX))
}
