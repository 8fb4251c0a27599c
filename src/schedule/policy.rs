//! A [`Policy`] orders the work at a piece border. All run on the same dispatcher, so that they can be compared.

use super::{Action, Schedule};
use crate::bound::Rule;
use crate::units::Nanos;
use core::fmt;
use core::str::FromStr;

/// How work is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// First come, first served: what a hardware queue does.
    Fcfs,
    /// `beta` requests, then `tau` whole training minibatches that fit into what is left of the cycle: the published
    /// managed interleaving. Its grain is the minibatch, so its jobs are given uncut.
    Fulcrum,
    /// Earliest deadline first over the streams; a training piece starts only if it is due to end before the next
    /// known release, or if the bound allows its blocking; else the accelerator idles.
    Slack,
}

impl Policy {
    /// All policies.
    pub const ALL: [Policy; 3] = [Policy::Fcfs, Policy::Fulcrum, Policy::Slack];

    /// The policy's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Fcfs => "fcfs",
            Policy::Fulcrum => "fulcrum",
            Policy::Slack => "slack",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No policy has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy;

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown policy; there are fcfs, fulcrum, slack")
    }
}

impl core::error::Error for UnknownPolicy {}

impl FromStr for Policy {
    type Err = UnknownPolicy;
    fn from_str(text: &str) -> Result<Policy, UnknownPolicy> {
        Policy::ALL
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or(UnknownPolicy)
    }
}

/// The longest time training waits for a sensor's first release, in periods. A sensor that never starts must not stop
/// the learning.
const FIRST_RELEASE: u64 = 8;

pub(super) fn decide(schedule: &Schedule, now: Nanos) -> Action {
    match schedule.policy {
        Policy::Fcfs => fcfs(schedule, now),
        Policy::Fulcrum => fulcrum(schedule, now),
        Policy::Slack => slack(schedule, now),
    }
}

/// The ready minibatch with the earliest deadline.
fn most_urgent(schedule: &Schedule, now: Nanos) -> Option<Action> {
    let ready = schedule.streams.iter().enumerate().filter_map(|(index, stream)| {
        let count = stream.ready(now);
        (count > 0).then_some((stream.next_deadline(), index, count))
    });
    ready
        .min()
        .map(|(_, stream, count)| Action::Minibatch { stream, count })
}

/// When something may become ready by the passing of time alone.
fn next_event(schedule: &Schedule, now: Nanos) -> Nanos {
    let flushes = schedule.streams.iter().map(super::Stream::flush);
    let jobs = schedule
        .jobs
        .iter()
        .map(super::Job::ready_since)
        .filter(|since| *since > now);
    flushes.chain(jobs).min().unwrap_or(Nanos::MAX)
}

/// Jobs whose next piece may start at `now`, in turn: after the one that ran last comes first.
fn ready_jobs(schedule: &Schedule, now: Nanos) -> impl Iterator<Item = usize> {
    let after = schedule.last_job.saturating_add(1);
    let (first, second) = (after..schedule.jobs.len(), 0..after.min(schedule.jobs.len()));
    let may_start = move |index: &usize| {
        schedule
            .jobs
            .get(*index)
            .is_some_and(|job| job.ready_since() <= now)
    };
    first.chain(second).filter(may_start)
}

fn piece(schedule: &Schedule, job: usize) -> Action {
    Action::Piece {
        job,
        piece: schedule.jobs.get(job).map_or(0, super::Job::next_piece),
    }
}

fn fcfs(schedule: &Schedule, now: Nanos) -> Action {
    let minibatches = schedule.streams.iter().enumerate().filter_map(|(stream, it)| {
        let count = it.ready(now);
        (count > 0).then_some((it.ready_since(), Action::Minibatch { stream, count }))
    });
    let pieces = ready_jobs(schedule, now)
        .filter_map(|job| Some((schedule.jobs.get(job)?.ready_since(), piece(schedule, job))));
    minibatches
        .chain(pieces)
        .min_by_key(|(since, _)| *since)
        .map_or_else(
            || Action::Idle {
                until: next_event(schedule, now),
            },
            |(_, action)| action,
        )
}

fn fulcrum(schedule: &Schedule, now: Nanos) -> Action {
    if let Some(minibatch) = most_urgent(schedule, now) {
        return minibatch;
    }
    match ready_jobs(schedule, now).next() {
        Some(job)
            if mid_step(schedule, job) || schedule.since_inference < schedule.minibatches_per_cycle(job) =>
        {
            piece(schedule, job)
        }
        _ => Action::Idle {
            until: next_event(schedule, now),
        },
    }
}

fn mid_step(schedule: &Schedule, job: usize) -> bool {
    schedule.jobs.get(job).is_some_and(|job| job.next_piece() > 0)
}

fn slack(schedule: &Schedule, now: Nanos) -> Action {
    if let Some(minibatch) = most_urgent(schedule, now) {
        return minibatch;
    }
    if schedule.rule() != Rule::Reserved {
        return match ready_jobs(schedule, now).next() {
            Some(job) => piece(schedule, job),
            None => Action::Idle {
                until: next_event(schedule, now),
            },
        };
    }
    let mut until = next_event(schedule, now);
    let mut free_until = Nanos::MAX;
    for stream in &schedule.streams {
        if stream.phase_unknown() {
            let given_up = stream.spec().arrival.period().times(FIRST_RELEASE);
            if now < schedule.started + given_up {
                free_until = now;
                until = until.min(schedule.started + given_up);
            }
        } else if let Some((from, to)) = stream.expected(now) {
            free_until = free_until.min(from);
            until = until.min(to + Nanos(1));
        }
    }
    let fits = |job: &usize| {
        schedule
            .jobs
            .get(*job)
            .is_some_and(|job| now + schedule.switch + job.next_length() <= free_until)
    };
    match ready_jobs(schedule, now).find(fits) {
        Some(job) => piece(schedule, job),
        None => Action::Idle { until },
    }
}
