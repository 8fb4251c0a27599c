//! The meter: over the simulated sensors, over readings made by hand, and on a thread whose sensor never answers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::rail::rail_name;
use fulcrum::board::{Measured, Rail, Rails, Root, Sensor, Sensors, Supplies, SysfsSensors, Throttling};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::{Meter, MeterError, Reading};
use fulcrum::profile::Kind;
use fulcrum::runtime::control::Control;
use fulcrum::twin::Twin;
use fulcrum::units::{Millicelsius, Millijoules, Milliwatts, Nanos};
use proptest::prelude::*;
use std::time::Duration;

const REFRESH: Nanos = Nanos::from_millis(430);

fn ms(ms: u64) -> Nanos {
    Nanos::from_millis(ms)
}

fn supplies(name: &str, sensor: Sensor, refresh: Nanos) -> Supplies {
    Supplies::new([Rail {
        name: rail_name(name),
        sensor,
        refresh,
    }])
}

/// A meter of one input rail of 5 V and 8 mA steps, whose window begins at 0.
fn meter() -> Meter {
    Meter::new(
        &supplies("VDD_IN", Sensor::Current(Some(8)), REFRESH),
        Nanos::ZERO,
    )
}

/// What that rail shows at this power, mW.
fn shows(power: u32) -> Rails {
    Rails::from_iter([Ok(Measured::Current {
        millivolts: 5_000,
        milliamperes: power / 5,
    })])
}

/// Takes conversions of these powers (mW), one each refresh, the first at 430 ms. Neighbours must differ.
fn take_all(meter: &mut Meter, powers: &[u32]) -> Vec<Reading> {
    let moments = (1..).map(|n| REFRESH.times(n));
    moments
        .zip(powers)
        .map(|(at, power)| meter.take(at, &shows(*power)).unwrap())
        .collect()
}

/// A small difference from conversion to conversion, as noise makes it.
fn around(power: u32, count: u32) -> Vec<u32> {
    (0..count).map(|n| power + 5 * (n % 2)).collect()
}

#[test]
fn the_total_of_agx_orin_is_the_sum_of_three_rails_and_memory_counts_once() {
    let mut twin = Twin::by_hand("agx-orin", 1).unwrap();
    let rule = "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (VDDQ_VDD2_1V8AO is part of these, not counted again)";
    assert_eq!(twin.supplies().total_rule(), rule);
    let rails = twin.rails();
    let powers: Vec<u32> = rails
        .iter()
        .map(|rail| rail.unwrap().power().unwrap().0)
        .collect();
    let sum = twin.supplies().total(&rails).unwrap();
    assert_eq!(sum.0, powers[..3].iter().sum::<u32>());
    assert!((9_000..10_000).contains(&sum.0) && powers[3] > 0, "idle {sum}");
}

#[test]
fn a_repeated_reading_is_not_counted_as_a_new_one() {
    let mut twin = Twin::by_hand("agx-orin", 1).unwrap();
    let mut meter = Meter::new(twin.supplies(), Nanos::ZERO);
    for tenth in 0..=430 {
        let now = ms(100 * tenth);
        twin.record(Kind::Training, 1, ms(tenth % 100));
        twin.advance_to(now);
        meter.take(now, &twin.rails()).unwrap();
    }
    let window = meter.window(ms(43_000));
    // 43 s hold 100 conversions; the one that was under way at the start does not count.
    assert_eq!(window.count, 99);
    assert!(window.mean() < window.max());
    assert_eq!((window.gaps, window.outliers, window.is_marked()), (0, 0, false));
}

#[test]
fn a_reading_that_stays_the_same_counts_once_a_refresh() {
    let mut meter = meter();
    let new = |at: u64, meter: &mut Meter| meter.take(ms(100 * at), &shows(5_000)) != Ok(Reading::Stale);
    let seen: Vec<u64> = (0..20).filter(|tenth| new(*tenth, &mut meter)).collect();
    assert_eq!(seen, [0, 5, 10, 15]);
}

#[test]
fn a_rail_outside_the_total_makes_no_reading_new() {
    let rail = |name| Rail {
        name: rail_name(name),
        sensor: Sensor::Power,
        refresh: REFRESH,
    };
    let supplies = Supplies::new([rail("VDD_IN"), rail("VDD_SOC")]);
    let mut meter = Meter::new(&supplies, Nanos::ZERO);
    let input = Ok(Measured::Power(Milliwatts(9_000)));
    for (at, soc) in [
        (1, Ok(Measured::Power(Milliwatts(800)))),
        (2, Ok(Measured::Power(Milliwatts(900)))),
        (3, Err(61)),
    ] {
        let reading = meter.take(ms(at), &Rails::from_iter([input, soc])).unwrap();
        assert_eq!(reading == Reading::Stale, at > 1);
    }
    assert_eq!(meter.window(ms(3)).failed, 0);
}

#[test]
fn energy_is_power_times_the_time_that_each_conversion_stands_for() {
    let mut meter = meter();
    meter.take(ms(0), &shows(5_000)).unwrap();
    // 10 W for 860 ms, 20 W for 500 ms; the conversion seen at 430 ms may have begun before the window.
    for (at, power) in [(430, 8_000), (860, 10_000), (1_290, 10_005), (1_790, 20_000)] {
        meter.take(ms(at), &shows(power)).unwrap();
    }
    let window = meter.window(ms(1_790));
    assert_eq!((window.count, window.covered), (3, ms(1_360)));
    // 4300 + 4302.15 + 10000 mJ.
    assert_eq!(window.energy(), Millijoules(18_603));
    assert_eq!(window.mean(), Some(Milliwatts(13_679)));
    assert_eq!(window.max(), Some(Milliwatts(20_000)));
    assert_eq!(window.resolution, Milliwatts(40));
}

#[test]
fn a_conversion_that_began_before_the_window_does_not_count_in_it() {
    let mut meter = meter();
    take_all(&mut meter, &around(30_000, 5));
    meter.begin_window(REFRESH.times(5) + ms(100));
    let window = meter.window(REFRESH.times(5) + ms(100));
    assert_eq!((window.count, window.mean(), window.max()), (0, None, None));
    // These two were under way or begun at that time.
    for n in [6, 7] {
        meter
            .take(REFRESH.times(n), &shows(20_000 + 5 * n as u32))
            .unwrap();
    }
    assert_eq!(meter.window(REFRESH.times(7)).count, 0);
    meter.take(REFRESH.times(8), &shows(10_000)).unwrap();
    let window = meter.window(REFRESH.times(8));
    assert_eq!((window.count, window.max()), (1, Some(Milliwatts(10_000))));
}

#[test]
fn no_energy_is_made_up_for_a_gap_and_its_length_is_said() {
    let mut meter = meter();
    take_all(&mut meter, &around(10_000, 4));
    let before = meter.window(REFRESH.times(4));
    // Five seconds without a conversion. The next stands for one refresh.
    let at = REFRESH.times(4) + ms(5_000);
    let open = meter.window(at);
    assert_eq!((open.gaps, open.gap_time), (1, ms(4_570)));
    meter.take(at, &shows(12_000)).unwrap();
    let window = meter.window(at);
    assert_eq!((window.gaps, window.gap_time), (1, ms(4_570)));
    assert_eq!(window.covered, before.covered + REFRESH);
    assert_eq!(window.energy().0, before.energy().0 + 12_000 * 430 / 1_000);
    assert!(
        window.to_string().contains("1 gaps, 4.6 s without a conversion"),
        "{window}"
    );
}

#[test]
fn two_refreshes_without_a_conversion_are_no_gap() {
    let mut meter = meter();
    take_all(&mut meter, &around(10_000, 4));
    meter.take(REFRESH.times(6), &shows(12_000)).unwrap();
    let window = meter.window(REFRESH.times(6));
    assert_eq!((window.gaps, window.covered), (0, REFRESH.times(5)));
}

#[test]
fn a_lone_conversion_that_no_load_explains_is_left_out_and_reported() {
    for wild in [400_000, 0, 1_000] {
        let mut meter = meter();
        let mut powers = around(10_000, 8);
        powers.insert(5, wild);
        let readings = take_all(&mut meter, &powers);
        assert_eq!(readings[5], Reading::Doubtful(Milliwatts(wild)));
        let window = meter.window(REFRESH.times(9));
        assert_eq!(
            (window.outliers, window.last_outlier),
            (1, Some(Milliwatts(wild)))
        );
        assert!(window.mean().unwrap() < Milliwatts(10_006) && window.max() < Some(Milliwatts(10_006)));
        // Nor is its time covered.
        assert_eq!(window.covered, REFRESH.times(7));
        assert!(window.to_string().contains("1 outliers left out"), "{window}");
    }
}

#[test]
fn a_step_of_the_load_counts_whole_and_so_does_a_short_burst() {
    let mut step = meter();
    let mut powers = around(1_000, 6);
    powers.extend(around(40_000, 6));
    take_all(&mut step, &powers);
    let window = step.window(REFRESH.times(12));
    assert_eq!((window.outliers, window.count), (0, 11));
    assert_eq!(window.max(), Some(Milliwatts(40_005)));
    let mut burst = meter();
    let mut powers = around(5_000, 9);
    powers[5] = 29_000;
    take_all(&mut burst, &powers);
    let window = burst.window(REFRESH.times(9));
    assert_eq!((window.outliers, window.max()), (0, Some(Milliwatts(29_000))));
}

#[test]
fn a_silent_rail_fails_the_reading_and_marks_the_window() {
    let mut meter = meter();
    take_all(&mut meter, &around(10_000, 4));
    let error = meter
        .take(REFRESH.times(5), &Rails::from_iter([Err(110)]))
        .unwrap_err();
    assert_eq!(error, MeterError::Silent(rail_name("VDD_IN"), 110));
    assert!(error.to_string().contains("rail VDD_IN is silent"), "{error}");
    let window = meter.window(REFRESH.times(5));
    assert!(window.failed == 1 && window.is_marked());
    let mut none = Meter::new(&Supplies::new([]), Nanos::ZERO);
    assert_eq!(none.take(ms(1), &Rails::new()), Err(MeterError::NoRail));
}

#[test]
fn over_current_and_cooling_mark_the_window_in_which_they_were_seen_and_no_other() {
    let seen = |instantaneous, cooling| Throttling {
        overcurrent: [Some(4), None, Some(instantaneous)],
        cooling,
        unreadable: 0,
    };
    let mut meter = meter();
    meter.note(seen(100, 0));
    meter.note(seen(100, 0));
    assert!(!meter.window(ms(1)).is_marked());
    meter.note(seen(107, 0));
    let window = meter.window(ms(2));
    assert!(window.is_marked() && window.overcurrent == [0, 0, 7]);
    meter.begin_window(ms(3));
    meter.note(seen(107, 0));
    assert!(!meter.window(ms(4)).is_marked());
    meter.note(seen(107, 2));
    meter.note(seen(107, 0));
    let window = meter.window(ms(5));
    assert!(window.is_marked() && window.cooling == 2);
    // The counters were started again: what they show came since.
    meter.begin_window(ms(6));
    meter.note(seen(3, 0));
    assert_eq!(meter.window(ms(7)).overcurrent, [0, 0, 3]);
}

#[test]
fn means_within_one_step_of_the_sensor_are_the_same_to_it() {
    let window = |power| {
        let mut meter = meter();
        take_all(&mut meter, &around(power, 5));
        meter.window(REFRESH.times(5))
    };
    assert!(!window(10_000).tells_from(&window(10_040)));
    assert!(window(10_000).tells_from(&window(10_050)));
}

/// A meter of an energy counter that goes back to zero at 1 J.
fn counter() -> Meter {
    Meter::new(
        &supplies("package-0", Sensor::Energy(1_000_000), ms(1)),
        Nanos::ZERO,
    )
}

fn counts(microjoules: u64) -> Rails {
    Rails::from_iter([Ok(Measured::Energy(microjoules))])
}

#[test]
fn an_energy_counter_becomes_power_by_differences_and_may_go_round() {
    let mut meter = counter();
    assert_eq!(meter.take(ms(0), &counts(700_000)), Ok(Reading::Mark));
    assert_eq!(
        meter.take(ms(100), &counts(900_000)),
        Ok(Reading::New(Milliwatts(2_000)))
    );
    // 100 mJ up to the range and 300 mJ after it.
    assert_eq!(
        meter.take(ms(200), &counts(300_000)),
        Ok(Reading::New(Milliwatts(4_000)))
    );
    // Twenty seconds unread: a counter misses nothing.
    assert_eq!(
        meter.take(ms(20_200), &counts(500_000)),
        Ok(Reading::New(Milliwatts(10)))
    );
    let window = meter.window(ms(20_200));
    assert_eq!((window.energy(), window.gaps), (Millijoules(800), 0));
    assert_eq!(window.covered, ms(20_200));
}

#[test]
fn an_energy_counter_that_may_have_gone_round_twice_only_marks_a_new_start() {
    let mut meter = counter();
    meter.take(ms(0), &counts(0)).unwrap();
    assert_eq!(meter.take(ms(90_000), &counts(500)), Ok(Reading::Mark));
    let window = meter.window(ms(90_000));
    assert_eq!((window.gaps, window.gap_time, window.count), (1, ms(90_000), 0));
}

#[test]
fn an_energy_counter_that_was_started_again_is_an_outlier() {
    let supplies = supplies("package-0", Sensor::Energy(262_143_000_000), ms(1));
    let mut meter = Meter::new(&supplies, Nanos::ZERO);
    let readings = [9_000_000, 9_100_000, 5, 100_005].map(counts);
    for (n, rails) in (0..).zip(&readings) {
        meter.take(ms(100 * n), rails).unwrap();
    }
    let window = meter.window(ms(300));
    assert_eq!((window.outliers, window.max()), (1, Some(Milliwatts(1_000))));
}

proptest! {
    #[test]
    fn whatever_is_read_the_sums_agree(
        steps in prop::collection::vec((0_u64..2_000, 0_u32..60_000, 0_u8..10), 0..80),
        begin in 0_u64..20_000,
    ) {
        let mut meter = meter();
        let (mut now, mut begun) = (0, false);
        for (step, power, fails) in steps {
            now += step;
            if now >= begin && !begun {
                meter.begin_window(ms(now));
                begun = true;
            }
            let rails = if fails == 0 { Rails::from_iter([Err(5)]) } else { shows(power) };
            let _ = meter.take(ms(now), &rails);
        }
        let window = meter.window(ms(now));
        prop_assert!(window.covered + window.gap_time <= window.length());
        prop_assert_eq!(window.count == 0, window.mean().is_none());
        prop_assert!(window.mean() <= window.max());
        if let Some(mean) = window.mean() {
            let energy = window.energy().0;
            prop_assert!(energy <= mean.over(window.covered).millijoules().0);
        }
    }

    #[test]
    fn the_energy_of_a_counter_is_what_it_counted(joules in prop::collection::vec(0_u64..900_000, 1..40)) {
        let mut meter = counter();
        let (mut sum, mut first) = (0, 0);
        meter.take(ms(0), &counts(0)).unwrap();
        for (n, step) in (1..).zip(&joules) {
            sum += step;
            // A second apart: up to 0.9 W.
            meter.take(ms(1_000 * n), &counts(sum % 1_000_000)).unwrap();
            first = n;
        }
        let window = meter.window(ms(1_000 * first));
        prop_assert_eq!(window.energy().0, sum.div_ceil(1_000));
    }
}

/// Sensors of a board without a rail.
struct OnlyHeat(Supplies);

impl Sensors for OnlyHeat {
    fn supplies(&self) -> &Supplies {
        &self.0
    }

    fn rails(&mut self) -> Rails {
        Rails::new()
    }

    fn temperature(&mut self) -> Option<Millicelsius> {
        Some(Millicelsius(41_000))
    }

    fn throttling(&mut self) -> Throttling {
        Throttling::default()
    }
}

/// Polls until there is a sample that fits.
fn await_sample(control: &mut Control, fits: impl Fn(&fulcrum::runtime::control::Sample) -> bool) {
    loop {
        match control.poll() {
            Some(sample) if fits(&sample) => return,
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn the_control_thread_measures_a_window_and_then_the_next() {
    let twin = Twin::open("agx-orin", 1).unwrap();
    let mut control = Control::start(twin.clone(), ms(20)).unwrap();
    assert_eq!(control.age(), None);
    await_sample(&mut control, |sample| sample.window.count >= 1);
    assert!(control.age().is_some());
    let begin = control.begin_window();
    await_sample(&mut control, |sample| {
        sample.window.begin == begin && sample.window.count >= 1 && sample.power.is_some()
    });
}

#[test]
fn heat_is_told_where_power_is_not_known() {
    let mut control = Control::start(OnlyHeat(Supplies::new([])), ms(10)).unwrap();
    await_sample(&mut control, |sample| {
        sample.power.is_none() && sample.temperature == Some(Millicelsius(41_000))
    });
    assert_eq!(control.age(), None);
}

#[test]
fn a_sensor_that_never_answers_holds_its_own_thread_and_nothing_else() {
    let folder = std::env::temp_dir().join(format!("fulcrum-blocked-{}", std::process::id()));
    let chip = folder.join("sys/bus/i2c/devices/1-0040/hwmon/hwmon1");
    std::fs::create_dir_all(&chip).unwrap();
    std::fs::write(folder.join("sys/bus/i2c/devices/1-0040/name"), "ina3221\n").unwrap();
    std::fs::write(chip.join("in1_label"), "VDD_IN\n").unwrap();
    std::fs::write(chip.join("curr1_input"), "920\n").unwrap();
    // Nobody writes into this pipe: whoever reads it waits.
    let pipe = chip.join("in1_input");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let sensors = SysfsSensors::find(&Root::new(&folder));
    assert_eq!(sensors.supplies().total_rule(), "VDD_IN");
    let mut control = Control::start(sensors, ms(10)).unwrap();
    while control.blocked().is_none_or(|time| time < ms(50)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((control.poll(), control.age()), (None, None));
    let start = Monotonic.now();
    drop(control);
    let waited = Monotonic.now() - start;
    // It came back although the reading has not ended: nobody has opened the other end yet.
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    drop(writer);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(
        waited >= ms(1_000),
        "the end of a reading is awaited first: {waited}"
    );
}
