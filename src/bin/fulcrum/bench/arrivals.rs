//! [`Frames`]: when the requests of an arm come.

use super::arm::{ALLOWED, PERIOD};
use crate::camera::Random;
use clap::ValueEnum;
use fulcrum::schedule::Arrival;
use fulcrum::units::Nanos;
use serde::{Deserialize, Serialize};

/// Requests that come at once in a burst.
const BURST: u32 = 3;

/// How requests come, 15 a second in the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Arrivals {
    /// One each period
    Periodic,
    /// After exponentially distributed times
    Poisson,
    /// Three at once every three periods
    Bursty,
}

/// The requests of an arm.
pub(super) struct Frames {
    /// As announced.
    pub(super) arrival: Arrival,
    /// The moment that releases count from; `None`: as soon as all is ready.
    pub(super) start: Option<Nanos>,
    /// Ascending, each within `length`.
    pub(super) releases: Vec<Nanos>,
    /// How long the arm is measured.
    pub(super) length: Nanos,
}

impl Frames {
    /// One each period.
    pub(super) fn periodic(periods: u64) -> Frames {
        Frames::new(Arrivals::Periodic, periods, 0)
    }

    /// Those of so many periods; the same `seed` makes the same.
    pub(super) fn new(arrivals: Arrivals, periods: u64, seed: u64) -> Frames {
        let length = PERIOD.times(periods);
        let (arrival, releases) = match arrivals {
            Arrivals::Periodic => (
                Arrival::Periodic {
                    period: PERIOD,
                    jitter: ALLOWED,
                },
                (0..periods).map(|frame| PERIOD.times(frame)).collect(),
            ),
            // Nothing can be announced that always holds.
            Arrivals::Poisson => (Arrival::Sporadic { period: PERIOD }, poisson(length, seed)),
            Arrivals::Bursty => {
                let burst = u64::from(BURST);
                let release = |frame: u64| PERIOD.times(frame / burst * burst);
                let arrival = Arrival::Bursty {
                    period: PERIOD,
                    burst: BURST,
                };
                (arrival, (0..periods).map(release).collect())
            }
        };
        Frames {
            arrival,
            start: None,
            releases,
            length,
        }
    }
}

fn poisson(length: Nanos, seed: u64) -> Vec<Nanos> {
    let mut random = Random(seed);
    let mut releases = Vec::new();
    let mut at = Nanos::ZERO;
    loop {
        // Inverse of the exponential distribution; `between` never draws 1.
        let gap = -f64::from(1.0 - random.between(0.0, 1.0)).ln() * PERIOD.0 as f64;
        at += Nanos(gap as u64);
        if at >= length {
            return releases;
        }
        releases.push(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_brings_fifteen_a_second_in_order_and_within_the_length() {
        for arrivals in [Arrivals::Periodic, Arrivals::Poisson, Arrivals::Bursty] {
            let frames = Frames::new(arrivals, 9_000, 7);
            let count = frames.releases.len() as f64;
            assert!((8_600.0..9_400.0).contains(&count), "{arrivals:?}: {count}");
            assert!(frames.releases.is_sorted());
            assert!(frames.releases.iter().all(|release| *release < frames.length));
            assert_eq!(
                frames.releases,
                Frames::new(arrivals, 9_000, 7).releases,
                "the seed decides"
            );
        }
    }

    #[test]
    fn poisson_gaps_are_as_long_as_their_spread() {
        let releases = Frames::new(Arrivals::Poisson, 9_000, 3).releases;
        let gaps: Vec<f64> = releases
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_millis_f64())
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.1,
            "{mean} {}",
            variance.sqrt()
        );
    }
}
