//! Why there is no plan: which constraint, what was asked, and the least that is possible.

use super::problem::{Constraint, ProblemError};
use crate::power::PowerMode;
use crate::profile::Kind;
use crate::units::{Milliwatts, Nanos};
use core::fmt;

/// A limit or a value of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Power.
    Power(Milliwatts),
    /// Time.
    Time(Nanos),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Power(power) => power.fmt(f),
            Amount::Time(Nanos::MAX) => f.write_str("without end"),
            Amount::Time(time) => time.fmt(f),
        }
    }
}

/// No candidate holds a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infeasible {
    /// The board's name.
    pub board: String,
    /// The limit that cannot be held.
    pub constraint: Constraint,
    /// What was asked.
    pub asked: Amount,
    /// The least that is possible.
    pub least: Amount,
    /// The mode that gives it.
    pub mode: PowerMode,
    /// The minibatch size that gives it.
    pub minibatch: u32,
    /// The latency limit, where each limit alone can be held and only both together cannot: `least` is then the least
    /// power that holds this.
    pub within: Option<Nanos>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The problem makes no sense.
    Problem(ProblemError),
    /// The table has no mode of the board in which all that is needed is measured.
    NotMeasured {
        /// The workload that lacks rows; the first of those asked for.
        workload: String,
        /// What it is.
        kind: Kind,
    },
    /// No candidate holds the limits.
    Infeasible(Infeasible),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Problem(error) => error.fmt(f),
            PlanError::NotMeasured { workload, kind } => write!(
                f,
                "no mode of the board has time and power of {kind} workload {workload:?} at the sizes asked for; \
                 profile it first"
            ),
            PlanError::Infeasible(infeasible) => infeasible.fmt(f),
        }
    }
}

impl core::error::Error for PlanError {}

impl From<ProblemError> for PlanError {
    fn from(error: ProblemError) -> PlanError {
        PlanError::Problem(error)
    }
}

impl fmt::Display for Infeasible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Infeasible {
            board,
            asked,
            least,
            mode,
            minibatch,
            ..
        } = self;
        let at = format_args!("({mode}, minibatch {minibatch})");
        match (self.constraint, self.within) {
            (Constraint::Rate, _) => write!(
                f,
                "no mode of {board} keeps up with a request every {asked}: the least is {least} a request {at}; \
                 lower the rate or allow larger minibatches"
            ),
            (Constraint::Latency, _) => write!(
                f,
                "no mode of {board} has a latency bound within {asked}: the least is {least} {at}; \
                 raise the latency limit (--latency-ms) or cut the training step into shorter pieces"
            ),
            (_, Some(latency)) => write!(
                f,
                "no mode of {board} within {asked} has a latency bound within {latency}: the least power that has is \
                 {least} {at}; raise the power limit (--power-w) or the latency limit (--latency-ms)"
            ),
            _ => write!(
                f,
                "no mode of {board} stays within {asked}: the least is {least} {at}; \
                 raise the power limit (--power-w)"
            ),
        }
    }
}
