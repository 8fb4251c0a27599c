//! The dispatcher's events as a trace that opens in Perfetto (<https://ui.perfetto.dev>): Chrome's JSON trace format.

use super::record::Record;
use fulcrum::trace::Event;
use fulcrum::units::Nanos;
use serde_json::{Value, json};

/// The thread a row of the trace stands for.
const INFERENCE: u32 = 1;
const TRAINING: u32 = 2;

/// The runs, one process each, as trace JSON; times count from the first event of each run.
pub(crate) fn trace(runs: &[&Record]) -> Value {
    let mut events = Vec::new();
    for (run, process) in runs.iter().zip(1_u32..) {
        let name = format!("policy {} (simulated board)", run.summary.policy);
        events.push(json!({"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}}));
        for (thread, name) in [(INFERENCE, "inference"), (TRAINING, "training pieces")] {
            events.push(json!({"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": name}}));
        }
        let zero = run.events.first().map_or(Nanos::ZERO, start);
        events.extend(run.events.iter().map(|event| one(event, process, zero)));
    }
    json!({"displayTimeUnit": "ms", "traceEvents": events})
}

fn start(event: &Event) -> Nanos {
    match *event {
        Event::Minibatch { start, .. } | Event::MinibatchPiece { start, .. } | Event::Piece { start, .. } => {
            start
        }
        Event::Step { at, .. }
        | Event::Missed { at, .. }
        | Event::BoundBroken { at, .. }
        | Event::Failed { at, .. }
        | Event::BoundMoved { at, .. }
        | Event::Parked { at, .. }
        | Event::Swapped { at, .. }
        | Event::Reverted { at, .. }
        | Event::Rejected { at, .. }
        | Event::Hung { since: at, .. } => at,
    }
}

fn one(event: &Event, process: u32, zero: Nanos) -> Value {
    let us = |time: Nanos| time.0 as f64 / 1e3;
    let at = us(start(event) - zero);
    let span = |thread: u32, name: String, start: Nanos, end: Nanos| json!({"ph": "X", "pid": process, "tid": thread, "ts": at, "dur": us(end - start), "name": name});
    let mark = |thread: u32, name: &str, arguments: Value| json!({"ph": "i", "s": "t", "pid": process, "tid": thread, "ts": at, "name": name, "args": arguments});
    match *event {
        Event::Minibatch {
            count, start, end, ..
        } => span(INFERENCE, format!("minibatch of {count}"), start, end),
        Event::MinibatchPiece {
            piece, start, end, ..
        } => span(INFERENCE, format!("piece {piece} of a minibatch"), start, end),
        Event::Piece {
            piece, start, end, ..
        } => span(TRAINING, format!("piece {piece}"), start, end),
        Event::Step { loss, .. } => {
            json!({"ph": "C", "pid": process, "ts": at, "name": "loss", "args": {"loss": loss}})
        }
        Event::Missed { late, .. } => mark(INFERENCE, "deadline missed", json!({"late_us": us(late)})),
        Event::BoundBroken { latency, .. } => {
            mark(INFERENCE, "bound broken", json!({"latency_us": us(latency)}))
        }
        Event::BoundMoved { bound, .. } => mark(INFERENCE, "bound moved", json!({"bound_us": us(bound)})),
        Event::Parked { job, .. } => mark(TRAINING, "parked", json!({"job": job})),
        Event::Swapped { version, .. } => mark(INFERENCE, "new weights", json!({"version": version})),
        Event::Reverted { version, .. } => mark(INFERENCE, "weights reverted", json!({"version": version})),
        Event::Rejected { version, by, .. } => mark(
            TRAINING,
            "weights rejected",
            json!({"version": version, "worse_by": by.to_string()}),
        ),
        Event::Hung { job, piece, .. } => mark(TRAINING, "hung", json!({"job": job, "piece": piece})),
        Event::Failed { index, training, .. } => mark(
            if training { TRAINING } else { INFERENCE },
            "failed",
            json!({"index": index}),
        ),
    }
}
