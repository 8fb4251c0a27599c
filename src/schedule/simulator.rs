//! The simulator runs a [`Schedule`] under a clock that is moved by hand: an hour of a robot's time takes milliseconds.
//!
//! Arrivals and the times that work takes come from a random sequence; the decisions are the ones that the dispatcher would
//! get. Nothing here stands for an accelerator's speed: what is simulated is the order of work.

mod random;
mod source;
mod task_set;

pub use random::Random;
pub use task_set::TaskSet;

use super::log::Entry;
use super::{Action, Ended, Job, Request, RunningPiece, Schedule, Submission, worth_aborting};
use crate::limits;
use crate::units::Nanos;
use source::Source;

/// How the simulated world treats a schedule.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Length of the run.
    pub length: Nanos,
    /// Seed of everything random.
    pub seed: u64,
    /// The least part of its announced time that work takes, in thousandths; what it takes lies between that and all of it.
    pub quickest: u64,
    /// Thousandths of the arrivals that come as early as a stream's announcement allows; the others come at random later.
    pub eager: u64,
    /// Thousandths of the pieces that fail.
    pub failing: u64,
    /// Thousandths of the pieces that take three times their announced length and the allowance.
    pub overrunning: u64,
}

/// What became of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOutcome {
    /// Requests answered.
    pub answered: u64,
    /// Requests that found the queue full.
    pub turned_away: u64,
    /// Requests that were skipped by their stream's rule.
    pub skipped: u64,
    /// Requests that ended after their deadline, those skipped included.
    pub missed: u64,
    /// The longest latency of an answered request.
    pub longest: Nanos,
    /// The sum of all latencies.
    pub sum: Nanos,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// By stream.
    pub streams: heapless::Vec<StreamOutcome, { limits::STREAMS }>,
    /// Training steps ended.
    pub steps: u64,
    /// Time that training had.
    pub trained: Nanos,
    /// Pieces that overran.
    pub overruns: u64,
    /// Pieces given up for a request.
    pub aborted: u64,
    /// Times that a bound moved, because of what was measured.
    pub bound_moves: u64,
    /// Jobs that were parked.
    pub parked: u64,
    /// Time that nothing ran.
    pub idle: Nanos,
    /// When the last work ended.
    pub end: Nanos,
    /// Decisions taken.
    pub decisions: u64,
}

/// Runs `schedule`, which has started at zero and is empty, in `world`.
pub fn run(schedule: &mut Schedule, world: &World) -> Outcome {
    run_logged(schedule, world, |_| ())
}

/// As [`run`], and hands the log of inputs and decisions to `log`.
pub fn run_logged(schedule: &mut Schedule, world: &World, log: impl FnMut(Entry)) -> Outcome {
    let mut random = Random::new(world.seed);
    let sources = schedule
        .streams()
        .iter()
        .map(|stream| Source::new(stream.spec().arrival, world, &mut random))
        .collect();
    run_over(schedule, world, random, sources, log)
}

/// As [`run_logged`], over requests that were recorded: those of each stream in the order of their hand-in, which are the
/// log's [`Entry::Arrived`]. A stream that `trace` says nothing of stays silent.
pub fn run_trace(
    schedule: &mut Schedule,
    world: &World,
    trace: &[&[Submission]],
    log: impl FnMut(Entry),
) -> Outcome {
    let sources = schedule
        .streams()
        .iter()
        .enumerate()
        .map(|(index, stream)| {
            Source::recorded(
                stream.spec().arrival,
                trace.get(index).copied().unwrap_or_default(),
            )
        })
        .collect();
    run_over(schedule, world, Random::new(world.seed), sources, log)
}

fn run_over(
    schedule: &mut Schedule,
    world: &World,
    random: Random,
    sources: Sources<'_>,
    log: impl FnMut(Entry),
) -> Outcome {
    let mut outcome = Outcome::default();
    outcome
        .streams
        .extend(schedule.streams().iter().map(|_| StreamOutcome::default()));
    let run = Run {
        patience: (0..schedule.streams().len())
            .map(|stream| schedule.patience(stream))
            .collect(),
        open: schedule.streams().iter().map(|_| Minibatch::new()).collect(),
        schedule,
        world,
        random,
        sources,
        outcome,
        log,
        now: Nanos::ZERO,
    };
    run.until_the_end()
}

/// By stream.
type Sources<'t> = heapless::Vec<Source<'t>, { limits::STREAMS }>;

/// Requests of a minibatch that has started.
type Minibatch = heapless::Vec<Request, { limits::MINIBATCH }>;

/// A run and where it stands.
struct Run<'r, L> {
    schedule: &'r mut Schedule,
    world: &'r World,
    random: Random,
    sources: Sources<'r>,
    /// By stream, the minibatch that started last.
    open: heapless::Vec<Minibatch, { limits::STREAMS }>,
    /// By stream: how long after its release a request may wait for a piece.
    patience: heapless::Vec<Nanos, { limits::STREAMS }>,
    outcome: Outcome,
    log: L,
    now: Nanos,
}

impl<L: FnMut(Entry)> Run<'_, L> {
    fn until_the_end(mut self) -> Outcome {
        loop {
            self.hand_in(self.now);
            self.skip_overdue();
            while self.schedule.moved().is_some() {
                self.outcome.bound_moves += 1;
            }
            self.outcome.decisions += 1;
            let action = self.schedule.decide(self.now);
            (self.log)(Entry::decided(action, self.now));
            match action {
                Action::Minibatch { stream, count } => {
                    let mut requests = [Request::default(); limits::MINIBATCH];
                    let count = self.schedule.start_minibatch(stream, count, &mut requests);
                    if let Some(open) = self.open.get_mut(stream) {
                        *open = requests.iter().take(count).copied().collect();
                    }
                    self.run_minibatch(stream, 0);
                }
                Action::GoOn { stream, piece } => {
                    self.schedule.go_on(stream);
                    self.run_minibatch(stream, piece);
                }
                Action::Piece { job, piece } => self.run_piece(job, piece),
                Action::Idle { until } => {
                    let next = self.next_arrival().map(|(at, _)| at);
                    let wake = next.into_iter().chain([until]).min();
                    let Some(wake) = wake.filter(|wake| *wake < Nanos::MAX) else {
                        break;
                    };
                    // A schedule that waits for a moment that has passed would wait for ever.
                    let wake = wake.max(self.now + Nanos(1));
                    self.outcome.idle += wake - self.now;
                    self.now = wake;
                }
            }
            let mut streams = self.schedule.streams().iter();
            let waiting = streams.any(|stream| stream.waiting() > 0 || stream.next_piece().is_some());
            if self.now >= self.world.length && !waiting {
                break;
            }
        }
        self.outcome.end = self.now;
        self.outcome
    }

    /// What work of this announced length takes.
    fn takes(&mut self, announced: Nanos) -> Nanos {
        let quickest = Nanos(announced.0 / 1_000 * self.world.quickest.min(1_000));
        Nanos(announced.0 - self.random.below((announced - quickest).0 + 1)).max(Nanos(1))
    }

    /// When the next request is handed in, and to which stream; after the end of the run nothing comes any more.
    fn next_arrival(&self) -> Option<(Nanos, usize)> {
        let next = self.sources.iter().enumerate();
        let next = next.map(|(stream, source)| (source.next.at, stream));
        next.filter(|(at, _)| *at < self.world.length).min()
    }

    /// Hands in what has come until `until`.
    fn hand_in(&mut self, until: Nanos) {
        while let Some((_, stream)) = self.next_arrival().filter(|(at, _)| *at <= until) {
            let (Some(source), Some(of)) =
                (self.sources.get_mut(stream), self.outcome.streams.get_mut(stream))
            else {
                return;
            };
            let submission = source.take(self.world, &mut self.random);
            if self.schedule.arrive(stream, submission).is_ok() {
                (self.log)(Entry::arrived(stream, &submission));
            } else {
                of.turned_away += 1;
                of.missed += 1;
            }
        }
    }

    fn skip_overdue(&mut self) {
        let at = self.now;
        while let Some((stream, _)) = self.schedule.skip_overdue(at) {
            (self.log)(Entry::Skipped {
                stream: stream as u8,
                at,
            });
            if let Some(stream) = self.outcome.streams.get_mut(stream) {
                stream.skipped += 1;
                stream.missed += 1;
            }
        }
    }

    /// Runs a piece of the open minibatch of `stream`; what is not cut is one piece.
    fn run_minibatch(&mut self, stream: usize, piece: u16) {
        let Some(spec) = self.schedule.streams().get(stream).map(|it| it.spec()) else {
            return;
        };
        let deadline = spec.deadline;
        let length = spec.pieces.get(usize::from(piece)).copied();
        let (start, took) = (self.now, self.takes(length.unwrap_or(spec.cost)));
        self.now += took;
        self.schedule.end_minibatch(stream, start, self.now);
        (self.log)(Entry::Answered {
            stream: stream as u8,
            start,
            end: self.now,
        });
        let going_on = self
            .schedule
            .streams()
            .get(stream)
            .is_some_and(|it| it.next_piece().is_some());
        let (Some(of), Some(open)) = (self.outcome.streams.get_mut(stream), self.open.get(stream)) else {
            return;
        };
        if going_on && self.world.failing > 0 && self.random.below(1_000) < self.world.failing {
            self.schedule.give_up(stream);
            (self.log)(Entry::GivenUp {
                stream: stream as u8,
                at: self.now,
            });
        } else if going_on {
            return;
        }
        for request in open {
            let latency = self.now - request.release;
            of.answered += 1;
            of.missed += u64::from(latency > deadline);
            of.longest = of.longest.max(latency);
            of.sum += latency;
        }
    }

    fn run_piece(&mut self, index: usize, piece: u16) {
        let Some(job) = self.schedule.jobs().get(index) else {
            return;
        };
        let (announced, pieces) = (job.next_length(), job.spec().pieces.len());
        let abort = job.spec().abort.filter(|_| self.schedule.aborts());
        let start = self.now;
        let took = self.takes(announced);
        self.now += took;
        // Drawn only where asked for, so that a run without is the one it always was.
        if self.world.overrunning > 0 && self.random.below(1_000) < self.world.overrunning {
            self.outcome.overruns += 1;
            self.now = start + (announced + self.schedule.late).times(3);
        }
        let running = RunningPiece {
            start,
            end: start + announced + self.schedule.late,
        };
        let ended = if abort.is_some_and(|latency| self.give_up(running, latency)) {
            self.outcome.aborted += 1;
            Ended::Aborted
        } else if self.random.below(1_000) < self.world.failing {
            Ended::Failed
        } else if usize::from(piece) + 1 == pieces {
            self.outcome.steps += 1;
            Ended::Stepped
        } else {
            Ended::Ran
        };
        let end = self.now;
        self.outcome.trained += end - start;
        self.schedule.end_piece(index, ended, start, end);
        (self.log)(Entry::Ended {
            job: index as u8,
            ended,
            start,
            end,
        });
        self.outcome.parked += u64::from(self.schedule.jobs().get(index).is_some_and(Job::parked));
    }

    /// Hands in what comes while a piece runs, and ends it early if it is given up for a request, as whoever submits does.
    fn give_up(&mut self, running: RunningPiece, latency: Nanos) -> bool {
        while let Some((at, stream)) = self.next_arrival().filter(|(at, _)| *at < self.now) {
            let source = self.sources.get(stream).map(|source| source.next.request.release);
            let patience = self.patience.get(stream).copied();
            self.hand_in(at);
            let needed = source.unwrap_or(at) + patience.unwrap_or(Nanos::ZERO);
            if worth_aborting(at, running, needed, latency) {
                let ends = at + self.takes(latency);
                let aborted = ends < self.now;
                self.now = self.now.min(ends);
                return aborted;
            }
        }
        false
    }
}
