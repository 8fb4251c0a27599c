//! The [`StepMemory`]: every tensor that the segments of a step read and write.

use super::OnnxError;
use super::inference::filled;
use super::library::Library;
use super::model::Weight;
use super::session::{Port, Session};
use super::step::{Step, no_tensor, out_name};
use super::tensor::Tensor;
use std::collections::HashMap;
use std::sync::Arc;

/// A tensor of the state: the copy the present step reads and the one it writes change places.
pub(super) struct State {
    pub(super) name: String,
    pub(super) copies: [Arc<Tensor>; 2],
}

/// Every tensor that the segments of a step read and write.
pub(super) struct StepMemory {
    library: Library,
    pub(super) x: Arc<Tensor>,
    pub(super) y: Arc<Tensor>,
    rate: Arc<Tensor>,
    loss: Arc<Tensor>,
    pub(super) states: Vec<State>,
    /// What crosses a border, of every cut: one cut runs at a time, so they share by name.
    crossing: HashMap<String, Arc<Tensor>>,
}

impl StepMemory {
    /// Memory for the step `ports` of the model `name`. The weights start as `weights` say, other state at zero.
    pub(super) fn new(
        library: &Library,
        name: &str,
        ports: &Step,
        weights: &[Weight],
        lr: f32,
    ) -> Result<StepMemory, OnnxError> {
        let tensor = |port: &Port| Tensor::new(library, port.element, &port.dims);
        let is_weight = |name: &str| name != "t" && !name.starts_with("m.") && !name.starts_with("v.");
        let mut states = Vec::new();
        for port in &ports.states {
            let start = if is_weight(&port.name) {
                filled(library, name, port, weights)?
            } else {
                tensor(port)?
            };
            states.push(State {
                name: port.name.clone(),
                copies: [start, tensor(port)?],
            });
        }
        let rate = tensor(&ports.lr)?;
        rate.f32_mut().fill(lr);
        Ok(StepMemory {
            library: library.clone(),
            x: tensor(&ports.x)?,
            y: tensor(&ports.y)?,
            rate,
            loss: tensor(&ports.loss)?,
            states,
            crossing: HashMap::new(),
        })
    }

    /// Makes memory for what crosses the borders between `sessions`, where there is none of that name; returns the bytes that
    /// these borders keep.
    pub(super) fn cross(&mut self, sessions: &[Arc<Session>]) -> Result<usize, OnnxError> {
        let mut bytes = 0;
        for port in sessions.iter().flat_map(|session| &session.outputs) {
            let of_state = self.states.iter().any(|state| out_name(&state.name) == port.name);
            if port.name == "loss" || of_state {
                continue;
            }
            let tensor = match self.crossing.get(&port.name) {
                Some(tensor) => Arc::clone(tensor),
                None => Tensor::new(&self.library, port.element, &port.dims)?,
            };
            bytes += tensor.bytes();
            self.crossing.insert(port.name.clone(), tensor);
        }
        Ok(bytes)
    }

    /// The tensor of this name in a step that reads the state's copy `from` and writes the other.
    pub(super) fn find(&self, name: &str, from: usize) -> Option<Arc<Tensor>> {
        match name {
            "x" => return Some(Arc::clone(&self.x)),
            "y" => return Some(Arc::clone(&self.y)),
            "lr" => return Some(Arc::clone(&self.rate)),
            "loss" => return Some(Arc::clone(&self.loss)),
            _ => {}
        }
        for state in &self.states {
            if name == state.name {
                return state.copies.get(from).map(Arc::clone);
            }
            if name == out_name(&state.name) {
                return state.copies.get(1 - from).map(Arc::clone);
            }
        }
        self.crossing.get(name).map(Arc::clone)
    }

    /// Values of the state tensors in `names`, each of which there must be.
    pub(super) fn values(&self, model: &str, names: &[String]) -> Result<usize, OnnxError> {
        let values = names.iter().map(|wanted| {
            let state = self.states.iter().find(|state| state.name == *wanted);
            let [copy, _] = &state
                .ok_or_else(|| no_tensor(model, wanted, "state to publish"))?
                .copies;
            Ok(copy.f32().len())
        });
        values.sum()
    }

    pub(super) fn loss(&self) -> f32 {
        self.loss.f32().first().copied().unwrap_or(f32::NAN)
    }

    /// A finite loss does not prove a finite state: the optimiser may have divided or squared its way out of range.
    pub(super) fn is_finite(&self, copy: usize) -> bool {
        let mut written = self.states.iter().filter_map(|state| state.copies.get(copy));
        written.all(|tensor| tensor.f32().iter().all(|value| value.is_finite()))
    }
}
