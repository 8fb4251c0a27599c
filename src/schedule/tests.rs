//! The schedule under a manual clock: what it decides, and that no latency exceeds its bound.

use super::*;
use crate::clock::{Clock, ManualClock};
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
    }
}

fn training(pieces_ms: &[u64]) -> JobSpec {
    JobSpec {
        name: name("learn"),
        pieces: pieces_ms.iter().map(|ms| Nanos(ms * MS)).collect(),
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

#[test]
fn slack_starts_a_piece_only_if_it_ends_before_the_next_release() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[10, 10])]);
    schedule.arrive(0, request(1, 0)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(0)),
        Action::Minibatch { stream: 0, count: 1 }
    );
    assert_eq!(schedule.start_minibatch(0, 1, &mut [Request::default()]), 1);
    let free_until = 30 * MS - 30 * MS / 1_000;
    assert_eq!(
        schedule.decide(Nanos(free_until - 10 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    assert_eq!(
        schedule.decide(Nanos(free_until - 10 * MS + 1)),
        Action::Idle {
            until: Nanos(30 * MS + 1)
        }
    );
}

#[test]
fn slack_waits_for_a_sensors_first_release_but_not_for_ever() {
    let schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[10])]);
    assert_eq!(
        schedule.decide(Nanos(0)),
        Action::Idle {
            until: Nanos(240 * MS)
        }
    );
    assert_eq!(
        schedule.decide(Nanos(240 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
}

#[test]
fn slack_keeps_the_phase_of_a_sensor_that_skips_releases() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[10])]);
    schedule.arrive(0, request(1, 0)).unwrap();
    schedule.start_minibatch(0, 1, &mut [Request::default()]);
    assert_eq!(
        schedule.decide(Nanos(79 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    assert_eq!(
        schedule.decide(Nanos(81 * MS)),
        Action::Idle {
            until: Nanos(90 * MS + 1)
        }
    );
}

#[test]
fn slack_runs_the_piece_of_another_job_that_fits_the_gap() {
    let mut schedule = schedule(
        Policy::Slack,
        &[camera(30, 5, 1)],
        &[training(&[15]), training(&[4])],
    );
    schedule.arrive(0, request(1, 0)).unwrap();
    schedule.start_minibatch(0, 1, &mut [Request::default()]);
    schedule.end_piece(1, Ended::Stepped, Nanos(19 * MS));
    assert_eq!(
        schedule.decide(Nanos(20 * MS)),
        Action::Piece { job: 1, piece: 0 }
    );
}

#[test]
fn fcfs_serves_in_the_order_of_arrival() {
    let mut schedule = schedule(Policy::Fcfs, &[camera(30, 5, 1)], &[training(&[50])]);
    schedule.end_piece(0, Ended::Stepped, Nanos(10 * MS));
    schedule.arrive(0, request(1, 12)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(20 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    schedule.end_piece(0, Ended::Stepped, Nanos(60 * MS));
    assert_eq!(
        schedule.decide(Nanos(60 * MS)),
        Action::Minibatch { stream: 0, count: 1 }
    );
}

#[test]
fn under_fcfs_a_minibatch_that_is_due_keeps_its_place_when_another_request_joins_it() {
    let mut schedule = schedule(Policy::Fcfs, &[camera(30, 5, 2)], &[training(&[50])]);
    schedule.arrive(0, request(1, 0)).unwrap();
    // Due, not full, at 30 ms; the job's next piece queues up after that, and only then comes the second request.
    schedule.end_piece(0, Ended::Stepped, Nanos(40 * MS));
    schedule.arrive(0, request(2, 45)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(45 * MS)),
        Action::Minibatch { stream: 0, count: 2 }
    );
}

#[test]
fn fulcrum_runs_tau_minibatches_then_waits_for_the_next_request() {
    let mut schedule = schedule(Policy::Fulcrum, &[camera(30, 5, 1)], &[training(&[10])]);
    schedule.arrive(0, request(1, 0)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(0)),
        Action::Minibatch { stream: 0, count: 1 }
    );
    schedule.start_minibatch(0, 1, &mut [Request::default()]);
    for ended in [5, 15] {
        assert_eq!(
            schedule.decide(Nanos(ended * MS)),
            Action::Piece { job: 0, piece: 0 }
        );
        schedule.end_piece(0, Ended::Stepped, Nanos((ended + 10) * MS));
    }
    assert_eq!(
        schedule.decide(Nanos(25 * MS)),
        Action::Idle { until: Nanos::MAX }
    );
}

#[test]
fn a_minibatch_that_never_fills_up_is_run_after_its_cycle() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 4)], &[]);
    schedule.arrive(0, request(1, 0)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(89 * MS)),
        Action::Idle {
            until: Nanos(90 * MS)
        }
    );
    assert_eq!(
        schedule.decide(Nanos(90 * MS)),
        Action::Minibatch { stream: 0, count: 1 }
    );
}

#[test]
fn a_job_that_keeps_failing_is_parked_and_one_without_data_is_asked_again() {
    let mut schedule = schedule(Policy::Slack, &[], &[training(&[10])]);
    schedule.end_piece(0, Ended::Dry, Nanos(0));
    assert_eq!(schedule.decide(Nanos(0)), Action::Idle { until: Nanos(5 * MS) });
    assert_eq!(schedule.decide(Nanos(5 * MS)), Action::Piece { job: 0, piece: 0 });
    for _ in 0..8 {
        schedule.end_piece(0, Ended::Failed, Nanos(5 * MS));
    }
    assert_eq!(
        schedule.decide(Nanos(1_000 * MS)),
        Action::Idle { until: Nanos::MAX }
    );
    assert!(schedule.jobs()[0].parked());
}

#[test]
fn a_full_queue_hands_the_request_back() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[]);
    for token in 0..limits::REQUESTS as u64 {
        schedule.arrive(0, request(token, token)).unwrap();
    }
    let one_more = request(99, 99);
    assert_eq!(schedule.arrive(0, one_more), Err(Full(one_more)));
    assert_eq!(
        schedule.arrive(7, one_more),
        Err(Full(one_more)),
        "there is no stream 7"
    );
}

#[test]
fn what_cannot_be_is_refused_at_registration() {
    let mut schedule = Schedule::new(Policy::Slack, Nanos::ZERO, Nanos::ZERO);
    assert_eq!(schedule.add_stream(camera(0, 5, 1)), Err(ScheduleError::Zero));
    assert_eq!(
        schedule.add_stream(camera(30, 5, 0)),
        Err(ScheduleError::Minibatch(0))
    );
    assert_eq!(
        schedule.add_stream(camera(30, 5, 65)),
        Err(ScheduleError::Minibatch(65))
    );
    assert_eq!(schedule.add_job(training(&[])), Err(ScheduleError::Pieces(0)));
    assert_eq!(schedule.add_job(training(&[3, 0])), Err(ScheduleError::Pieces(2)));
    for _ in 0..limits::STREAMS {
        schedule.add_stream(camera(30, 1, 1)).unwrap();
    }
    assert_eq!(
        schedule.add_stream(camera(30, 1, 1)),
        Err(ScheduleError::StreamsFull)
    );
}

#[test]
fn admission_names_the_stream_and_the_largest_piece_that_would_fit() {
    let schedule = schedule(Policy::Fulcrum, &[camera(30, 5, 1)], &[training(&[40])]);
    let Err(Refusal::Late {
        stream: 0,
        largest_piece,
        ..
    }) = schedule.would_fit()
    else {
        panic!()
    };
    assert_eq!(largest_piece, Nanos(25 * MS));
    let overload = self::schedule(Policy::Slack, &[camera(30, 31, 1)], &[]);
    assert_eq!(overload.would_fit(), Err(Refusal::Overload));
}

#[test]
fn admission_refuses_a_piece_that_fits_no_gap_and_no_deadline() {
    let schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[26])]);
    assert_eq!(
        schedule.would_fit(),
        Err(Refusal::Starved {
            job: 0,
            piece: Nanos(26 * MS),
            gap: Nanos(25 * MS - 30 * MS / 1_000)
        })
    );
}

/// Runs `schedule` for `requests` of each stream; every piece takes its announced length or a random share of it.
/// Returns the longest latency of each stream and the steps trained.
fn simulate(
    schedule: &mut Schedule,
    requests: u64,
    mut random: impl FnMut(u64) -> u64,
) -> (std::vec::Vec<Nanos>, u64) {
    let clock = ManualClock::default();
    let mut arrivals = std::vec::Vec::new();
    for (stream, it) in schedule.streams().iter().enumerate() {
        let arrival = it.spec().arrival;
        let mut release = Nanos(random(arrival.period().0));
        for token in 0..requests {
            let late = Nanos(random(arrival.jitter().0 + 1));
            arrivals.push((
                release + late,
                stream,
                Submission {
                    request: Request { token, release },
                    at: release + late,
                },
            ));
            release += match arrival {
                Arrival::Periodic { period, .. } => period,
                Arrival::Sporadic { period } => period + Nanos(random(period.0)),
            };
        }
    }
    arrivals.sort_by_key(|(at, ..)| *at);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut longest = vec![Nanos::ZERO; schedule.streams().len()];
    let (mut steps, mut left) = (0, requests * longest.len() as u64);
    while left > 0 {
        while let Some((_, stream, submission)) = arrivals.next_if(|(at, ..)| *at <= clock.now()) {
            schedule.arrive(stream, submission).unwrap();
        }
        match schedule.decide(clock.now()) {
            Action::Minibatch { stream, count } => {
                let mut minibatch = [Request::default(); limits::MINIBATCH];
                let count = schedule.start_minibatch(stream, count, &mut minibatch);
                let cost = schedule.streams()[stream].spec().cost.0;
                clock.advance_to(clock.now() + Nanos(cost - random(cost / 2)));
                for request in &minibatch[..count] {
                    longest[stream] = longest[stream].max(clock.now() - request.release);
                    left -= 1;
                }
            }
            Action::Piece { job, piece } => {
                let spec = schedule.jobs()[job].spec();
                let length = spec.pieces[usize::from(piece)].0;
                let last = usize::from(piece) + 1 == spec.pieces.len();
                clock.advance_to(clock.now() + Nanos(length - random(length / 2)));
                steps += u64::from(last);
                schedule.end_piece(job, if last { Ended::Stepped } else { Ended::Ran }, clock.now());
            }
            Action::Idle { until } => {
                let arrival = arrivals.peek().map_or(Nanos::MAX, |(at, ..)| *at);
                assert!(
                    until.min(arrival) > clock.now(),
                    "an idle schedule waits for something that comes"
                );
                clock.advance_to(until.min(arrival));
            }
        }
    }
    (longest, steps)
}

fn streams() -> impl Strategy<Value = std::vec::Vec<StreamSpec>> {
    let stream = (
        5_000_u64..100_000,
        0_u64..2_000,
        1_u64..30,
        1_u32..4,
        any::<bool>(),
    );
    prop::collection::vec(stream, 1..4).prop_map(|all| {
        all.into_iter()
            .map(|(period, jitter, share, minibatch, sporadic)| {
                let period = Nanos::from_micros(period);
                let jitter = Nanos::from_micros(jitter);
                StreamSpec {
                    name: name("stream"),
                    arrival: if sporadic {
                        Arrival::Sporadic { period }
                    } else {
                        Arrival::Periodic { period, jitter }
                    },
                    deadline: period.times(4),
                    minibatch,
                    cost: Nanos(period.0 * u64::from(minibatch) * share / 100),
                }
            })
            .collect()
    })
}

fn jobs() -> impl Strategy<Value = std::vec::Vec<JobSpec>> {
    let pieces = prop::collection::vec(100_u64..20_000, 1..6);
    prop::collection::vec(pieces, 0..3).prop_map(|all| {
        let spec = |pieces: std::vec::Vec<u64>| JobSpec {
            name: name("job"),
            pieces: pieces.into_iter().map(Nanos::from_micros).collect(),
        };
        all.into_iter().map(spec).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("FULCRUM_CASES").map_or(if cfg!(miri) { 4 } else { 2_000 }, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_simulated_latency_exceeds_the_bound(
        streams in streams(),
        jobs in jobs(),
        policy in prop::sample::select(Policy::ALL.to_vec()),
        seed in any::<u64>(),
    ) {
        let mut schedule = schedule(policy, &streams, &jobs);
        let mut state = seed | 1;
        let random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if below == 0 { 0 } else { state % below }
        };
        let bounds: std::vec::Vec<_> = (0..streams.len()).map(|stream| schedule.bound(stream)).collect();
        if bounds.iter().any(Option::is_none) {
            return Ok(());
        }
        let (longest, _) = simulate(&mut schedule, 60, random);
        for (stream, (longest, bound)) in longest.iter().zip(bounds).enumerate() {
            prop_assert!(Some(*longest) <= bound, "stream {stream}: {longest} above {bound:?} under {policy}");
        }
    }

    #[test]
    fn a_decision_asked_twice_is_the_same(streams in streams(), jobs in jobs(), now in 0_u64..1_000_000_000) {
        let schedule = schedule(Policy::Slack, &streams, &jobs);
        prop_assert_eq!(schedule.decide(Nanos(now)), schedule.decide(Nanos(now)));
    }
}

#[test]
fn slack_trains_while_the_camera_never_waits() {
    let mut schedule = schedule(Policy::Slack, &[camera(33, 5, 1)], &[training(&[4; 10])]);
    let (longest, steps) = simulate(&mut schedule, 300, |_| 0);
    assert_eq!(longest, [Nanos(5 * MS)]);
    assert!(
        steps > 300 / 2 - 2,
        "28 ms of each 33 ms hold 7 pieces of 4 ms, 0.7 of a step: {steps}"
    );
}
