//! Power is cut at every operation of writing checkpoints: the old one or the new one can be loaded, always.
//!
//! The disk is simulated; what its model lets survive stands in `cut_disk`.

use crate::cut_disk::{CutDisk, Fault, Lies, Random};
use crate::learner::Learner;
use fulcrum::units::Nanos;
use fulcrum::workload::checkpoint::{CheckpointError, Config, Slots, State, Status, channel};

/// Bytes of a part: a state has five of them.
const PART: usize = 64;

fn fresh() -> Learner {
    Learner::new("step.onnx", 75)
}

/// What was told to be kept, in steps of the job; 0: nothing yet.
#[derive(Clone, Copy, Debug, Default)]
struct Promise {
    kept: u64,
    /// The newest that was ever attempted.
    attempted: u64,
    /// The disk may refuse to sync, so what was loaded is not promised by that.
    refuses: bool,
}

/// Starts on `disk` as a program would, and checks what it finds: the newest checkpoint that was told to be
/// kept, or one that was being written since. Says the wrong where there is any.
fn start(disk: &CutDisk, promise: &mut Promise) -> Result<(Learner, Slots), String> {
    let (slots, newest) = Slots::open(Box::new(disk.clone())).map_err(|error| error.to_string())?;
    let mut learner = fresh();
    if let Some(newest) = &newest {
        learner.restore(newest).map_err(|error| error.to_string())?;
    }
    if learner != fresh().after(learner.steps) {
        return Err(format!("a mix of steps was loaded as step {}", learner.steps));
    }
    if learner.steps < promise.kept || learner.steps > promise.attempted {
        return Err(format!(
            "step {} was loaded, promised was {promise:?}",
            learner.steps
        ));
    }
    if !promise.refuses {
        // What was loaded has been synced by loading it.
        promise.kept = learner.steps;
    }
    Ok((learner, slots))
}

/// Keeps `checkpoints` more, or fewer if the power goes first; what was refused is only counted.
fn live(
    disk: &CutDisk,
    promise: &mut Promise,
    checkpoints: usize,
    mut each: impl FnMut(),
) -> Result<u64, String> {
    let (mut learner, slots) = start(disk, promise)?;
    let config = Config {
        part: PART,
        budget: None,
    };
    let (mut snapshot, mut writer) = channel(&learner, slots, config).unwrap();
    let mut refused = 0;
    for _ in 0..checkpoints {
        each();
        learner.step();
        assert!(snapshot.take(&learner));
        promise.attempted = promise.attempted.max(learner.steps);
        loop {
            match writer.write_part(Nanos::ZERO) {
                Ok(Status::Wrote) => {}
                Ok(Status::Kept { .. }) => promise.kept = learner.steps,
                Ok(Status::Idle) => break,
                Ok(Status::PutOff { .. }) => panic!("there is no budget"),
                Err(CheckpointError::Io { .. }) if disk.is_off() => return Ok(refused),
                Err(CheckpointError::Io { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    Ok(refused)
}

/// Operations of starting once and keeping three checkpoints.
fn operations() -> u64 {
    let disk = CutDisk::new(1, Lies::default());
    live(&disk, &mut Promise::default(), 3, || ()).unwrap();
    disk.operations()
}

/// Cuts the power at every operation, in three lives each, with what survives decided by `seeds` seeds.
/// Returns how often power was cut and what went wrong.
fn cut_everywhere(seeds: u64, lies: Lies) -> (u64, Vec<String>) {
    let (mut cuts, mut wrong) = (0, Vec::new());
    for seed in 0..seeds {
        for first in 0..=operations() {
            let disk = CutDisk::new(seed * 1_000 + first, lies);
            let (mut promise, mut random) = (Promise::default(), Random(seed ^ first << 20));
            for life in 0..3 {
                let at = if life == 0 {
                    first
                } else {
                    random.below(operations() as usize + 1) as u64
                };
                disk.break_after(at, Fault::Cut);
                let lived = match live(&disk, &mut promise, 3, || ()) {
                    // The power went while it was starting.
                    Err(_) if disk.is_off() => Ok(0),
                    lived => lived,
                };
                disk.cut_power();
                cuts += 1;
                let sound = lived.and_then(|_| start(&disk, &mut promise).map(|_| ()));
                if let Err(error) = sound {
                    wrong.push(format!("seed {seed}, operation {first}, life {life}: {error}"));
                    break;
                }
            }
        }
    }
    (cuts, wrong)
}

#[test]
fn cut_off_from_power_at_any_operation_the_old_checkpoint_or_the_new_one_loads() {
    let (cuts, wrong) = cut_everywhere(200, Lies::default());
    eprintln!("{cuts} power cuts, {} states that did not load", wrong.len());
    assert!(cuts >= 10_000, "{cuts}");
    assert!(
        wrong.is_empty(),
        "{}: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
}

#[test]
fn the_injector_finds_a_disk_that_does_not_sync_files_or_names() {
    for (files, folder) in [(true, false), (false, true), (true, true)] {
        let (cuts, wrong) = cut_everywhere(20, Lies { files, folder });
        assert!(
            wrong.len() > 20,
            "{} of {cuts} with files {files}, folder {folder}",
            wrong.len()
        );
    }
}

#[test]
fn on_a_full_read_only_or_failing_disk_the_last_good_checkpoint_stands_and_a_later_one_is_kept() {
    let faults = [
        Fault::Errno(libc::ENOSPC),
        Fault::Errno(libc::EROFS),
        Fault::Errno(libc::EIO),
        Fault::LostSync,
    ];
    let (mut refusals, mut cuts) = (0, 0);
    for fault in faults {
        for seed in 0..300 {
            let disk = CutDisk::new(seed, Lies::default());
            let mut random = Random(seed + 1);
            let mut promise = Promise {
                refuses: true,
                ..Promise::default()
            };
            live(&disk, &mut promise, 1, || ()).unwrap();
            // Breaks and heals while one program runs on; now and then it also dies of a power cut.
            for _ in 0..3 {
                // It may be broken already when the program starts: what is there loads all the same.
                if random.below(4) == 0 {
                    disk.break_after(0, fault);
                }
                let refused = live(&disk, &mut promise, 6, || match random.below(3) {
                    0 => disk.break_after(random.below(12) as u64, fault),
                    1 => disk.mend(),
                    _ => {}
                });
                refusals += refused.unwrap_or_else(|error| panic!("{fault:?}, seed {seed}: {error}"));
                if random.below(2) == 0 {
                    cuts += 1;
                    disk.cut_power();
                }
                disk.mend();
                start(&disk, &mut promise).unwrap_or_else(|error| panic!("{fault:?}, seed {seed}: {error}"));
            }
            let before = start(&disk, &mut promise).unwrap().0.steps;
            assert_eq!(live(&disk, &mut promise, 1, || ()), Ok(0), "the disk works again");
            assert_eq!(promise.kept, before + 1);
        }
    }
    eprintln!("{refusals} refusals, {cuts} power cuts among them");
    assert!(refusals > 1_000 && cuts > 1_000, "{refusals} {cuts}");
}
