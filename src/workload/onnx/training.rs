//! [`OnnxTraining`]: a training step that is an ordinary graph, cut into pieces over two copies of its state.
//!
//! The step reads one copy and writes the other; the copies change places only after the last segment ran and
//! the loss is a number. So a step that fails or is given up leaves the old state untouched.

use super::OnnxError;
use super::candidate::{Candidate, Publish};
use super::counters::Counters;
use super::cut::Cuttable;
use super::engine::{Engine, Ready};
use super::fetch::{Fetch, Minibatches};
use super::fetching::Minibatch;
use super::inference::code;
use super::library::Library;
use super::memory::StepMemory;
use super::model::Weight;
use super::node_times::NodeTimes;
use super::provider::ProviderReport;
use super::rate::Rate;
use super::run_options::RunOptions;
use super::segments::{Cutter, Segments};
use super::step::Step;
use super::threads::Refusals;
use crate::limits;
use crate::units::Nanos;
use crate::workload::checkpoint::Identity;
use crate::workload::gate::Score;
use crate::workload::swap::Set;
use crate::workload::{Abort, Pieces, Progress, Training, WorkloadError};
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece that is not the next one of its step.
pub(super) const OUT_OF_ORDER: i32 = -2;

/// How a step graph is trained; `F` is [`Fetch`], or [`FetchValues`](super::FetchValues) where `y` is float32.
pub struct TrainingConfig<F = Fetch> {
    /// For messages, a file name for example.
    pub name: String,
    /// Values of one sample's input row.
    pub row: usize,
    /// Start values of the weights, by name. Other state (moments, counters) starts at zero.
    pub weights: Vec<Weight>,
    /// Learning rate at the start; [`OnnxTraining::rate`] changes it.
    pub lr: f32,
    /// The longest piece wanted; `None` leaves the step whole.
    pub wanted_piece: Option<Nanos>,
    /// Whether a second cut, of pieces half as long, is made ready for [`Training::cut_finer`]. It costs its
    /// own sessions and buffers from the beginning, since nothing is made later.
    pub finer: bool,
    /// Fetches a minibatch.
    pub fetch: F,
    /// Where its weights go, if anywhere; [`crate::workload::gate::Gated`] sends them.
    pub publish: Option<Publish>,
    /// What the step may use of the machine.
    pub engine: Engine,
}

/// A training job over a step graph.
pub struct OnnxTraining {
    /// The cut in use and the finer ones, in the order in which they are taken.
    cuts: Vec<Segments>,
    /// The one in use.
    cut: usize,
    /// Of every segment.
    options: Arc<RunOptions>,
    engine: Arc<Ready>,
    pub(super) memory: StepMemory,
    providers: ProviderReport,
    /// The copy that holds the state.
    pub(super) now: usize,
    minibatch: Minibatch,
    pub(super) next: u16,
    pub(super) counters: Counters,
    pub(super) identity: Identity,
    candidate: Option<Candidate>,
    rate: Rate,
}

impl OnnxTraining {
    /// Loads `model`: inputs `x` (float32, `[B, ...]`), `y` (int64 or float32, `[B, ...]`), `lr` (float32) and the state,
    /// outputs `loss` and `S_out` for each state tensor S. Measures its nodes, cuts it, and runs every
    /// segment several times over scratch data, so that no later run has anything to set up.
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
            finer,
            fetch,
            publish,
            engine,
        } = config;
        let ready = Arc::new(Ready::new(library, &engine)?.with_one_memory(library));
        let mut cutter = Cutter {
            library,
            name: &name,
            engine: &ready,
            graph: Cuttable::new(&name, model)?,
            options: Arc::new(RunOptions::new(library)?),
            // One piece of a step is the fetch, and those of the gate come after.
            room: limits::PIECES - 1,
        };
        let session = cutter.load()?;
        let ports = Step::of(&session, row)?;
        let source: Minibatches = fetch.into();
        source.expect(&name, &ports.y)?;
        let mut memory = StepMemory::new(&session, &ready, &ports, &weights, lr)?;
        let candidate = publish
            .map(|publish| {
                let copies = |weight: &str| memory.copies(weight).cloned();
                Candidate::new(library, &name, publish, &cutter.options, &ready, copies)
            })
            .transpose()?;
        let of_gate = candidate.as_ref().map_or(0, Candidate::pieces);
        cutter.room = cutter.room.saturating_sub(of_gate);
        // Only a profile tells how long nodes take, and where they run.
        let told = if wanted_piece.is_some() || finer || ready.device().is_some() {
            cutter.node_times(&mut memory)?
        } else {
            NodeTimes::default()
        };
        let first = match wanted_piece {
            Some(wanted) => cutter.cut(&mut memory, &told.times, wanted)?,
            None => cutter.bind(&mut memory, vec![session])?,
        };
        let mut cuts = vec![first];
        if let Some(first) = cuts.first().filter(|_| finer) {
            let wanted = wanted_piece.unwrap_or(first.longest());
            let count = first.count();
            cuts.extend(cutter.finer(&mut memory, &told.times, wanted, count)?);
        }
        // Once more now that all memory is there: an arena has then seen the most that it will.
        for cut in &mut cuts {
            cut.run(&mut memory)?;
        }
        let options = cutter.options;
        let mut made = OnnxTraining {
            cuts,
            cut: 0,
            options,
            minibatch: Minibatch::new(Arc::clone(&memory.x), Arc::clone(&memory.y), source),
            memory,
            providers: ready.report(told.providers),
            now: 0,
            next: 0,
            counters: Counters::default(),
            identity: Identity::of(&name, model),
            candidate,
            rate: Rate::new(lr),
            engine: ready,
        };
        made.announce()?;
        Ok(made)
    }

    /// Measures the fetch and announces it in every cut.
    fn announce(&mut self) -> Result<(), OnnxError> {
        let OnnxTraining {
            minibatch,
            memory,
            engine,
            ..
        } = self;
        let fetch = minibatch.measure(|| engine.now(), || memory.send())?;
        self.cuts.iter_mut().for_each(|cut| cut.announce(&fetch));
        Ok(())
    }

    /// Has a minibatch fetched in parts of `rows` samples, a piece each, where its copy is longer than a
    /// piece should be; for before the start. The fetch is then called once for each part. An error leaves it
    /// as it was.
    pub fn fetch_in_parts(&mut self, rows: usize) -> Result<(), OnnxError> {
        let most = self.cuts.iter().map(Segments::count).max().unwrap_or(0);
        let of_gate = self.candidate.as_ref().map_or(0, Candidate::pieces);
        let room = limits::PIECES.saturating_sub(most + of_gate);
        let parts = self.minibatch.samples().div_ceil(rows.max(1));
        if parts > room {
            return Err(OnnxError::Parts { parts, room });
        }
        self.minibatch.cut(rows);
        self.announce()?;
        self.next = 0;
        Ok(())
    }

    fn present(&self) -> Option<&Segments> {
        self.cuts.get(self.cut)
    }

    /// Pieces after the fetch.
    pub fn segments(&self) -> usize {
        self.present().map_or(0, Segments::count)
    }

    /// The measured upper length of each piece, by its index; the fetch, or its parts, come first.
    pub fn piece_lengths(&self) -> &[Nanos] {
        self.present().map_or(&[], |cut| &cut.lengths)
    }

    /// The sum of the pieces' lengths: one step.
    pub fn step_length(&self) -> Nanos {
        let lengths = self.piece_lengths().iter();
        lengths.fold(Nanos::ZERO, |sum, length| sum + *length)
    }

    /// The measured upper lengths of a piece that copies weights and of one that judges a minibatch; zero
    /// where none are handed over.
    pub fn gate_lengths(&self) -> (Nanos, Nanos) {
        let candidate = self.candidate.as_ref();
        candidate.map_or((Nanos::ZERO, Nanos::ZERO), Candidate::lengths)
    }

    /// Memory of the tensors that live across a border of the present cut, in bytes.
    pub fn buffer_bytes(&self) -> usize {
        self.present().map_or(0, |cut| cut.buffer_bytes)
    }

    /// The providers that were asked for, which of them are active, and where the nodes run.
    pub fn providers(&self) -> &ProviderReport {
        &self.providers
    }

    /// What the system refused to the engine's threads; nothing with one thread.
    pub fn refusals(&self) -> Refusals {
        self.present().map_or_else(Refusals::default, Segments::refusals)
    }

    /// Its learning rate, to be set while it trains.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Samples in a minibatch.
    pub fn minibatch(&self) -> usize {
        self.minibatch.samples()
    }

    /// Ends the step: its result counts from now on.
    fn step(&mut self) -> Result<Progress, WorkloadError> {
        let loss = self.memory.loss();
        let finite = self.memory.is_finite(1 - self.now);
        if !loss.is_finite() || !finite.map_err(|error| code(&error))? {
            return Err(WorkloadError::NotANumber);
        }
        self.now = 1 - self.now;
        self.counters.steps = self.counters.steps.wrapping_add(1);
        Ok(Progress::Stepped { loss })
    }
}

impl Training for OnnxTraining {
    /// The most that its tensors and its pieces took at once, the sets of weights that serve apart: what an
    /// [`Arena`](super::Arena) for it has to hold, and some more for the holes between blocks. 0 where it lives in a
    /// device's memory.
    fn memory_bytes(&self) -> u64 {
        self.engine.memory_bytes()
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        let options: Arc<RunOptions> = Arc::clone(&self.options);
        Some(options)
    }

    fn pieces(&self) -> u16 {
        // At most PIECES, which fits.
        self.piece_lengths().len() as u16
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        let expected = std::mem::take(&mut self.next);
        if piece != 0 && piece != expected {
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        }
        let parts = self.minibatch.parts();
        let Some(segment) = usize::from(piece).checked_sub(parts) else {
            if !self.minibatch.fetch(usize::from(piece)) {
                self.next = piece;
                return Ok(Progress::Dry);
            }
            if usize::from(piece) + 1 == parts {
                self.memory.set_rate(self.rate.get());
                self.memory.send().map_err(|error| code(&error))?;
            }
            self.next = piece + 1;
            return Ok(Progress::Ran);
        };
        let out_of_order = WorkloadError::Failed(OUT_OF_ORDER);
        let cut = self.cuts.get_mut(self.cut).ok_or(out_of_order)?;
        let last = segment + 1 == cut.count();
        let binding = cut.binding(segment, self.now).ok_or(out_of_order)?;
        let ran = binding.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            // Its inputs are as they were and its outputs count for nothing, so it can be run again.
            self.next = piece;
            return Err(WorkloadError::Aborted);
        }
        ran.map_err(|error| code(&error))?;
        if !last {
            self.next = piece + 1;
            return Ok(Progress::Ran);
        }
        self.step()
    }

    /// Takes the next finer cut, made ready at registration. A step that has begun starts again.
    fn cut_finer(&mut self) -> Option<Pieces> {
        let lengths = self.cuts.get(self.cut + 1)?.lengths.clone();
        self.cut += 1;
        self.next = 0;
        Some(lengths)
    }

    fn fill_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.fills)
    }

    fn fill(&mut self, piece: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        let candidate = self.candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        candidate.fill(piece, set, self.now)
    }

    fn save(&mut self, part: u16, into: &mut [u8]) -> Result<usize, WorkloadError> {
        self.save_part(part, into)
    }

    fn load(&mut self, part: u16, from: &[u8]) -> Result<(), WorkloadError> {
        self.load_part(part, from)
    }

    fn eval_pieces(&self) -> u16 {
        self.candidate.as_ref().map_or(0, |it| it.evals)
    }

    fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        let candidate = self.candidate.as_mut().ok_or(WorkloadError::NotOffered)?;
        candidate.eval(piece, set)
    }
}
