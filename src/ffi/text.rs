//! A text is [filled](filled) into an array of C: UTF-8, cut at a character's border where it is too long,
//! zero-terminated.

use core::ffi::c_char;
use core::fmt::{self, Write};

/// The array with `text` in it. Its last byte is zero.
pub(super) fn filled<const BYTES: usize>(text: impl fmt::Display) -> [c_char; BYTES] {
    let mut into = [0; BYTES];
    // Only a text that is too long fails, and what fitted stays.
    let _ = write!(
        Text {
            into: &mut into,
            used: 0
        },
        "{text}"
    );
    into
}

/// Writes UTF-8 into C's array and leaves its last byte zero.
struct Text<'a> {
    into: &'a mut [c_char],
    used: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).as_bytes();
            let end = self.used + bytes.len();
            if end >= self.into.len() {
                return Err(fmt::Error);
            }
            let room = self.into.get_mut(self.used..end).unwrap_or_default();
            for (place, byte) in room.iter_mut().zip(bytes) {
                *place = *byte as c_char;
            }
            self.used = end;
        }
        Ok(())
    }
}
