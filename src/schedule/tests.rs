//! The schedule under a manual clock: what it decides, and that no latency exceeds its bound.

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
    schedule.end_piece(1, Ended::Stepped, Nanos(0), Nanos(19 * MS));
    assert_eq!(
        schedule.decide(Nanos(20 * MS)),
        Action::Piece { job: 1, piece: 0 }
    );
}

#[test]
fn fcfs_serves_in_the_order_of_arrival() {
    let mut schedule = schedule(Policy::Fcfs, &[camera(30, 5, 1)], &[training(&[50])]);
    schedule.end_piece(0, Ended::Stepped, Nanos(0), Nanos(10 * MS));
    schedule.arrive(0, request(1, 12)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(20 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    schedule.end_piece(0, Ended::Stepped, Nanos(0), Nanos(60 * MS));
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
    schedule.end_piece(0, Ended::Stepped, Nanos(0), Nanos(40 * MS));
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
        schedule.end_piece(0, Ended::Stepped, Nanos(ended * MS), Nanos((ended + 10) * MS));
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
    schedule.end_piece(0, Ended::Dry, Nanos(0), Nanos(0));
    assert_eq!(schedule.decide(Nanos(0)), Action::Idle { until: Nanos(5 * MS) });
    assert_eq!(schedule.decide(Nanos(5 * MS)), Action::Piece { job: 0, piece: 0 });
    for _ in 0..8 {
        schedule.end_piece(0, Ended::Failed, Nanos(0), Nanos(5 * MS));
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

/// Runs the task set that follows from `seed` and compares every latency with what was promised.
fn promise_holds(seed: u64) {
    let set = TaskSet::random(seed);
    let mut schedule = set.schedule().unwrap();
    let admitted = schedule.would_fit().is_ok();
    let bounds: std::vec::Vec<_> = (0..set.streams.len())
        .map(|stream| schedule.bound(stream))
        .collect();
    if bounds.iter().any(Option::is_none) {
        assert!(!admitted, "seed {seed}");
        return;
    }
    let longest = set.streams.iter().map(|it| it.arrival.period()).max().unwrap();
    let world = World {
        length: longest.times(40),
        seed,
        quickest: if seed.is_multiple_of(3) { 1_000 } else { 300 },
        eager: if seed.is_multiple_of(2) { 1_000 } else { 500 },
        failing: 0,
        overrunning: 0,
    };
    let outcome = simulator::run(&mut schedule, &world);
    for (stream, (of, bound)) in outcome.streams.iter().zip(bounds).enumerate() {
        assert!(
            of.turned_away > 0 || Some(of.longest) <= bound,
            "stream {stream}: {} above {bound:?}, seed {seed}: {set:#?}",
            of.longest
        );
        assert!(
            !admitted || of.missed == 0,
            "stream {stream} missed although admitted, seed {seed}: {set:#?}"
        );
    }
}

#[test]
fn no_simulated_latency_exceeds_the_bound_and_no_admitted_set_misses() {
    let sets = if cfg!(miri) { 3 } else { 4_000 };
    let sets = std::env::var("FULCRUM_SETS").map_or(sets, |sets| sets.parse().unwrap());
    (0..sets).for_each(promise_holds);
}

fn job(pieces_ms: &[u64]) -> std::vec::Vec<JobSpec> {
    vec![training(pieces_ms)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_decision_asked_twice_is_the_same(seed in any::<u64>(), now in 0_u64..1_000_000_000) {
        let schedule = TaskSet::random(seed).schedule().unwrap();
        prop_assert_eq!(schedule.decide(Nanos(now)), schedule.decide(Nanos(now)));
    }
}

#[test]
fn edf_and_priority_order_streams_differently() {
    let urgent = StreamSpec {
        priority: 0,
        ..camera(30, 2, 1)
    };
    let important = StreamSpec {
        priority: 9,
        ..camera(100, 2, 1)
    };
    for (policy, first) in [(Policy::Edf, 0), (Policy::Slack, 0), (Policy::Priority, 1)] {
        let mut schedule = schedule(policy, &[urgent.clone(), important.clone()], &job(&[10]));
        schedule.arrive(0, request(1, 0)).unwrap();
        schedule.arrive(1, request(1, 0)).unwrap();
        assert_eq!(
            schedule.decide(Nanos(0)),
            Action::Minibatch {
                stream: first,
                count: 1
            },
            "{policy}"
        );
    }
}

#[test]
fn in_flight_runs_the_pieces_that_were_queued_before_the_request() {
    for (depth, pieces) in [(1, 0), (2, 1), (3, 2)] {
        let mut schedule = schedule(Policy::InFlight(depth), &[camera(30, 5, 1)], &job(&[10]));
        for end in [10, 20, 30] {
            schedule.end_piece(0, Ended::Stepped, Nanos((end - 10) * MS), Nanos(end * MS));
        }
        // Handed in while the piece that ended at 30 ms was running.
        schedule.arrive(0, request(1, 25)).unwrap();
        let mut before = 0;
        let mut now = 30;
        while schedule.decide(Nanos(now * MS)) == (Action::Piece { job: 0, piece: 0 }) {
            schedule.end_piece(0, Ended::Stepped, Nanos(now * MS), Nanos((now + 10) * MS));
            now += 10;
            before += 1;
        }
        assert_eq!(before, pieces, "a queue of {depth}");
    }
}

#[test]
fn time_slice_gives_training_its_turn_before_each_minibatch() {
    let mut schedule = schedule(
        Policy::TimeSlice(Nanos::from_millis(4)),
        &[camera(30, 5, 1)],
        &job(&[3]),
    );
    schedule.arrive(0, request(1, 0)).unwrap();
    schedule.arrive(0, request(2, 0)).unwrap();
    let mut now = 0;
    for (piece_due, _) in [(true, 0), (true, 1), (false, 2)] {
        let action = schedule.decide(Nanos(now * MS));
        assert_eq!(
            matches!(action, Action::Piece { .. }),
            piece_due,
            "{now} ms: {action:?}"
        );
        if piece_due {
            schedule.end_piece(0, Ended::Stepped, Nanos(now * MS), Nanos((now + 3) * MS));
            now += 3;
        }
    }
    schedule.start_minibatch(0, 1, &mut [Request::default()]);
    assert_eq!(
        schedule.decide(Nanos(11 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
}

#[test]
fn training_that_was_promised_a_share_gets_a_piece_before_each_minibatch_until_it_has_it() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &job(&[3]));
    schedule.set_least_share(500);
    schedule.start(Nanos::ZERO);
    assert_eq!(schedule.bound(0), Some(Nanos(2 * 3 * MS + 5 * MS)));
    schedule.arrive(0, request(1, 10)).unwrap();
    assert_eq!(
        schedule.decide(Nanos(10 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    schedule.end_piece(0, Ended::Stepped, Nanos(10 * MS), Nanos(13 * MS));
    assert_eq!(
        schedule.decide(Nanos(13 * MS)),
        Action::Minibatch { stream: 0, count: 1 }
    );
}

#[test]
fn overdue_requests_are_run_skipped_or_superseded_as_their_stream_says() {
    for (overdue, skipped, next) in [
        (Overdue::Run, 0, Some(1)),
        (Overdue::Skip, 1, Some(2)),
        (Overdue::Newest, 3, Some(4)),
    ] {
        let spec = StreamSpec {
            overdue,
            ..camera(30, 5, 1)
        };
        let mut schedule = schedule(Policy::Slack, &[spec], &[]);
        for (token, at) in [(1, 0), (2, 30), (3, 40), (4, 50)] {
            schedule.arrive(0, request(token, at)).unwrap();
        }
        let now = Nanos(55 * MS);
        let mut gone = 0;
        while schedule.skip_overdue(now).is_some() {
            gone += 1;
        }
        let mut taken = [Request::default()];
        let count = schedule.start_minibatch(0, 1, &mut taken);
        assert_eq!(
            (gone, taken[..count].first().map(|it| it.token)),
            (skipped, next),
            "{overdue:?}"
        );
    }
}

#[test]
fn the_order_of_deadlines_admits_what_the_longest_busy_period_does_not() {
    let streams = [camera(20, 6, 1), camera(100, 30, 1)].map(|it| StreamSpec {
        deadline: it.arrival.period().times(2),
        ..it
    });
    let edf = schedule(Policy::Edf, &streams, &[]);
    assert_eq!(edf.would_fit(), Ok(()));
    assert_eq!(edf.bound(0), Some(Nanos(40 * MS)));
    assert!(schedule(Policy::Fulcrum, &streams, &[]).would_fit().is_err());
}

#[test]
fn an_hour_of_a_robot_is_simulated() {
    let mut schedule = schedule(Policy::Slack, &[camera(33, 5, 1)], &job(&[4; 10]));
    let world = World {
        length: Nanos::from_secs(if cfg!(miri) { 2 } else { 3_600 }),
        seed: 1,
        quickest: 500,
        eager: 0,
        failing: 0,
        overrunning: 0,
    };
    let outcome = simulator::run(&mut schedule, &world);
    assert_eq!(outcome.streams[0].missed, 0);
    assert!(outcome.end >= world.length && outcome.streams[0].answered == world.length.0.div_ceil(33 * MS));
}

#[test]
fn a_policy_reads_back_from_its_name() {
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse(), Ok(policy));
        assert_eq!(policy.name().parse(), Ok(policy));
    }
    assert_eq!("in-flight-16".parse(), Ok(Policy::InFlight(16)));
    assert_eq!(
        "time-slice-2".parse(),
        Ok(Policy::TimeSlice(Nanos::from_millis(2)))
    );
    for wrong in ["", "in-flight-0", "in-flight-17", "time-slice-", "best"] {
        assert_eq!(wrong.parse::<Policy>(), Err(UnknownPolicy), "{wrong}");
    }
}

#[test]
fn slack_trains_while_the_camera_never_waits() {
    let mut schedule = schedule(Policy::Slack, &[camera(33, 5, 1)], &job(&[4; 10]));
    let world = World {
        length: Nanos::from_millis(33 * 300),
        seed: 4,
        quickest: 1_000,
        eager: 1_000,
        failing: 0,
        overrunning: 0,
    };
    let outcome = simulator::run(&mut schedule, &world);
    assert_eq!(outcome.streams[0].longest, Nanos(5 * MS));
    assert!(
        outcome.steps > 300 / 2 - 4,
        "28 ms of each 33 ms hold 6 or 7 pieces of 4 ms, 0.6 of a step: {}",
        outcome.steps
    );
}

/// The log of a random task set whose streams skip what is overdue, in a world where pieces fail.
fn random_log(seed: u64) -> (Schedule, std::vec::Vec<log::Entry>) {
    let mut set = TaskSet::random(seed);
    for (stream, overdue) in set
        .streams
        .iter_mut()
        .zip([Overdue::Skip, Overdue::Newest, Overdue::Run])
    {
        stream.overdue = overdue;
    }
    let start = set.schedule().unwrap();
    let longest = set.streams.iter().map(|it| it.arrival.period()).max().unwrap();
    let world = World {
        length: longest.times(20),
        seed,
        quickest: 300,
        eager: 500,
        failing: 20,
        overrunning: 50,
    };
    let mut entries = std::vec::Vec::new();
    simulator::run_logged(&mut start.clone(), &world, |entry| entries.push(entry));
    (start, entries)
}

fn differences(schedule: Schedule, entries: &[log::Entry]) -> std::vec::Vec<log::Difference> {
    log::replay(schedule, entries).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 300 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_decisions_of_any_run_are_taken_again_bit_for_bit_also_from_the_file(seed in any::<u64>()) {
        let (start, entries) = random_log(seed);
        prop_assert_eq!(differences(start.clone(), &entries), []);
        let mut file = std::vec::Vec::new();
        log::text::write(&mut file, &start, &entries, 0).unwrap();
        let (start, read) = log::text::read(core::str::from_utf8(&file).unwrap()).unwrap();
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(differences(start, &read), []);
    }
}

#[test]
fn a_changed_decision_and_an_input_that_cannot_be_are_found_at_their_place() {
    let start = schedule(Policy::Slack, &[camera(30, 5, 1)], &[training(&[10])]);
    let mut entries = std::vec::Vec::new();
    let world = World {
        length: Nanos(300 * MS),
        seed: 1,
        quickest: 1_000,
        eager: 1_000,
        failing: 0,
        overrunning: 0,
    };
    simulator::run_logged(&mut start.clone(), &world, |entry| entries.push(entry));
    let place = entries
        .iter()
        .position(|entry| matches!(entry, log::Entry::Piece { .. }))
        .unwrap();
    let at = entries[place].at();
    let mut changed = entries.clone();
    changed[place] = log::Entry::Idle { until: at, at };
    let found = differences(start.clone(), &changed);
    assert_eq!(
        (found[0].entry, found[0].recorded, found[0].taken),
        (place, changed[place], Some(entries[place]))
    );
    for input in [
        log::Entry::Arrived {
            stream: 1,
            release: at,
            at,
        },
        log::Entry::Ended {
            job: 1,
            ended: Ended::Ran,
            start: at,
            end: at,
        },
    ] {
        let found = differences(start.clone(), &[input])[0];
        assert_eq!((found.taken, found.recorded.at()), (None, at), "{input:?}");
    }
    // Where the camera's next frame is near, `edf` starts a piece and `slack` waits.
    let otherwise = differences(start.under(Policy::Edf), &entries);
    assert!(otherwise.iter().any(|it| {
        matches!(it.recorded, log::Entry::Idle { .. }) && matches!(it.taken, Some(log::Entry::Piece { .. }))
    }));
}

#[test]
fn a_log_that_is_foreign_broken_or_cut_off_is_refused_with_its_line() {
    let start = schedule(Policy::IN_FLIGHT, &[camera(30, 5, 1)], &[training(&[10, 4])]);
    let at = Nanos(5);
    let entries = [
        log::Entry::Arrived {
            stream: 0,
            release: at,
            at,
        },
        log::Entry::Piece { job: 0, piece: 0, at },
    ];
    let mut file = std::vec::Vec::new();
    log::text::write(&mut file, &start, &entries, 0).unwrap();
    let text = std::string::String::from_utf8(file).unwrap();
    let refused = |text: &str| log::text::read(text).unwrap_err().to_string();
    for (from, to, told) in [
        (
            "fulcrum-decisions 1",
            "fulcrum-decisions 2",
            "1: this is not a log",
        ),
        ("in-flight", "best", "2: \"best\" is not a policy"),
        ("deadline", "cost", "3: \"cost\" is not deadline"),
        ("minibatch 1", "minibatch 0", "3: a minibatch of 0"),
        (
            "periodic",
            "daily",
            "3: \"daily\" is not periodic, sporadic or bursty",
        ),
        ("job 10000000", "job x", "4: \"x\" is not a time"),
        ("job 10000000 4000000", "job", "4: a step of 0 pieces"),
        ("arrived 0", "arrived 1", "5: \"1\" is not a stream of this log"),
        (
            "arrived 0 5 5",
            "arrived 0 5",
            "5: the line ends where a time in nanoseconds is needed",
        ),
        ("piece 0 0 5", "piece 0 0 5 9", "6: \"9\" stands after the end"),
        ("piece 0 0 5", "dance", "6: \"dance\" is not stream, job"),
        ("end 2", "end 3", "7: the log counts 3 entries but has 2"),
        ("lost 0", "lost 4", "7: 4 entries were lost"),
        ("end 2 lost 0\n", "", "7: the log ends here"),
    ] {
        assert!(text.contains(from), "{from}");
        let refusal = refused(&text.replacen(from, to, 1));
        assert!(refusal.starts_with(told), "{refusal}");
    }
    let many = std::format!("job{}", " 1".repeat(limits::PIECES + 1));
    assert!(refused(&text.replacen("job 10000000 4000000", &many, 1)).starts_with("4: a step of 129 pieces"));
    for end in (0..text.len() - 1).step_by(if cfg!(miri) { 97 } else { 1 }) {
        log::text::read(&text[..end]).unwrap_err();
    }
}

#[test]
fn a_log_that_cannot_be_written_whole_says_so_and_one_with_all_kinds_of_entries_reads_back() {
    let sporadic = StreamSpec {
        arrival: Arrival::Sporadic {
            period: Nanos(30 * MS),
        },
        ..camera(30, 5, 1)
    };
    let slice = Policy::TimeSlice(Nanos(4_321));
    let start = schedule(slice, &[camera(30, 5, 1), sporadic], &[training(&[10])]);
    let at = Nanos(7);
    let ended = [Ended::Ran, Ended::Stepped, Ended::Dry, Ended::Failed].map(|ended| log::Entry::Ended {
        job: 0,
        ended,
        start: at,
        end: at,
    });
    let mut entries = ended.to_vec();
    entries.push(log::Entry::Skipped { stream: 1, at });
    let mut file = std::vec::Vec::new();
    log::text::write(&mut file, &start, &entries, 0).unwrap();
    let (read, read_entries) = log::text::read(core::str::from_utf8(&file).unwrap()).unwrap();
    assert_eq!(
        (read.policy(), read.started(), read_entries),
        (slice, start.started(), entries.clone())
    );
    for room in (0..file.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
        let mut place = vec![0; room];
        assert!(log::text::write(&mut place.as_mut_slice(), &start, &entries, 0).is_err());
    }
}

#[test]
fn a_name_is_cut_to_its_capacity() {
    assert_eq!(name(&"n".repeat(limits::NAME + 1)).len(), limits::NAME);
}

#[test]
fn a_stream_with_an_impossible_burst_is_refused() {
    let mut schedule = Schedule::new(Policy::Slack, Nanos::ZERO, Nanos::ZERO);
    for burst in [0, limits::REQUESTS as u32 + 1] {
        let arrival = Arrival::Bursty {
            period: Nanos(MS),
            burst,
        };
        let spec = StreamSpec {
            arrival,
            ..camera(30, 5, 1)
        };
        assert_eq!(schedule.add_stream(spec), Err(ScheduleError::Burst(burst)));
    }
}

#[test]
fn every_refusal_says_what_was_asked_and_what_would_be_taken() {
    let late = |largest_piece| Refusal::Late {
        stream: 3,
        bound: Nanos(9 * MS),
        deadline: Nanos(8 * MS),
        largest_piece,
    };
    let starved = Refusal::Starved {
        job: 2,
        piece: Nanos(9 * MS),
        gap: Nanos(8 * MS),
    };
    for (told, part) in [
        (ScheduleError::StreamsFull.to_string(), "already 8 streams"),
        (ScheduleError::JobsFull.to_string(), "already 4 training jobs"),
        (ScheduleError::Zero.to_string(), "above zero"),
        (
            ScheduleError::Minibatch(65).to_string(),
            "65 requests is outside 1 to 64",
        ),
        (
            ScheduleError::Burst(65).to_string(),
            "65 requests is outside 1 to 64",
        ),
        (
            ScheduleError::Pieces(129).to_string(),
            "129 pieces is outside 1 to 128",
        ),
        (Refusal::Overload.to_string(), "lower a rate"),
        (
            late(Nanos::ZERO).to_string(),
            "9.000 ms, above its deadline of 8.000 ms, and would without training",
        ),
        (
            late(Nanos(5 * MS)).to_string(),
            "pieces of at most 5.000 ms would fit",
        ),
        (
            starved.to_string(),
            "job 2, 9.000 ms, fits into no gap between two releases (8.000 ms)",
        ),
        (UnknownPolicy.to_string(), "in-flight-K (1 to 16)"),
        (
            Full(request(7, 0)).to_string(),
            "64 requests wait already; request 7",
        ),
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn fulcrum_without_a_stream_trains_without_end() {
    let mut schedule = schedule(Policy::Fulcrum, &[], &[training(&[10])]);
    for step in 0..5 {
        let now = Nanos(step * 10 * MS);
        assert_eq!(schedule.decide(now), Action::Piece { job: 0, piece: 0 });
        // A workload that says of its last piece no more than that it ran begins its step anew all the same.
        schedule.end_piece(0, Ended::Ran, now, now + Nanos(10 * MS));
    }
}

#[test]
fn a_minibatch_takes_no_more_requests_than_wait() {
    let mut schedule = schedule(Policy::Slack, &[camera(30, 5, 1)], &[]);
    schedule.arrive(0, request(1, 0)).unwrap();
    assert_eq!(schedule.start_minibatch(0, 3, &mut [Request::default(); 3]), 1);
}

#[test]
fn a_request_is_on_schedule_if_it_comes_as_its_stream_announced() {
    let period = Nanos(30 * MS);
    let periodic = Arrival::Periodic {
        period,
        jitter: Nanos(MS),
    };
    let sporadic = Arrival::Sporadic { period };
    let bursty = Arrival::Bursty { period, burst: 2 };
    // The minibatch, the releases taken in (ms), and a release and its hand-in: whether they are as announced.
    for (arrival, minibatch, before, release, at, kept) in [
        (periodic, 1, &[][..], 7, 8, true),
        (periodic, 1, &[], 7, 9, false),
        (periodic, 1, &[0], 30, 30, true),
        (periodic, 1, &[0], 29, 30, false),
        (periodic, 1, &[0], 60, 60, true),
        (periodic, 2, &[0], 60, 60, false),
        (periodic, 1, &[0], 31, 30, false),
        (sporadic, 1, &[0], 30, 90, true),
        (sporadic, 1, &[0], 29, 29, false),
        (bursty, 1, &[0], 0, 0, true),
        (bursty, 1, &[0, 0], 0, 0, false),
        (bursty, 1, &[0, 0], 30, 30, true),
    ] {
        let spec = StreamSpec {
            arrival,
            ..camera(30, 5, minibatch)
        };
        let mut schedule = schedule(Policy::Edf, &[spec], &[]);
        for release in before {
            schedule.arrive(0, request(1, *release)).unwrap();
        }
        let submission = Submission {
            at: Nanos(at * MS),
            ..request(2, release)
        };
        let stream = &schedule.streams()[0];
        assert!(stream.has_room());
        assert_eq!(
            stream.on_schedule(&submission),
            kept,
            "{arrival:?} {before:?} {release} {at}"
        );
    }
}

#[test]
fn a_measured_piece_above_the_announced_one_moves_the_bound_and_its_return_moves_it_back() {
    let mut stream = camera(100, 5, 1);
    stream.arrival = Arrival::Sporadic {
        period: Nanos(100 * MS),
    };
    let mut schedule = schedule(Policy::Slack, &[stream], &[training(&[10])]);
    assert_eq!(schedule.bound(0), Some(Nanos(15 * MS)));
    let mut now = Nanos::ZERO;
    let mut run = |schedule: &mut Schedule, length_ms: u64| {
        let start = now;
        now += Nanos(length_ms * MS);
        schedule.end_piece(0, Ended::Stepped, start, now);
        schedule.moved()
    };
    // Not each step, or the job would be parked.
    let moved: Vec<_, 64> = (0..40)
        .filter_map(|step| run(&mut schedule, 10 + step % 2 * 2))
        .collect();
    // 2 ms above 10, in steps of an eighth: 2.5 ms.
    assert_eq!(moved, [(0, Some(Nanos(17_500_000)))]);
    assert_eq!(schedule.bound(0), Some(Nanos(17_500_000)));
    assert_eq!(schedule.jobs()[0].measured_length(0), Nanos(12 * MS));
    let moved: Vec<_, 64> = (0..300).filter_map(|_| run(&mut schedule, 10)).collect();
    assert_eq!(moved, [(0, Some(Nanos(15 * MS)))]);
    assert!(schedule.jobs()[0].recent_max(0) > Nanos(10 * MS - 1));
}

#[test]
fn a_measured_minibatch_above_the_announced_one_moves_every_bound_and_a_new_mode_forgets_it() {
    let mut streams = [camera(100, 8, 1), camera(100, 8, 4)];
    for stream in &mut streams {
        stream.arrival = Arrival::Sporadic {
            period: Nanos(100 * MS),
        };
        stream.deadline = Nanos(400 * MS);
    }
    let mut schedule = schedule(Policy::Slack, &streams, &[]);
    let printed = [schedule.bound(0), schedule.bound(1)];
    for run in 0..40 {
        let start = Nanos(run * 9 * MS);
        schedule.end_minibatch(1, 4, start, start + Nanos(9 * MS));
        // Minibatches that are not full are of another class, and shorter.
        schedule.end_minibatch(1, 2, start, start + Nanos(MS));
    }
    let moved: Vec<_, 8> = core::iter::from_fn(|| schedule.moved()).collect();
    assert_eq!(moved.len(), 2);
    assert!(
        moved.iter().all(|(stream, bound)| *bound > printed[*stream]),
        "{moved:?}"
    );
    assert_eq!(schedule.streams()[1].measured_cost(), Nanos(9 * MS));
    assert_eq!(schedule.streams()[1].recent_max(), Nanos(9 * MS));
    schedule.mode_changed();
    assert_eq!(core::iter::from_fn(|| schedule.moved()).count(), 2);
    assert_eq!([schedule.bound(0), schedule.bound(1)], printed);
    assert_eq!(schedule.streams()[1].measured_cost(), Nanos::ZERO);
}

#[test]
fn first_runs_after_idle_are_of_a_class_of_their_own() {
    let mut schedule = schedule(Policy::Slack, &[camera(100, 5, 1)], &[training(&[10, 20])]);
    for run in 0..100 {
        // Each first piece after a pause takes 14 ms, the one that follows at once 10 ms.
        let start = Nanos(run * 1_000 * MS);
        schedule.end_piece(0, Ended::Stepped, start, start + Nanos(14 * MS));
        let start = start + Nanos(14 * MS);
        schedule.end_piece(0, Ended::Stepped, start, start + Nanos(10 * MS));
    }
    assert_eq!(schedule.jobs()[0].measured_length(0), Nanos(10 * MS));
    // What they take more counts in the bound all the same.
    assert_eq!(schedule.moved().map(|(stream, _)| stream), Some(0));
}

#[test]
fn a_job_that_overruns_step_after_step_is_asked_for_a_finer_cut_and_then_parked() {
    let mut schedule = schedule(Policy::Slack, &[], &[training(&[10, 10])]);
    let mut now = Nanos::ZERO;
    let mut step = |schedule: &mut Schedule, second_ms: u64| {
        for (ended, ms) in [(Ended::Ran, 10), (Ended::Stepped, second_ms)] {
            let start = now;
            now += Nanos(ms * MS);
            schedule.end_piece(0, ended, start, now);
        }
        let job = &schedule.jobs()[0];
        (job.wants_finer(), job.parked())
    };
    for _ in 0..7 {
        assert_eq!(step(&mut schedule, 11), (false, false));
    }
    assert_eq!(
        step(&mut schedule, 10),
        (false, false),
        "one good step forgives all"
    );
    let told: Vec<_, 16> = (0..16).map(|_| step(&mut schedule, 11)).collect();
    assert_eq!(told.iter().position(|(finer, _)| *finer), Some(7));
    assert_eq!(told.iter().filter(|(finer, _)| *finer).count(), 1);
    assert_eq!(told.iter().position(|(_, parked)| *parked), Some(15));
    assert_eq!(schedule.decide(now), Action::Idle { until: Nanos::MAX });
}

#[test]
fn a_finer_cut_is_taken_over_with_its_bound_and_nonsense_is_not() {
    let mut stream = camera(100, 5, 1);
    stream.arrival = Arrival::Sporadic {
        period: Nanos(100 * MS),
    };
    let mut schedule = schedule(Policy::Slack, &[stream], &[training(&[10, 10])]);
    assert!(!schedule.recut(0, Pieces::new()));
    assert!(!schedule.recut(0, Pieces::from_slice(&[Nanos::ZERO]).unwrap()));
    assert_eq!(schedule.moved(), None);
    assert!(schedule.recut(0, Pieces::from_slice(&[Nanos(4 * MS); 5]).unwrap()));
    assert_eq!(schedule.moved(), Some((0, Some(Nanos(9 * MS)))));
    for piece in 0..5 {
        assert_eq!(schedule.decide(Nanos(20 * MS)), Action::Piece { job: 0, piece });
        schedule.end_piece(0, Ended::Ran, Nanos(16 * MS), Nanos(20 * MS));
    }
}

#[test]
#[cfg_attr(miri, ignore = "a minute of robot time, three times, takes an hour there")]
fn in_the_simulator_pieces_that_overrun_move_the_bound_and_those_that_always_do_are_parked() {
    let run = |overrunning| {
        let mut stream = camera(100, 5, 1);
        stream.arrival = Arrival::Sporadic {
            period: Nanos(100 * MS),
        };
        let mut schedule = schedule(Policy::Slack, &[stream], &[training(&[5, 5])]);
        let printed = schedule.bound(0);
        let world = World {
            length: Nanos::from_secs(60),
            seed: 7,
            quickest: 900,
            eager: 500,
            failing: 0,
            overrunning,
        };
        let outcome = simulator::run(&mut schedule, &world);
        let longest = outcome.streams[0].longest;
        (outcome, Some(longest) <= printed, schedule.bound(0), printed)
    };
    let (good, kept, present, printed) = run(0);
    assert_eq!((good.overruns, good.bound_moves, good.parked), (0, 0, 0));
    assert!(kept && present == printed);
    let (some, kept, present, printed) = run(100);
    assert!(some.overruns > 100 && some.bound_moves > 0 && some.parked == 0);
    // The printed bound is broken by them; the one told since is not.
    assert!(!kept && present > printed && Some(some.streams[0].longest) <= present);
    let (all, _, present, printed) = run(1_000);
    assert_eq!((all.overruns, all.parked), (32, 1));
    assert_eq!(present, printed, "a parked job blocks nobody");
}
