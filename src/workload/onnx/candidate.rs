//! A trainer's weights on their way into service: copied into a spare set of the forward model, and judged
//! there on samples that are held out from training.

use super::OnnxError;
use super::binding::Binding;
use super::inference::{ENGINE, WeightSets, with_minibatch};
use super::library::Library;
use super::run_options::RunOptions;
use super::step::no_tensor;
use super::tensor::{Element, Tensor};
use crate::clock::thread_time;
use crate::limits;
use crate::units::Nanos;
use crate::workload::WorkloadError;
use crate::workload::feed::HeldOut;
use crate::workload::gate::Score;
use crate::workload::swap::{Mark, Set};
use std::ops::Range;
use std::sync::Arc;

/// Code of [`WorkloadError::Failed`] for a set of another swap, or one that is not spare where it is to be
/// filled.
const FOREIGN: i32 = -4;

/// Values copied in one piece: 1 MiB, some hundred microseconds on the slowest board.
const PART: usize = 1 << 18;

/// Pieces that copy one set, at most; above 32 MiB of weights they grow instead.
const FILLS: usize = 32;

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
    /// `[set][weight]`.
    sets: Vec<Vec<Arc<Tensor>>>,
    /// Of each weight, where the trainer's state has it.
    places: Vec<usize>,
    /// By set.
    runs: Vec<Binding>,
    options: Arc<RunOptions>,
    x: Arc<Tensor>,
    logits: Arc<Tensor>,
    labels: Box<[i64]>,
    classes: usize,
    held_out: HeldOut,
    /// Values copied in one piece.
    part: usize,
    pub(super) fills: u16,
    pub(super) evals: u16,
    pub(super) fill_length: Nanos,
    pub(super) eval_length: Nanos,
}

impl Candidate {
    /// Prepares everything and runs it several times over the weights the forward model was made with.
    /// `state` finds where the trainer has a weight of this name, and its sizes. `options` end a run early.
    pub(super) fn new(
        library: &Library,
        trainer: &str,
        publish: Publish,
        options: &Arc<RunOptions>,
        state: impl Fn(&str) -> Option<(usize, Vec<i64>)>,
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
        let mut places = Vec::new();
        for (name, tensor) in sets.names.iter().zip(sets.tensors.first().into_iter().flatten()) {
            let (place, dims) = state(name)
                .ok_or_else(|| no_tensor(trainer, name, "state, a weight of the forward model,"))?;
            if dims != tensor.dims {
                return Err(OnnxError::WrongTensor {
                    model: trainer.to_string(),
                    name: name.clone(),
                    expected: format!("float32 {:?}, as in {}", tensor.dims, sets.session.name),
                    found: format!("float32 {dims:?}"),
                });
            }
            places.push(place);
        }
        let x = Tensor::new(library, Element::F32, &with_minibatch(&sets.x_dims, minibatch))?;
        let logits = Tensor::new(
            library,
            Element::F32,
            &with_minibatch(&sets.logits_dims, minibatch),
        )?;
        let run = |set: &Vec<Arc<Tensor>>| -> Result<Binding, OnnxError> {
            let mut binding = sets.bind(set, &x, &logits)?;
            binding.set_options(Arc::clone(options));
            Ok(binding)
        };
        let runs = sets.tensors.iter().map(run).collect::<Result<Vec<_>, _>>()?;
        let values: usize = sets
            .tensors
            .first()
            .map_or(0, |set| set.iter().map(|tensor| tensor.f32().len()).sum());
        let part = PART.max(values.div_ceil(FILLS)).min(values.max(1));
        let mut made = Candidate {
            mark: sets.mark,
            sets: sets.tensors,
            places,
            runs,
            options: Arc::clone(options),
            x,
            logits,
            labels: vec![0; minibatch].into_boxed_slice(),
            classes: sets.classes,
            held_out,
            part,
            // Both far below what fits: FILLS, and a ring of samples in memory.
            fills: values.div_ceil(part).max(1) as u16,
            evals: evals.min(limits::PIECES) as u16,
            fill_length: LEAST,
            eval_length: LEAST,
        };
        made.measure()?;
        Ok(made)
    }

    /// Notes the upper length of a piece of either kind. Processor time counts: a piece runs on the calling
    /// thread alone.
    fn measure(&mut self) -> Result<(), OnnxError> {
        let (from, mut into) = (vec![1.0_f32; self.part], vec![0.0_f32; self.part]);
        let start = thread_time();
        for _ in 0..4 {
            std::hint::black_box(&mut into).copy_from_slice(&from);
        }
        self.fill_length = LEAST.max(thread_time() - start);
        let mut times = Vec::new();
        for run in 0..=MEASURED {
            for binding in &mut self.runs {
                let start = thread_time();
                binding.run()?;
                // The first run makes ONNX Runtime's own buffers.
                if run > 0 {
                    times.push(thread_time() - start);
                }
            }
        }
        times.sort_unstable();
        self.eval_length = LEAST.max(times.iter().rev().nth(1).copied().unwrap_or(LEAST));
        Ok(())
    }

    /// Copies part `piece` of the weights into the spare `set`; `present` gives the values at a place of the
    /// trainer's state. The first part takes new held-out samples in, so that all sets judged after it are
    /// judged on the same.
    pub(super) fn fill<'a>(
        &mut self,
        piece: u16,
        set: &Set<'_>,
        present: impl Fn(usize) -> Option<&'a [f32]>,
    ) -> Result<(), WorkloadError> {
        let tensors = self.sets.get(set.index());
        let (Some(tensors), true, true) = (tensors, set.is_of(&self.mark), set.is_spare()) else {
            return Err(WorkloadError::Failed(FOREIGN));
        };
        if piece == 0 {
            self.held_out.refill();
        }
        let wanted = usize::from(piece) * self.part..(usize::from(piece) + 1) * self.part;
        let mut start = 0;
        for (place, into) in self.places.iter().zip(tensors) {
            let from = present(*place).unwrap_or_default();
            let all = start..start + from.len();
            let Range { start: first, end } = within(&all, &wanted);
            // The swap says that the set is spare, so nobody reads it.
            let places = into.f32_mut().get_mut(first..end);
            if let (Some(into), Some(from)) = (places, from.get(first..end)) {
                into.copy_from_slice(from);
            }
            start = all.end;
        }
        Ok(())
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
        let ran = run.run();
        // A flag that came too late for this piece must not end the next one.
        let aborted = self.options.reset();
        if ran.is_err() && aborted {
            return Err(WorkloadError::Aborted);
        }
        ran.map_err(|_| WorkloadError::Failed(ENGINE))?;
        let mut score = Score::default();
        for (logits, label) in self.logits.f32().chunks_exact(self.classes).zip(&self.labels) {
            judge(&mut score, logits, *label);
        }
        Ok(score)
    }
}

/// The part of `wanted` that lies within `all`, counted from the start of `all`.
fn within(all: &Range<usize>, wanted: &Range<usize>) -> Range<usize> {
    let (start, end) = (wanted.start.max(all.start), wanted.end.min(all.end));
    if start < end {
        start - all.start..end - all.start
    } else {
        0..0
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
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_parts_of_a_copy_cover_each_value_once(
            lengths in prop::collection::vec(0_usize..50, 0..20), part in 1_usize..60,
        ) {
            let total: usize = lengths.iter().sum();
            let mut covered = vec![0; total];
            for piece in 0..total.div_ceil(part) {
                let mut start = 0;
                for length in &lengths {
                    let inside = within(&(start..start + length), &(piece * part..(piece + 1) * part));
                    covered[start..][inside].iter_mut().for_each(|count| *count += 1);
                    start += length;
                }
            }
            prop_assert!(covered.iter().all(|count| *count == 1));
        }
    }
}
