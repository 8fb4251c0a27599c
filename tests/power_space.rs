//! The mode space of the simulated AGX Orin.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::Board;
use fulcrum::power::{ModeSpace, PowerMode};
use fulcrum::twin::Twin;
use fulcrum::units::Kilohertz;
use proptest::prelude::*;

fn space() -> ModeSpace {
    ModeSpace::of(Twin::by_hand("agx-orin", 1).unwrap().facts())
}

#[test]
fn agx_orin_offers_15312_modes_in_rising_order_and_the_last_is_the_top() {
    let space = space();
    assert_eq!(space.len(), 12 * 29 * 11 * 4);
    let modes: Vec<PowerMode> = space.iter().collect();
    assert_eq!(modes.len(), space.len());
    assert!(modes.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(modes.last(), Some(&space.top()));
    let top = PowerMode {
        cores: 12,
        cpu: Kilohertz(2_201_600),
        gpu: Kilohertz(1_300_500),
        emc: Kilohertz(3_199_000),
    };
    assert_eq!(space.top(), top);
}

proptest! {
    #[test]
    fn index_and_mode_are_each_others_inverse(index in 0_usize..20_000) {
        let space = space();
        let mode = space.at(index);
        prop_assert_eq!(mode.is_some(), index < space.len());
        if let Some(mode) = mode {
            prop_assert_eq!(space.index_of(&mode), Some(index));
        }
    }

    #[test]
    fn a_mode_that_the_board_does_not_offer_has_no_index(
        index in 0_usize..15_312, cores in 0_u8..20, off in 1_u32..50_000,
    ) {
        let space = space();
        let mode = space.at(index).unwrap();
        prop_assert_eq!(space.index_of(&PowerMode { cores, ..mode }).is_some(), (1..=12).contains(&cores));
        prop_assert_eq!(space.index_of(&PowerMode { gpu: Kilohertz(mode.gpu.0 + off), ..mode }), None);
    }
}
