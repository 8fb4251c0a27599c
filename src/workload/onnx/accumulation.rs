//! [`OnnxAccumulation`]: a training step over several micro-batches whose gradients are added up, as two
//! graphs.
//!
//! `grad.onnx` runs once a micro-batch and adds its gradients to the sums `g.W`; `apply.onnx` makes new
//! weights of the sums. Each run is a piece, so a large step needs the memory of a small batch and gives way
//! to inference in between. The weights change only in the last piece, into a second copy; a step that fails
//! or is given up leaves them untouched.

use super::OnnxError;
use super::binding::Binding;
use super::candidate::{Candidate, Publish};
use super::counters::Counters;
use super::engine::{Engine, Ready};
use super::fetch::{Fetch, Minibatches};
use super::fetching::LEAST_FETCH;
use super::inference::code;
use super::library::Library;
use super::model::Weight;
use super::provider::Providers;
use super::rate::Rate;
use super::run_options::RunOptions;
use super::session::{Port, Session, SessionOptions};
use super::state::State;
use super::step::{Grad, expect_scalar, expect_state, is_weight};
use super::sums::Sums;
use super::tensor::Tensor;
use super::training::OUT_OF_ORDER;
use super::weight_sets::filled;
use crate::clock::thread_time;
use crate::limits;
use crate::units::Nanos;
use crate::workload::checkpoint::Identity;
use crate::workload::gate::Score;
use crate::workload::swap::Set;
use crate::workload::{Abort, Progress, Training, WorkloadError};
use std::sync::Arc;

/// Runs of each piece when it is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 12;

/// How a pair of graphs is trained; `F` is [`Fetch`], or [`FetchValues`](super::FetchValues) where `y` is
/// float32.
pub struct AccumulationConfig<F = Fetch> {
    /// For messages, a folder's name for example.
    pub name: String,
    /// Values of one sample's input row.
    pub row: usize,
    /// Start values of the weights and running statistics, by name. Other state starts at zero.
    pub weights: Vec<Weight>,
    /// Learning rate at the start; [`OnnxAccumulation::rate`] changes it.
    pub lr: f32,
    /// Micro-batches of one step, 1 to [`limits::PIECES`] - 2. The step is that of all their samples
    /// together.
    pub micro_batches: usize,
    /// Fetches a micro-batch.
    pub fetch: F,
    /// Where its weights go, if anywhere; [`crate::workload::gate::Gated`] sends them.
    pub publish: Option<Publish>,
    /// What it may use of the machine. It runs on the processor; providers that are asked for are not used.
    pub engine: Engine,
}

/// A training job over a pair of graphs.
pub struct OnnxAccumulation {
    /// `[micro-batch][copy of the weights]`. Even micro-batches read the first copy of the sums and write the
    /// second, odd ones the other way round.
    grads: Vec<[Binding; 2]>,
    /// `[copy of the weights]`.
    apply: [Binding; 2],
    options: Arc<RunOptions>,
    engine: Arc<Ready>,
    /// Weights, moments, the count of steps.
    pub(super) states: Vec<State>,
    pub(super) sums: Sums,
    pub(super) now: usize,
    batches: Vec<(Arc<Tensor>, Arc<Tensor>)>,
    /// Micro-batches of the next step that are here already.
    pub(super) fetched: usize,
    loss: Arc<Tensor>,
    /// Of the micro-batches that ran.
    total: f32,
    pub(super) next: u16,
    fetch: Minibatches,
    lengths: Vec<Nanos>,
    pub(super) counters: Counters,
    pub(super) identity: Identity,
    candidate: Option<Candidate>,
    rate: Rate,
    /// Where the update reads it.
    rate_tensor: Arc<Tensor>,
}

impl OnnxAccumulation {
    /// Loads the graphs that `fulcrum train-graph` writes and runs each several times over scratch data, so
    /// that no later run has anything to set up.
    pub fn new<F: Into<Minibatches>>(
        library: &Library,
        grad: &[u8],
        apply: &[u8],
        config: AccumulationConfig<F>,
    ) -> Result<OnnxAccumulation, OnnxError> {
        let (name, count) = (config.name, config.micro_batches);
        let fits = |of_gate: usize| match limits::PIECES.saturating_sub(2 + of_gate) {
            most if (1..=most).contains(&count) => Ok(()),
            most => Err(OnnxError::MicroBatches { count, most }),
        };
        fits(0)?;
        let of_processor = Engine {
            providers: Providers::default(),
            staged: false,
            ..config.engine
        };
        let engine = Arc::new(Ready::new(library, &of_processor)?.with_one_memory(library));
        let identity = Identity::of(&name, &[grad, apply].concat());
        let load = |file: &str, bytes: &[u8]| {
            let options = SessionOptions {
                optimise: false,
                engine: &engine,
                profile: None,
            };
            Session::new(library, &format!("{file} of {name}"), bytes, options).map(Arc::new)
        };
        let (grad, apply) = (load("grad.onnx", grad)?, load("apply.onnx", apply)?);
        let ports = Grad::of(&grad, config.row)?;
        let fetch: Minibatches = config.fetch.into();
        fetch.expect(&grad.name, &ports.y)?;
        let tensor = |port: &Port| Tensor::new(library, engine.arena.as_ref(), port.element, &port.dims);
        let start = |port: &Port| filled(library, engine.arena.as_ref(), &grad.name, port, &config.weights);
        let sums = Sums::new(&ports, tensor, start)?;
        let mut states = Vec::new();
        let held =
            |port: &&Port| !["lr", "scale"].contains(&port.name.as_str()) && !port.name.starts_with("g.");
        for port in apply.inputs.iter().filter(held) {
            expect_state(&apply, port)?;
            let start = match is_weight(&port.name) {
                true => filled(library, engine.arena.as_ref(), &apply.name, port, &config.weights)?,
                false => tensor(port)?,
            };
            states.push(State {
                name: port.name.clone(),
                copies: [start, tensor(port)?],
            });
        }
        let (rate, scale) = (expect_scalar(&apply, "lr")?, expect_scalar(&apply, "scale")?);
        let (rate, scale) = (tensor(&rate)?, tensor(&scale)?);
        rate.f32_mut().fill(config.lr);
        scale.f32_mut().fill(1.0 / count as f32);
        let mut batches = Vec::new();
        for _ in 0..count {
            batches.push((tensor(&ports.x)?, tensor(&ports.y)?));
        }
        let loss = tensor(&ports.loss)?;
        let find = |tensor: &str, now: usize, from: usize| -> Option<Arc<Tensor>> {
            let (own, out) = match tensor.strip_suffix("_out") {
                Some(own) => (own, true),
                None => (tensor, false),
            };
            let walk = if out { 1 - from } else { from };
            if let Some(copies) = sums.copies(own) {
                return copies.get(walk).map(Arc::clone);
            }
            let state = states.iter().find(|state| state.name == own)?;
            state.copies.get(if out { 1 - now } else { now }).map(Arc::clone)
        };
        let options = Arc::new(RunOptions::new(library)?);
        let bind =
            |session: &Arc<Session>, batch: Option<&(Arc<Tensor>, Arc<Tensor>)>, now: usize, from: usize| {
                let mut made = Binding::new(session, |tensor| match (tensor, batch) {
                    ("x", Some((x, _))) => Some(Arc::clone(x)),
                    ("y", Some((_, y))) => Some(Arc::clone(y)),
                    ("loss", Some(_)) => Some(Arc::clone(&loss)),
                    ("lr", None) => Some(Arc::clone(&rate)),
                    ("scale", None) => Some(Arc::clone(&scale)),
                    (other, _) => find(other, now, from),
                })?;
                made.set_options(Arc::clone(&options));
                Ok::<Binding, OnnxError>(made)
            };
        let mut grads = Vec::new();
        for (index, batch) in batches.iter().enumerate() {
            grads.push([
                bind(&grad, Some(batch), 0, index % 2)?,
                bind(&grad, Some(batch), 1, index % 2)?,
            ]);
        }
        let apply = [
            bind(&apply, None, 0, count % 2)?,
            bind(&apply, None, 1, count % 2)?,
        ];
        let copies = |weight: &str| -> Option<[Arc<Tensor>; 2]> {
            if let Some(kept) = sums.kept(weight) {
                return Some([Arc::clone(kept), Arc::clone(kept)]);
            }
            let state = states.iter().find(|state| state.name == weight)?;
            Some(state.copies.clone())
        };
        let candidate = config
            .publish
            .map(|publish| Candidate::new(library, &name, publish, &options, &engine, copies));
        let candidate = candidate.transpose()?;
        fits(candidate.as_ref().map_or(0, Candidate::pieces))?;
        let mut made = OnnxAccumulation {
            engine: Arc::clone(&engine),
            grads,
            apply,
            options,
            states,
            sums,
            now: 0,
            batches,
            fetched: 0,
            loss,
            total: 0.0,
            next: 0,
            fetch,
            lengths: Vec::new(),
            counters: Counters::default(),
            identity,
            candidate,
            rate: Rate::new(config.lr),
            rate_tensor: rate,
        };
        made.measure()?;
        Ok(made)
    }

    /// Runs whole steps over scratch data and notes the upper length of each piece. The runs write the idle
    /// copies, so the state stays as it is.
    fn measure(&mut self) -> Result<(), OnnxError> {
        for (_, y) in &self.batches {
            y.clear();
        }
        let mut times = vec![Vec::new(); self.grads.len() + 2];
        for run in 0..=MEASURED {
            let begin = thread_time();
            self.sums.begin();
            let mut taken = vec![thread_time() - begin];
            let pieces = self.grads.iter_mut().chain([&mut self.apply]);
            for binding in pieces.filter_map(|copies| copies.get_mut(self.now)) {
                let start = thread_time();
                binding.run()?;
                taken.push(thread_time() - start);
            }
            let start = thread_time();
            std::hint::black_box(self.new_state_is_finite());
            let check = thread_time() - start;
            if let Some(last) = taken.last_mut() {
                *last += check;
            }
            // The first run makes ONNX Runtime's own buffers.
            for (times, taken) in times.iter_mut().zip(taken).filter(|_| run > 0) {
                times.push(taken);
            }
        }
        self.lengths.clear();
        for mut times in times {
            times.sort_unstable();
            self.lengths
                .push(times.iter().rev().nth(1).copied().unwrap_or(Nanos::ZERO));
        }
        // The fetch is the caller's; what is known is that it copies the micro-batches. Four such copies are
        // announced.
        let start = thread_time();
        for _ in 0..4 {
            for (x, _) in &self.batches {
                std::hint::black_box(x.f32_mut()).fill(0.0);
            }
        }
        let copies = thread_time() - start;
        if let Some(first) = self.lengths.first_mut() {
            *first = LEAST_FETCH.max(*first + copies);
        }
        Ok(())
    }

    fn new_state_is_finite(&self) -> bool {
        let states = self.states.iter();
        let mut written = states.filter_map(|state| state.copies.get(1 - self.now));
        written.all(|tensor| tensor.has_finite_values()) && self.sums.are_finite(self.grads.len())
    }

    /// Its learning rate, to be set while it trains.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// The measured upper length of each piece, by its index: the fetch, each micro-batch, the update.
    pub fn piece_lengths(&self) -> &[Nanos] {
        &self.lengths
    }

    /// The measured upper lengths of a piece that copies weights and of one that judges a minibatch; zero
    /// where none are handed over.
    pub fn gate_lengths(&self) -> (Nanos, Nanos) {
        let candidate = self.candidate.as_ref();
        candidate.map_or((Nanos::ZERO, Nanos::ZERO), Candidate::lengths)
    }

    /// The sum of the pieces' lengths: one step.
    pub fn step_length(&self) -> Nanos {
        self.lengths.iter().fold(Nanos::ZERO, |sum, length| sum + *length)
    }

    /// Ends the step: its result counts from now on.
    fn step(&mut self) -> Result<Progress, WorkloadError> {
        let loss = self.total / self.grads.len() as f32;
        if !loss.is_finite() || !self.new_state_is_finite() {
            return Err(WorkloadError::NotANumber);
        }
        self.now = 1 - self.now;
        self.sums.keep(self.grads.len());
        self.counters.steps = self.counters.steps.wrapping_add(1);
        Ok(Progress::Stepped { loss })
    }

    /// Fetches what is missing; those that are here stay.
    fn fetch_all(&mut self) -> Progress {
        while let Some((x, y)) = self.batches.get(self.fetched) {
            if !self.fetch.fetch_whole(x, y) {
                return Progress::Dry;
            }
            self.fetched += 1;
        }
        self.sums.begin();
        self.rate_tensor.f32_mut().fill(self.rate.get());
        self.total = 0.0;
        Progress::Ran
    }
}

impl Training for OnnxAccumulation {
    fn memory_bytes(&self) -> u64 {
        self.engine.memory_bytes()
    }

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
            // A step that failed is tried again with other data, as a whole one is.
            if self.next != 0 {
                self.fetched = 0;
            }
            let progress = self.fetch_all();
            self.next = u16::from(progress == Progress::Ran);
            return Ok(progress);
        }
        let expected = std::mem::take(&mut self.next);
        if piece != expected {
            self.fetched = 0;
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        }
        let index = usize::from(piece) - 1;
        let last = index == self.grads.len();
        let copies = if last {
            Some(&mut self.apply)
        } else {
            self.grads.get_mut(index)
        };
        let binding = copies.and_then(|copies| copies.get_mut(self.now));
        let ran = binding.ok_or(WorkloadError::Failed(OUT_OF_ORDER))?.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            // Its inputs are as they were and its outputs count for nothing, so it can be run again.
            self.next = piece;
            return Err(WorkloadError::Aborted);
        }
        if let Err(error) = ran {
            self.fetched = 0;
            return Err(code(&error));
        }
        if last {
            let outcome = self.step();
            self.fetched = 0;
            return outcome;
        }
        self.total += self.loss.f32().first().copied().unwrap_or(f32::NAN);
        self.next = piece + 1;
        Ok(Progress::Ran)
    }

    fn fill_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.fills)
    }

    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        let candidate = self.candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        candidate.fill(piece, set, self.now)
    }

    fn eval_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.evals)
    }

    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        let candidate = self.candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        candidate.eval(piece, set)
    }
}
