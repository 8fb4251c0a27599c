//! An [`EngineCap`] is the clock ceiling of a DLA or PVA, which fulcrum reads and never writes.

use super::sysfs::{FileError, Root, number};

/// The ceiling of one clock of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineCap {
    /// The clock, as `dla0_core`.
    pub name: String,
    /// Its file below the board's root.
    pub path: String,
    /// The ceiling, Hz, or why it is not known.
    pub hertz: Result<u64, FileError>,
}

/// The ceilings that the board shows; none where it has no such engine.
///
/// JetPack 5 and newer: `<host1x>/<engine>/[acm/]clk_cap/<clock>`; JetPack 4: `nvpmodel_emc_cap/nafll_*`. Source:
/// shared/design/jetson.md 1.5.
pub fn engine_caps(root: &Root) -> Vec<EngineCap> {
    let mut caps = Vec::new();
    for parent in ["sys/devices/platform", "sys/devices/platform/bus@0"] {
        for host in named(root, parent, |name| name.ends_with(".host1x")) {
            for engine in named(root, &host, |name| {
                name.contains(".nvdla") || name.contains(".pva")
            }) {
                for folder in [format!("{engine}/acm/clk_cap"), format!("{engine}/clk_cap")] {
                    read_all(root, named(root, &folder, |_| true), &mut caps);
                }
            }
        }
    }
    let old = |name: &str| name.starts_with("nafll_dla") || name.starts_with("nafll_pva");
    read_all(root, named(root, "sys/kernel/nvpmodel_emc_cap", old), &mut caps);
    caps
}

fn named(root: &Root, folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let names = root.names(folder).unwrap_or_default();
    let wanted = names.into_iter().filter(|name| wanted(name));
    wanted.map(|name| format!("{folder}/{name}")).collect()
}

fn read_all(root: &Root, paths: Vec<String>, into: &mut Vec<EngineCap>) {
    into.extend(paths.into_iter().map(|path| EngineCap {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        hertz: root.value(&path, number),
        path,
    }));
}
