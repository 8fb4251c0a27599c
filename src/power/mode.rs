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
    /// `cores=4,cpu=1113600,gpu=408000,emc=2133000`, the form the command line takes. Knobs the board lacks are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for knob in Knob::ALL.into_iter().filter(|knob| self.get(*knob) > 0) {
            write!(f, "{comma}{knob}={}", self.get(knob))?;
            comma = ",";
        }
        Ok(())
    }
}

/// Why a text names no values of knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModeTextError {
    /// The part with this number, counted from 1, is not of the form `knob=value`.
    Form(usize),
    /// The part with this number names a knob that was named before.
    Twice(usize),
}

impl fmt::Display for ModeTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, what) = match self {
            ModeTextError::Form(part) => (part, "is not one of cores=N, cpu=KHZ, gpu=KHZ, emc=KHZ"),
            ModeTextError::Twice(part) => (part, "names a knob that was named before"),
        };
        write!(
            f,
            "part {part} {what}; write for example cores=4,cpu=1113600,gpu=408000,emc=2133000 (kHz), or only the knobs to change"
        )
    }
}

impl core::error::Error for ModeTextError {}

/// The knobs and values that a text such as `cores=4,gpu=408000` names: one to four, in any order.
pub fn parse_knobs(text: &str) -> Result<heapless::Vec<(Knob, u32), 4>, ModeTextError> {
    let mut knobs = heapless::Vec::new();
    for (part, number) in text.split(',').zip(1..) {
        let form = ModeTextError::Form(number);
        let (name, value) = part.split_once('=').ok_or(form)?;
        let knob = Knob::ALL
            .into_iter()
            .find(|knob| knob.name() == name.trim())
            .ok_or(form)?;
        let value = value.trim().parse().ok().filter(|value| *value > 0).ok_or(form)?;
        if knobs.iter().any(|(known, _)| *known == knob) {
            return Err(ModeTextError::Twice(number));
        }
        // Four different knobs fit.
        let _ = knobs.push((knob, value));
    }
    Ok(knobs)
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

    #[test]
    fn a_mode_reads_back_from_its_text_and_a_part_of_one_names_a_part() {
        let mode = PowerMode {
            cores: 4,
            cpu: Kilohertz(1_113_600),
            gpu: Kilohertz(420_750),
            emc: Kilohertz(2_133_000),
        };
        let read = parse_knobs(&mode.to_string()).unwrap();
        assert!(read.iter().all(|(knob, value)| mode.get(*knob) == *value) && read.len() == 4);
        assert_eq!(parse_knobs("gpu=420750").unwrap(), [(Knob::Gpu, 420_750)]);
        let bare = PowerMode {
            gpu: Kilohertz(0),
            ..mode
        };
        assert_eq!(bare.to_string(), "cores=4,cpu=1113600,emc=2133000");
    }

    #[test]
    fn a_text_that_names_no_knobs_is_refused_with_the_part_that_is_wrong() {
        for (text, error) in [
            ("", ModeTextError::Form(1)),
            ("cores=4,cpu", ModeTextError::Form(2)),
            ("cores=4,fan=255", ModeTextError::Form(2)),
            ("cores=0", ModeTextError::Form(1)),
            ("gpu=-1", ModeTextError::Form(1)),
            ("gpu=4294967296", ModeTextError::Form(1)),
            ("cores=4,cores=5", ModeTextError::Twice(2)),
        ] {
            assert_eq!(parse_knobs(text), Err(error), "{text}");
        }
    }
}
