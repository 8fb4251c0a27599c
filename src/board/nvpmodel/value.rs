//! A [`Value`] is the third word of a mode's row, read and found in range.

use super::{Fault, Kind, Oddity, Role};

/// What a row sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number; the file's own unit.
    Number(u64),
    /// -1 on a clock: no cap.
    Uncapped,
    /// A word, written as it stands.
    Word,
}

/// 10 GHz, in kHz: no CPU clocks higher, and a CPU's clock given in Hz is above it.
const CPU_KHZ: u64 = 10_000_000;
/// 100 GHz, in Hz: no clock of a Tegra is higher.
const HZ: u64 = 100_000_000_000;
/// Nothing on a Tegra is capped below 10 MHz; a number below it was counted in another unit.
const SLOW: (u64, u64) = (10_000, 10_000_000);
/// What the tool prints for -1: INT_MAX in old versions, LONG_MAX in new ones.
const PRINTED: [&str; 2] = ["2147483647", "9223372036854775807"];

impl Value {
    /// Reads `text` for a parameter of this kind and a file of this role.
    pub(super) fn read(text: &str, kind: Kind, role: Role) -> Result<(Value, Option<Oddity>), Fault> {
        let clock = kind == Kind::Clock || role.is_clock();
        if text == "-1" {
            return match (kind, clock) {
                (Kind::Clock, _) => Ok((Value::Uncapped, None)),
                (_, true) => Ok((Value::Uncapped, Some(Oddity::MinusOneAsWord))),
                _ if role.is_mask() => Err(Fault::Mask),
                _ if matches!(role, Role::CoreOnline(_)) => Err(Fault::Switch),
                _ => Ok((Value::Word, Some(Oddity::MinusOneAsWord))),
            };
        }
        if clock && PRINTED.contains(&text) {
            return Ok((Value::Uncapped, Some(Oddity::PrintedUncapped)));
        }
        let number = number(text);
        match role {
            Role::CoreOnline(_) => match number {
                Some(on @ 0..=1) => Ok((Value::Number(on), None)),
                _ => Err(Fault::Switch),
            },
            _ if role.is_mask() => match number {
                Some(mask) if mask <= u64::from(u32::MAX) => Ok((Value::Number(mask), None)),
                _ => Err(Fault::Mask),
            },
            _ if clock => Value::clock(number.ok_or(Fault::Frequency)?, role),
            _ => Ok((number.map_or(Value::Word, Value::Number), None)),
        }
    }

    fn clock(number: u64, role: Role) -> Result<(Value, Option<Oddity>), Fault> {
        let cpu = matches!(role, Role::CpuMax(_) | Role::CpuMin(_));
        let (highest, slow) = if cpu { (CPU_KHZ, SLOW.0) } else { (HZ, SLOW.1) };
        if number > highest {
            return Err(if cpu { Fault::CpuRange } else { Fault::ClockRange });
        }
        if number == 0 && matches!(role, Role::CpuMax(_) | Role::GpuMax) {
            return Err(Fault::ZeroCap);
        }
        let odd =
            (1..slow)
                .contains(&number)
                .then_some(if cpu { Oddity::SlowCpu } else { Oddity::SlowClock });
        Ok((Value::Number(number), odd))
    }
}

/// Decimal digits alone: the kernel's files take no sign, and masks no hexadecimal.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_kind_and_role() {
        let read =
            |text, kind, role| Value::read(text, kind, role).map(|(value, odd)| (value, odd.is_some()));
        let gpu = Role::GpuMax;
        assert_eq!(
            read("420750000", Kind::Clock, gpu),
            Ok((Value::Number(420_750_000), false))
        );
        assert_eq!(read("-1", Kind::Clock, gpu), Ok((Value::Uncapped, false)));
        assert_eq!(
            read("9223372036854775807", Kind::Clock, gpu),
            Ok((Value::Uncapped, true))
        );
        assert_eq!(
            read("612000", Kind::Clock, gpu),
            Ok((Value::Number(612_000), true))
        );
        assert_eq!(
            read("0", Kind::Clock, Role::EmcMax),
            Ok((Value::Number(0), false))
        );
        assert_eq!(read("-1", Kind::File, Role::EmcMax), Ok((Value::Uncapped, true)));
        assert_eq!(
            read("auto", Kind::File, Role::PowerControl),
            Ok((Value::Word, false))
        );
        assert_eq!(read("-1", Kind::File, Role::Other), Ok((Value::Word, true)));
        assert_eq!(read("0", Kind::Clock, gpu), Err(Fault::ZeroCap));
        assert_eq!(read("-2", Kind::Clock, gpu), Err(Fault::Frequency));
        assert_eq!(read("100000000001", Kind::Clock, gpu), Err(Fault::ClockRange));
        assert_eq!(
            read("1497600000", Kind::Clock, Role::CpuMax(0)),
            Err(Fault::CpuRange)
        );
        assert_eq!(read("0xf0", Kind::File, Role::TpcMask), Err(Fault::Mask));
        assert_eq!(read("-1", Kind::File, Role::TpcMask), Err(Fault::Mask));
        assert_eq!(read("2", Kind::File, Role::CoreOnline(1)), Err(Fault::Switch));
        assert_eq!(
            read("99999999999999999999", Kind::Clock, Role::Other),
            Err(Fault::Frequency)
        );
    }
}
