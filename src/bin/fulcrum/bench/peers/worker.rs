//! The process of an arm: does its part of the work in the class, group and place that the arm gives it.
//!
//! It is this program again, told by its first line of input what to do and by its second when to begin.
//! Whatever it asks of the kernel ends with it, and it ends with the process that started it.

use super::group;
use super::peer::{Part, Peer, Seat};
use crate::bench::arm::{self, LINGER, PERIOD, Place, Repeated, Seeing};
use crate::bench::arrivals::{Arrivals, Frames};
use crate::bench::measured::Cut;
use crate::bench::prepared::{cuts, learning, take_place, weigh};
use crate::models::Models;
use crate::processor::DISPATCHER;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::schedule::{Policy, Request};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::OnnxTraining;
use fulcrum::workload::{Inference, Training, WorkloadError};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// `slack` cuts a step into pieces of at most this part of it.
const CUT: u64 = 16;

/// Requests and steps before the arm, so that no page is touched for the first time within it.
const WARM: u64 = 3;

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The process that ends this one when it ends.
    pub(super) parent: i32,
    pub(super) peer: Peer,
    pub(super) part: Part,
    pub(super) places: Places,
    pub(super) work: Work,
    pub(super) arrivals: Arrivals,
    pub(super) periods: u64,
    pub(super) seed: u64,
    pub(super) group: Option<PathBuf>,
}

/// Processors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Places {
    /// The one that is shared.
    pub(super) shared: usize,
    /// Another, where there is one.
    pub(super) other: Option<usize>,
    pub(super) all: Vec<usize>,
}

/// How heavy the work is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Work {
    /// `U` that is wanted.
    pub(super) share: f64,
    pub(super) engine: String,
    pub(super) runs_per_request: u32,
    /// `C` as announced, an upper quantile with a margin, nanoseconds.
    pub(super) cost: u64,
    pub(super) minibatch: usize,
    /// The longest piece of a step that `slack` is to have, nanoseconds.
    pub(super) piece: u64,
    /// Pieces of a step under `slack`, the fetch included.
    pub(super) pieces: usize,
}

/// What a worker says, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Weighed(Work),
    Ready,
    Played(Played),
    /// The machine will not let it do this.
    Refused(String),
    Failed(String),
}

/// What became of a worker's part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Played {
    /// From the scheduled release to the answer, nanoseconds.
    pub(super) latencies: Vec<u64>,
    /// Answered before the arm's end.
    pub(super) served: u64,
    /// Answered on the shared processor; not known of a dispatcher, which is bound to it.
    pub(super) on_shared: Option<u64>,
    /// Training steps within the arm, the last and the first in part.
    pub(super) steps: f64,
    /// Nanoseconds, in which.
    pub(super) time: u64,
    pub(super) bound: Option<u64>,
    pub(super) violations: u64,
    pub(super) warnings: Vec<String>,
}

/// Does what the first line of input says.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let order: Order = serde_json::from_str(&lines.next().unwrap_or_default())
        .map_err(|error| format!("this is started by `fulcrum bench peers`, not by hand: {error}"))?;
    // It may have ended before the signal was asked for.
    if getppid().is_none_or(|parent| parent.as_raw_pid() != order.parent) {
        return Err("the process that started this one has ended".into());
    }
    let mut start = || match lines.next().and_then(|line| line.parse().ok()) {
        Some(start) => Ok(Nanos(start)),
        None => Err("the start was not told".into()),
    };
    match serve(&order, &mut start) {
        Ok(told) => say(&told),
        Err(error) => say(&Told::Failed(error.to_string())),
    }
}

fn say(told: &Told) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(told)?)?;
    Ok(out.flush()?)
}

type Start<'a> = &'a mut dyn FnMut() -> Result<Nanos, Box<dyn Error>>;

fn serve(order: &Order, start: Start) -> Result<Told, Box<dyn Error>> {
    let models = Models::read(None, None, None)?;
    if order.part == Part::Weigh {
        return Ok(Told::Weighed(weighed(&models, &order.work)?));
    }
    if let Some(path) = &order.group
        && let Err(reason) = group::join(path)
    {
        return Ok(Told::Refused(reason));
    }
    let seat = match order.peer.seat(order.part) {
        Seat::Other => order.places.other,
        Seat::Shared | Seat::Any => Some(order.places.shared),
    };
    let Some(seat) = seat else {
        return Ok(Told::Refused("this machine has no second processor".into()));
    };
    if order.peer.policy().is_some() {
        return mediated(&models, order, start);
    }
    let mut seeing = match order.part {
        Part::Learn => None,
        _ => Some(seeing(&models, order)?),
    };
    let mut cut = match order.part {
        Part::See => None,
        _ => Some(Cut::new(&models, None)?),
    };
    if let Err(errno) = stay_on(&[seat]) {
        return Ok(Told::Refused(format!("processor {seat} was refused: {errno}")));
    }
    if let Some(reason) = enter(order) {
        return Ok(Told::Refused(reason));
    }
    let mut work = cut.as_mut().and_then(|cut| cut.work.as_mut());
    if let Some(work) = &mut work {
        (0..WARM).try_for_each(|_| step(work))?;
    }
    if let Some(seeing) = &mut seeing {
        warm(seeing)?;
    }
    say(&Told::Ready)?;
    let frames = Frames {
        start: Some(start()?),
        ..frames(order)
    };
    let shared = order.places.shared;
    let failed = |error: WorkloadError| error.to_string();
    Ok(Told::Played(match (&mut seeing, work) {
        (Some(seeing), None) => see(seeing, &frames, shared)?,
        (None, Some(work)) => learn(work, &frames)?,
        (None, None) => Played::default(),
        (Some(seeing), Some(work)) => std::thread::scope(|scope| {
            let learner = scope.spawn(|| learn(work, &frames).map_err(failed));
            let seer = scope.spawn(|| see(seeing, &frames, shared).map_err(failed));
            let ended = "a thread of the arm panicked";
            let (learnt, seen) = (learner.join(), seer.join());
            let (learnt, seen) = (learnt.map_err(|_| ended)??, seen.map_err(|_| ended)??);
            Ok::<_, Box<dyn Error>>(Played {
                steps: learnt.steps,
                ..seen
            })
        })?,
    }))
}

fn frames(order: &Order) -> Frames {
    Frames::new(order.arrivals, order.periods, order.seed)
}

/// How often the model runs for a request, how long that takes, and how a step is cut.
fn weighed(models: &Models, wanted: &Work) -> Result<Work, Box<dyn Error>> {
    let place = take_place();
    let mut seeing = Some(Repeated::new(models)?);
    let mut cuts = cuts(models, &[1, CUT])?;
    let (runs_per_request, cost) = weigh(place, wanted.share, &mut seeing, &mut cuts)?;
    let whole = cuts.first();
    let minibatch = whole
        .and_then(|cut| cut.work.as_ref())
        .map_or(0, OnnxTraining::minibatch);
    Ok(Work {
        share: wanted.share,
        engine: models.engine(),
        runs_per_request,
        cost: cost.0,
        minibatch,
        piece: whole.map_or(0, |cut| cut.longest().0 / CUT),
        pieces: cuts.last().map_or(0, |cut| cut.lengths.len()),
    })
}

fn seeing(models: &Models, order: &Order) -> Result<Repeated, Box<dyn Error>> {
    let mut seeing = Repeated::new(models)?;
    seeing.times = order.work.runs_per_request;
    Ok(seeing)
}

fn warm(seeing: &mut Repeated) -> Result<(), WorkloadError> {
    (0..WARM).try_for_each(|_| seeing.run(&[Request::default()], &mut [0]))
}

fn stay_on(processors: &[usize]) -> rustix::io::Result<()> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|cpu| set.set(*cpu));
    sched_setaffinity(None, &set)
}

/// Takes the arm's class, and every processor where the arm says so; why not, if it is refused.
fn enter(order: &Order) -> Option<String> {
    if order.peer.seat(order.part) == Seat::Any
        && let Err(errno) = stay_on(&order.places.all)
    {
        return Some(format!("not every processor may be used: {errno}"));
    }
    let class = order.peer.class(order.part, Nanos(order.work.cost), PERIOD)?;
    let errno = class.enter().err()?;
    let reason = std::io::Error::from_raw_os_error(errno);
    Some(format!(
        "{class:?} was refused: {reason}; it takes CAP_SYS_NICE or an rtprio limit"
    ))
}

/// Answers each frame in order, the next one at once if it is late for it.
fn see(work: &mut Repeated, frames: &Frames, shared: usize) -> Result<Played, WorkloadError> {
    let start = frames.start.unwrap_or_default();
    let end = start + frames.length;
    let mut played = Played::default();
    let mut on_shared = 0;
    for (release, token) in frames.releases.iter().zip(0..) {
        let release = start + *release;
        Monotonic.sleep_until(release);
        work.run(&[Request { token, release }], &mut [0])?;
        let now = Monotonic.now();
        played.latencies.push((now - release).0);
        played.served += u64::from(now <= end);
        on_shared += u64::from(sched_getcpu() == shared);
    }
    Monotonic.sleep_until(end + LINGER);
    played.on_shared = Some(on_shared);
    played.time = frames.length.0;
    Ok(played)
}

fn step(work: &mut OnnxTraining) -> Result<(), WorkloadError> {
    (0..work.pieces()).try_for_each(|piece| work.run_piece(piece).map(|_| ()))
}

/// Trains from now until a little after the last period.
fn learn(work: &mut OnnxTraining, frames: &Frames) -> Result<Played, WorkloadError> {
    let start = frames.start.unwrap_or_default();
    let end = start + frames.length;
    let mut ends = vec![Monotonic.now()];
    while ends.last().is_some_and(|last| *last < end + LINGER) {
        step(work)?;
        ends.push(Monotonic.now());
    }
    Ok(Played {
        steps: steps_by(&ends, end) - steps_by(&ends, start),
        time: frames.length.0,
        ..Played::default()
    })
}

/// Steps by `moment`, given when each ended and when the first began; of the running one the part of its
/// time.
fn steps_by(ends: &[Nanos], moment: Nanos) -> f64 {
    let done = ends.partition_point(|end| *end <= moment);
    match (
        done.checked_sub(1).and_then(|last| ends.get(last)),
        ends.get(done),
    ) {
        (Some(from), Some(to)) => {
            (done - 1) as f64 + (moment - *from).as_secs_f64() / (*to - *from).as_secs_f64().max(1e-9)
        }
        _ => done.saturating_sub(1) as f64,
    }
}

/// Both parts under a policy of fulcrum, on one dispatcher.
fn mediated(models: &Models, order: &Order, start: Start) -> Result<Told, Box<dyn Error>> {
    let policy = order.peer.policy().unwrap_or(Policy::Slack);
    let others: Vec<usize> = order
        .places
        .all
        .iter()
        .copied()
        .filter(|cpu| *cpu != order.places.shared)
        .collect();
    // The dispatcher may never leave its processor, so the rest of this process keeps off it.
    let alone = others.is_empty() || stay_on(&others).is_err();
    let wanted = (policy == Policy::Slack).then_some(Nanos(order.work.piece));
    let mut cut = Cut::new(models, wanted)?;
    let mut seeing = seeing(models, order)?;
    warm(&mut seeing)?;
    let mut seeing = Some(seeing);
    if let Some(reason) = enter(order) {
        return Ok(Told::Refused(reason));
    }
    say(&Told::Ready)?;
    let frames = Frames {
        start: Some(start()?),
        ..frames(order)
    };
    let place = Place {
        cpu: (!alone).then_some(order.places.shared),
        priority: (order.peer != Peer::SlackIdle).then_some(DISPATCHER),
    };
    let stream = Seeing {
        work: &mut seeing,
        cost: Nanos(order.work.cost),
    };
    let outcome = arm::play(
        place,
        policy,
        &frames,
        Some(stream),
        Some(learning(&mut cut, None)),
    )?;
    let end = frames.start.unwrap_or_default() + frames.length;
    let latencies: Vec<u64> = outcome.answered.iter().map(|it| it.latency().0).collect();
    let served = |it: &&arm::Answered| it.start.is_some() && it.end <= end;
    // No bound holds for what nobody can announce.
    let bound = outcome.bound.filter(|_| order.arrivals != Arrivals::Poisson);
    Ok(Told::Played(Played {
        served: outcome.answered.iter().filter(served).count() as u64,
        on_shared: None,
        steps: outcome.steps,
        time: outcome.time.0,
        bound: bound.map(|bound| bound.0),
        violations: bound.map_or(0, |bound| {
            latencies.iter().filter(|it| **it > bound.0).count() as u64
        }),
        warnings: outcome.warnings,
        latencies,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_running_counts_by_its_time() {
        let ends = [10, 20, 40].map(Nanos);
        for (moment, steps) in [
            (5, 0.0),
            (10, 0.0),
            (15, 0.5),
            (20, 1.0),
            (30, 1.5),
            (40, 2.0),
            (50, 2.0),
        ] {
            assert_eq!(steps_by(&ends, Nanos(moment)), steps, "{moment}");
        }
        assert_eq!(steps_by(&[], Nanos(3)), 0.0);
    }
}
