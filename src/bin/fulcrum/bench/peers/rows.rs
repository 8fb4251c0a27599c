//! What `bench peers` prints: a row an arm, for people or as JSON.

use super::load::DISTURBED;
use super::peer::Peer;
use super::team::Repeat;
use super::{Arm, Measured};
use crate::bench::arm::PERIOD;
use crate::bench::arrivals::Arrivals;
use crate::bench::quantile;
use crate::table::{Side, Table};
use fulcrum::units::Nanos;
use serde::Serialize;
use std::error::Error;

#[derive(Serialize)]
struct Report<'a> {
    debug_build: bool,
    engine: &'a str,
    /// Of each engine; they do not spin.
    engine_threads: u32,
    engine_spinning: bool,
    arrivals: Arrivals,
    rate_hz: f64,
    deadline_ms: f64,
    /// `U` that was asked for.
    utilisation: f64,
    runs_per_request: u32,
    /// `C` as announced: an upper quantile beside training, with a margin.
    announced_ms: f64,
    minibatch: usize,
    /// Of a step under `slack`, the fetch included.
    pieces: usize,
    /// Steps a second, training alone.
    training_alone_hz: Option<f64>,
    processors: usize,
    shared_processor: usize,
    repeats: u32,
    /// Other work above this share of all processors marks a repeat as disturbed.
    disturbed_above: f64,
    rows: Vec<Row>,
}

/// Figures of the repeats that nothing disturbed, or of all where each was. Null is what an arm does not have.
#[derive(Serialize)]
struct Row {
    arm: String,
    processes: usize,
    /// That the arm uses.
    processors: usize,
    p50_over_alone: Option<f64>,
    p95_over_alone: Option<f64>,
    p99_over_alone: Option<f64>,
    p999_over_alone: Option<f64>,
    max_over_alone: Option<f64>,
    /// Least and greatest of the repeats.
    p50_over_alone_spread: Option<[f64; 2]>,
    p99_over_alone_spread: Option<[f64; 2]>,
    /// Medians of the repeats.
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Of all repeats together: one is too short for these.
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
    requests: usize,
    /// Answered later than a period after the release.
    misses: u64,
    training_rate_over_alone: Option<f64>,
    training_rate_over_alone_spread: Option<[f64; 2]>,
    /// Requests answered in the time over alone, and the training rate over alone.
    sum_of_rates: Option<f64>,
    /// Of the threads that do the work, within `measured_s`.
    context_switches: u64,
    measured_s: f64,
    /// Share of requests that ended on the shared processor; null for fulcrum, whose dispatcher stays there.
    on_shared_processor: Option<f64>,
    /// Null where nothing is promised.
    bound_ms: Option<f64>,
    bound_violations: u64,
    repeats: usize,
    disturbed_repeats: usize,
    /// Every repeat was disturbed, and the figures are theirs.
    figures_disturbed: bool,
    refused: Option<String>,
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

fn row(arm: &Arm, alone: &Alone, processors: usize) -> Row {
    let repeats = counted(arm);
    let sees = arm.peer != Peer::TrainingAlone;
    let learns = arm.peer != Peer::InferenceAlone;
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

fn report(measured: &Measured) -> Report<'_> {
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
        repeats: measured.repeats,
        disturbed_above: DISTURBED,
        rows: measured
            .arms
            .iter()
            .map(|arm| row(arm, &alone, processors))
            .collect(),
    }
}

/// Prints everything to stdout.
pub(super) fn print(measured: &Measured, json: bool) -> Result<(), Box<dyn Error>> {
    let report = report(measured);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    if report.debug_build {
        println!("built without optimisation: the figures say nothing\n");
    }
    println!(
        "{}, one thread each, spinning off; processor {} of {} is shared, {} repeats in turn",
        report.engine, report.shared_processor, report.processors, report.repeats
    );
    println!(
        "inference  {:?}, {:.0} a second, {} runs a request: U {:.2}, C announced {:.2} ms; deadline {:.1} ms",
        report.arrivals,
        report.rate_hz,
        report.runs_per_request,
        report.utilisation,
        report.announced_ms,
        report.deadline_ms
    );
    println!(
        "training   minibatch {}, alone {:.2} steps/s; `slack` has {} pieces",
        report.minibatch,
        report.training_alone_hz.unwrap_or(0.0),
        report.pieces
    );
    println!(
        "limits     beside inference on one processor: training rate {:.2}, sum of rates {:.2}; latency 1.00\n",
        1.0 - report.utilisation,
        2.0 - report.utilisation
    );
    print!("{}", table(&report.rows));
    println!(
        "\nlatencies and training rate over alone, [least, greatest of the repeats]; p50 to p99 are medians of the repeats,\n\
         p99.9 and max of all together; switches a second; cpus: processors the arm uses"
    );
    println!(
        "disturbed: repeats in which other work took over {:.0} % of the machine; they are left out",
        100.0 * report.disturbed_above
    );
    if report.rows.iter().any(|row| row.figures_disturbed) {
        println!(
            "* every repeat was disturbed, so these figures are of disturbed repeats; measure again on a quiet machine"
        );
    }
    for row in report
        .rows
        .iter()
        .filter(|row| row.on_shared_processor.is_some_and(|share| share < 1.0))
    {
        let share = 100.0 * row.on_shared_processor.unwrap_or(0.0);
        println!(
            "{}: {share:.0} % of the requests were answered on the shared processor",
            row.arm
        );
    }
    for row in &report.rows {
        if let Some(reason) = &row.refused {
            println!("{}: refused: {reason}", row.arm);
        }
    }
    Ok(())
}

fn table(rows: &[Row]) -> Table<13> {
    let mut sides = [Side::Right; 13];
    sides[0] = Side::Left;
    let mut table = Table::new(sides);
    table.row([
        "arm",
        "cpus",
        "p50",
        "p95",
        "p99",
        "p99.9",
        "max",
        "misses",
        "rate",
        "sum",
        "switches/s",
        "bound",
        "disturbed",
    ]);
    let figure = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.2}"));
    let spread = |value: Option<f64>, spread: Option<[f64; 2]>| match (value, spread) {
        (Some(value), Some([low, high])) => format!("{value:.2} [{low:.2}, {high:.2}]"),
        _ => "-".to_string(),
    };
    for row in rows {
        let name = format!("{}{}", row.arm, if row.figures_disturbed { "*" } else { "" });
        let cells = if row.refused.is_some() {
            let mut cells = [const { String::new() }; 13];
            cells[0] = name;
            cells[1] = "refused".into();
            cells
        } else {
            [
                name,
                row.processors.to_string(),
                figure(row.p50_over_alone),
                figure(row.p95_over_alone),
                spread(row.p99_over_alone, row.p99_over_alone_spread),
                figure(row.p999_over_alone),
                figure(row.max_over_alone),
                format!("{}/{}", row.misses, row.requests),
                spread(row.training_rate_over_alone, row.training_rate_over_alone_spread),
                figure(row.sum_of_rates),
                format!("{:.0}", row.context_switches as f64 / row.measured_s.max(1e-9)),
                row.bound_ms.map_or("none".into(), |bound| {
                    format!("{} of {bound:.1} ms", row.bound_violations)
                }),
                format!("{}/{}", row.disturbed_repeats, row.repeats),
            ]
        };
        table.row(cells);
    }
    table
}
