//! The [`StepMemory`]: every tensor that the segments of a step read and write.
//!
//! On the processor all of them lie in the host's memory. On a device everything lies there but the loss;
//! what the host writes, the minibatch, has a twin in the host's memory and is copied by
//! [`StepMemory::send`]. New weights go from here to the sets that serve by a `Filling`.

use super::OnnxError;
use super::borders::Kept;
use super::device::Device;
use super::engine::Ready;
use super::finite::Finite;
use super::library::Library;
use super::model::Weight;
use super::session::{Port, Session};
use super::sharing::share;
use super::state::State;
use super::step::{Step, is_weight, out_name};
use super::tensor::{Element, Tensor, size};
use super::transfer::Transfer;
use super::weight_sets::filled;
use std::collections::HashMap;
use std::sync::Arc;

/// What only a device needs.
struct OnDevice {
    device: Arc<Device>,
    /// The minibatch and the learning rate, from the host's twins.
    send: Transfer,
    /// Whether either copy of the state is finite.
    finite: [Finite; 2],
}

/// Every tensor that the segments of a step read and write.
pub(super) struct StepMemory {
    library: Library,
    engine: Arc<Ready>,
    /// Of the host.
    pub(super) x: Arc<Tensor>,
    pub(super) y: Arc<Tensor>,
    /// What the segments read; without a device the host's own.
    run_x: Arc<Tensor>,
    run_y: Arc<Tensor>,
    run_rate: Arc<Tensor>,
    /// Of the host.
    rate: Arc<Tensor>,
    loss: Arc<Tensor>,
    pub(super) states: Vec<State>,
    /// What crosses a border of the last cut that was made.
    crossing: HashMap<String, Arc<Tensor>>,
    /// The memory of what crosses borders. One cut runs at a time, so all of them share it.
    blocks: Vec<Arc<Tensor>>,
    on_device: Option<OnDevice>,
}

impl StepMemory {
    /// Memory for the step `ports` of the model in `session`. The weights start as `weights` say, other state
    /// at zero.
    pub(super) fn new(
        session: &Arc<Session>,
        engine: &Arc<Ready>,
        ports: &Step,
        weights: &[Weight],
        lr: f32,
    ) -> Result<StepMemory, OnnxError> {
        let library = session.library();
        let arena = engine.arena.as_ref();
        let host = |port: &Port| Tensor::new(library, arena, port.element, &port.dims);
        let device = engine.device();
        let device = device
            .map(|provider| Device::new(library, provider, engine))
            .transpose()?;
        // What the host wrote and a device is to have at the start.
        let mut first = Vec::new();
        let mut there = |tensor: &Arc<Tensor>| -> Result<Arc<Tensor>, OnnxError> {
            let Some(device) = &device else {
                return Ok(Arc::clone(tensor));
            };
            let made = Tensor::on(device, tensor.element, &tensor.dims)?;
            first.push((Arc::clone(tensor), Arc::clone(&made)));
            Ok(made)
        };
        let mut states = Vec::new();
        for port in &ports.states {
            let start = if is_weight(&port.name) {
                filled(library, arena, &session.name, port, weights)?
            } else {
                host(port)?
            };
            let other = Tensor::at(device.as_ref(), library, arena, port.element, &port.dims)?;
            states.push(State {
                name: port.name.clone(),
                copies: [there(&start)?, other],
            });
        }
        let (rate, x, y) = (host(&ports.lr)?, host(&ports.x)?, host(&ports.y)?);
        rate.f32_mut().fill(lr);
        let (run_x, run_y, run_rate) = (there(&x)?, there(&y)?, there(&rate)?);
        let on_device = device.map(|device| -> Result<OnDevice, OnnxError> {
            Transfer::alone(library, engine, first)?;
            let pairs = [(&x, &run_x), (&y, &run_y), (&rate, &run_rate)]
                .map(|(from, to)| (Arc::clone(from), Arc::clone(to)));
            let copy = |index: usize| -> Vec<Arc<Tensor>> {
                let copies = states.iter().filter_map(|state: &State| state.copies.get(index));
                copies.map(Arc::clone).collect()
            };
            Ok(OnDevice {
                device,
                send: Transfer::alone(library, engine, pairs.to_vec())?,
                finite: [
                    Finite::new(library, engine, &copy(0))?,
                    Finite::new(library, engine, &copy(1))?,
                ],
            })
        });
        Ok(StepMemory {
            on_device: on_device.transpose()?,
            library: library.clone(),
            engine: Arc::clone(engine),
            x,
            y,
            run_x,
            run_y,
            run_rate,
            rate,
            loss: host(&ports.loss)?,
            states,
            crossing: HashMap::new(),
            blocks: Vec::new(),
        })
    }

    /// Makes memory for what crosses the borders between `sessions`, the segments in their order, for
    /// [`find`](Self::find) to tell until the next call. Returns its bytes.
    pub(super) fn cross(&mut self, sessions: &[Arc<Session>]) -> Result<usize, OnnxError> {
        let (mut ports, mut kept) = (Vec::new(), Vec::new());
        for (made, session) in sessions.iter().enumerate() {
            for port in &session.outputs {
                let of_state = self.states.iter().any(|state| out_name(&state.name) == port.name);
                if port.name != "loss" && !of_state {
                    let last = sessions.iter().rposition(|it| it.input(&port.name).is_some());
                    let (last, bytes) = (last.unwrap_or(made), size(port.element, &port.dims)? as u64);
                    kept.push(Kept { made, last, bytes });
                    ports.push(port);
                }
            }
        }
        let sharing = share(&kept);
        // Memory of cuts that were given up goes.
        self.crossing.clear();
        self.blocks.retain(|block| block.is_shared());
        self.blocks.sort_by_key(|block| block.bytes());
        let device = self.on_device.as_ref().map(|it| &it.device);
        let (mut used, mut bytes) = (vec![false; self.blocks.len()], 0);
        let mut blocks = vec![None; sharing.bytes.len()];
        let mut largest_first: Vec<(usize, u64)> = sharing.bytes.iter().copied().enumerate().collect();
        largest_first.sort_by_key(|(_, bytes)| u64::MAX - bytes);
        for (index, wanted) in largest_first {
            let mut known = self.blocks.iter().zip(&mut used);
            let known = known.find(|(block, used)| !**used && block.bytes() as u64 >= wanted);
            let block = if let Some((block, used)) = known {
                *used = true;
                Arc::clone(block)
            } else {
                let values = [wanted.div_ceil(4) as i64];
                let arena = self.engine.arena.as_ref();
                let made = Tensor::at(device, &self.library, arena, Element::F32, &values)?;
                self.blocks.push(Arc::clone(&made));
                used.push(true);
                made
            };
            bytes += block.bytes();
            if let Some(place) = blocks.get_mut(index) {
                *place = Some(block);
            }
        }
        for (port, index) in ports.into_iter().zip(&sharing.block) {
            if let Some(Some(block)) = blocks.get(*index) {
                let tensor = block.view(port.element, &port.dims)?;
                self.crossing.insert(port.name.clone(), tensor);
            }
        }
        Ok(bytes)
    }

    /// The tensor of this name in a step that reads the state's copy `from` and writes the other.
    pub(super) fn find(&self, name: &str, from: usize) -> Option<Arc<Tensor>> {
        match name {
            "x" => return Some(Arc::clone(&self.run_x)),
            "y" => return Some(Arc::clone(&self.run_y)),
            "lr" => return Some(Arc::clone(&self.run_rate)),
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

    /// Both copies of the state tensor `name`.
    pub(super) fn copies(&self, name: &str) -> Option<&[Arc<Tensor>; 2]> {
        let state = self.states.iter().find(|state| state.name == name)?;
        Some(&state.copies)
    }

    /// Whether the state lies in a device's memory, out of the host's reach.
    pub(super) fn is_on_device(&self) -> bool {
        self.on_device.is_some()
    }

    /// Has the step that begins use this learning rate; before [`send`](Self::send).
    pub(super) fn set_rate(&mut self, rate: f32) {
        self.rate.f32_mut().fill(rate);
    }

    /// Takes the minibatch that the host wrote, and the rate, to where the segments read it.
    pub(super) fn send(&mut self) -> Result<(), OnnxError> {
        self.on_device.as_mut().map_or(Ok(()), |it| it.send.run())
    }

    /// The values of the state tensor `name` in its copy `copy`. Allocates.
    pub(super) fn values(&self, name: &str, copy: usize) -> Option<Vec<f32>> {
        let tensor = self.copies(name)?.get(copy)?;
        if self.on_device.is_none() {
            return Some(tensor.f32().to_vec());
        }
        let twin = Tensor::new(&self.library, None, tensor.element, &tensor.dims).ok()?;
        let pairs = vec![(Arc::clone(tensor), Arc::clone(&twin))];
        Transfer::alone(&self.library, &self.engine, pairs).ok()?;
        Some(twin.f32().to_vec())
    }

    pub(super) fn loss(&self) -> f32 {
        self.loss.f32().first().copied().unwrap_or(f32::NAN)
    }

    /// A finite loss does not prove a finite state: the optimiser may have divided or squared its way out of
    /// range.
    pub(super) fn is_finite(&mut self, copy: usize) -> Result<bool, OnnxError> {
        let finite = self.on_device.as_mut().map(|it| &mut it.finite);
        if let Some(finite) = finite.and_then(|copies| copies.get_mut(copy)) {
            return finite.check();
        }
        let mut written = self.states.iter().filter_map(|state| state.copies.get(copy));
        Ok(written.all(|tensor| tensor.has_finite_values()))
    }
}
