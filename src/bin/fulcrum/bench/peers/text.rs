//! What `bench peers` prints for people.

use super::rows::{Report, Row};
use crate::table::{Side, Table};

/// Prints everything to stdout.
pub(super) fn print(report: &Report) {
    if report.debug_build {
        println!("built without optimisation: the figures say nothing\n");
    }
    println!(
        "{}, one thread each, spinning off; processor {} of {} is shared, {} repeats in turn",
        report.engine, report.shared_processor, report.processors, report.repeats
    );
    println!(
        "inference  {:?}, {:.0} a second, {} runs each: U {:.2}, C announced {:.2} ms; deadline {:.1} ms",
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
        "limits     on one processor: training rate {:.2}, sum of rates {:.2}; latency 1.00\n",
        1.0 - report.utilisation,
        2.0 - report.utilisation
    );
    print!("{}", table(&report.rows));
    println!(
        "\nlatencies and training rate over alone, [least, greatest of the repeats]; p50 to p99 are medians\n\
         of the repeats, p99.9 and max of all together; switches a second; cpus: processors the arm may use"
    );
    println!(
        "disturbed: repeats in which other work took over {:.0} % of the machine; they are left out",
        100.0 * report.disturbed_above
    );
    if report.rows.iter().any(|row| row.figures_disturbed) {
        println!(
            "* every repeat was disturbed, so these figures are of disturbed ones; measure on a quiet machine"
        );
    }
    if let Some(share) = report.realtime_share.filter(|share| *share < 1.0) {
        println!(
            "real-time threads get {:.0} % of each second where others want the processor: a dispatcher in\n\
             SCHED_FIFO that trains in all the time left then stands still for the rest, past its bound\n\
             (kernel.sched_rt_runtime_us)",
            100.0 * share
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
}

fn table(rows: &[Row]) -> Table<13> {
    let mut sides = [Side::Right; 13];
    sides[0] = Side::Left;
    let mut table = Table::new(sides);
    table.row([
        "arm",
        "cpus",
        "p50",
        "p99",
        "p99, ms",
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
                spread(row.p99_over_alone, row.p99_over_alone_spread),
                figure(row.p99_ms),
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
