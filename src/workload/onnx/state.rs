//! The state of a step graph: what it learns, to look at, to keep and to take up again.

use super::model::Weight;
use super::tensor::Tensor;
use super::training::OnnxTraining;
use crate::workload::checkpoint::{self, Checkpoint, CheckpointError, Element, Identity, Shape};
use crate::workload::feed::Position;
use std::sync::Arc;

/// A tensor of the state: the copy the present step reads and the one it writes change places.
pub(super) struct State {
    pub(super) name: String,
    pub(super) copies: [Arc<Tensor>; 2],
}

/// The shape of the state `tensor`. Checked when the graph was read: float32 with every size fixed.
pub(super) fn shape(name: &str, tensor: &Tensor) -> Shape {
    Shape {
        name: name.to_string(),
        element: Element::F32,
        dims: tensor.dims.iter().map(|dim| dim.unsigned_abs()).collect(),
    }
}

/// Copies the values of `tensor` from byte `from` on.
pub(super) fn copy(tensor: &Tensor, from: usize, into: &mut [u8]) {
    let values = tensor.f32().get(from / 4..).unwrap_or_default();
    for (place, value) in into.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *place = value.to_le_bytes();
    }
}

/// Takes the values of `tensor` from a checkpoint that holds them, as was checked.
pub(super) fn restore(checkpoint: &Checkpoint, name: &str, tensor: &Tensor) {
    if let Some(kept) = checkpoint.tensor(name) {
        for (place, value) in tensor.f32_mut().iter_mut().zip(kept.f32()) {
            *place = value;
        }
    }
}

impl OnnxTraining {
    /// The present value of a state tensor, copied; not for the hot path.
    pub fn state(&self, name: &str) -> Option<Vec<f32>> {
        self.memory.values(name, self.now)
    }

    /// The present weights in the order of `names`, as a weights file holds them; unknown names are left out.
    pub fn weights(&self, names: &[String]) -> Vec<Weight> {
        let weight = |name: &String| {
            let [tensor, _] = self.memory.copies(name)?;
            Some(Weight {
                name: name.clone(),
                dims: tensor.dims.clone(),
                values: self.state(name)?,
            })
        };
        names.iter().filter_map(weight).collect()
    }

    /// Steps ended, those before a checkpoint that was taken up included.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// Keeps `position` in checkpoints beside the state, and takes it up with it.
    pub fn keep_position(&mut self, position: Arc<Position>) {
        self.counters.position = Some(position);
    }
}

impl checkpoint::State for OnnxTraining {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Not on a device: a copy of a part would have to bring the whole tensor to the host.
    fn keepable(&self) -> Result<(), CheckpointError> {
        if self.memory.is_on_device() {
            return Err(CheckpointError::OnDevice(self.identity.clone()));
        }
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        let states = self.memory.states.iter();
        states.map(|state| shape(&state.name, &state.copies[0])).collect()
    }

    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) {
        let state = self.memory.states.get(tensor);
        if let Some(tensor) = state.and_then(|state| state.copies.get(self.now)) {
            copy(tensor, from, into);
        }
    }

    fn counters(&self) -> Vec<String> {
        self.counters.names()
    }

    fn count(&self, counter: usize) -> u64 {
        self.counters.value(counter)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint::State::keepable(self)?;
        checkpoint.fits(&self.identity, &checkpoint::State::shapes(self))?;
        for state in &self.memory.states {
            if let Some(tensor) = state.copies.get(self.now) {
                restore(checkpoint, &state.name, tensor);
            }
        }
        self.counters.restore(checkpoint);
        // A step that was begun over the old state does not go on over the new one.
        self.next = 0;
        Ok(())
    }
}
