//! A [knob](fulcrum_knob_t): one thing that can be set on a board, with its table.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::opaque::call;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::board::{Board, Knob, Machine};
use crate::power::PowerMode;

/// CPU cores online, counted from core 0 up.
pub const FULCRUM_KNOB_CORES: u32 = 1;
/// Ceiling of the CPU clusters' clock, kHz.
pub const FULCRUM_KNOB_CPU: u32 = 2;
/// Ceiling of the GPU clock, kHz.
pub const FULCRUM_KNOB_GPU: u32 = 3;
/// Ceiling of the memory (EMC) clock, kHz.
pub const FULCRUM_KNOB_EMC: u32 = 4;

/// The knob of this number.
pub(super) fn knob(which: u32) -> Result<Knob, Fault> {
    Ok(match which {
        FULCRUM_KNOB_CORES => Knob::Cores,
        FULCRUM_KNOB_CPU => Knob::Cpu,
        FULCRUM_KNOB_GPU => Knob::Gpu,
        FULCRUM_KNOB_EMC => Knob::Emc,
        0 => return Err(Fault::Argument("which is 0; pass one of FULCRUM_KNOB_*")),
        _ => {
            return Err(Fault::TooNew("which is no knob this release of fulcrum knows"));
        }
    })
}

/// A knob as it stands. Cores are a number, clocks are kHz.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_knob_t {
    /// sizeof(fulcrum_knob_t); set it before the call.
    pub size: u32,
    /// One of FULCRUM_KNOB_*.
    pub which: u32,
    /// What it is now; of several CPU clusters the highest.
    pub present: u32,
    /// The lowest value of its table.
    pub min: u32,
    /// The highest value of its table.
    pub max: u32,
    /// How many values its table has; at least 1.
    pub count: u32,
    /// 1 if this program may write all of its files now, else 0.
    pub writable: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_knob_t>() == 28,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_knob_t, writable) == 24,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 28, so there is no padding.
unsafe impl Growing for fulcrum_knob_t {
    const NAME: &'static str = "fulcrum_knob_t";
    const FIRST: u32 = 28;
}

/// The table of the knob of this number; never empty.
fn table(machine: &Machine, which: u32) -> Result<(Knob, Vec<u32>), Fault> {
    let knob = knob(which)?;
    match machine.absence(knob) {
        Some(why) => Err(Fault::NoKnob(why)),
        None => Ok((knob, machine.facts().values(knob))),
    }
}

/// METHOD fulcrum_board_t: tells how a knob stands. Needs no root rights.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param which  one of FULCRUM_KNOB_*
/// @param[out] out  the knob; its size field is set by the caller
/// @param[out] error  detail, written only on failure: why the board lacks the knob; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203) where the board has no such knob, FULCRUM_ERR_UNREADABLE (202),
///         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_knob_get(
    board: *const fulcrum_board_t,
    which: u32,
    out: *mut fulcrum_knob_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        let owned = board.owned()?;
        let machine = owned.machine();
        let (knob, values) = table(machine, which)?;
        let files = machine.files(knob);
        let writable = files.iter().all(|(_, path)| board.root().is_writable(path));
        let told = fulcrum_knob_t {
            size: 0,
            which,
            present: PowerMode::present(machine).map_err(Fault::Unreadable)?.get(knob),
            min: values.first().copied().unwrap_or_default(),
            max: values.last().copied().unwrap_or_default(),
            count: values.len() as u32,
            writable: u32::from(writable && !files.is_empty()),
        };
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}

/// METHOD fulcrum_board_t: copies a knob's table, rising, as far as there is room, and tells how long it is.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param which  one of FULCRUM_KNOB_*
/// @param[out] values  room for the values: cores, or kHz; may be NULL if room is 0
/// @param room  how many values there is room for
/// @param[out] out_count  how many values the table has, which may be more than room
/// @param[out] error  detail, written only on failure: why the board lacks the knob; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203) where the board has no such knob, FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_knob_table(
    board: *const fulcrum_board_t,
    which: u32,
    values: *mut u32,
    room: u32,
    out_count: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        if room > 0 {
            sized::writable(values, "values is NULL and room is not 0")?;
        }
        sized::writable(out_count, "out_count is NULL")?;
        let (_, table) = table(board.owned()?.machine(), which)?;
        let fits = table.len().min(room as usize);
        for (at, value) in table.iter().take(fits).enumerate() {
            // SAFETY: checked above, and `at < room`; the caller promises room for so many values.
            unsafe { values.add(at).write(*value) };
        }
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_count, table.len() as u32, "out_count is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}
