//! `fulcrum demo` as a user runs it: what it promises with the default limits, and what it says to bad input.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_types, reason = "the tests take turns")]

use serde_json::Value;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("fulcrum-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join(folder)) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
        .display()
        .to_string()
}

/// One demo at a time: a second one on the same two processors is not what the limits are for.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn demo(scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulcrum"));
    command
        .current_dir(&scratch.0)
        .arg("demo")
        .args(arguments)
        .output()
        .unwrap()
}

/// The step from which a second run goes on with the first one's training; it is killed as soon as it has said so.
fn resumed(scratch: &Scratch) -> Option<u64> {
    let mut next = Command::new(env!("CARGO_BIN_EXE_fulcrum"))
        .current_dir(&scratch.0)
        .args(["demo", "--checkpoint", "learnt"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let told = std::io::BufReader::new(next.stderr.take().unwrap()).lines();
    let step = told.map_while(Result::ok).find_map(|line| {
        let rest = line.strip_prefix("training resumed from step ")?;
        rest.strip_suffix(" in learnt")?.parse().ok()
    });
    next.kill().unwrap();
    next.wait().unwrap();
    step
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn with_the_default_limits_every_promise_of_the_demo_holds() {
    let _alone = alone();
    let scratch = Scratch::new("demo");
    let output = demo(&scratch, &["--seconds", "20", "--json", "--checkpoint", "learnt"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| {
        run.pointer(pointer)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("{pointer}: {run}"))
    };
    assert_eq!(run["board"]["simulated"], true);
    assert_eq!(run["policy"], "slack");
    assert_eq!(number("/checkpoint/restored_steps"), 0.0);
    assert_eq!(number("/checkpoint/failed"), 0.0);
    let (kept, steps) = (
        number("/checkpoint/newest_steps"),
        number("/training/minibatches"),
    );
    assert!(kept >= 10.0 && kept <= steps, "{run}");
    assert_eq!(resumed(&scratch), Some(kept as u64));
    assert_eq!(number("/streams/0/requests"), 600.0);
    assert_eq!(number("/streams/0/misses"), 0.0, "{run}");
    assert_eq!(number("/streams/0/bound_violations"), 0.0, "{run}");
    assert!(number("/streams/0/p50_ms") <= number("/streams/0/p99_ms"));
    // A frame that a stall of this machine made late is told apart, and is no broken promise.
    let stalled = number("/streams/0/stalled") > 0.0;
    assert!(
        stalled || number("/streams/0/max_ms") <= number("/streams/0/bound_ms"),
        "{run}"
    );
    assert!(
        number("/training/loss_last") < number("/training/loss_first") / 2.0,
        "{run}"
    );
    assert!(
        number("/accuracy/end") >= number("/accuracy/before") - 0.05,
        "{run}"
    );
    assert!(
        number("/accuracy/after_shift") <= number("/accuracy/before") - 0.2,
        "{run}"
    );
    assert!(number("/training/swaps") > 0.0, "{run}");
    assert!(number("/training/rejected") >= 0.0, "{run}");
    assert!(number("/power/max_w") <= number("/power/limit_w"), "{run}");
    assert!(number("/power/mean_w") > 0.0 && number("/training/minibatches") > 0.0);
    let mut written = scratch.names("fulcrum-demo");
    written.sort();
    assert_eq!(
        written,
        ["latency.svg", "profile.csv", "report.html", "trace.json"]
    );
    let report = std::fs::read_to_string(scratch.0.join("fulcrum-demo/report.html")).unwrap();
    assert!(report.contains("simulated") && report.contains("<svg") && report.ends_with("</html>\n"));
    let trace = std::fs::read(scratch.0.join("fulcrum-demo/trace.json")).unwrap();
    let trace: Value = serde_json::from_slice(&trace).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 2_000);
    let lines = text(&output.stderr);
    let lines: Vec<&str> = lines.lines().filter(|line| line.contains(" of bound ")).collect();
    assert_eq!(lines.len(), 20, "one line a second");
    assert!(lines.iter().all(|line| line.contains("simulated")));
}

#[test]
fn bad_input_ends_with_one_sentence_a_code_and_nothing_written() {
    let _alone = alone();
    let scratch = Scratch::new("bad");
    let broken = scratch.0.join("broken.onnx");
    std::fs::write(
        &broken,
        &std::fs::read(fixture("shapes_infer.onnx")).unwrap()[..1_000],
    )
    .unwrap();
    std::fs::write(scratch.0.join("file"), "").unwrap();
    let broken = broken.display().to_string();
    let (tiny, tiny_step) = (fixture("tiny_infer.onnx"), fixture("tiny_step.onnx"));
    let cases: [(&[&str], &str); 11] = [
        (&["--model", "missing.onnx"], "missing.onnx could not be read"),
        (&["--model", &broken], "broken.onnx"),
        (&["--step", &broken], "broken.onnx"),
        (&["--model", &tiny], "1024 values a row"),
        (&["--step", &tiny_step], "1024 values a sample"),
        (&["--weights", &tiny], "`conv1.w`"),
        (&["--power-w", "1"], "raise the power limit"),
        (&["--latency-ms", "0.01"], "latency"),
        (&["--rate-hz", "100000"], "rate"),
        (&["--board", "toaster"], "agx-orin"),
        (&["--out", "file/below"], "file/below"),
    ];
    for (arguments, expected) in cases {
        let output = demo(&scratch, arguments);
        let said = text(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            last.starts_with("fulcrum: ") && last.contains(expected),
            "{arguments:?}: {said}"
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(
            !scratch.0.join("fulcrum-demo").exists(),
            "{arguments:?} left its folder"
        );
    }
    for arguments in [
        ["--seconds", "0"],
        ["--power-w", "-3"],
        ["--policy", "best"],
        ["--rate-hz", "nan"],
    ] {
        assert_eq!(demo(&scratch, &arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_leaves_no_part_of_a_report() {
    let _alone = alone();
    let scratch = Scratch::new("full");
    let program = env!("CARGO_BIN_EXE_fulcrum");
    std::fs::create_dir(scratch.0.join("small")).unwrap();
    // A file system of 64 KiB in a mount namespace of its own; where that is not allowed, a limit on the size of files.
    let run = format!("'{program}' demo --seconds 6 --out small; code=$?; ls -A small >&2; exit $code");
    let mounted = format!("mount -t tmpfs -o size=64k none small && {run}");
    let allowed = Command::new("unshare")
        .args(["-rm", "true"])
        .status()
        .is_ok_and(|status| status.success());
    let mut command = if allowed {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &mounted]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f 32; {run}")]);
        command
    };
    let output = command.current_dir(&scratch.0).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("fulcrum: small/report.html could not be written"),
        "nothing is left in the folder: {said}"
    );
}

#[test]
fn the_help_shows_examples() {
    let output = Command::new(env!("CARGO_BIN_EXE_fulcrum"))
        .args(["demo", "--help"])
        .output()
        .unwrap();
    let help = text(&output.stdout);
    assert!(
        output.status.success() && help.contains("Examples:") && help.contains("--compare"),
        "{help}"
    );
}
