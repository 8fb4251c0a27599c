//! Training on real ONNX Runtime that is kept on disk and taken up again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fulcrum::units::Nanos;
use fulcrum::workload::checkpoint::{
    CheckpointError, Checkpointed, Config, Folder, Slots, State, Status, channel,
};
use fulcrum::workload::feed::Position;
use fulcrum::workload::onnx::model::decode_weights;
use fulcrum::workload::onnx::{Engine, Library, OnnxTraining, TrainingConfig};
use fulcrum::workload::{Progress, Training};
use std::path::PathBuf;
use std::sync::Arc;

const STEP: &[u8] = include_bytes!("fixtures/tiny_step.onnx");
const WEIGHTS: &[u8] = include_bytes!("fixtures/tiny_weights.onnx");

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("fulcrum-{name}-{}", std::process::id())))
    }

    fn slots(&self) -> (Slots, Option<fulcrum::workload::checkpoint::Checkpoint>) {
        Slots::open(Box::new(Folder::open(&self.0).unwrap())).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The fixture's step. Its minibatches follow from the number that `position` has drawn before.
fn trainer(name: &str, graph: &[u8], wanted_piece: Option<Nanos>, position: &Arc<Position>) -> OnnxTraining {
    let drawn = Arc::clone(position);
    let fetch = move |x: &mut [f32], y: &mut [i64]| {
        let number = drawn.value(1);
        drawn.restore([0, number + 1, 0]);
        let row = x.len() / y.len();
        for (sample, (pixels, label)) in x.chunks_exact_mut(row).zip(y).enumerate() {
            *label = ((sample as u64 + number) % 3) as i64;
            for (index, pixel) in pixels.iter_mut().enumerate() {
                *pixel = ((index as i64 * (*label + 1) + number as i64) % 13) as f32 / 13.0;
            }
        }
        true
    };
    let config: TrainingConfig = TrainingConfig {
        name: name.to_string(),
        row: 64,
        weights: decode_weights("tiny_weights.onnx", WEIGHTS).unwrap(),
        lr: 0.01,
        wanted_piece,
        finer: false,
        fetch: Box::new(fetch),
        publish: None,
        engine: Engine::default(),
    };
    let library = Library::open().unwrap_or_else(|error| panic!("{error}"));
    let mut training = OnnxTraining::new(&library, graph, config).unwrap();
    training.keep_position(Arc::clone(position));
    training
}

fn step(training: &mut impl Training) -> f32 {
    for piece in 0..training.pieces() {
        if let Progress::Stepped { loss } = training.run_piece(piece).unwrap() {
            return loss;
        }
    }
    panic!("the last piece ends the step")
}

/// All of the state, bit by bit.
fn bits(training: &OnnxTraining) -> Vec<u8> {
    let shapes = training.shapes().into_iter().enumerate();
    let values = shapes.flat_map(|(tensor, shape)| {
        let mut bytes = vec![0; shape.bytes().unwrap() as usize];
        training.copy(tensor, 0, &mut bytes).unwrap();
        bytes
    });
    values.collect()
}

#[test]
fn training_that_was_kept_and_taken_up_goes_on_bit_by_bit_as_if_nothing_had_been() {
    let scratch = Scratch::new("taken-up");
    let mut straight = trainer("tiny_step.onnx", STEP, None, &Arc::default());
    let losses: Vec<u32> = (0..12).map(|_| step(&mut straight).to_bits()).collect();
    // Kept as pieces of a cut step, every third step; the writer is elsewhere, as on a robot.
    let wanted = Some(Nanos(straight.step_length().0 / 4));
    let kept = {
        let training = trainer("tiny_step.onnx", STEP, wanted, &Arc::default());
        let part = Config {
            part: 512,
            budget: None,
        };
        let (snapshot, writer) = channel(&training, scratch.slots().0, part).unwrap();
        let segments = training.pieces();
        let mut training = Checkpointed::new(training, snapshot, 3).unwrap();
        assert!(training.part_lengths().len() > 3);
        assert_eq!(
            usize::from(training.pieces() - segments),
            training.part_lengths().len()
        );
        let mut keeper = writer.start().unwrap();
        for (number, loss) in losses.iter().enumerate().take(7) {
            assert_eq!(step(&mut training).to_bits(), *loss, "step {number}");
        }
        keeper.stop();
        let results: Vec<_> = std::iter::from_fn(|| keeper.poll()).collect();
        assert!(
            matches!(results[0], Ok(Status::Kept { sequence: 1, .. })),
            "{results:?}"
        );
        scratch.slots().1.unwrap()
    };
    let steps = kept.counter("steps");
    assert!(steps == 3 || steps == 6, "{steps}");
    let position = Arc::<Position>::default();
    // Another cut of the same graph has the same state.
    let mut again = trainer("moved.onnx", STEP, None, &position);
    again.restore(&kept).unwrap();
    assert_eq!((again.steps(), position.value(1)), (steps, steps));
    for loss in &losses[steps as usize..] {
        assert_eq!(step(&mut again).to_bits(), *loss);
    }
    assert_eq!(bits(&again), bits(&straight));
}

#[test]
fn a_checkpoint_of_another_graph_is_refused_by_name_and_the_state_is_as_it_was() {
    let scratch = Scratch::new("foreign");
    let mut training = trainer("tiny_step.onnx", STEP, None, &Arc::default());
    step(&mut training);
    let (mut snapshot, mut writer) = channel(&training, scratch.slots().0, Config::default()).unwrap();
    assert!(snapshot.take(&training));
    writer.write_all(Nanos::ZERO).unwrap();
    drop(writer);
    let kept = scratch.slots().1.unwrap();
    // The same network in a file of another size: an unknown field at its end.
    let other = [STEP, &[0xa2, 0x06, 0x01, b'x']].concat();
    let mut other = trainer("other_step.onnx", &other, None, &Arc::default());
    step(&mut other);
    let before = bits(&other);
    let refused = other.restore(&kept).unwrap_err();
    assert!(matches!(refused, CheckpointError::Foreign { .. }));
    let said = refused.to_string();
    assert!(
        said.contains("`tiny_step.onnx`") && said.contains("`other_step.onnx`"),
        "{said}"
    );
    assert_eq!(bits(&other), before);
    training.restore(&kept).unwrap();
}

#[test]
fn a_minibatch_fetched_in_parts_trains_to_the_same_bytes_and_a_part_without_data_is_asked_for_again() {
    let make = |mut there: Box<dyn FnMut() -> bool + Send>| {
        let mut sample = 0_u64;
        let fetch = move |x: &mut [f32], y: &mut [i64]| {
            if !there() {
                return false;
            }
            let row = x.len() / y.len();
            for (pixels, label) in x.chunks_exact_mut(row).zip(y) {
                *label = (sample % 3) as i64;
                pixels.fill((sample % 7) as f32 / 7.0);
                sample += 1;
            }
            true
        };
        let config: TrainingConfig = TrainingConfig {
            name: "tiny_step.onnx".to_string(),
            row: 64,
            weights: decode_weights("tiny_weights.onnx", WEIGHTS).unwrap(),
            lr: 0.01,
            wanted_piece: None,
            finer: false,
            fetch: Box::new(fetch),
            publish: None,
            engine: Engine::default(),
        };
        OnnxTraining::new(&Library::open().unwrap(), STEP, config).unwrap()
    };
    let mut whole = make(Box::new(|| true));
    let samples = whole.minibatch();
    assert!(samples > 3);
    // Every second time there is nothing.
    let mut calls = 0;
    let mut parts = make(Box::new(move || {
        calls += 1;
        calls % 2 == 0
    }));
    parts.fetch_in_parts(3).unwrap();
    let fetches = samples.div_ceil(3) as u16;
    assert_eq!(
        (parts.pieces(), parts.piece_lengths().len()),
        (fetches + 1, usize::from(fetches) + 1)
    );
    for _ in 0..4 {
        for piece in 0..fetches {
            assert_eq!(parts.run_piece(piece), Ok(Progress::Dry));
            assert_eq!(parts.run_piece(piece), Ok(Progress::Ran));
        }
        let Ok(Progress::Stepped { loss }) = parts.run_piece(fetches) else {
            panic!("the last piece ends the step");
        };
        assert_eq!(loss.to_bits(), step(&mut whole).to_bits());
    }
    assert_eq!(bits(&parts), bits(&whole));
    parts.run_piece(0).unwrap();
    assert!(parts.run_piece(fetches).is_err(), "a part is missing");
}

#[test]
fn of_a_state_in_a_devices_memory_no_checkpoint_is_kept_or_taken_up_and_that_is_said() {
    let scratch = Scratch::new("on-device");
    let make = |staged| {
        let config: TrainingConfig = TrainingConfig {
            name: "tiny_step.onnx".to_string(),
            row: 64,
            weights: decode_weights("tiny_weights.onnx", WEIGHTS).unwrap(),
            lr: 0.01,
            wanted_piece: None,
            finer: false,
            fetch: Box::new(|_, _| false),
            publish: None,
            engine: Engine {
                staged,
                ..Engine::default()
            },
        };
        OnnxTraining::new(&Library::open().unwrap(), STEP, config).unwrap()
    };
    let config = || Config {
        part: 1 << 20,
        budget: None,
    };
    let (mut on_device, on_host) = (make(true), make(false));
    let before = on_device.weights(&["conv1.w".to_string()]);
    let refused = channel(&on_device, scratch.slots().0, config()).err().unwrap();
    assert!(matches!(refused, CheckpointError::OnDevice(_)), "{refused}");
    assert!(refused.to_string().contains("tiny_step.onnx"), "{refused}");
    let (snapshot, writer) = channel(&on_host, scratch.slots().0, config()).unwrap();
    let refused = Checkpointed::new(make(true), snapshot, 1).err().unwrap();
    assert!(matches!(refused, CheckpointError::OnDevice(_)), "{refused}");
    drop(writer);
    let (mut snapshot, writer) = channel(&on_host, scratch.slots().0, config()).unwrap();
    let mut keeper = writer.start().unwrap();
    assert!(snapshot.take(&on_host));
    keeper.stop();
    let kept = scratch.slots().1.unwrap();
    let refused = on_device.restore(&kept).unwrap_err();
    assert!(matches!(refused, CheckpointError::OnDevice(_)), "{refused}");
    assert_eq!(on_device.weights(&["conv1.w".to_string()]), before);
}
