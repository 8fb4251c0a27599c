//! A [feed](fulcrum_feed_t) of labelled samples, pushed by a sensor's thread and drawn by a training
//! callback.

#![allow(unsafe_code)]

use super::error::fulcrum_error_t;
use super::fault::Fault;
use super::gate::Gate;
use super::opaque::{self, Named, call};
use super::sized::{self, Growing};
use super::status::{FULCRUM_EMPTY, FULCRUM_ERR_FULL, FULCRUM_OK, fulcrum_status_t};
use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::schedule::statistics::Counter;
use crate::workload::feed::{Config, Feed, Policy, Split, Statistics};
#[cfg(feature = "onnx")]
use crate::workload::feed::{HeldOut, Position, handover};
use core::ptr::null_mut;
use std::sync::Arc;

/// A feed: a bounded ring of labelled samples on their way to training. Made by fulcrum_feed_open, freed by
/// fulcrum_feed_close.
pub struct fulcrum_feed_t(());

/// Feed policy: the newest samples are kept, and each is drawn as often as any other.
pub const FULCRUM_FEED_UNIFORM: u32 = 0;
/// Feed policy: the newest samples are kept, and only the last `last` of them are drawn.
pub const FULCRUM_FEED_RECENT: u32 = 1;
/// Feed policy: labels are classes, 0 to less than `classes`. Each has an equal share of the ring, in it a
/// uniform choice of all its samples so far, and each that has any is drawn as often as any other.
pub const FULCRUM_FEED_BALANCED: u32 = 2;

/// How a feed is made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_feed_config_t {
    /// sizeof(fulcrum_feed_config_t); set it before anything else.
    pub size: u32,
    /// FULCRUM_FEED_UNIFORM (0), FULCRUM_FEED_RECENT or FULCRUM_FEED_BALANCED.
    pub policy: u32,
    /// Values of a sample, at least 1.
    pub values: u32,
    /// Samples that are kept to draw from, at least 1. With those that wait they have at most 2 GiB.
    pub capacity: u32,
    /// Samples that may wait between two draws; what comes beyond is turned away. Default 64.
    pub waiting: u32,
    /// With FULCRUM_FEED_RECENT: samples that are drawn, at least 1. Else 0.
    pub last: u32,
    /// With FULCRUM_FEED_BALANCED: classes, 1 to capacity. Else 0.
    pub classes: u32,
    /// Samples that must have come before the first draw. Default: as many as are drawn at once.
    pub least: u32,
    /// Times each sample that came may be drawn, on the average; then the feed is dry until new ones come. 0:
    /// without limit.
    pub reuse: u32,
    /// Samples that one draw takes in at most; with the samples drawn it bounds how long the draw takes.
    /// Default: all that wait.
    pub intake: u32,
    /// The draws follow from it.
    pub seed: u64,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    core::mem::size_of::<fulcrum_feed_config_t>() == 48,
    "the first release is frozen"
);

const _: () = assert!(limits::FEED_BYTES == 2 << 30, "the header says so");

// SAFETY: repr(C), a u32 first, integers only; ten u32 stand before the u64, so there is no padding. Zero is
// valid.
unsafe impl Growing for fulcrum_feed_config_t {
    const NAME: &'static str = "fulcrum_feed_config_t";
    const FIRST: u32 = 48;
}

/// Samples that may wait where nothing is said: two seconds of a camera at 30 Hz.
const WAITING: u32 = 64;

impl fulcrum_feed_config_t {
    fn config(&self) -> Result<Config, Fault> {
        if self.values == 0 || self.capacity == 0 {
            return Err(Fault::Argument(
                "config.values and config.capacity must be above 0",
            ));
        }
        let policy = match (self.policy, self.last, self.classes) {
            (FULCRUM_FEED_UNIFORM, 0, 0) => Policy::Uniform,
            (FULCRUM_FEED_RECENT, 1.., 0) => Policy::Recent(self.last as usize),
            (FULCRUM_FEED_BALANCED, 0, 1..) if self.classes <= self.capacity => {
                Policy::Balanced(self.classes as usize)
            }
            (FULCRUM_FEED_UNIFORM | FULCRUM_FEED_RECENT | FULCRUM_FEED_BALANCED, ..) => {
                return Err(Fault::Argument(
                    "config.last belongs to FULCRUM_FEED_RECENT, config.classes, at most the capacity, to \
                     FULCRUM_FEED_BALANCED; the one is above 0 and the other 0",
                ));
            }
            _ => return Err(Fault::TooNew("config.policy is not known to this release")),
        };
        let waiting = if self.waiting == 0 { WAITING } else { self.waiting };
        let samples = u128::from(self.capacity) + u128::from(waiting);
        if samples * u128::from(self.values) * 4 > limits::FEED_BYTES as u128 {
            return Err(Fault::Argument(
                "config asks for more than 2 GiB; choose a smaller capacity",
            ));
        }
        Ok(Config {
            row: self.values as usize,
            capacity: self.capacity as usize,
            waiting: waiting as usize,
            policy,
            least: self.least as usize,
            reuse: self.reuse,
            intake: if self.intake == 0 { waiting } else { self.intake } as usize,
            seed: self.seed,
        })
    }
}

/// What a `fulcrum_feed_t` pointer points to.
pub(super) struct FeedHandle {
    row: usize,
    capacity: usize,
    #[cfg(feature = "onnx")]
    waiting: usize,
    pusher: Gate<Split>,
    /// Shared with a trainer of the ONNX engine.
    feed: Arc<Gate<Feed>>,
    statistics: Arc<Statistics>,
    #[cfg(feature = "onnx")]
    position: Arc<Position>,
    /// Written inside the pusher's gate.
    turned_away: Counter,
}

impl Named for fulcrum_feed_t {
    type Object = FeedHandle;
    /// "fulfeed" and a 1.
    const MAGIC: u64 = u64::from_be_bytes(*b"fulfeed1");
}

#[cfg(feature = "onnx")]
impl FeedHandle {
    /// Values of a sample.
    pub(super) fn row(&self) -> usize {
        self.row
    }

    /// The end that draws.
    pub(super) fn shared(&self) -> Arc<Gate<Feed>> {
        Arc::clone(&self.feed)
    }

    /// How far it has come, for a checkpoint to keep.
    pub(super) fn position(&self) -> Arc<Position> {
        Arc::clone(&self.position)
    }

    /// From now on holds out every `every`-th sample that is pushed, as long as what it answers lives: the
    /// newest `capacity` of them.
    pub(super) fn hold_out(&self, every: u32, capacity: usize) -> Result<HeldOut, Fault> {
        let (to_gate, held_out) = handover(self.row, self.waiting.max(1));
        let mut split = self.pusher.enter().ok_or(Fault::Busy)?;
        if split.holds_out() {
            return Err(Fault::Argument(
                "the feed's held-out samples go to another trainer; close that one first, or open a feed for each",
            ));
        }
        split.hold_out(to_gate, every);
        Ok(HeldOut::new(held_out, capacity))
    }
}

/// What came of a feed since it was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_feed_statistics_t {
    /// sizeof(fulcrum_feed_statistics_t); set it before the call.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Samples taken in by a draw.
    pub taken: u64,
    /// Samples that were turned away because too many waited.
    pub turned_away: u64,
    /// Samples with a label that no class has; they are not taken in.
    pub refused: u64,
    /// Draws that had data.
    pub draws: u64,
    /// Samples drawn.
    pub drawn: u64,
    /// Draws that had none.
    pub dry: u64,
    /// Draws that had to be tried more than once.
    pub stalls: u64,
    /// The time of all stalls, from the first draw without data to the next one with, ns.
    pub stalled_ns: u64,
    /// The longest stall, ns.
    pub longest_stall_ns: u64,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_feed_statistics_t>() == 80,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 80, so there is no padding.
unsafe impl Growing for fulcrum_feed_statistics_t {
    const NAME: &'static str = "fulcrum_feed_statistics_t";
    const FIRST: u32 = 80;
}

/// CONSTRUCTOR fulcrum_feed_t: makes a feed; all its memory is had here. It belongs to no runtime: a training
/// callback draws from it, and whoever has samples pushes.
///
/// | allocates yes | blocks no | threads any | real-time no |
/// @param config  how it is made; not NULL
/// @param[out] out  the feed, to be closed with fulcrum_feed_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_feed_open(
    config: *const fulcrum_feed_config_t,
    out: *mut *mut fulcrum_feed_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        // SAFETY: the caller promises as many bytes as the struct says.
        let config = unsafe { sized::read(config, "config is NULL") }?.config()?;
        let (pusher, feed) = Feed::new(config);
        Ok(FeedHandle {
            row: config.row,
            capacity: config.capacity,
            #[cfg(feature = "onnx")]
            waiting: config.waiting,
            statistics: Arc::clone(feed.statistics()),
            #[cfg(feature = "onnx")]
            position: Arc::clone(feed.position()),
            pusher: Gate::new(Split::undivided(pusher)),
            feed: Arc::new(Gate::new(feed)),
            turned_away: Counter::default(),
        })
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// METHOD fulcrum_feed_t: copies a sample in.
///
/// | allocates no | blocks no | threads one at a time, beside one that draws | real-time yes |
/// @param feed  an open feed
/// @param values  the sample; every value is finite
/// @param count  how many values, the feed's number of them
/// @param label  what it is; with FULCRUM_FEED_BALANCED its class
/// @return FULCRUM_OK, FULCRUM_ERR_FULL (404): the sample was not taken; FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_feed_push(
    feed: *mut fulcrum_feed_t,
    values: *const f32,
    count: u32,
    label: i64,
) -> fulcrum_status_t {
    let push = |feed: &FeedHandle| {
        if values.is_null() || !values.is_aligned() {
            return Err(Fault::Argument("values is NULL"));
        }
        if count as usize != feed.row {
            return Err(Fault::Argument("count is not the feed's number of values"));
        }
        // SAFETY: neither NULL nor misaligned; the caller promises `count` values.
        let sample = unsafe { core::slice::from_raw_parts(values, feed.row) };
        if !sample.iter().all(|value| value.is_finite()) {
            return Err(Fault::Argument("a value of the sample is not finite"));
        }
        let mut pusher = feed.pusher.enter().ok_or(Fault::Busy)?;
        if pusher.push(sample, label as u64).is_err() {
            feed.turned_away.add(1);
            return Ok(FULCRUM_ERR_FULL);
        }
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(feed, null_mut(), push) }
}

/// METHOD fulcrum_feed_t: takes in what was pushed and draws samples, with replacement, into the caller's
/// memory. Meant for the callback of a training job, which returns FULCRUM_PIECE_DRY where this returns
/// FULCRUM_EMPTY. A large minibatch may be drawn in several calls, a piece each.
///
/// | allocates no | blocks no | threads one at a time, callbacks too | real-time yes |
/// @param feed  an open feed
/// @param samples  how many, 1 to the feed's capacity
/// @param[out] values  room for `samples` times the feed's number of values, one sample after the other
/// @param[out] labels  room for `samples` labels
/// @return FULCRUM_OK, FULCRUM_EMPTY (1): not enough samples have come; FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_feed_draw(
    feed: *mut fulcrum_feed_t,
    samples: u32,
    values: *mut f32,
    labels: *mut i64,
) -> fulcrum_status_t {
    let draw = |feed: &FeedHandle| {
        sized::writable(values, "values is NULL")?;
        sized::writable(labels, "labels is NULL")?;
        let samples = samples as usize;
        if samples == 0 || samples > feed.capacity {
            return Err(Fault::Argument("samples is not 1 to the feed's capacity"));
        }
        // SAFETY: neither NULL nor misaligned; the caller promises the room, which is less than
        // limits::FEED_BYTES.
        let values = unsafe { core::slice::from_raw_parts_mut(values, samples * feed.row) };
        // SAFETY: likewise.
        let labels = unsafe { core::slice::from_raw_parts_mut(labels, samples) };
        let mut inside = feed.feed.enter().ok_or(Fault::Busy)?;
        Ok(if inside.fetch(values, labels, Monotonic.now()) {
            FULCRUM_OK
        } else {
            FULCRUM_EMPTY
        })
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(feed, null_mut(), draw) }
}

/// METHOD fulcrum_feed_t: tells what came of a feed. Counters are read one by one while it goes on.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param feed  an open feed
/// @param[out] out  the statistics; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_feed_statistics(
    feed: *const fulcrum_feed_t,
    out: *mut fulcrum_feed_statistics_t,
) -> fulcrum_status_t {
    let tell = |feed: &FeedHandle| {
        let counted = &feed.statistics;
        let told = fulcrum_feed_statistics_t {
            size: 0,
            reserved: 0,
            taken: counted.taken.get(),
            turned_away: feed.turned_away.get(),
            refused: counted.refused.get(),
            draws: counted.fetches.get(),
            drawn: counted.drawn.get(),
            dry: counted.dry.get(),
            stalls: counted.stalls.get(),
            stalled_ns: counted.stalled.get(),
            longest_stall_ns: counted.longest_stall().0,
        };
        // SAFETY: the caller promises as many bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(feed, null_mut(), tell) }
}

/// DESTRUCTOR fulcrum_feed_t: frees the feed. Stop the runtime first whose callback draws from it. Closing
/// NULL does nothing. Closing twice, or while another thread uses the handle, is undefined.
///
/// | allocates no | blocks no | threads one, and no other call | real-time no |
/// @param feed  the feed, or NULL
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_feed_close(feed: *mut fulcrum_feed_t) {
    // SAFETY: the caller promises NULL or an open handle.
    if unsafe { opaque::checked(feed) }.is_err() {
        return;
    }
    // SAFETY: checked above; the caller promises that nobody else uses it.
    unsafe { opaque::free(feed) };
}
