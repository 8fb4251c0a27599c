//! Inference and training on real ONNX Runtime, over the graphs of tests/fixtures.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod counting;
mod tiny;

use counting::calls;
use fulcrum::units::Nanos;
use fulcrum::workload::gate::{Gate, Gated};
use fulcrum::workload::onnx::model::decode_weights;
use fulcrum::workload::onnx::{
    Engine, InferenceConfig, OnnxError, OnnxInference, OnnxTraining, TrainingConfig, weight_names,
};
use fulcrum::workload::{Inference, Progress, Request, Training, WorkloadError, swap};
use tiny::*;

const SHAPES_STEP: &[u8] = include_bytes!("fixtures/shapes_step.onnx");
const SHAPES_WEIGHTS: &[u8] = include_bytes!("fixtures/shapes_weights.onnx");

#[test]
fn every_minibatch_size_answers_as_single_requests_do() {
    let mut inference = OnnxInference::new(&library(), INFER, inference(5, None)).unwrap();
    let tokens: Vec<u64> = (0..5).collect();
    let single: Vec<u64> = tokens
        .iter()
        .map(|token| answers(&mut inference, &[*token])[0])
        .collect();
    for size in 1..=5 {
        assert_eq!(answers(&mut inference, &tokens[..size]), single[..size]);
    }
}

#[test]
fn a_minibatch_that_was_not_prepared_is_refused() {
    let mut inference = OnnxInference::new(&library(), INFER, inference(2, None)).unwrap();
    assert_eq!(
        inference.run(&[Request::default(); 3], &mut [0; 3]),
        Err(WorkloadError::Minibatch(3))
    );
    assert_eq!(inference.run(&[], &mut []), Err(WorkloadError::Minibatch(0)));
    let none = OnnxInference::new(&library(), INFER, self::inference(0, None))
        .err()
        .unwrap();
    assert_eq!(none, OnnxError::Minibatch(0));
}

#[test]
fn the_loss_falls_and_the_state_is_finite() {
    let mut training = trainer(None);
    let first = step(&mut training);
    let last = (0..200).map(|_| step(&mut training)).last().unwrap();
    assert!(last < first / 2.0, "{first} to {last}");
    assert_eq!(training.state("t"), Some(vec![201.0_f32]));
}

#[test]
fn a_cut_step_gives_the_same_bytes_as_the_whole_step() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let mut whole = trainer(None);
    assert_eq!(whole.segments(), 1);
    let whole_losses: Vec<u32> = (0..6).map(|_| step(&mut whole).to_bits()).collect();
    let mut seen = Vec::new();
    for share in [2, 5, 1_000_000] {
        let mut cut = trainer(Some(Nanos(whole.step_length().0 / share)));
        seen.push(cut.segments());
        let losses: Vec<u32> = (0..6).map(|_| step(&mut cut).to_bits()).collect();
        assert_eq!(losses, whole_losses);
        assert_eq!(
            bits(&cut, &names),
            bits(&whole, &names),
            "{} segments",
            cut.segments()
        );
    }
    assert!(
        seen.iter().all(|segments| *segments > 1) && seen[2] > seen[0],
        "{seen:?}"
    );
}

#[test]
fn the_demos_network_cut_finely_gives_the_same_bytes_too() {
    let make = |wanted_piece| {
        let fetch = |x: &mut [f32], y: &mut [i64]| {
            stripes(x, y);
            true
        };
        let weights = decode_weights("shapes_weights.onnx", SHAPES_WEIGHTS).unwrap();
        let name = "shapes_step.onnx".to_string();
        let config: TrainingConfig = TrainingConfig {
            name,
            row: 1024,
            weights,
            lr: 0.01,
            wanted_piece,
            finer: false,
            fetch: Box::new(fetch),
            publish: None,
            engine: Engine::default(),
        };
        OnnxTraining::new(&library(), SHAPES_STEP, config).unwrap()
    };
    let (mut whole, mut cut) = (make(None), make(Some(Nanos::from_millis(1))));
    assert!(cut.segments() > 3);
    for _ in 0..2 {
        assert_eq!(step(&mut whole).to_bits(), step(&mut cut).to_bits());
    }
    assert_eq!(
        bits(&whole, &["conv1.w".to_string()]),
        bits(&cut, &["conv1.w".to_string()])
    );
}

#[test]
fn a_step_uses_the_learning_rate_that_was_set_before_it_began_and_no_later_one() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    for staged in [false, true] {
        let make = |lr| {
            let mut config = training(None, None);
            config.lr = lr;
            config.engine.staged = staged;
            OnnxTraining::new(&library(), STEP, config).unwrap()
        };
        let (mut straight, mut changed) = (make(0.01), make(0.5));
        step(&mut straight);
        assert!(changed.rate().set(0.01));
        for piece in 0..changed.pieces() {
            changed.run_piece(piece).unwrap();
            assert!(changed.rate().set(0.7));
        }
        assert_eq!(bits(&changed, &names), bits(&straight, &names));
        step(&mut straight);
        step(&mut changed);
        assert_ne!(bits(&changed, &names), bits(&straight, &names), "now it is 0.7");
    }
}

#[test]
fn a_step_given_up_halfway_leaves_the_state_and_its_retry_gives_the_same_bytes() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let wanted = Some(Nanos(trainer(None).step_length().0 / 5));
    let (mut straight, mut broken) = (trainer(wanted), trainer(wanted));
    for _ in 0..3 {
        step(&mut straight);
        let before = bits(&broken, &names);
        for given_up_after in 1..broken.pieces() {
            for piece in 0..given_up_after {
                broken.run_piece(piece).unwrap();
            }
            assert_eq!(bits(&broken, &names), before);
        }
        step(&mut broken);
        assert_eq!(bits(&broken, &names), bits(&straight, &names));
    }
}

#[test]
fn a_piece_out_of_order_is_refused_and_the_step_starts_again() {
    let mut training = trainer(Some(Nanos(trainer(None).step_length().0 / 5)));
    assert_eq!(training.run_piece(1), Err(WorkloadError::Failed(-2)));
    training.run_piece(0).unwrap();
    assert_eq!(training.run_piece(2), Err(WorkloadError::Failed(-2)));
    assert_eq!(
        training.run_piece(1),
        Err(WorkloadError::Failed(-2)),
        "the broken step does not go on"
    );
    assert_eq!(training.run_piece(u16::MAX), Err(WorkloadError::Failed(-2)));
    step(&mut training);
}

#[test]
fn a_loss_that_is_no_number_keeps_the_last_good_state() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let mut bad = false;
    let mut config = training(None, None);
    config.fetch = Box::new(move |x, y| {
        stripes(x, y);
        if std::mem::replace(&mut bad, true) {
            x[0] = f32::NAN;
        }
        true
    });
    let mut training = OnnxTraining::new(&library(), STEP, config).unwrap();
    step(&mut training);
    let before = bits(&training, &names);
    training.run_piece(0).unwrap();
    assert_eq!(training.run_piece(1), Err(WorkloadError::NotANumber));
    assert_eq!(bits(&training, &names), before);
}

#[test]
fn a_finite_loss_with_a_broken_new_state_keeps_the_last_good_state() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let mut config = training(None, None);
    config.fetch = Box::new(move |x, y| {
        stripes(x, y);
        // The gradients' squares, Adam's second moments, leave the range of float32.
        x.iter_mut().for_each(|value| *value *= 1e25);
        true
    });
    let mut training = OnnxTraining::new(&library(), STEP, config).unwrap();
    let before = bits(&training, &names);
    training.run_piece(0).unwrap();
    assert_eq!(training.run_piece(1), Err(WorkloadError::NotANumber));
    assert_eq!(bits(&training, &names), before);
}

#[test]
fn without_data_training_waits() {
    let mut config = training(None, None);
    config.fetch = Box::new(|_, _| false);
    let mut training = OnnxTraining::new(&library(), STEP, config).unwrap();
    assert_eq!(training.run_piece(0), Ok(Progress::Dry));
    assert_eq!(training.run_piece(1), Err(WorkloadError::Failed(-2)));
}

#[test]
fn after_registration_neither_inference_nor_training_nor_the_gate_allocates_in_rust() {
    let (publisher, serving, reverter) = swap::channel();
    let mut inference = OnnxInference::new(&library(), INFER, inference(3, Some(serving))).unwrap();
    let publish = publish(&mut inference, 12);
    let wanted = Some(Nanos(trainer(None).step_length().0 / 5));
    let training = OnnxTraining::new(&library(), STEP, training(wanted, Some(publish))).unwrap();
    let gate = Gate {
        every: 1,
        ..Gate::default()
    };
    let mut training = Gated::new(training, publisher, gate);
    let requests = [Request {
        token: 5,
        release: Nanos::ZERO,
    }; 3];
    let mut answers = [0; 3];
    let mut reverts = 0;
    let before = calls();
    for round in 0..20 {
        step(&mut training);
        inference
            .run(&requests[..1 + round % 3], &mut answers[..1 + round % 3])
            .unwrap();
        if round % 5 == 4 {
            reverts += u32::from(reverter.revert().is_some());
        }
    }
    assert_eq!(calls() - before, 0);
    assert!(inference.version() > 0 && reverts > 0);
}

fn refusal<T>(result: Result<T, OnnxError>) -> String {
    result.err().map(|error| error.to_string()).unwrap()
}

#[test]
fn what_does_not_fit_is_refused_by_the_tensors_name() {
    let library = library();
    let cases = [
        (
            refusal(OnnxInference::new(&library, STEP, inference(1, None))),
            "`logits`",
        ),
        (
            refusal(OnnxInference::new(&library, &INFER[..100], inference(1, None))),
            "load tiny_infer.onnx",
        ),
        (
            refusal(OnnxInference::new(
                &library,
                INFER,
                InferenceConfig {
                    row: 65,
                    ..inference(1, None)
                },
            )),
            "65 values a row",
        ),
        (
            refusal(OnnxInference::new(
                &library,
                INFER,
                InferenceConfig {
                    classes: 4,
                    ..inference(1, None)
                },
            )),
            "`logits`",
        ),
        (
            refusal(OnnxInference::new(
                &library,
                INFER,
                InferenceConfig {
                    weights: vec![],
                    ..inference(1, None)
                },
            )),
            "`conv1.w`",
        ),
        (
            refusal(OnnxTraining::new(&library, INFER, training(None, None))),
            "`y`",
        ),
        (
            refusal(OnnxTraining::new(
                &library,
                STEP,
                TrainingConfig {
                    row: 65,
                    ..training(None, None)
                },
            )),
            "65 values a sample",
        ),
        (
            refusal(OnnxTraining::new(&library, &STEP[..9_000], training(None, None))),
            "tiny_step.onnx is not a readable",
        ),
        (
            refusal(OnnxTraining::new(&library, b"", training(None, None))),
            "there is no graph",
        ),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}");
    }
    let mut odd = weights();
    odd[0].dims = vec![36];
    let message = refusal(OnnxTraining::new(
        &library,
        STEP,
        TrainingConfig {
            weights: odd,
            ..training(None, None)
        },
    ));
    assert!(
        message.contains("`conv1.w`") && message.contains("[36]"),
        "{message}"
    );
}

#[test]
fn an_aborted_piece_leaves_the_state_and_its_retry_gives_the_same_bytes() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let wanted = Some(Nanos(trainer(None).step_length().0 / 5));
    let (mut straight, mut aborted) = (trainer(wanted), trainer(wanted));
    let aborter = aborted.aborter().unwrap();
    for _ in 0..3 {
        let expected = step(&mut straight).to_bits();
        let before = bits(&aborted, &names);
        for piece in 0..aborted.pieces() {
            // The flag stands before the run, so the run ends at its first node; the fetch is no run.
            for _ in 0..2 {
                if piece > 0 {
                    aborter.abort();
                    assert_eq!(aborted.run_piece(piece), Err(WorkloadError::Aborted));
                    assert_eq!(bits(&aborted, &names), before);
                }
            }
            if let Progress::Stepped { loss } = aborted.run_piece(piece).unwrap() {
                assert_eq!(loss.to_bits(), expected);
            }
        }
        assert_eq!(bits(&aborted, &names), bits(&straight, &names));
    }
}

#[test]
fn aborts_at_any_moment_of_a_run_change_no_byte() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let (mut straight, mut aborted) = (trainer(None), trainer(None));
    let aborter = aborted.aborter().unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let mut given_up = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut pause = 1;
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                pause = pause * 75 % 65_537;
                std::thread::sleep(std::time::Duration::from_micros(200 + pause % 1_000));
                aborter.abort();
            }
        });
        while given_up < 20 {
            aborted.run_piece(0).unwrap();
            let before = bits(&aborted, &names);
            let loss = loop {
                match aborted.run_piece(1) {
                    Ok(Progress::Stepped { loss }) => break loss,
                    Err(WorkloadError::Aborted) => given_up += 1,
                    other => panic!("{other:?}"),
                }
                assert_eq!(bits(&aborted, &names), before);
            };
            assert_eq!(loss.to_bits(), step(&mut straight).to_bits());
            assert_eq!(bits(&aborted, &names), bits(&straight, &names));
        }
        over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}
