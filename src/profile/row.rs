//! A [`Row`] is one measured point of a workload: its time and power in one power mode at one minibatch size.

use crate::limits;
use crate::power::PowerMode;
use crate::units::{Milliwatts, Nanos};
use core::fmt;
use std::sync::Arc;

/// What a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An inference stream.
    Inference,
    /// A training job.
    Training,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Kind; 2] = [Kind::Inference, Kind::Training];

    /// The word in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Inference => "inference",
            Kind::Training => "training",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row as it was measured or read, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRow {
    /// The mode it was measured in.
    pub mode: PowerMode,
    /// The workload's name.
    pub workload: Arc<str>,
    /// What the workload is.
    pub kind: Kind,
    /// Samples in one minibatch.
    pub minibatch: u32,
    /// Time of one minibatch.
    pub time: Nanos,
    /// Power of the board while it runs back to back; `None` where it was not measured.
    pub power: Option<Milliwatts>,
}

/// Longest minibatch a row may claim. An hour is past every training step on a board.
const LONGEST: Nanos = Nanos::from_secs(3_600);

/// Highest power a row may claim. The largest module draws 130 W, its supply 240 W.
const STRONGEST: Milliwatts = Milliwatts(1_000_000);

/// Why a row is physically impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// The name is empty, too long, or has characters that a CSV field cannot hold plainly.
    Workload,
    /// The minibatch is empty.
    Minibatch,
    /// The time is zero or longer than an hour.
    Time(Nanos),
    /// The power is zero or above a kilowatt.
    Power(Milliwatts),
    /// The mode has no core or a clock of zero.
    Mode(PowerMode),
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowError::Workload => write!(
                f,
                "a workload's name has 1 to {} characters, none of them a comma, a quote or a line end",
                limits::NAME
            ),
            RowError::Minibatch => f.write_str("the minibatch is 0; it holds at least one sample"),
            RowError::Time(time) => write!(
                f,
                "a minibatch cannot take {time}; expected more than 0 and at most an hour"
            ),
            RowError::Power(power) => write!(
                f,
                "a board cannot draw {power}; expected more than 0 and at most 1000 W"
            ),
            RowError::Mode(mode) => write!(f, "{mode} is no power mode; each value is at least 1"),
        }
    }
}

impl core::error::Error for RowError {}

/// A measured point that is physically possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(RawRow);

impl Row {
    /// Accepts `raw` if it is physically possible.
    pub fn check(raw: RawRow) -> Result<Row, RowError> {
        let plain = |c: char| !c.is_control() && c != ',' && c != '"';
        if raw.workload.is_empty() || raw.workload.len() > limits::NAME || !raw.workload.chars().all(plain) {
            return Err(RowError::Workload);
        }
        if raw.minibatch == 0 {
            return Err(RowError::Minibatch);
        }
        if raw.time == Nanos::ZERO || raw.time > LONGEST {
            return Err(RowError::Time(raw.time));
        }
        if let Some(power) = raw.power.filter(|power| power.0 == 0 || *power > STRONGEST) {
            return Err(RowError::Power(power));
        }
        let mode = raw.mode;
        if mode.cores == 0 || mode.cpu.0 == 0 || mode.gpu.0 == 0 || mode.emc.0 == 0 {
            return Err(RowError::Mode(mode));
        }
        Ok(Row(raw))
    }

    /// The mode it was measured in.
    pub fn mode(&self) -> PowerMode {
        self.0.mode
    }

    /// The workload's name.
    pub fn workload(&self) -> &Arc<str> {
        &self.0.workload
    }

    /// What the workload is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Samples in one minibatch; at least 1.
    pub fn minibatch(&self) -> u32 {
        self.0.minibatch
    }

    /// Time of one minibatch; more than 0, at most an hour.
    pub fn time(&self) -> Nanos {
        self.0.time
    }

    /// Power of the board while the workload runs back to back; `None` where it was not measured.
    pub fn power(&self) -> Option<Milliwatts> {
        self.0.power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Kilohertz;

    fn raw() -> RawRow {
        RawRow {
            mode: PowerMode {
                cores: 1,
                cpu: Kilohertz(1),
                gpu: Kilohertz(1),
                emc: Kilohertz(1),
            },
            workload: "net".into(),
            kind: Kind::Inference,
            minibatch: 1,
            time: Nanos(1),
            power: None,
        }
    }

    #[test]
    fn impossible_rows_are_refused_by_name() {
        assert!(Row::check(raw()).is_ok());
        let cases = [
            (
                RawRow {
                    workload: "a,b".into(),
                    ..raw()
                },
                RowError::Workload,
            ),
            (
                RawRow {
                    workload: "".into(),
                    ..raw()
                },
                RowError::Workload,
            ),
            (
                RawRow {
                    minibatch: 0,
                    ..raw()
                },
                RowError::Minibatch,
            ),
            (
                RawRow {
                    time: Nanos::ZERO,
                    ..raw()
                },
                RowError::Time(Nanos::ZERO),
            ),
            (
                RawRow {
                    power: Some(Milliwatts(0)),
                    ..raw()
                },
                RowError::Power(Milliwatts(0)),
            ),
            (
                RawRow {
                    mode: PowerMode::default(),
                    ..raw()
                },
                RowError::Mode(PowerMode::default()),
            ),
        ];
        for (bad, expected) in cases {
            assert_eq!(Row::check(bad).unwrap_err(), expected);
        }
    }
}
