//! A [`Histogram`] of times in fixed memory, written by one thread and read by any, without lock.

use crate::units::Nanos;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Buckets within one doubling. 128 make a bucket 0.8 % wide at most.
const STEPS: usize = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Times below 2^10 ns share the first doubling's width of 8 ns; the last doubling ends at 2^37 ns, 137 s.
const LOWEST_BITS: u32 = 10;
const DOUBLINGS: usize = 27;
const BUCKETS: usize = STEPS * (DOUBLINGS + 1);

/// Counts of times, 0.8 % wide up to 137 s; longer ones count in the last bucket. The minimum and the maximum are exact.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU64,
    largest: AtomicU64,
    smallest: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            counts: [const { AtomicU32::new(0) }; BUCKETS],
            total: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            smallest: AtomicU64::new(u64::MAX),
        }
    }
}

impl Histogram {
    /// Counts one time. For one writing thread; readers see it at some later moment.
    pub fn record(&self, time: Nanos) {
        if let Some(count) = self.counts.get(bucket(time.0)) {
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
        self.total.store(self.total.load(Relaxed) + 1, Relaxed);
        self.largest
            .store(self.largest.load(Relaxed).max(time.0), Relaxed);
        self.smallest
            .store(self.smallest.load(Relaxed).min(time.0), Relaxed);
    }

    /// Times counted.
    pub fn count(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// The longest time counted, exact; zero if none.
    pub fn max(&self) -> Nanos {
        Nanos(self.largest.load(Relaxed))
    }

    /// The shortest time counted, exact; zero if none.
    pub fn min(&self) -> Nanos {
        Nanos(self.smallest.load(Relaxed).min(self.largest.load(Relaxed)))
    }

    /// The time that `permyriad` ten-thousandths of all times do not exceed (9,900: p99), rounded up to the end of its
    /// bucket but never above [`Histogram::max`]; zero if none were counted.
    pub fn quantile(&self, permyriad: u32) -> Nanos {
        let wanted = (self.count() * u64::from(permyriad)).div_ceil(10_000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(count.load(Relaxed));
            if seen >= wanted {
                return Nanos(end(index)).min(self.max());
            }
        }
        self.max()
    }
}

/// The bucket a time falls into.
fn bucket(time: u64) -> usize {
    if time < 1 << LOWEST_BITS {
        return (time >> (LOWEST_BITS - STEP_BITS)) as usize;
    }
    let doubling = 63 - time.leading_zeros() - LOWEST_BITS;
    let step = (time >> (doubling + LOWEST_BITS - STEP_BITS)) as usize & (STEPS - 1);
    ((doubling as usize + 1) * STEPS + step).min(BUCKETS - 1)
}

/// The last time of a bucket.
fn end(bucket: usize) -> u64 {
    let (row, step) = (bucket / STEPS, (bucket % STEPS) as u64);
    let width = LOWEST_BITS - STEP_BITS;
    match row {
        0 => ((step + 1) << width) - 1,
        _ => ((STEPS as u64 + step + 1) << (width + row as u32 - 1)) - 1,
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket_and_buckets_are_under_one_percent_wide() {
        let mut time = 1_u64;
        while time < 1 << 36 {
            for value in [time - 1, time, time + time / 3] {
                let index = bucket(value);
                assert!(value <= end(index), "{value}");
                assert!(index == 0 || value > end(index - 1), "{value}");
                assert!(
                    value < 1 << LOWEST_BITS || (end(index) - value) as f64 <= 0.01 * value as f64,
                    "{value}"
                );
            }
            time *= 2;
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "ten thousand times; the others reach every line")]
    fn quantiles_are_within_one_percent_of_the_sorted_truth() {
        let histogram = Histogram::default();
        for time in 1..=10_000_u64 {
            histogram.record(Nanos(time * 1_000));
        }
        for permyriad in [1_u32, 5_000, 9_900, 9_990, 10_000] {
            let truth = u64::from(permyriad) * 1_000;
            let told = histogram.quantile(permyriad).0;
            assert!(
                told >= truth && told <= truth + truth / 100,
                "{permyriad}: {told} for {truth}"
            );
        }
        assert_eq!(histogram.max(), Nanos(10_000_000));
    }

    #[test]
    fn an_empty_histogram_and_the_longest_time_answer() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(9_900), Nanos::ZERO);
        histogram.record(Nanos::MAX);
        assert_eq!(histogram.quantile(9_900), Nanos(end(BUCKETS - 1)));
        assert_eq!(histogram.max(), Nanos::MAX);
    }

    #[test]
    fn the_shortest_and_the_longest_time_are_exact_and_zero_before_the_first() {
        let times = Histogram::default();
        assert_eq!((times.min(), times.max()), (Nanos::ZERO, Nanos::ZERO));
        for time in [70_001, 5_003, 900_007] {
            times.record(Nanos(time));
        }
        assert_eq!((times.min(), times.max()), (Nanos(5_003), Nanos(900_007)));
    }
}
