//! A training job in a few lines whose whole state follows from its number of steps, so that a mix of two
//! steps is seen.

use fulcrum::workload::checkpoint::{Checkpoint, CheckpointError, Element, Identity, Shape, State};
use fulcrum::workload::swap::Set;
use fulcrum::workload::{Progress, Training, WorkloadError};

/// Learns nothing and changes all of its state at every step, in place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Learner {
    graph: &'static str,
    pub(crate) steps: u64,
    /// Whether it fails to tell its state.
    pub(crate) silent: bool,
    /// Whether it tells a tensor as a whole only.
    pub(crate) whole: bool,
    /// Pieces in which it hands its weights over.
    pub(crate) fills: u16,
    tensors: Vec<(Shape, Vec<f32>)>,
}

impl Learner {
    /// A job over the graph of this name, with a state of some `values` values.
    pub(crate) fn new(graph: &'static str, values: u64) -> Learner {
        let tensor = |name: &str, dims: &[u64]| {
            let shape = Shape {
                name: name.into(),
                element: Element::F32,
                dims: dims.to_vec(),
            };
            let count = dims.iter().product::<u64>() as usize;
            (shape, vec![0.0; count])
        };
        let mut learner = Learner {
            graph,
            steps: 0,
            silent: false,
            whole: false,
            fills: 0,
            // An odd number of values, a scalar and nothing at all, so that every kind of padding occurs.
            tensors: vec![
                tensor("w", &[values / 2, 1]),
                tensor("m.w", &[values / 2 + 1]),
                tensor("t", &[]),
                tensor("empty", &[0, 3]),
            ],
        };
        learner.fill();
        learner
    }

    /// The same with one more tensor, of so many values, which it says it has and has not.
    pub(crate) fn with_claim(mut self, values: u64) -> Learner {
        let shape = Shape {
            name: "claim".into(),
            element: Element::F32,
            dims: vec![values],
        };
        self.tensors.push((shape, Vec::new()));
        self
    }

    /// What the job is after so many steps.
    pub(crate) fn after(&self, steps: u64) -> Learner {
        let mut other = self.clone();
        other.steps = steps;
        other.fill();
        other
    }

    pub(crate) fn step(&mut self) {
        self.steps += 1;
        self.fill();
    }

    fn fill(&mut self) {
        for (tensor, (_, values)) in self.tensors.iter_mut().enumerate() {
            for (index, value) in values.iter_mut().enumerate() {
                *value = (self.steps * 1_000 + tensor as u64 * 100 + index as u64 % 97) as f32;
            }
        }
    }
}

impl State for Learner {
    fn identity(&self) -> Identity {
        Identity::of(self.graph, self.graph.as_bytes())
    }

    fn shapes(&self) -> Vec<Shape> {
        self.tensors.iter().map(|(shape, _)| shape.clone()).collect()
    }

    fn whole(&self) -> bool {
        self.whole
    }

    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        if self.silent {
            return Err(WorkloadError::Failed(7));
        }
        let values = &self.tensors[tensor].1[from / 4..];
        for (place, value) in into.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
        Ok(())
    }

    fn counters(&self) -> Vec<String> {
        vec!["steps".into(), "feed.row".into()]
    }

    fn count(&self, counter: usize) -> u64 {
        [self.steps, self.steps * 8][counter]
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint.fits(&self.identity(), &self.shapes())?;
        self.steps = checkpoint.counter("steps");
        for (shape, values) in &mut self.tensors {
            *values = checkpoint.tensor(&shape.name).unwrap().f32().collect();
        }
        Ok(())
    }
}

impl Training for Learner {
    fn fill_pieces(&self) -> u16 {
        self.fills
    }

    fn fill(&mut self, _: u16, _: &Set<'_>) -> Result<(), WorkloadError> {
        Ok(())
    }

    fn pieces(&self) -> u16 {
        3
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        if piece < 2 {
            return Ok(Progress::Ran);
        }
        self.step();
        Ok(Progress::Stepped {
            loss: self.steps as f32,
        })
    }
}
