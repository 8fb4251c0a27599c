//! [`Filling`]: the copy of a trainer's weights into a spare set of the forward model, in parts.
//!
//! Where both lie in the host's memory, a part is a range of values. If either lies on a device the engine
//! copies, whole tensors at a time: from state to set directly, so that on one device nothing comes to the
//! host.

use super::OnnxError;
use super::engine::Ready;
use super::inference::code;
use super::library::Library;
use super::tensor::Tensor;
use super::transfer::{self, Transfer};
use crate::clock::thread_time;
use crate::units::Nanos;
use crate::workload::WorkloadError;
use std::ops::Range;
use std::sync::Arc;

/// Values copied in one piece: 1 MiB, some hundred microseconds on the slowest board.
const PART: usize = 1 << 18;

/// Pieces that copy one set, at most; above 32 MiB of weights they grow instead. Of whole tensors there may
/// be twice as many.
const FILLS: usize = 32;

/// Copies of each part when it is measured over a device; the second longest counts, so that one
/// interruption does not.
const MEASURED: usize = 6;

/// The weights in both copies of a trainer's state.
pub(super) type Weights = Vec<[Arc<Tensor>; 2]>;

enum Way {
    /// Values of a part.
    Host(usize),
    /// `[part][set][copy]`.
    Device(Vec<Vec<[Transfer; 2]>>),
}

/// How the weights get from the state to a set.
pub(super) struct Filling {
    /// As the forward model orders them.
    weights: Weights,
    /// `[set][weight]`.
    sets: Vec<Vec<Arc<Tensor>>>,
    way: Way,
}

impl Filling {
    /// From `weights`, the state of a trainer on `engines[0]`, to `sets` of a forward model on `engines[1]`.
    pub(super) fn new(
        library: &Library,
        engines: [&Ready; 2],
        weights: Weights,
        sets: Vec<Vec<Arc<Tensor>>>,
    ) -> Result<Filling, OnnxError> {
        let values: Vec<usize> = weights.iter().map(|[it, _]| it.bytes() / 4).collect();
        let all: usize = values.iter().sum();
        let part = PART.max(all.div_ceil(FILLS)).min(all.max(1));
        let way = if engines.iter().all(|engine| engine.device().is_none()) {
            Way::Host(part)
        } else {
            let parts = groups(&values, part);
            Way::Device(transfers(library, engines, &weights, &sets, &parts)?)
        };
        Ok(Filling { weights, sets, way })
    }

    /// Parts of a copy, at least 1.
    pub(super) fn parts(&self) -> usize {
        match &self.way {
            Way::Host(part) => {
                let values: usize = self.weights.iter().map(|[it, _]| it.bytes() / 4).sum();
                values.div_ceil(*part).max(1)
            }
            Way::Device(parts) => parts.len().max(1),
        }
    }

    /// The upper length of a part. On a device it is found by filling the last set, which serves only after
    /// it was filled anew.
    pub(super) fn measure(&mut self, now: impl Fn() -> Nanos) -> Result<Nanos, OnnxError> {
        match &mut self.way {
            Way::Host(part) => {
                let (from, mut into) = (vec![1.0_f32; *part], vec![0.0_f32; *part]);
                let start = thread_time();
                for _ in 0..4 {
                    std::hint::black_box(&mut into).copy_from_slice(&from);
                }
                Ok(thread_time() - start)
            }
            Way::Device(parts) => {
                let mut longest = Nanos::ZERO;
                for transfer in parts.iter_mut().filter_map(|sets| sets.last_mut()?.first_mut()) {
                    let mut times = [Nanos::ZERO; MEASURED];
                    // The first run makes ONNX Runtime's own buffers.
                    transfer.run()?;
                    for time in &mut times {
                        let start = now();
                        transfer.run()?;
                        *time = now() - start;
                    }
                    times.sort_unstable();
                    longest = longest.max(times.iter().rev().nth(1).copied().unwrap_or_default());
                }
                Ok(longest)
            }
        }
    }

    /// Copies part `part` of the state's copy `copy` into set `set`, which nobody reads.
    pub(super) fn fill(&mut self, part: usize, set: usize, copy: usize) -> Result<(), WorkloadError> {
        match &mut self.way {
            Way::Host(values) => {
                let wanted = part * *values..(part + 1) * *values;
                let mut start = 0;
                for (weight, into) in self.weights.iter().zip(self.sets.get(set).into_iter().flatten()) {
                    let from = weight.get(copy).map_or(&[][..], |it| it.f32());
                    let all = start..start + from.len();
                    let Range { start: first, end } = within(&all, &wanted);
                    let places = into.f32_mut().get_mut(first..end);
                    if let (Some(into), Some(from)) = (places, from.get(first..end)) {
                        into.copy_from_slice(from);
                    }
                    start = all.end;
                }
                Ok(())
            }
            Way::Device(parts) => {
                let sets = parts.get_mut(part).and_then(|sets| sets.get_mut(set));
                let transfer = sets.and_then(|copies| copies.get_mut(copy));
                // Parts are asked for by their number, so only a set without weights has none.
                transfer.map_or(Ok(()), |it| it.run().map_err(|error| code(&error)))
            }
        }
    }
}

/// The copies of each part from either copy of the state to each set. None is run: the first set serves.
fn transfers(
    library: &Library,
    engines: [&Ready; 2],
    weights: &Weights,
    sets: &[Vec<Arc<Tensor>>],
    parts: &[Range<usize>],
) -> Result<Vec<Vec<[Transfer; 2]>>, OnnxError> {
    let [trainer, inference] = engines;
    let (from, to) = (trainer.device_id(), inference.device_id());
    if !trainer.active.is_empty() && !inference.active.is_empty() && from != to {
        return Err(OnnxError::Devices {
            trainer: from,
            inference: to,
        });
    }
    // The provider of a device copies from and to the host as well.
    let engine = if inference.active.is_empty() {
        trainer
    } else {
        inference
    };
    let part = |part: &Range<usize>| -> Result<Vec<[Transfer; 2]>, OnnxError> {
        let weights = weights.get(part.clone()).unwrap_or_default();
        let elements: Vec<_> = weights.iter().map(|[it, _]| it.element).collect();
        let session = transfer::session(library, engine, &elements)?;
        let set = |set: &Vec<Arc<Tensor>>| -> Result<[Transfer; 2], OnnxError> {
            let into = set.get(part.clone()).unwrap_or_default();
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for ([from, other], into) in weights.iter().zip(into) {
                first.push((Arc::clone(from), Arc::clone(into)));
                second.push((Arc::clone(other), Arc::clone(into)));
            }
            Ok([Transfer::new(&session, first)?, Transfer::new(&session, second)?])
        };
        sets.iter().map(set).collect()
    };
    parts.iter().map(part).collect()
}

/// Runs of tensors, given the values of each: as many as have together at most `part` values, at least one.
fn groups(values: &[usize], part: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut room = 0;
    for (index, count) in values.iter().enumerate() {
        match groups.last_mut().filter(|_| *count <= room) {
            Some(group) => group.end = index + 1,
            None => {
                groups.push(index..index + 1);
                room = part;
            }
        }
        room = room.saturating_sub(*count);
    }
    groups
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

        #[test]
        fn groups_of_tensors_cover_each_once_and_hold_no_more_than_a_part_but_for_a_single_larger_one(
            lengths in prop::collection::vec(0_usize..50, 0..20), part in 1_usize..60,
        ) {
            let groups = groups(&lengths, part);
            let covered: Vec<usize> = groups.iter().cloned().flatten().collect();
            prop_assert_eq!(covered, (0..lengths.len()).collect::<Vec<_>>());
            for group in &groups {
                let values: usize = lengths[group.clone()].iter().sum();
                let not_empty = lengths[group.clone()].iter().filter(|count| **count > 0);
                prop_assert!(values <= part || not_empty.count() == 1);
            }
            let total: usize = lengths.iter().sum();
            prop_assert!(groups.len() <= 2 * (total / part) + 1);
        }
    }
}
