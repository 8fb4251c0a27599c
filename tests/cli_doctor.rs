//! `fulcrum doctor` as a user runs it: on a tree of plain files where all is well, on one with each thing that may be
//! wrong, and on this machine.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::{Board, Machine, Root, Setting};
use fulcrum::power::journal::{Entry, Journal, State};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A Jetson on which nothing is wrong.
const WELL: &str = include_str!("fixtures/doctor/well.txt");

/// What differs from it, and what is to be found then.
const CASES: &str = include_str!("fixtures/doctor/cases.txt");

const CPU: &str = "sys/devices/system/cpu";

/// The lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A tree of plain files, which goes when it is dropped.
struct Tree(PathBuf);

impl Tree {
    fn well(name: &str) -> Tree {
        let folder = std::env::temp_dir().join(format!("fulcrum-doctor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let tree = Tree(folder);
        for line in lines(WELL) {
            tree.change(&format!("+ {line}"));
        }
        tree
    }

    /// `+ path = text`, or `- path` for a file or folder that is not there.
    fn change(&self, line: &str) {
        if let Some(path) = line.strip_prefix("- ") {
            return self.take(path);
        }
        let (path, text) = line
            .strip_prefix("+ ")
            .and_then(|it| it.split_once(" ="))
            .unwrap();
        let text = text
            .trim_start()
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\0", "\0");
        self.put(path, &text);
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn take(&self, path: &str) {
        let path = self.0.join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    fn doctor(&self) -> Seen {
        let root = self.0.to_str().unwrap();
        Seen::of(&doctor(&["--json", "--root", root]))
    }

    /// Every file and folder with its text and the time of its last change.
    fn everything(&self) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
        fn walk(path: &Path, into: &mut BTreeMap<PathBuf, (Vec<u8>, i64, i64)>) {
            let about = fs::metadata(path).unwrap();
            let text = fs::read(path).unwrap_or_default();
            into.insert(path.to_owned(), (text, about.mtime(), about.mtime_nsec()));
            if path.is_dir() {
                for entry in fs::read_dir(path).unwrap() {
                    walk(&entry.unwrap().path(), into);
                }
            }
        }
        let mut all = BTreeMap::new();
        walk(&self.0, &mut all);
        all
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command.arg("doctor").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `--json` said, and the exit code.
struct Seen {
    said: Value,
    code: i32,
}

impl Seen {
    fn of(output: &Output) -> Seen {
        let said = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
        Seen {
            said,
            code: output.status.code().unwrap(),
        }
    }

    fn findings(&self) -> &Vec<Value> {
        self.said["findings"].as_array().unwrap()
    }

    fn finding(&self, name: &str) -> &Value {
        let mut all = self.findings().iter();
        all.find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.said))
    }

    fn level(&self, name: &str) -> &str {
        self.finding(name)["level"].as_str().unwrap()
    }

    /// The count and the exit code follow from the findings, and what is bad says what to do.
    fn is_consistent(&self) {
        let count = |level: &str| self.findings().iter().filter(|it| it["level"] == level).count();
        assert_eq!(self.said["problems"], count("problem"));
        assert_eq!(self.said["warnings"], count("warning"));
        assert_eq!(self.code, i32::from(count("problem") > 0));
        let names: BTreeSet<&str> = self
            .findings()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names.len(),
            self.findings().len(),
            "a name is used twice: {}",
            self.said
        );
        for finding in self.findings() {
            assert!(!finding["what"].as_str().unwrap().is_empty(), "{finding}");
            if finding["level"] == "problem" || finding["level"] == "warning" {
                assert!(finding["fix"].is_string(), "nothing to do about {finding}");
            }
        }
    }
}

#[test]
fn where_all_is_well_nothing_is_found_and_nothing_is_written() {
    let tree = Tree::well("well");
    let before = tree.everything();
    let seen = tree.doctor();
    seen.is_consistent();
    for finding in seen.findings() {
        assert_eq!(finding["level"], "ok", "{finding}");
    }
    assert_eq!(
        (seen.code, seen.said["board"].as_str()),
        (0, Some("Jetson AGX Orin 64GB (p3701-0005)"))
    );
    assert!(seen.findings().len() > 30, "{}", seen.said);
    assert_eq!(tree.everything(), before);
}

#[test]
fn each_thing_that_is_wrong_or_hidden_is_found_at_its_level() {
    let mut cases: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines(CASES) {
        match line.strip_prefix("  ") {
            Some(change) => cases.last_mut().unwrap().1.push(change),
            None => cases.push((line, Vec::new())),
        }
    }
    assert!(cases.len() > 70);
    for (number, (case, changes)) in cases.iter().enumerate() {
        let [name, level, part] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not a case: {case}");
        };
        let tree = Tree::well(&format!("case{number}"));
        changes.iter().for_each(|change| tree.change(change));
        let seen = tree.doctor();
        seen.is_consistent();
        let finding = seen.finding(name);
        assert_eq!(finding["level"], level, "{case}: {finding}");
        let what = finding["what"].as_str().unwrap();
        assert!(what.contains(part), "{case}: {what}");
    }
}

#[test]
fn a_knob_whose_file_takes_no_write_is_a_problem_that_names_the_file() {
    for (name, path) in [
        ("knob-cores", format!("{CPU}/cpu2/online")),
        ("knob-cpu", format!("{CPU}/cpufreq/policy0/scaling_max_freq")),
        ("knob-gpu", "sys/class/devfreq/17000000.gpu/max_freq".to_owned()),
        ("knob-emc", "sys/kernel/nvpmodel_clk_cap/emc".to_owned()),
    ] {
        let tree = Tree::well(name);
        // A folder cannot be opened for writing, by root neither.
        tree.take(&path);
        fs::create_dir(tree.0.join(&path)).unwrap();
        let seen = tree.doctor();
        seen.is_consistent();
        assert_eq!(seen.level(name), "problem", "{}", seen.said);
        assert!(
            seen.finding(name)["what"].as_str().unwrap().contains(&path),
            "{}",
            seen.said
        );
        assert_eq!(seen.code, 1);
    }
}

#[test]
fn a_user_without_rights_is_told_so_for_every_knob_the_journal_and_debugfs() {
    let tree = Tree::well("nobody");
    let debug = tree.0.join("sys/kernel/debug");
    fs::set_permissions(&debug, fs::Permissions::from_mode(0o700)).unwrap();
    let root = fs::metadata(&debug).unwrap().uid() == 0;
    if !root {
        eprintln!("skipped: only root may run the program as another user");
        return;
    }
    // The program is copied to where anybody may run it.
    let program = tree.0.join("fulcrum");
    fs::copy(env!("CARGO_BIN_EXE_fulcrum"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command
        .args(["doctor", "--json", "--root", "."])
        .current_dir(&tree.0);
    let seen = Seen::of(&command.uid(65_534).gid(65_534).output().unwrap());
    seen.is_consistent();
    for name in ["knob-cores", "knob-cpu", "knob-gpu", "journal-folder"] {
        assert_eq!(seen.level(name), "problem", "{}", seen.said);
    }
    assert_eq!(seen.level("knob-emc"), "warning");
    assert_eq!(seen.level("debugfs"), "warning");
    assert!(
        seen.finding("debugfs")["what"]
            .as_str()
            .unwrap()
            .contains("closed to this user")
    );
    assert_eq!(seen.level("memory-clock-lock"), "note");
    let fix = seen.finding("memory-clock-lock")["fix"].as_str().unwrap();
    assert!(fix.contains("sudo fulcrum doctor"), "{fix}");
}

#[test]
fn a_journal_is_told_by_its_state_its_boot_its_board_and_its_owner() {
    let tree = Tree::well("journal");
    let root = Root::new(&tree.0);
    let board = Machine::detect(root.clone()).unwrap().facts().name().to_owned();
    let folder = Journal::folder(&root);
    let write = |board: &str, state| {
        let entry = Entry {
            setting: Setting::CpuCeiling(0),
            found: 2_201_600,
            before: 2_201_600,
            asked: 115_200,
        };
        let journal = Journal::lock(&root, &folder).unwrap();
        journal.write(board, state, &[entry]).unwrap();
    };
    let journal = |part: &str| {
        let seen = tree.doctor();
        seen.is_consistent();
        let what = seen.finding("journal")["what"].as_str().unwrap().to_owned();
        assert!(what.contains(part), "{part} in {what}");
        seen.level("journal").to_owned()
    };
    write(&board, State::Open);
    assert_eq!(journal("cut off: 1 settings"), "problem");
    let inode = fs::metadata(folder.join("lock")).unwrap().ino();
    tree.put(
        "proc/locks",
        &format!("1: FLOCK  ADVISORY  WRITE 4711 fe:00:{inode} 0 EOF\n"),
    );
    assert_eq!(journal("process 4711"), "note");
    tree.take("proc/locks");
    assert_eq!(journal("going on or cut off"), "warning");
    write(&board, State::Held);
    assert_eq!(journal("on purpose"), "note");
    write("another board", State::Held);
    assert_eq!(journal("another board"), "problem");
    tree.put("proc/sys/kernel/random/boot_id", "another boot");
    assert_eq!(journal("earlier boot"), "note");
    tree.put("var/lib/fulcrum/journal", "fulcrum-journal 1\n");
    assert_eq!(journal("damaged from line 1"), "problem");
}

#[test]
fn clocks_that_a_held_mode_of_ours_pinned_are_not_blamed_on_jetson_clocks() {
    let tree = Tree::well("held");
    tree.put("sys/class/devfreq/17000000.gpu/min_freq", "612000000\n");
    tree.put(&format!("{CPU}/cpufreq/policy0/scaling_min_freq"), "2201600\n");
    let root = Root::new(&tree.0);
    let journal = Journal::lock(&root, &Journal::folder(&root)).unwrap();
    journal
        .write("Jetson AGX Orin 64GB (p3701-0005)", State::Held, &[])
        .unwrap();
    let seen = tree.doctor();
    assert_eq!(seen.level("jetson-clocks"), "note", "{}", seen.said);
}

#[test]
fn this_machine_is_examined_and_the_text_says_what_the_json_says() {
    let seen = Seen::of(&doctor(&["--json"]));
    seen.is_consistent();
    assert!(seen.findings().len() > 20, "{}", seen.said);
    let output = doctor(&[]);
    let said = text(&output.stdout);
    let last = said.lines().last().unwrap();
    let count = |name: &str, one: &str| {
        let count = seen.said[name].as_u64().unwrap();
        format!("{count} {one}{}", if count == 1 { "" } else { "s" })
    };
    // Problems do not come and go by themselves on a machine where tests run.
    assert!(last.starts_with(&count("problems", "problem")), "{said}");
    assert!(
        last.contains(" warning") && last.ends_with(" as it should be"),
        "{last}"
    );
    assert_eq!(output.status.code(), Some(seen.code));
}

#[test]
fn an_empty_folder_is_examined_and_one_that_is_missing_is_refused() {
    let tree = Tree::well("empty");
    let empty = tree.0.join("empty");
    fs::create_dir(&empty).unwrap();
    let seen = Seen::of(&doctor(&["--json", "--root", empty.to_str().unwrap()]));
    seen.is_consistent();
    assert_eq!((seen.level("board"), seen.code), ("problem", 1));
    let output = doctor(&["--root", empty.join("none").to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true));
    let said = text(&output.stderr);
    assert!(said.starts_with("fulcrum: ") && said.contains("/none"), "{said}");
}

#[test]
fn the_help_says_what_the_exit_code_means_and_shows_examples() {
    let output = doctor(&["--help"]);
    let help = text(&output.stdout);
    assert!(output.status.success(), "{help}");
    for part in ["Examples:", "exit code is 0", "--root", "--json"] {
        assert!(help.contains(part), "{part} in {help}");
    }
}
