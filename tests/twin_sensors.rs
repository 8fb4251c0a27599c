//! The sensors of a simulated tree: rails, temperatures, over-current counters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod tree;

use fulcrum::twin::tree::{Adversary, Tree};
use fulcrum::units::Nanos;
use rustix::io::Errno;
use tree::{BOARDS, gpu, open};

/// Sum of the rails that count, mW.
fn milliwatts(tree: &Tree) -> u64 {
    let chip = "sys/bus/i2c/devices/1-0040/hwmon";
    let hwmon = format!("{chip}/{}", tree.list(chip).unwrap()[0]);
    let number = |name: String| {
        tree.text(&format!("{hwmon}/{name}"))
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    number("in1_input".into()) * number("curr1_input".into()) / 1_000
}

#[test]
fn rails_show_the_same_until_a_conversion_ends_and_count_in_steps() {
    for (board, step, micro_ohm) in [("agx-orin", 20, 2), ("orin-nano", 8, 5), ("agx-xavier", 8, 5)] {
        let tree = open(board);
        let chip = "sys/bus/i2c/devices/1-0040/hwmon";
        let hwmon = format!("{chip}/{}", tree.list(chip).unwrap()[0]);
        assert_eq!(tree.text(&format!("{hwmon}/update_interval")).unwrap(), "430");
        let rails = || {
            let number = |name: String| {
                tree.text(&format!("{hwmon}/{name}"))
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            };
            for n in 1..=3 {
                let (mv, ma) = (number(format!("in{n}_input")), number(format!("curr{n}_input")));
                assert_eq!((mv % 8, ma % step), (0, 0), "{board}: {mv} mV, {ma} mA");
                assert_eq!(number(format!("in{}_input", n + 3)), ma * micro_ohm);
            }
            [1, 2, 3].map(|n| number(format!("curr{n}_input")))
        };
        let idle = rails();
        tree.set_load(1.0, 1.0);
        tree.advance(Nanos::from_millis(429));
        assert_eq!(rails(), idle, "{board}: the cycle is not over");
        tree.advance(Nanos::from_millis(2));
        let (first, work) = (rails(), milliwatts(&tree));
        assert!(
            first.iter().sum::<u64>() > idle.iter().sum(),
            "{board}: {first:?} after {idle:?}"
        );
        tree.set_load(0.0, 0.0);
        tree.advance(Nanos::from_millis(215));
        tree.set_load(1.0, 1.0);
        tree.advance(Nanos::from_millis(216));
        let half = milliwatts(&tree);
        tree.set_load(0.0, 0.0);
        tree.advance(Nanos::from_millis(861));
        let rest = milliwatts(&tree);
        assert!(
            rest < half && half < work,
            "{board}: {rest} {half} {work} mW: a conversion is a mean"
        );
    }
}

#[test]
fn power_and_temperature_follow_the_clocks() {
    for board in BOARDS {
        let tree = open(board);
        tree.set_load(1.0, 1.0);
        let settled = || {
            tree.advance(Nanos::from_secs(600));
            let zone: i64 = tree
                .text("sys/class/thermal/thermal_zone0/temp")
                .unwrap()
                .parse()
                .unwrap();
            (milliwatts(&tree), zone)
        };
        let high = settled();
        tree.write(&format!("{}/max_freq", gpu(&tree)), "420750000")
            .unwrap();
        let low = settled();
        assert!(
            low.0 < high.0 && low.1 < high.1,
            "{board}: {low:?} below {high:?}"
        );
    }
}

#[test]
fn idle_and_full_power_of_the_orin_nano_are_plausible() {
    let tree = open("orin-nano");
    assert!(
        (4_400..4_900).contains(&milliwatts(&tree)),
        "{}",
        milliwatts(&tree)
    );
    tree.adversary(Adversary::Nvpmodel(2)).unwrap();
    tree.set_load(1.0, 1.0);
    tree.advance(Nanos::from_secs(2));
    assert!(
        (22_000..28_000).contains(&milliwatts(&tree)),
        "{}",
        milliwatts(&tree)
    );
}

#[test]
fn a_rail_that_is_switched_off_has_no_data() {
    let tree = open("orin-nano");
    let hwmon = "sys/class/hwmon/hwmon1";
    tree.write(&format!("{hwmon}/in2_enable"), "0").unwrap();
    assert_eq!(tree.read(&format!("{hwmon}/curr2_input")), Err(Errno::NODATA));
    assert!(tree.read(&format!("{hwmon}/curr1_input")).is_ok());
    assert_eq!(
        tree.text(&format!("{hwmon}/update_interval")).unwrap(),
        "286",
        "two channels take less time"
    );
}

#[test]
fn over_current_counts_when_a_limit_is_passed_and_on_demand() {
    let tree = open("orin-nano");
    let count = "sys/class/hwmon/hwmon3/oc3_event_cnt";
    tree.over_current(3, 5).unwrap();
    assert_eq!(tree.text(count).unwrap(), "5");
    tree.write("sys/class/hwmon/hwmon1/curr1_crit", "1000").unwrap();
    tree.set_load(1.0, 1.0);
    tree.advance(Nanos::from_secs(1));
    assert!(tree.text(count).unwrap().parse::<u64>().unwrap() > 5);
    assert_eq!(tree.text("sys/class/hwmon/hwmon1/curr1_crit_alarm").unwrap(), "1");
    assert_eq!(tree.over_current(4, 1), Err(Errno::INVAL));
}
