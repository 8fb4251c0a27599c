//! Brings one setting to a value, and reads back whether it got there.

use crate::board::{Board, BoardError, Setting};
use crate::units::Nanos;
use core::fmt;

/// What went wrong with one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The board answered with an error.
    Board(BoardError),
    /// Every write was accepted, but the setting reads as before.
    NotTaken {
        /// The setting.
        setting: Setting,
        /// What was written.
        wanted: u32,
        /// What it reads.
        found: u32,
    },
    /// The write was accepted, but another party's limit holds: a ceiling reads lower, a floor higher or lower.
    Limited {
        /// The setting.
        setting: Setting,
        /// What was written.
        wanted: u32,
        /// What it reads.
        found: u32,
    },
    /// The write was accepted, but a ceiling reads higher than what was asked for.
    NotKept {
        /// The setting.
        setting: Setting,
        /// What was written.
        wanted: u32,
        /// What it reads.
        found: u32,
    },
}

impl From<BoardError> for Fault {
    fn from(error: BoardError) -> Fault {
        Fault::Board(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Board(error) => error.fmt(f),
            Fault::NotTaken {
                setting,
                wanted,
                found,
            } => write!(
                f,
                "{setting} accepted {wanted} but still reads {found}; its driver ignores the write or another program undoes it"
            ),
            Fault::Limited {
                setting,
                wanted,
                found,
            } => write!(
                f,
                "{setting} was asked for {wanted} and reads {found}; another party limits it (heat, firmware, another program)"
            ),
            Fault::NotKept {
                setting,
                wanted,
                found,
            } => write!(
                f,
                "{setting} was asked for {wanted} and reads {found}, which is more; its driver rounded it or another program \
                 wrote it"
            ),
        }
    }
}

impl core::error::Error for Fault {}

/// Pauses between attempts at a write that was accepted and does not show yet. A GPU clock on Jetson may move at the second
/// write only, and within 7 ms (source: jetson-latency-lab, L4T 36.5: p99 of a switch).
const PAUSES: [Nanos; 3] = [Nanos::ZERO, Nanos::from_millis(2), Nanos::from_millis(8)];

/// Brings `setting` to `wanted`: writes it only if it reads otherwise, and reads the write back. An absent setting is left
/// alone.
///
/// # Errors
/// [`Fault::Limited`] says that the write is in place and another party's limit is, too; a caller may live with that.
pub fn settle<B: Board + ?Sized>(board: &mut B, setting: Setting, wanted: u32) -> Result<(), Fault> {
    match board.get(setting) {
        Ok(None) => Ok(()),
        Ok(Some(value)) if value == wanted => Ok(()),
        Ok(Some(value)) => write(board, setting, wanted, Some(value)),
        // What cannot be read may still be written; the read-back decides.
        Err(_) => write(board, setting, wanted, None),
    }
}

/// As [`settle`], for a setting that is there and is known to read `before`, which is not `wanted`.
pub(super) fn write<B: Board + ?Sized>(
    board: &mut B,
    setting: Setting,
    wanted: u32,
    before: Option<u32>,
) -> Result<(), Fault> {
    let mut found = wanted;
    for pause in PAUSES {
        if pause > Nanos::ZERO {
            std::thread::sleep(std::time::Duration::from_nanos(pause.0));
        }
        board.set(setting, wanted)?;
        found = match board.get(setting)? {
            Some(found) if found != wanted => found,
            _ => return Ok(()),
        };
        if Some(found) != before {
            break;
        }
    }
    let moved = Some(found) != before;
    // The top of the table, or no ceiling at all, which a board's firmware may not allow (`max-rate-custom`).
    let top = wanted == board.nearest(setting, u32::MAX);
    let lower = board.nearest(setting, found) < wanted;
    Err(match setting {
        Setting::CpuCeiling(_) | Setting::GpuCeiling | Setting::EmcCeiling | Setting::EmcRate
            if found > wanted && moved =>
        {
            Fault::NotKept {
                setting,
                wanted,
                found,
            }
        }
        Setting::Online(_) | Setting::GpuHold => Fault::NotTaken {
            setting,
            wanted,
            found,
        },
        _ if moved || (lower && (top || board.is_limited())) => Fault::Limited {
            setting,
            wanted,
            found,
        },
        _ => Fault::NotTaken {
            setting,
            wanted,
            found,
        },
    })
}
