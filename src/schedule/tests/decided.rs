//! What each policy decides.

use super::*;

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
fn training_leaves_the_rest_free_that_it_owes_under_every_policy_and_inference_does_not_wait_for_it() {
    for policy in Policy::ALL {
        let stream = StreamSpec {
            arrival: Arrival::Sporadic {
                period: Nanos(30 * MS),
            },
            ..camera(30, 2, 1)
        };
        let mut schedule = schedule(policy, &[stream], &[training(&[10])]);
        schedule.set_rest(500);
        // 10 ms may be owed; these are 20.
        schedule.end_piece(0, Ended::Stepped, Nanos::ZERO, Nanos(20 * MS));
        schedule.since_inference = 0;
        assert_eq!(
            schedule.decide(Nanos(20 * MS)),
            Action::Idle {
                until: Nanos(30 * MS)
            },
            "{policy}"
        );
        let mut with_request = schedule.clone();
        with_request.arrive(0, request(0, 20)).unwrap();
        assert_eq!(
            with_request.decide(Nanos(20 * MS)),
            Action::Minibatch { stream: 0, count: 1 },
            "{policy}"
        );
        assert_eq!(
            schedule.decide(Nanos(30 * MS)),
            Action::Piece { job: 0, piece: 0 },
            "{policy}"
        );
    }
}
