//! The simulated tree behaves as the kernel does: rules of writes, coupled nodes, hotplug.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod tree;

use fulcrum::twin::tree::{Adversary, AdversaryError, Hotplug, Options, Tree};
use fulcrum::units::Nanos;
use proptest::prelude::*;
use rustix::io::Errno;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tree::{BOARDS, CPU, EMC, POLICY, STILL, gpu, open, put};

fn check(tree: &Tree, table: &[(&str, &str, Result<&str, Errno>)]) {
    for (path, text, wanted) in table {
        assert_eq!(
            put(tree, path, text),
            wanted.map(str::to_owned),
            "{text:?} > {path}"
        );
    }
}

#[test]
fn every_board_starts_in_the_mode_that_its_note_names() {
    for (board, cores, cpu, gpu_hz, note) in [
        ("agx-orin", "0-11", "2201600", "1300500000", "pmode:0000"),
        ("orin-nano", "0-5", "1344000", "918000000", "pmode:0001"),
        (
            "agx-xavier",
            "0-3",
            "1190400",
            "675750000",
            "pmode:0002 fmode:quiet",
        ),
    ] {
        let tree = open(board);
        assert_eq!(tree.text(&format!("{CPU}/online")).unwrap(), cores);
        assert_eq!(tree.text(&format!("{POLICY}/scaling_max_freq")).unwrap(), cpu);
        assert_eq!(tree.text(&format!("{}/max_freq", gpu(&tree))).unwrap(), gpu_hz);
        assert_eq!(tree.text("var/lib/nvpmodel/status").unwrap(), note);
    }
}

#[test]
fn identity_is_that_of_the_device_tree_with_its_zeros_and_without_newlines() {
    let tree = open("orin-nano");
    let model = tree.read("proc/device-tree/model").unwrap();
    assert_eq!(
        model,
        b"NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"
    );
    let compatible = tree.read("proc/device-tree/compatible").unwrap();
    let names: Vec<&[u8]> = compatible.split(|byte| *byte == 0).collect();
    assert_eq!(names[names.len() - 2..], [&b"nvidia,tegra234"[..], b""]);
    assert!(
        tree.text("etc/nv_tegra_release")
            .unwrap()
            .starts_with("# R36 (release), REVISION: 5.0,")
    );
    assert_eq!(
        tree.read(&format!("{}/device/of_node/name", gpu(&tree))).unwrap(),
        b"gpu"
    );
}

#[test]
fn cpufreq_requests_are_independent_and_what_is_in_force_is_clamped() {
    for board in BOARDS {
        let tree = open(board);
        let (min, max) = (
            format!("{POLICY}/scaling_min_freq"),
            format!("{POLICY}/scaling_max_freq"),
        );
        let top = tree.text(&format!("{POLICY}/cpuinfo_max_freq")).unwrap();
        check(
            &tree,
            &[
                (&max, "99999999", Ok(&top)),
                (&min, "0", Ok("115200")),
                (&max, "1", Ok("115200")),
                (&max, "1190400\n", Ok("1190400")),
                // Above the highest: succeeds, and shows the highest.
                (&min, "1344000", Ok("1190400")),
                // Not rounded to the table on these kernels, but an empty range grows to the next entry.
                (&max, "1200000", Ok("1267200")),
                (&max, "", Err(Errno::INVAL)),
                (&max, "fast", Err(Errno::INVAL)),
                (&max, "-1", Err(Errno::INVAL)),
            ],
        );
        assert_eq!(tree.text(&min).unwrap(), "1200000");
        tree.write(&max, "1500000").unwrap();
        assert_eq!(tree.text(&min).unwrap(), "1344000", "the request shows again");
        tree.write(&min, "115200").unwrap();
        check(
            &tree,
            &[(&max, "1200000", Ok("1200000")), (&min, "1195000", Ok("1195000"))],
        );
        assert_eq!(tree.text(&max).unwrap(), "1267200", "the range grows again");
    }
}

#[test]
fn governors_choose_the_clock_inside_the_limits() {
    let tree = open("orin-nano");
    let file = |name: &str| format!("{POLICY}/{name}");
    let (governor, speed, now) = (
        file("scaling_governor"),
        file("scaling_setspeed"),
        file("scaling_cur_freq"),
    );
    assert_eq!(tree.text(&speed).unwrap(), "<unsupported>");
    check(
        &tree,
        &[
            (&speed, "960000", Err(Errno::INVAL)),
            (&governor, "turbo", Err(Errno::INVAL)),
            (&governor, "performance\n", Ok("performance")),
        ],
    );
    assert_eq!(tree.text(&now).unwrap(), "1344000");
    check(
        &tree,
        &[
            (&governor, "userspace", Ok("userspace")),
            (&speed, "960000", Ok("960000")),
        ],
    );
    assert_eq!(tree.text(&now).unwrap(), "960000");
    // A limit left over clamps it silently.
    tree.write(&file("scaling_max_freq"), "800000").unwrap();
    assert_eq!(
        (tree.text(&speed).unwrap(), tree.text(&now).unwrap()),
        ("960000".into(), "729600".into())
    );
    tree.write(&governor, "powersave").unwrap();
    assert_eq!(tree.text(&now).unwrap(), "729600");
    tree.write(&governor, "schedutil").unwrap();
    tree.write(&file("scaling_max_freq"), "1728000").unwrap();
    tree.set_load(1.0, 0.0);
    assert_eq!(tree.text(&now).unwrap(), "1728000");
}

#[test]
fn the_last_core_is_busy_and_the_first_cannot_go() {
    for board in BOARDS {
        let tree = open(board);
        let core = |core: usize| format!("{CPU}/cpu{core}/online");
        let last: usize = tree.text(&format!("{CPU}/possible")).unwrap()[2..]
            .parse()
            .unwrap();
        check(
            &tree,
            &[
                (&core(0), "0", Err(Errno::PERM)),
                (&core(1), "2", Err(Errno::INVAL)),
                (&core(1), "", Err(Errno::INVAL)),
                (&core(1), "1", Ok("1")),
                (&core(1), "n", Ok("0")),
                (&core(1), "n", Ok("0")),
                (&core(1), "y\n", Ok("1")),
            ],
        );
        for other in 1..=last {
            tree.write(&core(other), "0").unwrap();
        }
        assert_eq!(tree.write(&core(0), "0"), Err(Errno::BUSY));
        assert_eq!(tree.text(&format!("{CPU}/online")).unwrap(), "0");
        assert_eq!(tree.text(&format!("{CPU}/offline")).unwrap(), format!("1-{last}"));
    }
    let busy = Options {
        cpu0: Errno::BUSY,
        ..STILL
    };
    let tree = Tree::open("orin-nano", busy).unwrap();
    assert_eq!(tree.write(&format!("{CPU}/cpu0/online"), "0"), Err(Errno::BUSY));
}

#[test]
fn a_cluster_without_a_core_takes_its_files_away_and_brings_its_requests_back() {
    let tree = open("orin-nano");
    let policy = format!("{CPU}/cpufreq/policy4");
    tree.write(&format!("{policy}/scaling_max_freq"), "960000")
        .unwrap();
    tree.write(&format!("{CPU}/cpu5/online"), "0").unwrap();
    assert_eq!(tree.text(&format!("{policy}/affected_cpus")).unwrap(), "4");
    assert!(
        tree.exists(&format!("{CPU}/cpu5/cpufreq/scaling_max_freq")),
        "one core is left"
    );
    tree.write(&format!("{CPU}/cpu4/online"), "0").unwrap();
    assert_eq!(tree.text(&format!("{CPU}/online")).unwrap(), "0-3");
    assert_eq!(tree.text(&format!("{CPU}/offline")).unwrap(), "4-5");
    assert_eq!(tree.list(&format!("{CPU}/cpufreq")).unwrap(), ["policy0"]);
    assert_eq!(tree.list(&format!("{CPU}/cpu4")).unwrap(), ["cpuidle", "online"]);
    assert_eq!(
        tree.write(&format!("{policy}/scaling_max_freq"), "1"),
        Err(Errno::NOENT)
    );
    tree.write(&format!("{CPU}/cpu4/online"), "1").unwrap();
    assert_eq!(
        tree.text(&format!("{policy}/scaling_max_freq")).unwrap(),
        "960000"
    );
    assert_eq!(tree.text(&format!("{policy}/affected_cpus")).unwrap(), "4");
}

#[test]
fn the_other_variant_keeps_the_files_and_refuses_writes() {
    let tree = Tree::open(
        "orin-nano",
        Options {
            hotplug: Hotplug::Keep,
            ..STILL
        },
    )
    .unwrap();
    for core in [4, 5] {
        tree.write(&format!("{CPU}/cpu{core}/online"), "0").unwrap();
    }
    let policy = format!("{CPU}/cpufreq/policy4");
    assert_eq!(tree.text(&format!("{policy}/affected_cpus")).unwrap(), "");
    assert_eq!(
        tree.text(&format!("{policy}/scaling_max_freq")).unwrap(),
        "1344000"
    );
    assert_eq!(
        tree.write(&format!("{policy}/scaling_max_freq"), "960000"),
        Err(Errno::INVAL)
    );
    assert!(tree.exists(&format!("{CPU}/cpu4/cpufreq/scaling_max_freq")));
}

#[test]
fn devfreq_rounds_requests_to_kilohertz_and_zero_is_no_limit() {
    for (board, low, high) in [
        ("agx-orin", "306000000", "1300500000"),
        ("orin-nano", "306000000", "1020000000"),
        ("agx-xavier", "114750000", "1377000000"),
    ] {
        let tree = open(board);
        let (min, max) = (
            format!("{}/min_freq", gpu(&tree)),
            format!("{}/max_freq", gpu(&tree)),
        );
        check(
            &tree,
            &[
                (&max, "0", Ok(high)),
                (&min, "0", Ok(low)),
                (&min, "612000999", Ok("612000000")),
                (&max, "700000001", Ok("700001000")),
                (&max, "500000000", Ok("500000000")),
                (&max, "9223372036854775807", Ok(high)),
                (&max, "x", Err(Errno::INVAL)),
            ],
        );
        tree.write(&max, "500000000").unwrap();
        assert_eq!(tree.text(&min).unwrap(), "500000000", "the lowest gives way");
        tree.write(&max, "0").unwrap();
        assert_eq!(tree.text(&min).unwrap(), "612000000", "and comes back");
    }
}

#[test]
fn the_governor_userspace_brings_a_node_and_takes_it_away() {
    let tree = open("agx-orin");
    let gpu = gpu(&tree);
    let (governor, set) = (format!("{gpu}/governor"), format!("{gpu}/userspace/set_freq"));
    assert!(!tree.exists(&set));
    tree.write(&governor, "userspace").unwrap();
    assert_eq!(put(&tree, &set, "612000000").unwrap(), "612000000");
    assert_eq!(tree.text(&format!("{gpu}/cur_freq")).unwrap(), "612000000");
    tree.write(&governor, "nvhost_podgov").unwrap();
    assert_eq!(tree.write(&set, "612000000"), Err(Errno::NOENT));
    assert_eq!(tree.write(&governor, "warp"), Err(Errno::INVAL));
}

#[test]
fn the_gpu_is_gated_when_idle_and_powered_when_held_or_used() {
    let tree = open("orin-nano");
    let device = format!("{}/device", gpu(&tree));
    let state = || {
        let text = |name: &str| tree.text(&format!("{device}/{name}")).unwrap();
        (
            text("power/runtime_status"),
            text("is_railgated"),
            text("gpu_powered_on"),
        )
    };
    let off = ("suspended".to_owned(), "yes".to_owned(), "0".to_owned());
    let on = ("active".to_owned(), "no".to_owned(), "1".to_owned());
    assert_eq!(state(), off);
    let control = format!("{device}/power/control");
    assert_eq!(put(&tree, &control, "on").unwrap(), "on");
    assert_eq!(tree.write(&control, "off"), Err(Errno::INVAL));
    assert_eq!(state(), on);
    tree.write(&control, "auto").unwrap();
    assert_eq!(state(), on, "for the idle delay");
    tree.advance(Nanos::from_millis(501));
    assert_eq!(state(), off);
    tree.set_load(0.0, 0.5);
    assert_eq!(state(), on);
    tree.set_load(0.0, 0.0);
    tree.advance(Nanos::from_millis(501));
    tree.write(&format!("{device}/railgate_enable"), "0").unwrap();
    assert_eq!(state(), on);
}

#[test]
fn masks_are_frozen_once_a_context_exists() {
    let tree = open("orin-nano");
    let device = format!("{}/device", gpu(&tree));
    let (tpc, fbp) = (format!("{device}/tpc_pg_mask"), format!("{device}/fbp_pg_mask"));
    check(
        &tree,
        &[
            (&tpc, "0xf0", Err(Errno::INVAL)),
            (&tpc, "7", Err(Errno::INVAL)),
            (&tpc, "252", Ok("252")),
            (&tpc, "240", Ok("240")),
        ],
    );
    tree.set_load(0.0, 0.1);
    tree.set_load(0.0, 0.0);
    assert_eq!(tree.text(&format!("{device}/golden_img_status")).unwrap(), "1");
    check(
        &tree,
        &[
            (&tpc, "240", Ok("240")),
            (&tpc, "252", Err(Errno::BUSY)),
            (&fbp, "2", Ok("2")),
            (&fbp, "0", Err(Errno::NODEV)),
        ],
    );
    assert_eq!(
        tree.adversary(Adversary::Nvpmodel(3)),
        Err(AdversaryError::NeedsReboot(3))
    );
    tree.reboot().unwrap();
    assert_eq!(tree.adversary(Adversary::Nvpmodel(3)), Ok(()));
    assert_eq!(tree.text(&tpc).unwrap(), "252");
}

#[test]
fn a_memory_cap_takes_any_base_and_rounds_down_and_a_locked_rate_rounds_up() {
    let tree = open("orin-nano");
    let cap = "sys/kernel/nvpmodel_clk_cap/emc";
    let (rate, lock) = (format!("{EMC}/rate"), format!("{EMC}/mrq_rate_locked"));
    check(
        &tree,
        &[
            (cap, "2133000000", Ok("2133000000")),
            (cap, "2133000000\n", Ok("2133000000")),
            (cap, "0x7fffffff", Ok("2133000000")),
            (cap, "9223372036854775807", Ok("3199000000")),
            (cap, "1", Ok("204000000")),
            (cap, "3000000000", Ok("2133000000")),
            (cap, "-1", Err(Errno::INVAL)),
            (cap, "2133 MHz", Err(Errno::INVAL)),
            // Not locked: taken and overridden at once.
            (&rate, "665600000", Ok("2133000000")),
            (&lock, "1", Ok("1")),
            (&rate, "408000000", Ok("665600000")),
            (&rate, "1062400000", Ok("2133000000")),
            (&rate, "2400000000", Ok("3199000000")),
            (&rate, "99000000000", Ok("3199000000")),
            (&rate, "665600000", Ok("665600000")),
            // The lock freezes: the cap does not move it.
            (cap, "3199000000", Ok("3199000000")),
        ],
    );
    assert_eq!(tree.text(&rate).unwrap(), "665600000");
    let measured: u64 = tree.text(&format!("{EMC}/pto_counter")).unwrap().parse().unwrap();
    assert!((660_000_000..665_600_000).contains(&measured), "{measured}");
    tree.write(&lock, "0").unwrap();
    assert_eq!(tree.text(&rate).unwrap(), "3199000000");
    let xavier = open("agx-xavier");
    let cap = "sys/kernel/nvpmodel_emc_cap/emc_iso_cap";
    xavier.set_load(0.0, 1.0);
    assert_eq!(xavier.text(&rate).unwrap(), "1331200000");
    check(&xavier, &[(cap, "0", Ok("0"))]);
    assert_eq!(xavier.text(&rate).unwrap(), "2133000000", "zero is no cap");
}

#[test]
fn other_nodes_check_what_they_take() {
    let tree = open("agx-orin");
    let dla = "sys/devices/platform/bus@0/13e00000.host1x/15880000.nvdla0/clk_cap/dla0_core";
    let pwm = "sys/class/hwmon/hwmon0/pwm1";
    let device = format!("{}/device", gpu(&tree));
    let (low, high) = (
        format!("{device}/tsg_timeslice_min_us"),
        format!("{device}/tsg_timeslice_max_us"),
    );
    check(
        &tree,
        &[
            (dla, "614400000", Ok("614400000")),
            (dla, "9223372036854775807", Ok("1600000000")),
            (pwm, "255", Ok("255")),
            (pwm, "256", Err(Errno::INVAL)),
            (&low, "2000", Ok("2000")),
            (&high, "1999", Err(Errno::INVAL)),
            (
                "sys/class/thermal/thermal_zone8/policy",
                "user_space",
                Ok("user_space"),
            ),
            (
                "sys/class/thermal/thermal_zone8/policy",
                "none",
                Err(Errno::INVAL),
            ),
            (&format!("{CPU}/cpu1/cpuidle/state1/disable"), "1", Ok("1")),
            ("sys/class/hwmon/hwmon3/samples", "500", Ok("512")),
            ("sys/class/hwmon/hwmon3/curr1_max", "5555", Ok("5540")),
            ("sys/class/hwmon/hwmon3/update_interval", "600", Ok("626")),
        ],
    );
    let clk = "sys/kernel/debug/clk/dla0_core/clk_rate";
    assert_eq!(tree.text(clk).unwrap(), "1600000000");
}

#[test]
fn what_is_read_only_refuses_root_and_a_zone_that_is_off_says_again() {
    for board in BOARDS {
        let tree = open(board);
        for path in [
            format!("{POLICY}/related_cpus"),
            format!("{POLICY}/cpuinfo_cur_freq"),
            format!("{CPU}/online"),
            format!("{}/cur_freq", gpu(&tree)),
            format!("{EMC}/max_rate"),
            "proc/device-tree/model".to_owned(),
            "sys/class/thermal/thermal_zone0/temp".to_owned(),
        ] {
            assert_eq!(tree.write(&path, "1"), Err(Errno::ACCESS), "{path}");
        }
        let vision = board != "agx-xavier";
        let zone = tree.read("sys/class/thermal/thermal_zone2/temp");
        assert_eq!(zone.err(), vision.then_some(Errno::AGAIN), "{board}");
    }
}

#[test]
fn every_path_of_the_configuration_that_belongs_to_this_kernel_exists() {
    for board in BOARDS {
        let tree = open(board);
        tree.adversary(Adversary::Nvpmodel(0)).unwrap();
        let conf = tree.text("etc/nvpmodel.conf").unwrap();
        let rows: Vec<(&str, &str)> = conf.lines().filter_map(|line| line.split_once(" /")).collect();
        assert!(rows.len() > 20);
        for (arg, path) in &rows {
            let next = format!("{arg}_KNEXT");
            let has_twin = rows.iter().any(|(other, _)| *other == next);
            if arg.ends_with("_KNEXT") || !has_twin {
                assert!(tree.exists(path), "{board}: {arg} /{path}");
            }
        }
    }
}

#[test]
fn equal_seeds_give_equal_plain_files() {
    let folder = std::env::temp_dir().join(format!("fulcrum-plain-{}", std::process::id()));
    for board in BOARDS {
        let places = ["a", "b"].map(|name| folder.join(board).join(name));
        for place in &places {
            open(board).write_plain(place).unwrap();
        }
        let [first, second] = places.each_ref().map(|place| contents(place, place));
        assert!(first.len() > 200, "{board}: {}", first.len());
        assert_eq!(first, second);
        let link = std::fs::read_link(places[0].join("proc/device-tree")).unwrap();
        assert_eq!(link, Path::new("../sys/firmware/devicetree/base"));
        let again = open(board).write_plain(&places[0]).unwrap_err();
        assert_eq!(again.kind(), std::io::ErrorKind::DirectoryNotEmpty);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Path, mode and content of everything below a folder.
fn contents(root: &Path, folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let content = if meta.is_file() {
            std::fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        all.push((name, meta.permissions().mode(), content));
        if meta.is_dir() {
            all.extend(contents(root, &path));
        }
    }
    all.sort();
    all
}

proptest! {
    #[test]
    fn whatever_is_written_what_is_in_force_stays_inside_the_hardware_and_in_order(
        board in 0..3_usize,
        writes in prop::collection::vec((0..6_usize, prop_oneof![any::<u64>(), 0..3_000_000_000_u64, 0..3_000_000_u64]), 1..60),
    ) {
        let tree = open(BOARDS[board]);
        let gpu = gpu(&tree);
        let paths = [
            format!("{POLICY}/scaling_min_freq"),
            format!("{POLICY}/scaling_max_freq"),
            format!("{gpu}/min_freq"),
            format!("{gpu}/max_freq"),
            format!("{EMC}/rate"),
            format!("{CPU}/cpu1/online"),
        ];
        let number = |path: &str| tree.text(path).unwrap().parse::<u64>().unwrap();
        let table = |path: &str| -> Vec<u64> {
            tree.text(path).unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect()
        };
        let cpu = table(&format!("{POLICY}/scaling_available_frequencies"));
        let gpu_table = table(&format!("{gpu}/available_frequencies"));
        let current = [format!("{POLICY}/scaling_cur_freq"), format!("{gpu}/cur_freq")];
        for (path, value) in writes {
            let _ = tree.write(&paths[path], value.to_string());
            let (low, high) = (number(&paths[0]), number(&paths[1]));
            prop_assert!(cpu[0] <= low && low <= high && high <= cpu[cpu.len() - 1]);
            prop_assert!(number(&paths[2]) <= number(&paths[3]));
            prop_assert!(cpu.contains(&number(&current[0])));
            prop_assert!(gpu_table.contains(&number(&current[1])));
        }
    }
}
