//! The meter over the simulated sensors.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::Board;
use fulcrum::power::{Meter, Reading};
use fulcrum::profile::Kind;
use fulcrum::twin::Twin;
use fulcrum::units::{Milliwatts, Nanos};

#[test]
fn the_total_of_agx_orin_is_the_sum_of_three_rails_and_memory_counts_once() {
    let twin = Twin::by_hand("agx-orin", 1).unwrap();
    let rule = "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (VDDQ_VDD2_1V8AO is part of these, not counted again)";
    assert_eq!(twin.facts().total_rule(), rule);
    let rails = twin.rails().unwrap();
    let sum = rails
        .iter()
        .take(3)
        .fold(Milliwatts(0), |sum, rail| sum + rail.power());
    let shown = Meter::new(twin.facts())
        .sample(Nanos::ZERO, &twin)
        .unwrap()
        .power();
    assert_eq!(shown, sum);
    assert!((9_000..10_000).contains(&sum.0), "idle {sum}");
}

#[test]
fn a_repeated_reading_is_not_counted_as_a_new_one() {
    let twin = Twin::by_hand("agx-orin", 1).unwrap();
    let mut meter = Meter::new(twin.facts());
    for tenth in 0..=430 {
        let now = Nanos::from_millis(100 * tenth);
        twin.record(Kind::Training, 1, Nanos::from_millis(tenth % 100));
        twin.advance_to(now);
        meter.sample(now, &twin).unwrap();
    }
    // 43 s hold 100 conversions after the first reading.
    assert_eq!(meter.count(), 101);
    assert!(meter.mean().unwrap() < meter.max().unwrap());
}

#[test]
fn a_reading_that_stays_the_same_counts_once_a_refresh() {
    let twin = Twin::by_hand("agx-orin", 1).unwrap();
    let mut meter = Meter::new(twin.facts());
    // The board stands still: no conversion changes anything.
    let outcomes: Vec<bool> = (0..20)
        .map(|tenth| {
            matches!(
                meter.sample(Nanos::from_millis(100 * tenth), &twin),
                Ok(Reading::New(_))
            )
        })
        .collect();
    let counted: Vec<usize> = (0..20).filter(|tenth| outcomes[*tenth]).collect();
    assert_eq!(counted, [0, 5, 10, 15]);
}

#[test]
fn a_reset_forgets_the_values_but_not_which_conversion_was_seen() {
    let twin = Twin::by_hand("agx-orin", 1).unwrap();
    let mut meter = Meter::new(twin.facts());
    meter.sample(Nanos::ZERO, &twin).unwrap();
    meter.reset();
    assert_eq!((meter.count(), meter.mean(), meter.max()), (0, None, None));
    assert!(matches!(meter.sample(Nanos(1), &twin), Ok(Reading::Stale(_))));
}
