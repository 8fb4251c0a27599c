//! The state of a step graph: what it learns, to look at, to keep and to take up again.

use super::model::Weight;
use super::tensor::Tensor;
use super::training::OnnxTraining;
use crate::workload::WorkloadError;
use crate::workload::checkpoint::{self, Checkpoint, CheckpointError, Element, Identity, Shape};
use crate::workload::feed::Position;
use std::ops::Range;
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a part of another graph's state.
const FOREIGN_STATE: i32 = -5;

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

/// Bytes of a part of [`OnnxTraining::save`] and of the head before the first; a larger state has larger parts, so
/// that there are never many.
const PART: usize = 256 * 1024;
const MOST_PARTS: usize = 32;

impl OnnxTraining {
    /// Bytes of a part and of all values.
    fn part_sizes(&self) -> (usize, usize) {
        let states = self.memory.states.iter();
        let all: usize = states.map(|state| 4 * state.copies[0].values()).sum();
        (PART.max(all.div_ceil(MOST_PARTS).next_multiple_of(8)), all)
    }

    /// The tensors that part `part` of the values (counted from 0) reaches into: for each its copy that counts, the
    /// first byte of it, and where that lies in the part.
    fn within(&self, part: usize) -> impl Iterator<Item = (&Tensor, usize, Range<usize>)> {
        let (size, all) = self.part_sizes();
        let start = part.saturating_mul(size).min(all);
        let end = start.saturating_add(size).min(all);
        let mut at = 0;
        self.memory.states.iter().filter_map(move |state| {
            let tensor = state.copies.get(self.now)?;
            let begin = at;
            at += 4 * tensor.values();
            let (from, to) = (start.max(begin), end.min(at));
            (from < to).then(|| (&**tensor, from - begin, from - start..to - start))
        })
    }

    /// Writes part `part` of the state: the counters and which graph it is of come first, then the values in parts.
    pub(super) fn save_part(&self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        if self.memory.is_on_device() {
            return Err(WorkloadError::NotOffered);
        }
        let Some(part) = usize::from(part).checked_sub(1) else {
            let bytes = 8 * (2 + self.counters.count());
            let words = [u64::from(self.identity.crc), self.identity.bytes];
            let counters = (0..self.counters.count()).map(|counter| self.counters.value(counter));
            if into.len() >= bytes {
                for (place, word) in into
                    .as_chunks_mut::<8>()
                    .0
                    .iter_mut()
                    .zip(words.into_iter().chain(counters))
                {
                    *place = word.to_le_bytes();
                }
            }
            return Ok(bytes);
        };
        let bytes = self.within(part).map(|(.., at)| at.len()).sum();
        if into.len() >= bytes {
            for (tensor, from, at) in self.within(part) {
                copy(tensor, from, into.get_mut(at).unwrap_or_default());
            }
        }
        Ok(bytes)
    }

    /// Takes back a part that [`OnnxTraining::save_part`] wrote, of the same graph.
    pub(super) fn load_part(&mut self, part: u16, bytes: &[u8]) -> Result<(), WorkloadError> {
        let wrong = Err(WorkloadError::Failed(FOREIGN_STATE));
        let Some(part) = usize::from(part).checked_sub(1) else {
            let (words, rest) = bytes.as_chunks::<8>();
            let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
            let of = (words.next(), words.next());
            if !rest.is_empty()
                || of != (Some(u64::from(self.identity.crc)), Some(self.identity.bytes))
                || words.len() != self.counters.count()
            {
                return wrong;
            }
            self.counters.set(words);
            self.next = 0;
            return Ok(());
        };
        if bytes.is_empty() || self.within(part).map(|(.., at)| at.len()).sum::<usize>() != bytes.len() {
            return wrong;
        }
        for (tensor, from, at) in self.within(part) {
            let values = tensor.f32_mut().get_mut(from / 4..).unwrap_or_default();
            let kept = bytes.get(at).unwrap_or_default().as_chunks::<4>().0;
            for (value, kept) in values.iter_mut().zip(kept) {
                *value = f32::from_le_bytes(*kept);
            }
        }
        Ok(())
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

    fn copy(&self, tensor: usize, from: usize, into: &mut [u8]) -> Result<(), WorkloadError> {
        let state = self.memory.states.get(tensor);
        if let Some(tensor) = state.and_then(|state| state.copies.get(self.now)) {
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
