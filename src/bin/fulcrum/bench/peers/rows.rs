//! The figures of `bench peers`: a row an arm.

use super::load::{DISTURBED, realtime_share};
use super::peer::Peer;
use super::team::Repeat;
use super::{Arm, Measured};
use crate::bench::arm::PERIOD;
use crate::bench::arrivals::Arrivals;
use crate::bench::quantile;
use fulcrum::units::Nanos;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) debug_build: bool,
    pub(super) engine: &'a str,
    /// Of each engine; they do not spin.
    pub(super) engine_threads: u32,
    pub(super) engine_spinning: bool,
    pub(super) arrivals: Arrivals,
    pub(super) rate_hz: f64,
    pub(super) deadline_ms: f64,
    /// `U` that was asked for.
    pub(super) utilisation: f64,
    pub(super) runs_per_request: u32,
    /// `C` as announced: an upper quantile beside training, with a margin.
    pub(super) announced_ms: f64,
    pub(super) minibatch: usize,
    /// Of a step under `slack`, the fetch included.
    pub(super) pieces: usize,
    /// Steps a second, training alone.
    pub(super) training_alone_hz: Option<f64>,
    pub(super) processors: usize,
    pub(super) shared_processor: usize,
    /// Of each second, for real-time threads; beyond it they stand still, and a dispatcher in SCHED_FIFO with
    /// them.
    pub(super) realtime_share: Option<f64>,
    pub(super) repeats: u32,
    /// Other work above this share of all processors marks a repeat as disturbed.
    pub(super) disturbed_above: f64,
    pub(super) rows: Vec<Row>,
}

/// Figures of the repeats that nothing disturbed, or of all where each was. Null is what an arm does not
/// have.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) arm: String,
    pub(super) processes: usize,
    /// That the arm may use.
    pub(super) processors: usize,
    pub(super) p50_over_alone: Option<f64>,
    pub(super) p95_over_alone: Option<f64>,
    pub(super) p99_over_alone: Option<f64>,
    pub(super) p999_over_alone: Option<f64>,
    pub(super) max_over_alone: Option<f64>,
    /// Least and greatest of the repeats.
    pub(super) p50_over_alone_spread: Option<[f64; 2]>,
    pub(super) p99_over_alone_spread: Option<[f64; 2]>,
    /// Medians of the repeats.
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// Of all repeats together: one is too short for these.
    pub(super) p999_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    pub(super) requests: usize,
    /// Answered later than a period after the release.
    pub(super) misses: u64,
    pub(super) training_rate_over_alone: Option<f64>,
    pub(super) training_rate_over_alone_spread: Option<[f64; 2]>,
    /// Beside inference on one processor, `1 - U`.
    pub(super) training_rate_limit: Option<f64>,
    /// Requests answered in the time over alone, and the training rate over alone.
    pub(super) sum_of_rates: Option<f64>,
    /// Of the threads that do the work, within `measured_s`.
    pub(super) context_switches: u64,
    pub(super) measured_s: f64,
    /// Share of requests that ended on the shared processor; null for fulcrum, whose dispatcher stays there.
    pub(super) on_shared_processor: Option<f64>,
    /// Null where nothing is promised.
    pub(super) bound_ms: Option<f64>,
    pub(super) bound_violations: u64,
    pub(super) repeats: usize,
    pub(super) disturbed_repeats: usize,
    /// Every repeat was disturbed, and the figures are theirs.
    pub(super) figures_disturbed: bool,
    pub(super) refused: Option<String>,
}

/// What the others are compared with.
#[derive(Default)]
struct Alone {
    /// p50, p95, p99, p99.9 and the maximum, nanoseconds.
    latencies: Option<[f64; 5]>,
    served: Option<f64>,
    trained: Option<f64>,
}

/// The repeats whose figures count.
fn counted(arm: &Arm) -> Vec<&Repeat> {
    let calm = |repeat: &&Repeat| repeat.others <= DISTURBED;
    let undisturbed: Vec<&Repeat> = arm.repeats.iter().filter(calm).collect();
    if undisturbed.is_empty() {
        arm.repeats.iter().collect()
    } else {
        undisturbed
    }
}

/// Sorted.
fn each(repeats: &[&Repeat], of: impl Fn(&Repeat) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = repeats.iter().map(|repeat| of(repeat)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; `None` without any.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some((lower + upper) / 2.0)
}

fn quantile_of(repeat: &Repeat, permyriad: usize) -> f64 {
    let mut latencies = repeat.played.latencies.clone();
    latencies.sort_unstable();
    quantile(&latencies, permyriad) as f64
}

/// p50, p95 and p99 as medians of the repeats; p99.9 and the maximum of all together.
fn latencies(repeats: &[&Repeat]) -> Option<[f64; 5]> {
    let mut all: Vec<u64> = repeats
        .iter()
        .flat_map(|repeat| &repeat.played.latencies)
        .copied()
        .collect();
    if all.is_empty() {
        return None;
    }
    all.sort_unstable();
    let middle = |permyriad| median(&each(repeats, |repeat| quantile_of(repeat, permyriad)));
    let far = |permyriad| quantile(&all, permyriad) as f64;
    Some([
        middle(5_000)?,
        middle(9_500)?,
        middle(9_900)?,
        far(9_990),
        far(10_000),
    ])
}

fn seconds(repeat: &Repeat) -> f64 {
    Nanos(repeat.played.time).as_secs_f64().max(1e-9)
}

fn served(repeat: &Repeat) -> f64 {
    repeat.played.served as f64 / seconds(repeat)
}

fn trained(repeat: &Repeat) -> f64 {
    repeat.played.steps / seconds(repeat)
}

fn alone(arms: &[Arm]) -> Alone {
    let of = |peer| {
        arms.iter()
            .find(|arm| arm.peer == peer)
            .map(counted)
            .unwrap_or_default()
    };
    let (inference, training) = (of(Peer::InferenceAlone), of(Peer::TrainingAlone));
    Alone {
        latencies: latencies(&inference),
        served: median(&each(&inference, served)),
        trained: median(&each(&training, trained)),
    }
}

fn row(arm: &Arm, alone: &Alone, measured: &Measured) -> Row {
    let (processors, share) = (measured.places.all.len(), measured.work.share);
    let repeats = counted(arm);
    let sees = arm.peer != Peer::TrainingAlone;
    let learns = arm.peer != Peer::InferenceAlone;
    let shares = sees && arm.peer.processors(processors) == 1;
    let times = latencies(&repeats);
    let over =
        |place: usize| Some(times.as_ref()?.get(place)? / alone.latencies.as_ref()?.get(place)?.max(1.0));
    let ms = |place: usize| Some(times.as_ref()?.get(place)? / 1e6);
    let spread = |sorted: Vec<f64>, by: Option<f64>| {
        let by = by.filter(|by| *by > 0.0)?;
        Some([*sorted.first()? / by, *sorted.last()? / by])
    };
    let latency_spread = |place: usize, permyriad| {
        let by = alone.latencies.as_ref().and_then(|all| all.get(place)).copied();
        spread(
            each(&repeats, |repeat| quantile_of(repeat, permyriad)),
            by.filter(|_| sees),
        )
    };
    let rate = |wanted: bool, of: fn(&Repeat) -> f64, by: Option<f64>| {
        Some(median(&each(&repeats, of)).filter(|_| wanted)? / by.filter(|by| *by > 0.0)?)
    };
    let training = rate(learns, trained, alone.trained);
    let inference = rate(sees, served, alone.served);
    let sum = |of: fn(&Repeat) -> u64| repeats.iter().map(|repeat| of(repeat)).sum::<u64>();
    let requests: usize = repeats.iter().map(|repeat| repeat.played.latencies.len()).sum();
    let on_shared: Option<u64> = repeats.iter().map(|repeat| repeat.played.on_shared).sum();
    Row {
        arm: arm.peer.name(),
        processes: arm.peer.parts().len(),
        processors: arm.peer.processors(processors),
        p50_over_alone: over(0),
        p95_over_alone: over(1),
        p99_over_alone: over(2),
        p999_over_alone: over(3),
        max_over_alone: over(4),
        p50_over_alone_spread: latency_spread(0, 5_000),
        p99_over_alone_spread: latency_spread(2, 9_900),
        p50_ms: ms(0),
        p95_ms: ms(1),
        p99_ms: ms(2),
        p999_ms: ms(3),
        max_ms: ms(4),
        requests,
        misses: sum(|repeat| {
            repeat
                .played
                .latencies
                .iter()
                .filter(|time| **time > PERIOD.0)
                .count() as u64
        }),
        training_rate_over_alone: training,
        training_rate_over_alone_spread: spread(each(&repeats, trained), alone.trained.filter(|_| learns)),
        training_rate_limit: learns.then_some(if shares { 1.0 - share } else { 1.0 }),
        sum_of_rates: (!repeats.is_empty()).then(|| training.unwrap_or(0.0) + inference.unwrap_or(0.0)),
        context_switches: sum(|repeat| repeat.switches),
        measured_s: repeats.iter().map(|repeat| seconds(repeat)).sum(),
        on_shared_processor: on_shared
            .filter(|_| requests > 0)
            .map(|count| count as f64 / requests as f64),
        bound_ms: repeats
            .iter()
            .filter_map(|repeat| repeat.played.bound)
            .max()
            .map(|bound| Nanos(bound).as_millis_f64()),
        bound_violations: sum(|repeat| repeat.played.violations),
        repeats: arm.repeats.len(),
        disturbed_repeats: arm
            .repeats
            .iter()
            .filter(|repeat| repeat.others > DISTURBED)
            .count(),
        figures_disturbed: repeats.iter().any(|repeat| repeat.others > DISTURBED),
        refused: arm.refused.clone(),
    }
}

/// The figures of everything that was measured.
pub(super) fn report(measured: &Measured) -> Report<'_> {
    let alone = alone(&measured.arms);
    let processors = measured.places.all.len();
    let work = &measured.work;
    Report {
        debug_build: cfg!(debug_assertions),
        engine: &work.engine,
        engine_threads: 1,
        engine_spinning: false,
        arrivals: measured.arrivals,
        rate_hz: 1.0 / PERIOD.as_secs_f64(),
        deadline_ms: PERIOD.as_millis_f64(),
        utilisation: work.share,
        runs_per_request: work.runs_per_request,
        announced_ms: Nanos(work.cost).as_millis_f64(),
        minibatch: work.minibatch,
        pieces: work.pieces,
        training_alone_hz: alone.trained,
        processors,
        shared_processor: measured.places.shared,
        realtime_share: realtime_share(),
        repeats: measured.repeats,
        disturbed_above: DISTURBED,
        rows: measured
            .arms
            .iter()
            .map(|arm| row(arm, &alone, measured))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::worker::Played;

    fn repeat(latencies: &[u64], steps: f64, others: f64) -> Repeat {
        Repeat {
            played: Played {
                latencies: latencies.to_vec(),
                served: latencies.len() as u64,
                steps,
                time: 1_000_000_000,
                ..Played::default()
            },
            others,
            switches: 3,
        }
    }

    fn arm(peer: Peer, repeats: Vec<Repeat>) -> Arm {
        Arm {
            peer,
            repeats,
            refused: None,
        }
    }

    #[test]
    fn a_disturbed_repeat_is_counted_and_left_out() {
        let arm = arm(
            Peer::Nice,
            vec![
                repeat(&[10, 20], 4.0, 0.0),
                repeat(&[900], 1.0, 0.5),
                repeat(&[30, 40], 6.0, 0.0),
            ],
        );
        let calm = counted(&arm);
        assert_eq!(calm.len(), 2);
        assert_eq!(median(&each(&calm, trained)), Some(5.0));
        assert_eq!(latencies(&calm), Some([20.0, 30.0, 30.0, 40.0, 40.0]));
    }

    #[test]
    fn where_every_repeat_was_disturbed_all_count() {
        let arm = arm(Peer::Nice, vec![repeat(&[10], 1.0, 0.3), repeat(&[20], 2.0, 0.4)]);
        assert_eq!(counted(&arm).len(), 2);
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0]), Some(1.0));
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }
}
