//! An [event](fulcrum_event_t) of the dispatcher, and what the operating system refused at the start.

#![allow(unsafe_code)]

use super::error::fulcrum_error_t;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized;
use super::status::{self, FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use crate::trace::Event;
use core::ptr::null_mut;

/// A minibatch ran: index is its stream, value its requests, span_ns the time from its start to its end.
pub const FULCRUM_EVENT_MINIBATCH: u32 = 1;
/// A piece ran: index is its job, value its place in the step, span_ns its time.
pub const FULCRUM_EVENT_PIECE: u32 = 2;
/// A training step ended: index is its job, loss its loss.
pub const FULCRUM_EVENT_STEP: u32 = 3;
/// A request ended after its deadline: index is its stream, span_ns by how much.
pub const FULCRUM_EVENT_MISSED: u32 = 4;
/// A request took longer than the bound: index is its stream, span_ns its latency.
pub const FULCRUM_EVENT_BOUND_BROKEN: u32 = 5;
/// A minibatch failed: index is its stream.
pub const FULCRUM_EVENT_STREAM_FAILED: u32 = 6;
/// A piece failed: index is its job.
pub const FULCRUM_EVENT_JOB_FAILED: u32 = 7;

/// The bound of a stream is another now, because of what was measured: index is its stream, span_ns its bound.
pub const FULCRUM_EVENT_BOUND_MOVED: u32 = 8;
/// A job failed or overran so often that it no longer runs: index is its job.
pub const FULCRUM_EVENT_PARKED: u32 = 9;
/// A piece runs for more than twice its length and has not ended: index is its job, value its place in the step, at_ns when
/// it started.
pub const FULCRUM_EVENT_HUNG: u32 = 10;
/// A minibatch ran with newer weights than the one before: index is its stream, value their version.
pub const FULCRUM_EVENT_SWAPPED: u32 = 11;
/// A minibatch ran with older weights than the one before, after a revert: index is its stream, value their
/// version.
pub const FULCRUM_EVENT_REVERTED: u32 = 12;
/// New weights are not used: index is their job, value the version they would have had, loss by how much they
/// are worse than those in service, as a part: 0.05 is five per cent.
pub const FULCRUM_EVENT_REJECTED: u32 = 13;
/// A piece of a cut minibatch ran: index is its stream, value its place in the minibatch, span_ns its time.
pub const FULCRUM_EVENT_MINIBATCH_PIECE: u32 = 14;

/// One thing that happened on the dispatcher. Its layout never changes; a later release may make other kinds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct fulcrum_event_t {
    /// One of FULCRUM_EVENT_*, which says what the other fields mean. Skip those you do not know.
    pub kind: u32,
    /// Number of the stream or job.
    pub index: u32,
    /// When it ended, ns on the clock of fulcrum_now_ns.
    pub at_ns: u64,
    /// A length of time, ns; 0 where the kind has none.
    pub span_ns: u64,
    /// A count, a place or a version; 0 where the kind has none.
    pub value: u32,
    /// The loss, or a part of it; 0 where the kind has none.
    pub loss: f32,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_event_t>() == 32,
    "the layout is frozen"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_event_t, loss) == 28,
    "the layout is frozen"
);

const _: () = assert!(crate::limits::EVENTS == 8192, "the header says so");

impl From<Event> for fulcrum_event_t {
    fn from(event: Event) -> fulcrum_event_t {
        let of = |kind: u32, index: u8, at_ns: u64| fulcrum_event_t {
            kind,
            index: u32::from(index),
            at_ns,
            ..fulcrum_event_t::default()
        };
        match event {
            Event::Minibatch {
                stream,
                count,
                start,
                end,
            } => fulcrum_event_t {
                span_ns: (end - start).0,
                value: u32::from(count),
                ..of(FULCRUM_EVENT_MINIBATCH, stream, end.0)
            },
            Event::MinibatchPiece {
                stream,
                piece,
                start,
                end,
            } => fulcrum_event_t {
                span_ns: (end - start).0,
                value: u32::from(piece),
                ..of(FULCRUM_EVENT_MINIBATCH_PIECE, stream, end.0)
            },
            Event::Piece {
                job,
                piece,
                start,
                end,
            } => fulcrum_event_t {
                span_ns: (end - start).0,
                value: u32::from(piece),
                ..of(FULCRUM_EVENT_PIECE, job, end.0)
            },
            Event::Step { job, loss, at } => fulcrum_event_t {
                loss,
                ..of(FULCRUM_EVENT_STEP, job, at.0)
            },
            Event::Missed { stream, late, at } => fulcrum_event_t {
                span_ns: late.0,
                ..of(FULCRUM_EVENT_MISSED, stream, at.0)
            },
            Event::BoundBroken { stream, latency, at } => fulcrum_event_t {
                span_ns: latency.0,
                ..of(FULCRUM_EVENT_BOUND_BROKEN, stream, at.0)
            },
            Event::Failed {
                index,
                training: false,
                at,
            } => of(FULCRUM_EVENT_STREAM_FAILED, index, at.0),
            Event::Failed {
                index,
                training: true,
                at,
            } => of(FULCRUM_EVENT_JOB_FAILED, index, at.0),
            Event::Parked { job, at } => of(FULCRUM_EVENT_PARKED, job, at.0),
            Event::Hung { job, piece, since } => fulcrum_event_t {
                value: u32::from(piece),
                ..of(FULCRUM_EVENT_HUNG, job, since.0)
            },
            Event::Swapped { stream, version, at } => fulcrum_event_t {
                value: version,
                ..of(FULCRUM_EVENT_SWAPPED, stream, at.0)
            },
            Event::Reverted { stream, version, at } => fulcrum_event_t {
                value: version,
                ..of(FULCRUM_EVENT_REVERTED, stream, at.0)
            },
            Event::Rejected { job, version, by, at } => fulcrum_event_t {
                value: version,
                loss: by.0 as f32 / 1_000.0,
                ..of(FULCRUM_EVENT_REJECTED, job, at.0)
            },
            Event::BoundMoved { stream, bound, at } => fulcrum_event_t {
                span_ns: bound.0,
                ..of(FULCRUM_EVENT_BOUND_MOVED, stream, at.0)
            },
        }
    }
}

/// METHOD fulcrum_runtime_t: takes the oldest event. 8192 events wait; later ones are dropped and counted as lost.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param[out] out  the event
/// @return FULCRUM_OK, FULCRUM_EMPTY (1), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_BUSY (403), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_event_poll(
    rt: *mut fulcrum_runtime_t,
    out: *mut fulcrum_event_t,
) -> fulcrum_status_t {
    let poll = |rt: &Handle| {
        sized::writable(out, "out is NULL")?;
        let mut events = rt.events()?;
        let Some(event) = events.as_mut().and_then(|events| events.poll()) else {
            return Ok(FULCRUM_EMPTY);
        };
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out, event.into(), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), poll) }
}

/// METHOD fulcrum_runtime_t: tells how many events were lost since the start because nobody took the older ones.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param rt  a runtime that was started
/// @param[out] out_lost  the number
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401), FULCRUM_ERR_BUSY (403),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_events_lost(
    rt: *const fulcrum_runtime_t,
    out_lost: *mut u64,
) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        let lost = rt.events()?.as_ref().map_or(0, |events| events.lost());
        // SAFETY: the caller promises that it is NULL or writable.
        unsafe { sized::put(out_lost, lost, "out_lost is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), tell) }
}

/// METHOD fulcrum_runtime_t: tells what the operating system refused at the start. The runtime goes on without it; the
/// sentence says what the user must grant.
///
/// | allocates no | blocks no | threads any | real-time no |
/// @param rt  a runtime that was started
/// @param index  which warning, counted from 0
/// @param[out] out  code FULCRUM_WARN_* (411 to 413), the errno and the sentence
/// @return FULCRUM_OK, FULCRUM_EMPTY (1) past the last one, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_PHASE (401),
///         FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_warning_get(
    rt: *const fulcrum_runtime_t,
    index: u32,
    out: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        sized::writable(out, "out is NULL")?;
        let Some(warning) = rt.view()?.warnings.get(index as usize) else {
            return Ok(FULCRUM_EMPTY);
        };
        let (code, errno) = status::of_warning(*warning);
        // SAFETY: checked above; the caller promises that it is writable.
        unsafe { sized::put(out, fulcrum_error_t::new(code, errno, warning), "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), tell) }
}
