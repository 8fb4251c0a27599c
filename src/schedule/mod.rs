//! The [`Schedule`] decides at each piece border what runs next: state and now in, [`Action`] out.
//!
//! `no_std`, no allocator, no floating point, no panic path. It neither reads a clock nor runs anything; the dispatcher
//! does both, and a test drives it with a [`crate::clock::ManualClock`].

pub mod abort;
pub mod admission;
pub mod arrival;
mod error;
pub mod histogram;
pub mod job;
pub mod log;
mod measured;
mod memory;
pub mod policy;
pub mod quantile;
mod rest;
#[cfg(feature = "std")]
pub mod simulator;
pub mod statistics;
pub mod stream;

pub use abort::{RunningPiece, worth_aborting};
pub use admission::Refusal;
pub use arrival::Arrival;
pub use error::ScheduleError;
pub use histogram::Histogram;
pub use job::{Ended, Job, JobSpec, Pieces};
pub use measured::COLD;
pub use policy::Policy;
pub use quantile::Quantile;
pub use statistics::{JobStatistics, StreamStatistics};
pub use stream::{Full, Overdue, Request, Stream, StreamSpec, Submission};

use crate::bound::Rule;
use crate::limits;
use crate::units::Nanos;
use heapless::Vec;
use memory::Memory;
use rest::Rest;

/// A stream's or a job's name.
pub type Name = heapless::String<{ limits::NAME }>;

/// Cuts `text` to the length of a [`Name`], at a character border.
pub fn name(text: &str) -> Name {
    let mut short = Name::new();
    for character in text.chars() {
        if short.push(character).is_err() {
            break;
        }
    }
    short
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run one minibatch of the `count` oldest requests of `stream`.
    Minibatch {
        /// Index of the stream.
        stream: usize,
        /// Requests, 1 to [`limits::MINIBATCH`].
        count: usize,
    },
    /// Run the next piece of a minibatch of `stream` that has started already.
    GoOn {
        /// Index of the stream.
        stream: usize,
        /// The piece's place in the minibatch, counted from 0; never the first.
        piece: u16,
    },
    /// Run the next piece of `job`.
    Piece {
        /// Index of the job.
        job: usize,
        /// The piece's place in its step.
        piece: u16,
    },
    /// Nothing may run before `until`, unless a request arrives. [`Nanos::MAX`]: until one arrives.
    Idle {
        /// When to ask again.
        until: Nanos,
    },
}

/// Streams, jobs, and the policy that orders them.
#[derive(Clone, Debug)]
pub struct Schedule {
    policy: Policy,
    switch: Nanos,
    late: Nanos,
    streams: Vec<Stream, { limits::STREAMS }>,
    jobs: Vec<Job, { limits::JOBS }>,
    /// Training minibatches ended since the last inference minibatch (policy `fulcrum`).
    since_inference: u32,
    /// Time training has had since the last inference minibatch.
    turn: Nanos,
    /// Time training has had since the start.
    trained: Nanos,
    /// Thousandths of the time that training is to have at least, under the policy `slack`.
    least_share: u32,
    rest: Rest,
    memory: Memory,
    /// The job that ran last, so that several take turns.
    last_job: usize,
    started: Nanos,
    rule: Rule,
    /// When the last work ended; `None` at the start and after a change of mode.
    last_end: Option<Nanos>,
    /// The bounds that were told last.
    told: Vec<Option<Nanos>, { limits::STREAMS }>,
    /// Streams whose bound is to be computed again.
    to_check: Vec<usize, { limits::STREAMS }>,
}

impl Schedule {
    /// An empty schedule. `switch` is the time from a decision to the first instruction of the work; `late` is how far
    /// a piece may overrun the length it is announced with.
    pub fn new(policy: Policy, switch: Nanos, late: Nanos) -> Schedule {
        Schedule {
            policy,
            switch,
            late,
            streams: Vec::new(),
            jobs: Vec::new(),
            since_inference: 0,
            turn: Nanos::ZERO,
            trained: Nanos::ZERO,
            least_share: 0,
            rest: Rest::default(),
            memory: Memory::default(),
            last_job: 0,
            started: Nanos::ZERO,
            rule: Rule::Border,
            last_end: None,
            told: Vec::new(),
            to_check: Vec::new(),
        }
    }

    /// Lets training have at least `permille` thousandths of the time (policy `slack`): while it has had less, one piece runs
    /// before each minibatch. The bound counts that piece. 0 asks for nothing.
    pub fn set_least_share(&mut self, permille: u32) {
        self.least_share = permille.min(1_000);
    }

    /// Keeps `permille` thousandths of the time free of work, by holding training back, whatever the policy: what the operating
    /// system would else take at a moment of its own. Inference is never held back. 0 keeps nothing free.
    pub fn set_rest(&mut self, permille: u32) {
        self.rest = Rest::of(permille);
    }

    /// Adds an inference stream; its index counts from 0 in the order of adding.
    pub fn add_stream(&mut self, spec: StreamSpec) -> Result<usize, ScheduleError> {
        if spec.arrival.period() == Nanos::ZERO || spec.deadline == Nanos::ZERO || spec.cost == Nanos::ZERO {
            return Err(ScheduleError::Zero);
        }
        if spec.minibatch == 0 || spec.minibatch as usize > limits::MINIBATCH {
            return Err(ScheduleError::Minibatch(spec.minibatch));
        }
        let burst = spec.arrival.burst();
        if burst == 0 || burst as usize > limits::REQUESTS {
            return Err(ScheduleError::Burst(burst));
        }
        let sum = spec.pieces.iter().fold(Nanos::ZERO, |sum, piece| sum + *piece);
        if sum > spec.cost || spec.pieces.contains(&Nanos::ZERO) {
            return Err(ScheduleError::Cut { sum, cost: spec.cost });
        }
        self.streams
            .push(Stream::new(spec))
            .map_err(|_| ScheduleError::StreamsFull)?;
        Ok(self.streams.len() - 1)
    }

    /// Adds a training job; its index counts from 0 in the order of adding.
    pub fn add_job(&mut self, spec: JobSpec) -> Result<usize, ScheduleError> {
        let pieces = spec.pieces.len();
        if pieces == 0 || spec.pieces.contains(&Nanos::ZERO) {
            return Err(ScheduleError::Pieces(pieces));
        }
        self.jobs
            .push(Job::new(spec))
            .map_err(|_| ScheduleError::JobsFull)?;
        Ok(self.jobs.len() - 1)
    }

    /// Fixes the promise that is made from `now` on; called once, after the last stream and job were added.
    pub fn start(&mut self, now: Nanos) {
        self.started = now;
        self.rule = self.choose_rule();
        self.told = (0..self.streams.len()).map(|stream| self.bound(stream)).collect();
    }

    /// The same set-up under another policy, its promise chosen anew; for a schedule that has started and taken nothing in.
    #[must_use]
    pub fn under(mut self, policy: Policy) -> Schedule {
        self.policy = policy;
        self.rule = self.choose_rule();
        self
    }

    /// The moment that was handed to [`Schedule::start`].
    pub fn started(&self) -> Nanos {
        self.started
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The streams, by index.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The jobs, by index.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Takes a request in. A full queue hands it back; an unknown stream does too.
    pub fn arrive(&mut self, stream: usize, submission: Submission) -> Result<(), Full> {
        match self.streams.get_mut(stream) {
            Some(stream) => stream.arrive(submission),
            None => Err(Full(submission)),
        }
    }

    /// What to do at `now`. Changes nothing: asked twice it answers the same.
    pub fn decide(&self, now: Nanos) -> Action {
        policy::decide(self, now)
    }

    /// Takes the `count` oldest requests of `stream` out of its queue, into `minibatch`; returns how many there were.
    pub fn start_minibatch(&mut self, stream: usize, count: usize, minibatch: &mut [Request]) -> usize {
        self.since_inference = 0;
        self.turn = Nanos::ZERO;
        self.streams
            .get_mut(stream)
            .map_or(0, |stream| stream.take(count, minibatch))
    }

    /// Starts the next piece of the open minibatch of `stream`.
    pub fn go_on(&mut self, stream: usize) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.go_on();
        }
    }

    /// Notes that the piece of a minibatch of `stream` that started last ran from `start` to `end`; an uncut minibatch is
    /// one piece.
    pub fn end_minibatch(&mut self, stream: usize, start: Nanos, end: Nanos) {
        let first = self.is_first(start);
        self.last_end = Some(end);
        self.rest.worked(start, end);
        let Some(stream) = self.streams.get_mut(stream) else {
            return;
        };
        let Some((count, ran, first)) = stream.ran(start, end, first) else {
            return;
        };
        let (full, cost) = (stream.spec().minibatch as usize, stream.spec().cost);
        let before = stream.times.excess;
        stream.times.record(count, full, first, ran, cost);
        if stream.times.excess != before {
            self.check_again();
        }
    }

    /// Notes that a piece of the open minibatch of `stream` failed: what is left of it is not run.
    pub fn give_up(&mut self, stream: usize) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.give_up();
        }
    }

    /// Takes over the announced lengths of a step that was cut finer; the next piece is then the first of a step. False, and
    /// nothing changed, for lengths that no job may have.
    pub fn recut(&mut self, job: usize, pieces: Pieces) -> bool {
        let taken = self.jobs.get_mut(job).is_some_and(|job| job.recut(pieces));
        if taken {
            self.check_again();
        }
        taken
    }

    /// Whether work that starts at `start` is the first after a while.
    fn is_first(&self, start: Nanos) -> bool {
        self.last_end.is_none_or(|end| start > end + COLD)
    }

    /// The power mode changed: what was measured in the old one no longer counts.
    pub fn mode_changed(&mut self) {
        self.last_end = None;
        for stream in &mut self.streams {
            stream.times = Default::default();
        }
        self.jobs.iter_mut().for_each(Job::forget_times);
        self.check_again();
    }

    /// Takes out a request that is not run any more at `now`, by its stream's [`Overdue`] rule, with the stream's index. Asked
    /// before each decision until it says `None`.
    pub fn skip_overdue(&mut self, now: Nanos) -> Option<(usize, Request)> {
        let mut streams = self.streams.iter_mut().enumerate();
        streams.find_map(|(index, stream)| Some((index, stream.skip(now)?)))
    }

    /// Notes that the piece that ran from `start` to `end` came to `ended`.
    pub fn end_piece(&mut self, job: usize, ended: Ended, start: Nanos, end: Nanos) {
        self.last_job = job;
        if ended != Ended::Dry {
            self.turn += end - start;
            self.trained += end - start;
        }
        if matches!(ended, Ended::Stepped) {
            self.since_inference = self.since_inference.saturating_add(1);
        }
        let (first, late) = (self.is_first(start), self.late);
        if ended != Ended::Dry {
            self.last_end = Some(end);
            self.rest.worked(start, end);
        }
        if let Some(job) = self.jobs.get_mut(job) {
            let before = job.excess();
            let ran = !matches!(ended, Ended::Dry | Ended::Aborted);
            if ran && end - start > job.next_length() + late {
                job.overrun();
            }
            // A piece that failed may have ended early.
            if ran && (ended != Ended::Failed || end - start > job.next_length()) {
                job.measure(first, end - start, late);
            }
            job.end_piece(ended, end);
            if job.excess() != before {
                self.check_again();
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests;
