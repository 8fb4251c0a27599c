//! The change of a power mode as a transaction, with every write failing in turn.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use core::cell::Cell;
use fulcrum::board::{Board, BoardError, Facts, Knob, Setting};
use fulcrum::power::{Change, ChangeError, Fault, PowerMode};
use fulcrum::twin::Twin;

/// A simulated board whose n-th write fails, once or from then on, or is silently ignored.
struct Faulty {
    twin: Twin,
    writes: usize,
    fails_at: usize,
    for_good: bool,
    silently: bool,
}

impl Faulty {
    fn new() -> Faulty {
        let twin = Twin::by_hand("agx-orin", 1).unwrap();
        Faulty {
            twin,
            writes: 0,
            fails_at: usize::MAX,
            for_good: false,
            silently: false,
        }
    }

    fn arm(&mut self, fails_at: usize, for_good: bool, silently: bool) {
        (self.writes, self.fails_at, self.for_good, self.silently) = (0, fails_at, for_good, silently);
    }
}

impl Board for Faulty {
    fn facts(&self) -> &Facts {
        self.twin.facts()
    }

    fn settings(&self) -> &[Setting] {
        self.twin.settings()
    }

    fn get(&self, setting: Setting) -> Result<Option<u32>, BoardError> {
        self.twin.get(setting)
    }

    fn set(&mut self, setting: Setting, value: u32) -> Result<(), BoardError> {
        self.writes += 1;
        let fails = if self.for_good {
            self.writes >= self.fails_at
        } else {
            self.writes == self.fails_at
        };
        match fails {
            true if self.silently => Ok(()),
            true => Err(BoardError::Refused(setting, value, 5)),
            false => self.twin.set(setting, value),
        }
    }

    fn nearest(&self, setting: Setting, value: u32) -> u32 {
        self.twin.nearest(setting, value)
    }

    fn is_limited(&self) -> bool {
        self.twin.is_limited()
    }
}

/// What every setting reads.
fn values(board: &impl Board) -> Vec<Option<u32>> {
    board
        .settings()
        .iter()
        .map(|setting| board.get(*setting).unwrap())
        .collect()
}

/// Ten modes spread over the space, with the lowest and the highest.
fn modes(board: &Faulty) -> Vec<PowerMode> {
    let space = board.twin.space();
    (0..10)
        .filter_map(|n| space.at(n * (space.len() - 1) / 9))
        .collect()
}

/// Writes of a switch between two modes at most: eleven cores, three clusters, GPU and memory.
const WRITES: usize = 16;

#[test]
fn whichever_write_fails_the_board_is_as_found_or_the_failure_is_reported() {
    let (mut restored, mut reported) = (0, 0);
    for (silently, for_good) in [(false, false), (false, true), (true, false), (true, true)] {
        // A write that is ignored is tried again, after pauses that add up: fewer pairs.
        for (from, to) in pairs().into_iter().step_by(if silently { 17 } else { 1 }) {
            for fails_at in 1..=WRITES {
                let mut board = Faulty::new();
                Change::begin(&mut board)
                    .unwrap()
                    .apply(from)
                    .unwrap()
                    .keep()
                    .unwrap();
                let found = values(&board);
                board.arm(fails_at, for_good, silently);
                let applied = Change::begin(&mut board).unwrap().apply(to);
                match applied.map(|applied| (applied.limited().len(), applied.keep())) {
                    // Fewer writes were needed, or the write was tried again with success. A ceiling that does not rise to
                    // the top of its table reads as firmware that does not allow it, and is said to be limited.
                    Ok((limited, kept)) => {
                        kept.unwrap();
                        assert!(board.writes < fails_at || (silently && (!for_good || limited > 0)));
                        assert_eq!(PowerMode::present(&board).unwrap() == to, limited == 0);
                    }
                    Err(ChangeError::Failed { unrestored: None, .. }) => {
                        assert_eq!(values(&board), found);
                        restored += 1;
                    }
                    Err(ChangeError::Failed {
                        unrestored: Some(left),
                        ..
                    }) => {
                        assert!(
                            for_good,
                            "a write that fails once does not keep the board from being restored"
                        );
                        assert_eq!(left.wanted, from);
                        assert_ne!(values(&board), found);
                        reported += 1;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    assert!(
        restored > 0 && reported > 0,
        "{restored} restored, {reported} reported"
    );
}

fn pairs() -> Vec<(PowerMode, PowerMode)> {
    let modes = modes(&Faulty::new());
    modes
        .iter()
        .flat_map(|from| modes.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| from != to)
        .collect()
}

#[test]
fn a_change_that_is_dropped_puts_the_old_mode_back() {
    for (from, to) in pairs() {
        let mut board = Faulty::new();
        Change::begin(&mut board)
            .unwrap()
            .apply(from)
            .unwrap()
            .keep()
            .unwrap();
        let applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
        assert_eq!(PowerMode::present(applied.board()).unwrap(), to);
        drop(applied);
        assert_eq!(PowerMode::present(&board).unwrap(), from);
    }
}

#[test]
fn a_panic_while_a_mode_is_in_force_puts_the_old_mode_back() {
    let mut board = Faulty::new();
    let (from, to) = (PowerMode::present(&board).unwrap(), modes(&board)[0]);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    assert_eq!(PowerMode::present(&board).unwrap(), from);
}

#[test]
fn a_restore_that_fails_is_returned_or_left_where_it_was_asked_to_be() {
    let mut board = Faulty::new();
    let (from, to) = (PowerMode::present(&board).unwrap(), modes(&board)[0]);
    let applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
    assert_eq!(applied.restore(), Ok(()));

    // All writes of the change succeed, the restore's do not.
    board.arm(usize::MAX, true, false);
    Change::begin(&mut board)
        .unwrap()
        .apply(to)
        .unwrap()
        .restore()
        .unwrap();
    let change = board.writes / 2;
    board.arm(change + 1, true, false);
    let left = Change::begin(&mut board)
        .unwrap()
        .apply(to)
        .unwrap()
        .restore()
        .unwrap_err();
    assert_eq!((left.wanted, left.settings), (from, change as u32));
    assert!(left.to_string().contains("cores=12,cpu=2201600"), "{left}");

    let mut board = Faulty::new();
    board.arm(change + 1, true, false);
    let report = Cell::new(None);
    drop(
        Change::begin(&mut board)
            .unwrap()
            .report_to(&report)
            .apply(to)
            .unwrap(),
    );
    assert_eq!(report.get().map(|left| left.wanted), Some(from));
}

#[test]
fn a_write_that_is_always_ignored_is_found_by_reading_it_back() {
    let mut board = Faulty::new();
    let to = modes(&board)[0];
    board.arm(1, true, true);
    let error = Change::begin(&mut board).unwrap().apply(to).unwrap_err();
    let ChangeError::Failed {
        fault:
            Fault::NotTaken {
                setting: Setting::CpuCeiling(0),
                wanted,
                found: 2_201_600,
            },
        unrestored: None,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(wanted, to.cpu.0);
}

#[test]
fn a_write_that_shows_at_the_second_attempt_is_taken() {
    let mut board = Faulty::new();
    let to = PowerMode {
        gpu: modes(&board)[0].gpu,
        ..PowerMode::present(&board).unwrap()
    };
    board.arm(1, false, true);
    Change::begin(&mut board)
        .unwrap()
        .apply(to)
        .unwrap()
        .keep()
        .unwrap();
    assert_eq!((board.writes, PowerMode::present(&board).unwrap()), (2, to));
}

#[test]
fn only_knobs_that_differ_are_written() {
    let mut board = Faulty::new();
    let top = PowerMode::present(&board).unwrap();
    Change::begin(&mut board)
        .unwrap()
        .apply(top)
        .unwrap()
        .keep()
        .unwrap();
    assert_eq!(board.writes, 0);
    Change::begin(&mut board)
        .unwrap()
        .apply(PowerMode { cores: 4, ..top })
        .unwrap()
        .keep()
        .unwrap();
    assert_eq!(board.writes, 8, "eight cores go off and no clock moves");
}

#[test]
fn a_mode_that_the_board_does_not_offer_is_refused_before_the_first_write() {
    let mut board = Faulty::new();
    let top = PowerMode::present(&board).unwrap();
    let error = Change::begin(&mut board)
        .unwrap()
        .apply(PowerMode { cores: 13, ..top })
        .unwrap_err();
    assert!(
        matches!(error, ChangeError::NotOffered(Knob::Cores, 13)),
        "{error}"
    );
    assert_eq!(board.writes, 0);
}
