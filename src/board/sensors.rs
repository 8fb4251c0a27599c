//! [`Sensors`] are what a board measures of itself, apart from the board that changes modes.

use super::rail::Rails;
use super::supplies::Supplies;
use crate::units::Millicelsius;
use core::fmt;

/// What the over-current logic saw. The hardware then skips clock pulses while every clock keeps its set value.
///
/// Source: shared/design/jetson.md 1.9 (`oc1` to `oc3` of `soctherm_oc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overcurrent {
    /// The supply's voltage fell too low.
    UnderVoltage,
    /// The mean current was too high.
    Average,
    /// The current was too high for a moment.
    Instantaneous,
}

impl Overcurrent {
    /// In the order of the board's counters.
    pub const ALL: [Overcurrent; 3] = [
        Overcurrent::UnderVoltage,
        Overcurrent::Average,
        Overcurrent::Instantaneous,
    ];

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Overcurrent::UnderVoltage => "under-voltage",
            Overcurrent::Average => "average over-current",
            Overcurrent::Instantaneous => "instantaneous over-current",
        }
    }
}

impl fmt::Display for Overcurrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What slows the board down, apart from its mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Events since boot, in the order of [`Overcurrent::ALL`]; `None` where the board has no such counter or it could
    /// not be read.
    pub overcurrent: [Option<u64>; 3],
    /// Cooling devices that limit a clock now.
    pub cooling: u16,
    /// Counters and devices that were found and could not be read now.
    pub unreadable: u16,
}

/// Everything a board measures. Apart from [`Board`](super::Board), so that the thread that samples needs no access to
/// the board that changes modes.
///
/// Calls may block for milliseconds, or for ever where a driver does: never make one from the dispatcher thread.
pub trait Sensors: Send {
    /// The rails and the rule for their total; does not change while the sensors are open.
    fn supplies(&self) -> &Supplies;

    /// What each rail shows now.
    fn rails(&mut self) -> Rails;

    /// As [`Sensors::rails`], for the total alone: a rail that does not count in it may be left unread, and then
    /// answers `ENODATA`. A look at a sensor costs a message on its bus, and may cost the wait for a conversion.
    fn rails_of_total(&mut self) -> Rails {
        self.rails()
    }

    /// The temperature of the hottest zone that is on; `None` where there is none.
    fn temperature(&mut self) -> Option<Millicelsius>;

    /// Over-current counters and active cooling.
    fn throttling(&mut self) -> Throttling;
}
