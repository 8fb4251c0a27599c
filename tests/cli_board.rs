//! `fulcrum board` and `fulcrum watch` as a user runs them, on simulated boards and on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod site;

use fulcrum::twin::faults::{Effect, Fault, Place, Touch};
use fulcrum::twin::tree::Adversary;
use fulcrum::units::Nanos;
use serde_json::{Value, json};
use site::{BOARDS, Site, printed, said};
use std::path::PathBuf;
use std::process::Command;

fn knob<'v>(report: &'v Value, name: &str) -> &'v Value {
    let knobs = report["knobs"].as_array().unwrap();
    knobs.iter().find(|knob| knob["name"] == name).unwrap()
}

#[test]
fn json_has_the_form_that_was_promised_on_every_board() {
    for (board, soc, jetpack, rule) in [
        (
            "agx-orin",
            "tegra234",
            "6.2.1",
            "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (",
        ),
        ("orin-nano", "tegra234", "6.2.2", "VDD_IN ("),
        (
            "agx-xavier",
            "tegra194",
            "5.1.2",
            "GPU + CPU + SOC + CV + VDDRQ + SYS5V",
        ),
    ] {
        let site = Site::new(board);
        let report = site.json(&["board"]);
        assert_eq!(
            (&report["soc"], &report["jetpack"]),
            (&json!(soc), &json!(jetpack))
        );
        assert!(report["model"].is_string() && report["kernel"].is_string());
        assert!(
            report["total_rule"].as_str().unwrap().starts_with(rule),
            "{report}"
        );
        assert!(report["zones"].as_array().unwrap().len() >= 8);
        assert!(report["rails"].as_array().unwrap().len() >= 3);
        assert_eq!(report["simulated"] == true, site.tree().is_some());
        for name in ["cores", "cpu", "gpu", "emc"] {
            let knob = knob(&report, name);
            let table = knob["table"].as_array().unwrap();
            assert_eq!((&knob["min"], &knob["max"]), (&table[0], table.last().unwrap()));
            assert!(table.iter().all(Value::is_u64) && table.len() > 3);
            assert!(PathBuf::from(knob["path"].as_str().unwrap()).is_file());
            assert_eq!(knob["writable"], true);
            assert!(knob["why"].is_null());
        }
        // What it says is what a shell reads.
        assert_eq!(knob(&report, "cores")["current"], site.cores_online());
        let cpu = site.reads("policy0/scaling_max_freq");
        assert_eq!(knob(&report, "cpu")["current"].as_u64(), cpu);
        let gpu = site.reads("/max_freq").map(|hertz| hertz / 1_000);
        assert_eq!(knob(&report, "gpu")["current"].as_u64(), gpu);
        for mode in report["modes"].as_array().unwrap() {
            assert!(mode["id"].is_u64() && mode["name"].is_string() && mode["reboot"].is_boolean());
            assert!(mode["cpu_khz"].is_u64() && mode["gpu_khz"].is_u64() && mode["emc_khz"].is_u64());
        }
    }
}

#[test]
fn a_cluster_that_is_offline_is_not_lost() {
    let site = Site::new("orin-nano");
    let cores = |report: &Value| -> Vec<u64> {
        let clusters = report["clusters"].as_array().unwrap();
        let cores = clusters.iter().flat_map(|it| it["cores"].as_array().unwrap());
        cores.map(|core| core.as_u64().unwrap()).collect()
    };
    assert_eq!(cores(&site.json(&["board"])), [0, 1, 2, 3, 4, 5]);
    for core in [4, 5] {
        let file = site
            .root()
            .join(format!("sys/devices/system/cpu/cpu{core}/online"));
        std::fs::write(file, "0").unwrap();
    }
    let report = site.json(&["board"]);
    assert_eq!(cores(&report), [0, 1, 2, 3, 4, 5]);
    let last = report["clusters"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["cores"], &last["online"]), (&json!([4, 5]), &json!([])));
    let text = printed(&site.run(&["board"]));
    assert!(text.contains("cores 4-5  offline"), "{text}");
}

#[test]
fn a_person_reads_who_it_is_what_can_be_set_and_what_it_measures() {
    for board in BOARDS {
        let site = Site::new(board);
        let out = site.run(&["board"]);
        let text = printed(&out);
        assert!(out.status.success() && out.stderr.is_empty());
        assert_eq!(
            text.lines().next().unwrap().ends_with(" (simulated)"),
            site.tree().is_some()
        );
        for part in [
            "\nclusters\n",
            "\nknobs\n",
            "\npresets\n",
            "\npower\n",
            "\ntemperatures\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(
            text.contains("total = ") && text.contains("needs a reboot"),
            "{text}"
        );
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }
}

/// `fulcrum board` on the board below `root`.
fn board(root: &str, words: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command
        .args(["board", "--root", root])
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn this_machine_lists_what_it_has_and_says_what_it_lacks() {
    let out = board("/", &["--json"]);
    assert!(out.status.success(), "{}", said(&out));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["simulated"], false);
    for name in ["cores", "cpu", "gpu", "emc"] {
        let knob = knob(&report, name);
        let lacks = knob["table"].as_array().unwrap().is_empty();
        assert_eq!(lacks, knob["path"].is_null(), "{knob}");
        assert!(
            !lacks || (knob["why"].is_string() && knob["writable"] == false),
            "{knob}"
        );
    }
    assert!(!report["clusters"].as_array().unwrap().is_empty());
    assert!(board("/", &[]).status.success());
}

#[test]
fn a_pc_offers_its_clocks_its_zones_and_its_energy_counters() {
    let root = std::env::temp_dir().join(format!("fulcrum-pc-{}", std::process::id()));
    for (path, text) in [
        ("sys/class/dmi/id/product_name", "Workstation"),
        ("sys/devices/system/cpu/present", "0-1"),
        ("sys/devices/system/cpu/cpu1/online", "1"),
        ("sys/devices/system/cpu/cpufreq/policy0/related_cpus", "0 1"),
        (
            "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_min_freq",
            "800000",
        ),
        (
            "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq",
            "1000000",
        ),
        (
            "sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq",
            "800000",
        ),
        (
            "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
            "1000000",
        ),
        ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp"),
        ("sys/class/thermal/thermal_zone0/temp", "51000"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "12345"),
        (
            "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
            "65532610987",
        ),
    ] {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, format!("{text}\n")).unwrap();
    }
    let out = board(root.to_str().unwrap(), &["--json"]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["model"], "Workstation");
    assert_eq!(
        knob(&report, "cpu")["table"],
        json!([800_000, 900_000, 1_000_000])
    );
    assert_eq!(knob(&report, "cores")["table"], json!([1, 2]));
    assert!(knob(&report, "gpu")["why"].as_str().unwrap().contains("devfreq"));
    assert_eq!(report["total_rule"], "package-0");
    assert_eq!(report["rails"][0]["energy_uj"], 12_345);
    assert_eq!(report["zones"][0]["millicelsius"], 51_000);
    assert!(report["no_modes"].as_str().unwrap().contains("offers no presets"));
    let text = printed(&board(root.to_str().unwrap(), &[]));
    assert!(text.contains("3 clocks, 800 to 1000 MHz"), "{text}");
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_root_that_is_no_board_is_refused_with_its_name() {
    let out = board("/no/such/folder", &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        said(&out).starts_with("fulcrum: the folder /no/such/folder cannot be read: "),
        "{}",
        said(&out)
    );
    let out = board("/proc/self", &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).contains("/proc/self is no board: the board shows no CPU core"));
}

/// The lines of `watch`, which must succeed.
fn watch(site: &Site, words: &[&str]) -> Vec<String> {
    let out = site.run(&[&["watch"], words].concat());
    assert!(out.status.success(), "{}", said(&out));
    printed(&out).lines().map(str::to_owned).collect()
}

#[test]
fn watch_prints_a_line_an_interval_where_there_is_no_terminal() {
    let site = Site::new("orin-nano");
    let lines = watch(&site, &["--count", "2", "--interval", "500ms"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("total = VDD_IN ("));
    for line in &lines[1..] {
        for wanted in [" W  mean ", "cores 6/6 cpu0 ", " MHz | ", "-thermal"] {
            assert!(line.contains(wanted), "{line}");
        }
    }
}

#[test]
fn watch_as_json_has_power_clocks_zones_counters_and_whose_the_knobs_are() {
    let site = Site::new("orin-nano");
    site.json(&["mode", "set", "0"]);
    if let Some(tree) = site.tree() {
        tree.adversary(Adversary::Nvpmodel(2)).unwrap();
        tree.over_current(2, 5).unwrap();
    }
    let lines = watch(&site, &["--count", "2", "--json"]);
    assert_eq!(lines.len(), 2);
    let line: Value = serde_json::from_str(&lines[1]).unwrap();
    assert!(line["total_rule"].as_str().unwrap().starts_with("VDD_IN ("));
    assert!(line["total_mw"].as_u64().unwrap() > 1_000);
    assert_eq!(line["total_mw"], line["rails"][0]["mw"]);
    assert_eq!(
        (&line["cores_online"], &line["journal"]),
        (&json!(6), &json!("held"))
    );
    let names: Vec<&str> = line["clocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["cpu0", "cpu4", "gpu", "emc"]);
    assert!(line["clocks"][2]["khz"].is_u64() && line["clocks"][2]["ceiling_khz"].is_u64());
    assert_eq!(line["zones"].as_array().unwrap().len(), 9);
    assert_eq!(line["overcurrent"].as_array().unwrap().len(), 3);
    if site.tree().is_some() {
        assert_eq!(line["overcurrent"][1]["events"], 5);
        let drift = line["drift"].as_array().unwrap();
        assert!(
            drift.contains(&json!({"knob": "gpu", "standing": "taken over"})),
            "{line}"
        );
        assert!(
            drift.contains(&json!({"knob": "cores", "standing": "ours"})),
            "{line}"
        );
    }
}

#[test]
fn a_sensor_that_does_not_answer_holds_up_nothing_and_is_told() {
    let site = Site::new("orin-nano");
    let Some(tree) = site.tree() else { return };
    let blocks = Effect::Block(Nanos::from_secs(5));
    tree.faults()
        .add(Fault::new(Touch::Read, blocks).at(Place::Suffix("in1_input".into())));
    let lines = watch(&site, &["--count", "3", "--interval", "700ms", "--json"]);
    let line: Value = serde_json::from_str(&lines[2]).unwrap();
    assert!(line["power_blocked_ms"].as_u64().unwrap() > 1_000, "{line}");
    assert!(line["total_mw"].is_null());
    assert!(
        line["state_blocked_ms"].is_null() && line["mode"].is_string(),
        "{line}"
    );
}

#[test]
fn the_terminal_is_put_back_when_the_view_ends_and_when_it_is_told_to_end() {
    let has_script = Command::new("script").arg("--version").output();
    if has_script.is_err() {
        eprintln!("SKIPPED: there is no `script` to make a terminal with");
        return;
    }
    let site = Site::new("orin-nano");
    let watch = format!(
        "stty cols 90 rows 24; {} watch --root {}",
        env!("CARGO_BIN_EXE_fulcrum"),
        site.root().display()
    );
    for ending in [
        format!("{watch} --count 1"),
        format!("{watch} & sleep 1; kill -TERM $!; wait $!"),
    ] {
        let out = Command::new("script")
            .args(["-qec", &ending, "/dev/null"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = printed(&out);
        assert!(out.status.success(), "{text}");
        let (entered, left) = ("\x1b[?1049h", "\x1b[?1049l");
        assert!(text.contains(entered) && text.contains("quits"), "{text:?}");
        assert!(text.rfind(left) > text.rfind(entered), "{text:?}");
    }
}

#[test]
fn an_interval_without_a_unit_or_out_of_bounds_is_a_usage_error() {
    let site = Site::plain("orin-nano");
    for wrong in ["1", "1m", "49ms", "2h"] {
        let (code, text) = site.refused(&["watch", "--interval", wrong]);
        assert_eq!(code, 2);
        assert!(text.contains("50ms to 3600s"), "{text}");
    }
}

#[test]
fn the_help_of_each_verb_has_examples() {
    let site = Site::plain("orin-nano");
    for (verb, wanted) in [
        ("board", "fulcrum board --root /tmp/jetson"),
        ("watch", "fulcrum watch --json --count 60"),
    ] {
        let out = site.run(&[verb, "--help"]);
        assert!(out.status.success() && printed(&out).contains(wanted));
    }
}
