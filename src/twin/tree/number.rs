//! A number as the kernel reads it from the text of a write.

use rustix::io::Errno;

/// `kstrtoul` with a base of ten: digits, an optional plus sign before and an optional newline after them. `EINVAL` for
/// other text, `ERANGE` above 64 bits.
pub(super) fn decimal(text: &[u8]) -> Result<u64, Errno> {
    digits(strip(text), 10)
}

/// `kstrtoul` with base 0: `0x` is hexadecimal, another leading zero octal.
pub(super) fn any_base(text: &[u8]) -> Result<u64, Errno> {
    let text = strip(text);
    match text {
        [b'0', b'x' | b'X', rest @ ..] => digits(rest, 16),
        [b'0', rest @ ..] if !rest.is_empty() => digits(rest, 8),
        _ => digits(text, 10),
    }
}

/// `sscanf("%lu")`, as cpufreq (to 5.15) and devfreq read: blanks before it and anything after it are passed over.
/// Saturates.
pub(super) fn leading(text: &[u8]) -> Result<u64, Errno> {
    let text = text.trim_ascii_start();
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    match digits(text.get(..end).unwrap_or_default(), 10) {
        Err(Errno::RANGE) => Ok(u64::MAX),
        outcome => outcome,
    }
}

/// `kstrtobool`: `1 y Y on` and `0 n N off`; what follows is not looked at. `EINVAL` for anything else, `2` among it.
pub(super) fn boolean(text: &[u8]) -> Result<bool, Errno> {
    match text {
        [b'1' | b'y' | b'Y', ..] | [b'o' | b'O', b'n' | b'N', ..] => Ok(true),
        [b'0' | b'n' | b'N', ..] | [b'o' | b'O', b'f' | b'F', ..] => Ok(false),
        _ => Err(Errno::INVAL),
    }
}

/// The word that is written, without blanks around it. `EINVAL` if there is none or it is not text.
pub(super) fn word(text: &[u8]) -> Result<&str, Errno> {
    match core::str::from_utf8(text).map(str::trim) {
        Ok("") | Err(_) => Err(Errno::INVAL),
        Ok(word) => Ok(word),
    }
}

fn strip(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_prefix(b"+").unwrap_or(text)
}

fn digits(text: &[u8], base: u32) -> Result<u64, Errno> {
    if text.is_empty() {
        return Err(Errno::INVAL);
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(base).ok_or(Errno::INVAL)?;
        let sum = sum.checked_mul(u64::from(base)).ok_or(Errno::RANGE)?;
        sum.checked_add(u64::from(digit)).ok_or(Errno::RANGE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_the_kernel_reads_it() {
        assert_eq!(decimal(b"42\n"), Ok(42));
        assert_eq!(decimal(b"+42"), Ok(42));
        for bad in [&b""[..], b"\n", b"4 2", b"42\n\n", b"-1", b"0x10", b"1.0"] {
            assert_eq!(decimal(bad), Err(Errno::INVAL), "{bad:?}");
        }
        assert_eq!(decimal(b"18446744073709551616"), Err(Errno::RANGE));
        assert_eq!(any_base(b"0x10\n"), Ok(16));
        assert_eq!(any_base(b"010"), Ok(8));
        assert_eq!(any_base(b"0\n"), Ok(0));
        assert_eq!(any_base(b"089"), Err(Errno::INVAL));
        assert_eq!(leading(b"  1200000 kHz"), Ok(1_200_000));
        assert_eq!(leading(b"99999999999999999999"), Ok(u64::MAX));
        assert_eq!(leading(b"-1"), Err(Errno::INVAL));
        assert_eq!(
            (boolean(b"1\n"), boolean(b"off"), boolean(b"2")),
            (Ok(true), Ok(false), Err(Errno::INVAL))
        );
        assert_eq!((word(b" auto\n"), word(b"\n")), (Ok("auto"), Err(Errno::INVAL)));
    }
}
