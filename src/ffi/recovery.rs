//! The [recovery](fulcrum_recovery_t) of what an earlier change left.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::opaque::call;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::power::Recovery;
use core::ffi::c_char;

/// Recover flag: put back a mode that was kept on purpose, too.
pub const FULCRUM_RECOVER_HELD: u32 = 1;

/// There was no journal: nothing was left.
pub const FULCRUM_RECOVERY_NOTHING: u32 = 0;
/// A mode was kept on purpose; it was left alone.
pub const FULCRUM_RECOVERY_HELD: u32 = 1;
/// A change that was cut off was put back.
pub const FULCRUM_RECOVERY_CUT_OFF: u32 = 2;
/// A mode that was kept on purpose was put back.
pub const FULCRUM_RECOVERY_RELEASED: u32 = 3;
/// The machine was started anew since, with its own settings; there was nothing to put back.
pub const FULCRUM_RECOVERY_OTHER_BOOT: u32 = 4;

/// What an earlier change left, and what became of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_recovery_t {
    /// sizeof(fulcrum_recovery_t); set it before the call.
    pub size: u32,
    /// One of FULCRUM_RECOVERY_*.
    pub what: u32,
    /// How many settings the journal named.
    pub settings: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_recovery_t>() == 16,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_recovery_t, reserved) == 12,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 16, so there is no padding.
unsafe impl Growing for fulcrum_recovery_t {
    const NAME: &'static str = "fulcrum_recovery_t";
    const FIRST: u32 = 16;
}

impl From<Recovery> for fulcrum_recovery_t {
    fn from(recovery: Recovery) -> fulcrum_recovery_t {
        let (what, settings) = match recovery {
            Recovery::Nothing => (FULCRUM_RECOVERY_NOTHING, 0),
            Recovery::Held(record) => (FULCRUM_RECOVERY_HELD, record.entries.len()),
            Recovery::Restored {
                settings,
                held: false,
                ..
            } => (FULCRUM_RECOVERY_CUT_OFF, settings),
            Recovery::Restored {
                settings, held: true, ..
            } => (FULCRUM_RECOVERY_RELEASED, settings),
            Recovery::OtherBoot => (FULCRUM_RECOVERY_OTHER_BOOT, 0),
        };
        fulcrum_recovery_t {
            size: 0,
            what,
            settings: settings as u32,
            reserved: 0,
        }
    }
}

/// METHOD fulcrum_board_t: puts back what a change left that was cut off, as by kill -9 or a power cut; with
/// FULCRUM_RECOVER_HELD also a mode that was kept on purpose. Call it at the start of a program that changes modes. It
/// is no error if nothing was left.
///
/// | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
/// callback | real-time no |
/// @param board  an open board on which no change has begun
/// @param journal_dir  the folder of the journal, as for fulcrum_mode_begin
/// @param flags  FULCRUM_RECOVER_HELD or 0
/// @param[out] out  what was left and what became of it; its size field is set by the caller
/// @param[out] error  detail, written only on failure: what to do by hand; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_JOURNAL_BUSY (209),
///         FULCRUM_ERR_JOURNAL_DAMAGED (210), FULCRUM_ERR_JOURNAL_FOREIGN (211), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_PATH (107), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_recover(
    board: *mut fulcrum_board_t,
    journal_dir: *const c_char,
    flags: u32,
    out: *mut fulcrum_recovery_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let recover = |board: &BoardHandle| {
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::roomy(out, "out is NULL") }?;
        if flags & !FULCRUM_RECOVER_HELD != 0 {
            return Err(Fault::TooNew(
                "flags has a flag this release of fulcrum does not know",
            ));
        }
        // SAFETY: the caller promises a text that is zero-terminated.
        let folder = unsafe { sized::path(journal_dir) }?;
        let recovery = board
            .owned()?
            .recover(folder, flags & FULCRUM_RECOVER_HELD != 0)?;
        // SAFETY: as above.
        unsafe { sized::write(out, &recovery.into(), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, recover) }
}
