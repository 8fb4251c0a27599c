//! Execution providers: what is asked, what is active and why the rest is not; and the way over a device's
//! memory, tried with memory of the processor's own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod counting;
mod tiny;

use counting::calls;
use fulcrum::units::Nanos;
use fulcrum::workload::gate::Gated;
use fulcrum::workload::onnx::{
    Engine, OnnxInference, OnnxTraining, Provider, ProviderState, Providers, TensorRt, weight_names,
};
use fulcrum::workload::{Inference, Request, Training, WorkloadError, swap};
use tiny::*;

fn staged() -> Engine {
    Engine {
        staged: true,
        ..Engine::default()
    }
}

fn staged_trainer(wanted_piece: Option<Nanos>) -> OnnxTraining {
    let mut config = training(wanted_piece, None);
    config.engine = staged();
    OnnxTraining::new(&library(), STEP, config).unwrap()
}

#[test]
fn what_this_build_does_not_have_is_told_and_the_processor_does_the_work() {
    let providers = Providers::default()
        .then_tensor_rt(TensorRt {
            fp16: true,
            ..TensorRt::default()
        })
        .then(Provider::Cuda, &[("device_id", "0")]);
    let mut config = training(None, None);
    config.engine.providers = providers.clone();
    let mut trained = OnnxTraining::new(&library(), STEP, config).unwrap();
    let mut plain = trainer(None);
    let mut config = inference(1, None);
    config.engine.providers = providers;
    let seen = OnnxInference::new(&library(), INFER, config).unwrap();
    for report in [trained.providers(), seen.providers()] {
        assert_eq!(
            report
                .rows
                .iter()
                .map(|(provider, _)| *provider)
                .collect::<Vec<_>>(),
            [Provider::TensorRt, Provider::Cuda, Provider::Cpu],
            "in the order asked for"
        );
        assert_eq!(report.rows[2].1, ProviderState::Active);
        // The library of `make onnxruntime` is one for processors; others know of providers whose files they lack.
        for (provider, state) in &report.rows[..2] {
            let known = matches!(state, ProviderState::NotBuilt | ProviderState::NotLoaded(_));
            assert!(known, "{provider}: {state}");
        }
        assert_eq!(report.active().collect::<Vec<_>>(), [Provider::Cpu]);
        let text = report.to_string();
        assert!(
            text.contains("cuda: not enabled in this build") || text.contains("cuda: failed to load"),
            "{text}"
        );
    }
    assert_eq!(step(&mut trained).to_bits(), step(&mut plain).to_bits());
}

#[test]
fn what_follows_the_processor_is_not_tried() {
    let mut config = training(None, None);
    config.engine.providers = Providers::default()
        .then(Provider::Cpu, &[])
        .then(Provider::Cuda, &[]);
    let trained = OnnxTraining::new(&library(), STEP, config).unwrap();
    assert_eq!(trained.providers().rows, [(Provider::Cpu, ProviderState::Active)]);
}

#[test]
fn over_a_devices_memory_training_comes_to_the_same_bytes_whole_and_cut() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let mut plain = trainer(None);
    let mut whole = staged_trainer(None);
    let mut cut = staged_trainer(Some(Nanos(plain.step_length().0 / 5)));
    assert!(cut.segments() > 1 && cut.buffer_bytes() > 0);
    let ran: usize = whole.providers().nodes.iter().map(|(_, count)| count).sum();
    assert!(ran > 10, "{}", whole.providers());
    for _ in 0..5 {
        let expected = step(&mut plain).to_bits();
        assert_eq!(step(&mut whole).to_bits(), expected);
        assert_eq!(step(&mut cut).to_bits(), expected);
    }
    assert_eq!(bits(&whole, &names), bits(&plain, &names));
    assert_eq!(bits(&cut, &names), bits(&plain, &names));
}

/// The trainer and the model that it publishes to, either over a device's memory or not.
fn pair(
    [trainer, server]: [Engine; 2],
    minibatch: usize,
    wanted_piece: Option<Nanos>,
    every: u32,
) -> (OnnxInference, Gated<OnnxTraining>) {
    let (publisher, serving, _) = swap::channel();
    let mut config = inference(minibatch, Some(serving));
    config.engine = server;
    let mut inference = OnnxInference::new(&library(), INFER, config).unwrap();
    let mut config = training(wanted_piece, Some(publish(&mut inference, 8)));
    config.engine = trainer;
    let training = OnnxTraining::new(&library(), STEP, config).unwrap();
    assert!(training.gate_lengths() > (Nanos::ZERO, Nanos::ZERO));
    (inference, Gated::new(training, publisher, open_gate(every)))
}

#[test]
fn over_a_devices_memory_new_weights_go_live_and_every_minibatch_size_answers_the_same() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let tokens = [3, 1, 4, 15];
    let host = Engine::default;
    for engines in [
        [host(), host()],
        [staged(), staged()],
        [staged(), host()],
        [host(), staged()],
    ] {
        let (mut over, mut training) = pair(engines, 4, None, 2);
        for version in 0..=5 {
            let mut config = inference(4, None);
            if version > 0 {
                step(&mut training);
                step(&mut training);
                config.weights = training.job().weights(&names);
            }
            let mut plain = OnnxInference::new(&library(), INFER, config).unwrap();
            for size in 1..=4 {
                assert_eq!(
                    answers(&mut over, &tokens[..size]),
                    answers(&mut plain, &tokens[..size])
                );
            }
            assert_eq!(over.version(), version);
        }
    }
}

#[test]
fn over_a_devices_memory_new_weights_are_judged_as_elsewhere() {
    let scores = |engine: Engine| {
        let (mut publisher, serving, _) = swap::channel();
        let mut config = inference(1, Some(serving));
        config.engine = engine.clone();
        let mut inference = OnnxInference::new(&library(), INFER, config).unwrap();
        let mut config = training(None, Some(publish(&mut inference, 8)));
        config.engine = engine;
        let mut training = OnnxTraining::new(&library(), STEP, config).unwrap();
        let mut scores = Vec::new();
        for _ in 0..4 {
            step(&mut training);
            let spare = publisher.spare().unwrap();
            for piece in 0..training.fill_pieces() {
                training.fill(piece, &spare).unwrap();
            }
            for piece in 0..training.eval_pieces() {
                scores.push(training.eval(piece, &spare).unwrap());
            }
            let serving = publisher.serving();
            scores.push(training.eval(0, &serving).unwrap());
            assert_eq!(training.fill(0, &serving), Err(WorkloadError::Failed(-4)));
            publisher.publish(publisher.changes()).unwrap();
        }
        scores
    };
    let expected = scores(Engine::default());
    assert!(
        expected[0].samples == 4 && expected[0].loss != expected[2].loss,
        "{expected:?}"
    );
    assert_eq!(scores(staged()), expected);
}

#[test]
fn over_a_devices_memory_a_state_that_is_no_number_keeps_the_last_good_one() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let mut config = training(None, None);
    config.engine = staged();
    config.fetch = Box::new(|x, y| {
        stripes(x, y);
        // The gradients' squares, Adam's second moments, leave the range of float32; the loss does not.
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
fn over_a_devices_memory_nothing_allocates_in_rust_after_registration() {
    let wanted = Some(Nanos(trainer(None).step_length().0 / 5));
    let (mut inference, mut training) = pair([staged(), staged()], 3, wanted, 1);
    let requests = [Request::default(); 3];
    let mut answers = [0; 3];
    let before = calls();
    for round in 0..10 {
        step(&mut training);
        let size = 1 + round % 3;
        inference.run(&requests[..size], &mut answers[..size]).unwrap();
    }
    assert_eq!(calls() - before, 0);
    assert_eq!(inference.version(), 10);
}

#[test]
fn over_a_devices_memory_an_aborted_piece_can_be_run_again() {
    let (mut plain, mut over) = (trainer(None), staged_trainer(None));
    let aborter = over.aborter().unwrap();
    over.run_piece(0).unwrap();
    aborter.abort();
    assert_eq!(over.run_piece(1), Err(WorkloadError::Aborted));
    let expected = step(&mut plain);
    let progress = over.run_piece(1).unwrap();
    assert_eq!(progress, fulcrum::workload::Progress::Stepped { loss: expected });
}
