//! The [runtime](fulcrum_runtime_t): opened, filled with streams and jobs, started, stopped, closed.

#![allow(unsafe_code)]

use super::config::fulcrum_config_t;
use super::error::fulcrum_error_t;
use super::handle::{Handle, on_dispatcher};
use super::opaque::{self, call};
use super::sized;
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::runtime::Options;

/// A runtime: streams, jobs and the dispatcher thread that runs them. Made by fulcrum_open, freed by fulcrum_close.
pub struct fulcrum_runtime_t(());

/// CONSTRUCTOR fulcrum_runtime_t: makes an empty runtime. Nothing runs yet; no thread, signal handler, file or global
/// state is made.
///
/// | allocates yes | blocks no | threads any | real-time no |
/// @param config  how it is made; NULL: the default
/// @param[out] out  the runtime, to be closed with fulcrum_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_open(
    config: *const fulcrum_config_t,
    out: *mut *mut fulcrum_runtime_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        let options = if config.is_null() {
            Options::default()
        } else {
            // SAFETY: not NULL; the caller promises as many bytes as the struct says.
            unsafe { sized::read(config, "config is misaligned") }?.options()?
        };
        Ok(Handle::new(options))
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// METHOD fulcrum_runtime_t: checks that everything fits, then starts the dispatcher thread. If it returns FULCRUM_OK,
/// every stream has the bound that fulcrum_bound tells. After a refusal the runtime can only be closed.
///
/// | allocates yes | blocks until the thread runs | threads one at a time, no callback | real-time no |
/// @param rt  a runtime that was not started yet
/// @param[out] error  detail, written only on failure: the sentence names the stream, its bound, its deadline and the
///                    largest training piece that would fit; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_OVERLOAD (321), FULCRUM_ERR_LATE (322), FULCRUM_ERR_STARVED (323), FULCRUM_ERR_MEMORY (324),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_THREAD (402), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_start(
    rt: *mut fulcrum_runtime_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(rt, error, |rt| rt.start().map(|()| FULCRUM_OK)) }
}

/// METHOD fulcrum_runtime_t: stops after the running piece. Once it returned FULCRUM_OK no callback runs any more, and a
/// checkpoint that was copied is on disk or has failed. Requests still waiting are not answered; results, statistics
/// and events can still be read. Stopping twice is fine.
///
/// | allocates no | blocks until the running piece ends and a checkpoint is written | threads one at a time, no callback | real-time no |
/// @param rt  a started runtime
/// @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_stop(rt: *mut fulcrum_runtime_t) -> fulcrum_status_t {
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, core::ptr::null_mut(), |rt| rt.stop().map(|()| FULCRUM_OK)) }
}

/// DESTRUCTOR fulcrum_runtime_t: stops the runtime, if it runs, and frees it. Closing NULL does nothing, and so does
/// closing from a callback. Closing twice, or while another thread uses the handle, is undefined.
///
/// | allocates no | blocks until the running piece ends | threads one, and no other call | real-time no |
/// @param rt  the runtime, or NULL
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_close(rt: *mut fulcrum_runtime_t) {
    // SAFETY: the caller promises NULL or an open handle.
    if unsafe { opaque::checked(rt) }.is_err() || on_dispatcher() {
        return;
    }
    // SAFETY: checked above; the caller promises that nobody else uses it.
    unsafe { opaque::free(rt) };
}

/// METHOD fulcrum_runtime_t: says that the board's power mode changed: what was measured in the old one no longer counts,
/// and the next runs are told apart as first ones. Call it once the change is done.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_mode_changed(rt: *const fulcrum_runtime_t) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        rt.view()?.mode.mode_changed();
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, core::ptr::null_mut(), tell) }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Fault;
    use super::super::handle::mark_dispatcher;
    use super::super::status::FULCRUM_ERR_BUG;
    use super::*;
    use core::ptr::null_mut;

    fn opened() -> *mut fulcrum_runtime_t {
        let mut rt = null_mut();
        // SAFETY: both pointers are what the call asks for.
        let status = unsafe { fulcrum_open(core::ptr::null(), &mut rt, null_mut()) };
        assert_eq!(status, FULCRUM_OK);
        rt
    }

    #[test]
    fn a_panic_stops_at_the_edge_and_poisons_the_handle() {
        let rt = opened();
        // SAFETY: the handle is open until the last line.
        unsafe {
            assert_eq!(call(rt, null_mut(), |_| panic!("on purpose")), FULCRUM_ERR_BUG);
            assert_eq!(fulcrum_start(rt, null_mut()), FULCRUM_ERR_BUG);
            fulcrum_close(rt);
        }
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        let other = [0_u64; 8];
        // SAFETY: NULL, or eight readable bytes that are not the magic.
        unsafe {
            assert_eq!(fulcrum_stop(null_mut()), Fault::Handle.code());
            assert_eq!(
                fulcrum_stop(other.as_ptr().cast_mut().cast()),
                Fault::Handle.code()
            );
            fulcrum_close(other.as_ptr().cast_mut().cast());
            fulcrum_close(null_mut());
        }
    }

    #[test]
    fn a_second_owner_at_the_same_moment_is_turned_away() {
        let rt = opened();
        // SAFETY: the handle is open until the last line.
        unsafe {
            let status = call(rt, null_mut(), |open| {
                let _inside = open.owned()?;
                Ok(fulcrum_start(rt, null_mut()))
            });
            assert_eq!(status, Fault::Busy.code());
            fulcrum_close(rt);
        }
    }

    #[test]
    fn a_call_that_waits_for_the_dispatcher_is_refused_on_it() {
        let rt = opened() as usize;
        let refused = std::thread::spawn(move || {
            mark_dispatcher();
            let rt = rt as *mut fulcrum_runtime_t;
            // SAFETY: the handle is open; closing does nothing here.
            unsafe {
                fulcrum_close(rt);
                fulcrum_start(rt, null_mut())
            }
        });
        assert_eq!(refused.join().unwrap(), Fault::Callback.code());
        // SAFETY: still open, since the thread above did not close it.
        unsafe { fulcrum_close(rt as *mut fulcrum_runtime_t) };
    }
}
