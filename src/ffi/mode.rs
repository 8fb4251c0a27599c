//! A [power mode](fulcrum_power_mode_t), and the space of all that a board offers.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::opaque::call;
use super::sized::{self, Growing};
use super::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use crate::board::Knob;
use crate::power::PowerMode;
use crate::units::Kilohertz;
use core::ptr::null_mut;

/// A value for each knob. Where a mode is told, 0 says that the board lacks the knob; where one is asked for, that the
/// knob is to be left alone.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_power_mode_t {
    /// sizeof(fulcrum_power_mode_t); set it before anything else.
    pub size: u32,
    /// CPU cores online.
    pub cores: u32,
    /// CPU clock ceiling, kHz.
    pub cpu_khz: u32,
    /// GPU clock ceiling, kHz.
    pub gpu_khz: u32,
    /// Memory clock ceiling, kHz.
    pub emc_khz: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_power_mode_t>() == 20,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_power_mode_t, emc_khz) == 16,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 20, so there is no padding.
unsafe impl Growing for fulcrum_power_mode_t {
    const NAME: &'static str = "fulcrum_power_mode_t";
    const FIRST: u32 = 20;
}

impl From<PowerMode> for fulcrum_power_mode_t {
    fn from(mode: PowerMode) -> fulcrum_power_mode_t {
        fulcrum_power_mode_t {
            size: 0,
            cores: mode.cores.into(),
            cpu_khz: mode.cpu.0,
            gpu_khz: mode.gpu.0,
            emc_khz: mode.emc.0,
        }
    }
}

impl fulcrum_power_mode_t {
    /// The knobs that are asked for.
    pub(super) fn knobs(&self) -> Vec<(Knob, u32)> {
        let all = [
            (Knob::Cores, self.cores),
            (Knob::Cpu, self.cpu_khz),
            (Knob::Gpu, self.gpu_khz),
            (Knob::Emc, self.emc_khz),
        ];
        all.into_iter().filter(|(_, value)| *value > 0).collect()
    }

    fn mode(&self) -> PowerMode {
        PowerMode {
            // No board has as many; saturating keeps one from becoming another.
            cores: u8::try_from(self.cores).unwrap_or(u8::MAX),
            cpu: Kilohertz(self.cpu_khz),
            gpu: Kilohertz(self.gpu_khz),
            emc: Kilohertz(self.emc_khz),
        }
    }
}

/// METHOD fulcrum_board_t: tells how many power modes the board offers: every combination of its knobs' tables.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param[out] out_count  the number; at least 1
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_count(
    board: *const fulcrum_board_t,
    out_count: *mut u64,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        let count = board.owned()?.space().len() as u64;
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { sized::put(out_count, count, "out_count is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), tell) }
}

/// METHOD fulcrum_board_t: tells a mode by its index. Modes rise: cores first, then CPU, GPU and memory clock, the last
/// changing fastest; so the last mode is the highest. An index means the same mode as long as the tables stay.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param index  which mode, counted from 0
/// @param[out] out  the mode; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_at(
    board: *const fulcrum_board_t,
    index: u64,
    out: *mut fulcrum_power_mode_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::roomy(out, "out is NULL") }?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(mode) = board.owned()?.space().at(index) else {
            return Ok(FULCRUM_EMPTY);
        };
        // SAFETY: as above.
        unsafe { sized::write(out, &mode.into(), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), tell) }
}

/// METHOD fulcrum_board_t: tells the index of a mode. Every value must be one of its knob's table; for a knob that the
/// board lacks it is what fulcrum_mode_at tells.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param mode  the mode
/// @param[out] out_index  its index
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NOT_OFFERED (203), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103),
///         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_index(
    board: *const fulcrum_board_t,
    mode: *const fulcrum_power_mode_t,
    out_index: *mut u64,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        sized::writable(out_index, "out_index is NULL")?;
        // SAFETY: the caller promises as many bytes as the struct says.
        let mode = unsafe { sized::read(mode, "mode is NULL") }?.mode();
        let index = board
            .owned()?
            .space()
            .index_of(&mode)
            .ok_or(Fault::NoMode(mode))?;
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_index, index as u64, "out_index is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}

/// METHOD fulcrum_board_t: tells the mode that the board is in now: cores online, and of several CPU clusters the
/// highest ceiling. Needs no root rights.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param[out] out  the mode; its size field is set by the caller
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_UNREADABLE (202), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_present(
    board: *const fulcrum_board_t,
    out: *mut fulcrum_power_mode_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        let mode = PowerMode::present(board.owned()?.machine()).map_err(Fault::Unreadable)?;
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &mode.into(), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}
