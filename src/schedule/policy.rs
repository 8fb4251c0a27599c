//! A [`Policy`] orders the work at a piece border. All run on the same dispatcher, so that they can be compared.

use super::stream::Head;
use super::{Action, Schedule};
use crate::bound::Rule;
use crate::limits;
use crate::units::Nanos;
use core::cmp::Reverse;
use core::fmt;
use core::str::FromStr;

/// How work is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// First come, first served: what a hardware queue does that holds one piece of each job.
    Fcfs,
    /// The same with so many pieces of each job in the queue, 1 to [`limits::IN_FLIGHT`].
    InFlight(u8),
    /// Training and inference take turns, as a driver's time slices do: before each minibatch training may have this time,
    /// and ends the piece it is in.
    TimeSlice(Nanos),
    /// `beta` requests, then `tau` whole training minibatches that fit into what is left of the cycle: the published
    /// managed interleaving. Its grain is the minibatch, so its jobs are given uncut.
    Fulcrum,
    /// The ready stream of the highest priority at each piece border, training when none is ready.
    Priority,
    /// The ready stream of the earliest deadline at each piece border, training when none is ready.
    Edf,
    /// As `edf`, but a training piece starts only if it is due to end before the next known release, or if the bound
    /// allows its blocking; else the accelerator idles.
    Slack,
}

/// The slice of `time-slice` where none is named: between the GPU driver's medium and long slices of 2.6 and 5.2 ms.
const SLICE_MS: u64 = 4;

/// The depth of `in-flight` where none is named.
const DEPTH: u8 = 4;

impl Policy {
    /// `in-flight` with the usual depth.
    pub const IN_FLIGHT: Policy = Policy::InFlight(DEPTH);
    /// `time-slice` with the usual slice.
    pub const TIME_SLICE: Policy = Policy::TimeSlice(Nanos::from_millis(SLICE_MS));

    /// All policies, with the usual slice and depth.
    pub const ALL: [Policy; 7] = [
        Policy::Fcfs,
        Policy::IN_FLIGHT,
        Policy::TIME_SLICE,
        Policy::Fulcrum,
        Policy::Priority,
        Policy::Edf,
        Policy::Slack,
    ];

    /// The policy's name on the command line, without its number.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Fcfs => "fcfs",
            Policy::InFlight(_) => "in-flight",
            Policy::TimeSlice(_) => "time-slice",
            Policy::Fulcrum => "fulcrum",
            Policy::Priority => "priority",
            Policy::Edf => "edf",
            Policy::Slack => "slack",
        }
    }
}

impl fmt::Display for Policy {
    /// The name, and for two of them their number, as `in-flight-4` and `time-slice-4` (ms).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Policy::InFlight(depth) => write!(f, "-{depth}"),
            Policy::TimeSlice(slice) => write!(f, "-{}", slice.0 / 1_000_000),
            _ => Ok(()),
        }
    }
}

/// No policy has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy;

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown policy; there are fcfs, in-flight-K (1 to 16), time-slice-MS, fulcrum, priority, edf, slack")
    }
}

impl core::error::Error for UnknownPolicy {}

impl FromStr for Policy {
    type Err = UnknownPolicy;
    fn from_str(text: &str) -> Result<Policy, UnknownPolicy> {
        if let Some(policy) = Policy::ALL.into_iter().find(|policy| policy.name() == text) {
            return Ok(policy);
        }
        let number = |name: &str| {
            let rest = text.strip_prefix(name)?.strip_prefix('-')?;
            rest.parse::<u8>().ok().filter(|number| *number > 0)
        };
        let depth = number("in-flight").filter(|depth| usize::from(*depth) <= limits::IN_FLIGHT);
        let slice = number("time-slice").map(|ms| Nanos::from_millis(u64::from(ms)));
        depth
            .map(Policy::InFlight)
            .or(slice.map(Policy::TimeSlice))
            .ok_or(UnknownPolicy)
    }
}

/// The longest time training waits for a sensor's first release, in periods. A sensor that never starts must not stop
/// the learning.
const FIRST_RELEASE: u64 = 8;

pub(super) fn decide(schedule: &Schedule, now: Nanos) -> Action {
    match schedule.policy {
        Policy::Fcfs => in_order_of_arrival(schedule, now, 1),
        Policy::InFlight(depth) => in_order_of_arrival(schedule, now, depth),
        Policy::TimeSlice(slice) => time_slice(schedule, now, slice),
        Policy::Fulcrum => fulcrum(schedule, now),
        Policy::Priority => inference_first(schedule, now, most_important(schedule, now)),
        Policy::Edf => inference_first(schedule, now, most_urgent(schedule, now)),
        Policy::Slack => slack(schedule, now),
    }
}

/// What each stream would run at `now`.
fn heads(schedule: &Schedule, now: Nanos) -> impl Iterator<Item = (&super::Stream, Head)> {
    let streams = schedule.streams.iter().enumerate();
    streams.filter_map(move |(index, stream)| Some((stream, stream.head(index, now)?)))
}

/// The work of a stream with the earliest deadline.
fn most_urgent(schedule: &Schedule, now: Nanos) -> Option<Action> {
    let first = heads(schedule, now).min_by_key(|(_, head)| head.deadline);
    first.map(|(_, head)| head.action)
}

/// The work of the stream of the highest priority; of several that with the earliest deadline.
fn most_important(schedule: &Schedule, now: Nanos) -> Option<Action> {
    let rank = |(stream, head): &(&super::Stream, Head)| (Reverse(stream.spec().priority), head.deadline);
    heads(schedule, now).min_by_key(rank).map(|(_, head)| head.action)
}

/// When something may become ready by the passing of time alone.
fn next_event(schedule: &Schedule, now: Nanos) -> Nanos {
    let flushes = schedule.streams.iter().map(super::Stream::flush);
    let jobs = schedule
        .jobs
        .iter()
        .map(super::Job::ready_since)
        .filter(|since| *since > now);
    let rest = Some(schedule.rest.until()).filter(|until| *until > now && !schedule.jobs.is_empty());
    flushes.chain(jobs).chain(rest).min().unwrap_or(Nanos::MAX)
}

/// Jobs whose next piece may start at `now`, none while rest is owed, in turn: after the one that ran last comes first.
fn ready_jobs(schedule: &Schedule, now: Nanos) -> impl Iterator<Item = usize> {
    let after = schedule.last_job.saturating_add(1);
    let (first, second) = (after..schedule.jobs.len(), 0..after.min(schedule.jobs.len()));
    let rested = schedule.rest.until() <= now;
    let may_start = move |index: &usize| {
        let job = schedule.jobs.get(*index);
        rested && job.is_some_and(|job| job.ready_since() <= now)
    };
    first.chain(second).filter(may_start)
}

fn piece(schedule: &Schedule, job: usize) -> Action {
    Action::Piece {
        job,
        piece: schedule.jobs.get(job).map_or(0, super::Job::next_piece),
    }
}

/// The next piece, or until when there is nothing to do.
fn any_piece(schedule: &Schedule, now: Nanos) -> Action {
    match ready_jobs(schedule, now).next() {
        Some(job) => piece(schedule, job),
        None => Action::Idle {
            until: next_event(schedule, now),
        },
    }
}

fn inference_first(schedule: &Schedule, now: Nanos, minibatch: Option<Action>) -> Action {
    minibatch.unwrap_or_else(|| any_piece(schedule, now))
}

fn time_slice(schedule: &Schedule, now: Nanos, slice: Nanos) -> Action {
    let trains = schedule.turn < slice && ready_jobs(schedule, now).next().is_some();
    match most_urgent(schedule, now) {
        Some(minibatch) if !trains => minibatch,
        _ => any_piece(schedule, now),
    }
}

fn in_order_of_arrival(schedule: &Schedule, now: Nanos, depth: u8) -> Action {
    let minibatches = heads(schedule, now).map(|(_, head)| (head.since, head.action));
    let pieces = ready_jobs(schedule, now)
        .filter_map(|job| Some((schedule.jobs.get(job)?.joined(depth), piece(schedule, job))));
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

/// Whether training has had less than the share it was promised, and no piece since the last minibatch.
fn is_starved(schedule: &Schedule, now: Nanos) -> bool {
    let due = (now - schedule.started).0 as u128 * u128::from(schedule.least_share);
    schedule.turn == Nanos::ZERO && u128::from(schedule.trained.0) * 1_000 < due
}

fn mid_step(schedule: &Schedule, job: usize) -> bool {
    schedule.jobs.get(job).is_some_and(|job| job.next_piece() > 0)
}

fn slack(schedule: &Schedule, now: Nanos) -> Action {
    if is_starved(schedule, now) && ready_jobs(schedule, now).next().is_some() {
        return any_piece(schedule, now);
    }
    if let Some(minibatch) = most_urgent(schedule, now) {
        return minibatch;
    }
    if schedule.rule() != Rule::Reserved {
        return any_piece(schedule, now);
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
