//! The simulator runs a [`Schedule`] under a clock that is moved by hand: an hour of a robot's time takes milliseconds.
//!
//! Arrivals and the times that work takes come from a random sequence; the decisions are the ones that the dispatcher would
//! get. Nothing here stands for an accelerator's speed: what is simulated is the order of work.

use super::log::Entry;
use super::{Action, Arrival, Ended, Overdue, Request, Schedule, Submission};
use crate::limits;
use crate::units::Nanos;

/// A random sequence (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that follows from `seed`.
    pub fn new(seed: u64) -> Random {
        // Seeds that differ in one bit start far apart; zero is the generator's one forbidden state.
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A time from an exponential distribution of this mean: the gap between two arrivals of a Poisson process.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        Nanos((-(1.0 - unit).ln() * mean.0 as f64) as u64)
    }
}

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

/// Requests of one stream, as they come.
#[derive(Clone, Debug)]
struct Source {
    arrival: Arrival,
    /// The next one.
    next: Submission,
    /// How many of a burst may still come at once.
    burst: u32,
}

impl Source {
    fn new(arrival: Arrival, world: &World, random: &mut Random) -> Source {
        let mut source = Source {
            arrival,
            next: Submission::default(),
            burst: arrival.burst(),
        };
        let first = Nanos(random.below(arrival.period().0));
        source.release_at(first, 0, world, random);
        source
    }

    /// Sets the next request, released at `release`.
    fn release_at(&mut self, release: Nanos, token: u64, world: &World, random: &mut Random) {
        let jitter = self.arrival.jitter().0;
        let late = if random.below(1_000) < world.eager {
            0
        } else {
            random.below(jitter + 1)
        };
        self.next = Submission {
            request: Request { token, release },
            at: release + Nanos(late),
        };
    }

    /// Takes the next request and thinks of the one after it.
    fn take(&mut self, world: &World, random: &mut Random) -> Submission {
        let taken = self.next;
        let eager = random.below(1_000) < world.eager;
        let period = self.arrival.period();
        let wait = match self.arrival {
            Arrival::Periodic { .. } => period,
            Arrival::Sporadic { .. } if eager => period,
            Arrival::Sporadic { .. } => period + random.exponential(period),
            // A burst is spent at once or over time; a pause of one period gives one of it back.
            Arrival::Bursty { .. } if self.burst > 1 => {
                self.burst -= 1;
                Nanos::ZERO
            }
            Arrival::Bursty { burst, .. } => {
                let periods = if eager {
                    1
                } else {
                    1 + random.below(u64::from(burst) * 2)
                };
                self.burst = u32::try_from(periods).unwrap_or(burst).min(burst);
                period.times(periods)
            }
        };
        self.release_at(
            taken.request.release + wait,
            taken.request.token + 1,
            world,
            random,
        );
        taken
    }
}

/// Runs `schedule`, which has started at zero and is empty, in `world`.
pub fn run(schedule: &mut Schedule, world: &World) -> Outcome {
    run_logged(schedule, world, |_| ())
}

/// As [`run`], and hands the log of inputs and decisions to `log`.
pub fn run_logged(schedule: &mut Schedule, world: &World, mut log: impl FnMut(Entry)) -> Outcome {
    let mut random = Random::new(world.seed);
    let mut sources: heapless::Vec<Source, { limits::STREAMS }> = schedule
        .streams()
        .iter()
        .map(|stream| Source::new(stream.spec().arrival, world, &mut random))
        .collect();
    let mut outcome = Outcome::default();
    outcome
        .streams
        .extend(schedule.streams().iter().map(|_| StreamOutcome::default()));
    let mut now = Nanos::ZERO;
    let takes = |announced: Nanos, random: &mut Random| {
        let quickest = Nanos(announced.0 / 1_000 * world.quickest.min(1_000));
        Nanos(announced.0 - random.below((announced - quickest).0 + 1)).max(Nanos(1))
    };
    loop {
        hand_in(
            schedule,
            &mut sources,
            &mut outcome,
            now,
            world,
            &mut random,
            &mut log,
        );
        while let Some((stream, _)) = schedule.skip_overdue(now) {
            log(Entry::Skipped {
                stream: stream as u8,
                at: now,
            });
            if let Some(stream) = outcome.streams.get_mut(stream) {
                stream.skipped += 1;
                stream.missed += 1;
            }
        }
        while schedule.moved().is_some() {
            outcome.bound_moves += 1;
        }
        outcome.decisions += 1;
        let next = sources
            .iter()
            .map(|source| source.next.at)
            .filter(|at| *at < world.length)
            .min();
        let action = schedule.decide(now);
        log(Entry::decided(action, now));
        match action {
            Action::Minibatch { stream, count } => {
                let mut minibatch = [Request::default(); limits::MINIBATCH];
                let count = schedule.start_minibatch(stream, count, &mut minibatch);
                let spec = schedule
                    .streams()
                    .get(stream)
                    .map(|it| (it.spec().cost, it.spec().deadline));
                let (cost, deadline) = spec.unwrap_or_default();
                let start = now;
                now += takes(cost, &mut random);
                schedule.end_minibatch(stream, count, start, now);
                if let Some(of) = outcome.streams.get_mut(stream) {
                    for request in minibatch.iter().take(count) {
                        let latency = now - request.release;
                        of.answered += 1;
                        of.missed += u64::from(latency > deadline);
                        of.longest = of.longest.max(latency);
                        of.sum += latency;
                    }
                }
            }
            Action::Piece { job, piece } => {
                let announced = schedule
                    .jobs()
                    .get(job)
                    .map_or(Nanos::ZERO, |job| job.next_length());
                let pieces = schedule.jobs().get(job).map_or(0, |job| job.spec().pieces.len());
                let start = now;
                now += takes(announced, &mut random);
                // Drawn only where asked for, so that a run without is the one it always was.
                if world.overrunning > 0 && random.below(1_000) < world.overrunning {
                    outcome.overruns += 1;
                    now = start + (announced + schedule.late).times(3);
                }
                let ended = if random.below(1_000) < world.failing {
                    Ended::Failed
                } else if usize::from(piece) + 1 == pieces {
                    outcome.steps += 1;
                    Ended::Stepped
                } else {
                    Ended::Ran
                };
                outcome.trained += now - start;
                schedule.end_piece(job, ended, start, now);
                log(Entry::Ended {
                    job: job as u8,
                    ended,
                    start,
                    end: now,
                });
                outcome.parked += u64::from(schedule.jobs().get(job).is_some_and(super::Job::parked));
            }
            Action::Idle { until } => {
                let Some(wake) = next
                    .into_iter()
                    .chain([until])
                    .min()
                    .filter(|wake| *wake < Nanos::MAX)
                else {
                    break;
                };
                // A schedule that waits for a moment that has passed would wait for ever.
                let wake = wake.max(now + Nanos(1));
                outcome.idle += wake - now;
                now = wake;
            }
        }
        let waiting = schedule.streams().iter().any(|stream| stream.waiting() > 0);
        if now >= world.length && !waiting {
            break;
        }
    }
    outcome.end = now;
    outcome
}

/// Hands in what has come until `now`; after the end of the run nothing comes any more.
fn hand_in(
    schedule: &mut Schedule,
    sources: &mut [Source],
    outcome: &mut Outcome,
    now: Nanos,
    world: &World,
    random: &mut Random,
    log: &mut impl FnMut(Entry),
) {
    for ((index, source), of) in sources.iter_mut().enumerate().zip(&mut outcome.streams) {
        while source.next.at <= now && source.next.at < world.length {
            let submission = source.take(world, random);
            if schedule.arrive(index, submission).is_ok() {
                log(Entry::arrived(index, &submission));
            } else {
                of.turned_away += 1;
                of.missed += 1;
            }
        }
    }
}

/// A random task set: streams, jobs and a policy, for a property over many of them.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// The policy.
    pub policy: super::Policy,
    /// Streams.
    pub streams: heapless::Vec<super::StreamSpec, { limits::STREAMS }>,
    /// Jobs.
    pub jobs: heapless::Vec<super::JobSpec, { limits::JOBS }>,
    /// Thousandths of the time for training, under `slack`.
    pub least_share: u32,
}

impl TaskSet {
    /// The set that follows from `seed`: up to four streams of all kinds of arrivals, up to three jobs, each policy alike.
    pub fn random(seed: u64) -> TaskSet {
        let mut random = Random::new(seed);
        let policies = super::Policy::ALL;
        let policy = policies.get(random.below(policies.len() as u64) as usize);
        let policy = match policy.copied().unwrap_or(super::Policy::Slack) {
            super::Policy::InFlight(_) => super::Policy::InFlight(1 + random.below(4) as u8),
            super::Policy::TimeSlice(_) => {
                super::Policy::TimeSlice(Nanos::from_micros(500 + random.below(8_000)))
            }
            other => other,
        };
        let streams = 1 + random.below(4);
        let jobs = random.below(4);
        let use_of_each = 800 / streams;
        TaskSet {
            policy,
            streams: (0..streams)
                .map(|_| random_stream(&mut random, use_of_each))
                .collect(),
            jobs: (0..jobs).map(|_| random_job(&mut random)).collect(),
            least_share: if random.below(4) == 0 {
                random.below(300) as u32
            } else {
                0
            },
        }
    }

    /// The schedule of it, started at zero.
    pub fn schedule(&self) -> Result<Schedule, super::ScheduleError> {
        let mut schedule = Schedule::new(self.policy, Nanos::ZERO, Nanos::ZERO);
        for stream in &self.streams {
            schedule.add_stream(stream.clone())?;
        }
        for job in &self.jobs {
            schedule.add_job(job.clone())?;
        }
        schedule.set_least_share(self.least_share);
        schedule.start(Nanos::ZERO);
        Ok(schedule)
    }
}

fn random_stream(random: &mut Random, use_of_each: u64) -> super::StreamSpec {
    let period = Nanos::from_micros(4_000 + random.below(96_000));
    let minibatch = 1 + random.below(4) as u32;
    let arrival = match random.below(4) {
        0 => Arrival::Sporadic { period },
        1 => Arrival::Bursty {
            period,
            burst: 1 + random.below(5) as u32,
        },
        _ => Arrival::Periodic {
            period,
            jitter: Nanos(random.below(period.0 / 10)),
        },
    };
    let cost = period.0 * u64::from(minibatch) / 1_000 * (5 + random.below(use_of_each));
    super::StreamSpec {
        name: super::name("stream"),
        arrival,
        deadline: Nanos(period.0 * u64::from(minibatch) / 4 * (1 + random.below(16))),
        minibatch,
        cost: Nanos(cost.max(1)),
        priority: random.below(3) as u8,
        overdue: Overdue::Run,
    }
}

fn random_job(random: &mut Random) -> super::JobSpec {
    let pieces = 1 + random.below(8);
    let longest = 200 + random.below(12_000);
    super::JobSpec {
        name: super::name("job"),
        pieces: (0..pieces)
            .map(|_| Nanos::from_micros(100 + random.below(longest)))
            .collect(),
        abort: None,
    }
}
