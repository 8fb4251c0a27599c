//! A [`Problem`] is what is asked of a plan: workloads, limits, and how the schedule will run them.

use crate::bound::Rule;
use crate::limits;
use crate::units::{Milliwatts, Nanos};
use core::fmt;

/// The inference stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The workload's name in the table.
    pub workload: &'a str,
    /// Time between two requests; more than 0.
    pub period: Nanos,
    /// How long after its release a request may be handed in.
    pub jitter: Nanos,
    /// The minibatch sizes that may be chosen, each 1 to [`limits::MINIBATCH`].
    pub minibatches: &'a [u32],
}

/// The training job.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The workload's name in the table.
    pub workload: &'a str,
    /// Samples in one training step, as in the table.
    pub minibatch: u32,
    /// The longest piece as thousandths of its step, 1 to 1000; 1000 is an uncut step.
    pub piece: u32,
    /// What each piece costs beyond its part of the step.
    pub overhead: Nanos,
}

/// What is asked. With a job: the most training that the limits allow. Without: the least power.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The inference stream.
    pub stream: Stream<'a>,
    /// The training job beside it.
    pub job: Option<Job<'a>>,
    /// The bound of the stream's latency must not exceed this.
    pub latency_limit: Nanos,
    /// The board must not draw more than this.
    pub power_limit: Milliwatts,
    /// Which promise the schedule makes.
    pub rule: Rule,
    /// Decision, wake-up and hand-over, once a minibatch.
    pub switch: Nanos,
    /// How far a piece may overrun the length it was announced with.
    pub late: Nanos,
    /// Thousandths added to every measured time before it enters the bound; 0 takes them as they are.
    pub margin: u32,
}

/// Why a problem makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemError {
    /// The stream's period is 0.
    Period,
    /// No minibatch size may be chosen.
    NoMinibatch,
    /// This minibatch size is 0 or more than the queue holds.
    Minibatch(u32),
    /// The longest piece is no part of a step.
    Piece(u32),
}

impl fmt::Display for ProblemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProblemError::Period => f.write_str("the stream's period is 0; give it a rate above 0"),
            ProblemError::NoMinibatch => f.write_str("no minibatch size may be chosen; allow 1 at least"),
            ProblemError::Minibatch(size) => {
                write!(
                    f,
                    "a minibatch of {size} cannot be chosen; allow sizes from 1 to {}",
                    limits::MINIBATCH
                )
            }
            ProblemError::Piece(piece) => {
                write!(
                    f,
                    "a piece of {piece} thousandths of a step; expected 1 to 1000, where 1000 is the whole step"
                )
            }
        }
    }
}

impl core::error::Error for ProblemError {}

impl Problem<'_> {
    /// Says whether the problem makes sense.
    pub fn check(&self) -> Result<(), ProblemError> {
        if self.stream.period == Nanos::ZERO {
            return Err(ProblemError::Period);
        }
        if self.stream.minibatches.is_empty() {
            return Err(ProblemError::NoMinibatch);
        }
        let fits = |size: &u32| (1..=limits::MINIBATCH).contains(&(*size as usize));
        if let Some(size) = self.stream.minibatches.iter().find(|size| !fits(size)) {
            return Err(ProblemError::Minibatch(*size));
        }
        match self.job {
            Some(job) if !(1..=1_000).contains(&job.piece) => Err(ProblemError::Piece(job.piece)),
            _ => Ok(()),
        }
    }
}

/// What keeps a plan from being better, or a problem from having one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The power limit.
    Power,
    /// The latency limit.
    Latency,
    /// The stream's rate: each minibatch must end before the next is due.
    Rate,
    /// Power and latency limit together: lifting one alone gives nothing, lifting both does.
    PowerAndLatency,
    /// No limit that was asked for: the board itself offers nothing better.
    Board,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Constraint::Power => "power",
            Constraint::Latency => "latency",
            Constraint::Rate => "rate",
            Constraint::PowerAndLatency => "power and latency",
            Constraint::Board => "board",
        })
    }
}
