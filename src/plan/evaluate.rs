//! [`evaluate`]: what one mode and one minibatch size would give, by measured times and the bound.

use super::problem::Problem;
use crate::bound::{Blocking, Demand, Rule, worst_case};
use crate::predict::Entry;
use crate::units::{Milliwatts, Nanos};

/// What a candidate would give. Limits are not applied here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Time between two minibatches.
    pub cycle: Nanos,
    /// Time of one inference minibatch with its switch, and with the margin.
    pub demand: Nanos,
    /// The longest training piece, with the margin; zero without a job.
    pub piece: Nanos,
    /// Worst-case latency; `None` where there is none, because the stream is not kept up with.
    pub bound: Option<Nanos>,
    /// Training steps a second, in thousandths, rounded down.
    pub training_rate: u32,
    /// Whole training steps that fit into one cycle.
    pub tau: u32,
    /// The higher of the two workloads' power: at any moment one of them runs.
    pub power: Milliwatts,
}

impl Evaluation {
    /// Whether each minibatch ends before the next is due.
    pub fn keeps_up(&self) -> bool {
        self.demand <= self.cycle
    }
}

/// What running `problem` in the mode of these entries with this minibatch size would give. `job` is the training
/// step's entry in the same mode; it counts only if the problem has a job. `None` where a power is not known.
///
/// The bound is that of [`worst_case`] with every measured time raised by the margin. The training rate is what the
/// times as measured leave: `(cycle - t_in - s) / cycle` of a step of `t_tr + pieces x overhead`. Under
/// [`Rule::Reserved`] a piece that would not end before the next release is not started, so only whole longest pieces
/// count; the schedule may do better where pieces are unequal.
pub fn evaluate(
    problem: &Problem,
    minibatch: u32,
    inference: &Entry,
    job: Option<&Entry>,
) -> Option<Evaluation> {
    let stream = &problem.stream;
    let margin = 1_000 + u64::from(problem.margin);
    let cycle = stream.period.times(u64::from(minibatch));
    let cost = inference.time.value.scaled(margin);
    let mut power = inference.power?.value;
    let (mut piece, mut training_rate, mut tau) = (Nanos::ZERO, 0, 0);
    if let (Some(cut), Some(entry)) = (problem.job, job) {
        power = power.max(entry.power?.value);
        let step = entry.time.value;
        let part = |step: Nanos| step.scaled(u64::from(cut.piece)) + cut.overhead;
        piece = part(step.scaled(margin));
        let whole = step
            + cut
                .overhead
                .times(1_000_u64.div_ceil(u64::from(cut.piece.max(1))));
        let free = cycle - inference.time.value - problem.switch;
        let usable = match problem.rule {
            Rule::Reserved => free.0 - free.0 % part(step).0.max(1),
            Rule::Border | Rule::Queue | Rule::Priority | Rule::Turns => free.0,
        };
        let per_second =
            u128::from(usable) * 1_000_000_000_000 / (u128::from(cycle.0) * u128::from(whole.0)).max(1);
        training_rate = u32::try_from(per_second).unwrap_or(u32::MAX);
        tau = u32::try_from(usable / whole.0.max(1)).unwrap_or(u32::MAX);
    }
    let demand = Demand {
        period: stream.period,
        jitter: stream.jitter,
        burst: 1,
        priority: 0,
        minibatch,
        partial: false,
        cost,
        pieces: 1,
        longest: cost,
    };
    let blocking = Blocking {
        piece,
        late: problem.late,
        switch: problem.switch,
    };
    let bound = worst_case(problem.rule, &[demand], 0, blocking);
    Some(Evaluation {
        cycle,
        demand: cost + problem.switch,
        piece,
        bound,
        training_rate,
        tau,
        power,
    })
}
