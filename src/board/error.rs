//! A [`BoardError`] is what the board answered instead of a value.

use super::Setting;
use core::fmt;

/// Why a board could not be read or written. Each carries the operating system's error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoardError {
    /// Reading the setting failed.
    Unreadable(Setting, i32),
    /// Writing this value to the setting failed.
    Refused(Setting, u32, i32),
}

impl BoardError {
    /// `EINVAL`: the value is not one the setting takes.
    pub const INVALID: i32 = libc::EINVAL;
    /// `ENODEV`: the board has no such setting.
    pub const ABSENT: i32 = libc::ENODEV;

    /// The operating system's error number.
    pub const fn errno(&self) -> i32 {
        match *self {
            BoardError::Unreadable(_, errno) | BoardError::Refused(_, _, errno) => errno,
        }
    }
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.errno();
        match self {
            BoardError::Unreadable(setting, _) => write!(f, "{setting} could not be read")?,
            BoardError::Refused(setting, value, _) => write!(f, "{setting} did not take the value {value}")?,
        }
        write!(f, ": {}", std::io::Error::from_raw_os_error(errno))?;
        match errno {
            libc::EINVAL => f.write_str("; choose a value of the knob's table"),
            libc::EACCES | libc::EPERM | libc::EROFS => f.write_str(
                "; this needs the right to write the board's files (root, or a /sys that is not read-only)",
            ),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for BoardError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_failed_where_and_what_to_do() {
        let text = BoardError::Refused(Setting::GpuCeiling, 7, libc::EINVAL).to_string();
        assert!(text.starts_with("gpu-ceiling did not take the value 7"), "{text}");
        assert!(text.ends_with("choose a value of the knob's table"), "{text}");
    }
}
