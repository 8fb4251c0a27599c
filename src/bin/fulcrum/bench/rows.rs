//! What `bench interleave` prints: a row a policy and cut, for people or as JSON.

use super::arm::PERIOD;
use super::measured::{Arm, Cut, Measured};
use super::quantile;
use crate::stalls::{self, Stall};
use crate::table::{Side, Table};
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use serde::Serialize;
use std::error::Error;

/// What `slack` is to hold beside training.
const P99_TARGET: f64 = 1.10;
const RATE_TARGET: f64 = 0.90;

#[derive(Serialize)]
struct Report<'a> {
    debug_build: bool,
    engine: &'a str,
    threads: usize,
    rounds: u32,
    inference: Inference,
    training: Training,
    rows: Vec<Row>,
    targets: Targets,
    host: Host<'a>,
}

#[derive(Serialize)]
struct Inference {
    rate_hz: f64,
    deadline_ms: f64,
    runs_per_request: u32,
    /// `C`, median alone.
    service_ms: f64,
    /// `C` as announced: an upper quantile beside training, with a margin.
    announced_ms: f64,
    /// `U`.
    utilisation: f64,
    /// `s`, median from a release to the work, alone.
    switch_ms: f64,
    alone: Quantiles,
}

#[derive(Serialize)]
struct Quantiles {
    requests: usize,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

#[derive(Serialize)]
struct Training {
    minibatch: usize,
    /// Whole steps, alone.
    alone_rate_hz: f64,
    cuts: Vec<CutRow>,
}

#[derive(Serialize)]
struct CutRow {
    pieces: usize,
    /// The longest, measured.
    piece_ms: f64,
    alone_rate_hz: f64,
    /// `e`: the rate alone over that of whole steps.
    efficiency: f64,
    /// `(1 - U - s/T)` over the time of a step in these pieces.
    possible_rate_hz: f64,
    buffer_kib: usize,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) policy: String,
    piece_ms: f64,
    pieces: usize,
    p50_over_alone: f64,
    pub(super) p99_over_alone: f64,
    p999_over_alone: f64,
    max_over_alone: f64,
    pub(super) training_rate_over_alone: f64,
    training_rate_over_possible: f64,
    misses: u64,
    bound_violations: u64,
    /// Of those, the ones whose own run of the model took longer than was announced for it.
    bound_violations_of_slow_runs: u64,
    /// Time that pieces given up had had.
    aborted_ms: f64,
    /// Late requests that a stall of this machine explains; they count neither as misses nor as violations.
    stalled: u64,
    requests: usize,
    /// Null where nothing can be promised.
    bound_ms: Option<f64>,
}

#[derive(Serialize)]
struct Targets {
    p99_over_alone: f64,
    training_rate_over_possible: f64,
    bound_violations: u64,
    /// Pieces of the row of `slack` that holds all three at the highest training rate; null if none does.
    met_with_pieces: Option<usize>,
}

#[derive(Serialize)]
struct Host<'a> {
    /// Whether stalls could be seen; that takes the right to a real-time priority and two processors.
    watched: bool,
    stalls: usize,
    longest_stall_ms: f64,
    warnings: &'a [String],
}

/// The rows in the order of the arms.
pub(super) fn rows(measured: &Measured) -> Vec<Row> {
    let whole = whole_rate(measured);
    let row = |arm: &Arm| {
        let cut = measured.cuts.get(arm.cut)?;
        let over = |permyriad| over(&arm.latencies, &measured.alone.latencies, permyriad);
        Some(Row {
            policy: arm.order.to_string(),
            piece_ms: cut.longest().as_millis_f64(),
            pieces: cut.lengths.len(),
            p50_over_alone: over(5_000),
            p99_over_alone: over(9_900),
            p999_over_alone: over(9_990),
            max_over_alone: over(10_000),
            training_rate_over_alone: arm.trained.rate() / whole,
            training_rate_over_possible: arm.trained.rate() / possible(measured, cut),
            misses: arm.misses,
            bound_violations: arm.violations,
            bound_violations_of_slow_runs: arm.slow,
            aborted_ms: arm.wasted.as_millis_f64(),
            stalled: arm.stalled,
            requests: arm.latencies.len(),
            bound_ms: arm.bound.map(Nanos::as_millis_f64),
        })
    };
    measured.arms.iter().filter_map(row).collect()
}

fn over(times: &[u64], alone: &[u64], permyriad: usize) -> f64 {
    quantile(times, permyriad) as f64 / quantile(alone, permyriad).max(1) as f64
}

/// Rate alone of the whole step.
fn whole_rate(measured: &Measured) -> f64 {
    measured
        .cuts
        .first()
        .map_or(1.0, |cut| cut.alone.rate().max(1e-9))
}

/// The rate that inference leaves to training in these pieces.
fn possible(measured: &Measured, cut: &Cut) -> f64 {
    (measured.alone.left() * cut.alone.rate()).max(1e-9)
}

fn report(measured: &Measured) -> Report<'_> {
    let alone = &measured.alone;
    let ms = |permyriad| Nanos(quantile(&alone.latencies, permyriad)).as_millis_f64();
    let cut_row = |cut: &Cut| CutRow {
        pieces: cut.lengths.len(),
        piece_ms: cut.longest().as_millis_f64(),
        alone_rate_hz: cut.alone.rate(),
        efficiency: cut.alone.rate() / whole_rate(measured),
        possible_rate_hz: possible(measured, cut),
        buffer_kib: cut.buffer_bytes / 1024,
    };
    let rows = rows(measured);
    let holds = |row: &&Row| {
        row.policy == Policy::Slack.name()
            && row.p99_over_alone <= P99_TARGET
            && row.training_rate_over_possible >= RATE_TARGET
            && row.bound_violations == 0
    };
    let best = rows.iter().filter(holds).max_by(|left, right| {
        left.training_rate_over_alone
            .total_cmp(&right.training_rate_over_alone)
    });
    let seen: &[Stall] = measured.stalls.as_deref().unwrap_or_default();
    Report {
        debug_build: cfg!(debug_assertions),
        engine: &measured.engine,
        threads: measured.threads,
        rounds: measured.rounds,
        inference: Inference {
            rate_hz: 1.0 / PERIOD.as_secs_f64(),
            deadline_ms: PERIOD.as_millis_f64(),
            runs_per_request: measured.runs_per_request,
            service_ms: alone.service().as_millis_f64(),
            announced_ms: measured.cost.as_millis_f64(),
            utilisation: alone.service().as_secs_f64() / PERIOD.as_secs_f64(),
            switch_ms: alone.switch().as_millis_f64(),
            alone: Quantiles {
                requests: alone.latencies.len(),
                p50_ms: ms(5_000),
                p99_ms: ms(9_900),
                p999_ms: ms(9_990),
                max_ms: ms(10_000),
            },
        },
        training: Training {
            minibatch: measured.samples,
            alone_rate_hz: whole_rate(measured),
            cuts: measured.cuts.iter().map(cut_row).collect(),
        },
        targets: Targets {
            p99_over_alone: P99_TARGET,
            training_rate_over_possible: RATE_TARGET,
            bound_violations: 0,
            met_with_pieces: best.map(|row| row.pieces),
        },
        rows,
        host: Host {
            watched: measured.stalls.is_some(),
            stalls: seen.len(),
            longest_stall_ms: stalls::longest(seen).as_millis_f64(),
            warnings: &measured.warnings,
        },
    }
}

/// Prints everything to stdout.
pub(super) fn print(measured: &Measured, json: bool) -> Result<(), Box<dyn Error>> {
    let report = report(measured);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let see = &report.inference;
    println!(
        "{}, {} of its threads, {} rounds in turn; this machine is the accelerator, nothing is simulated\n",
        report.engine, report.threads, report.rounds
    );
    println!(
        "inference  {:.0} Hz, {} runs a request: C {:.2} ms (announced {:.2}), U {:.3}, s {:.3} ms; deadline {:.1} ms",
        see.rate_hz,
        see.runs_per_request,
        see.service_ms,
        see.announced_ms,
        see.utilisation,
        see.switch_ms,
        see.deadline_ms,
    );
    println!(
        "  alone    p50 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2} ms of {} requests: the noise floor",
        see.alone.p50_ms, see.alone.p99_ms, see.alone.p999_ms, see.alone.max_ms, see.alone.requests
    );
    println!(
        "training   minibatch {}, alone {:.2} steps/s; at most {:.3} of that beside inference\n",
        report.training.minibatch,
        report.training.alone_rate_hz,
        measured.alone.left()
    );
    print!("{}", cut_table(&report, measured));
    println!();
    print!("{}", row_table(&report.rows));
    println!(
        "\nlatencies and training rate over alone; pieces: the fetch and the segments; given up: time of pieces that had to be run again; slow: \
         the run of the model itself took longer than was announced"
    );
    let targets = &report.targets;
    let verdict = targets.met_with_pieces.map_or("not met".to_string(), |pieces| {
        format!("met with {pieces} pieces")
    });
    println!(
        "target for slack: p99 <= {:.2} of alone, rate >= {:.2} of the possible, 0 bound violations: {verdict}",
        targets.p99_over_alone, targets.training_rate_over_possible
    );
    if report.host.watched {
        println!(
            "this machine stood still {} times, at most {:.1} ms; `stalled` are late requests that this explains",
            report.host.stalls, report.host.longest_stall_ms
        );
    } else {
        println!(
            "stalls of this machine were not watched: no right to a real-time priority, or one processor only"
        );
    }
    Ok(())
}

/// Each cut with its limits: latency `q + s + C`, with known releases `s + C`; rate `(1 - U - s/T)` over its step.
fn cut_table(report: &Report, measured: &Measured) -> Table<8> {
    let mut table = Table::new([Side::Right; 8]);
    table.row([
        "pieces",
        "longest, ms",
        "alone, /s",
        "e",
        "possible, /s",
        "q + s + C, ms",
        "s + C, ms",
        "buffers, KiB",
    ]);
    let known = (measured.alone.service() + measured.alone.switch()).as_millis_f64();
    for cut in &report.training.cuts {
        table.row([
            cut.pieces.to_string(),
            format!("{:.2}", cut.piece_ms),
            format!("{:.2}", cut.alone_rate_hz),
            format!("{:.3}", cut.efficiency),
            format!("{:.2}", cut.possible_rate_hz),
            format!("{:.1}", cut.piece_ms + known),
            format!("{known:.1}"),
            cut.buffer_kib.to_string(),
        ]);
    }
    table
}

fn row_table(rows: &[Row]) -> Table<13> {
    let mut sides = [Side::Right; 13];
    sides[0] = Side::Left;
    let mut table = Table::new(sides);
    table.row([
        "policy",
        "piece, ms",
        "pieces",
        "p50",
        "p99",
        "p99.9",
        "max",
        "rate",
        "of possible",
        "misses",
        "violations",
        "stalled",
        "given up, ms",
    ]);
    for row in rows {
        let bound = row.bound_ms.map_or("no bound".to_string(), |bound| {
            let (violations, slow) = (row.bound_violations, row.bound_violations_of_slow_runs);
            format!("{violations} ({slow} slow) of {bound:.1} ms")
        });
        table.row([
            row.policy.clone(),
            format!("{:.2}", row.piece_ms),
            row.pieces.to_string(),
            format!("{:.2}", row.p50_over_alone),
            format!("{:.2}", row.p99_over_alone),
            format!("{:.2}", row.p999_over_alone),
            format!("{:.2}", row.max_over_alone),
            format!("{:.3}", row.training_rate_over_alone),
            format!("{:.3}", row.training_rate_over_possible),
            format!("{}/{}", row.misses, row.requests),
            bound,
            row.stalled.to_string(),
            format!("{:.0}", row.aborted_ms),
        ]);
    }
    table
}
