//! What a comparison is prepared with: processors, the cuts of the training step, and how heavy the stream is.

use super::arm::{self, Learning, PERIOD, Place, Repeated, Seeing};
use super::arrivals::Frames;
use super::measured::{Cut, MARGIN};
use super::{aborting, quantile};
use crate::models::Models;
use crate::processor::{DISPATCHER, last_cpu};
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::Threads;
use std::error::Error;

/// Runs of the model that are weighed together.
const WEIGHED: u32 = 64;

/// The last processor for the dispatcher, and this thread off it: the dispatcher may never leave it.
pub(super) fn take_place() -> Place {
    let cpu = last_cpu();
    let mut others = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    others.unset(cpu);
    let alone = others.count() == 0 || rustix::thread::sched_setaffinity(None, &others).is_err();
    Place {
        cpu: (!alone).then_some(cpu),
        priority: Some(DISPATCHER),
    }
}

/// Moments at which the whole step is given up, to see how long that takes.
const ABORTS: u64 = 24;

/// How long it takes at most to give a piece up: of the whole step, whose pieces every cut consists of.
pub(super) fn abort_latency(cuts: &mut [Cut]) -> Result<Option<Nanos>, Box<dyn Error>> {
    let Some((whole, work)) = cuts.first_mut().and_then(|cut| {
        let whole = cut.longest();
        Some((whole, cut.work.as_mut()?))
    }) else {
        return Ok(None);
    };
    let latencies = aborting::latencies(work, whole, ABORTS)?;
    Ok(latencies.last().map(|longest| Nanos(*longest).scaled(MARGIN)))
}

/// The engine's threads beside the dispatcher: real-time like it, right below it, on the other processors.
pub(super) fn threads(place: Place, wanted: Option<usize>) -> Threads {
    let others = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let mut others: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| others.is_set(*cpu))
        .collect();
    // The first is for the camera and for interrupts, if there is another.
    let spare = others.len() > 1;
    if spare {
        others.remove(0);
    }
    let count = wanted.unwrap_or(if spare { 2 } else { 1 });
    Threads {
        priority: place.cpu.map(|_| DISPATCHER - 1),
        cpus: others,
        ..Threads::of(count)
    }
}

/// The whole step, then ever shorter pieces of it; a cut that is no finer than the one before is left out.
pub(super) fn cuts(models: &Models, parts: &[u64]) -> Result<Vec<Cut>, Box<dyn Error>> {
    let mut cuts: Vec<Cut> = Vec::new();
    for part in parts {
        let whole = cuts.first().map(Cut::longest);
        let cut = Cut::new(models, whole.map(|whole| Nanos(whole.0 / part)))?;
        eprintln!(
            "a step in {} pieces of at most {}",
            cut.lengths.len(),
            cut.longest()
        );
        if cuts
            .last()
            .is_none_or(|last| last.lengths.len() < cut.lengths.len())
        {
            cuts.push(cut);
        }
    }
    Ok(cuts)
}

/// How often the model has to run for each request to take the wanted share alone, and an upper time of that, measured as
/// it will be run: on the dispatcher, beside training, which leaves nothing of it in the caches.
pub(super) fn weigh(
    place: Place,
    share: f64,
    seeing: &mut Option<Repeated>,
    cuts: &mut [Cut],
) -> Result<(u32, Nanos), Box<dyn Error>> {
    let mut services =
        |times: u32, periods: u64, job: Option<Learning>| -> Result<Vec<u64>, Box<dyn Error>> {
            if let Some(work) = seeing.as_mut() {
                work.times = times;
            }
            let stream = Seeing {
                work: &mut *seeing,
                cost: PERIOD,
            };
            let frames = Frames::periodic(periods);
            let outcome = arm::play(place, Policy::Priority, &frames, Some(stream), job)?;
            let service = |it: &arm::Answered| Some((it.end - it.start?).0);
            let mut services: Vec<u64> = outcome.answered.iter().filter_map(service).collect();
            services.sort_unstable();
            Ok(services)
        };
    let each = quantile(&services(WEIGHED, 20, None)?, 5_000) / u64::from(WEIGHED);
    let times = (share * PERIOD.0 as f64 / each.max(1) as f64).round().max(1.0) as u32;
    let beside = services(times, 25, cuts.last_mut().map(|cut| learning(cut, None)))?;
    // The second longest: one stall of the machine is not the work's.
    let upper = beside.iter().rev().nth(1).copied().unwrap_or(PERIOD.0);
    Ok((times, Nanos(upper).scaled(MARGIN)))
}

pub(super) fn learning(cut: &mut Cut, abort: Option<Nanos>) -> Learning<'_> {
    Learning {
        work: &mut cut.work,
        lengths: &cut.announced,
        abort,
    }
}
