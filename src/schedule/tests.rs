//! The schedule under a manual clock: what it decides, and that no latency exceeds its bound.

mod admitted;
mod cut;
mod decided;
mod enforced;
mod queued;
mod replayed;
mod simulated;

use super::policy::UnknownPolicy;
use super::simulator::{self, TaskSet, World};
use super::*;
use proptest::prelude::*;

const MS: u64 = 1_000_000;

fn camera(period_ms: u64, cost_ms: u64, minibatch: u32) -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival: Arrival::Periodic {
            period: Nanos(period_ms * MS),
            jitter: Nanos::ZERO,
        },
        deadline: Nanos(period_ms * MS),
        minibatch,
        cost: Nanos(cost_ms * MS),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    }
}

fn training(pieces_ms: &[u64]) -> JobSpec {
    JobSpec {
        name: name("learn"),
        pieces: pieces_ms.iter().map(|ms| Nanos(ms * MS)).collect(),
        abort: None,
    }
}

fn request(token: u64, at_ms: u64) -> Submission {
    Submission {
        request: Request {
            token,
            release: Nanos(at_ms * MS),
        },
        at: Nanos(at_ms * MS),
    }
}

fn schedule(policy: Policy, streams: &[StreamSpec], jobs: &[JobSpec]) -> Schedule {
    let mut schedule = Schedule::new(policy, Nanos::ZERO, Nanos::ZERO);
    for stream in streams {
        schedule.add_stream(stream.clone()).unwrap();
    }
    for job in jobs {
        schedule.add_job(job.clone()).unwrap();
    }
    schedule.start(Nanos::ZERO);
    schedule
}

fn job(pieces_ms: &[u64]) -> std::vec::Vec<JobSpec> {
    vec![training(pieces_ms)]
}
