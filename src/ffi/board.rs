//! A [board](fulcrum_board_t): opened below a root, described, changed as a transaction, closed as it was found.

#![allow(unsafe_code)]

use super::changing::Changing;
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::gate::{Gate, Inside};
use super::handle::on_dispatcher;
use super::opaque::{self, Named, call, told};
use super::sampler::Sampling;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use super::text;
use crate::board::{Board, Machine, Root};
use core::ffi::c_char;
use core::ptr::null_mut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A board: what it is and offers, the change of its power mode, and the thread that samples its sensors. Made by
/// fulcrum_board_open, freed by fulcrum_board_close.
pub struct fulcrum_board_t(());

/// What a `fulcrum_board_t` pointer points to.
pub(super) struct BoardHandle {
    root: Root,
    owned: Gate<Changing>,
    sampling: Gate<Option<Sampling>>,
}

impl Named for fulcrum_board_t {
    type Object = BoardHandle;
    /// "fulboard".
    const MAGIC: u64 = u64::from_be_bytes(*b"fulboard");
}

impl BoardHandle {
    /// Its root.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The board and its change, for one thread at a time and never for the dispatcher, since files may block.
    pub(super) fn owned(&self) -> Result<Inside<'_, Changing>, Fault> {
        if on_dispatcher() {
            return Err(Fault::Callback);
        }
        self.owned.enter().ok_or(Fault::Busy)
    }

    /// The sampler, for one thread at a time. Apart from the change, so that the draw can be watched while it goes on.
    pub(super) fn sampling(&self) -> Result<Inside<'_, Option<Sampling>>, Fault> {
        self.sampling.enter().ok_or(Fault::Busy)
    }
}

/// What a board is. Texts are UTF-8 and zero-terminated, empty where the board does not say; one that is too long is
/// cut.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_board_info_t {
    /// sizeof(fulcrum_board_info_t); set it before the call.
    pub size: u32,
    /// CPU cores present, online or not; at least 1.
    pub cores: u32,
    /// 1 for a board that says it is simulated, as a mounted twin does; else 0.
    pub simulated: u32,
    /// 0.
    pub reserved: u32,
    /// The best name there is: product, model or chip, as "Jetson Orin Nano 8GB Super (p3767-0005)". Never empty.
    pub name: [c_char; 128],
    /// The maker's name for the whole, or a PC's product name.
    pub model: [c_char; 128],
    /// The system on chip, as "tegra234"; on a PC the processor's name.
    pub soc: [c_char; 64],
    /// The module and its part number; empty where the board is none of modules.
    pub module: [c_char; 64],
    /// The kernel's release.
    pub kernel: [c_char; 64],
    /// The release of Linux for Tegra, as "36.4.3".
    pub l4t: [c_char; 16],
    /// The JetPack that the release belongs to, as "6.2".
    pub jetpack: [c_char; 16],
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_board_info_t>() == 496,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_board_info_t, jetpack) == 480,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 496, so there is no padding.
unsafe impl Growing for fulcrum_board_info_t {
    const NAME: &'static str = "fulcrum_board_info_t";
    const FIRST: u32 = 496;
}

impl fulcrum_board_info_t {
    fn of(machine: &Machine) -> fulcrum_board_info_t {
        let (facts, identity) = (machine.facts(), machine.identity());
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let shown = |text: Option<String>| text.unwrap_or_default();
        fulcrum_board_info_t {
            size: 0,
            cores: facts.cores().into(),
            simulated: facts.simulated().into(),
            reserved: 0,
            name: text::filled(facts.name()),
            model: text::filled(or_empty(&identity.model)),
            soc: text::filled(facts.soc()),
            module: text::filled(shown(identity.module.as_ref().map(ToString::to_string))),
            kernel: text::filled(or_empty(&identity.kernel)),
            l4t: text::filled(shown(identity.l4t.as_ref().map(ToString::to_string))),
            jetpack: text::filled(identity.jetpack().unwrap_or_default()),
        }
    }
}

/// CONSTRUCTOR fulcrum_board_t: reads what the board below a folder is and offers. Any Linux is a board, with what it
/// has. Writes nothing and needs no root rights.
///
/// | allocates yes | blocks while files are read | threads any, no callback | real-time no |
/// @param root  the folder that its sys, proc and etc lie in, zero-terminated; NULL: "/", this machine
/// @param[out] out  the board, to be closed with fulcrum_board_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NO_BOARD (201), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PATH (107),
///         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_board_open(
    root: *const c_char,
    out: *mut *mut fulcrum_board_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        if on_dispatcher() {
            return Err(Fault::Callback);
        }
        // SAFETY: the caller promises a text that is zero-terminated.
        let root = unsafe { sized::path(root) }?.unwrap_or_else(|| PathBuf::from("/"));
        let root = Root::new(root);
        let machine = Machine::detect(root.clone()).map_err(Fault::NoBoard)?;
        Ok(BoardHandle {
            root,
            owned: Gate::new(Changing::new(machine)),
            sampling: Gate::new(None),
        })
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// DESTRUCTOR fulcrum_board_t: puts back a mode that is applied and not kept, stops the sampler, and frees the handle.
/// Closing NULL does nothing. If it cannot put the mode back it says so and frees the handle all the same: the journal
/// stays, and fulcrum_mode_recover tries again, in this program or the next. After FULCRUM_ERR_BUSY and
/// FULCRUM_ERR_CALLBACK the handle is still open. Closing twice is undefined.
///
/// | allocates yes | blocks while files are written, and up to 1 s for a sensor | threads one at a time, no callback |
/// | real-time no |
/// @param board  the board, or NULL
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_UNRESTORED (207), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_board_close(
    board: *mut fulcrum_board_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    if board.is_null() {
        return FULCRUM_OK;
    }
    // SAFETY: the caller promises an open handle.
    let closed = unsafe { opaque::checked(board) }.and_then(|opaque| {
        let open: &BoardHandle = opaque.object();
        let mut owned = open.owned()?;
        let _nobody_polls = open.sampling()?;
        // Poisoned or not: the board is left as it was found.
        let restored = catch_unwind(AssertUnwindSafe(|| owned.put_back()));
        Ok(restored.map_or(Err(Fault::Bug), |restored| restored.map_err(Fault::Unrestored)))
    });
    let outcome = closed.and_then(|restored| {
        // SAFETY: checked above; the caller promises that nobody else uses it.
        unsafe { opaque::free(board) };
        restored
    });
    match outcome {
        Ok(()) => FULCRUM_OK,
        // SAFETY: the caller promises that it is NULL or writable.
        Err(fault) => unsafe { told(error, &fault) },
    }
}

/// METHOD fulcrum_board_t: describes the board, as it was found when it was opened.
///
/// | allocates yes | blocks no | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @param[out] out  the description; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_board_info(
    board: *const fulcrum_board_t,
    out: *mut fulcrum_board_info_t,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        let told = fulcrum_board_info_t::of(board.owned()?.machine());
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), tell) }
}

#[cfg(test)]
mod tests {
    use super::super::change::{fulcrum_mode_apply, fulcrum_mode_begin};
    use super::super::mode::fulcrum_power_mode_t;
    use super::super::sampler::{fulcrum_sampler_start, fulcrum_sampler_stop};
    use super::super::status::FULCRUM_ERR_BUG;
    use super::*;
    use std::ffi::CString;
    use std::fs;
    use std::path::Path;

    const SECOND: &str = "sys/devices/system/cpu/cpu1/online";

    /// Two cores, of which the second can be taken offline, and nothing else.
    fn opened(name: &str) -> (PathBuf, *mut fulcrum_board_t) {
        let root = std::env::temp_dir().join(format!("fulcrum-ffi-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join(SECOND).parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(root.join("sys/devices/system/cpu/present"), "0-1\n").unwrap();
        fs::write(root.join(SECOND), "1\n").unwrap();
        let text = CString::new(root.to_str().unwrap()).unwrap();
        let mut board = null_mut();
        // SAFETY: both pointers are what the call asks for.
        let status = unsafe { fulcrum_board_open(text.as_ptr(), &mut board, null_mut()) };
        assert_eq!(status, FULCRUM_OK);
        (root, board)
    }

    #[test]
    fn a_panic_poisons_the_board_and_closing_still_puts_the_mode_back() {
        let (root, board) = opened("panic");
        let one_core = fulcrum_power_mode_t {
            size: 20,
            cores: 1,
            cpu_khz: 0,
            gpu_khz: 0,
            emc_khz: 0,
        };
        let second = || fs::read_to_string(root.join(SECOND)).unwrap();
        // SAFETY: the handle is open until it is closed.
        unsafe {
            assert_eq!(
                fulcrum_mode_begin(board, core::ptr::null(), null_mut()),
                FULCRUM_OK
            );
            assert_eq!(
                fulcrum_mode_apply(board, &one_core, null_mut(), null_mut()),
                FULCRUM_OK
            );
            assert_eq!(second().trim(), "0");
            let panicking = |board: &BoardHandle| {
                let _inside = board.owned()?;
                panic!("on purpose")
            };
            assert_eq!(call(board, null_mut(), panicking), FULCRUM_ERR_BUG);
            assert_eq!(
                fulcrum_mode_apply(board, &one_core, null_mut(), null_mut()),
                FULCRUM_ERR_BUG
            );
            assert_eq!(fulcrum_board_close(board, null_mut()), FULCRUM_OK);
        }
        assert_eq!(second().trim(), "1");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_second_caller_at_the_same_moment_is_turned_away_and_the_sampler_is_apart() {
        let (root, board) = opened("busy");
        // SAFETY: the handle is open until it is closed.
        unsafe {
            let status = call(board, null_mut(), |open: &BoardHandle| {
                let _inside = open.owned()?;
                assert_eq!(fulcrum_sampler_start(board, 0, null_mut()), FULCRUM_OK);
                assert_eq!(fulcrum_board_close(board, null_mut()), Fault::Busy.code());
                Ok(fulcrum_mode_begin(board, core::ptr::null(), null_mut()))
            });
            assert_eq!(status, Fault::Busy.code());
            let status = call(board, null_mut(), |open: &BoardHandle| {
                let _inside = open.sampling()?;
                assert_eq!(
                    fulcrum_mode_begin(board, core::ptr::null(), null_mut()),
                    FULCRUM_OK
                );
                assert_eq!(fulcrum_board_close(board, null_mut()), Fault::Busy.code());
                Ok(fulcrum_sampler_stop(board))
            });
            assert_eq!(status, Fault::Busy.code());
            assert_eq!(fulcrum_board_close(board, null_mut()), FULCRUM_OK);
        }
        fs::remove_dir_all(root).unwrap();
    }
}
