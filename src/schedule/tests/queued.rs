//! A stream's queue, its minibatches and its rules.

use super::*;

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
fn a_name_is_cut_to_its_capacity() {
    assert_eq!(name(&"n".repeat(limits::NAME + 1)).len(), limits::NAME);
}
