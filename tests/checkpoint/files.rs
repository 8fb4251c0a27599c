//! Checkpoints in real folders: a program killed in the middle, a file system that is really full or really
//! read-only. Where no mount namespace may be made, the tests that need one say so and end.

use crate::learner::Learner;
use fulcrum::units::Nanos;
use fulcrum::workload::checkpoint::{
    CheckpointError, Config, Folder, Slots, Snapshot, State, Status, Writer, channel,
};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tells the program started below where to keep its checkpoints.
const FOLDER: &str = "FULCRUM_TEST_CHECKPOINTS";

/// A state of 400 KiB.
const VALUES: u64 = 50_000;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("fulcrum-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Takes up what `folder` holds; a mix of two steps fails.
fn start(folder: &Path) -> Result<(Learner, Snapshot, Writer), CheckpointError> {
    let (slots, newest) = Slots::open(Box::new(Folder::open(folder)?))?;
    assert!(slots.damages().is_empty(), "{:?}", slots.damages());
    let mut learner = Learner::new("step.onnx", VALUES);
    if let Some(newest) = newest {
        learner.restore(&newest).unwrap();
    }
    assert_eq!(learner, Learner::new("step.onnx", VALUES).after(learner.steps));
    let config = Config {
        part: 4096,
        budget: None,
    };
    let (snapshot, writer) = channel(&learner, slots, config)?;
    Ok((learner, snapshot, writer))
}

fn keep(learner: &Learner, snapshot: &mut Snapshot, writer: &mut Writer) -> Result<Status, CheckpointError> {
    while !snapshot.take(learner) {
        writer.write_part(Nanos::ZERO)?;
    }
    writer.write_all(Nanos::ZERO).map(|kept| kept.unwrap())
}

/// This test program, to run one of its ignored tests on `folder`.
fn program(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder);
    command
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).unwrap())
}

#[test]
#[ignore = "it is the program that another test starts and kills"]
fn keeps_checkpoints_until_it_is_killed() {
    let (mut learner, mut snapshot, mut writer) = start(&folder()).unwrap();
    println!("\nfound {}", learner.steps);
    loop {
        learner.step();
        keep(&learner, &mut snapshot, &mut writer).unwrap();
        println!("kept {}", learner.steps);
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn killed_in_the_middle_of_writing_a_program_finds_what_it_had_kept_or_the_one_it_was_writing() {
    let scratch = Scratch::new("killed");
    let mut promised = 0;
    let (mut kills, mut halfway, mut between) = (0, 0, 0);
    for round in 0..60_u64 {
        let mut child = program("files::keeps_checkpoints_until_it_is_killed", &scratch.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // The first checkpoints are awaited, so that it is killed at its work and not while it starts.
        let mut lines = 0;
        while lines < 1 + round % 4 {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended by itself");
            if let Some(found) = line.strip_prefix("found ") {
                let found: u64 = found.trim().parse().unwrap();
                assert!(
                    found == promised || found == promised + 1,
                    "{found} after {promised}"
                );
                between += u64::from(found == promised + 1);
                promised = found;
            }
            if let Some(kept) = line.strip_prefix("kept ") {
                promised = kept.trim().parse().unwrap();
                lines += 1;
            }
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 137 % 1_700));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        halfway += u64::from(scratch.0.join("checkpoint.tmp").exists());
        // What it had told before it was killed counts too.
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        for kept in rest.lines().filter_map(|line| line.strip_prefix("kept ")) {
            promised = kept.parse().unwrap_or(promised);
        }
    }
    let (learner, ..) = start(&scratch.0).unwrap();
    assert!(learner.steps == promised || learner.steps == promised + 1);
    eprintln!("{kills} kills, {halfway} inside a file, {between} after its rename and before it was told");
    assert!(halfway > 0, "none of {kills} kills came while a file was written");
}

#[test]
fn two_programs_do_not_keep_checkpoints_in_one_folder() {
    let scratch = Scratch::new("two");
    let first = start(&scratch.0).unwrap();
    let refused = start(&scratch.0).err().unwrap();
    assert!(matches!(refused, CheckpointError::Busy(_)), "{refused}");
    drop(first);
    start(&scratch.0).unwrap();
}

#[test]
fn one_damaged_slot_is_told_and_the_other_loads_and_two_are_an_error_that_names_both() {
    let scratch = Scratch::new("damaged");
    let (mut learner, mut snapshot, mut writer) = start(&scratch.0).unwrap();
    for _ in 0..2 {
        learner.step();
        keep(&learner, &mut snapshot, &mut writer).unwrap();
    }
    drop((snapshot, writer));
    let slot = |number| scratch.0.join(format!("checkpoint-{number}"));
    let mut bytes = fs::read(slot(1)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(slot(1), &bytes).unwrap();
    let open = || Slots::open(Box::new(Folder::open(&scratch.0).unwrap()));
    let (slots, newest) = open().unwrap();
    assert_eq!(newest.unwrap().counter("steps"), 1);
    let said = slots.damages()[0].to_string();
    assert!(
        said.contains("checkpoint-1") && said.contains("torn or changed"),
        "{said}"
    );
    drop(slots);
    fs::write(slot(0), b"").unwrap();
    let said = open().err().unwrap().to_string();
    assert!(
        said.contains("checkpoint-0") && said.contains("checkpoint-1"),
        "{said}"
    );
}

/// Runs an ignored test of this program on a tmpfs of `size` in a mount namespace of its own. Where that
/// cannot be it says so and ends.
fn on_a_tmpfs(size: &str, test: &str) {
    let scratch = Scratch::new(test);
    let namespace = Command::new("unshare").args(["-m", "true"]).status();
    if !namespace.is_ok_and(|status| status.success()) {
        eprintln!("*** NOT TESTED: no mount namespace may be made here ***");
        return;
    }
    let script = format!(
        "set -e; mount --make-rprivate /; mount -t tmpfs -o size={size} tmpfs \"${FOLDER}\"; \
         exec \"$0\" --exact files::{test} --ignored --nocapture"
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, &scratch.0)
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "it needs a small file system of its own; another test gives it one"]
fn on_a_full_disk() {
    let folder = folder();
    let (mut learner, mut snapshot, mut writer) = start(&folder).unwrap();
    learner.step();
    keep(&learner, &mut snapshot, &mut writer).unwrap();
    let stuffing = folder.join("stuffing");
    let mut refused = 0;
    // Less room each time, so that the disk is full at another byte.
    for room in (0..400).rev().step_by(7) {
        let mut file = fs::File::create(&stuffing).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full.saturating_sub(room * 1024)).unwrap();
        learner.step();
        match keep(&learner, &mut snapshot, &mut writer) {
            Ok(_) => {}
            Err(CheckpointError::Io { error, path, .. }) => {
                assert_eq!(error.raw_os_error(), Some(libc::ENOSPC), "{error}");
                assert!(path.starts_with(&folder));
                assert!(!folder.join("checkpoint.tmp").exists(), "what was begun is gone");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 10, "{refused}");
    fs::remove_file(&stuffing).unwrap();
    let kept = learner.steps;
    drop((snapshot, writer));
    let (found, mut snapshot, mut writer) = start(&folder).unwrap();
    assert!(found.steps < kept && found.steps >= 1);
    keep(&learner, &mut snapshot, &mut writer).unwrap();
    drop((snapshot, writer));
    assert_eq!(
        start(&folder).unwrap().0.steps,
        kept,
        "with room again it goes on"
    );
}

#[test]
fn on_a_file_system_that_is_really_full_the_last_good_checkpoint_stands() {
    on_a_tmpfs("1400k", "on_a_full_disk");
}

#[test]
#[ignore = "it needs a file system of its own; another test gives it one"]
fn on_a_read_only_disk() {
    let folder = folder();
    let (mut learner, mut snapshot, mut writer) = start(&folder).unwrap();
    learner.step();
    keep(&learner, &mut snapshot, &mut writer).unwrap();
    drop((snapshot, writer));
    let remount = |how: &str| {
        let mount = Command::new("mount").args(["-o", how]).arg(&folder).status();
        assert!(mount.unwrap().success());
    };
    remount("remount,ro");
    let (mut learner, mut snapshot, mut writer) = start(&folder).unwrap();
    assert_eq!(learner.steps, 1, "what is there still loads");
    learner.step();
    match keep(&learner, &mut snapshot, &mut writer).unwrap_err() {
        CheckpointError::Io { error, .. } => assert_eq!(error.raw_os_error(), Some(libc::EROFS)),
        error => panic!("{error}"),
    }
    remount("remount,rw");
    keep(&learner, &mut snapshot, &mut writer).unwrap();
    drop((snapshot, writer));
    assert_eq!(start(&folder).unwrap().0.steps, 2);
}

#[test]
fn on_a_file_system_that_is_really_read_only_what_is_there_loads_and_nothing_is_lost() {
    on_a_tmpfs("8m", "on_a_read_only_disk");
}
