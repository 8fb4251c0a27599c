//! A [preset](fulcrum_preset_t): a mode of the board's own nvpmodel.conf, as it would be set on this board.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::opaque::call;
use super::sized::{self, Growing};
use super::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use super::text;
use crate::board::{Board, Machine, Setting};
use crate::power::Preset;
use crate::power::goal::{Goal, Want};
use crate::power::preset::{Outcome, presets};
use core::ffi::c_char;

/// Preset flag: it cannot be set without a reboot. fulcrum_mode_apply_preset refuses it before the first write.
pub const FULCRUM_PRESET_NEEDS_REBOOT: u32 = 1;
/// Preset flag: it is the default of the board's file.
pub const FULCRUM_PRESET_DEFAULT: u32 = 2;

/// A preset of the board.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_preset_t {
    /// sizeof(fulcrum_preset_t); set it before the call.
    pub size: u32,
    /// Its number in the file, for fulcrum_mode_apply_preset.
    pub id: u32,
    /// FULCRUM_PRESET_*, or-ed.
    pub flags: u32,
    /// CPU cores online; 0 if it sets none.
    pub cores: u32,
    /// The highest ceiling of its CPU clusters, floored to the board's table, kHz; 0 if it sets none or uncaps one.
    pub cpu_khz: u32,
    /// GPU clock ceiling, floored to the board's table, kHz; 0 if it sets none or uncaps it.
    pub gpu_khz: u32,
    /// Memory clock ceiling, floored to the board's table, kHz; 0 if it sets none or uncaps it.
    pub emc_khz: u32,
    /// Its name in the file, as "MAXN" or "15W": no promise of watts, and not always unique. UTF-8, zero-terminated.
    pub name: [c_char; 132],
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_preset_t>() == 160,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_preset_t, name) == 28,
    "the first release is frozen"
);
const _: () = assert!(crate::limits::CONF_WORD < 132, "a name fits");

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 160, so there is no padding.
unsafe impl Growing for fulcrum_preset_t {
    const NAME: &'static str = "fulcrum_preset_t";
    const FIRST: u32 = 160;
}

impl fulcrum_preset_t {
    fn of(machine: &Machine, preset: &Preset, default: u32) -> fulcrum_preset_t {
        let flag = |is, flag| if is { flag } else { 0 };
        // Of several rows for one setting the last counts.
        let asked = |setting| {
            let mut goals = preset.lines.iter().rev().filter_map(|line| match line.outcome {
                Outcome::Asks(goal) => Some(goal),
                Outcome::LeftAlone(_) => None,
            });
            goals.find(|goal: &Goal| goal.setting == setting)
        };
        let ceiling = |is: fn(&Setting) -> bool| {
            let settings = machine.settings().iter().filter(|setting| is(setting));
            let ceilings = settings.filter_map(|setting| Some((*setting, value(asked(*setting)?))));
            let highest = ceilings.max_by_key(|(_, value)| *value);
            match highest {
                None | Some((_, u32::MAX)) => 0,
                Some((setting, value)) => machine.nearest(setting, value),
            }
        };
        fulcrum_preset_t {
            size: 0,
            id: preset.id,
            flags: flag(!preset.masks.is_empty(), FULCRUM_PRESET_NEEDS_REBOOT)
                | flag(preset.id == default, FULCRUM_PRESET_DEFAULT),
            cores: cores(machine, asked),
            cpu_khz: ceiling(|it| matches!(it, Setting::CpuCeiling(_))),
            gpu_khz: ceiling(|it| *it == Setting::GpuCeiling),
            emc_khz: ceiling(|it| *it == Setting::EmcCeiling),
            name: text::filled(&preset.name),
        }
    }
}

fn value(goal: Goal) -> u32 {
    match goal.want {
        Want::Exactly(value) | Want::AtMost(value) | Want::AsFound(value) => value,
    }
}

/// Cores that are online after the preset: those it asks for, and those it leaves alone as they are; 0 if it asks for
/// none.
fn cores(machine: &Machine, asked: impl Fn(Setting) -> Option<Goal>) -> u32 {
    let mut any = false;
    let mut online = 1;
    for setting in machine.settings() {
        if let Setting::Online(_) = setting {
            let goal = asked(*setting);
            any |= goal.is_some();
            online += match goal {
                Some(goal) => value(goal).min(1),
                None => machine.get(*setting).ok().flatten().unwrap_or(0),
            };
        }
    }
    if any { online } else { 0 }
}

/// METHOD fulcrum_board_t: tells how many presets the board's nvpmodel.conf has. Reads the file anew.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param[out] out_count  the number
/// @param[out] error  detail, written only on failure: where the file is broken; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214), FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_preset_count(
    board: *const fulcrum_board_t,
    out_count: *mut u32,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        sized::writable(out_count, "out_count is NULL")?;
        let (presets, _) = presets(board.owned()?.machine())?;
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_count, presets.len() as u32, "out_count is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}

/// METHOD fulcrum_board_t: tells a preset by its place in the board's nvpmodel.conf. Reads the file anew, and the masks
/// that decide whether the preset needs a reboot. Needs no root rights.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param index  which preset, counted from 0 in the order of the file; not its id
/// @param[out] out  the preset; its size field is set by the caller
/// @param[out] error  detail, written only on failure: where the file is broken; may be NULL
/// @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_NO_CONF (213), FULCRUM_ERR_CONF (214),
///         FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_preset_get(
    board: *const fulcrum_board_t,
    index: u32,
    out: *mut fulcrum_preset_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::roomy(out, "out is NULL") }?;
        let owned = board.owned()?;
        let (presets, default) = presets(owned.machine())?;
        let Some(preset) = presets.get(index as usize) else {
            return Ok(FULCRUM_EMPTY);
        };
        let told = fulcrum_preset_t::of(owned.machine(), preset, default);
        // SAFETY: as above.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, tell) }
}
