//! A training job that keeps checkpoints: what its pieces do, what the dispatcher pays for it, and who waits
//! for whom.

use crate::counting::calls;
use crate::cut_disk::{CutDisk, Lies};
use crate::learner::Learner;
use fulcrum::limits;
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{JobSpec, name};
use fulcrum::units::Nanos;
use fulcrum::workload::checkpoint::{
    Budget, Checkpoint, CheckpointError, Checkpointed, Config, Identity, Shape, Slots, State, Status, Writer,
    channel,
};
use fulcrum::workload::gate::{Gate, Gated, Verdict};
use fulcrum::workload::{Progress, Training, swap};
use std::sync::atomic::Ordering::Relaxed;

fn slots(disk: &CutDisk) -> Slots {
    Slots::open(Box::new(disk.clone())).unwrap().0
}

fn newest(disk: &CutDisk) -> Checkpoint {
    Slots::open(Box::new(disk.clone())).unwrap().1.unwrap()
}

fn job(disk: &CutDisk, every: u32, budget: Option<Budget>) -> (Checkpointed<Learner>, Writer) {
    let learner = Learner::new("step.onnx", 75);
    let (snapshot, writer) = channel(&learner, slots(disk), Config { part: 64, budget }).unwrap();
    (Checkpointed::new(learner, snapshot, every).unwrap(), writer)
}

/// Runs one step, piece after piece as the schedule does; returns its pieces and its loss.
fn step(job: &mut impl Training) -> (u16, f32) {
    for piece in 0.. {
        match job.run_piece(piece).unwrap() {
            Progress::Ran => assert!(piece + 1 < job.pieces()),
            Progress::Stepped { loss } => return (piece + 1, loss),
            Progress::Dry => panic!("there is data"),
        }
    }
    unreachable!()
}

#[test]
fn every_nth_step_has_a_piece_more_for_each_part_of_the_state_and_the_others_have_none() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, mut writer) = job(&disk, 3, None);
    let parts = job.part_lengths().len() as u16;
    assert_eq!((parts, job.pieces()), (5, 3 + 5));
    for number in 1..=9 {
        let expected = if number % 3 == 0 { 3 + parts } else { 3 };
        assert_eq!(step(&mut job), (expected, number as f32), "step {number}");
        writer.write_all(Nanos::ZERO).unwrap();
    }
    let kept = newest(&disk);
    assert_eq!(
        (kept.sequence, kept.counter("steps"), kept.counter("feed.row")),
        (3, 9, 72)
    );
    let mut other = Learner::new("step.onnx", 75);
    other.restore(&kept).unwrap();
    assert_eq!(&other, job.work());
}

#[test]
fn a_state_that_no_file_may_hold_is_refused_before_memory_is_taken_for_it() {
    let disk = CutDisk::new(1, Lies::default());
    // 4 GiB and one value, and one that no machine has the memory for.
    for values in [(1 << 30) + 1, 1 << 60] {
        let learner = Learner::new("step.onnx", 75).with_claim(values);
        let refused = channel(&learner, slots(&disk), Config::default()).err();
        assert!(matches!(refused, Some(CheckpointError::TooLarge)), "{refused:?}");
    }
}

#[test]
fn a_state_whose_tensors_are_copied_whole_has_a_part_for_each_and_reads_back() {
    let disk = CutDisk::new(1, Lies::default());
    let mut learner = Learner::new("step.onnx", 75);
    learner.whole = true;
    let config = Config {
        part: 64,
        budget: None,
    };
    let (snapshot, mut writer) = channel(&learner, slots(&disk), config).unwrap();
    let mut job = Checkpointed::new(learner, snapshot, 1).unwrap();
    assert_eq!(job.part_lengths().len(), job.work().shapes().len());
    let state: u64 = job.work().shapes().iter().filter_map(Shape::bytes).sum();
    assert!(job.memory_bytes() >= state, "the image counts");
    step(&mut job);
    writer.write_all(Nanos::ZERO).unwrap();
    assert_eq!(writer.statistics().newest_steps.load(Relaxed), 1);
    let mut other = Learner::new("step.onnx", 75);
    other.whole = true;
    other.restore(&newest(&disk)).unwrap();
    assert_eq!(&other, job.work());
}

#[test]
fn a_job_that_does_not_tell_its_state_goes_on_and_the_checkpoint_before_stands() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, mut writer) = job(&disk, 1, None);
    step(&mut job);
    writer.write_all(Nanos::ZERO).unwrap();
    assert_eq!(writer.write_part(Nanos::ZERO).unwrap(), Status::Idle);
    let mut silent = Learner::new("step.onnx", 75);
    silent.silent = true;
    let (snapshot, mut writer) = channel(&silent, slots(&disk), Config::default()).unwrap();
    let statistics = std::sync::Arc::clone(writer.statistics());
    let mut silent = Checkpointed::new(silent, snapshot, 2).unwrap();
    for number in 1..=5 {
        assert_eq!(step(&mut silent).1, number as f32);
        assert_eq!(writer.write_all(Nanos::ZERO).unwrap(), None);
    }
    assert_eq!((statistics.given_up.get(), statistics.taken.get()), (2, 0));
    assert_eq!(newest(&disk).counter("steps"), 1);
}

#[test]
fn the_state_of_a_job_whose_weights_pass_a_gate_is_kept_and_the_verdict_still_told() {
    let disk = CutDisk::new(1, Lies::default());
    let (publisher, _serving, _reverter) = swap::channel();
    let mut learner = Learner::new("step.onnx", 75);
    learner.fills = 2;
    let gate = Gate {
        every: 1,
        ..Gate::default()
    };
    let gated = Gated::new(learner, publisher, gate);
    let (snapshot, mut writer) = channel(&gated, slots(&disk), Config::default()).unwrap();
    let mut job = Checkpointed::new(gated, snapshot, 1).unwrap();
    assert_eq!(step(&mut job), (3 + 2 + 1, 1.0));
    assert_eq!(job.verdict(), Some(Verdict::Published { version: 1 }));
    writer.write_all(Nanos::ZERO).unwrap();
    let mut other = Learner::new("step.onnx", 75);
    other.fills = 2;
    other.restore(&newest(&disk)).unwrap();
    assert_eq!(&other, job.work().job());
}

#[test]
fn while_a_state_is_copied_the_next_step_does_not_start() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, _writer) = job(&disk, 1, None);
    for piece in 0..3 {
        assert_eq!(job.run_piece(piece), Ok(Progress::Ran));
    }
    let copied = job.work().clone();
    for piece in 3..7 {
        assert_eq!(job.run_piece(piece), Ok(Progress::Ran));
        assert_eq!(job.work(), &copied);
    }
    assert_eq!(job.run_piece(7), Ok(Progress::Stepped { loss: 1.0 }));
}

#[test]
fn a_checkpoint_that_is_due_waits_for_the_writer_and_is_then_the_newest_state() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, mut writer) = job(&disk, 2, None);
    for _ in 0..5 {
        step(&mut job);
    }
    let statistics = std::sync::Arc::clone(writer.statistics());
    assert_eq!(
        (statistics.taken.get(), statistics.waited.get()),
        (1, 2),
        "steps 4 and 5 found no image"
    );
    writer.write_all(Nanos::ZERO).unwrap();
    assert_eq!(newest(&disk).counter("steps"), 2);
    assert_eq!(writer.write_part(Nanos::ZERO).unwrap(), Status::Idle);
    assert_eq!(step(&mut job).0, 8);
    writer.write_all(Nanos::ZERO).unwrap();
    assert_eq!(newest(&disk).counter("steps"), 6);
}

#[test]
fn the_write_budget_puts_a_checkpoint_off_and_says_until_when() {
    let disk = CutDisk::new(1, Lies::default());
    let bytes = {
        let (mut job, mut writer) = job(&disk, 1, None);
        step(&mut job);
        let Some(Status::Kept { bytes, .. }) = writer.write_all(Nanos::ZERO).unwrap() else {
            panic!("it was written");
        };
        bytes
    };
    let (mut job, mut writer) = job(&disk, 1, Some(Budget::an_hour(2 * bytes)));
    let statistics = std::sync::Arc::clone(writer.statistics());
    let hour = Nanos::from_secs(3_600);
    let (first, second) = (Nanos::from_secs(10), Nanos::from_secs(20));
    for now in [first, second] {
        step(&mut job);
        assert!(matches!(
            writer.write_all(now).unwrap(),
            Some(Status::Kept { .. })
        ));
    }
    for _ in 0..4 {
        step(&mut job);
        let put_off = Status::PutOff { until: first + hour };
        assert_eq!(writer.write_part(second).unwrap(), put_off);
    }
    assert_eq!(
        (
            statistics.kept.get(),
            statistics.put_off.get(),
            statistics.waited.get()
        ),
        (2, 1, 4)
    );
    assert_eq!(writer.write_part(first + hour).unwrap(), Status::Idle);
    step(&mut job);
    assert!(matches!(
        writer.write_all(first + hour).unwrap(),
        Some(Status::Kept { .. })
    ));
    assert_eq!(newest(&disk).counter("steps"), 7);
    assert_eq!(statistics.bytes.get(), 3 * bytes);
}

#[test]
fn a_budget_too_small_for_a_single_checkpoint_is_refused_at_once() {
    let learner = Learner::new("step.onnx", 75);
    let config = Config {
        part: 64,
        budget: Some(Budget::an_hour(100)),
    };
    let refused = channel(&learner, slots(&CutDisk::new(1, Lies::default())), config)
        .err()
        .unwrap();
    assert!(
        matches!(refused, CheckpointError::Budget { budget: 100, .. }),
        "{refused}"
    );
}

#[test]
fn a_state_of_more_parts_than_a_step_has_room_for_is_refused() {
    let learner = Learner::new("step.onnx", 4 * limits::PIECES as u64);
    let config = Config {
        part: 8,
        budget: None,
    };
    let (snapshot, _writer) = channel(&learner, slots(&CutDisk::new(1, Lies::default())), config).unwrap();
    let refused = Checkpointed::new(learner, snapshot, 1).err().unwrap();
    assert!(
        matches!(refused, CheckpointError::Parts { room: 125, .. }),
        "{refused}"
    );
}

#[test]
fn a_checkpoint_of_another_graph_or_shape_is_refused_by_name_and_changes_nothing() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, mut writer) = job(&disk, 1, None);
    step(&mut job);
    writer.write_all(Nanos::ZERO).unwrap();
    let kept = newest(&disk);
    let refused = |mut other: Learner, kept: &Checkpoint| {
        let before = other.clone();
        let refused = other.restore(kept).unwrap_err().to_string();
        assert_eq!(other, before);
        refused
    };
    let said = refused(Learner::new("other.onnx", 75), &kept);
    assert!(
        said.contains("`step.onnx`") && said.contains("`other.onnx`"),
        "{said}"
    );
    let said = refused(Learner::new("step.onnx", 77), &kept);
    assert!(said.contains("`w`"), "{said}");
    let mut lacking = kept.clone();
    lacking.tensors.pop();
    assert!(refused(Learner::new("step.onnx", 75), &lacking).contains("lacks the state tensor `empty`"));
    let mut more = kept.clone();
    more.tensors[3].shape.name = "other".into();
    more.tensors.push(kept.tensors[3].clone());
    assert!(refused(Learner::new("step.onnx", 75), &more).contains("`other`"));
    // A file that was renamed is the same graph.
    let mut renamed = kept.clone();
    renamed.identity = Identity {
        name: "moved.onnx".into(),
        ..kept.identity.clone()
    };
    assert_eq!(Learner::new("step.onnx", 75).restore(&renamed).ok(), Some(()));
}

#[test]
fn copying_a_state_makes_no_allocation() {
    let disk = CutDisk::new(1, Lies::default());
    let (mut job, mut writer) = job(&disk, 2, None);
    step(&mut job);
    for _ in 0..6 {
        let before = calls();
        for _ in 0..2 {
            step(&mut job);
        }
        assert_eq!(calls() - before, 0);
        writer.write_all(Nanos::ZERO).unwrap();
        writer.write_part(Nanos::ZERO).unwrap();
    }
    assert_eq!(writer.statistics().kept.get(), 6);
}

#[test]
fn on_a_running_dispatcher_checkpoints_are_kept_by_a_thread_of_their_own() {
    let disk = CutDisk::new(1, Lies::default());
    let (job, writer) = job(&disk, 4, None);
    let pieces = [Nanos::from_millis(1); 3]
        .into_iter()
        .chain(job.part_lengths().iter().copied());
    let spec = JobSpec {
        name: name("learner"),
        pieces: pieces.collect(),
        abort: None,
    };
    let mut builder = Builder::new(Options::default());
    builder.job(spec, Box::new(job)).unwrap();
    let mut keeper = writer.start().unwrap();
    let mut runtime = builder.start().unwrap();
    let statistics = std::sync::Arc::clone(keeper.statistics());
    while statistics.kept.get() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    runtime.stop();
    let of_job = std::sync::Arc::clone(runtime.job(0).unwrap());
    keeper.stop();
    assert_eq!(
        statistics.kept.get(),
        statistics.taken.get(),
        "what was handed over is written"
    );
    let parts = 5 * statistics.taken.get();
    let left = of_job.pieces.get() - 3 * of_job.steps.get() - parts;
    assert!(
        left < 8,
        "the parts are pieces like any other; {left} are of a step that was not ended"
    );
    let mut last = 0;
    while let Some(result) = keeper.poll() {
        let Status::Kept { sequence, .. } = result.unwrap() else {
            panic!("there is no budget");
        };
        assert_eq!(sequence, last + 1);
        last = sequence;
    }
    let mut learner = Learner::new("step.onnx", 75);
    learner.restore(&newest(&disk)).unwrap();
    assert_eq!(learner, Learner::new("step.onnx", 75).after(learner.steps));
    assert!(learner.steps >= 20);
}
