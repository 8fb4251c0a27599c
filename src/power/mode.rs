//! A [`PowerMode`] is one value for each knob of a board.

use crate::board::Knob;
use crate::units::Kilohertz;
use core::fmt;

/// A value for each knob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PowerMode {
    /// CPU cores online; at least 1.
    pub cores: u8,
    /// CPU clock ceiling.
    pub cpu: Kilohertz,
    /// GPU clock ceiling.
    pub gpu: Kilohertz,
    /// Memory clock ceiling.
    pub emc: Kilohertz,
}

impl PowerMode {
    /// The value of `knob`: cores, or kilohertz.
    pub const fn get(&self, knob: Knob) -> u32 {
        match knob {
            Knob::Cores => self.cores as u32,
            Knob::Cpu => self.cpu.0,
            Knob::Gpu => self.gpu.0,
            Knob::Emc => self.emc.0,
        }
    }

    /// Sets `knob` to `value`: cores (saturating at 255), or kilohertz.
    pub const fn set(&mut self, knob: Knob, value: u32) {
        match knob {
            Knob::Cores => self.cores = if value > 255 { 255 } else { value as u8 },
            Knob::Cpu => self.cpu = Kilohertz(value),
            Knob::Gpu => self.gpu = Kilohertz(value),
            Knob::Emc => self.emc = Kilohertz(value),
        }
    }
}

impl fmt::Display for PowerMode {
    /// `cores=4,cpu=1113600,gpu=408000,emc=2133000`, the form the command line takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cores={},cpu={},gpu={},emc={}",
            self.cores, self.cpu.0, self.gpu.0, self.emc.0
        )
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn every_knob_reads_back_what_was_set() {
        let mut mode = PowerMode::default();
        for (value, knob) in (3..).zip(Knob::ALL) {
            mode.set(knob, value);
        }
        for (value, knob) in (3..).zip(Knob::ALL) {
            assert_eq!(mode.get(knob), value);
        }
    }
}
