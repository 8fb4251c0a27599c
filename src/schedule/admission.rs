//! Admission: the bound of every stream, and whether what was asked for fits.

use super::{Arrival, Job, Policy, Schedule, Stream};
use crate::bound::{Blocking, DRIFT, Demand, Rule, deadlines_hold, worst_case};
use crate::limits;
use crate::units::Nanos;
use core::fmt;
use heapless::Vec;

/// Why what was asked for does not fit, and what would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The streams alone ask for more than the accelerator has: no latency can be promised.
    Overload,
    /// The bound of a stream is above its deadline.
    Late {
        /// Index of the stream.
        stream: usize,
        /// Its bound.
        bound: Nanos,
        /// Its deadline.
        deadline: Nanos,
        /// The longest training piece with which it would fit; zero if not even without training.
        largest_piece: Nanos,
    },
    /// A job's longest piece fits into no gap between known releases, so it would never run.
    Starved {
        /// Index of the job.
        job: usize,
        /// Its longest piece.
        piece: Nanos,
        /// The gap.
        gap: Nanos,
    },
    /// The streams and jobs hold more memory together than they may.
    Memory {
        /// Bytes that they hold.
        taken: u64,
        /// Bytes that they may.
        most: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Overload => {
                f.write_str("the inference streams alone need more than the accelerator has; lower a rate or raise the power mode")
            }
            Refusal::Late { stream, bound, deadline, largest_piece } if *largest_piece == Nanos::ZERO => write!(
                f,
                "stream {stream} has a bound of {bound}, above its deadline of {deadline}, and would without training too"
            ),
            Refusal::Late { stream, bound, deadline, largest_piece } => write!(
                f,
                "stream {stream} has a bound of {bound}, above its deadline of {deadline}; training pieces of at most \
                 {largest_piece} would fit"
            ),
            Refusal::Starved { job, piece, gap } => write!(
                f,
                "the longest piece of job {job}, {piece}, fits into no gap between two releases ({gap}); cut its step finer"
            ),
            Refusal::Memory { taken, most } => write!(
                f,
                "the streams and jobs hold {} MB and may hold {} MB; take a smaller micro-batch, cut the step otherwise or allow more",
                taken.div_ceil(1_000_000),
                most / 1_000_000
            ),
        }
    }
}

impl core::error::Error for Refusal {}

impl Schedule {
    /// The worst-case latency of `stream` under the present policy, from release to completion; `None` if there is none.
    /// Counts what is announced, and where more was measured, that.
    pub fn bound(&self, stream: usize) -> Option<Nanos> {
        let bound = worst_case(self.rule, &self.demands(), stream, self.blocking());
        let deadline = self.streams.get(stream)?.spec().deadline;
        match bound {
            Some(bound) if bound <= deadline => Some(bound),
            _ if self.earliest_first() => Some(deadline),
            bound => bound,
        }
    }

    /// Whether every stream keeps its deadline, every job gets to run, and all of them have the memory that they hold; else the
    /// first reason why not.
    pub fn would_fit(&self) -> Result<(), Refusal> {
        self.memory.would_fit()?;
        for (index, stream) in self.streams.iter().enumerate() {
            let deadline = stream.spec().deadline;
            let bound = self.bound(index).ok_or(Refusal::Overload)?;
            if bound > deadline {
                let largest_piece = self.largest_piece(index, deadline);
                return Err(Refusal::Late {
                    stream: index,
                    bound,
                    deadline,
                    largest_piece,
                });
            }
        }
        if self.rule == Rule::Reserved {
            let gap = self.gap();
            for (index, job) in self.jobs.iter().enumerate() {
                if job.longest_piece() + self.switch > gap {
                    return Err(Refusal::Starved {
                        job: index,
                        piece: job.longest_piece(),
                        gap,
                    });
                }
            }
        }
        Ok(())
    }

    /// A stream whose bound is another than was told last, with the new one; asked until there is none.
    pub fn moved(&mut self) -> Option<(usize, Option<Nanos>)> {
        while let Some(index) = self.to_check.pop() {
            let bound = self.bound(index);
            let told = self.told.get_mut(index)?;
            if *told != bound {
                *told = bound;
                return Some((index, bound));
            }
        }
        None
    }

    /// Has every bound computed again, by [`Schedule::moved`].
    pub(super) fn check_again(&mut self) {
        self.to_check = (0..self.streams.len()).collect();
    }

    /// Whether the order of deadlines proves more than the bound of any order does.
    fn earliest_first(&self) -> bool {
        let by_deadline = match self.policy {
            Policy::Edf => true,
            Policy::Slack => self.rule == Rule::Border,
            _ => false,
        };
        let deadlines: Vec<Nanos, { limits::STREAMS }> =
            self.streams.iter().map(|stream| stream.spec().deadline).collect();
        by_deadline && deadlines_hold(&self.demands(), &deadlines, self.blocking())
    }

    /// Which promise holds.
    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) fn choose_rule(&self) -> Rule {
        match self.policy {
            Policy::Fcfs | Policy::InFlight(_) => Rule::Queue,
            Policy::Fulcrum | Policy::Edf => Rule::Border,
            Policy::Priority => Rule::Priority,
            Policy::TimeSlice(_) => Rule::Turns,
            Policy::Slack if self.least_share > 0 && !self.jobs.is_empty() => Rule::Turns,
            Policy::Slack => self.choose_slack_rule(),
        }
    }

    /// Keeping releases free costs training at most a piece a period and buys the shorter bound, so it is the choice
    /// for one sensor whose gaps hold a piece. With several sensors the gaps may be too short for ever; then blocking
    /// is preferred where every deadline allows it.
    fn choose_slack_rule(&self) -> Rule {
        let sporadic = self
            .streams
            .iter()
            .any(|stream| !matches!(stream.spec().arrival, Arrival::Periodic { .. }));
        if self.streams.is_empty() || self.jobs.is_empty() || sporadic {
            return Rule::Border;
        }
        let longest = self
            .jobs
            .iter()
            .map(Job::longest_piece)
            .max()
            .unwrap_or(Nanos::ZERO);
        if self.streams.len() == 1 && longest + self.switch <= self.gap() {
            return Rule::Reserved;
        }
        let demands = self.demands();
        let blocking = self.blocking();
        let allowed = self.streams.iter().enumerate().all(|(index, stream)| {
            worst_case(Rule::Border, &demands, index, blocking)
                .is_some_and(|bound| bound <= stream.spec().deadline)
        });
        if allowed { Rule::Border } else { Rule::Reserved }
    }

    /// The time between the end of inference and the next release that is always free.
    fn gap(&self) -> Nanos {
        let inference = self.streams.iter().fold(Nanos::ZERO, |sum, it| {
            let pieces = it.spec().pieces.len().max(1) as u64;
            sum + it.spec().cost + self.switch.times(pieces)
        });
        let gaps = self.streams.iter().map(|stream| {
            let arrival = &stream.spec().arrival;
            let drift = Nanos(arrival.period().0.div_ceil(DRIFT));
            arrival.period().times(u64::from(stream.spec().minibatch)) - arrival.jitter() - drift - inference
        });
        gaps.min().unwrap_or(Nanos::MAX)
    }

    fn demands(&self) -> Vec<Demand, { limits::STREAMS }> {
        self.streams.iter().map(Stream::demand).collect()
    }

    fn blocking(&self) -> Blocking {
        self.blocking_of(|job| {
            let longest = job.longest_piece() + job.excess();
            // Where releases are kept free a piece is in the way only while it overruns, and no abort is counted on. A
            // minibatch that is run because it did not fill up in time comes with no request that could abort a piece.
            let counts = self.aborts() && self.rule != Rule::Reserved && !self.flushes();
            let abort = job.spec().abort.filter(|_| counts);
            abort.map_or(longest, |abort| longest.min(abort))
        })
    }

    /// Whether a piece may be given up for a request: where inference goes first at the border that this makes.
    pub fn aborts(&self) -> bool {
        matches!(self.policy, Policy::Priority | Policy::Edf | Policy::Slack) && self.rule != Rule::Turns
    }

    /// Whether the time alone may make a minibatch ready: one that did not fill up, if only because its sensor stopped.
    fn flushes(&self) -> bool {
        self.streams.iter().any(|stream| stream.spec().minibatch > 1)
    }

    /// How long a request may wait for a training piece after its release, by the bound of its stream.
    pub fn patience(&self, stream: usize) -> Nanos {
        let jitter = self.streams.get(stream).map(|it| it.spec().arrival.jitter());
        let blocking = self.blocking();
        let piece = match self.rule {
            Rule::Reserved => blocking.piece.min(blocking.late),
            _ => blocking.piece,
        };
        jitter.unwrap_or(Nanos::ZERO).max(piece)
    }

    /// The blocking if the longest piece of each job were what `longest` says.
    fn blocking_of(&self, longest: impl Fn(&Job) -> Nanos) -> Blocking {
        let longest = self.jobs.iter().map(|job| longest(job) + self.late);
        let piece = match self.policy {
            // Each job may have one piece in the queue, or as many as it is deep.
            Policy::Fcfs => longest.fold(Nanos::ZERO, |sum, piece| sum + piece),
            Policy::InFlight(depth) => {
                longest.fold(Nanos::ZERO, |sum, piece| sum + piece.times(u64::from(depth)))
            }
            // The last piece of a turn may start just before its end.
            Policy::TimeSlice(slice) => longest.max().map_or(Nanos::ZERO, |piece| slice + piece),
            Policy::Fulcrum | Policy::Priority | Policy::Edf | Policy::Slack => {
                longest.max().unwrap_or(Nanos::ZERO)
            }
        };
        let late = if self.jobs.is_empty() {
            Nanos::ZERO
        } else {
            let measured = self.jobs.iter().map(Job::excess).max();
            self.late + measured.unwrap_or(Nanos::ZERO)
        };
        Blocking {
            piece,
            late,
            switch: self.switch,
        }
    }

    /// The longest announced piece with which the bound of `stream` is at most `deadline`, by bisection: the bound
    /// never falls as the piece grows.
    fn largest_piece(&self, stream: usize, deadline: Nanos) -> Nanos {
        let demands = self.demands();
        // Where a piece has to fit a gap, its blocking is not what the bound is made of.
        let rule = if self.rule == Rule::Reserved {
            Rule::Border
        } else {
            self.rule
        };
        let fits = |piece: u64| {
            let blocking = self.blocking_of(|_| Nanos(piece));
            worst_case(rule, &demands, stream, blocking).is_some_and(|bound| bound <= deadline)
        };
        let (mut low, mut high) = (0, deadline.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle
            } else {
                high = middle - 1
            }
        }
        Nanos(low)
    }

    /// `tau`: training minibatches of `job` that fit into a cycle beside the inference (policy `fulcrum`).
    pub(super) fn minibatches_per_cycle(&self, job: usize) -> u32 {
        let step = self
            .jobs
            .get(job)
            .map_or(Nanos::ZERO, |job| job.step_length() + self.late);
        if self.streams.is_empty() {
            return u32::MAX;
        }
        u32::try_from(self.gap().0.checked_div(step.0).unwrap_or(0)).unwrap_or(u32::MAX)
    }
}
