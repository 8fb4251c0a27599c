//! A [`Rail`] is one measured supply.

use crate::units::{Milliwatts, Nanos};

/// Rails one board may have. AGX Xavier has six; a server with two packages has ten energy counters.
pub const RAILS: usize = 12;

/// Bytes of a rail's label. The longest known, `package-0-die-0/uncore`, has 22.
pub const RAIL_NAME: usize = 24;

/// A rail's label, as the board prints it.
pub type RailName = heapless::String<RAIL_NAME>;

/// One answer of each rail, in the order of [`Supplies::rails`](super::Supplies::rails): what it showed, or the
/// operating system's error number.
pub type Rails = heapless::Vec<Result<Measured, i32>, RAILS>;

/// What a rail's sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    /// Voltage and current, as INA3221. One step of its current, mA, where the shunt's value is known.
    Current(Option<u32>),
    /// Power, as INA238.
    Power,
    /// Energy since some moment, as powercap; the counter goes from this many microjoules back to zero.
    Energy(u64),
}

/// One measured supply of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rail {
    /// The label.
    pub name: RailName,
    /// What is measured.
    pub sensor: Sensor,
    /// How long the sensor shows the same conversion.
    pub refresh: Nanos,
}

/// What one rail's sensor shows, as the sensor gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Voltage and current.
    Current {
        /// Bus voltage, mV.
        millivolts: u32,
        /// Current, mA.
        milliamperes: u32,
    },
    /// Power.
    Power(Milliwatts),
    /// An energy counter, uJ. Only the difference of two says something.
    Energy(u64),
}

impl Measured {
    /// Power, rounded up; `None` for an energy counter.
    pub fn power(self) -> Option<Milliwatts> {
        match self {
            Measured::Current {
                millivolts,
                milliamperes,
            } => Some(Milliwatts::from_millivolts_milliamperes(millivolts, milliamperes)),
            Measured::Power(power) => Some(power),
            Measured::Energy(_) => None,
        }
    }
}

/// `text` as a rail's label, cut where it is too long or not ASCII.
pub fn rail_name(text: &str) -> RailName {
    let mut name = RailName::new();
    for letter in text.chars().take_while(|it| it.is_ascii_graphic() || *it == ' ') {
        if name.push(letter).is_err() {
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_too_long_is_cut() {
        assert_eq!(rail_name("VDDQ_VDD2_1V8AO"), "VDDQ_VDD2_1V8AO");
        assert_eq!(rail_name(&"x".repeat(99)).len(), RAIL_NAME);
    }

    #[test]
    fn power_is_rounded_up_and_a_counter_alone_has_none() {
        let measured = Measured::Current {
            millivolts: 5_056,
            milliamperes: 920,
        };
        assert_eq!(measured.power(), Some(Milliwatts(4_652)));
        assert_eq!(Measured::Energy(5).power(), None);
    }
}
