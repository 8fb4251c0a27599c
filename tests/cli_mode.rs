//! `fulcrum mode` as a user runs it, on simulated boards, with a shell as the second pair of eyes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod site;

use fulcrum::board::Root;
use fulcrum::power::Journal;
use fulcrum::twin::faults::{Effect, Fault, Place, Touch};
use fulcrum::twin::tree::Adversary;
use serde_json::Value;
use site::{BOARDS, Site, printed, said};

/// The ids of the presets that need no reboot.
fn live(site: &Site) -> Vec<u64> {
    let list = site.json(&["mode", "list"]);
    let modes = list["modes"].as_array().unwrap();
    let live = modes.iter().filter(|mode| mode["reboot"] == false);
    live.map(|mode| mode["id"].as_u64().unwrap()).collect()
}

fn texts<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    let list = list.as_array().unwrap();
    list.iter().map(|it| it[key].as_str().unwrap()).collect()
}

/// Sets every preset, has a shell read it, and restores.
fn every_preset(site: &Site) {
    let found = site.state();
    for id in live(site) {
        let out = site.json(&["mode", "set", &id.to_string()]);
        assert_eq!(out["held"], found != site.state(), "{out}");
        let list = site.json(&["mode", "list"]);
        let modes = list["modes"].as_array().unwrap();
        let mode = modes.iter().find(|mode| mode["id"] == id).unwrap();
        assert_eq!(mode["present"], true, "{mode}");
        assert_eq!(
            mode["cores_online"].as_u64().unwrap() as usize,
            site.cores_online()
        );
        let cpu = site.reads("policy0/scaling_max_freq");
        assert_eq!(cpu, mode["cpu_khz"].as_u64(), "{mode}");
        let gpu = site.reads("/max_freq").unwrap();
        assert_eq!(Some(gpu / 1_000), mode["gpu_khz"].as_u64(), "{mode}");
        let emc = site
            .reads("nvpmodel_clk_cap/emc")
            .or_else(|| site.reads("emc_iso_cap"));
        // No cap is written as 0 by older boards.
        let emc = emc.filter(|emc| *emc > 0).map(|emc| emc / 1_000);
        assert!(emc.is_none() || emc == mode["emc_khz"].as_u64(), "{emc:?} {mode}");

        let show = site.json(&["mode", "show"]);
        assert_eq!(show["mode"], list["mode"]);
        assert_eq!(show["journal"]["state"] == "held", out["held"] == true);
        assert!(
            texts(&show["drift"], "standing").iter().all(|it| *it == "ours"),
            "{show}"
        );
        assert!(site.run(&["mode", "restore"]).status.success());
        assert_eq!(site.state(), found, "after preset {id}");
    }
    assert!(!site.root().join("var/lib/fulcrum/journal").exists());
}

#[test]
fn every_preset_is_set_read_back_by_a_shell_and_restored() {
    for board in BOARDS {
        every_preset(&Site::new(board));
    }
    every_preset(&Site::plain("orin-nano"));
}

#[test]
fn what_a_dry_run_lists_is_what_is_then_written_and_itself_it_writes_nothing() {
    for board in ["agx-orin", "orin-nano"] {
        let site = Site::new(board);
        let found = site.state();
        for mode in [
            "0",
            "3",
            "cores=3,gpu=408000",
            "cpu=960000,emc=2133000",
            "cores=1,cpu=115200,gpu=306000,emc=204000",
        ] {
            let id = mode.parse().ok();
            if id.is_some_and(|id: u64| !live(&site).contains(&id)) {
                continue;
            }
            let dry = site.json(&["mode", "set", mode, "--dry-run"]);
            assert_eq!(site.state(), found);
            assert!(!site.root().join("var/lib/fulcrum/journal").exists());
            if let Some(tree) = site.tree() {
                assert_eq!(tree.log(), []);
            }
            let real = site.json(&["mode", "set", mode]);
            assert_eq!(dry["writes"], real["writes"], "{mode}");
            assert_eq!(dry["floored"], real["floored"]);
            let count = real["writes"].as_array().unwrap().len();
            if let Some(tree) = site.tree() {
                assert_eq!(tree.log().len(), count, "{mode}");
                tree.clear_log();
            }
            let dry = site.json(&["mode", "restore", "--dry-run"]);
            if let Some(tree) = site.tree() {
                assert_eq!(tree.log(), []);
            }
            let real = site.json(&["mode", "restore"]);
            assert_eq!(dry["writes"], real["writes"], "{mode}");
            if let Some(tree) = site.tree() {
                tree.clear_log();
            }
            assert_eq!(site.state(), found);
        }
    }
}

#[test]
fn a_preset_that_needs_a_reboot_is_refused_by_name_with_no_write() {
    for (board, name, mask) in [
        (
            "agx-orin",
            "MODE_15W",
            "tpc_pg_mask is 0 and would have to be 248",
        ),
        ("orin-nano", "7W", "tpc_pg_mask is 240 and would have to be 252"),
        (
            "agx-xavier",
            "MODE_10W",
            "tpc_pg_mask is 0 and would have to be 5",
        ),
    ] {
        let site = Site::new(board);
        for dry in [&[][..], &["--dry-run"]] {
            let (code, text) = site.refused(&[&["mode", "set", name], dry].concat());
            assert_eq!(code, 1);
            assert!(
                text.contains(&format!("preset {name} needs a reboot")) && text.contains(mask),
                "{text}"
            );
        }
        let show = site.json(&["mode", "show", name]);
        assert_eq!(show["reboot"], true);
        assert!(texts(&show["rows"], "outcome").contains(&"reboot"));
        assert!(!site.root().join("var/lib/fulcrum/lock").exists());
        if let Some(tree) = site.tree() {
            assert_eq!(tree.log(), []);
        }
    }
}

#[test]
fn a_clock_between_two_of_the_table_comes_to_the_lower_and_is_said() {
    let site = Site::new("orin-nano");
    let out = site.run(&["mode", "set", "cores=4,cpu=1200000,gpu=420750"]);
    assert!(out.status.success(), "{}", said(&out));
    let text = printed(&out);
    for wanted in [
        "floored: cpu0-ceiling 1200000 kHz is not in its table, 1190400 is the next lower one",
        "floored: gpu-ceiling 420750 kHz is not in its table, 408000 is the next lower one",
        "held until `fulcrum mode restore --root ",
        "(simulated)",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
    assert_eq!(site.reads("policy0/scaling_max_freq"), Some(1_190_400));
    assert_eq!(site.reads("/max_freq"), Some(408_000_000));
    assert_eq!(site.cores_online(), 4);
    let show = site.json(&["mode", "show"]);
    assert_eq!(show["mode"], "cores=4,cpu=1190400,gpu=408000,emc=3199000");
    // What `show` prints is what `set` takes; the board is in it.
    let again = site.json(&["mode", "set", show["mode"].as_str().unwrap()]);
    assert_eq!(again["writes"], Value::Array(Vec::new()));
    assert_eq!(again["held"], true);
}

#[test]
fn two_sets_and_a_restore_lead_back_to_before_the_first() {
    for board in BOARDS {
        let site = Site::new(board);
        let found = site.state();
        site.json(&["mode", "set", "cores=2,gpu=408000"]);
        site.json(&["mode", "set", "cores=3,cpu=960000"]);
        assert_ne!(site.state(), found);
        let out = site.json(&["mode", "restore"]);
        assert_eq!(out["outcome"], "restored");
        assert_eq!(site.state(), found);
        assert_eq!(site.json(&["mode", "restore"])["outcome"], "nothing");
        assert_eq!(site.json(&["mode", "show"])["journal"]["state"], "none");
    }
}

#[test]
fn killed_at_any_write_the_next_restore_or_set_puts_the_board_back_first() {
    for board in BOARDS {
        let site = Site::new(board);
        let Some(tree) = site.tree() else { return };
        let found = site.state();
        let mut killed = 0;
        for (before, nth) in (1..=40).flat_map(|nth| [(true, nth), (false, nth)]) {
            let effect = if before {
                Effect::KillBefore
            } else {
                Effect::KillAfter
            };
            tree.faults().add(Fault::new(Touch::Write, effect).nth(nth));
            let out = site.run(&["mode", "set", "cores=2,cpu=960000,gpu=420750,emc=665600"]);
            tree.faults().clear();
            if out.status.success() {
                assert!(site.run(&["mode", "restore"]).status.success());
                assert_eq!(site.state(), found);
                if before {
                    break;
                }
                continue;
            }
            killed += 1;
            assert_eq!(out.status.code(), None, "{}", said(&out));
            assert_eq!(site.json(&["mode", "show"])["journal"]["state"], "open");
            if nth % 2 == 0 {
                let out = site.json(&["mode", "restore"]);
                assert!(
                    out["text"].as_str().unwrap().contains("had been cut off"),
                    "{out}"
                );
            } else {
                let out = site.json(&["mode", "set", "gpu=408000"]);
                assert!(
                    out["recovered"].as_str().unwrap().contains("had been cut off"),
                    "{out}"
                );
                assert!(site.run(&["mode", "restore"]).status.success());
            }
            assert_eq!(site.state(), found, "{board}: write {nth}, before: {before}");
        }
        assert!(killed >= 8, "{board}: {killed}");
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_state_and_a_restore_that_fails_too_has_its_own_code() {
    let site = Site::new("agx-orin");
    let Some(tree) = site.tree() else { return };
    let found = site.state();
    let failing = |end: &str| {
        Fault::new(Touch::Write, Effect::Errno(rustix::io::Errno::IO)).at(Place::Suffix(end.into()))
    };
    tree.faults().add(failing("nvpmodel_clk_cap/emc"));
    let (code, text) = site.refused(&["mode", "set", "cores=4,cpu=960000,emc=2133000"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("emc-ceiling did not take the value 2133000"),
        "{text}"
    );
    assert_eq!(site.state(), found);
    tree.faults().clear();

    // The first write passes; from then on none does.
    tree.faults().add(failing("").nth(2).for_good());
    let (code, text) = site.refused(&["mode", "set", "cores=4,cpu=960000"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("was not put back"), "{text}");
    assert_ne!(site.state(), found);
    let (code, text) = site.refused(&["mode", "restore"]);
    assert_eq!(code, 3, "{text}");
    tree.faults().clear();
    assert_eq!(site.json(&["mode", "restore"])["outcome"], "restored");
    assert_eq!(site.state(), found);
}

#[test]
fn a_journal_of_another_boot_is_explained_and_removed() {
    let site = Site::new("orin-nano");
    let Some(tree) = site.tree() else { return };
    site.json(&["mode", "set", "gpu=408000"]);
    tree.reboot().unwrap();
    let fresh = site.state();
    tree.clear_log();
    assert_eq!(site.json(&["mode", "show"])["journal"]["state"], "other-boot");
    assert_eq!(
        site.json(&["mode", "restore", "--dry-run"])["outcome"],
        "other-boot"
    );
    let out = site.json(&["mode", "restore"]);
    assert_eq!(out["outcome"], "other-boot");
    assert!(out["text"].as_str().unwrap().contains("started anew"), "{out}");
    assert_eq!((site.state(), tree.log()), (fresh, Vec::new()));
    assert_eq!(site.json(&["mode", "show"])["journal"]["state"], "none");
}

#[test]
fn a_torn_and_a_foreign_journal_are_refused_with_no_write() {
    let site = Site::new("orin-nano");
    let other = Site::new("agx-orin");
    let journal = |site: &Site| site.root().join("var/lib/fulcrum/journal");
    site.json(&["mode", "set", "gpu=408000"]);
    let whole = std::fs::read(journal(&site)).unwrap();
    let state = site.state();

    std::fs::write(journal(&site), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(site.json(&["mode", "show"])["journal"]["state"], "unreadable");
    for (words, wanted) in [
        (&["mode", "restore"][..], 3),
        (&["mode", "restore", "--dry-run"], 3),
        (&["mode", "set", "gpu=306000"], 1),
    ] {
        let (code, text) = site.refused(words);
        assert_eq!(code, wanted, "{words:?}: {text}");
        assert!(
            text.contains("is damaged from line") && text.contains("then remove the file"),
            "{text}"
        );
    }
    assert_eq!(site.state(), state);

    // The other board's boot id goes with it: only its name tells.
    let folder = journal(&other);
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let boot = |site: &Site| {
        let text = std::fs::read_to_string(site.root().join("proc/sys/kernel/random/boot_id")).unwrap();
        text.trim().to_owned()
    };
    let body = text.replace(&boot(&site), &boot(&other));
    let body = &body[..body.find("crc32 ").unwrap()];
    let sealed = format!("{body}crc32 {:08x}\n", crc32fast::hash(body.as_bytes()));
    std::fs::write(&folder, sealed).unwrap();
    let state = other.state();
    assert_eq!(other.json(&["mode", "show"])["journal"]["state"], "foreign");
    for words in [&["mode", "restore"][..], &["mode", "set", "gpu=408000"]] {
        let (code, text) = other.refused(words);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains("was written for \"Jetson Orin Nano 8GB Super (p3767-0005)\""),
            "{text}"
        );
    }
    assert_eq!(other.state(), state);

    std::fs::write(journal(&site), whole).unwrap();
    assert_eq!(site.json(&["mode", "restore"])["outcome"], "restored");
}

#[test]
fn a_journal_that_cannot_be_written_keeps_the_board_as_it_was() {
    let site = Site::new("orin-nano");
    let found = site.state();
    // A file is no folder, not even for root.
    let folder = site.root().join("etc/nvpmodel.conf/journal");
    let folder = folder.display().to_string();
    let (code, text) = site.refused(&["mode", "set", "gpu=408000", "--journal", &folder]);
    assert_eq!(code, 1);
    assert!(
        text.contains(&folder) && text.contains("with --journal DIR"),
        "{text}"
    );
    assert_eq!(site.state(), found);
    let Some(tree) = site.tree() else { return };
    assert_eq!(tree.log(), []);
    // The disk is full at any of its operations.
    for nth in 1..=12 {
        let full = Effect::Errno(rustix::io::Errno::NOSPC);
        tree.faults().add(Fault::new(Touch::Disk, full).nth(nth));
        let out = site.run(&["mode", "set", "gpu=408000"]);
        tree.faults().clear();
        assert!(
            out.status.success() || out.status.code() == Some(1),
            "{}",
            said(&out)
        );
        if !out.status.success() {
            assert_eq!(site.state(), found, "operation {nth} of the disk: {}", said(&out));
        }
        assert!(site.run(&["mode", "restore"]).status.success());
        assert_eq!(site.state(), found);
    }
}

#[test]
fn while_another_program_changes_the_mode_a_second_is_turned_away() {
    let site = Site::new("orin-nano");
    let folder = site.root().join("var/lib/fulcrum");
    let found = site.state();
    let lock = Journal::lock(&Root::new(site.root()), &folder).unwrap();
    let (code, text) = site.refused(&["mode", "set", "gpu=408000"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("another program is changing this board's power mode"),
        "{text}"
    );
    assert_eq!(site.state(), found);
    drop(lock);
    site.json(&["mode", "set", "gpu=408000"]);
}

#[test]
fn a_journal_in_another_folder_is_found_there() {
    let site = Site::new("agx-xavier");
    let found = site.state();
    let folder = std::env::temp_dir().join(format!("fulcrum-journal-elsewhere-{}", std::process::id()));
    let name = folder.display().to_string();
    site.json(&["mode", "set", "gpu=420750", "--journal", &name]);
    assert!(folder.join("journal").exists() && !site.root().join("var/lib/fulcrum/lock").exists());
    assert_eq!(site.json(&["mode", "restore"])["outcome"], "nothing");
    assert_eq!(
        site.json(&["mode", "restore", "--journal", &name])["outcome"],
        "restored"
    );
    assert_eq!(site.state(), found);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_other_software_does_to_a_mode_that_is_held_is_told_and_not_fought() {
    let site = Site::new("orin-nano");
    let Some(tree) = site.tree() else { return };
    site.json(&["mode", "set", "0"]);
    tree.adversary(Adversary::Nvpmodel(1)).unwrap();
    let state = site.state();
    let show = site.json(&["mode", "show"]);
    let drift = show["drift"].as_array().unwrap();
    let of = |knob| {
        let row = drift.iter().find(|row| row["knob"] == knob).unwrap();
        row["standing"].as_str().unwrap().to_owned()
    };
    assert_eq!((of("cores"), of("gpu")), ("ours".into(), "taken over".into()));
    assert_eq!(of("cpu"), "limited", "25W has the lower CPU clock");
    assert_eq!(site.state(), state);
}

#[test]
fn a_mode_is_shown_row_by_row_with_what_becomes_of_each() {
    let site = Site::new("agx-xavier");
    let show = site.json(&["mode", "show", "MODE_30W_6CORE"]);
    let rows = show["rows"].as_array().unwrap();
    let row = |setting: &str| rows.iter().find(|row| row["setting"] == setting).unwrap();
    let ceiling = row("cpu0-ceiling");
    assert_eq!(
        (&ceiling["outcome"], &ceiling["to"]),
        (&"floored".into(), &1_420_800.into())
    );
    assert_eq!(row("core4")["outcome"], "written");
    assert_eq!(row("core1")["outcome"], "in place");
    assert!(rows.iter().any(|row| row["outcome"] == "left alone"));
    for row in rows {
        assert!(
            row["line"].is_u64() && row["path"].as_str().unwrap().starts_with('/'),
            "{row}"
        );
    }
    let show = site.json(&["mode", "show", "cores=4,gpu=500000"]);
    let rows = show["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["setting"] == "gpu-ceiling" && row["outcome"] == "floored")
    );
}

#[test]
fn garbage_is_refused_with_what_is_wrong_and_what_there_is() {
    let site = Site::new("orin-nano");
    for (mode, wanted) in [
        ("8W", "there are 0 15W, 1 25W, 2 MAXN_SUPER, 3 7W"),
        ("99", "no preset is called \"99\""),
        ("cores=4,fan=255", "part 2 is not one of cores=N"),
        ("cores=", "part 1 is not one of"),
        (
            "gpu=408000,gpu=306000",
            "part 2 names a knob that was named before",
        ),
        ("cores=7", "cores goes from 1 to 6"),
        ("gpu=1000", "gpu goes from 306000 to 1020000 kHz"),
        ("gpu=99999999999", "part 1 is not one of"),
        ("=", "part 1 is not one of"),
        ("", "no preset is called \"\""),
    ] {
        for verb in ["set", "show"] {
            let (code, text) = site.refused(&["mode", verb, mode]);
            assert_eq!(code, 1, "{mode}");
            assert!(text.contains(wanted), "{verb} {mode}: {text}");
        }
    }
    for words in [
        &["mode"][..],
        &["mode", "set"],
        &["mode", "set", "0", "--wet-run"],
    ] {
        assert_eq!(site.refused(words).0, 2);
    }
    if let Some(tree) = site.tree() {
        assert_eq!(tree.log(), []);
    }
}

#[test]
fn without_rights_the_file_is_named_and_nothing_is_half_written() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let site = Site::new("orin-nano");
    let found = site.state();
    // The build folder may be closed to others.
    let program = std::env::temp_dir().join(format!("fulcrum-nobody-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_fulcrum"), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(words).arg("--root").arg(site.root());
        command.uid(65_534).gid(65_534).output().unwrap()
    };
    let out = run(&["mode", "set", "0"]);
    assert_eq!(out.status.code(), Some(1));
    let text = said(&out);
    assert!(
        text.contains("policy0/scaling_max_freq may not be written: Permission denied"),
        "{text}"
    );
    assert!(
        text.contains("run this as root (sudo)") && text.lines().count() == 1,
        "{text}"
    );
    let dry = run(&["mode", "set", "0", "--dry-run"]);
    assert!(dry.status.success() && printed(&dry).contains("nothing was written"));
    for words in [
        &["mode", "list"][..],
        &["mode", "show"],
        &["mode", "restore"],
        &["board"],
    ] {
        assert!(run(words).status.success(), "{words:?}");
    }
    assert_eq!(site.state(), found);
    assert!(!site.root().join("var/lib/fulcrum/lock").exists());
    std::fs::remove_file(program).unwrap();
}

#[test]
fn the_help_has_examples_and_the_exit_codes() {
    let site = Site::plain("orin-nano");
    for (words, wanted) in [
        (
            &["mode", "set", "--help"][..],
            "3 failed, and the board could not be put back",
        ),
        (
            &["mode", "restore", "--help"],
            "3 the board could not be put back",
        ),
        (&["mode", "list", "--help"], "fulcrum mode list --json"),
        (&["mode", "show", "--help"], "fulcrum mode show MODE_15W"),
    ] {
        let out = site.run(words);
        let text = printed(&out).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.status.success() && text.contains(wanted), "{text}");
    }
}
