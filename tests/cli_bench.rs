//! `fulcrum bench` as a user runs it: the form of what it prints, and what holds on a machine of any speed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command.arg("bench").args(arguments);
    command
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The number at `pointer`, which is there and not negative.
fn number(value: &Value, pointer: &str) -> f64 {
    let number = value.pointer(pointer).and_then(Value::as_f64);
    let number = number.unwrap_or_else(|| panic!("no number at {pointer}: {value}"));
    assert!(number >= 0.0, "{pointer}: {number}");
    number
}

fn positive(value: &Value, pointer: &str) -> f64 {
    let number = number(value, pointer);
    assert!(number > 0.0, "{pointer}: {number}");
    number
}

#[test]
fn cost_tells_every_figure_beside_its_target() {
    let cost = json(&bench(&["cost", "--quick", "--json"]).output().unwrap());
    let median = positive(&cost, "/decision/median_ns");
    let met = median <= number(&cost, "/decision/target_median_ns");
    assert_eq!(cost["decision"]["met"], met);
    assert!(positive(&cost, "/decision/p9999_ns") > 0.0);
    let rows = cost["decision"]["rows"].as_array().unwrap();
    let eight = rows.iter().filter(|row| row["streams"] == 8);
    assert!(eight.clone().count() >= 2);
    let worst = eight.map(|row| positive(row, "/median_ns")).fold(0.0, f64::max);
    assert_eq!(worst, median, "the headline is the slower state's");
    let wake = &cost["submit_to_running"];
    let ratio = positive(wake, "/submit_median_us") / positive(wake, "/bare_median_us");
    assert!((ratio - positive(wake, "/median_over_bare")).abs() < 1e-9);
    assert_eq!(wake["met"], ratio <= number(wake, "/target_median_over_bare"));
    assert!(number(wake, "/submit_p999_us") >= number(wake, "/submit_median_us"));
    assert!(number(wake, "/bare_p999_us") >= number(wake, "/bare_median_us"));
    assert!(positive(&cost, "/switches/pieces") > 0.0);
    for figure in [
        "voluntary_per_request",
        "involuntary_per_request",
        "involuntary_per_piece",
    ] {
        number(&cost, &format!("/switches/{figure}"));
    }
    // Between two pieces back to back the dispatcher has nothing to wait for.
    assert!(number(&cost, "/switches/voluntary_per_piece") < 0.01);
    assert!(
        cost["allocations"]["after_start"].is_null(),
        "what is not measured has no figure"
    );
}

#[test]
fn interleave_has_a_row_for_every_policy_and_the_figures_agree_with_each_other() {
    let folder: PathBuf = std::env::temp_dir().join(format!("fulcrum-bench-{}", std::process::id()));
    let mut command = bench(&["interleave", "--quick", "--json", "--out"]);
    let report = json(&command.arg(&folder).output().unwrap());
    let picture = std::fs::read_to_string(folder.join("interleave.svg")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("slack"));
    let alone = &report["inference"]["alone"];
    let floor = ["/p50_ms", "/p99_ms", "/p999_ms", "/max_ms"].map(|it| positive(alone, it));
    assert!(floor.is_sorted(), "{floor:?}");
    let share = positive(&report, "/inference/utilisation");
    assert!(share < 1.0);
    positive(&report, "/training/alone_rate_hz");
    let cuts = report["training"]["cuts"].as_array().unwrap();
    assert!(cuts.len() >= 2);
    assert_eq!(cuts[0]["pieces"], 2, "the fetch and the whole step");
    for cut in cuts {
        let left = positive(cut, "/possible_rate_hz") / positive(cut, "/alone_rate_hz");
        assert!(
            left < 1.0 - share + 1e-9,
            "training has what inference leaves at most"
        );
        positive(cut, "/efficiency");
    }
    let rows = report["rows"].as_array().unwrap();
    for policy in [
        "fcfs",
        "in-flight-4",
        "time-slice-4",
        "fulcrum",
        "priority",
        "edf",
        "slack",
        "edf+abort",
    ] {
        let wanted = if policy == "fulcrum" { 1 } else { cuts.len() };
        let found = rows.iter().filter(|row| row["policy"] == policy).count();
        assert_eq!(found, wanted, "{policy}");
    }
    for row in rows {
        let requests = positive(row, "/requests");
        for count in ["/misses", "/bound_violations", "/stalled"] {
            assert!(number(row, count) <= requests, "{row}");
        }
        assert!(number(row, "/bound_violations_of_slow_runs") <= number(row, "/bound_violations"));
        let cut = cuts.iter().find(|cut| cut["pieces"] == row["pieces"]).unwrap();
        assert_eq!(row["piece_ms"], cut["piece_ms"]);
        let rate = number(row, "/training_rate_over_alone") * number(&report, "/training/alone_rate_hz");
        let of_possible = number(row, "/training_rate_over_possible") * number(cut, "/possible_rate_hz");
        assert!((rate - of_possible).abs() < 1e-6, "{row}");
        let quantiles = ["p50", "p99", "p999", "max"].map(|it| positive(row, &format!("/{it}_over_alone")));
        let absolute: Vec<f64> = quantiles
            .iter()
            .zip(floor)
            .map(|(over, alone)| over * alone)
            .collect();
        assert!(
            absolute.is_sorted_by(|left, right| *left <= right * (1.0 + 1e-9)),
            "{row}"
        );
        let aborts = row["policy"] == "edf+abort";
        assert!(
            aborts || row["aborted_ms"] == 0.0,
            "nothing else gives up a piece: {row}"
        );
        assert!(row["bound_ms"].is_null() || positive(row, "/bound_ms") > 0.0);
        if row["bound_ms"].is_null() {
            assert_eq!(row["bound_violations"], 0, "{row}");
        }
    }
}

#[test]
fn without_onnx_runtime_interleave_says_so_in_one_sentence() {
    let mut command = bench(&["interleave", "--quick"]);
    let output = command
        .env("FULCRUM_ORT_LIB", "/nowhere/libonnxruntime.so")
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    let first = said.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("fulcrum: ONNX Runtime was not found")
            && said.contains("/nowhere/libonnxruntime.so"),
        "{said}"
    );
}

#[test]
fn peers_has_a_row_for_every_arm_and_the_figures_agree_with_each_other() {
    let chosen = ["processes", "idle", "deadline", "weights", "core-each", "slack"];
    let mut command = bench(&["peers", "--json", "--repeats", "2", "--seconds", "1"]);
    for arm in chosen {
        command.args(["--arm", arm]);
    }
    let report = json(&command.output().unwrap());
    assert_eq!(report["engine_spinning"], false);
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["arm"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [&["inference-alone", "training-alone"], &chosen[..]].concat()
    );
    let alone = &rows[0];
    for row in rows {
        let (sees, learns) = (row["arm"] != "training-alone", row["arm"] != "inference-alone");
        let ran = row["refused"].is_null();
        for place in ["p50", "p95", "p99", "p999", "max"] {
            let (over, ms) = (format!("/{place}_over_alone"), format!("/{place}_ms"));
            if ran && sees {
                let product = positive(row, &over) * positive(alone, &ms);
                assert!((product - positive(row, &ms)).abs() < 1e-6, "{place}: {row}");
            } else {
                assert!(row.pointer(&over).unwrap().is_null() && row.pointer(&ms).unwrap().is_null());
            }
        }
        assert_eq!(
            row["training_rate_over_alone"].is_null(),
            !(ran && learns),
            "{row}"
        );
        assert_eq!(row["sum_of_rates"].is_null(), !ran);
        if !ran {
            assert!(!row["refused"].as_str().unwrap().is_empty());
            assert_eq!(row["repeats"], 0);
            continue;
        }
        assert!(number(row, "/misses") <= number(row, "/requests"));
        assert!(number(row, "/disturbed_repeats") <= positive(row, "/repeats"));
        positive(row, "/measured_s");
        number(row, "/context_switches");
        let two =
            ["processes", "idle", "deadline", "weights", "core-each"].contains(&row["arm"].as_str().unwrap());
        assert_eq!(row["processes"], if two { 2 } else { 1 });
        if row["arm"] == "slack" {
            assert!(number(row, "/bound_violations") <= number(row, "/requests"));
            positive(row, "/bound_ms");
        } else {
            assert!(row["bound_ms"].is_null(), "only fulcrum promises anything");
            assert_eq!(row["bound_violations"], 0);
        }
    }
    for own in ["p50", "p95", "p99", "p999", "max"] {
        assert_eq!(alone[format!("{own}_over_alone")], 1.0);
    }
    assert_eq!(rows[1]["training_rate_over_alone"], 1.0);
    assert!(
        rows.iter()
            .any(|row| row["arm"] == "idle" && row["refused"].is_null()),
        "anyone may be idle"
    );
}

/// State, parent and scheduling policy of a process; `None` when it has gone.
fn process(id: u32) -> Option<(char, u32, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((
        fields[0].chars().next()?,
        fields[1].parse().ok()?,
        fields[38].parse().ok()?,
    ))
}

fn children(of: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| process(*id).is_some_and(|(_, parent, _)| parent == of))
        .collect()
}

#[test]
fn no_trainer_survives_the_process_that_started_it_and_only_the_trainer_has_its_class() {
    const SCHED_IDLE: u32 = 5;
    let mut command = bench(&["peers", "--arm", "idle", "--seconds", "1"]);
    let mut parent = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let idle = |id: &u32| process(*id).is_some_and(|(_, _, policy)| policy == SCHED_IDLE);
    let workers = loop {
        let workers = children(parent.id());
        if workers.iter().any(idle) {
            break workers;
        }
        assert!(
            parent.try_wait().unwrap().is_none(),
            "the bench ended before an idle trainer was seen"
        );
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(process(parent.id()).unwrap().2, 0, "the parent stays ordinary");
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Each has gone, or waits as a zombie for the process that inherited it.
    while workers
        .iter()
        .any(|id| process(*id).is_some_and(|(state, ..)| state != 'Z'))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_worker_that_nobody_gave_an_order_says_who_starts_it() {
    let output = bench(&["worker"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("fulcrum bench peers"), "{said}");
}

#[test]
fn segments_has_a_row_for_every_cut_and_each_ends_in_the_bytes_of_the_whole_step() {
    let step = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny_step.onnx");
    let report = json(
        &bench(&["segments", "--quick", "--json", "--step", step])
            .output()
            .unwrap(),
    );
    assert!(report["allocations"]["in_rust_per_step"].is_null());
    assert_eq!(report["providers"][0], "cpu: active");
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() >= 2);
    assert_eq!(rows[0]["pieces"], 1, "the whole step");
    assert_eq!(rows[0]["efficiency"], 1.0);
    assert_eq!(rows[0]["buffer_mb"], 0.0);
    for pair in rows.windows(2) {
        assert!(pair[0]["pieces"].as_u64() < pair[1]["pieces"].as_u64());
    }
    for row in rows {
        assert_eq!(row["net"], step);
        assert_eq!(row["identical"], true, "{row}");
        let order = ["/longest_p50_ms", "/longest_p99_ms"].map(|it| positive(row, it));
        assert!(order.is_sorted(), "{row}");
        assert!(positive(row, "/step_p50_ms") >= order[0]);
        let middle = ["/efficiency_p25", "/efficiency", "/efficiency_p75"].map(|it| positive(row, it));
        assert!(middle.is_sorted(), "{row}");
        positive(row, "/wanted_ms");
        assert!(number(row, "/batch") >= 1.0);
        assert_eq!(row["pieces"] == 1, row["buffer_mb"] == 0.0);
    }
}

#[test]
fn inference_has_a_row_for_every_model_and_thread_count_beside_the_session_alone() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    let model = format!("{fixtures}tiny_infer.onnx");
    let report = json(
        &bench(&[
            "inference",
            "--quick",
            "--json",
            "--threads",
            "1",
            "--threads",
            "2",
            "--model",
            &model,
        ])
        .output()
        .unwrap(),
    );
    let target = positive(&report, "/target_median_over_alone");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for (row, threads) in rows.iter().zip(1..) {
        assert!(row["net"] == model && row["threads"] == threads, "{row}");
        let ratio = positive(row, "/p50_us") / positive(row, "/alone_p50_us");
        assert!((ratio - positive(row, "/median_over_alone")).abs() < 1e-9);
        assert!(number(row, "/p99_us") >= number(row, "/p50_us"));
        assert!(number(row, "/alone_p99_us") >= number(row, "/alone_p50_us"));
        if threads == 1 {
            assert_eq!(row["met"], ratio <= target);
        } else {
            assert!(row["met"].is_null());
        }
    }
    let step = format!("{fixtures}tiny_step.onnx");
    let output = bench(&["inference", "--model", &step]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no tensor `logits`"), "{said}");
}

#[test]
fn a_step_graph_that_cannot_be_read_is_named() {
    let output = bench(&["segments", "--step", "/nowhere/step.onnx"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/step.onnx"), "{said}");
}
