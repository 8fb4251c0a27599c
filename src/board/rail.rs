//! A [`Rail`] is one measured supply.

use crate::units::Milliwatts;

/// Rails one board may have. AGX Xavier has six, AGX Orin six channels of which two are not connected.
pub const RAILS: usize = 8;

/// Bytes of a rail's label. The longest known, `VDDQ_VDD2_1V8AO`, has 15.
pub const RAIL_NAME: usize = 24;

/// A rail's label, as the board prints it.
pub type RailName = heapless::String<RAIL_NAME>;

/// One reading of each rail.
pub type Rails = heapless::Vec<RailReading, RAILS>;

/// One measured supply of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rail {
    /// The label.
    pub name: RailName,
    /// Whether it counts in the board's total. A rail fed from a counted one does not.
    pub counted: bool,
}

/// What one rail's sensor shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailReading {
    /// The rail's label.
    pub name: RailName,
    /// Bus voltage, mV.
    pub millivolts: u32,
    /// Current, mA.
    pub milliamperes: u32,
}

impl RailReading {
    /// Power on this rail, rounded up.
    pub fn power(&self) -> Milliwatts {
        Milliwatts::from_millivolts_milliamperes(self.millivolts, self.milliamperes)
    }
}
