//! [`OnnxTraining`]: a training step that is an ordinary graph, cut into pieces over two copies of its state.
//!
//! The step reads one copy and writes the other; the copies change places only after the last segment ran and the loss
//! is a number. So a step that fails or is given up leaves the old state untouched.

use super::binding::Binding;
use super::candidate::{Candidate, Publish};
use super::cut::{Cuttable, borders};
use super::fetching::{Fetch, Minibatch};
use super::inference::{ENGINE, filled};
use super::library::Library;
use super::model::Weight;
use super::run_options::RunOptions;
use super::session::{Port, Session, SessionOptions};
use super::state::State;
use super::step::{Step, no_tensor, out_name};
use super::tensor::Tensor;
use super::{OnnxError, node_times};
use crate::clock::thread_time;
use crate::limits;
use crate::units::Nanos;
use crate::workload::checkpoint::Identity;
use crate::workload::feed::Position;
use crate::workload::gate::Score;
use crate::workload::swap::Set;
use crate::workload::{Abort, Progress, Training, WorkloadError};
use std::collections::HashMap;
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece that is not the next one of its step.
const OUT_OF_ORDER: i32 = -2;

/// Runs of each segment when it is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 12;

/// Times a cut is made finer when a segment turns out longer than wanted.
const ROUNDS: usize = 4;

/// How a step graph is trained.
pub struct TrainingConfig {
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
    pub fetch: Fetch,
    /// Where its weights go, if anywhere; [`crate::workload::gate::Gated`] sends them.
    pub publish: Option<Publish>,
}

/// A training job over a step graph.
pub struct OnnxTraining {
    /// `[segment][copy]`: each segment reading copy 0 and writing copy 1, and the other way round.
    segments: Vec<[Binding; 2]>,
    /// Of every segment.
    options: Arc<RunOptions>,
    pub(super) states: Vec<State>,
    /// The copy that holds the state.
    pub(super) now: usize,
    minibatch: Minibatch,
    loss: Arc<Tensor>,
    pub(super) next: u16,
    pub(super) steps: u64,
    pub(super) identity: Identity,
    /// Of the feed, to keep with the state.
    pub(super) position: Option<Arc<Position>>,
    candidate: Option<Candidate>,
    lengths: Vec<Nanos>,
    buffer_bytes: usize,
}

impl OnnxTraining {
    /// Loads `model`: inputs `x` (float32, `[B, ...]`), `y` (int64, `[B]`), `lr` (float32) and the state, outputs `loss` and `S_out`
    /// for each state tensor S. Measures its nodes, cuts it, and runs every segment several times over scratch data, so
    /// that no later run has anything to set up.
    pub fn new(library: &Library, model: &[u8], config: TrainingConfig) -> Result<OnnxTraining, OnnxError> {
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
        let tensor = |port: &Port| Tensor::new(library, port.element, &port.dims);
        let (x, y, loss) = (tensor(&ports.x)?, tensor(&ports.y)?, tensor(&ports.loss)?);
        let rate = tensor(&ports.lr)?;
        rate.f32_mut().fill(lr);
        let is_weight = |name: &str| name != "t" && !name.starts_with("m.") && !name.starts_with("v.");
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
        let options_of_runs = Arc::new(RunOptions::new(library)?);
        let place = |wanted: &str| {
            let mut places = states.iter().enumerate();
            let (place, state) = places.find(|(_, state)| state.name == wanted)?;
            Some((place, state.copies[0].dims.clone()))
        };
        let candidate = publish
            .map(|publish| Candidate::new(library, &name, publish, &options_of_runs, place))
            .transpose()?;
        let mut made = OnnxTraining {
            segments: Vec::new(),
            options: options_of_runs,
            states,
            now: 0,
            minibatch: Minibatch::new(x, y, fetch),
            loss,
            next: 0,
            steps: 0,
            identity: Identity::of(&name, model),
            position: None,
            candidate,
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
            // One piece of a step is the fetch, and those of the gate come after.
            let gate = self
                .fill_pieces()
                .saturating_add(self.eval_pieces().saturating_mul(2));
            let cut = borders(
                times,
                target,
                (limits::PIECES - 1).saturating_sub(usize::from(gate)),
            );
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
                "x" => return Some(Arc::clone(&self.minibatch.x)),
                "y" => return Some(Arc::clone(&self.minibatch.y)),
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
        // Labels of zero are in range for any number of classes.
        self.minibatch.y.i64_mut().fill(0);
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
        self.lengths = self.minibatch.measure();
        for mut times in times {
            times.sort_unstable();
            self.lengths
                .push(times.iter().rev().nth(1).copied().unwrap_or(Nanos::ZERO));
        }
        Ok(())
    }

    /// Has a minibatch fetched in parts of `rows` samples, a piece each, where its copy is longer than a
    /// piece should be; for before the start. The fetch is then called once for each part. An error leaves it
    /// as it was.
    pub fn fetch_in_parts(&mut self, rows: usize) -> Result<(), OnnxError> {
        let room = limits::PIECES.saturating_sub(self.segments.len());
        let (before, parts) = (
            self.minibatch.parts(),
            self.minibatch.samples().div_ceil(rows.max(1)),
        );
        if parts > room {
            return Err(OnnxError::Parts { parts, room });
        }
        self.minibatch.cut(rows);
        self.lengths.splice(..before, self.minibatch.measure());
        self.next = 0;
        Ok(())
    }

    /// Pieces after the fetch.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The measured upper length of each piece, by its index; the fetch, or its parts, come first.
    pub fn piece_lengths(&self) -> &[Nanos] {
        &self.lengths
    }

    /// The sum of the pieces' lengths: one step.
    pub fn step_length(&self) -> Nanos {
        self.lengths.iter().fold(Nanos::ZERO, |sum, length| sum + *length)
    }

    /// The measured upper lengths of a piece that copies weights and of one that judges a minibatch; zero
    /// where none are handed over.
    pub fn gate_lengths(&self) -> (Nanos, Nanos) {
        self.candidate
            .as_ref()
            .map_or((Nanos::ZERO, Nanos::ZERO), |it| (it.fill_length, it.eval_length))
    }

    /// Memory of the tensors that live across a cut, in bytes.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Samples in a minibatch.
    pub fn minibatch(&self) -> usize {
        self.minibatch.samples()
    }

    /// Ends the step: its result counts from now on.
    fn step(&mut self) -> Result<Progress, WorkloadError> {
        let loss = self.loss.f32().first().copied().unwrap_or(f32::NAN);
        if !loss.is_finite() || !self.new_state_is_finite() {
            return Err(WorkloadError::NotANumber);
        }
        self.now = 1 - self.now;
        self.steps = self.steps.wrapping_add(1);
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
        let expected = std::mem::take(&mut self.next);
        if piece != 0 && piece != expected {
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        }
        let Some(segment) = usize::from(piece).checked_sub(self.minibatch.parts()) else {
            let fetched = self.minibatch.fetch(usize::from(piece));
            self.next = piece + u16::from(fetched);
            return Ok(if fetched { Progress::Ran } else { Progress::Dry });
        };
        let last = segment + 1 == self.segments.len();
        let segment = self.segments.get_mut(segment);
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
        if !last {
            self.next = piece + 1;
            return Ok(Progress::Ran);
        }
        self.step()
    }

    fn fill_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.fills)
    }

    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        let OnnxTraining {
            candidate,
            states,
            now,
            ..
        } = self;
        let candidate = candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        let present = |place: usize| {
            let state: Option<&State> = states.get(place);
            state.and_then(|state| state.copies.get(*now)).map(|it| it.f32())
        };
        candidate.fill(piece, set, present)
    }

    fn eval_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.evals)
    }

    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        let candidate = self.candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        candidate.eval(piece, set)
    }
}
