//! An [`Identity`] is who a board is: its model, module, chip and software.

use super::module::Module;
use super::release::Release;
use super::sysfs::{Root, trimmed};
use core::fmt;

/// The device tree's two doors; a container may show one of them.
const DEVICE_TREES: [&str; 2] = ["proc/device-tree", "sys/firmware/devicetree/base"];

/// Longest list of installed packages that is read. A full JetPack has 3 MiB of it.
const LONGEST_STATUS: usize = 16 << 20;

/// Names that makers of PC boards left unfilled.
const UNFILLED: [&str; 4] = [
    "To Be Filled By O.E.M.",
    "System Product Name",
    "Default string",
    "Not Specified",
];

/// Who a board is, as far as its files say. Nothing of it decides what may be written: tables are read from the board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The maker's name for the whole, as `NVIDIA Jetson AGX Orin Developer Kit`, or a PC's product name.
    pub model: Option<String>,
    /// What the board is compatible with, the nearest first; empty without a device tree.
    pub compatible: Vec<String>,
    /// The system on chip, as `tegra234`; on a PC the processor's name.
    pub soc: Option<String>,
    /// The module.
    pub module: Option<Module>,
    /// The release of Linux for Tegra.
    pub l4t: Option<Release>,
    /// The kernel's release, as `5.15.148-tegra`.
    pub kernel: Option<String>,
}

impl Identity {
    /// Reads what there is below `root`. A file that is missing or of another kind leaves its field empty.
    pub fn read(root: &Root) -> Identity {
        let compatible = tree(root, "compatible").map_or(Vec::new(), |text| strings(&text));
        let sources = ["nvidia,boardids", "nvidia,dtsfilename"];
        let sources: Vec<String> = sources.iter().filter_map(|name| tree(root, name)).collect();
        let boards = sources.iter().map(|text| board_id(text));
        let named: Vec<String> = compatible.iter().cloned().chain(boards).collect();
        Identity {
            model: tree(root, "model")
                .map(|text| trimmed(&text).to_owned())
                .or_else(|| filled(root, "sys/devices/soc0/machine"))
                .or_else(|| filled(root, "sys/class/dmi/id/product_name")),
            soc: soc(root, &compatible),
            module: Module::find(named.iter().map(String::as_str)),
            compatible,
            l4t: l4t(root),
            kernel: filled(root, "proc/sys/kernel/osrelease"),
        }
    }

    /// The JetPack that the release belongs to.
    pub fn jetpack(&self) -> Option<&'static str> {
        self.l4t.as_ref().and_then(Release::jetpack)
    }
}

impl fmt::Display for Identity {
    /// The best name there is: product, model or chip; else `unknown board`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.module, &self.model, &self.soc) {
            (Some(module), ..) if module.product.is_some() => module.fmt(f),
            (_, Some(name), _) | (_, None, Some(name)) => f.write_str(name),
            (Some(module), ..) => module.fmt(f),
            (None, None, None) => f.write_str("unknown board"),
        }
    }
}

/// A property of the device tree.
fn tree(root: &Root, name: &str) -> Option<String> {
    let text = |tree: &&str| root.text(&format!("{tree}/{name}")).ok();
    DEVICE_TREES
        .iter()
        .find_map(|tree| text(tree).filter(|text| !text.is_empty()))
}

/// The file's text, if it says something.
fn filled(root: &Root, path: &str) -> Option<String> {
    let text = root.text(path).ok()?;
    (!text.is_empty() && !UNFILLED.contains(&text.as_str())).then_some(text)
}

fn l4t(root: &Root) -> Option<Release> {
    let file = root.text("etc/nv_tegra_release").ok();
    file.and_then(|text| Release::from_tegra_release(&text))
        .or_else(|| {
            let status = root.bytes_within("var/lib/dpkg/status", LONGEST_STATUS).ok()?;
            // Descriptions of packages may hold any bytes.
            Release::from_dpkg_status(&String::from_utf8_lossy(&status))
        })
}

fn soc(root: &Root, compatible: &[String]) -> Option<String> {
    // The last string is the chip's.
    let last = compatible.last().and_then(|text| chip(text));
    last.map(str::to_owned)
        .or_else(|| {
            root.value("sys/module/tegra_fuse/parameters/tegra_chip_id", chip_id)
                .ok()
        })
        .or_else(|| {
            let thor = root.exists("sys/class/devfreq/gpu-gpc-0");
            thor.then(|| "tegra264".to_owned())
        })
        .or_else(|| filled(root, "sys/devices/soc0/family"))
        .or_else(|| {
            // The list has an entry for each processor; the first is enough.
            let text = root.bytes_within("proc/cpuinfo", LONGEST_STATUS).ok()?;
            cpu_model(&String::from_utf8_lossy(&text)).map(str::to_owned)
        })
}

/// Strings of a device tree's property, which are parted by NUL bytes.
pub fn strings(text: &str) -> Vec<String> {
    let strings = text.split('\0').map(trimmed).filter(|part| !part.is_empty());
    strings.map(str::to_owned).collect()
}

/// The chip in `nvidia,tegra234`.
pub fn chip(compatible: &str) -> Option<&str> {
    let (_, chip) = compatible.split_once(',')?;
    (!chip.is_empty()).then_some(chip)
}

/// The chip by NVIDIA's number for it. Source: shared/design/jetson.md 1.1.
pub fn chip_id(text: &str) -> Option<String> {
    let number = match text {
        "33" => 210,
        "24" => 186,
        "25" => 194,
        _ => return None,
    };
    Some(format!("tegra{number}"))
}

/// A board id of the device tree, `3448:0000:400`, as the part number `p3448-0000`; other texts stay as they are.
pub fn board_id(text: &str) -> String {
    let mut parts = trimmed(text).split([':', '-']);
    match (parts.next(), parts.next()) {
        (Some(board), Some(kind)) if board.len() == 4 && board.bytes().all(|it| it.is_ascii_digit()) => {
            format!("p{board}-{kind}")
        }
        (Some(board), None) if board.len() == 4 && board.bytes().all(|it| it.is_ascii_digit()) => {
            format!("p{board}")
        }
        _ => text.to_owned(),
    }
}

/// The first processor's name in `/proc/cpuinfo`.
pub fn cpu_model(text: &str) -> Option<&str> {
    let names = text.lines().filter_map(|line| line.split_once(':'));
    let mut names = names.filter(|(key, _)| matches!(key.trim(), "model name" | "Model"));
    names
        .next()
        .map(|(_, name)| name.trim())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_the_device_tree_are_parted_at_nul_bytes() {
        let text = "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0";
        assert_eq!(strings(text), ["nvidia,p3737-0000+p3701-0005", "nvidia,tegra234"]);
        assert_eq!(chip("nvidia,tegra234"), Some("tegra234"));
        assert_eq!(chip("tegra"), None);
        assert_eq!(board_id("3448:0000:400"), "p3448-0000");
        assert_eq!(board_id("3448"), "p3448");
        assert_eq!(chip_id("25").as_deref(), Some("tegra194"));
    }

    #[test]
    fn the_first_processor_names_the_chip_of_a_pc() {
        let text = "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nmodel name\t: other\n";
        assert_eq!(cpu_model(text), Some("ARMv8 Processor rev 1 (v8l)"));
        assert_eq!(cpu_model("processor: 0\nmodel name:\n"), None);
    }

    #[test]
    fn a_board_without_a_name_is_unknown() {
        assert_eq!(Identity::default().to_string(), "unknown board");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "[\\PC\0\n:,p0-9-]{0,80}") {
            let found = strings(&text);
            let _ = Module::find(found.iter().map(String::as_str));
            let _ = (chip(&text), chip_id(&text), cpu_model(&text));
            let _ = board_id(&text);
        }
    }
}
