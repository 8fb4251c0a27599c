//! An [error](fulcrum_error_t) is the detail behind a status, in the caller's own room.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::status::fulcrum_status_t;
use super::text;
use core::ffi::c_char;
use core::fmt;

/// Bytes of an error's text, its terminating zero included.
pub const FULCRUM_ERROR_BYTES: usize = 248;

/// Detail of a failed call. Lies in the caller's room, so that no other call overwrites it and nothing is to be freed.
/// Its layout never changes; it need not be initialised.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_error_t {
    /// The status the call returned.
    pub code: fulcrum_status_t,
    /// The operating system's errno, or 0.
    pub os_errno: i32,
    /// One English sentence that says what is wrong and, where it is known, what would do. UTF-8, zero-terminated.
    pub text: [c_char; FULCRUM_ERROR_BYTES],
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_error_t>() == 256,
    "the layout is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_error_t, text) == 8,
    "the layout is frozen"
);

impl fulcrum_error_t {
    /// An error with this text, cut at a character's border where it is too long.
    pub(super) fn new(code: fulcrum_status_t, os_errno: i32, text: impl fmt::Display) -> fulcrum_error_t {
        fulcrum_error_t {
            code,
            os_errno,
            text: text::filled(text),
        }
    }

    /// Writes `fault` to `out`, unless that is NULL.
    ///
    /// # Safety
    /// `out` is NULL, or valid for writing one error.
    pub(super) unsafe fn fill(out: *mut fulcrum_error_t, fault: &Fault) {
        if !out.is_null() && out.is_aligned() {
            // SAFETY: neither NULL nor misaligned, checked above; the caller promises the rest.
            unsafe { out.write(fulcrum_error_t::new(fault.code(), fault.os_errno(), fault)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: &fulcrum_error_t) -> String {
        let bytes: Vec<u8> = error
            .text
            .iter()
            .map(|c| *c as u8)
            .take_while(|byte| *byte != 0)
            .collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_at_a_characters_border_and_terminated() {
        let error = fulcrum_error_t::new(101, 0, "\u{e4}".repeat(200));
        assert_eq!(text(&error), "\u{e4}".repeat(123));
        assert_eq!(error.text[FULCRUM_ERROR_BYTES - 1], 0);
    }

    #[test]
    fn an_error_carries_the_faults_sentence() {
        let mut error = fulcrum_error_t::new(0, 0, "");
        // SAFETY: a reference is valid for writing.
        unsafe { fulcrum_error_t::fill(&mut error, &Fault::Size("fulcrum_config_t", 3)) };
        assert_eq!(error.code, 104);
        assert!(text(&error).starts_with("fulcrum_config_t.size is 3"));
    }
}
