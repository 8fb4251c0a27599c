//! The change of a power mode as a transaction, with every write failing in turn.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use core::cell::Cell;
use fulcrum::board::{Board, BoardError, Facts, Knob};
use fulcrum::power::change::present_mode;
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

    fn read(&self, knob: Knob) -> Result<u32, BoardError> {
        self.twin.read(knob)
    }

    fn write(&mut self, knob: Knob, value: u32) -> Result<(), BoardError> {
        self.writes += 1;
        let fails = if self.for_good {
            self.writes >= self.fails_at
        } else {
            self.writes == self.fails_at
        };
        match fails {
            true if self.silently => Ok(()),
            true => Err(BoardError::Refused(knob, value, 5)),
            false => self.twin.write(knob, value),
        }
    }
}

/// Ten modes spread over the space, with the lowest and the highest.
fn modes(board: &Faulty) -> Vec<PowerMode> {
    let space = board.twin.space();
    (0..10)
        .filter_map(|n| space.at(n * (space.len() - 1) / 9))
        .collect()
}

#[test]
fn whichever_write_fails_the_board_is_as_found_or_the_failure_is_reported() {
    let (mut restored, mut reported) = (0, 0);
    for silently in [false, true] {
        for for_good in [false, true] {
            for (from, to) in pairs() {
                for fails_at in 1..=4 {
                    let mut board = Faulty::new();
                    Change::begin(&mut board).unwrap().apply(from).unwrap().keep();
                    board.arm(fails_at, for_good, silently);
                    match Change::begin(&mut board)
                        .unwrap()
                        .apply(to)
                        .map(|applied| applied.keep())
                    {
                        // Fewer writes were needed.
                        Ok(()) => assert!(board.writes < fails_at),
                        Err(ChangeError::Failed { unrestored: None, .. }) => {
                            assert_eq!(present_mode(&board).unwrap(), from);
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
                            assert_ne!(present_mode(&board).unwrap(), from);
                            reported += 1;
                        }
                        Err(other) => panic!("{other}"),
                    }
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
        Change::begin(&mut board).unwrap().apply(from).unwrap().keep();
        let applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
        assert_eq!(present_mode(applied.board()).unwrap(), to);
        drop(applied);
        assert_eq!(present_mode(&board).unwrap(), from);
    }
}

#[test]
fn a_panic_while_a_mode_is_in_force_puts_the_old_mode_back() {
    let mut board = Faulty::new();
    let (from, to) = (present_mode(&board).unwrap(), modes(&board)[0]);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    assert_eq!(present_mode(&board).unwrap(), from);
}

#[test]
fn a_restore_that_fails_is_returned_or_left_where_it_was_asked_to_be() {
    let mut board = Faulty::new();
    let (from, to) = (present_mode(&board).unwrap(), modes(&board)[0]);
    let applied = Change::begin(&mut board).unwrap().apply(to).unwrap();
    assert_eq!(applied.restore(), Ok(()));

    // Four writes succeed, the restore's do not.
    board.arm(5, true, false);
    let left = Change::begin(&mut board)
        .unwrap()
        .apply(to)
        .unwrap()
        .restore()
        .unwrap_err();
    assert_eq!((left.wanted, left.knobs), (from, 4));
    assert!(left.to_string().contains("cores=12,cpu=2201600"), "{left}");

    let mut board = Faulty::new();
    board.arm(5, true, false);
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
fn an_ignored_write_is_found_by_reading_it_back() {
    let mut board = Faulty::new();
    let to = modes(&board)[0];
    board.arm(1, true, true);
    let error = Change::begin(&mut board).unwrap().apply(to).unwrap_err();
    let expected = Fault::NotKept {
        knob: Knob::Cpu,
        wanted: to.cpu.0,
        found: 2_201_600,
    };
    assert_eq!(
        error,
        ChangeError::Failed {
            fault: expected,
            unrestored: None
        }
    );
}

#[test]
fn only_knobs_that_differ_are_written() {
    let mut board = Faulty::new();
    let top = present_mode(&board).unwrap();
    Change::begin(&mut board).unwrap().apply(top).unwrap().keep();
    assert_eq!(board.writes, 0);
    Change::begin(&mut board)
        .unwrap()
        .apply(PowerMode { cores: 4, ..top })
        .unwrap()
        .keep();
    assert_eq!(board.writes, 1);
}

#[test]
fn a_mode_that_the_board_does_not_offer_is_refused_before_the_first_write() {
    let mut board = Faulty::new();
    let top = present_mode(&board).unwrap();
    let error = Change::begin(&mut board)
        .unwrap()
        .apply(PowerMode { cores: 13, ..top })
        .unwrap_err();
    assert_eq!(error, ChangeError::NotOffered(Knob::Cores, 13));
    assert_eq!(board.writes, 0);
}
