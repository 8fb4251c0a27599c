//! The profiler: runs a piece of a workload many times in the present power mode and says how long it took.

use crate::units::Nanos;
use core::fmt;

/// How long a piece took over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Runs that were measured; at least 1.
    pub runs: usize,
    /// The middle run; of an even number the upper one.
    pub median: Nanos,
    /// The run that 99 % of the runs do not exceed.
    pub upper: Nanos,
    /// The longest run.
    pub max: Nanos,
}

/// Why nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureError<E> {
    /// No run was asked for.
    NoRuns,
    /// The workload failed in this run, counted from 0 over warm-up and measured runs.
    Failed(usize, E),
}

impl<E: fmt::Display> fmt::Display for MeasureError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeasureError::NoRuns => f.write_str("nothing was measured: ask for at least one run"),
            MeasureError::Failed(run, error) => write!(f, "run {run} of the measurement failed: {error}"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for MeasureError<E> {}

/// Runs `piece` `warmup` times unmeasured, then `runs` times measured by `now`.
///
/// `now` chooses what a time means: [`crate::clock::thread_time`] for the processor time that the twin stretches,
/// `|| Monotonic.now()` for the time that passes. Keeps 8 bytes a run.
pub fn measure<E>(
    warmup: usize,
    runs: usize,
    mut now: impl FnMut() -> Nanos,
    mut piece: impl FnMut() -> Result<(), E>,
) -> Result<Measured, MeasureError<E>> {
    let mut times = Vec::with_capacity(runs);
    for run in 0..warmup.saturating_add(runs) {
        let started = now();
        piece().map_err(|error| MeasureError::Failed(run, error))?;
        if run >= warmup {
            times.push(now() - started);
        }
    }
    times.sort_unstable();
    let rank = |permille: usize| times.get((runs * permille).div_ceil(1_000).max(1) - 1).copied();
    match (times.get(runs / 2).copied(), rank(990), times.last().copied()) {
        (Some(median), Some(upper), Some(max)) => Ok(Measured {
            runs,
            median,
            upper,
            max,
        }),
        _ => Err(MeasureError::NoRuns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn the_median_and_the_upper_values_are_those_of_the_measured_runs() {
        let (clock, run) = (Cell::new(0), Cell::new(0_u64));
        let piece = || {
            run.set(run.get() + 1);
            // Two warm-up runs of 10 s, then 1, 2, ... 100 ns.
            clock.set(
                clock.get()
                    + if run.get() <= 2 {
                        10_000_000_000
                    } else {
                        run.get() - 2
                    },
            );
            Ok::<(), ()>(())
        };
        let measured = measure(2, 100, || Nanos(clock.get()), piece).unwrap();
        assert_eq!(
            measured,
            Measured {
                runs: 100,
                median: Nanos(51),
                upper: Nanos(99),
                max: Nanos(100)
            }
        );
    }

    #[test]
    fn a_failed_run_and_no_run_are_told_apart() {
        assert_eq!(
            measure(0, 0, || Nanos(0), || Ok::<(), u8>(())),
            Err(MeasureError::NoRuns)
        );
        assert_eq!(
            measure(1, 1, || Nanos(0), || Err(7_u8)),
            Err(MeasureError::Failed(0, 7))
        );
    }
}
