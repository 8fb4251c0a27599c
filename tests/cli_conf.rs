//! `fulcrum conf check` as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The command with these arguments, and this text as its standard input.
fn check(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fulcrum"))
        .args(["conf", "check"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have seen enough before the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn corpus(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus/nvpmodel")
        .join(name);
    file.display().to_string()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn json_has_the_modes_the_default_and_the_warnings() {
    let out = check(&["--json", &corpus("knext.conf")], b"");
    assert!(out.status.success());
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let mode = |id, name, gpu, emc, reboot| {
        json!({
            "id": id, "name": name, "cores_online": null, "cpu_khz": null,
            "gpu_khz": gpu, "emc_khz": emc, "reboot": reboot,
        })
    };
    assert_eq!(
        found,
        json!({
            "modes": [
                mode(0, "ALL", Value::Null, Value::Null, false),
                mode(1, "HALF", json!(500_000), json!(2_000_000), true),
            ],
            "default": 0,
            "warnings": [],
        })
    );
    let out = check(&["--json", &corpus("crlf.conf")], b"");
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(found["modes"][1]["cores_online"], 1);
    assert_eq!(found["modes"][1]["cpu_khz"], 800_000);
    assert_eq!(found["warnings"][0]["line"], 1);
    assert!(found["warnings"][0]["text"].as_str().unwrap().contains("CR"));
}

#[test]
fn a_person_gets_a_table_with_the_default_starred_and_the_warnings_below() {
    let file = corpus("warnings_of_rows.conf");
    let out = check(&[&file], b"");
    assert!(out.status.success() && out.stderr.is_empty());
    let lines: Vec<&str> = text(&out.stdout).lines().collect();
    assert_eq!(lines[0], format!("{file}: 2 modes"));
    assert_eq!(lines[2], "   id  name  cores  CPU MHz  GPU MHz  EMC MHz  reboot");
    assert_eq!(lines[3], "*   0  FAST      2        -        -        -      no");
    assert_eq!(lines[4], "    1  FAST      1      0.8        -        -      no");
    assert_eq!(lines[8], "4 warnings:");
    assert!(lines[9].starts_with(&format!("{file}:13: ")), "{}", lines[9]);
    assert_eq!(lines.len(), 13);
}

#[test]
fn a_broken_file_is_shown_with_its_place_and_nothing_else_is_printed() {
    for json in [&[][..], &["--json"]] {
        let file = corpus("bad_nul.conf");
        let out = check(&[json, &[file.as_str()]].concat(), b"");
        assert_eq!(out.status.code(), Some(1));
        assert!(out.stdout.is_empty());
        let lines: Vec<&str> = text(&out.stderr).lines().collect();
        assert_eq!(
            lines,
            [
                format!("{file}:13:26: control character U+0000; remove it").as_str(),
                "  13 | < POWER_MODEL ID=1 NAME=S\\u{0}LOW >",
                "     |                          ^",
            ]
        );
    }
}

#[test]
fn a_dash_is_standard_input() {
    let plain = std::fs::read(corpus("plain.conf")).unwrap();
    let out = check(&["-"], &plain);
    assert!(out.status.success());
    assert!(text(&out.stdout).starts_with("<stdin>: 2 modes\n"));
    let out = check(&["-"], b"CPU MAX_FREQ 1\n");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with("<stdin>:1:1: a row before the first section; "));
}

#[test]
fn a_file_without_end_is_refused_and_one_that_is_not_there_is_named() {
    let out = check(&["/dev/zero"], b"");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).starts_with("/dev/zero:1:1: the file has more than"));
    for path in ["/no/such/nvpmodel.conf", "/proc"] {
        let out = check(&[path], b"");
        assert_eq!(out.status.code(), Some(1));
        assert!(out.stdout.is_empty());
        let said = text(&out.stderr);
        assert!(
            said.starts_with(&format!("fulcrum: {path} could not be read: ")),
            "{said}"
        );
        assert!(said.contains("give the path of an nvpmodel.conf"), "{said}");
    }
}

#[test]
fn the_help_has_examples_and_the_rule_of_the_reboot() {
    let out = check(&["--help"], b"");
    assert!(out.status.success());
    let help = text(&out.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("fulcrum conf check /etc/nvpmodel.conf"), "{help}");
    assert!(
        help.contains("that the file's default mode does not set to the same"),
        "{help}"
    );
}
