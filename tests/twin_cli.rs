//! `fulcrum twin` for a person at a shell.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn fulcrum(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command.arg("twin").args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    fulcrum(arguments).output().unwrap()
}

fn error(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("fulcrum-twin-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// A mounted board, once it is ready; nothing where it cannot be mounted, which is said out loud.
fn mount(folder: &Path) -> Option<(Child, String)> {
    let mut command = fulcrum(&["mount", folder.to_str().unwrap(), "--board", "orin-nano"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    if line.is_empty() {
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("fulcrum twin plain"), "{error}");
        eprintln!("NOT TESTED THROUGH A MOUNT: {error}");
        return None;
    }
    Some((child, line))
}

#[test]
fn the_boards_are_listed() {
    let text = String::from_utf8(output(&["list"]).stdout).unwrap();
    let names: Vec<_> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["agx-orin", "orin-nano", "agx-xavier"]);
}

#[test]
fn a_mount_says_that_it_is_simulated_and_a_signal_ends_it() {
    for signal in ["INT", "TERM"] {
        let folder = folder(signal);
        let Some((mut child, line)) = mount(&folder) else {
            return;
        };
        assert!(line.starts_with("simulated orin-nano at "), "{line}");
        let max = folder.join("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq");
        fs::write(&max, "960000\n").unwrap();
        assert_eq!(fs::read_to_string(&max).unwrap(), "960000\n");
        let kill = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert!(child.wait().unwrap().success());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }
}

#[test]
fn a_mount_ends_when_it_is_unmounted() {
    let folder = folder("umount");
    let Some((mut child, _)) = mount(&folder) else {
        return;
    };
    assert!(Command::new("umount").arg(&folder).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    fs::remove_dir(folder).unwrap();
}

#[test]
fn plain_files_can_be_written_once() {
    let folder = folder("plain");
    let arguments = ["plain", folder.to_str().unwrap(), "--board", "agx-xavier"];
    let said = String::from_utf8(output(&arguments).stdout).unwrap();
    assert!(
        said.starts_with("simulated agx-xavier as ordinary files in "),
        "{said}"
    );
    assert_eq!(
        fs::read(folder.join("proc/device-tree/model")).unwrap(),
        b"Jetson-AGX\0"
    );
    assert!(error(&arguments).contains("the folder is not empty"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let missing = error(&["mount", "/no/such/folder", "--board", "orin-nano"]);
    assert!(
        missing.contains("the folder /no/such/folder does not exist; make it first"),
        "{missing}"
    );
    let board = error(&["mount", "/tmp", "--board", "nano"]);
    assert!(
        board.contains("choose one of: agx-orin, orin-nano, agx-xavier"),
        "{board}"
    );
}
