//! Any bytes as a checkpoint: the reader never panics, what it takes is written the same way again, and a job
//! takes all of it up or nothing.
//!
//! The bytes are read as they are and with a checksum that is right for them, so that there is a way past it.

#![no_main]

use fulcrum::workload::checkpoint::{
    Checkpoint, CheckpointError, Element, Identity, Shape, State, decode, encode,
};
use fulcrum::workload::WorkloadError;
use libfuzzer_sys::fuzz_target;

/// A job of two weights and a counter, whose graph is `g`.
#[derive(Clone, PartialEq)]
struct Job {
    weights: [f32; 2],
    steps: u64,
}

impl State for Job {
    fn identity(&self) -> Identity {
        Identity::of("step.onnx", b"g")
    }

    fn shapes(&self) -> Vec<Shape> {
        let shape = |name: &str| Shape {
            name: name.into(),
            element: Element::F32,
            dims: vec![1],
        };
        vec![shape("w"), shape("t")]
    }

    fn copy(&self, tensor: usize, _: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        into.copy_from_slice(&self.weights[tensor].to_le_bytes());
        Ok(())
    }

    fn counters(&self) -> Vec<String> {
        vec!["steps".into()]
    }

    fn count(&self, _: usize) -> u64 {
        self.steps
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint.fits(&self.identity(), &self.shapes())?;
        for (weight, shape) in self.weights.iter_mut().zip(["w", "t"]) {
            *weight = checkpoint
                .tensor(shape)
                .and_then(|kept| kept.f32().next())
                .expect("it fits");
        }
        self.steps = checkpoint.counter("steps");
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let sealed = [bytes, &crc32fast::hash(bytes).to_le_bytes()].concat();
    read(&sealed);
});

fn read(bytes: &[u8]) {
    let checkpoint = match decode(bytes) {
        Ok(checkpoint) => checkpoint,
        Err(wrong) => {
            assert!(wrong.at <= bytes.len() && !wrong.to_string().is_empty());
            return;
        }
    };
    assert!(
        encode(&checkpoint) == bytes,
        "there is one way to write a checkpoint"
    );
    let before = Job {
        weights: [1.0, 2.0],
        steps: 3,
    };
    let mut job = before.clone();
    match job.restore(&checkpoint) {
        Ok(()) => {
            assert_eq!(checkpoint.tensors.len(), 2);
            assert_eq!(job.steps, checkpoint.counter("steps"));
            let kept = |name| checkpoint.tensor(name).map(|kept| kept.values.clone());
            for (weight, name) in job.weights.iter().zip(["w", "t"]) {
                assert_eq!(Some(weight.to_bits().to_le_bytes().to_vec()), kept(name));
            }
        }
        Err(error) => {
            assert!(job == before, "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}
