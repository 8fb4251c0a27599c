//! What was measured of a stream or a job: an upper quantile for each class of its runs, beside what it announced.
//!
//! A class is a workload, a size of minibatch or a place in the step, in the present power mode; when the mode changes all
//! begin anew. The first run after the accelerator idled for [`COLD`], or after a change of mode, finds caches and
//! clocks cold and is of a class of its own.

use super::Quantile;
use crate::limits;
use crate::units::Nanos;
use heapless::Vec;

/// After so long without work a run counts as a first one. Ours: past the 1 to 10 ms at which clock governors sample.
pub const COLD: Nanos = Nanos::from_millis(10);

/// Runs of a class before its quantile counts against the announcement: the first ones of all set things up.
const ENOUGH: usize = 4;

/// What is above the announced time counts in steps of this part of it, so that noise does not move a bound each time.
const STEPS: u64 = 8;

/// Sizes of minibatches below the full one, by powers of two: 1, 2, up to 4, and so on.
const SIZES: usize = limits::MINIBATCH.ilog2() as usize + 1;

/// How far the upper value of a class lies above `allowed`, in steps; zero while it holds or few runs are known.
fn excess(class: &Quantile, announced: Nanos, late: Nanos) -> Nanos {
    let above = class.upper() - (announced + late);
    if class.runs() < ENOUGH || above == Nanos::ZERO {
        return Nanos::ZERO;
    }
    let step = announced.0.div_ceil(STEPS).max(1);
    Nanos(above.0.div_ceil(step).saturating_mul(step))
}

/// Times of a stream's minibatches.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamTimes {
    full: Quantile,
    partial: [Quantile; SIZES],
    first: Quantile,
    /// How far the largest upper value lies above the announced cost.
    pub(super) excess: Nanos,
}

impl StreamTimes {
    pub(super) fn record(&mut self, count: usize, full: usize, first: bool, took: Nanos, cost: Nanos) {
        if first {
            self.first.record(took);
        } else if count >= full {
            self.full.record(took);
        } else if let Some(class) = self
            .partial
            .get_mut(count.max(1).next_power_of_two().ilog2() as usize)
        {
            class.record(took);
        }
        let classes = self.partial.iter().chain([&self.full, &self.first]);
        let worst = classes.map(|class| excess(class, cost, Nanos::ZERO)).max();
        self.excess = worst.unwrap_or(Nanos::ZERO);
    }

    /// The largest upper value of a full minibatch, of first runs too.
    pub(super) fn upper(&self) -> Nanos {
        self.full.upper().max(self.first.upper())
    }

    pub(super) fn recent_max(&self) -> Nanos {
        self.full.fading_max().max(self.first.fading_max())
    }
}

/// Times of a job's pieces.
#[derive(Clone, Debug)]
pub(super) struct JobTimes {
    pieces: Vec<Quantile, { limits::PIECES }>,
    /// Pieces differ in length, so of first runs the time above the announced one is kept.
    first: Quantile,
    /// How far the worst piece lies above its announced length and the allowance.
    pub(super) excess: Nanos,
    /// Which piece that is.
    worst: usize,
}

impl JobTimes {
    pub(super) fn new(pieces: usize) -> JobTimes {
        JobTimes {
            pieces: core::iter::repeat_n(Quantile::default(), pieces.min(limits::PIECES)).collect(),
            first: Quantile::default(),
            excess: Nanos::ZERO,
            worst: 0,
        }
    }

    pub(super) fn record(
        &mut self,
        piece: usize,
        first: bool,
        took: Nanos,
        announced: &[Nanos],
        late: Nanos,
    ) {
        let length = announced.get(piece).copied().unwrap_or(Nanos::ZERO);
        if first {
            self.first.record(took - length);
        } else if let Some(class) = self.pieces.get_mut(piece) {
            class.record(took);
        }
        let of_first = || match excess(&self.first, Nanos::ZERO, late) {
            Nanos::ZERO => Nanos::ZERO,
            above => Nanos(above.0.next_multiple_of(length.0.div_ceil(STEPS).max(1))),
        };
        let now = self
            .pieces
            .get(piece)
            .map_or(Nanos::ZERO, |class| excess(class, length, late))
            .max(if first { of_first() } else { Nanos::ZERO });
        if now >= self.excess {
            (self.excess, self.worst) = (now, piece);
        } else if piece == self.worst {
            // The worst got better: another may be it now.
            let each = self.pieces.iter().zip(announced).enumerate();
            let worst = each
                .map(|(index, (class, length))| (excess(class, *length, late), index))
                .max();
            (self.excess, self.worst) = worst.unwrap_or_default();
            self.excess = self.excess.max(of_first());
        }
    }

    pub(super) fn upper(&self, piece: usize) -> Nanos {
        self.pieces.get(piece).map_or(Nanos::ZERO, Quantile::upper)
    }

    pub(super) fn recent_max(&self, piece: usize) -> Nanos {
        self.pieces.get(piece).map_or(Nanos::ZERO, Quantile::fading_max)
    }
}
