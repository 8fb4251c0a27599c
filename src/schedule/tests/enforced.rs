//! What is measured moves the bounds, and what overruns or fails is cut finer or parked.

use super::*;

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
    let mut run = |count: usize, start: Nanos, took: Nanos| {
        for token in 0..count {
            schedule.arrive(1, request(token as u64, 0)).unwrap();
        }
        assert_eq!(
            schedule.start_minibatch(1, count, &mut [Request::default(); 4]),
            count
        );
        schedule.end_minibatch(1, start, start + took);
    };
    for place in 0..40 {
        let start = Nanos(place * 9 * MS);
        run(4, start, Nanos(9 * MS));
        // Minibatches that are not full are of another class, and shorter.
        run(2, start, Nanos(MS));
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
fn a_piece_that_is_given_up_again_and_again_has_its_job_asked_once_for_a_finer_cut() {
    let mut schedule = schedule(Policy::Edf, &[camera(30, 5, 1)], &[training(&[40, 2])]);
    let give_up = |times: u64, schedule: &mut Schedule| {
        let before = |time: u64| Nanos(time * 30 * MS);
        (0..times)
            .map(|time| {
                schedule.end_piece(0, Ended::Aborted, before(time), before(time) + Nanos(MS));
                schedule.jobs()[0].wants_finer()
            })
            .collect::<std::vec::Vec<_>>()
    };
    assert_eq!(give_up(7, &mut schedule), [false; 7]);
    // A piece that got through begins the count anew.
    schedule.end_piece(0, Ended::Ran, Nanos::ZERO, Nanos(40 * MS));
    assert_eq!(
        give_up(9, &mut schedule),
        [false, false, false, false, false, false, false, true, false]
    );
    assert!(!schedule.jobs()[0].parked());
    assert!(schedule.recut(0, training(&[2, 2]).pieces) && schedule.jobs()[0].next_piece() == 0);
}
