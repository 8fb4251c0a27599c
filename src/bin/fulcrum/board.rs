//! `fulcrum board`: who a board is, what can be set on it, and what it measures.

mod report;

use crate::subject::{self, Subject, megahertz, ranges};
use crate::table::{Side, Table};
use clap::Args;
use fulcrum::units::Millicelsius;
use report::{Knob, Report};
use std::error::Error;
use std::fmt::Write;

/// Who a board is, what can be set on it, and what it measures.
///
/// Everything is read from the board's own files; nothing is written and no rights are needed. What the board lacks,
/// or does not show to this user, is listed with the reason. JSON has clocks in kHz and power in mW.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum board                                   this machine
  fulcrum board --root /tmp/jetson                the board below a folder; see `fulcrum twin mount --help`
  fulcrum board --json | jq '.knobs[] | {name, current, max}'")]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let machine = arguments.subject.open()?;
    let report = Report::read(&machine);
    let printed = if arguments.subject.json {
        subject::json(&report)?
    } else {
        text(&report)
    };
    subject::print(&printed)?;
    Ok(())
}

fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.name);
    let mut about = Table::new([Side::Left, Side::Left]);
    let unknown = || "unknown".to_owned();
    about.row(["  model", &report.model.clone().unwrap_or_else(unknown)]);
    about.row(["  chip", &report.soc.clone().unwrap_or_else(unknown)]);
    let release =
        |what: &str, number: &Option<String>| number.as_ref().map(|number| format!("{what} {number}"));
    let software = [
        release("JetPack", &report.jetpack),
        release("L4T", &report.l4t),
        release("kernel", &report.kernel),
    ];
    let software: Vec<String> = software.into_iter().flatten().collect();
    about.row(["  software", &software.join(", ")]);
    let _ = writeln!(text, "{about}");
    for part in [
        clusters(report),
        knobs(report),
        presets(report),
        rails(report),
        heat(report),
    ] {
        let _ = writeln!(text, "{part}");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn clusters(report: &Report) -> String {
    let mut table = Table::new([Side::Left, Side::Left, Side::Left]);
    for cluster in &report.clusters {
        let clocks = match (cluster.table.first(), cluster.table.last(), &cluster.why) {
            (Some(low), Some(high), _) => span(*low, *high, cluster.table.len()),
            (_, _, why) => why.clone().unwrap_or_default(),
        };
        let off = cluster.cores.len() - cluster.online.len();
        let state = match off {
            0 => "online".to_owned(),
            _ if cluster.online.is_empty() => "offline".to_owned(),
            off => format!("{off} offline"),
        };
        table.row([format!("  cores {}", ranges(&cluster.cores)), state, clocks]);
    }
    format!("clusters\n{table}")
}

fn span(low: u32, high: u32, count: usize) -> String {
    format!("{count} clocks, {} to {} MHz", megahertz(low), megahertz(high))
}

fn knobs(report: &Report) -> String {
    let mut table = Table::new([Side::Left, Side::Left, Side::Left, Side::Left]);
    for knob in &report.knobs {
        let [now, range, right] = knob_cells(knob);
        table.row([format!("  {}", knob.name), now, range, right]);
    }
    format!("knobs\n{table}")
}

fn knob_cells(knob: &Knob) -> [String; 3] {
    let (Some(low), Some(high)) = (knob.min, knob.max) else {
        let why = knob.why.clone().unwrap_or_default();
        return ["absent".to_owned(), String::new(), why];
    };
    let right = match &knob.why {
        None => "writable".to_owned(),
        Some(why) => format!("not writable: {why}"),
    };
    if knob.name == "cores" {
        let now = knob.current.map_or("?".to_owned(), |now| now.to_string());
        return [now, format!("{low} to {high}"), right];
    }
    let now = knob
        .current
        .map_or("?".to_owned(), |now| format!("{} MHz", megahertz(now)));
    [now, span(low, high, knob.table.len()), right]
}

fn presets(report: &Report) -> String {
    match &report.no_modes {
        Some(why) => format!("presets\n  {why}\n"),
        None => format!("presets\n{}", crate::mode::list::table(&report.modes)),
    }
}

fn rails(report: &Report) -> String {
    let mut table = Table::new([Side::Left, Side::Right, Side::Left]);
    for rail in &report.rails {
        let shown = match (rail.mw, &rail.error) {
            (Some(mw), _) => format!("{:.2} W", f64::from(mw) / 1e3),
            (None, Some(error)) => error.clone(),
            (None, None) => "counts energy".to_owned(),
        };
        let counted = if rail.counted {
            ""
        } else {
            "not counted in the total"
        };
        table.row([format!("  {}", rail.name), shown, counted.to_owned()]);
    }
    let mut text = format!("power\n{table}  total = {}\n", report.total_rule);
    for note in &report.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}

fn heat(report: &Report) -> String {
    let mut table = Table::new([Side::Left, Side::Right, Side::Left]);
    for zone in &report.zones {
        let shown = match zone.millicelsius {
            Some(heat) => Millicelsius(heat).to_string(),
            None => zone.state.to_owned(),
        };
        let trips: Vec<String> = zone
            .trips
            .iter()
            .map(|trip| format!("{} at {:.1} C", trip.kind, f64::from(trip.millicelsius) / 1e3))
            .collect();
        table.row([format!("  {}", zone.kind), shown, trips.join(", ")]);
    }
    let mut text = if report.zones.is_empty() {
        "temperatures\n  none: the kernel shows no thermal zone\n".to_owned()
    } else {
        format!("temperatures\n{table}")
    };
    let mut counters = Table::new([Side::Left, Side::Right, Side::Left]);
    for counter in &report.overcurrent {
        let events = counter
            .events
            .map_or("?".to_owned(), |events| format!("{events} events"));
        let throttles = match counter.throttles {
            Some(true) => "slows the board down",
            Some(false) => "only counted",
            None => "",
        };
        counters.row([format!("  {}", counter.kind), events, throttles.to_owned()]);
    }
    if !report.overcurrent.is_empty() {
        let _ = write!(text, "\nover-current\n{counters}");
    }
    let mut engines = Table::new([Side::Left, Side::Right]);
    for engine in &report.engines {
        let cap = engine.khz.map_or_else(
            || engine.error.clone().unwrap_or_default(),
            |khz| {
                if khz == u64::from(u32::MAX) {
                    "no cap".to_owned()
                } else {
                    format!("{} MHz", khz / 1_000)
                }
            },
        );
        engines.row([format!("  {}", engine.name), cap]);
    }
    if !report.engines.is_empty() {
        let _ = write!(text, "\nengine caps (read only)\n{engines}");
    }
    text
}
