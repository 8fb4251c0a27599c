//! A [sample](fulcrum_sample_t) of what a board draws and how hot it is, and the thread that takes them.

#![allow(unsafe_code)]

use super::board::{BoardHandle, fulcrum_board_t};
use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::handle::on_dispatcher;
use super::opaque::call;
use super::sized::{self, Growing};
use super::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use crate::board::SysfsSensors;
use crate::clock::{Clock, Monotonic};
use crate::runtime::control::{Control, INTERVAL, Sample};
use crate::units::{Milliwatts, Nanos};
use core::ptr::null_mut;

/// Sample flag: a second went by without a new conversion; power_mw is the last one's.
pub const FULCRUM_SAMPLE_STALE: u32 = 1;
/// Sample flag: in a part of the window nothing was measured, gap_ns in all; no energy is made up for it.
pub const FULCRUM_SAMPLE_GAP: u32 = 2;
/// Sample flag: something went on in the window that the mode does not explain: over-current events, active cooling,
/// readings that failed, counters that could not be read. Leave such a window out of a profile.
pub const FULCRUM_SAMPLE_MARKED: u32 = 4;
/// Sample flag: no thermal zone could be read; temperature_mc is 0.
pub const FULCRUM_SAMPLE_NO_TEMPERATURE: u32 = 8;

/// What the sensors showed, and what the window came to so far. Power is the board's total, by the rule for its rails.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_sample_t {
    /// sizeof(fulcrum_sample_t); set it before the call.
    pub size: u32,
    /// FULCRUM_SAMPLE_*, or-ed.
    pub flags: u32,
    /// When it was read, ns on the clock of fulcrum_now_ns; the end of the window so far.
    pub at_ns: u64,
    /// How long ago the conversion of power_mw was read, ns, at the moment of the call; UINT64_MAX before the first.
    pub age_ns: u64,
    /// First moment of the window: the start of the sampler, or the last fulcrum_sampler_reset. ns.
    pub begin_ns: u64,
    /// The part of the window that conversions stand for, ns.
    pub covered_ns: u64,
    /// The part of the window in which nothing was measured for longer than two refreshes of the sensor, ns.
    pub gap_ns: u64,
    /// Energy of the covered time, mJ, rounded up.
    pub energy_mj: u64,
    /// Conversions counted in the window.
    pub conversions: u64,
    /// Conversions that no load explains, kept out of mean, highest and energy.
    pub outliers: u64,
    /// Readings that failed in the window.
    pub failed: u64,
    /// Over-current events in the window: under-voltage, average, instantaneous.
    pub overcurrent: [u64; 3],
    /// Power of the newest conversion, mW; 0 before the first.
    pub power_mw: u32,
    /// Mean power of the covered time, mW, rounded up; 0 before the first conversion.
    pub mean_mw: u32,
    /// Highest power of a conversion in the window, mW; 0 before the first.
    pub max_mw: u32,
    /// One step of the sensor, mW: smaller differences of means say nothing; 0 where it is not known.
    pub resolution_mw: u32,
    /// Temperature of the hottest zone, thousandths of a degree Celsius.
    pub temperature_mc: i32,
    /// Most cooling devices that slowed the board down at once, in the window.
    pub cooling: u32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_sample_t>() == 128,
    "the first release is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_sample_t, cooling) == 124,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 128, so there is no padding.
unsafe impl Growing for fulcrum_sample_t {
    const NAME: &'static str = "fulcrum_sample_t";
    const FIRST: u32 = 128;
}

/// A running sampler and the newest conversion that was polled.
pub(super) struct Sampling {
    control: Control,
    newest: Option<(Nanos, Milliwatts)>,
}

impl Sampling {
    fn poll(&mut self) -> Option<fulcrum_sample_t> {
        let sample = self.control.poll()?;
        if let Some(power) = sample.power {
            self.newest = Some((sample.at, power));
        }
        Some(self.told(&sample))
    }

    fn told(&self, sample: &Sample) -> fulcrum_sample_t {
        let flag = |is, flag| if is { flag } else { 0 };
        let window = &sample.window;
        let power = |power: Option<Milliwatts>| power.unwrap_or_default().0;
        fulcrum_sample_t {
            size: 0,
            flags: flag(sample.power.is_none(), FULCRUM_SAMPLE_STALE)
                | flag(window.gaps > 0, FULCRUM_SAMPLE_GAP)
                | flag(window.is_marked(), FULCRUM_SAMPLE_MARKED)
                | flag(sample.temperature.is_none(), FULCRUM_SAMPLE_NO_TEMPERATURE),
            at_ns: sample.at.0,
            age_ns: self.newest.map_or(u64::MAX, |(at, _)| (Monotonic.now() - at).0),
            begin_ns: window.begin.0,
            covered_ns: window.covered.0,
            gap_ns: window.gap_time.0,
            energy_mj: window.energy().0,
            conversions: window.count,
            outliers: window.outliers,
            failed: window.failed,
            overcurrent: window.overcurrent,
            power_mw: power(self.newest.map(|(_, power)| power)),
            mean_mw: power(window.mean()),
            max_mw: power(window.max()),
            resolution_mw: window.resolution.0,
            temperature_mc: sample.temperature.unwrap_or_default().0,
            cooling: window.cooling.into(),
        }
    }
}

/// Refuses to wait on the dispatcher thread.
fn refuse_dispatcher() -> Result<(), Fault> {
    if on_dispatcher() {
        Err(Fault::Callback)
    } else {
        Ok(())
    }
}

/// The fault of a call that needs a running sampler.
const STOPPED: Fault = Fault::Phase("the sampler does not run; call fulcrum_sampler_start first");

/// METHOD fulcrum_board_t: starts the thread that reads the board's sensors, and its first window. A sensor may take as
/// long as a frame takes to come, or for ever; nobody but this thread waits for it. Needs no root rights.
///
/// | allocates yes | blocks while files are read | threads one at a time, no callback | real-time no |
/// @param board  an open board whose sampler does not run
/// @param interval_ns  time between two looks at the sensors, 1 ms at least; 0: 100 ms. A Jetson's sensors show a new
///                     conversion every 430 ms; a faster reader sees repeats, which count once
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_PHASE (401), FULCRUM_ERR_THREAD (402), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_sampler_start(
    board: *mut fulcrum_board_t,
    interval_ns: u64,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let start = |board: &BoardHandle| {
        refuse_dispatcher()?;
        let mut sampling = board.sampling()?;
        if sampling.is_some() {
            return Err(Fault::Phase(
                "the sampler runs already; call fulcrum_sampler_stop first",
            ));
        }
        let interval = if interval_ns == 0 {
            INTERVAL
        } else {
            Nanos(interval_ns)
        };
        let control = Control::start(SysfsSensors::find(board.root()), interval).map_err(Fault::Thread)?;
        *sampling = Some(Sampling {
            control,
            newest: None,
        });
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle, and that `error` is NULL or writable.
    unsafe { call(board, error, start) }
}

/// METHOD fulcrum_board_t: takes the oldest sample. There is one for each new conversion, and one a second at least
/// while the sensors answer; 64 wait, later ones are dropped, and the window counts them all the same. Waits for no
/// sensor and for no change of the mode.
///
/// | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
/// @param board  a board whose sampler runs
/// @param[out] out  the sample; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_sampler_poll(
    board: *mut fulcrum_board_t,
    out: *mut fulcrum_sample_t,
) -> fulcrum_status_t {
    let poll = |board: &BoardHandle| {
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::roomy(out, "out is NULL") }?;
        let mut sampling = board.sampling()?;
        let Some(told) = sampling.as_mut().ok_or(STOPPED)?.poll() else {
            return Ok(FULCRUM_EMPTY);
        };
        // SAFETY: as above.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), poll) }
}

/// METHOD fulcrum_board_t: begins a new window: mean, highest, energy and counters start from nothing. Samples that
/// wait are of the window before, until begin_ns is the moment that this call tells.
///
/// | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
/// @param board  a board whose sampler runs
/// @param[out] out_begin_ns  first moment of the new window, ns
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_sampler_reset(
    board: *mut fulcrum_board_t,
    out_begin_ns: *mut u64,
) -> fulcrum_status_t {
    let reset = |board: &BoardHandle| {
        sized::writable(out_begin_ns, "out_begin_ns is NULL")?;
        let begin = board.sampling()?.as_ref().ok_or(STOPPED)?.control.begin_window();
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out_begin_ns, begin.0, "out_begin_ns is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), reset) }
}

/// METHOD fulcrum_board_t: tells how long the sampler has waited for the sensors already. More than a second means that
/// one of them does not answer; then no samples come.
///
/// | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
/// @param board  a board whose sampler runs
/// @param[out] out_ns  the time, ns; 0 between two readings
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_sampler_blocked(
    board: *const fulcrum_board_t,
    out_ns: *mut u64,
) -> fulcrum_status_t {
    let tell = |board: &BoardHandle| {
        let blocked = board.sampling()?.as_ref().ok_or(STOPPED)?.control.blocked();
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { sized::put(out_ns, blocked.unwrap_or(Nanos::ZERO).0, "out_ns is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), tell) }
}

/// METHOD fulcrum_board_t: stops the sampler; samples that wait are gone. Stopping twice is fine. A thread that a
/// sensor holds for longer than a second is left to itself, and ends when the sensor lets go of it.
///
/// | allocates no | blocks until a reading ends, 1 s at most | threads one at a time, no callback | real-time no |
/// @param board  an open board
/// @return FULCRUM_OK, FULCRUM_ERR_BUSY (403), FULCRUM_ERR_CALLBACK (405), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_sampler_stop(board: *mut fulcrum_board_t) -> fulcrum_status_t {
    let stop = |board: &BoardHandle| {
        refuse_dispatcher()?;
        drop(board.sampling()?.take());
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(board, null_mut(), stop) }
}
