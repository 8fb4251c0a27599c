//! `fulcrum replay` over logs of simulated runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::schedule::log::text;
use fulcrum::schedule::simulator::{TaskSet, World, run_logged};
use fulcrum::units::Nanos;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A log of a simulated second under `slack`, in a file of this name.
fn log(file: &str, change: impl Fn(String) -> String) -> PathBuf {
    let seed = (0..).find(|seed| {
        let set = TaskSet::random(*seed);
        set.policy == fulcrum::schedule::Policy::Slack && !set.jobs.is_empty()
    });
    let start = TaskSet::random(seed.unwrap()).schedule().unwrap();
    let world = World {
        length: Nanos::from_secs(1),
        seed: 1,
        quickest: 500,
        eager: 500,
        failing: 10,
        overrunning: 0,
    };
    let mut entries = Vec::new();
    run_logged(&mut start.clone(), &world, |entry| entries.push(entry));
    let mut out = Vec::new();
    text::write(&mut out, &start, &entries, 0).unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, change(String::from_utf8(out).unwrap())).unwrap();
    path
}

fn replay(file: &PathBuf, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fulcrum"))
        .arg("replay")
        .arg(file)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn a_run_is_replayed_the_same_and_another_policy_decides_otherwise() {
    let file = log("same.log", |text| text);
    let same = replay(&file, &[]);
    assert!(same.status.success());
    assert!(String::from_utf8_lossy(&same.stdout).contains("all the same"));
    let other = replay(&file, &["--policy", "fcfs", "--json"]);
    assert!(other.status.success());
    let report: serde_json::Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(
        (&report["recorded_policy"], &report["policy"]),
        (&"slack".into(), &"fcfs".into())
    );
    let (count, first) = (
        report["differences"].as_u64().unwrap(),
        report["first"].as_array().unwrap(),
    );
    assert!(count > 0 && first.len() as u64 == count.min(10), "{report}");
}

#[test]
fn a_log_with_a_changed_decision_fails_and_one_that_is_broken_is_named_with_its_line() {
    // The decisions of `slack`, said to be those of `fcfs`.
    let changed = log("changed.log", |text| {
        text.replacen("policy slack 0", "policy fcfs 0", 1)
    });
    let differs = replay(&changed, &[]);
    assert_eq!(differs.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&differs.stdout).contains("decisions differ"));
    let cut = log("cut.log", |text| text[..text.len() / 2].to_owned());
    let refused = replay(&cut, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("cut.log:") && told.lines().count() == 1, "{told}");
    assert!(!replay(&PathBuf::from("/nowhere.log"), &[]).status.success());
}
