//! [`OnnxTraining`]: a training step that is an ordinary graph, cut into pieces over two copies of its state.
//!
//! The step reads one copy and writes the other; the copies change places only after the last segment ran and the loss
//! is a number. So a step that fails or is given up leaves the old state untouched.

use super::binding::Binding;
use super::cut::{Cuttable, borders};
use super::fetch::{Fetch, Minibatches};
use super::inference::{ENGINE, filled};
use super::library::Library;
use super::model::Weight;
use super::publish::Publish;
use super::run_options::RunOptions;
use super::session::{Port, Session, SessionOptions};
use super::step::{State, Step, is_weight, no_tensor, out_name};
use super::tensor::Tensor;
use super::{OnnxError, node_times};
use crate::clock::thread_time;
use crate::limits;
use crate::units::Nanos;
use crate::workload::{Abort, Progress, Training, WorkloadError};
use std::collections::HashMap;
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece that is not the next one of its step.
pub(super) const OUT_OF_ORDER: i32 = -2;

/// Runs of each segment when it is measured; the second longest counts, so that one interruption does not.
pub(super) const MEASURED: usize = 12;

/// Times a cut is made finer when a segment turns out longer than wanted.
const ROUNDS: usize = 4;

/// The shortest length a fetch is announced with: a sensor's new samples are taken in as well.
pub(super) const LEAST_FETCH: Nanos = Nanos::from_micros(100);

/// How a step graph is trained; `F` is [`Fetch`], or [`FetchValues`](super::FetchValues) where `y` is float32.
pub struct TrainingConfig<F = Fetch> {
    /// For messages, a file name for example.
    pub name: String,
    /// Values of one sample's input row.
    pub row: usize,
    /// Start values of the weights, by name. Other state (moments, counters) starts at zero.
    pub weights: Vec<Weight>,
    /// Learning rate.
    pub lr: f32,
    /// The longest piece wanted; `None` leaves the step whole.
    pub wanted_piece: Option<Nanos>,
    /// Fetches a minibatch.
    pub fetch: F,
    /// Where new weights go, if anywhere.
    pub publish: Option<Publish>,
}

/// A training job over a step graph.
pub struct OnnxTraining {
    /// `[segment][copy]`: each segment reading copy 0 and writing copy 1, and the other way round.
    segments: Vec<[Binding; 2]>,
    /// Of every segment.
    options: Arc<RunOptions>,
    states: Vec<State>,
    /// The copy that holds the state.
    now: usize,
    x: Arc<Tensor>,
    y: Arc<Tensor>,
    loss: Arc<Tensor>,
    next: u16,
    steps: u32,
    fetch: Minibatches,
    publish: Option<Publish>,
    lengths: Vec<Nanos>,
    buffer_bytes: usize,
}

impl OnnxTraining {
    /// Loads `model`: inputs `x` (float32, `[B, ...]`), `y` (int64 or float32, `[B, ...]`), `lr` (float32) and the
    /// state, outputs `loss` and `S_out` for each state tensor S. Measures its nodes, cuts it, and runs every segment
    /// several times over scratch data, so that no later run has anything to set up.
    pub fn new<F: Into<Minibatches>>(
        library: &Library,
        model: &[u8],
        config: TrainingConfig<F>,
    ) -> Result<OnnxTraining, OnnxError> {
        let TrainingConfig {
            name,
            row,
            weights,
            lr,
            wanted_piece,
            fetch,
            publish,
        } = config;
        let graph = Cuttable::new(&name, model)?;
        let whole = graph.whole();
        let options = SessionOptions {
            optimise: false,
            profile: None,
        };
        let session = Arc::new(Session::new(library, &name, &whole, options)?);
        let ports = Step::of(&session, row)?;
        let fetch: Minibatches = fetch.into();
        fetch.expect(&name, &ports.y)?;
        let tensor = |port: &Port| Tensor::new(library, port.element, &port.dims);
        let (x, y, loss) = (tensor(&ports.x)?, tensor(&ports.y)?, tensor(&ports.loss)?);
        let rate = tensor(&ports.lr)?;
        rate.f32_mut().fill(lr);
        let mut states = Vec::new();
        for port in &ports.states {
            let start = if is_weight(&port.name) {
                filled(library, &name, port, &weights)?
            } else {
                tensor(port)?
            };
            states.push(State {
                name: port.name.clone(),
                copies: [start, tensor(port)?],
            });
        }
        if let Some(publish) = &publish {
            publish.expect(&name, |wanted| {
                let state = states.iter().find(|state| state.name == wanted)?;
                Some(state.copies[0].f32().len())
            })?;
        }
        let mut made = OnnxTraining {
            segments: Vec::new(),
            options: Arc::new(RunOptions::new(library)?),
            states,
            now: 0,
            x,
            y,
            loss,
            next: 0,
            steps: 0,
            fetch,
            publish,
            lengths: Vec::new(),
            buffer_bytes: 0,
        };
        made.segments = made.bind(&[Arc::clone(&session)], &rate, library)?;
        made.measure()?;
        if let Some(wanted) = wanted_piece {
            let times = node_times::measure(library, &name, &whole, graph.nodes(), |session| {
                let bindings = made.bind(std::slice::from_ref(session), &rate, library)?;
                bindings
                    .into_iter()
                    .flatten()
                    .next()
                    .ok_or_else(|| no_tensor(&name, "loss", "output"))
            })?;
            made.cut(&graph, &times, wanted, &rate, library, options)?;
        }
        Ok(made)
    }

    /// Cuts at most [`ROUNDS`] times, each finer than the last, until the longest segment is as short as wanted.
    fn cut(
        &mut self,
        graph: &Cuttable,
        times: &[u64],
        wanted: Nanos,
        rate: &Arc<Tensor>,
        library: &Library,
        options: SessionOptions<'_>,
    ) -> Result<(), OnnxError> {
        let mut target = wanted.0;
        for _ in 0..ROUNDS {
            // One piece of a step is the fetch.
            let cut = borders(times, target, limits::PIECES - 1);
            let files = graph.segments(&cut)?;
            let sessions = files.iter().enumerate().map(|(index, file)| {
                Session::new(library, &format!("segment {index}"), file, options).map(Arc::new)
            });
            let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
            self.segments = self.bind(&sessions, rate, library)?;
            self.measure()?;
            let longest = self.lengths.iter().copied().max().unwrap_or(Nanos::ZERO);
            let largest_node = times.iter().copied().max().unwrap_or(0);
            if longest <= wanted || target <= largest_node {
                return Ok(());
            }
            // A little less than in proportion: segments are cut at node borders, not just where one would like.
            target = (u128::from(target) * u128::from(wanted.0) * 95 / (u128::from(longest.0) * 100)) as u64;
        }
        Ok(())
    }

    /// Two bindings for each session, over the state's copies and over buffers for what crosses a border.
    fn bind(
        &mut self,
        sessions: &[Arc<Session>],
        rate: &Arc<Tensor>,
        library: &Library,
    ) -> Result<Vec<[Binding; 2]>, OnnxError> {
        let mut crossing: HashMap<String, Arc<Tensor>> = HashMap::new();
        for session in sessions {
            for port in &session.outputs {
                let of_state = self.states.iter().any(|state| out_name(&state.name) == port.name);
                if port.name != "loss" && !of_state {
                    crossing.insert(port.name.clone(), Tensor::new(library, port.element, &port.dims)?);
                }
            }
        }
        self.buffer_bytes = crossing.values().map(|tensor| tensor.bytes()).sum();
        let find = |name: &str, from: usize| -> Option<Arc<Tensor>> {
            match name {
                "x" => return Some(Arc::clone(&self.x)),
                "y" => return Some(Arc::clone(&self.y)),
                "lr" => return Some(Arc::clone(rate)),
                "loss" => return Some(Arc::clone(&self.loss)),
                _ => {}
            }
            for state in &self.states {
                let [first, second] = &state.copies;
                let (read, write) = if from == 0 {
                    (first, second)
                } else {
                    (second, first)
                };
                if name == state.name {
                    return Some(Arc::clone(read));
                }
                if name == out_name(&state.name) {
                    return Some(Arc::clone(write));
                }
            }
            crossing.get(name).map(Arc::clone)
        };
        let both = |session: &Arc<Session>| -> Result<[Binding; 2], OnnxError> {
            let mut both = [
                Binding::new(session, |name| find(name, 0))?,
                Binding::new(session, |name| find(name, 1))?,
            ];
            for binding in &mut both {
                binding.set_options(Arc::clone(&self.options));
            }
            Ok(both)
        };
        sessions.iter().map(both).collect()
    }

    /// Runs whole steps over whatever is in `x` and notes the upper length of each piece. The runs write the idle copy,
    /// so the state stays as it is. Processor time counts: a piece runs on the calling thread alone.
    fn measure(&mut self) -> Result<(), OnnxError> {
        self.fetch.clear(&self.y);
        let mut times = vec![Vec::new(); self.segments.len()];
        for run in 0..=MEASURED {
            for index in 0..self.segments.len() {
                let (last, now) = (index + 1 == self.segments.len(), self.now);
                let binding = self
                    .segments
                    .get_mut(index)
                    .and_then(|copies| copies.get_mut(now));
                let (Some(binding), Some(times)) = (binding, times.get_mut(index)) else {
                    continue;
                };
                let start = thread_time();
                binding.run()?;
                if last {
                    std::hint::black_box(self.new_state_is_finite());
                }
                // The first run makes ONNX Runtime's own buffers.
                if run > 0 {
                    times.push(thread_time() - start);
                }
            }
        }
        self.lengths = vec![self.measure_fetch()];
        for mut times in times {
            times.sort_unstable();
            self.lengths
                .push(times.iter().rev().nth(1).copied().unwrap_or(Nanos::ZERO));
        }
        Ok(())
    }

    /// The fetch is the caller's; what is known is that it copies a minibatch. Four such copies, at least
    /// [`LEAST_FETCH`], are announced for it.
    fn measure_fetch(&self) -> Nanos {
        let start = thread_time();
        for _ in 0..4 {
            std::hint::black_box(self.x.f32_mut()).fill(0.0);
        }
        LEAST_FETCH.max(thread_time() - start)
    }

    /// Pieces after the fetch.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The measured upper length of each piece, by its index; the fetch comes first.
    pub fn piece_lengths(&self) -> &[Nanos] {
        &self.lengths
    }

    /// The sum of the pieces' lengths: one step.
    pub fn step_length(&self) -> Nanos {
        self.lengths.iter().fold(Nanos::ZERO, |sum, length| sum + *length)
    }

    /// Memory of the tensors that live across a cut, in bytes.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Samples in a minibatch.
    pub fn minibatch(&self) -> usize {
        self.y
            .dims
            .first()
            .and_then(|size| usize::try_from(*size).ok())
            .unwrap_or(0)
    }

    /// The present value of a state tensor.
    pub fn state(&self, name: &str) -> Option<&[f32]> {
        let state = self.states.iter().find(|state| state.name == name)?;
        state.copies.get(self.now).map(|tensor| tensor.f32())
    }

    /// The present weights in the order of `names`, as a weights file holds them; unknown names are left out.
    pub fn weights(&self, names: &[String]) -> Vec<Weight> {
        let known = names
            .iter()
            .filter_map(|name| self.states.iter().find(|state| state.name == *name));
        let weight = |state: &State| {
            let tensor = state.copies.get(self.now)?;
            Some(Weight {
                name: state.name.clone(),
                dims: tensor.dims.clone(),
                values: tensor.f32().to_vec(),
            })
        };
        known.filter_map(weight).collect()
    }

    /// A finite loss does not prove a finite state: the optimiser may have divided or squared its way out of range.
    fn new_state_is_finite(&self) -> bool {
        let mut written = self
            .states
            .iter()
            .filter_map(|state| state.copies.get(1 - self.now));
        written.all(|tensor| tensor.f32().iter().all(|value| value.is_finite()))
    }

    /// Ends the step: its result counts from now on.
    fn step(&mut self) -> Result<Progress, WorkloadError> {
        let loss = self.loss.f32().first().copied().unwrap_or(f32::NAN);
        if !loss.is_finite() || !self.new_state_is_finite() {
            return Err(WorkloadError::NotANumber);
        }
        self.now = 1 - self.now;
        self.steps = self.steps.wrapping_add(1);
        if let Some(publish) = &mut self.publish {
            let (states, now) = (&self.states, self.now);
            publish.send(self.steps, |name| {
                let state = states.iter().find(|state| state.name == name)?;
                state.copies.get(now).map(|tensor| tensor.f32())
            });
        }
        Ok(Progress::Stepped { loss })
    }
}

impl Training for OnnxTraining {
    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        let options: Arc<RunOptions> = Arc::clone(&self.options);
        Some(options)
    }

    fn pieces(&self) -> u16 {
        // At most PIECES, which fits.
        self.lengths.len() as u16
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        if piece == 0 {
            let fetched = self.fetch.fetch(&self.x, &self.y);
            self.next = u16::from(fetched);
            return Ok(if fetched { Progress::Ran } else { Progress::Dry });
        }
        let expected = std::mem::take(&mut self.next);
        if piece != expected {
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        }
        let segment = self.segments.get_mut(usize::from(piece) - 1);
        let binding = segment
            .and_then(|copies| copies.get_mut(self.now))
            .ok_or(WorkloadError::Failed(OUT_OF_ORDER))?;
        let ran = binding.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            // Its inputs are as they were and its outputs count for nothing, so it can be run again.
            self.next = piece;
            return Err(WorkloadError::Aborted);
        }
        ran.map_err(|_| WorkloadError::Failed(ENGINE))?;
        if usize::from(piece) < self.segments.len() {
            self.next = piece + 1;
            return Ok(Progress::Ran);
        }
        self.step()
    }
}
