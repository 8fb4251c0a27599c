//! Units as types. Every quantity that crosses a boundary is an integer in one of these.
//!
//! Conversions live here and nowhere else; each says how it rounds.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A span of time, or a moment on the monotonic clock, in nanoseconds. Holds 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than every other moment: "never".
    pub const MAX: Nanos = Nanos(u64::MAX);

    /// `us` microseconds; saturates.
    pub const fn from_micros(us: u64) -> Nanos {
        Nanos(us.saturating_mul(1_000))
    }

    /// `ms` milliseconds; saturates.
    pub const fn from_millis(ms: u64) -> Nanos {
        Nanos(ms.saturating_mul(1_000_000))
    }

    /// `s` seconds; saturates.
    pub const fn from_secs(s: u64) -> Nanos {
        Nanos(s.saturating_mul(1_000_000_000))
    }

    /// The period of a rate in millihertz, rounded down, so that demand is never understated.
    /// A rate of zero has the period [`Nanos::MAX`].
    pub const fn period_of_millihertz(rate: u32) -> Nanos {
        if rate == 0 {
            Nanos::MAX
        } else {
            Nanos(1_000_000_000_000 / rate as u64)
        }
    }

    /// `self - other`, or zero where that would be negative.
    pub const fn saturating_sub(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }

    /// `self * n`; saturates.
    pub const fn times(self, n: u64) -> Nanos {
        Nanos(self.0.saturating_mul(n))
    }

    /// `self * permille / 1000`, rounded up; saturates.
    pub const fn scaled(self, permille: u64) -> Nanos {
        let wide = (self.0 as u128 * permille as u128).div_ceil(1_000);
        if wide > u64::MAX as u128 {
            Nanos::MAX
        } else {
            Nanos(wide as u64)
        }
    }

    /// Milliseconds for a person to read; never for a decision.
    #[cfg(feature = "std")]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Seconds for a person to read; never for a decision.
    #[cfg(feature = "std")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Saturates: a moment past the end of time is "never".
impl Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Nanos) {
        *self = *self + other;
    }
}

/// Saturates at zero, as [`Nanos::saturating_sub`].
impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, other: Nanos) -> Nanos {
        self.saturating_sub(other)
    }
}

impl fmt::Display for Nanos {
    /// Milliseconds with three digits, as `12.345 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0 / 1_000;
        write!(f, "{}.{:03} ms", us / 1_000, us % 1_000)
    }
}

/// A clock frequency in kilohertz. GPU and memory files count in hertz and are converted where they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Kilohertz(pub u32);

impl fmt::Display for Kilohertz {
    /// Megahertz with one digit, as `1300.5 MHz`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} MHz", self.0 / 1_000, self.0 % 1_000 / 100)
    }
}

/// Electrical power in milliwatts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Milliwatts(pub u32);

impl Milliwatts {
    /// Power of `mv` millivolts at `ma` milliamperes, rounded up, so that a budget is never overspent; saturates.
    pub const fn from_millivolts_milliamperes(mv: u32, ma: u32) -> Milliwatts {
        let wide = (mv as u64 * ma as u64).div_ceil(1_000);
        Milliwatts(if wide > u32::MAX as u64 {
            u32::MAX
        } else {
            wide as u32
        })
    }

    /// Power in microwatts, rounded up; saturates.
    pub const fn from_microwatts(uw: u64) -> Milliwatts {
        let mw = uw.div_ceil(1_000);
        Milliwatts(if mw > u32::MAX as u64 { u32::MAX } else { mw as u32 })
    }

    /// The energy of this power over `span`; exact.
    pub const fn over(self, span: Nanos) -> Picojoules {
        Picojoules(self.0 as u128 * span.0 as u128)
    }

    /// Watts for a person to read; never for a decision.
    #[cfg(feature = "std")]
    pub fn as_watts_f64(self) -> f64 {
        f64::from(self.0) / 1e3
    }
}

impl Add for Milliwatts {
    type Output = Milliwatts;
    fn add(self, other: Milliwatts) -> Milliwatts {
        Milliwatts(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Milliwatts {
    /// Watts with two digits, as `29.47 W`, rounded down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} W", self.0 / 1_000, self.0 % 1_000 / 10)
    }
}

/// Electrical energy in picojoules: a milliwatt for a nanosecond. Exact, for sums; reports are in [`Millijoules`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Picojoules(pub u128);

impl Picojoules {
    /// What a counter that counts in microjoules has counted; exact.
    pub const fn from_microjoules(uj: u64) -> Picojoules {
        Picojoules(uj as u128 * 1_000_000)
    }

    /// In millijoules, rounded up, so that a budget is never overspent; saturates.
    pub const fn millijoules(self) -> Millijoules {
        let mj = self.0.div_ceil(1_000_000_000);
        Millijoules(if mj > u64::MAX as u128 {
            u64::MAX
        } else {
            mj as u64
        })
    }

    /// The steady power that comes to this energy in `span`, rounded up; saturates. `None` for no time at all.
    pub const fn mean_over(self, span: Nanos) -> Option<Milliwatts> {
        if span.0 == 0 {
            return None;
        }
        let mw = self.0.div_ceil(span.0 as u128);
        Some(Milliwatts(if mw > u32::MAX as u128 {
            u32::MAX
        } else {
            mw as u32
        }))
    }
}

/// Saturates.
impl AddAssign for Picojoules {
    fn add_assign(&mut self, other: Picojoules) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// Electrical energy in millijoules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Millijoules(pub u64);

impl fmt::Display for Millijoules {
    /// Joules with two digits, as `29.47 J`, rounded down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} J", self.0 / 1_000, self.0 % 1_000 / 10)
    }
}

/// A temperature in thousandths of a degree Celsius, as thermal zones count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Millicelsius(pub i32);

impl fmt::Display for Millicelsius {
    /// Degrees with one digit, as `48.5 C`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}{}.{} C", magnitude / 1_000, magnitude % 1_000 / 100)
    }
}

/// Thousandths of something that the place of use names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Permille(pub u32);

impl fmt::Display for Permille {
    /// Per cent with one digit, as `2.5 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    #[test]
    fn conversions_round_to_the_safe_side() {
        assert_eq!(Milliwatts::from_millivolts_milliamperes(5_001, 1), Milliwatts(6));
        assert_eq!(Nanos::period_of_millihertz(30_000), Nanos(33_333_333));
        assert_eq!(Nanos(10).scaled(1_001), Nanos(11));
        assert_eq!(Milliwatts::from_microwatts(5_001), Milliwatts(6));
        assert_eq!(Milliwatts(3).over(Nanos(1)).millijoules(), Millijoules(1));
        assert_eq!(Picojoules(7).mean_over(Nanos(2)), Some(Milliwatts(4)));
        assert_eq!(Picojoules(7).mean_over(Nanos::ZERO), None);
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Nanos::MAX + Nanos(1), Nanos::MAX);
        assert_eq!(Nanos(1) - Nanos(2), Nanos::ZERO);
        assert_eq!(Nanos::MAX.scaled(2_000), Nanos::MAX);
        assert_eq!(Nanos::period_of_millihertz(0), Nanos::MAX);
    }

    #[test]
    fn power_and_energy_saturate_too() {
        assert_eq!(Milliwatts(u32::MAX) + Milliwatts(1), Milliwatts(u32::MAX));
        assert_eq!(
            Milliwatts::from_millivolts_milliamperes(u32::MAX, u32::MAX),
            Milliwatts(u32::MAX)
        );
        assert_eq!(Milliwatts::from_microwatts(u64::MAX), Milliwatts(u32::MAX));
        let mut energy = Picojoules(u128::MAX);
        energy += Picojoules::from_microjoules(1);
        assert_eq!(energy, Picojoules(u128::MAX));
        assert_eq!(energy.millijoules(), Millijoules(u64::MAX));
        assert_eq!(energy.mean_over(Nanos(1)), Some(Milliwatts(u32::MAX)));
    }

    #[test]
    fn people_read_seconds_and_watts() {
        assert_eq!(Nanos(2_500_000).as_millis_f64(), 2.5);
        assert_eq!(Nanos::from_millis(2_500).as_secs_f64(), 2.5);
        assert_eq!(Milliwatts(2_500).as_watts_f64(), 2.5);
    }

    #[test]
    fn values_print_with_their_unit() {
        assert_eq!(Nanos(12_345_678).to_string(), "12.345 ms");
        assert_eq!(Kilohertz(1_300_500).to_string(), "1300.5 MHz");
        assert_eq!(Milliwatts(29_474).to_string(), "29.47 W");
        assert_eq!(Millicelsius(-1_500).to_string(), "-1.5 C");
        assert_eq!(Millijoules(12_345).to_string(), "12.34 J");
        assert_eq!(Permille(25).to_string(), "2.5 %");
    }
}
