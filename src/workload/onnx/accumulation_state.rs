//! The state of a pair of graphs: what it learns, to look at, to keep and to take up again.

use super::accumulation::OnnxAccumulation;
use super::model::Weight;
use super::state::{copy, restore, shape};
use super::tensor::Tensor;
use crate::workload::WorkloadError;
use crate::workload::checkpoint::{self, Checkpoint, CheckpointError, Identity, Shape};
use crate::workload::feed::Position;
use std::sync::Arc;

impl OnnxAccumulation {
    /// The present state, by name: what the steps change, then the running statistics.
    fn present(&self) -> impl Iterator<Item = (&str, &Arc<Tensor>)> {
        let states = self.states.iter();
        let states = states.filter_map(|state| Some((state.name.as_str(), state.copies.get(self.now)?)));
        states.chain(self.sums.all_kept())
    }

    fn tensor(&self, name: &str) -> Option<&Arc<Tensor>> {
        let mut present = self.present();
        present
            .find(|(known, _)| *known == name)
            .map(|(_, tensor)| tensor)
    }

    /// The present value of a state tensor.
    pub fn state(&self, name: &str) -> Option<&[f32]> {
        self.tensor(name).map(|tensor| tensor.f32())
    }

    /// The present weights in the order of `names`, as a weights file holds them; unknown names are left out.
    pub fn weights(&self, names: &[String]) -> Vec<Weight> {
        let weight = |name: &String| {
            let tensor = self.tensor(name)?;
            Some(Weight {
                name: name.clone(),
                dims: tensor.dims.clone(),
                values: tensor.f32().to_vec(),
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

impl checkpoint::State for OnnxAccumulation {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn shapes(&self) -> Vec<Shape> {
        self.present().map(|(name, tensor)| shape(name, tensor)).collect()
    }

    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        if let Some((_, tensor)) = self.present().nth(tensor) {
            copy(tensor, from, into);
        }
        Ok(())
    }

    fn counters(&self) -> Vec<String> {
        self.counters.names()
    }

    fn count(&self, counter: usize) -> u64 {
        self.counters.value(counter)
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        checkpoint.fits(&self.identity, &checkpoint::State::shapes(self))?;
        for (name, tensor) in self.present() {
            restore(checkpoint, name, tensor);
        }
        self.counters.restore(checkpoint);
        // A step that was begun over the old state does not go on over the new one.
        (self.next, self.fetched) = (0, 0);
        Ok(())
    }
}
