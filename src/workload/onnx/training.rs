//! [`OnnxTraining`]: a training step that is an ordinary graph, cut into pieces over two copies of its state.
//!
//! The step reads one copy and writes the other; the copies change places only after the last segment ran and
//! the loss is a number. So a step that fails or is given up leaves the old state untouched.

use super::OnnxError;
use super::cut::Cuttable;
use super::engine::{Engine, Ready};
use super::inference::code;
use super::library::Library;
use super::memory::StepMemory;
use super::model::Weight;
use super::node_times::NodeTimes;
use super::provider::ProviderReport;
use super::run_options::RunOptions;
use super::segments::{Cutter, Segments};
use super::step::{Step, expect_values};
use super::threads::Refusals;
use crate::units::Nanos;
use crate::workload::{Abort, Pieces, Progress, Training, WorkloadError, swap};
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a piece that is not the next one of its step.
const OUT_OF_ORDER: i32 = -2;

/// Fetches a minibatch into `x` and `y`; false while there is no data.
pub type Fetch = Box<dyn FnMut(&mut [f32], &mut [i64]) -> bool + Send>;

/// Where new weights go.
pub struct Publish {
    /// The trainer's end of the swap.
    pub sender: swap::Sender,
    /// The weights to send, in the order that the receiver expects.
    pub names: Vec<String>,
    /// Steps between two sets; at least 1.
    pub every: u32,
}

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
    /// Whether a second cut, of pieces half as long, is made ready for [`Training::cut_finer`]. It costs its
    /// own sessions and buffers from the beginning, since nothing is made later.
    pub finer: bool,
    /// Fetches a minibatch.
    pub fetch: Fetch,
    /// Where new weights go, if anywhere.
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
    memory: StepMemory,
    providers: ProviderReport,
    /// The copy that holds the state.
    now: usize,
    next: u16,
    steps: u32,
    fetch: Fetch,
    publish: Option<Publish>,
}

impl OnnxTraining {
    /// Loads `model`: inputs `x` (float32, `[B, ...]`), `y` (int64, `[B]`), `lr` (float32) and the state,
    /// outputs `loss` and `S_out` for each state tensor S. Measures its nodes, cuts it, and runs every
    /// segment several times over scratch data, so that no later run has anything to set up.
    pub fn new(library: &Library, model: &[u8], config: TrainingConfig) -> Result<OnnxTraining, OnnxError> {
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
        let ready = Arc::new(Ready::new(library, &engine)?);
        let cutter = Cutter {
            library,
            name: &name,
            engine: &ready,
            graph: Cuttable::new(&name, model)?,
            options: Arc::new(RunOptions::new(library)?),
        };
        let session = cutter.load()?;
        let ports = Step::of(&session, row)?;
        let mut memory = StepMemory::new(&session, &ready, &ports, &weights, lr)?;
        if let Some(publish) = &publish {
            let values = memory.publish(&name, &publish.names)?;
            expect_values(&name, publish.sender.values(), values)?;
        }
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
        Ok(OnnxTraining {
            cuts,
            cut: 0,
            options: cutter.options,
            memory,
            providers: ready.report(told.providers),
            now: 0,
            next: 0,
            steps: 0,
            fetch,
            publish,
        })
    }

    fn present(&self) -> Option<&Segments> {
        self.cuts.get(self.cut)
    }

    /// Pieces after the fetch.
    pub fn segments(&self) -> usize {
        self.present().map_or(0, Segments::count)
    }

    /// The measured upper length of each piece, by its index; the fetch comes first.
    pub fn piece_lengths(&self) -> &[Nanos] {
        self.present().map_or(&[], |cut| &cut.lengths)
    }

    /// The sum of the pieces' lengths: one step.
    pub fn step_length(&self) -> Nanos {
        let lengths = self.piece_lengths().iter();
        lengths.fold(Nanos::ZERO, |sum, length| sum + *length)
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

    /// Samples in a minibatch.
    pub fn minibatch(&self) -> usize {
        let size = self.memory.y.dims.first();
        size.and_then(|size| usize::try_from(*size).ok()).unwrap_or(0)
    }

    /// The present value of a state tensor, copied; not for the hot path.
    pub fn state(&self, name: &str) -> Option<Vec<f32>> {
        self.memory.values(name, self.now)
    }

    /// The present weights in the order of `names`, as a weights file holds them; unknown names are left out.
    pub fn weights(&self, names: &[String]) -> Vec<Weight> {
        let weight = |name: &String| {
            let state = self.memory.states.iter().find(|state| state.name == *name)?;
            Some(Weight {
                name: state.name.clone(),
                dims: state.copies.get(self.now)?.dims.clone(),
                values: self.state(name)?,
            })
        };
        names.iter().filter_map(weight).collect()
    }

    /// Ends the step: its result counts from now on.
    fn step(&mut self) -> Result<Progress, WorkloadError> {
        let loss = self.memory.loss();
        let finite = self.memory.is_finite(1 - self.now);
        if !loss.is_finite() || !finite.map_err(|error| code(&error))? {
            return Err(WorkloadError::NotANumber);
        }
        self.now = 1 - self.now;
        self.steps = self.steps.wrapping_add(1);
        if let Some(publish) = &mut self.publish
            && self.steps.is_multiple_of(publish.every.max(1))
            && let Some(published) = self.memory.published(self.now)
        {
            // Without a spare buffer this set is skipped; the next one is newer.
            let _ = publish.sender.send_with(|mut values| {
                for tensor in published {
                    let Some((part, rest)) = values.split_at_mut_checked(tensor.f32().len()) else {
                        return;
                    };
                    part.copy_from_slice(tensor.f32());
                    values = rest;
                }
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
        self.piece_lengths().len() as u16
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        if piece == 0 {
            let fetched = (self.fetch)(self.memory.x.f32_mut(), self.memory.y.i64_mut());
            self.next = 0;
            if fetched {
                self.memory.send().map_err(|error| code(&error))?;
            }
            self.next = u16::from(fetched);
            return Ok(if fetched { Progress::Ran } else { Progress::Dry });
        }
        let expected = std::mem::take(&mut self.next);
        if piece != expected {
            return Err(WorkloadError::Failed(OUT_OF_ORDER));
        }
        let out_of_order = WorkloadError::Failed(OUT_OF_ORDER);
        let cut = self.cuts.get_mut(self.cut).ok_or(out_of_order)?;
        let segments = cut.count();
        let binding = cut
            .binding(usize::from(piece) - 1, self.now)
            .ok_or(out_of_order)?;
        let ran = binding.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            // Its inputs are as they were and its outputs count for nothing, so it can be run again.
            self.next = piece;
            return Err(WorkloadError::Aborted);
        }
        ran.map_err(|error| code(&error))?;
        if usize::from(piece) < segments {
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
}
