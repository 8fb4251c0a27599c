//! A [`Quantile`] is the p99 of the last runs of one class of work, and a maximum that fades, in fixed memory.
//!
//! Runs are taken in windows of [`limits::QUANTILE_RUNS`]. Of the present window and of the one before it only the largest
//! few are kept: p99 of at most 256 runs is never below the third largest. So what is told is not an estimate: it is the exact
//! order statistic (nearest rank) of the last 129 to 256 runs, and the only error left is that of so few runs. A
//! quantile that creeps in steps (stochastic approximation) or five markers (P-square) need no more memory than this,
//! but err by an amount that depends on the distribution, most of all where it has two humps, as times of an accelerator
//! have. Up to 99 runs the answer is the maximum; later a single outlier does not move it, and three slow runs do.

use crate::limits;
use crate::units::Nanos;

/// The largest times kept of a window. Two windows hold 256 runs at most, of which two are above p99.
const KEPT: usize = 3;

/// Runs of which one may lie above.
const ONE_IN: usize = 100;

const _: () = assert!(
    2 * limits::QUANTILE_RUNS / ONE_IN < KEPT,
    "p99 is among what is kept"
);

/// The maximum loses one part in 2^10 with each run: half of it in 710 runs.
const FADE_BITS: u32 = 10;

/// Upper quantile and fading maximum of a class of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantile {
    /// The largest of the window before, the largest first.
    before: [Nanos; KEPT],
    /// The largest of the present window.
    present: [Nanos; KEPT],
    /// Runs in the present window.
    runs: u16,
    /// Whether there was a window before.
    second: bool,
    max: Nanos,
}

impl Quantile {
    /// Takes the time of one run in.
    pub fn record(&mut self, time: Nanos) {
        if usize::from(self.runs) >= limits::QUANTILE_RUNS {
            self.before = self.present;
            self.present = Default::default();
            self.runs = 0;
            self.second = true;
        }
        let mut sinking = time;
        for place in &mut self.present {
            if sinking > *place {
                core::mem::swap(place, &mut sinking);
            }
        }
        self.runs += 1;
        self.max = time.max(self.max - Nanos(self.max.0 >> FADE_BITS));
    }

    /// Runs that [`Quantile::upper`] speaks of, 0 to 256.
    pub fn runs(&self) -> usize {
        let before = if self.second { limits::QUANTILE_RUNS } else { 0 };
        before + usize::from(self.runs)
    }

    /// The least time that 99 of 100 of those runs did not exceed; zero before the first.
    pub fn upper(&self) -> Nanos {
        let (mut before, mut present) = (self.before.iter().peekable(), self.present.iter().peekable());
        let mut upper = Nanos::ZERO;
        for _ in 0..=self.runs() / ONE_IN {
            let larger = if before.peek() > present.peek() {
                before.next()
            } else {
                present.next()
            };
            upper = larger.copied().unwrap_or(Nanos::ZERO);
        }
        upper
    }

    /// The maximum, which fades: at least every time of the last runs less 0.1 % for each run since.
    pub fn fading_max(&self) -> Nanos {
        self.max
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;
    use crate::schedule::simulator::Random;
    use proptest::prelude::*;

    /// Times of one of several shapes: even, a long tail, two humps, rising, falling, one value, rare outliers.
    fn times(shape: u64, count: usize, seed: u64) -> Vec<u64> {
        let mut random = Random::new(seed);
        let one = |index: usize| match shape {
            0 => random.below(1_000_000),
            1 => random.exponential(Nanos(1_000_000)).0,
            2 => [2_000_000, 9_000_000][random.below(2) as usize] + random.below(10_000),
            3 => index as u64 * 1_000,
            4 => (count - index) as u64 * 1_000,
            5 => 7_777,
            _ => 1_000 + random.below(50) + if random.below(90) == 0 { 1_000_000 } else { 0 },
        };
        (0..count).map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        #[cfg_attr(miri, ignore = "sorts hundreds of runs at each of them; the others reach every line")]
        fn the_upper_quantile_is_the_sorted_truth_of_its_runs(shape in 0_u64..7, count in 1_usize..700, seed: u64) {
            let times = times(shape, count, seed);
            let mut quantile = Quantile::default();
            for (index, time) in times.iter().enumerate() {
                quantile.record(Nanos(*time));
                let runs = quantile.runs();
                prop_assert!(runs > limits::QUANTILE_RUNS.min(index) && runs <= 2 * limits::QUANTILE_RUNS);
                let mut last = times[index + 1 - runs..=index].to_vec();
                last.sort_unstable();
                let truth = last[(99 * runs).div_ceil(100) - 1];
                prop_assert_eq!(quantile.upper(), Nanos(truth));
                prop_assert!(quantile.fading_max() >= Nanos(*time));
            }
        }

        #[test]
        fn against_the_distribution_the_rank_errs_as_so_few_runs_do(seed: u64) {
            // 256 runs of an even distribution: p99 lies between its p92 and its end, but for a chance below 10^-6.
            let mut quantile = Quantile::default();
            for time in times(0, 2 * limits::QUANTILE_RUNS, seed) {
                quantile.record(Nanos(time));
            }
            prop_assert!(quantile.upper() >= Nanos(920_000), "{}", quantile.upper());
        }
    }

    #[test]
    fn one_outlier_moves_the_maximum_and_not_the_quantile_and_the_maximum_fades() {
        let mut quantile = Quantile::default();
        assert_eq!(
            (quantile.upper(), quantile.fading_max()),
            (Nanos::ZERO, Nanos::ZERO)
        );
        for _ in 0..limits::QUANTILE_RUNS {
            quantile.record(Nanos(1_000));
        }
        quantile.record(Nanos(1_000_000));
        assert_eq!(
            (quantile.upper(), quantile.fading_max()),
            (Nanos(1_000), Nanos(1_000_000))
        );
        for _ in 0..710 {
            quantile.record(Nanos(1_000));
        }
        let faded = quantile.fading_max();
        assert!(faded > Nanos(480_000) && faded < Nanos(520_000), "{faded}");
    }
}
