//! A workload's own memory: how much it takes, that it takes no more, and that nobody else does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod tiny;

use fulcrum::workload::onnx::{
    Arena, Engine, MemoryBudget, OUT_OF_MEMORY, OnnxError, OnnxInference, OnnxTraining, Threads, weight_names,
};
use fulcrum::workload::{Inference, Request, Training, WorkloadError};
use tiny::*;

const LARGE: usize = 64 << 20;

fn arena(bytes: usize) -> Arena {
    Arena::new(&library(), bytes, false).unwrap()
}

fn trainer_in(arena: &Arena) -> Result<OnnxTraining, OnnxError> {
    let mut config = training(None, None);
    config.engine.memory = Some(arena.clone());
    OnnxTraining::new(&library(), STEP, config)
}

fn inference_in(arena: &Arena, minibatch: usize) -> Result<OnnxInference, OnnxError> {
    let mut config = inference(minibatch, None);
    config.engine.memory = Some(arena.clone());
    OnnxInference::new(&library(), INFER, config)
}

/// What `run` takes and gives back, in calls.
fn calls(arena: &Arena, run: impl FnOnce()) -> (u64, u64) {
    let before = arena.calls();
    run();
    let after = arena.calls();
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn a_run_gives_back_what_it_takes_the_same_each_time_and_only_of_its_own_workloads_memory() {
    let (learning, seeing) = (arena(LARGE), arena(LARGE));
    let mut training = trainer_in(&learning).unwrap();
    let mut inference = inference_in(&seeing, 3).unwrap();
    let mut free = OnnxInference::new(&library(), INFER, self::inference(3, None)).unwrap();
    let mut own = trainer(None);
    let mut first = None;
    for size in [1, 2, 3, 1] {
        let tokens: Vec<u64> = (0..size).collect();
        let of_seeing = calls(&seeing, || {
            let of_learning = calls(&learning, || {
                assert_eq!(answers(&mut inference, &tokens), answers(&mut free, &tokens));
            });
            assert_eq!(of_learning, (0, 0));
        });
        assert!(of_seeing.0 > 0 && of_seeing.0 == of_seeing.1, "{of_seeing:?}");
        let of_learning = calls(&learning, || {
            let of_seeing = calls(&seeing, || {
                assert_eq!(step(&mut training).to_bits(), step(&mut own).to_bits());
            });
            assert_eq!(of_seeing, (0, 0));
        });
        assert!(
            of_learning.0 > 0 && of_learning.0 == of_learning.1,
            "{of_learning:?}"
        );
        assert_eq!(*first.get_or_insert(of_learning), of_learning);
    }
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    assert_eq!(bits(&training, &names), bits(&own, &names));
}

#[test]
fn the_peak_is_known_after_registration_and_is_what_the_workload_needs() {
    let large = arena(LARGE);
    let mut training = trainer_in(&large).unwrap();
    let peak = large.peak();
    for _ in 0..5 {
        step(&mut training);
    }
    assert_eq!(large.peak(), peak);
    assert!(
        large.used() > 0 && large.used() <= peak && peak < LARGE / 8,
        "{large:?}"
    );
    drop(training);
    assert_eq!(large.used(), 0, "everything comes back");
    // A page more than the peak, for the holes between blocks.
    let just = arena(peak + 4096);
    step(&mut trainer_in(&just).unwrap());
    for bytes in [peak / 2, 4096] {
        let refused = trainer_in(&arena(bytes)).err().unwrap();
        let OnnxError::Memory { wanted, used, cap } = refused else {
            panic!("{refused}")
        };
        assert!(cap == bytes && used <= cap && used + wanted > cap, "{refused}");
        assert!(refused.to_string().contains(&bytes.to_string()), "{refused}");
    }
}

#[test]
fn a_trainer_without_a_cap_tells_what_a_cap_would_have_to_be_and_one_of_that_size_holds_it() {
    let mut free = trainer(None);
    let bytes = free.memory_bytes() as usize;
    let capped = arena(bytes + bytes / 8 + 4096);
    let mut training = trainer_in(&capped).unwrap();
    for _ in 0..5 {
        assert_eq!(step(&mut training).to_bits(), step(&mut free).to_bits());
    }
    assert_eq!(
        [free.memory_bytes(), training.memory_bytes()],
        [bytes, capped.peak()].map(|bytes| bytes as u64)
    );
}

#[test]
fn training_that_does_not_fit_is_refused_and_inference_goes_on() {
    let seeing = arena(LARGE);
    let mut inference = inference_in(&seeing, 2).unwrap();
    let before = answers(&mut inference, &[1, 2]);
    assert!(matches!(
        trainer_in(&arena(64 << 10)),
        Err(OnnxError::Memory { .. })
    ));
    assert_eq!(answers(&mut inference, &[1, 2]), before);
}

#[test]
fn a_run_that_does_not_fit_is_a_code_and_the_next_one_that_does_succeeds() {
    // What each holds, and what a run of it takes beside that.
    let needs = |minibatch| {
        let alone = arena(LARGE);
        let made = inference_in(&alone, minibatch).unwrap();
        let held = alone.used();
        drop(made);
        (held, alone.peak() - held)
    };
    let ((large, large_run), (small, small_run)) = (needs(16), needs(1));
    assert!(small_run < large_run);
    // What it needs between two tensors that stay is no part of a peak, and more in ONNX Runtime 1.17: so it is tried.
    let (mut less, mut enough) = (large + large_run - 64, 2 * (large + large_run));
    while enough - less > 64 {
        let between = less + (enough - less) / 128 * 64;
        match inference_in(&arena(between), 16) {
            Ok(_) => enough = between,
            Err(_) => less = between,
        }
    }
    let shared = arena(enough + small - 64);
    let mut first = inference_in(&shared, 16).unwrap();
    let requests = [Request::default(); 16];
    let mut run = || first.run(&requests, &mut [0; 16]);
    run().unwrap();
    let second = inference_in(&shared, 1).unwrap();
    assert_eq!(run(), Err(WorkloadError::Failed(OUT_OF_MEMORY)));
    assert_eq!(run(), Err(WorkloadError::Failed(OUT_OF_MEMORY)));
    drop(second);
    run().unwrap();
}

#[test]
fn a_budget_admits_what_fits_and_takes_back_what_ends() {
    let budget = MemoryBudget::new(10 << 20);
    let seeing = budget.arena(&library(), 6 << 20, false).unwrap();
    assert!(budget.would_fit(4 << 20) && !budget.would_fit((4 << 20) + 1));
    let refused = budget.arena(&library(), 5 << 20, false).err();
    let expected = OnnxError::Memory {
        wanted: 5 << 20,
        used: 6 << 20,
        cap: 10 << 20,
    };
    assert_eq!(refused, Some(expected));
    let inference = inference_in(&seeing, 1).unwrap();
    drop(seeing);
    assert_eq!(budget.left(), 4 << 20, "the workload still lives in it");
    drop(inference);
    assert_eq!(budget.left(), 10 << 20);
    assert!(budget.arena(&library(), usize::MAX, false).is_err());
    assert_eq!(budget.left(), 10 << 20);
}

#[test]
fn memory_is_locked_or_the_refusal_is_told() {
    let locked = Arena::new(&library(), 1 << 20, true).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))
        .unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    assert_ne!(kib >= 1024, locked.lock_refused().is_some());
}

#[test]
fn workloads_registered_by_several_threads_at_once_keep_to_their_own_memory() {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = arena(LARGE);
                let mut inference = inference_in(&own, 1).unwrap();
                let ran = calls(&own, || {
                    answers(&mut inference, &[7]);
                });
                assert!(ran.0 > 0 && ran.0 == ran.1, "{ran:?}");
            });
        }
    });
}

#[test]
fn a_piece_that_is_given_up_gives_its_memory_back() {
    let own = arena(LARGE);
    let mut training = trainer_in(&own).unwrap();
    let aborter = training.aborter().unwrap();
    training.run_piece(0).unwrap();
    let used = own.used();
    for _ in 0..5 {
        aborter.abort();
        assert_eq!(training.run_piece(1), Err(WorkloadError::Aborted));
        assert_eq!(own.used(), used);
    }
    training.run_piece(1).unwrap();
    assert_eq!(own.used(), used);
}

#[test]
fn a_step_cut_finer_by_two_threads_over_a_devices_memory_keeps_to_its_own_and_to_the_bytes() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let own = arena(LARGE);
    let mut plain = trainer(None);
    let mut config = training(None, None);
    config.finer = true;
    config.engine = Engine {
        threads: Threads::of(2),
        memory: Some(own.clone()),
        staged: true,
        ..Engine::default()
    };
    let mut all = OnnxTraining::new(&library(), STEP, config).unwrap();
    let peak = own.peak();
    for round in 0..6 {
        if round == 3 {
            all.cut_finer().unwrap();
        }
        assert_eq!(step(&mut all).to_bits(), step(&mut plain).to_bits());
    }
    assert_eq!(bits(&all, &names), bits(&plain, &names));
    assert_eq!(own.peak(), peak);
    drop(all);
    assert_eq!(own.used(), 0);
}
