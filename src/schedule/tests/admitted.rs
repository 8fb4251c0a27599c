//! What is refused, and why.

use super::*;

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
fn admission_counts_megabytes_as_it_counts_time() {
    let with = |most: Option<u64>, held: &[u64]| {
        let mut schedule = schedule(Policy::Slack, &[camera(33, 5, 1)], &job(&[4; 3]));
        most.iter().for_each(|most| schedule.set_memory(*most));
        held.iter().for_each(|held| schedule.add_memory(*held));
        schedule.would_fit()
    };
    assert_eq!(with(None, &[u64::MAX, 1]), Ok(()));
    assert_eq!(with(Some(0), &[]), Ok(()));
    assert_eq!(with(Some(50_000_000), &[20_000_000, 30_000_000]), Ok(()));
    let refused = with(Some(50_000_000), &[20_000_000, 30_000_001]).unwrap_err();
    let (taken, most) = (50_000_001, 50_000_000);
    assert_eq!(refused, Refusal::Memory { taken, most });
    assert!(
        refused.to_string().contains("hold 51 MB and may hold 50 MB"),
        "{refused}"
    );
    assert!(
        with(Some(u64::MAX - 1), &[u64::MAX, 1]).is_err(),
        "a sum that is too large does not wrap"
    );
}
