//! The twin as a board: knobs, sensors, temperature, and the table of its modes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::{Board, BoardError, Measured, Sensors, Setting};
use fulcrum::power::{Change, Meter};
use fulcrum::profile::Kind;
use fulcrum::twin::{HostTime, Twin, TwinError};
use fulcrum::units::{Milliwatts, Nanos};
use proptest::prelude::*;

fn twin(seed: u64) -> Twin {
    Twin::by_hand("agx-orin", seed).unwrap()
}

/// Runs inference and training for `seconds` with these parts of the time, in steps of 43 ms.
fn run(twin: &Twin, start: Nanos, seconds: u64, inference: u64, training: u64, meter: &mut Meter) -> Nanos {
    let step = Nanos::from_millis(43);
    let mut now = start;
    while now < start + Nanos::from_secs(seconds) {
        now += step;
        twin.record(Kind::Inference, 1, step.scaled(inference));
        twin.record(Kind::Training, 1, step.scaled(training));
        twin.advance_to(now);
        meter.take(now, &twin.clone().rails()).unwrap();
    }
    now
}

#[test]
fn an_unknown_board_is_refused_with_the_known_ones_named() {
    let error = Twin::open("agx-banana", 1).unwrap_err();
    assert_eq!(error, TwinError::Unknown("agx-banana".into()));
    assert!(error.to_string().ends_with("choose one of: agx-orin"), "{error}");
}

#[test]
fn the_board_says_that_it_is_simulated() {
    assert_eq!(twin(1).facts().to_string(), "Jetson AGX Orin (simulated)");
}

#[test]
fn only_values_of_the_tables_are_taken() {
    let mut board = twin(1);
    let found = board.mode();
    for (setting, value, errno) in [
        (Setting::Online(1), 2, 22),
        (Setting::Online(0), 0, 19),
        (Setting::Online(12), 1, 19),
        (Setting::CpuCeiling(4), 1_000_000, 22),
        (Setting::CpuCeiling(1), 1_113_600, 19),
        (Setting::GpuCeiling, 0, 22),
        (Setting::EmcCeiling, 1, 22),
    ] {
        assert_eq!(
            board.set(setting, value),
            Err(BoardError::Refused(setting, value, errno))
        );
    }
    assert_eq!(board.mode(), found);
    board.set(Setting::GpuCeiling, 612_000).unwrap();
    assert_eq!(board.get(Setting::GpuCeiling), Ok(Some(612_000)));
    assert_eq!(board.get(Setting::GpuFloor), Ok(None));
}

#[test]
fn a_clone_is_another_handle_to_the_same_board() {
    let mut one = twin(1);
    let other = one.clone();
    one.set(Setting::Online(11), 0).unwrap();
    other.record(Kind::Training, 1, Nanos(7));
    assert_eq!((other.mode().cores, one.busy(Kind::Training)), (11, Nanos(7)));
}

#[test]
fn equal_seeds_and_equal_use_give_equal_readings_and_other_seeds_do_not() {
    let readings = |seed| -> Vec<_> {
        let (mut twin, mut seen) = (twin(seed), Vec::new());
        let mut meter = Meter::new(twin.supplies(), Nanos::ZERO);
        let mut now = Nanos::ZERO;
        for _ in 0..50 {
            now = run(&twin, now, 1, 100, 500, &mut meter);
            seen.push((twin.rails(), twin.temperature()));
        }
        seen
    };
    assert_eq!(readings(3), readings(3));
    assert_ne!(readings(3), readings(4));
}

#[test]
fn rails_show_whole_steps_and_the_same_conversion_for_430_ms() {
    let mut twin = twin(1);
    let idle = twin.rails();
    assert_eq!(idle.len(), 4);
    assert!(idle.iter().all(|rail| matches!(
        rail,
        Ok(Measured::Current { millivolts, milliamperes }) if milliamperes % 20 == 0 && millivolts % 8 == 0
    )));
    twin.record(Kind::Training, 1, Nanos::from_millis(429));
    twin.advance_to(Nanos::from_millis(429));
    assert_eq!(twin.rails(), idle);
    twin.advance_to(Nanos::from_millis(430));
    assert_ne!(twin.rails(), idle);
}

#[test]
fn work_warms_the_board_and_rest_cools_it() {
    let mut twin = twin(1);
    let mut meter = Meter::new(twin.supplies(), Nanos::ZERO);
    let cool = twin.temperature().unwrap();
    let now = run(&twin, Nanos::ZERO, 600, 0, 1_000, &mut meter);
    let warm = twin.temperature().unwrap();
    run(&twin, now, 1_200, 0, 0, &mut meter);
    let rested = twin.temperature().unwrap();
    assert!(warm.0 > cool.0 + 20_000 && warm.0 < 80_000, "{cool} {warm}");
    assert!((rested.0 - cool.0).abs() < 1_000, "{cool} {rested}");
}

#[test]
fn the_ratio_is_one_in_the_top_mode_and_never_less() {
    let twin = twin(1);
    for kind in Kind::ALL {
        assert_eq!(twin.ratio(&twin.space().top(), kind), 1_000);
        assert!(twin.space().iter().all(|mode| twin.ratio(&mode, kind) >= 1_000));
    }
}

#[test]
fn the_table_has_every_mode_and_the_host_times_in_the_top_one() {
    let twin = twin(1);
    let host = |kind, minibatch, ms| HostTime {
        workload: "net".into(),
        kind,
        minibatch,
        time: Nanos::from_millis(ms),
    };
    let top = [
        host(Kind::Inference, 1, 2),
        host(Kind::Inference, 4, 5),
        host(Kind::Training, 32, 25),
    ];
    let rows = twin.table(&top).unwrap();
    assert_eq!(rows.len(), 3 * twin.space().len());
    let at_top: Vec<Nanos> = rows
        .iter()
        .filter(|row| row.mode() == twin.space().top())
        .map(|row| row.time())
        .collect();
    assert_eq!(at_top, top.map(|host| host.time));
    assert!(twin.table(&[host(Kind::Inference, 0, 1)]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_reading_exceeds_the_higher_of_the_two_rows(
        index in 0_usize..15_312, seed: u64, inference in 0_u64..1_200, training in 0_u64..1_200,
    ) {
        let twin = twin(seed);
        let mode = twin.space().at(index).unwrap();
        Change::begin(&mut twin.clone()).unwrap().apply(mode).unwrap().keep().unwrap();
        let host = |kind| HostTime { workload: "net".into(), kind, minibatch: 1, time: Nanos(1_000) };
        let rows = twin.table(&Kind::ALL.map(host)).unwrap();
        let highest = rows.iter().filter(|row| row.mode() == mode).filter_map(|row| row.power()).max().unwrap();
        let mut meter = Meter::new(twin.supplies(), Nanos::ZERO);
        // The first reading is of the idle board in its top mode, before the change: it only marks the start.
        meter.take(Nanos::ZERO, &twin.clone().rails()).unwrap();
        let end = run(&twin, Nanos::ZERO, 30, inference, training, &mut meter);
        let window = meter.window(end);
        prop_assert!(window.max().unwrap() <= highest, "{:?} over {highest}", window.max());
        prop_assert!(window.mean().unwrap() > Milliwatts(7_000));
    }
}
