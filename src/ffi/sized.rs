//! A [sized](Growing) struct says its own size first, so that it can grow on either side of the ABI.
//!
//! An older caller's struct is shorter: what it lacks is zero, which means "default". A newer caller's struct is
//! longer: it is accepted if it asks for nothing this library does not know, which is to say if its tail is zero.

#![allow(unsafe_code)]

use super::fault::Fault;
use crate::limits;
use crate::schedule::Name;
use core::ffi::c_char;
use core::mem::{MaybeUninit, size_of};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Bytes of a name, its terminating zero included.
pub const FULCRUM_NAME_BYTES: usize = 32;

const _: () = assert!(FULCRUM_NAME_BYTES <= limits::NAME, "a name fits");

/// The largest size a struct may claim. More is a size field nobody set.
const LARGEST: u32 = 4096;

/// A struct whose first field is a `u32`, its size in bytes.
///
/// # Safety
/// The type is `repr(C)`, has no padding, starts with a `u32`, and may be all zero.
pub(super) unsafe trait Growing: Copy {
    /// Its name in C.
    const NAME: &'static str;
    /// Its size in the first release.
    const FIRST: u32;
}

/// The size that `*at` claims, checked; NULL and misaligned pointers are refused.
unsafe fn claimed<T: Growing>(at: *const T, null: &'static str) -> Result<usize, Fault> {
    if at.is_null() || !at.is_aligned() {
        return Err(Fault::Argument(null));
    }
    // SAFETY: neither NULL nor misaligned; the first field is a u32, which the caller has set.
    let size = unsafe { at.cast::<u32>().read() };
    if !(T::FIRST..=LARGEST).contains(&size) {
        return Err(Fault::Size(T::NAME, size));
    }
    Ok(size as usize)
}

/// Copies a caller's struct. `null` is the sentence for a bad pointer.
///
/// # Safety
/// `from` is NULL, or points to a struct that is readable for the number of bytes in its first field.
pub(super) unsafe fn read<T: Growing>(from: *const T, null: &'static str) -> Result<T, Fault> {
    // SAFETY: as the caller promises.
    let size = unsafe { claimed(from, null)? };
    let known = size.min(size_of::<T>());
    // SAFETY: the caller promises `size` readable bytes, and `known <= size`.
    let newer = unsafe { core::slice::from_raw_parts(from.cast::<u8>().add(known), size - known) };
    if newer.iter().any(|byte| *byte != 0) {
        return Err(Fault::TooNew(
            "a struct sets a field this release of fulcrum does not know; update the library",
        ));
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are readable there and fit here; the two do not overlap. Zero is a valid `T`, and what the
    // caller filled in are values of the fields' own types.
    unsafe {
        core::ptr::copy_nonoverlapping(from.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        Ok(copy.assume_init())
    }
}

/// Copies a caller's struct that a call is going to [write] to, all of its first `room` bytes.
///
/// # Safety
/// As for [`read`].
pub(super) unsafe fn read_of<T: Growing>(
    from: *const T,
    room: usize,
    null: &'static str,
) -> Result<T, Fault> {
    // SAFETY: as the caller promises.
    let size = unsafe { claimed(from, null)? };
    if size < room {
        return Err(Fault::Size(T::NAME, size as u32));
    }
    // SAFETY: as above.
    unsafe { read(from, null) }
}

/// Writes `value` into a caller's struct, as much of it as there is room for; a longer one gets zeros behind it. The
/// size field stays as it is.
///
/// # Safety
/// `out` is NULL, or points to a struct that is writable for the number of bytes in its first field.
pub(super) unsafe fn write<T: Growing>(out: *mut T, value: &T, null: &'static str) -> Result<(), Fault> {
    // SAFETY: as the caller promises.
    let size = unsafe { claimed(out, null)? };
    let known = size.min(size_of::<T>());
    let field = size_of::<u32>();
    // SAFETY: the caller promises `size` writable bytes; `field <= FIRST <= size` and `known <= size`. `value` has no
    // padding, is at least `known` bytes long, and a reference does not overlap memory the caller may write.
    unsafe {
        let (from, to) = (core::ptr::from_ref(value).cast::<u8>(), out.cast::<u8>());
        core::ptr::copy_nonoverlapping(from.add(field), to.add(field), known - field);
        core::ptr::write_bytes(to.add(known), 0, size - known);
    }
    Ok(())
}

/// Refuses a struct that [`write`] would refuse; for calls that must know before they act.
///
/// # Safety
/// As for [`write`].
pub(super) unsafe fn roomy<T: Growing>(out: *mut T, null: &'static str) -> Result<(), Fault> {
    // SAFETY: as the caller promises.
    unsafe { claimed(out, null) }.map(|_| ())
}

/// Writes a plain value.
///
/// # Safety
/// `out` is NULL, or valid for writing a `T`.
pub(super) unsafe fn put<T: Copy>(out: *mut T, value: T, null: &'static str) -> Result<(), Fault> {
    writable(out, null)?;
    // SAFETY: neither NULL nor misaligned; the caller promises the rest.
    unsafe { out.write(value) };
    Ok(())
}

/// Refuses a pointer that [`put`] would refuse; for calls that must know before they act.
pub(super) fn writable<T>(out: *mut T, null: &'static str) -> Result<(), Fault> {
    if out.is_null() || !out.is_aligned() {
        Err(Fault::Argument(null))
    } else {
        Ok(())
    }
}

/// Copies a name. Reads up to its terminating zero and never beyond [`FULCRUM_NAME_BYTES`].
///
/// # Safety
/// `text` is NULL, or readable up to a zero byte or for [`FULCRUM_NAME_BYTES`] bytes, whichever comes first.
pub(super) unsafe fn name(text: *const c_char) -> Result<Name, Fault> {
    if text.is_null() {
        return Err(Fault::Name("the name is NULL"));
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { terminated(text, FULCRUM_NAME_BYTES) }.ok_or(Fault::Name(
        "the name does not end within 32 bytes, its zero included",
    ))?;
    let text = core::str::from_utf8(bytes).map_err(|_| Fault::Name("the name is not UTF-8"))?;
    if text.is_empty() {
        return Err(Fault::Name("the name is empty"));
    }
    Ok(crate::schedule::name(text))
}

/// Bytes of a path, its terminating zero included: PATH_MAX of Linux.
pub const FULCRUM_PATH_BYTES: usize = 4096;

/// Copies a path; `None` for NULL. Reads up to its terminating zero and never beyond [`FULCRUM_PATH_BYTES`].
///
/// # Safety
/// `text` is NULL, or readable up to a zero byte or for [`FULCRUM_PATH_BYTES`] bytes, whichever comes first.
pub(super) unsafe fn path(text: *const c_char) -> Result<Option<PathBuf>, Fault> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    match unsafe { terminated(text, FULCRUM_PATH_BYTES) } {
        Some([]) => Err(Fault::Path("the path is empty; pass NULL for the default")),
        Some(bytes) => Ok(Some(PathBuf::from(OsStr::from_bytes(bytes)))),
        None => Err(Fault::Path(
            "the path does not end within 4096 bytes, its zero included",
        )),
    }
}

/// Copies a path that must be there.
///
/// # Safety
/// As for [`path`].
pub(super) unsafe fn path_of(text: *const c_char, null: &'static str) -> Result<PathBuf, Fault> {
    // SAFETY: as the caller promises.
    unsafe { path(text) }?.ok_or(Fault::Argument(null))
}

/// Copies a text. Reads up to its terminating zero and never beyond [`FULCRUM_PATH_BYTES`].
///
/// # Safety
/// As for [`path`].
#[cfg(feature = "onnx")]
pub(super) unsafe fn text(text: *const c_char, wrong: &'static str) -> Result<String, Fault> {
    if text.is_null() {
        return Err(Fault::Argument(wrong));
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { terminated(text, FULCRUM_PATH_BYTES) }.ok_or(Fault::Argument(wrong))?;
    let text = core::str::from_utf8(bytes).map_err(|_| Fault::Argument(wrong))?;
    Ok(text.to_owned())
}

/// The bytes before the first zero; `None` where there is none among the first `limit`.
///
/// # Safety
/// `text` is readable up to a zero byte or for `limit` bytes, whichever comes first, and stays so.
unsafe fn terminated<'a>(text: *const c_char, limit: usize) -> Option<&'a [u8]> {
    // SAFETY: every byte before was not zero and `at` is below the limit, so the caller promises this one.
    let end = (0..limit).find(|at| unsafe { text.add(*at).read() } == 0)?;
    // SAFETY: the bytes before `end` were just read.
    Some(unsafe { core::slice::from_raw_parts(text.cast::<u8>(), end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct First {
        size: u32,
        a: u32,
    }

    /// The same struct two releases later.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Later {
        size: u32,
        a: u32,
        b: u64,
    }

    // SAFETY: repr(C), no padding, a u32 first, integers only.
    unsafe impl Growing for First {
        const NAME: &'static str = "first_t";
        const FIRST: u32 = 8;
    }
    // SAFETY: as above.
    unsafe impl Growing for Later {
        const NAME: &'static str = "later_t";
        const FIRST: u32 = 8;
    }

    fn read_as<T: Growing, U: Copy>(from: &U) -> Result<T, Fault> {
        // SAFETY: the tests below claim no more bytes than `U` has, or a size that is refused.
        unsafe { read(core::ptr::from_ref(from).cast::<T>(), "NULL") }
    }

    #[test]
    fn a_shorter_struct_is_filled_up_with_defaults() {
        // What lies behind the eight bytes is somebody else's.
        let later: Later = read_as(&Later {
            size: 8,
            a: 7,
            b: u64::MAX,
        })
        .unwrap();
        assert_eq!(later, Later { size: 8, a: 7, b: 0 });
    }

    #[test]
    fn a_longer_struct_is_accepted_if_its_tail_is_zero_and_refused_if_not() {
        assert_eq!(
            read_as::<First, _>(&Later { size: 16, a: 7, b: 0 }).unwrap(),
            First { size: 16, a: 7 }
        );
        let refused = read_as::<First, _>(&Later {
            size: 16,
            a: 7,
            b: 1 << 56,
        });
        assert!(matches!(refused, Err(Fault::TooNew(_))), "{refused:?}");
    }

    #[test]
    fn a_size_outside_the_first_release_and_4096_is_refused() {
        for size in [0, 7, 4097, u32::MAX] {
            let refused = read_as::<Later, _>(&Later { size, a: 0, b: 0 });
            assert!(
                matches!(refused, Err(Fault::Size("later_t", claimed)) if claimed == size),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn null_and_misaligned_structs_are_refused() {
        // SAFETY: neither pointer is read, since both are refused.
        unsafe {
            assert!(matches!(
                read::<First>(core::ptr::null(), "NULL"),
                Err(Fault::Argument("NULL"))
            ));
            let odd = core::ptr::from_ref(&[0_u64; 2])
                .cast::<u8>()
                .add(1)
                .cast::<First>();
            assert!(matches!(read::<First>(odd, "odd"), Err(Fault::Argument("odd"))));
        }
    }

    #[test]
    fn writing_keeps_the_size_field_fills_the_room_and_zeroes_the_rest() {
        let mut later = Later {
            size: 16,
            a: 1,
            b: u64::MAX,
        };
        // SAFETY: the struct has the 16 bytes it claims.
        unsafe {
            write(
                core::ptr::from_mut(&mut later).cast::<First>(),
                &First { size: 99, a: 5 },
                "",
            )
            .unwrap()
        };
        assert_eq!(later, Later { size: 16, a: 5, b: 0 });
        let mut short = Later { size: 8, a: 1, b: 2 };
        // SAFETY: as above.
        unsafe { write(&mut short, &Later { size: 99, a: 5, b: 6 }, "").unwrap() };
        assert_eq!(
            short,
            Later { size: 8, a: 5, b: 2 },
            "beyond the claimed size nothing is written"
        );
    }

    #[test]
    fn a_name_ends_within_32_bytes_is_utf8_and_not_empty() {
        // SAFETY: each is zero-terminated or 32 bytes long.
        let read = |bytes: &[u8]| unsafe { name(bytes.as_ptr().cast()) }.map(|name| name.as_str().to_owned());
        assert_eq!(read(b"camera\0").unwrap(), "camera");
        assert_eq!(read(b"0123456789012345678901234567890\0").unwrap().len(), 31);
        for wrong in [&b"\0"[..], b"\xff\0", &[b'x'; 32]] {
            assert!(matches!(read(wrong), Err(Fault::Name(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_path_ends_within_4096_bytes_and_is_not_empty_and_null_is_none() {
        // SAFETY: each is zero-terminated or 4096 bytes long.
        let read = |bytes: &[u8]| unsafe { path(bytes.as_ptr().cast()) };
        assert_eq!(read(b"/tmp/\xff\0").unwrap().unwrap().as_os_str().len(), 6);
        for wrong in [&b"\0"[..], &[b'x'; FULCRUM_PATH_BYTES]] {
            assert!(matches!(read(wrong), Err(Fault::Path(_))));
        }
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { path(core::ptr::null()) }.unwrap(), None);
    }
}
