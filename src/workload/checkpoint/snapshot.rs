//! A [`Snapshot`] is the dispatcher's end of a checkpoint: it copies a state, part by part, into memory that
//! is made once.

use super::content::{Shape, State};
use super::disk::LARGEST;
use super::form::padded;
use super::{CheckpointError, Statistics};
use crate::workload::WorkloadError;
use std::sync::Arc;

/// A state between two steps.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) counts: Box<[u64]>,
    /// The tensors' values one after the other, padded as in the file.
    pub(super) values: Box<[u8]>,
}

impl Image {
    /// Room for a state of these tensors and so many counters.
    pub(super) fn new(shapes: &[Shape], counters: usize) -> Result<Image, CheckpointError> {
        let places = places(shapes)?;
        let values = places.last().map_or(0, |last| padded(last.start + last.bytes));
        Ok(Image {
            counts: vec![0; counters].into_boxed_slice(),
            values: vec![0; values].into_boxed_slice(),
        })
    }
}

/// Where a tensor lies in an image.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    bytes: usize,
}

fn places(shapes: &[Shape]) -> Result<Box<[Place]>, CheckpointError> {
    let mut end = 0_usize;
    let place = |shape: &Shape| {
        let bytes = shape.bytes().and_then(|bytes| usize::try_from(bytes).ok());
        // What no file may hold is not allocated first; half of the address space is what an allocation may have.
        let most = usize::try_from(LARGEST)
            .unwrap_or(usize::MAX)
            .min(isize::MAX as usize - 8);
        let bytes = bytes.filter(|bytes| *bytes < most.saturating_sub(end));
        let place = Place {
            start: end,
            bytes: bytes.ok_or(CheckpointError::TooLarge)?,
        };
        end = padded(end + place.bytes);
        Ok(place)
    };
    shapes.iter().map(place).collect()
}

/// Copies a state in parts. Used on the dispatcher thread.
#[derive(Debug)]
pub struct Snapshot {
    places: Box<[Place]>,
    /// First byte and end of each part; at least one.
    parts: Box<[(usize, usize)]>,
    full: rtrb::Producer<Image>,
    spare: rtrb::Consumer<Image>,
    filling: Option<Image>,
    statistics: Arc<Statistics>,
}

impl Snapshot {
    /// The end that takes images from `spare` and hands them over in `full`; parts have `part` bytes, a
    /// multiple of 8, or are a tensor each where there is no `part`.
    pub(super) fn new(
        shapes: &[Shape],
        part: Option<usize>,
        (full, spare): (rtrb::Producer<Image>, rtrb::Consumer<Image>),
        statistics: Arc<Statistics>,
    ) -> Result<Snapshot, CheckpointError> {
        let places = places(shapes)?;
        let values = places.last().map_or(0, |last| padded(last.start + last.bytes));
        let mut parts: Vec<_> = match part {
            Some(part) => (0..values)
                .step_by(part)
                .map(|start| (start, start.saturating_add(part).min(values)))
                .collect(),
            None => places.iter().map(|it| (it.start, it.start + it.bytes)).collect(),
        };
        if parts.is_empty() {
            parts.push((0, 0));
        }
        Ok(Snapshot {
            places,
            parts: parts.into_boxed_slice(),
            full,
            spare,
            filling: None,
            statistics,
        })
    }

    /// Parts of a state, at least 1.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Bytes of the image.
    pub(super) fn bytes(&self) -> u64 {
        let last = self.places.last();
        last.map_or(0, |last| padded(last.start + last.bytes)) as u64
    }

    /// What becomes of the checkpoints.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// Begins a snapshot of `state`: its counters are taken at once. False, and counted, while the writer has
    /// the image.
    pub fn begin(&mut self, state: &impl State) -> bool {
        let Some(mut image) = self.filling.take().or_else(|| self.spare.pop().ok()) else {
            self.statistics.waited.add(1);
            return false;
        };
        for (counter, count) in image.counts.iter_mut().enumerate() {
            *count = state.count(counter);
        }
        self.filling = Some(image);
        true
    }

    /// Copies part `part` of `state`, which must not have changed since [`begin`](Snapshot::begin).
    pub fn copy_part(&mut self, state: &impl State, part: usize) -> Result<(), WorkloadError> {
        let (Some(image), Some((start, end))) = (&mut self.filling, self.parts.get(part).copied()) else {
            return Ok(());
        };
        let first = self
            .places
            .partition_point(|place| place.start + place.bytes <= start);
        for (tensor, place) in self.places.iter().enumerate().skip(first) {
            if place.start >= end {
                break;
            }
            let from = start.max(place.start);
            let to = end.min(place.start + place.bytes);
            if let Some(into) = image.values.get_mut(from..to) {
                state.copy(tensor, from - place.start, into)?;
            }
        }
        Ok(())
    }

    /// Gives the snapshot up, and counts that; the image stays for the next one.
    pub fn give_up(&mut self) {
        self.statistics.given_up.add(1);
    }

    /// Hands the image over to the writer; every part has been copied.
    pub fn send(&mut self) {
        if let Some(image) = self.filling.take() {
            self.statistics.taken.add(1);
            // There is one image and room for it.
            let _ = self.full.push(image);
        }
    }

    /// All of it at once, for a program that has no schedule: false while the writer has the image, and where
    /// the state could not be copied.
    pub fn take(&mut self, state: &impl State) -> bool {
        if !self.begin(state) {
            return false;
        }
        let copied = (0..self.parts()).try_for_each(|part| self.copy_part(state, part));
        match copied {
            Ok(()) => self.send(),
            Err(_) => self.give_up(),
        }
        copied.is_ok()
    }
}
