//! A trainer's weights on their way into service: copied into a spare set of the forward model, and judged
//! there on samples that are held out from training.

use super::OnnxError;
use super::binding::Binding;
use super::engine::Ready;
use super::filling::Filling;
use super::inference::{code, with_minibatch};
use super::library::Library;
use super::run_options::RunOptions;
use super::step::no_tensor;
use super::tensor::{Element, Tensor};
use super::transfer::Transfer;
use super::weight_sets::WeightSets;
use crate::limits;
use crate::units::Nanos;
use crate::workload::WorkloadError;
use crate::workload::feed::HeldOut;
use crate::workload::gate::Score;
use crate::workload::swap::{Mark, Set};
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a set of another swap, or one that is not spare where it is to be
/// filled.
const FOREIGN: i32 = -4;

/// The shortest length a piece is announced with: new held-out samples are taken in as well.
const LEAST: Nanos = Nanos::from_micros(100);

/// Runs by which a piece is measured; the second longest counts, so that one interruption does not.
const MEASURED: usize = 12;

/// Where a trainer's weights go.
pub struct Publish {
    /// The sets that serve, from [`super::OnnxInference::take_weight_sets`].
    pub sets: WeightSets,
    /// Samples that the trainer does not see.
    pub held_out: HeldOut,
    /// Held-out samples judged in one piece, 1 to [`limits::MINIBATCH`]; all of them in as many pieces as
    /// that takes.
    pub minibatch: usize,
}

/// The forward model over each set, prepared for one minibatch of held-out samples.
pub(super) struct Candidate {
    mark: Mark,
    /// Of the forward model.
    engine: Arc<Ready>,
    filling: Filling,
    /// By set.
    runs: Vec<Binding>,
    options: Arc<RunOptions>,
    /// Of the host.
    x: Arc<Tensor>,
    /// The minibatch to the device; none without one.
    send: Option<Transfer>,
    logits: Arc<Tensor>,
    labels: Box<[i64]>,
    classes: usize,
    held_out: HeldOut,
    pub(super) fills: u16,
    pub(super) evals: u16,
    fill_length: Nanos,
    eval_length: Nanos,
}

impl Candidate {
    /// Prepares everything and runs it several times over the weights the forward model was made with.
    /// `copies` tells both copies of a tensor of `trainer`, on `engine`. `options` end a run early.
    pub(super) fn new(
        library: &Library,
        trainer: &str,
        publish: Publish,
        options: &Arc<RunOptions>,
        engine: &Ready,
        copies: impl Fn(&str) -> Option<[Arc<Tensor>; 2]>,
    ) -> Result<Candidate, OnnxError> {
        let Publish {
            sets,
            held_out,
            minibatch,
        } = publish;
        let evals = held_out.capacity().checked_div(minibatch).unwrap_or(0);
        if minibatch > limits::MINIBATCH || evals == 0 {
            return Err(OnnxError::Minibatch(minibatch));
        }
        if held_out.row() != sets.row {
            return Err(OnnxError::HeldOut {
                model: sets.session.name.clone(),
                expected: sets.row,
                found: held_out.row(),
            });
        }
        let mut weights = Vec::new();
        for (name, tensor) in sets.names.iter().zip(sets.tensors.first().into_iter().flatten()) {
            let copies = copies(name)
                .ok_or_else(|| no_tensor(trainer, name, "state, a weight of the forward model,"))?;
            let [state, _] = &copies;
            if state.dims != tensor.dims {
                return Err(OnnxError::WrongTensor {
                    model: trainer.to_string(),
                    name: name.clone(),
                    expected: format!("float32 {:?}, as in {}", tensor.dims, sets.session.name),
                    found: format!("float32 {:?}", state.dims),
                });
            }
            weights.push(copies);
        }
        let arena = sets.engine.arena.as_ref();
        let tensor =
            |dims: &[i64]| Tensor::new(library, arena, Element::F32, &with_minibatch(dims, minibatch));
        let (x, logits) = (tensor(&sets.x_dims)?, tensor(&sets.logits_dims)?);
        let (mut run_x, mut send) = (Arc::clone(&x), None);
        if let Some(device) = &sets.device {
            run_x = Tensor::on(device, x.element, &x.dims)?;
            let pairs = vec![(Arc::clone(&x), Arc::clone(&run_x))];
            send = Some(Transfer::alone(library, &sets.engine, pairs)?);
        }
        let run = |set: &Vec<Arc<Tensor>>| -> Result<Binding, OnnxError> {
            let mut binding = sets.bind(set, &run_x, &logits)?;
            binding.set_options(Arc::clone(options));
            Ok(binding)
        };
        let runs = sets.tensors.iter().map(run).collect::<Result<Vec<_>, _>>()?;
        let filling = Filling::new(library, [engine, &sets.engine], weights, sets.tensors)?;
        let mut made = Candidate {
            mark: sets.mark,
            engine: sets.engine,
            // Far below what fits, as is the number of minibatches of a ring of samples in memory.
            fills: filling.parts() as u16,
            filling,
            runs,
            options: Arc::clone(options),
            x,
            send,
            logits,
            labels: vec![0; minibatch].into_boxed_slice(),
            classes: sets.classes,
            held_out,
            evals: evals.min(limits::PIECES) as u16,
            fill_length: LEAST,
            eval_length: LEAST,
        };
        made.measure()?;
        Ok(made)
    }

    /// Pieces of a step that it takes: a copy, and two sets to judge.
    pub(super) fn pieces(&self) -> usize {
        usize::from(self.fills) + 2 * usize::from(self.evals)
    }

    /// The upper lengths of a piece that copies weights and of one that judges a minibatch.
    pub(super) fn lengths(&self) -> (Nanos, Nanos) {
        (self.fill_length, self.eval_length)
    }

    /// Notes the upper length of a piece of either kind.
    fn measure(&mut self) -> Result<(), OnnxError> {
        self.fill_length = LEAST.max(self.filling.measure(|| self.engine.now())?);
        let mut times = Vec::new();
        for run in 0..=MEASURED {
            for binding in &mut self.runs {
                let start = self.engine.now();
                if let Some(send) = &mut self.send {
                    send.run()?;
                }
                binding.run()?;
                // The first run makes ONNX Runtime's own buffers.
                if run > 0 {
                    times.push(self.engine.now() - start);
                }
            }
        }
        times.sort_unstable();
        self.eval_length = LEAST.max(times.iter().rev().nth(1).copied().unwrap_or(LEAST));
        Ok(())
    }

    /// Copies part `piece` of the weights into the spare `set`, from the trainer's copy `now` of its state.
    /// The first part takes new held-out samples in, so that all sets judged after it are judged on the same.
    pub(super) fn fill(&mut self, piece: u16, set: &Set<'_>, now: usize) -> Result<(), WorkloadError> {
        if !set.is_of(&self.mark) || !set.is_spare() {
            return Err(WorkloadError::Failed(FOREIGN));
        }
        if piece == 0 {
            self.held_out.refill();
        }
        // The swap says that the set is spare, so nobody reads it.
        self.filling.fill(usize::from(piece), set.index(), now)
    }

    /// What `set` is worth on held-out minibatch `piece`.
    pub(super) fn eval(&mut self, piece: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        let run = self.runs.get_mut(set.index());
        let (Some(run), true) = (run, set.is_of(&self.mark)) else {
            return Err(WorkloadError::Failed(FOREIGN));
        };
        if !self
            .held_out
            .minibatch(usize::from(piece), self.x.f32_mut(), &mut self.labels)
        {
            return Ok(Score::default());
        }
        if let Some(send) = &mut self.send {
            send.run().map_err(|error| code(&error))?;
        }
        let ran = run.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            return Err(WorkloadError::Aborted);
        }
        ran.map_err(|error| code(&error))?;
        let mut score = Score::default();
        for (logits, label) in self.logits.f32().chunks_exact(self.classes).zip(&self.labels) {
            judge(&mut score, logits, *label);
        }
        Ok(score)
    }
}

/// Adds a sample's cross entropy (log-sum-exp less the label's logit) and whether its largest logit is the
/// label's. A label that is no class is a wrong answer of no likelihood.
fn judge(score: &mut Score, logits: &[f32], label: i64) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(*logit - largest).exp()).sum();
    let known = usize::try_from(label)
        .ok()
        .and_then(|label| logits.get(label))
        .copied();
    let of_label = known.unwrap_or(f32::NEG_INFINITY);
    score.loss += sum.ln() + f64::from(largest) - f64::from(of_label);
    score.right += u32::from(known == Some(largest));
    score.samples += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_judged_by_cross_entropy_and_by_its_largest_logit() {
        let mut score = Score::default();
        judge(&mut score, &[0.0, 0.0], 0);
        assert!((score.loss - 2.0_f64.ln()).abs() < 1e-12, "{score:?}");
        judge(&mut score, &[-1_000.0, 1_000.0], 0);
        assert!((score.loss - 2.0_f64.ln() - 2_000.0).abs() < 1e-9, "{score:?}");
        assert_eq!((score.right, score.samples), (1, 2));
        judge(&mut score, &[0.0, 1.0], 7);
        assert!(score.loss.is_infinite());
        let mut broken = Score::default();
        judge(&mut broken, &[f32::NAN, 1.0], 1);
        assert!(broken.loss.is_nan());
    }
}
