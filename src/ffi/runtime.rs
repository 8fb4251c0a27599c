//! The [runtime](fulcrum_runtime_t) is the handle: opened, filled with streams and jobs, started, stopped, closed.

#![allow(unsafe_code)]

use super::config::fulcrum_config_t;
use super::error::fulcrum_error_t;
use super::gate::{Gate, Inside};
use super::sized;
use super::status::{FULCRUM_OK, Fault, fulcrum_status_t};
use super::stream::Port;
use crate::limits;
use crate::runtime::{Builder, Events, Options, Runtime, Warning};
use crate::schedule::{JobStatistics, StreamStatistics};
use crate::units::Nanos;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// "fulcrum" and a 1; marks memory that `fulcrum_open` made.
const MAGIC: u64 = u64::from_be_bytes(*b"fulcrum1");

/// Where a runtime stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Takes streams and jobs.
    Open,
    /// The dispatcher runs.
    Started,
    /// The dispatcher has ended; results and statistics can still be read.
    Stopped,
    /// The start was refused; what is left is to close.
    Refused,
}

impl Phase {
    /// The fault of a call that this phase has no place for.
    fn refuses(self) -> Fault {
        Fault::Phase(match self {
            Phase::Open => "the runtime was not started yet",
            Phase::Started => "the runtime was started before; streams and jobs are added before the start",
            Phase::Stopped => "the runtime is stopped; close it and open another",
            Phase::Refused => "the start was refused; close the runtime and open another",
        })
    }
}

/// What the owner's calls work on: add, start, stop.
enum Owned {
    Building(Building),
    Started(Box<Runtime>),
    Nothing,
}

/// A runtime before its start.
pub(super) struct Building {
    pub(super) builder: Box<Builder>,
    /// Streams added so far.
    pub(super) streams: u32,
    /// Jobs added so far.
    pub(super) jobs: u32,
}

/// What any thread may read after the start. Never changes again.
pub(super) struct View {
    pub(super) bounds: Vec<Option<Nanos>>,
    pub(super) streams: Vec<Arc<StreamStatistics>>,
    pub(super) jobs: Vec<Arc<JobStatistics>>,
    pub(super) warnings: Vec<Warning>,
}

impl View {
    fn of(runtime: &Runtime) -> View {
        let streams: Vec<_> = (0..).map_while(|index| runtime.stream(index).cloned()).collect();
        View {
            bounds: (0..streams.len()).map(|index| runtime.bound(index)).collect(),
            streams,
            jobs: (0..).map_while(|index| runtime.job(index).cloned()).collect(),
            warnings: runtime.warnings().to_vec(),
        }
    }
}

/// A runtime: streams, jobs and the dispatcher thread that runs them. Made by fulcrum_open, freed by fulcrum_close.
pub struct fulcrum_runtime_t(());

/// What a `fulcrum_runtime_t` pointer points to. C knows its first eight bytes, and those only by this file.
#[repr(C)]
pub(super) struct Handle {
    magic: AtomicU64,
    poisoned: AtomicBool,
    phase: AtomicU8,
    owned: Gate<Owned>,
    ports: [Port; limits::STREAMS],
    events: Gate<Option<Events>>,
    view: OnceLock<View>,
}

impl Handle {
    fn new(options: Options) -> Handle {
        Handle {
            magic: AtomicU64::new(MAGIC),
            poisoned: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Open as u8),
            owned: Gate::new(Owned::Building(Building {
                builder: Box::new(Builder::new(options)),
                streams: 0,
                jobs: 0,
            })),
            ports: Default::default(),
            events: Gate::new(None),
            view: OnceLock::new(),
        }
    }

    fn phase(&self) -> Phase {
        const PHASES: [Phase; 4] = [Phase::Open, Phase::Started, Phase::Stopped, Phase::Refused];
        PHASES.get(usize::from(self.phase.load(Acquire))).copied().unwrap_or(Phase::Refused)
    }

    /// Whether the phase may become `next`.
    fn may_enter(&self, next: Phase) -> Result<(), Fault> {
        match (self.phase(), next) {
            (Phase::Open, Phase::Started | Phase::Refused) | (Phase::Started, Phase::Stopped) => Ok(()),
            (now, _) => Err(now.refuses()),
        }
    }

    /// The one place where the phase changes.
    fn enter_phase(&self, next: Phase) -> Result<(), Fault> {
        self.may_enter(next)?;
        self.phase.store(next as u8, Release);
        Ok(())
    }

    /// Sole use of what the owner's calls work on.
    fn owned(&self) -> Result<Inside<'_, Owned>, Fault> {
        if CALLED_BACK.get() {
            return Err(Fault::Callback);
        }
        self.owned.enter().ok_or(Fault::Busy)
    }

    /// Hands what is being built to `add`, while streams and jobs may be added.
    pub(super) fn build<T>(&self, add: impl FnOnce(&mut Building) -> Result<T, Fault>) -> Result<T, Fault> {
        match &mut *self.owned()? {
            Owned::Building(building) => add(building),
            _ => Err(self.phase().refuses()),
        }
    }

    /// What can be read from the start on.
    pub(super) fn view(&self) -> Result<&View, Fault> {
        self.view.get().ok_or_else(|| self.phase().refuses())
    }

    /// The caller's end of a stream; its parts are empty where no such stream was added.
    pub(super) fn port(&self, stream: u32) -> Result<&Port, Fault> {
        self.ports.get(stream as usize).ok_or(Fault::NoStream(stream))
    }

    /// Whether requests are taken.
    pub(super) fn takes_requests(&self) -> Result<(), Fault> {
        match self.phase() {
            Phase::Started => Ok(()),
            other => Err(other.refuses()),
        }
    }

    /// The events, for one thread at a time.
    pub(super) fn events(&self) -> Result<Inside<'_, Option<Events>>, Fault> {
        self.view()?;
        self.events.enter().ok_or(Fault::Busy)
    }

    fn start(&self) -> Result<(), Fault> {
        let mut owned = self.owned()?;
        self.may_enter(Phase::Started)?;
        let Owned::Building(building) = core::mem::replace(&mut *owned, Owned::Nothing) else {
            return Err(Fault::Bug);
        };
        let mut runtime = match building.builder.start() {
            Ok(runtime) => Box::new(runtime),
            Err(error) => {
                self.enter_phase(Phase::Refused)?;
                return Err(error.into());
            }
        };
        // Nobody is inside: before the start every call that would be is refused.
        if let Some(mut events) = self.events.enter() {
            *events = runtime.events();
        }
        let _ = self.view.set(View::of(&runtime));
        *owned = Owned::Started(runtime);
        self.enter_phase(Phase::Started)
    }

    fn stop(&self) -> Result<(), Fault> {
        let mut owned = self.owned()?;
        if self.phase() == Phase::Stopped {
            return Ok(());
        }
        // First the phase, so that no request is taken that nobody will answer.
        self.enter_phase(Phase::Stopped)?;
        if let Owned::Started(runtime) = &mut *owned {
            runtime.stop();
        }
        Ok(())
    }
}

thread_local! {
    /// Whether this is a dispatcher thread.
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the present thread is a dispatcher, so that calls which wait for it are refused instead of hanging.
pub(super) fn mark_dispatcher() {
    CALLED_BACK.set(true);
}

/// Runs `body` on a checked handle. A panic stops here and poisons the handle; a fault is told in `error`, if that is
/// not NULL, and as its code.
///
/// # Safety
/// `rt` is NULL, or readable for eight bytes and, if those are the magic, a handle nobody closes meanwhile. `error` is
/// NULL, or valid for writing.
pub(super) unsafe fn call(
    rt: *const fulcrum_runtime_t,
    error: *mut fulcrum_error_t,
    body: impl FnOnce(&Handle) -> Result<fulcrum_status_t, Fault>,
) -> fulcrum_status_t {
    // SAFETY: as the caller promises.
    let outcome = unsafe { handle(rt) }.and_then(|rt| {
        if rt.poisoned.load(Relaxed) {
            return Err(Fault::Bug);
        }
        catch_unwind(AssertUnwindSafe(|| body(rt))).unwrap_or_else(|_| {
            rt.poisoned.store(true, Relaxed);
            Err(Fault::Bug)
        })
    });
    // SAFETY: as the caller promises.
    outcome.unwrap_or_else(|fault| unsafe { told(error, &fault) })
}

/// The checked handle.
///
/// # Safety
/// As for [`call`].
unsafe fn handle<'a>(rt: *const fulcrum_runtime_t) -> Result<&'a Handle, Fault> {
    let rt = rt.cast::<Handle>();
    if rt.is_null() || !rt.is_aligned() {
        return Err(Fault::Handle);
    }
    // SAFETY: `magic` stands first (asserted below), and the caller promises its eight bytes.
    if unsafe { rt.cast::<u64>().read() } != MAGIC {
        return Err(Fault::Handle);
    }
    // SAFETY: with this magic it is a box that `fulcrum_open` made and `fulcrum_close` has not freed.
    Ok(unsafe { &*rt })
}

const _: () = assert!(core::mem::offset_of!(Handle, magic) == 0, "the magic is read before anything else");

/// Tells `fault` in `error` and returns its code.
///
/// # Safety
/// `error` is NULL, or valid for writing.
unsafe fn told(error: *mut fulcrum_error_t, fault: &Fault) -> fulcrum_status_t {
    // SAFETY: as the caller promises.
    unsafe { fulcrum_error_t::fill(error, fault) };
    fault.code()
}

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
    let made = catch_unwind(AssertUnwindSafe(|| {
        sized::writable(out, "out is NULL")?;
        let options = if config.is_null() {
            Options::default()
        } else {
            // SAFETY: not NULL; the caller promises as many bytes as the struct says.
            unsafe { sized::read(config, "config is misaligned") }?.options()?
        };
        let rt = Box::new(Handle::new(options));
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out, Box::into_raw(rt).cast(), "out is NULL") }
    }));
    match made.unwrap_or(Err(Fault::Bug)) {
        Ok(()) => FULCRUM_OK,
        // SAFETY: the caller promises that `error` is NULL or writable.
        Err(fault) => unsafe { told(error, &fault) },
    }
}

/// METHOD fulcrum_runtime_t: checks that everything fits, then starts the dispatcher thread. If it returns FULCRUM_OK,
/// every stream has the bound that fulcrum_bound tells. After a refusal the runtime can only be closed.
///
/// | allocates yes | blocks until the thread runs | threads one at a time, no callback | real-time no |
/// @param rt  a runtime that was not started yet
/// @param[out] error  detail, written only on failure: the sentence names the stream, its bound, its deadline and the
///                    largest training piece that would fit; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_OVERLOAD (321), FULCRUM_ERR_LATE (322), FULCRUM_ERR_STARVED (323),
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

/// METHOD fulcrum_runtime_t: stops after the running piece. Once it returned FULCRUM_OK no callback runs any more.
/// Requests still waiting are not answered; results, statistics and events can still be read. Stopping twice is fine.
///
/// | allocates no | blocks until the running piece ends | threads one at a time, no callback | real-time no |
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
    let Ok(open) = (unsafe { handle(rt) }) else { return };
    if CALLED_BACK.get() {
        return;
    }
    open.magic.store(0, Relaxed);
    // SAFETY: the magic says that `fulcrum_open` made this box; the caller promises that nobody else uses it.
    let owned = unsafe { Box::from_raw(rt.cast::<Handle>()) };
    // A panic while it is freed has nowhere to go.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(owned)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::super::status::FULCRUM_ERR_BUG;
    use core::ptr::null_mut;

    fn opened() -> *mut fulcrum_runtime_t {
        let mut rt = null_mut();
        // SAFETY: both pointers are what the call asks for.
        assert_eq!(unsafe { fulcrum_open(core::ptr::null(), &mut rt, null_mut()) }, FULCRUM_OK);
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
            assert_eq!(fulcrum_stop(other.as_ptr().cast_mut().cast()), Fault::Handle.code());
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
