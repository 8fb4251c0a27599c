//! `fulcrum replay`: takes the decisions of a recorded run again.

use clap::Args;
use fulcrum::schedule::log::{self, Difference, Entry, text};
use fulcrum::schedule::{Policy, Schedule};
use fulcrum::units::Nanos;
use serde::Serialize;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes the decisions of a recorded run again, and says where they differ.
///
/// The log holds every input of the schedule and every decision. Without --policy they are the same bit for bit and the
/// exit code is 0; a difference is a fault of this release or a log of another, is printed, and the exit code is 1. With
/// --policy the places are told at which another policy would have decided otherwise, each in the state that the recorded
/// decisions led to.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum demo --log run.log && fulcrum replay run.log
  fulcrum replay run.log --policy edf             what earliest deadline first would have done
  fulcrum replay run.log --policy fcfs --json     for a program; times in ns from the start of the run")]
pub(crate) struct Arguments {
    /// The log, written by `fulcrum demo --log`
    file: PathBuf,
    /// Ask this policy in place of the recorded one
    #[arg(long)]
    policy: Option<Policy>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Differences that are printed; the others are counted.
const PRINTED: usize = 10;

#[derive(Serialize)]
struct Report {
    recorded_policy: String,
    policy: String,
    entries: usize,
    decisions: usize,
    differences: usize,
    first: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    entry: usize,
    at_ns: u64,
    recorded: String,
    taken: String,
}

/// Its own exit code: a refusal of the file begins with the file's name and line.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match replay(arguments) {
        Ok(same) if same || arguments.policy.is_some() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(refusal) => {
            eprintln!("{refusal}");
            ExitCode::FAILURE
        }
    }
}

fn replay(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let name = arguments.file.display();
    let text = std::fs::read(&arguments.file).map_err(|error| {
        format!("fulcrum: {name} could not be read: {error}; give a log written by `fulcrum demo --log`")
    })?;
    // A byte that is no text stands in no log; its line is refused.
    let text = String::from_utf8_lossy(&text);
    let (schedule, entries) = text::read(&text).map_err(|error| format!("{name}:{error}"))?;
    let report = report(schedule, &entries, arguments.policy);
    let printed = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        told(&report, arguments.policy.is_some())
    };
    match io::stdout().write_all(printed.as_bytes()) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        outcome => outcome.map_err(|error| format!("fulcrum: the result could not be written: {error}"))?,
    }
    Ok(report.differences == 0)
}

fn report(schedule: Schedule, entries: &[Entry], policy: Option<Policy>) -> Report {
    let (recorded, started) = (schedule.policy(), schedule.started());
    let schedule = match policy {
        Some(policy) => schedule.under(policy),
        None => schedule,
    };
    let policy = schedule.policy();
    let place = |difference: &Difference| Place {
        entry: difference.entry,
        at_ns: (difference.recorded.at() - started).0,
        recorded: show(difference.recorded, started),
        taken: difference
            .taken
            .map_or("cannot be taken in".to_owned(), |taken| show(taken, started)),
    };
    let differences: Vec<Difference> = log::replay(schedule, entries).collect();
    let is_input = |entry: &&Entry| {
        matches!(
            entry,
            Entry::Arrived { .. } | Entry::Ended { .. } | Entry::GivenUp { .. }
        )
    };
    Report {
        recorded_policy: recorded.to_string(),
        policy: policy.to_string(),
        entries: entries.len(),
        decisions: entries.len() - entries.iter().filter(is_input).count(),
        differences: differences.len(),
        first: differences.iter().take(PRINTED).map(place).collect(),
    }
}

fn show(entry: Entry, started: Nanos) -> String {
    match entry {
        Entry::Arrived { stream, .. } => format!("request of stream {stream} arrives"),
        Entry::Ended { job, .. } => format!("piece of job {job} ends"),
        Entry::Skipped { stream, .. } => format!("skip a request of stream {stream}"),
        Entry::Minibatch { stream, count, .. } => format!("minibatch of {count} of stream {stream}"),
        Entry::GoOn { stream, piece, .. } => format!("piece {piece} of the minibatch of stream {stream}"),
        Entry::Answered { stream, .. } => format!("a minibatch of stream {stream} ends"),
        Entry::GivenUp { stream, .. } => format!("the minibatch of stream {stream} fails"),
        Entry::Piece { job, piece, .. } => format!("piece {piece} of job {job}"),
        Entry::Idle {
            until: Nanos::MAX, ..
        } => "idle".to_owned(),
        Entry::Idle { until, .. } => format!("idle until {}", until - started),
    }
}

fn told(report: &Report, other: bool) -> String {
    let (all, policy) = (report.decisions, &report.policy);
    let mut text = match (report.differences, other) {
        (0, false) => format!("{all} decisions of policy {policy} taken again: all the same\n"),
        (0, true) => format!("{policy} would have taken each of the {all} decisions too\n"),
        (count, false) => format!(
            "{count} of {all} decisions differ: a fault of this release, or the log is of another one\n"
        ),
        (count, true) => format!(
            "{policy} would have decided otherwise than {} in {count} of {all} decisions\n",
            report.recorded_policy
        ),
    };
    for place in &report.first {
        text.push_str(&format!(
            "  {:>16}  {}; now {}\n",
            Nanos(place.at_ns).to_string(),
            place.recorded,
            place.taken
        ));
    }
    text
}
