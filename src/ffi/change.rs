//! The change of a power mode: begin, apply, keep or restore.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::knob::knob;
use super::mode::fulcrum_power_mode_t;
use super::opaque::call;
use super::sized;
use super::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use crate::board::Board;
use crate::power::preset::presets;
use crate::power::{Preset, PresetError, Standing, goals_offered};
use core::ffi::c_char;
use core::ptr::null_mut;

/// Standing of a knob: it is as asked.
pub const FULCRUM_DRIFT_OURS: u32 = 1;
/// Standing of a knob: another party holds a clock below what was asked, as heat, firmware or a lower cap do.
pub const FULCRUM_DRIFT_LIMITED: u32 = 2;
/// Standing of a knob: it could not be read.
pub const FULCRUM_DRIFT_UNREADABLE: u32 = 3;
/// Standing of a knob: another program has written it.
pub const FULCRUM_DRIFT_TAKEN_OVER: u32 = 4;

/// METHOD fulcrum_board_t: begins a change of the power mode: locks the journal and reads what the board is in. Writes
/// none of the board's settings. It ends with fulcrum_mode_keep or fulcrum_mode_restore; a program that ends without
/// either has left a journal, and fulcrum_mode_recover of the next one puts the board back.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board on which no change has begun
/// @param journal_dir  the folder of the journal, zero-terminated, made if it is missing; NULL: var/lib/fulcrum below
///                     the board's root. It must outlive a power cut.
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_CUT_OFF (212) if an earlier change was cut off, FULCRUM_ERR_UNREADABLE (202),
///         FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_JOURNAL_BUSY (209), FULCRUM_ERR_JOURNAL_DAMAGED (210),
///         FULCRUM_ERR_JOURNAL_FOREIGN (211), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_PATH (107),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_begin(
    board: *mut fulcrum_board_t,
    journal_dir: *const c_char,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let begin = |board: &BoardHandle| {
        // SAFETY: the caller promises a text that is zero-terminated.
        let folder = unsafe { sized::path(journal_dir) }?;
        board.owned()?.begin(folder)?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, begin) }
}

/// METHOD fulcrum_board_t: moves the knobs that the mode names to their values, in the order that is safe for the
/// board, and reads each write back. Only what differs is written, and before the first write the old values are on the
/// disk. A clock between two of the table comes to the lower one. A knob that another party holds lower, as the thermal
/// governor does, is success: the wish is in place, and out_limited counts it.
///
/// After FULCRUM_ERR_ARGUMENT, TOO_NEW, SIZE and NOT_OFFERED nothing was written and the change can go on. After
/// FULCRUM_ERR_REFUSED, NOT_TAKEN, EXCEEDED and JOURNAL the old mode is back and the change has ended. After
/// FULCRUM_ERR_UNRESTORED it is not back: fulcrum_mode_restore tries again.
///
/// | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
/// callback | real-time no |
/// @param board  a board on which a change has begun, and no mode is applied
/// @param mode  the mode; 0 in a field leaves that knob alone
/// @param[out] out_limited  how many settings another party limits; may be NULL
/// @param[out] error  detail, written only on failure: which setting, and why; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203), FULCRUM_ERR_REFUSED (204), FULCRUM_ERR_NOT_TAKEN (205),
///         FULCRUM_ERR_EXCEEDED (206), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_apply(
    board: *mut fulcrum_board_t,
    mode: *const fulcrum_power_mode_t,
    out_limited: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let apply = |board: &BoardHandle| {
        // SAFETY: the caller promises as many bytes as the struct says.
        let mode = unsafe { sized::read(mode, "mode is NULL") }?;
        refuse_misaligned(out_limited)?;
        let mut owned = board.owned()?;
        let before = owned.before()?;
        let mut knobs = mode.knobs();
        let facts = owned.machine().facts();
        // What the board is in already need not be on offer: another program may have put it there. What is on offer is
        // asked for all the same: of clusters that come on.
        knobs.retain(|(knob, value)| *value != before.get(*knob) || facts.offers(*knob, *value));
        let goals = goals_offered(owned.machine(), &knobs)?;
        let limited = owned.apply(&goals)?;
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { tell_limited(out_limited, limited) }
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, apply) }
}

/// METHOD fulcrum_board_t: as fulcrum_mode_apply, for a preset of the board's nvpmodel.conf. One that needs a reboot is
/// refused before the first write; after that refusal, and after FULCRUM_ERR_NO_CONF, CONF and NO_PRESET, the change
/// can go on. Engine clocks, current limits, fans and masks of the preset are never written.
///
/// | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
/// callback | real-time no |
/// @param board  a board on which a change has begun, and no mode is applied
/// @param id  the preset's id in the file
/// @param[out] out_limited  how many settings another party limits; may be NULL
/// @param[out] error  detail, written only on failure: which setting or mask, and why; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214), FULCRUM_ERR_NO_PRESET (215),
///         FULCRUM_ERR_REBOOT (216), FULCRUM_ERR_REFUSED (204), FULCRUM_ERR_NOT_TAKEN (205),
///         FULCRUM_ERR_EXCEEDED (206), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_JOURNAL (208),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_apply_preset(
    board: *mut fulcrum_board_t,
    id: u32,
    out_limited: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let apply = |board: &BoardHandle| {
        refuse_misaligned(out_limited)?;
        let mut owned = board.owned()?;
        owned.before()?;
        let (presets, _) = presets(owned.machine())?;
        let goals = by_id(&presets, id)?.goals()?;
        let limited = owned.apply(&goals)?;
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { tell_limited(out_limited, limited) }
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, apply) }
}

/// The preset of this id; a name that is a number does not count.
fn by_id(presets: &[Preset], id: u32) -> Result<&Preset, Fault> {
    let found = presets.iter().find(|preset| preset.id == id);
    found.ok_or_else(|| {
        let known: Vec<String> = presets
            .iter()
            .map(|it| format!("{} {}", it.id, it.name))
            .collect();
        Fault::Preset(PresetError::Unknown {
            asked: id.to_string(),
            known: known.join(", "),
        })
    })
}

fn refuse_misaligned(out_limited: *mut u32) -> Result<(), Fault> {
    if out_limited.is_aligned() {
        Ok(())
    } else {
        Err(Fault::Argument("out_limited is misaligned"))
    }
}

/// # Safety
/// `out_limited` is NULL or writable.
unsafe fn tell_limited(out_limited: *mut u32, limited: u32) -> Result<fulcrum_status_t, Fault> {
    if !out_limited.is_null() {
        // SAFETY: as the caller promises.
        unsafe { sized::put(out_limited, limited, "out_limited is misaligned") }?;
    }
    Ok(FULCRUM_OK)
}

/// METHOD fulcrum_board_t: lets the applied mode stay, after the handle is closed and the program has ended. The
/// journal keeps what the board was found in until fulcrum_mode_recover with FULCRUM_RECOVER_HELD, or `fulcrum mode
/// restore`, puts it back; later changes keep that oldest state. If the journal cannot be written the old mode is put
/// back.
///
/// | allocates yes | blocks until the journal is on the disk | threads one at a time, no callback | real-time no |
/// @param board  a board on which a mode is applied
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_JOURNAL (208), FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_keep(
    board: *mut fulcrum_board_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, |board| board.owned()?.keep().map(|()| FULCRUM_OK)) }
}

/// METHOD fulcrum_board_t: ends the change and puts back every setting that it wrote, to the letter. A change that has
/// begun and applied nothing ends without a write. After FULCRUM_ERR_UNRESTORED it can be called again.
///
/// | allocates yes | blocks while files are written, 10 ms and more where one does not take | threads one at a time, no
/// callback | real-time no |
/// @param board  a board on which a change has begun
/// @param[out] error  detail, written only on failure: how many settings failed, and why the first; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_restore(
    board: *mut fulcrum_board_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe {
        call(board, error, |board| {
            board.owned()?.restore().map(|()| FULCRUM_OK)
        })
    }
}

/// METHOD fulcrum_board_t: tells how a knob stands to what was asked of it through this handle, by the mode that is
/// applied or else was kept. Of several settings of the knob the worst counts. It reports and fights nobody.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param which  one of FULCRUM_KNOB_*
/// @param[out] out_standing  one of FULCRUM_DRIFT_*
/// @return FULCRUM_OK, FULCRUM_EMPTY (1) if nothing was asked of the knob, FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_drift(
    board: *const fulcrum_board_t,
    which: u32,
    out_standing: *mut u32,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        sized::writable(out_standing, "out_standing is NULL")?;
        let standing = match board.owned()?.drift(knob(which)?) {
            None => return Ok(FULCRUM_EMPTY),
            Some(Standing::Ours) => FULCRUM_DRIFT_OURS,
            Some(Standing::Limited) => FULCRUM_DRIFT_LIMITED,
            Some(Standing::Unreadable) => FULCRUM_DRIFT_UNREADABLE,
            Some(Standing::TakenOver) => FULCRUM_DRIFT_TAKEN_OVER,
        };
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_standing, standing, "out_standing is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), tell) }
}
