//! The engine's own threads: how many, where, how urgent, and what they are called.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod tiny;

use fulcrum::workload::onnx::{Engine, OnnxError, OnnxTraining, Threads};
use std::collections::BTreeMap;
use std::path::Path;
use tiny::*;

/// Names of this process's threads that begin so, with the processors each may run on.
fn threads(beginning: &str) -> BTreeMap<String, String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let read = |path: &Path, file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
    let paths = tasks.map(|task| task.unwrap().path());
    let named = paths.map(|path| {
        let status = read(&path, "status");
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        (
            read(&path, "comm").trim().to_string(),
            allowed.unwrap_or_default().trim().to_string(),
        )
    });
    named.filter(|(name, _)| name.starts_with(beginning)).collect()
}

fn trainer(threads: Threads) -> Result<OnnxTraining, OnnxError> {
    let mut config = training(None, None);
    config.engine = Engine {
        threads,
        ..Engine::default()
    };
    OnnxTraining::new(&library(), STEP, config)
}

#[test]
fn one_thread_is_the_calling_one_and_more_are_named_pinned_and_joined_with_their_session() {
    let one = Threads {
        name: "alone".to_string(),
        ..Threads::of(1)
    };
    let mut alone = trainer(one).unwrap();
    step(&mut alone);
    assert!(threads("alone").is_empty() && alone.refusals().is_empty());
    let pinned = Threads {
        name: "pinned".to_string(),
        cpus: vec![0],
        ..Threads::of(3)
    };
    let mut three = trainer(pinned).unwrap();
    step(&mut three);
    let found: Vec<_> = threads("pinned").into_iter().collect();
    let expected = ["pinned-1", "pinned-2"].map(|name| (name.to_string(), "0".to_string()));
    if three.refusals().is_empty() {
        assert_eq!(found, expected);
    } else {
        assert_eq!(found.len(), 2, "{}", three.refusals());
    }
    drop(three);
    assert!(threads("pinned").is_empty());
}

#[test]
fn a_processor_that_is_not_there_is_told_and_the_step_runs_all_the_same() {
    let mut training = trainer(Threads {
        cpus: vec![1_000_000],
        ..Threads::of(2)
    })
    .unwrap();
    assert!(step(&mut training).is_finite());
    let refused = training.refusals();
    assert_eq!(refused.cpu.0, 1, "{refused}");
    assert!(refused.to_string().contains("not pinned"), "{refused}");
}

#[test]
fn a_real_time_priority_is_had_or_told() {
    let mut training = trainer(Threads {
        priority: Some(1),
        name: "urgent".to_string(),
        ..Threads::of(2)
    })
    .unwrap();
    step(&mut training);
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let urgent = tasks
        .map(|task| task.unwrap().path())
        .find(|path| std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "urgent-1"));
    let stat = std::fs::read_to_string(urgent.unwrap().join("stat")).unwrap();
    // Behind the name: field 41 of proc(5) is the policy, counted from the third.
    let policy = stat
        .rsplit(") ")
        .next()
        .unwrap()
        .split_whitespace()
        .nth(38)
        .unwrap();
    let fifo = policy == "1";
    assert_ne!(
        fifo,
        training.refusals().priority.0 > 0,
        "{}",
        training.refusals()
    );
}

#[test]
fn no_thread_is_refused() {
    let refused = trainer(Threads::of(0)).err().unwrap();
    assert_eq!(refused, OnnxError::Threads(0));
}

#[test]
fn two_threads_train_to_the_same_bytes_cut_and_whole() {
    let names = fulcrum::workload::onnx::weight_names("tiny_infer.onnx", INFER).unwrap();
    let make = |wanted_piece| {
        let mut config = training(wanted_piece, None);
        config.engine.threads = Threads::of(2);
        OnnxTraining::new(&library(), STEP, config).unwrap()
    };
    let mut whole = make(None);
    let mut cut = make(Some(fulcrum::units::Nanos(1)));
    assert!(cut.segments() > 1);
    for _ in 0..5 {
        assert_eq!(step(&mut whole).to_bits(), step(&mut cut).to_bits());
    }
    assert_eq!(bits(&whole, &names), bits(&cut, &names));
}
