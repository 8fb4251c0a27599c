//! What `bench interleave` has measured: cuts, arms, the stream alone.

use super::arm::{self, Outcome, PERIOD};
use super::quantile;
use crate::models::Models;
use crate::stalls::{self, Stall};
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::OnnxTraining;
use std::error::Error;
use std::fmt;

/// Thousandths, of announced over measured times, which are upper quantiles of a short measurement.
pub(super) const MARGIN: u64 = 1_150;

/// A training step cut into pieces, and how fast it is alone.
pub(super) struct Cut {
    pub(super) work: Option<OnnxTraining>,
    /// Measured upper lengths, without margin.
    pub(super) lengths: Vec<Nanos>,
    /// The same as they are announced.
    pub(super) announced: Vec<Nanos>,
    pub(super) buffer_bytes: usize,
    pub(super) alone: Trained,
}

impl Cut {
    pub(super) fn new(models: &Models, wanted: Option<Nanos>) -> Result<Cut, Box<dyn Error>> {
        let work = arm::training(models, wanted)?;
        let lengths = work.piece_lengths().to_vec();
        Ok(Cut {
            announced: lengths.iter().map(|length| length.scaled(MARGIN)).collect(),
            lengths,
            buffer_bytes: work.buffer_bytes(),
            work: Some(work),
            alone: Trained::default(),
        })
    }

    pub(super) fn longest(&self) -> Nanos {
        self.lengths.iter().copied().max().unwrap_or(Nanos::ZERO)
    }
}

/// Training rate of each round, steps a second.
#[derive(Default)]
pub(super) struct Trained(Vec<f64>);

impl Trained {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.0.push(outcome.steps / outcome.time.as_secs_f64().max(1e-9));
    }

    /// The median of the rounds; zero before the first.
    pub(super) fn rate(&self) -> f64 {
        let mut rates = self.0.clone();
        rates.sort_by(f64::total_cmp);
        let middle = |place: usize| rates.get(place).copied().unwrap_or(0.0);
        (middle(rates.len() / 2) + middle(rates.len().saturating_sub(1) / 2)) / 2.0
    }
}

/// How an arm orders the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) policy: Policy,
    /// Whether a running piece is given up for a request that cannot wait for it.
    pub(super) aborts: bool,
}

impl Order {
    /// Each policy as it is, and `edf` once more with pieces that may be given up.
    pub(super) fn all() -> impl Iterator<Item = Order> {
        let plain = |policy| Order {
            policy,
            aborts: false,
        };
        let aborting = Order {
            policy: Policy::Edf,
            aborts: true,
        };
        Policy::ALL.into_iter().map(plain).chain([aborting])
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.policy, if self.aborts { "+abort" } else { "" })
    }
}

/// What all rounds of a policy over a cut came to.
pub(super) struct Arm {
    pub(super) order: Order,
    /// Index of the cut.
    pub(super) cut: usize,
    pub(super) latencies: Vec<u64>,
    pub(super) trained: Trained,
    pub(super) bound: Option<Nanos>,
    pub(super) misses: u64,
    pub(super) violations: u64,
    /// Of those, the ones whose own run took longer than was announced for it.
    pub(super) slow: u64,
    pub(super) stalled: u64,
    /// Time that pieces given up had had.
    pub(super) wasted: Nanos,
}

/// The stream alone, over all rounds.
#[derive(Default)]
pub(super) struct Alone {
    pub(super) latencies: Vec<u64>,
    /// From a release to the start of its minibatch.
    switches: Vec<u64>,
    services: Vec<u64>,
}

impl Alone {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        for answered in &outcome.answered {
            self.latencies.push(answered.latency().0);
            if let Some(start) = answered.start {
                self.switches.push((start - answered.release).0);
                self.services.push((answered.end - start).0);
            }
        }
    }

    pub(super) fn sort(&mut self) {
        for times in [&mut self.latencies, &mut self.switches, &mut self.services] {
            times.sort_unstable();
        }
    }

    /// `s`, the median from a release to the work.
    pub(super) fn switch(&self) -> Nanos {
        Nanos(quantile(&self.switches, 5_000))
    }

    /// `C`, the median time of the work.
    pub(super) fn service(&self) -> Nanos {
        Nanos(quantile(&self.services, 5_000))
    }

    /// `1 - U - s/T`: what is left for training.
    pub(super) fn left(&self) -> f64 {
        1.0 - (self.service() + self.switch()).as_secs_f64() / PERIOD.as_secs_f64()
    }
}

/// Everything that was measured.
pub(super) struct Measured {
    pub(super) engine: String,
    pub(super) threads: usize,
    pub(super) runs_per_request: u32,
    /// `C` as it was announced.
    pub(super) cost: Nanos,
    /// Samples in a training minibatch.
    pub(super) samples: usize,
    pub(super) cuts: Vec<Cut>,
    pub(super) alone: Alone,
    pub(super) arms: Vec<Arm>,
    pub(super) rounds: u32,
    /// `None` where the machine's stalls could not be seen.
    pub(super) stalls: Option<Vec<Stall>>,
    pub(super) warnings: Vec<String>,
}

impl Arm {
    pub(super) fn add(&mut self, outcome: &Outcome, cost: Nanos, stalls: &[Stall]) {
        self.trained.add(outcome);
        self.wasted += outcome.wasted;
        self.bound = outcome.bound;
        for answered in &outcome.answered {
            let latency = answered.latency();
            self.latencies.push(latency.0);
            // A stall delays a request too if it fell into the piece that was running when the request came.
            let away = stalls::within(stalls, answered.release - PERIOD, answered.end);
            let late = |allowed: Nanos| latency > allowed;
            let explained = |allowed: Nanos| late(allowed) && latency - away <= allowed;
            let bound = outcome.bound.unwrap_or(Nanos::MAX);
            self.misses += u64::from(late(PERIOD) && !explained(PERIOD));
            let violation = late(bound) && !explained(bound);
            let slow = answered.start.is_some_and(|start| answered.end - start > cost);
            self.violations += u64::from(violation);
            self.slow += u64::from(violation && slow);
            self.stalled += u64::from(explained(PERIOD) || explained(bound));
        }
    }
}
