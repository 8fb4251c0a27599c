//! The [`Minibatch`] of a training step: where it lies, and how it is fetched, whole or in parts.

use super::OnnxError;
use super::fetch::Minibatches;
use super::tensor::Tensor;
use crate::units::Nanos;
use std::sync::Arc;

/// The shortest length a fetch is announced with: a sensor's new samples are taken in as well.
pub(super) const LEAST_FETCH: Nanos = Nanos::from_micros(100);

/// A minibatch and its source.
pub(super) struct Minibatch {
    pub(super) x: Arc<Tensor>,
    pub(super) y: Arc<Tensor>,
    source: Minibatches,
    /// Samples of a part.
    rows: usize,
}

impl Minibatch {
    /// Fetched in one part.
    pub(super) fn new(x: Arc<Tensor>, y: Arc<Tensor>, source: Minibatches) -> Minibatch {
        let mut minibatch = Minibatch {
            x,
            y,
            source,
            rows: 1,
        };
        minibatch.rows = minibatch.samples();
        minibatch
    }

    /// Samples in it.
    pub(super) fn samples(&self) -> usize {
        let size = self.y.dims.first().copied().unwrap_or(0);
        usize::try_from(size).unwrap_or(0)
    }

    /// Has it fetched in parts of `rows` samples.
    pub(super) fn cut(&mut self, rows: usize) {
        self.rows = rows.clamp(1, self.samples().max(1));
    }

    /// Parts of it, at least 1.
    pub(super) fn parts(&self) -> usize {
        self.samples().div_ceil(self.rows.max(1)).max(1)
    }

    /// The places of part `part` among values of which each sample has an equal number.
    fn place(&self, part: usize, values: usize) -> std::ops::Range<usize> {
        let each = values / self.samples().max(1);
        let start = (part * self.rows * each).min(values);
        start..(start + self.rows * each).min(values)
    }

    /// Fetches part `part`; false while there is no data.
    pub(super) fn fetch(&mut self, part: usize) -> bool {
        let (at, labels_at) = (
            self.place(part, self.x.values()),
            self.place(part, self.y.values()),
        );
        self.source.fetch(&self.x, at, &self.y, labels_at)
    }

    /// The fetch is the caller's; what is known is that it copies samples. Four such copies, at least
    /// [`LEAST_FETCH`], are announced for each part. `send` follows the last one.
    pub(super) fn measure(
        &self,
        now: impl Fn() -> Nanos,
        mut send: impl FnMut() -> Result<(), OnnxError>,
    ) -> Result<Vec<Nanos>, OnnxError> {
        let length = |part| {
            let x = self.x.f32_mut();
            let at = self.place(part, x.len());
            let start = now();
            for _ in 0..4 {
                if let Some(values) = std::hint::black_box(&mut *x).get_mut(at.clone()) {
                    values.fill(0.0);
                }
                if part + 1 == self.parts() {
                    send()?;
                }
            }
            Ok(LEAST_FETCH.max(now() - start))
        };
        (0..self.parts()).map(length).collect()
    }
}
