//! Statistics of a [stream](fulcrum_stream_statistics_t) and of a [job](fulcrum_job_statistics_t), since the start.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::handle::Handle;
use super::opaque::call;
use super::runtime::fulcrum_runtime_t;
use super::sized::{self, Growing};
use super::status::{FULCRUM_OK, fulcrum_status_t};
use crate::units::Nanos;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

/// What became of a stream's requests since the start.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_stream_statistics_t {
    /// sizeof(fulcrum_stream_statistics_t); set it before the call.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Requests that ended, failed ones included.
    pub requests: u64,
    /// Requests that ended after their deadline.
    pub misses: u64,
    /// Requests that took longer than the bound.
    pub bound_violations: u64,
    /// Requests whose minibatch failed.
    pub failed: u64,
    /// Requests that did not arrive as announced (too early, handed in too late): the arrivals broke the promise.
    pub off_schedule: u64,
    /// Results that nobody polled in time; 0 with a completion callback.
    pub untaken: u64,
    /// Time the dispatcher spent on this stream, ns.
    pub busy_ns: u64,
    /// Latency that half of all requests did not exceed, ns. Quantiles are at most 0.8 % too high, never too low.
    pub p50_ns: u64,
    /// Latency that 99 % of all requests did not exceed, ns.
    pub p99_ns: u64,
    /// Latency that 99.9 % of all requests did not exceed, ns.
    pub p999_ns: u64,
    /// The longest latency, exact, ns.
    pub max_ns: u64,
    /// The shortest latency, exact, ns. The jitter of the answers is max_ns - min_ns.
    pub min_ns: u64,
    /// From release to hand-in, ns, what 99 % of all requests did not exceed: the sensor's own jitter.
    pub handed_in_p99_ns: u64,
    /// The longest of these, exact, ns; to stand beside the announced jitter_ns.
    pub handed_in_max_ns: u64,
    /// Requests that came back unrun, past their deadline, by their stream's rule; they count as misses too.
    pub skipped: u64,
    /// The bound that holds by what was measured, ns, to stand beside fulcrum_bound; 0 if there is none.
    pub present_bound_ns: u64,
    /// Times the bound moved.
    pub bound_moves: u64,
    /// Time since the start, until the stop, ns. The stream's share of the dispatcher is busy_ns / running_ns.
    pub running_ns: u64,
}

const _: () = assert!(
    core::mem::offset_of!(fulcrum_stream_statistics_t, max_ns) == 88,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, two u32 and then u64 alone, so there is no padding.
unsafe impl Growing for fulcrum_stream_statistics_t {
    const NAME: &'static str = "fulcrum_stream_statistics_t";
    const FIRST: u32 = 96;
}

/// What became of a training job since the start.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_job_statistics_t {
    /// sizeof(fulcrum_job_statistics_t); set it before the call.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Steps ended.
    pub steps: u64,
    /// Pieces run.
    pub pieces: u64,
    /// Pieces that took longer than announced and allowed for.
    pub overruns: u64,
    /// Pieces that failed. After 8 in a row, with no step between, the job is not run any more.
    pub failures: u64,
    /// Times the job was asked and had no data.
    pub dry: u64,
    /// Time the dispatcher spent on this job, ns.
    pub busy_ns: u64,
    /// Time that 99 % of all pieces did not exceed, ns. At most 0.8 % too high, never too low.
    pub piece_p99_ns: u64,
    /// The longest piece, exact, ns.
    pub piece_max_ns: u64,
    /// Loss of the first step; 0 before it.
    pub first_loss: f32,
    /// Loss of the newest step; 0 before the first.
    pub last_loss: f32,
    /// Pieces given up for a request; they count neither as run nor as failed.
    pub aborted: u64,
    /// Time that these had had, ns.
    pub wasted_ns: u64,
    /// Pieces that ran for more than twice their announced length.
    pub hung: u64,
    /// Times a step was cut finer because its pieces overran.
    pub recuts: u64,
    /// 1 once the job is parked: it failed or overran so often that it is not run any more.
    pub parked: u64,
    /// Time since the start, until the stop, ns. The job's share of the dispatcher is busy_ns / running_ns.
    pub running_ns: u64,
    /// Sets of weights that were put into service.
    pub swaps: u64,
    /// Sets of weights that were worse than those in service, and not used.
    pub rejected: u64,
}

const _: () = assert!(
    core::mem::offset_of!(fulcrum_job_statistics_t, last_loss) == 76,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, numbers only; u32 and f32 come in pairs, so there is no padding.
unsafe impl Growing for fulcrum_job_statistics_t {
    const NAME: &'static str = "fulcrum_job_statistics_t";
    const FIRST: u32 = 80;
}

/// METHOD fulcrum_runtime_t: tells what became of a stream's requests. Counters are read one by one while the
/// dispatcher goes on, so they may differ by the request that is just ending. Works after the stop too.
///
/// | allocates no | blocks no | threads any | real-time no: reads 14 KiB four times |
/// @param rt  a runtime that was started
/// @param stream  the stream's number
/// @param[out] out  the statistics; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_NO_STREAM (311),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_stream_statistics(
    rt: *const fulcrum_runtime_t,
    stream: u32,
    out: *mut fulcrum_stream_statistics_t,
) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        let counted = rt
            .view()?
            .streams
            .get(stream as usize)
            .ok_or(Fault::NoStream(stream))?;
        let called_back = rt.port(stream)?.called_back.load(Relaxed);
        let told = fulcrum_stream_statistics_t {
            size: 0,
            reserved: 0,
            requests: counted.latency.count(),
            misses: counted.misses.get(),
            bound_violations: counted.bound_violations.get(),
            failed: counted.failed.get(),
            off_schedule: counted.off_schedule.get(),
            untaken: if called_back { 0 } else { counted.untaken.get() },
            busy_ns: counted.busy.get(),
            p50_ns: counted.latency.quantile(5_000).0,
            p99_ns: counted.latency.quantile(9_900).0,
            p999_ns: counted.latency.quantile(9_990).0,
            max_ns: counted.latency.max().0,
            min_ns: counted.latency.min().0,
            handed_in_p99_ns: counted.handed_in.quantile(9_900).0,
            handed_in_max_ns: counted.handed_in.max().0,
            skipped: counted.skipped.get(),
            present_bound_ns: counted.present_bound().unwrap_or(Nanos::ZERO).0,
            bound_moves: counted.bound_moves.get(),
            running_ns: rt.view()?.uptime.get().0,
        };
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), tell) }
}

/// METHOD fulcrum_runtime_t: tells what became of a training job. Counters are read one by one while the dispatcher
/// goes on, so they may differ by the piece that is just ending. Works after the stop too.
///
/// | allocates no | blocks no | threads any | real-time no: reads 14 KiB |
/// @param rt  a runtime that was started
/// @param job  the job's number
/// @param[out] out  the statistics; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_NO_JOB (312),
///         FULCRUM_ERR_PHASE (401), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_job_statistics(
    rt: *const fulcrum_runtime_t,
    job: u32,
    out: *mut fulcrum_job_statistics_t,
) -> fulcrum_status_t {
    let tell = |rt: &Handle| {
        let counted = rt.view()?.jobs.get(job as usize).ok_or(Fault::NoJob(job))?;
        let (first_loss, last_loss) = counted.losses().unwrap_or_default();
        let told = fulcrum_job_statistics_t {
            size: 0,
            reserved: 0,
            steps: counted.steps.get(),
            pieces: counted.pieces.get(),
            overruns: counted.overruns.get(),
            failures: counted.failures.get(),
            dry: counted.dry.get(),
            busy_ns: counted.busy.get(),
            piece_p99_ns: counted.piece.quantile(9_900).0,
            piece_max_ns: counted.piece.max().0,
            first_loss,
            last_loss,
            aborted: counted.aborted.get(),
            wasted_ns: counted.wasted.get(),
            hung: counted.hung.get(),
            recuts: counted.recuts.get(),
            parked: counted.parked.get(),
            running_ns: rt.view()?.uptime.get().0,
            swaps: counted.swaps.get(),
            rejected: counted.rejected.get(),
        };
        // SAFETY: the caller promises as many writable bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(rt, null_mut(), tell) }
}
