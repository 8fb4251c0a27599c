//! Arrays of C: a pointer and how many there are.

#![allow(unsafe_code)]

use super::fault::Fault;
use crate::limits;
use crate::schedule::Pieces;
use crate::units::Nanos;

/// Copies `count` lengths of pieces, at most [`limits::PIECES`]; a longer list is cut off.
///
/// # Safety
/// `from` is NULL, or points to `count` readable numbers.
pub(super) unsafe fn lengths(from: *const u64, count: usize, null: &'static str) -> Result<Pieces, Fault> {
    if from.is_null() || !from.is_aligned() {
        return Err(Fault::Argument(null));
    }
    // SAFETY: neither NULL nor misaligned; the caller promises `count` numbers.
    let lengths = unsafe { core::slice::from_raw_parts(from, count) };
    Ok(lengths
        .iter()
        .take(limits::PIECES)
        .map(|length| Nanos(*length))
        .collect())
}

/// `count` values of C; none where `count` is 0.
///
/// # Safety
/// `from` is NULL, or points to `count` readable values that stay as they are.
pub(super) unsafe fn values<'a, T>(
    from: *const T,
    count: u32,
    wrong: &'static str,
) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    if from.is_null() || !from.is_aligned() {
        return Err(Fault::Argument(wrong));
    }
    // SAFETY: neither NULL nor misaligned; the caller promises `count` values.
    Ok(unsafe { core::slice::from_raw_parts(from, count as usize) })
}

/// A caller's buffer of `bytes`; none where that is 0.
///
/// # Safety
/// `at` is NULL, or valid for so many bytes, for as long and as exclusively as the answer is used.
pub(super) unsafe fn room<'a>(at: *mut u8, bytes: u64, wrong: &'static str) -> Result<&'a mut [u8], Fault> {
    match usize::try_from(bytes) {
        Ok(0) => Ok(&mut []),
        Ok(bytes) if !at.is_null() && bytes <= isize::MAX as usize => {
            // SAFETY: not NULL; the caller promises the rest.
            Ok(unsafe { core::slice::from_raw_parts_mut(at, bytes) })
        }
        _ => Err(Fault::Argument(wrong)),
    }
}
