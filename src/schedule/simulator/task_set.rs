//! A random [`TaskSet`], for a property over many of them.

use super::Random;
use crate::limits;
use crate::schedule::{Arrival, JobSpec, Overdue, Pieces, Policy, Schedule, ScheduleError, StreamSpec, name};
use crate::units::Nanos;

/// A random task set: streams, jobs and a policy, for a property over many of them.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// The policy.
    pub policy: Policy,
    /// Streams.
    pub streams: heapless::Vec<StreamSpec, { limits::STREAMS }>,
    /// Jobs.
    pub jobs: heapless::Vec<JobSpec, { limits::JOBS }>,
    /// Thousandths of the time for training, under `slack`.
    pub least_share: u32,
}

impl TaskSet {
    /// The set that follows from `seed`: up to four streams of all kinds of arrivals, up to three jobs, each policy alike.
    pub fn random(seed: u64) -> TaskSet {
        let mut random = Random::new(seed);
        let policies = Policy::ALL;
        let policy = policies.get(random.below(policies.len() as u64) as usize);
        let policy = match policy.copied().unwrap_or(Policy::Slack) {
            Policy::InFlight(_) => Policy::InFlight(1 + random.below(4) as u8),
            Policy::TimeSlice(_) => Policy::TimeSlice(Nanos::from_micros(500 + random.below(8_000))),
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
    pub fn schedule(&self) -> Result<Schedule, ScheduleError> {
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

fn random_stream(random: &mut Random, use_of_each: u64) -> StreamSpec {
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
    StreamSpec {
        name: name("stream"),
        arrival,
        deadline: Nanos(period.0 * u64::from(minibatch) / 4 * (1 + random.below(16))),
        minibatch,
        cost: Nanos(cost.max(1)),
        pieces: random_cut(random, cost),
        priority: random.below(3) as u8,
        overdue: Overdue::Run,
    }
}

fn random_job(random: &mut Random) -> JobSpec {
    let pieces = 1 + random.below(8);
    let longest = 200 + random.below(12_000);
    JobSpec {
        name: name("job"),
        pieces: (0..pieces)
            .map(|_| Nanos::from_micros(100 + random.below(longest)))
            .collect(),
        abort: (random.below(3) == 0).then(|| Nanos::from_micros(100 + random.below(3_000))),
    }
}

/// The lengths of the pieces that a minibatch of this cost is cut into; of most it is not.
fn random_cut(random: &mut Random, cost: u64) -> Pieces {
    let pieces = 2 + random.below(5);
    if random.below(3) > 0 || cost < pieces {
        return Pieces::new();
    }
    (0..pieces).map(|_| Nanos(cost / pieces)).collect()
}
