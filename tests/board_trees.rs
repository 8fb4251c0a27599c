//! Identity and sensors read from the simulated trees of three Jetsons, `../shared/data/jetson/trees`, as plain files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::engines::engine_caps;
use fulcrum::board::{Board, BoardError, Identity, Machine, Root, Sensors, Setting, SysfsSensors};
use fulcrum::units::Nanos;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Builds the tree in a folder of its own; `None`, said aloud, where the facts are not at hand.
fn built(name: &str) -> Option<PathBuf> {
    let facts =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/data/jetson/trees/{name}.json"));
    let Ok(text) = std::fs::read_to_string(&facts) else {
        eprintln!("SKIPPED: {} is not there", facts.display());
        return None;
    };
    let tree: Value = serde_json::from_str(&text).unwrap();
    let folder = std::env::temp_dir().join(format!("fulcrum-tree-{name}-{}", std::process::id()));
    for node in tree["nodes"].as_array().unwrap() {
        let place = folder.join(node["path"].as_str().unwrap());
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let end = if node["newline"] == Value::Bool(false) {
            ""
        } else {
            "\n"
        };
        std::fs::write(place, format!("{}{end}", node["value"].as_str().unwrap())).unwrap();
    }
    for link in tree["symlinks"].as_array().unwrap() {
        let place = folder.join(link["path"].as_str().unwrap());
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let target = link["target"].as_str().unwrap();
        // An absolute target is meant below the root.
        let target = target
            .strip_prefix('/')
            .map_or(PathBuf::from(target), |below| folder.join(below));
        std::os::unix::fs::symlink(target, place).unwrap();
    }
    Some(folder)
}

#[test]
fn three_jetsons_say_who_they_are_and_by_which_rule_their_total_is_made() {
    for (name, identity, jetpack, rule, zones, caps) in [
        (
            "agx_orin_jp6",
            "Jetson AGX Orin 64GB (p3701-0005)",
            "6.2.1",
            "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (VDDQ_VDD2_1V8AO is part of these, not counted again)",
            9,
            6,
        ),
        (
            "orin_nano_jp6",
            "Jetson Orin Nano 8GB Super (p3767-0005)",
            "6.2.2",
            "VDD_IN (VDD_CPU_GPU_CV, VDD_SOC are part of it, not counted again)",
            9,
            0,
        ),
        (
            "agx_xavier_jp5",
            "Jetson AGX Xavier (p2972-0000)",
            "5.1.2",
            "GPU + CPU + SOC + CV + VDDRQ + SYS5V",
            8,
            10,
        ),
    ] {
        let Some(folder) = built(name) else {
            continue;
        };
        let root = Root::new(&folder);
        let found = Identity::read(&root);
        assert_eq!(found.to_string(), identity);
        assert_eq!(found.jetpack(), Some(jetpack));
        let mut sensors = SysfsSensors::find(&root);
        assert_eq!(sensors.supplies().total_rule(), rule);
        assert_eq!(sensors.supplies().refresh(), Nanos::from_millis(430));
        assert_eq!(sensors.notes(), [""; 0]);
        let rails = sensors.rails();
        let total = sensors.supplies().total(&rails).unwrap();
        assert!((1_000..60_000).contains(&total.0), "{name}: {total}");
        assert_eq!(sensors.zones().iter().count(), zones, "{name}");
        // On a plain file the zones of a block without power are empty instead of EAGAIN: neither is a temperature.
        let heat = sensors.temperature().unwrap();
        assert!((20_000..90_000).contains(&heat.0), "{name}: {heat}");
        assert_eq!(engine_caps(&root).len(), caps, "{name}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_core_that_is_always_on_and_shows_no_clock_has_none_to_set() {
    let folder = std::env::temp_dir().join(format!("fulcrum-clockless-{}", std::process::id()));
    let policy = "sys/devices/system/cpu/cpufreq/policy0";
    for (path, text) in [
        ("sys/devices/system/cpu/present", "0-101"),
        ("sys/devices/system/cpu/cpu7/online", "1"),
        (&format!("{policy}/related_cpus"), "0"),
        (
            &format!("{policy}/scaling_available_frequencies"),
            "115200 192000",
        ),
        (&format!("{policy}/scaling_min_freq"), "115200"),
        (&format!("{policy}/scaling_max_freq"), "192000"),
    ] {
        let place = folder.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
    let machine = Machine::detect(Root::new(&folder)).unwrap();
    let ceilings = machine
        .settings()
        .iter()
        .filter(|it| matches!(it, Setting::CpuCeiling(_)))
        .copied()
        .collect::<Vec<_>>();
    // Core 7 may be taken offline, and so may be the first of a cluster that is.
    assert_eq!(ceilings, [Setting::CpuCeiling(0), Setting::CpuCeiling(7)]);
    assert_eq!(machine.get(Setting::CpuCeiling(0)), Ok(Some(192_000)));
    for _ in 0..2 {
        assert!(matches!(
            machine.get(Setting::CpuCeiling(7)),
            Err(BoardError::Unreadable(Setting::CpuCeiling(7), libc::ENOENT))
        ));
    }
    std::fs::remove_dir_all(folder).unwrap();
}
