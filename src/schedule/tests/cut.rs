//! A long minibatch that is cut into pieces, so that more urgent work comes between two.

use super::*;

/// A detector every 20 ms, and a segmentation every 200 ms whose minibatch of 60 ms is cut into pieces of 10 ms.
fn two_networks() -> [StreamSpec; 2] {
    let detector = StreamSpec {
        priority: 2,
        ..camera(20, 4, 1)
    };
    let segmentation = StreamSpec {
        pieces: [Nanos(10 * MS); 6].into_iter().collect(),
        ..camera(200, 60, 1)
    };
    [detector, segmentation].map(|stream| StreamSpec {
        arrival: Arrival::Sporadic {
            period: stream.arrival.period(),
        },
        ..stream
    })
}

fn start(schedule: &mut Schedule, stream: usize, end_ms: u64) {
    assert_eq!(schedule.start_minibatch(stream, 1, &mut [Request::default()]), 1);
    schedule.end_minibatch(stream, Nanos::ZERO, Nanos(end_ms * MS));
}

#[test]
fn a_more_urgent_stream_comes_between_two_pieces_of_a_long_minibatch() {
    for policy in [Policy::Priority, Policy::Edf, Policy::Slack] {
        let mut schedule = schedule(policy, &two_networks(), &[training(&[5])]);
        schedule.arrive(1, request(0, 0)).unwrap();
        let decided = schedule.decide(Nanos::ZERO);
        assert_eq!(decided, Action::Minibatch { stream: 1, count: 1 }, "{policy}");
        start(&mut schedule, 1, 10);
        let goes_on = Action::GoOn { stream: 1, piece: 1 };
        assert_eq!(schedule.decide(Nanos(10 * MS)), goes_on, "before training");
        schedule.arrive(0, request(1, 10)).unwrap();
        assert_eq!(
            schedule.decide(Nanos(10 * MS)),
            Action::Minibatch { stream: 0, count: 1 },
            "{policy}"
        );
        start(&mut schedule, 0, 14);
        assert_eq!(schedule.decide(Nanos(14 * MS)), goes_on);
    }
}

#[test]
fn a_minibatch_keeps_its_place_in_a_queue_through_all_its_pieces_and_no_other_of_its_stream_comes_between() {
    let mut schedule = schedule(Policy::Fcfs, &two_networks(), &[training(&[5])]);
    schedule.arrive(1, request(0, 1)).unwrap();
    schedule.end_piece(0, Ended::Stepped, Nanos::ZERO, Nanos(2 * MS));
    start(&mut schedule, 1, 10);
    schedule.arrive(0, request(1, 5)).unwrap();
    schedule.arrive(1, request(2, 200)).unwrap();
    for piece in 1..6 {
        assert_eq!(schedule.decide(Nanos(10 * MS)), Action::GoOn { stream: 1, piece });
        schedule.go_on(1);
        schedule.end_minibatch(1, Nanos::ZERO, Nanos(10 * MS));
    }
    assert_eq!(schedule.streams()[1].next_piece(), None);
    assert_eq!(
        schedule.decide(Nanos(10 * MS)),
        Action::Piece { job: 0, piece: 0 }
    );
    schedule.end_piece(0, Ended::Stepped, Nanos(10 * MS), Nanos(15 * MS));
    assert_eq!(
        schedule.decide(Nanos(15 * MS)),
        Action::Minibatch { stream: 0, count: 1 }
    );
}

#[test]
fn what_is_left_of_a_minibatch_that_failed_is_not_run() {
    let mut schedule = schedule(Policy::Edf, &two_networks(), &[]);
    schedule.arrive(1, request(0, 0)).unwrap();
    start(&mut schedule, 1, 10);
    schedule.give_up(1);
    assert_eq!(
        schedule.decide(Nanos(10 * MS)),
        Action::Idle { until: Nanos::MAX }
    );
}

#[test]
fn an_urgent_stream_waits_for_a_piece_of_a_long_minibatch_not_for_all_of_it() {
    let cut = two_networks();
    let whole = cut.clone().map(|stream| StreamSpec {
        pieces: Pieces::new(),
        ..stream
    });
    let bounds = |streams: &[StreamSpec], policy| {
        let schedule = schedule(policy, streams, &[training(&[5])]);
        (schedule.bound(0), schedule.would_fit().is_ok())
    };
    // One piece of 10 ms, then its own 4 ms.
    assert_eq!(bounds(&cut, Policy::Priority), (Some(Nanos(14 * MS)), true));
    assert!(!bounds(&whole, Policy::Priority).1);
    assert_eq!(bounds(&cut, Policy::Edf), (Some(Nanos(20 * MS)), true));
    assert!(!bounds(&whole, Policy::Edf).1);
}

#[test]
fn each_piece_pays_a_switch() {
    let bound = |pieces: usize| {
        let mut schedule = Schedule::new(Policy::Edf, Nanos(MS), Nanos::ZERO);
        let mut stream = camera(200, 60, 1);
        stream.pieces = core::iter::repeat_n(Nanos(10 * MS), pieces).collect();
        schedule.add_stream(stream).unwrap();
        schedule.start(Nanos::ZERO);
        schedule.bound(0).unwrap()
    };
    assert_eq!(bound(6), bound(0) + Nanos(5 * MS));
}

#[test]
fn pieces_that_last_longer_than_their_minibatch_or_not_at_all_are_refused() {
    let mut schedule = Schedule::new(Policy::Slack, Nanos::ZERO, Nanos::ZERO);
    for pieces in [&[4, 4][..], &[4, 0]] {
        let spec = StreamSpec {
            pieces: pieces.iter().map(|ms| Nanos(ms * MS)).collect(),
            ..camera(30, 5, 1)
        };
        let refused = schedule.add_stream(spec).unwrap_err();
        assert!(matches!(refused, ScheduleError::Cut { .. }));
        assert!(
            refused
                .to_string()
                .contains("announce a cost of at least their sum")
        );
    }
}

#[test]
fn what_is_told_of_a_stream_or_job_that_is_not_there_changes_nothing() {
    let mut schedule = schedule(Policy::Edf, &[], &[]);
    schedule.go_on(0);
    schedule.give_up(0);
    schedule.end_minibatch(0, Nanos::ZERO, Nanos(MS));
    schedule.end_piece(0, Ended::Ran, Nanos::ZERO, Nanos(MS));
    assert_eq!(schedule.decide(Nanos(MS)), Action::Idle { until: Nanos::MAX });
}
