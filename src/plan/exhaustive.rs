//! [`exhaustive`]: the best plan there is, by looking at every mode and every minibatch size.

use super::error::{Amount, Infeasible, PlanError};
use super::evaluate::{Evaluation, evaluate};
use super::problem::{Constraint, Problem};
use crate::board::Facts;
use crate::power::{ModeSpace, PowerMode};
use crate::predict::{Series, Table};
use crate::profile::Kind;
use crate::units::{Milliwatts, Nanos};
use core::cmp::Reverse;

/// The answer to a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The power mode.
    pub mode: PowerMode,
    /// Its index in the board's [`ModeSpace`].
    pub mode_index: usize,
    /// `beta`: requests in one inference minibatch.
    pub minibatch: u32,
    /// Whole training steps that fit into one cycle.
    pub tau: u32,
    /// Worst-case latency of the stream; at most the limit.
    pub bound: Nanos,
    /// Time of one inference minibatch with its switch, and with the margin.
    pub demand: Nanos,
    /// The longest training piece, with the margin; zero without a job.
    pub piece: Nanos,
    /// Training steps a second, in thousandths; 0 without a job.
    pub training_rate: u32,
    /// The higher of the two workloads' power; at most the limit.
    pub power: Milliwatts,
    /// What keeps it from being better. Better means more training, or without a job less power.
    ///
    /// `Power`, `Latency`: a search with that limit alone lifted finds a better plan; of two such limits the one that
    /// gives more. `Rate`: lifting the latency limit gives nothing, but a board that fell behind the stream would do
    /// better. `PowerAndLatency`: only lifting both gives a better plan. `Board`: none of these does.
    pub binding: Constraint,
}

/// Limits that are not applied.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lifted {
    power: bool,
    latency: bool,
    rate: bool,
}

const NONE: Lifted = Lifted {
    power: false,
    latency: false,
    rate: false,
};
const POWER: Lifted = Lifted { power: true, ..NONE };
const LATENCY: Lifted = Lifted {
    latency: true,
    ..NONE
};
const BOTH: Lifted = Lifted {
    power: true,
    ..LATENCY
};
/// Without keeping up there is no bound, so the latency limit goes with the rate.
const RATE: Lifted = Lifted {
    rate: true,
    ..LATENCY
};

/// One mode and minibatch size with what it would give.
#[derive(Clone, Copy)]
struct Candidate {
    mode: PowerMode,
    minibatch: u32,
    value: Evaluation,
}

/// Finds the best plan over every mode of the board that the table knows and every minibatch size allowed.
///
/// With a job the best plan trains most, then draws least, then has the lowest bound; without one it draws least,
/// then has the lowest bound. Of equal plans the one first looked at: sizes in the order given, then modes in their
/// own order. Allocates nothing for a candidate.
pub fn exhaustive(facts: &Facts, table: &Table, problem: &Problem) -> Result<Plan, PlanError> {
    problem.check()?;
    let space = ModeSpace::of(facts);
    let search = Search {
        space: &space,
        table,
        problem,
        job: job_series(table, problem)?,
    };
    let mut best = [NONE, POWER, LATENCY, BOTH, RATE].map(|lifted| (lifted, None::<Candidate>));
    let mut looked = false;
    search.each(|candidate| {
        looked = true;
        for (lifted, best) in &mut best {
            if search.holds(&candidate.value, *lifted)
                && best.is_none_or(|best| search.rank(&candidate.value) < search.rank(&best.value))
            {
                *best = Some(candidate);
            }
        }
    });
    if !looked {
        return Err(not_measured(problem.stream.workload, Kind::Inference));
    }
    let found = |wanted| {
        best.iter()
            .find(|(lifted, _)| *lifted == wanted)
            .and_then(|(_, best)| *best)
    };
    let Some(Candidate {
        mode,
        minibatch,
        value,
    }) = found(NONE)
    else {
        return Err(search.infeasible(facts).map_or_else(
            || not_measured(problem.stream.workload, Kind::Inference),
            PlanError::Infeasible,
        ));
    };
    Ok(Plan {
        mode,
        // A candidate's mode is one of the space's.
        mode_index: space.index_of(&mode).unwrap_or_default(),
        minibatch,
        tau: value.tau,
        bound: value.bound.unwrap_or(Nanos::MAX),
        demand: value.demand,
        piece: value.piece,
        training_rate: value.training_rate,
        power: value.power,
        binding: search.binding(&value, |lifted| found(lifted).map(|best| best.value)),
    })
}

fn not_measured(workload: &str, kind: Kind) -> PlanError {
    PlanError::NotMeasured {
        workload: workload.to_owned(),
        kind,
    }
}

fn job_series<'t>(table: &'t Table, problem: &Problem) -> Result<Option<&'t Series>, PlanError> {
    let Some(job) = problem.job else { return Ok(None) };
    let series = table.series(job.workload, Kind::Training, job.minibatch);
    series
        .ok_or_else(|| not_measured(job.workload, Kind::Training))
        .map(Some)
}

struct Search<'a> {
    space: &'a ModeSpace,
    table: &'a Table,
    problem: &'a Problem<'a>,
    job: Option<&'a Series>,
}

impl Search<'_> {
    /// Every candidate whose times and powers are all known.
    fn each(&self, mut visit: impl FnMut(Candidate)) {
        for minibatch in self.problem.stream.minibatches {
            let series = self
                .table
                .series(self.problem.stream.workload, Kind::Inference, *minibatch);
            for entry in series.map_or(&[][..], Series::entries) {
                let job = self.job.and_then(|series| series.at(&entry.mode));
                if self.job.is_some() != job.is_some() || self.space.index_of(&entry.mode).is_none() {
                    continue;
                }
                if let Some(value) = evaluate(self.problem, *minibatch, entry, job) {
                    visit(Candidate {
                        mode: entry.mode,
                        minibatch: *minibatch,
                        value,
                    });
                }
            }
        }
    }

    fn holds(&self, value: &Evaluation, lifted: Lifted) -> bool {
        (lifted.power || value.power <= self.problem.power_limit)
            && (lifted.rate || value.keeps_up())
            && (lifted.latency
                || value
                    .bound
                    .is_some_and(|bound| bound <= self.problem.latency_limit))
    }

    /// What is wanted most, the lower the better.
    fn merit(&self, value: &Evaluation) -> Reverse<i64> {
        match self.problem.job {
            Some(_) => Reverse(i64::from(value.training_rate)),
            None => Reverse(-i64::from(value.power.0)),
        }
    }

    /// The order of candidates, the lower the better.
    fn rank(&self, value: &Evaluation) -> (Reverse<i64>, Milliwatts, Nanos) {
        (self.merit(value), value.power, value.bound.unwrap_or(Nanos::MAX))
    }

    /// See [`Plan::binding`].
    fn binding(&self, plan: &Evaluation, best: impl Fn(Lifted) -> Option<Evaluation>) -> Constraint {
        let merit = |lifted| best(lifted).map_or(self.merit(plan), |value| self.merit(&value));
        let now = self.merit(plan);
        let (power, latency) = (merit(POWER), merit(LATENCY));
        if power < now || latency < now {
            if power <= latency {
                Constraint::Power
            } else {
                Constraint::Latency
            }
        } else if merit(BOTH) < now {
            Constraint::PowerAndLatency
        } else if merit(RATE) < now {
            Constraint::Rate
        } else {
            Constraint::Board
        }
    }

    /// The first limit that no candidate holds, with the least possible; `None` without a candidate.
    fn infeasible(&self, facts: &Facts) -> Option<Infeasible> {
        let problem = self.problem;
        let each_request = |c: &Candidate| Nanos(c.value.demand.0.div_ceil(u64::from(c.minibatch.max(1))));
        let bound = |c: &Candidate| c.value.bound.unwrap_or(Nanos::MAX);
        let is = |constraint, asked, least, candidate: Candidate, within| Infeasible {
            board: facts.to_string(),
            constraint,
            asked,
            least,
            mode: candidate.mode,
            minibatch: candidate.minibatch,
            within,
        };

        let quickest = self.least(|_| true, each_request)?;
        if each_request(&quickest) > problem.stream.period {
            let (asked, least) = (
                Amount::Time(problem.stream.period),
                Amount::Time(each_request(&quickest)),
            );
            return Some(is(Constraint::Rate, asked, least, quickest, None));
        }
        let frugal = self.least(|_| true, |c| c.value.power)?;
        let asked = Amount::Power(problem.power_limit);
        if frugal.value.power > problem.power_limit {
            return Some(is(
                Constraint::Power,
                asked,
                Amount::Power(frugal.value.power),
                frugal,
                None,
            ));
        }
        let prompt = self.least(|c| c.value.keeps_up(), bound)?;
        if bound(&prompt) > problem.latency_limit {
            let (asked, least) = (Amount::Time(problem.latency_limit), Amount::Time(bound(&prompt)));
            return Some(is(Constraint::Latency, asked, least, prompt, None));
        }
        let both = self.least(|c| self.holds(&c.value, POWER), |c| c.value.power)?;
        Some(is(
            Constraint::Power,
            asked,
            Amount::Power(both.value.power),
            both,
            Some(problem.latency_limit),
        ))
    }

    /// The candidate with the least `key` among those that are `wanted`.
    fn least<K: Ord>(
        &self,
        wanted: impl Fn(&Candidate) -> bool,
        key: impl Fn(&Candidate) -> K,
    ) -> Option<Candidate> {
        let mut least: Option<Candidate> = None;
        self.each(|candidate| {
            if wanted(&candidate) && least.as_ref().is_none_or(|best| key(&candidate) < key(best)) {
                least = Some(candidate);
            }
        });
        least
    }
}
