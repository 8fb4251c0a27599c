//! What one run of the demo came to: the series for the plots, the events for the trace, the summary for people and
//! programs.

use fulcrum::trace::Event;
use serde::Serialize;

/// A value at a time: seconds since the start of the run, value.
pub(crate) type Series = Vec<(f64, f64)>;

/// Everything one run left behind.
#[derive(Debug)]
pub(crate) struct Record {
    /// What `--json` prints.
    pub(crate) summary: Summary,
    /// Latency limit, ms.
    pub(crate) limit_ms: f64,
    /// When the light changed, s.
    pub(crate) light_changes_s: f64,
    /// Latency of every request, ms.
    pub(crate) latency: Series,
    /// Share of right answers over the last second.
    pub(crate) accuracy: Series,
    /// Loss of every training step.
    pub(crate) loss: Series,
    /// Board power, W.
    pub(crate) power: Series,
    /// Events of the dispatcher, times counted from the monotonic clock's zero.
    pub(crate) events: Vec<Event>,
    /// The log of decisions as a file, where one was asked for.
    pub(crate) log: Option<Vec<u8>>,
}

/// The result of one run, in the form of `--json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) board: Board,
    pub(crate) plan: Plan,
    pub(crate) streams: Vec<Stream>,
    pub(crate) training: Training,
    pub(crate) accuracy: Accuracy,
    pub(crate) power: Power,
    pub(crate) host: Host,
    /// Null without `--checkpoint`.
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) policy: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) simulated: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Plan {
    /// `cores=...,cpu=...,gpu=...,emc=...`, kHz.
    pub(crate) mode: String,
    pub(crate) minibatch: u32,
    pub(crate) bound_ms: f64,
    pub(crate) power_w: f64,
    /// The constraint that binds.
    pub(crate) binding: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) rate_hz: f64,
    pub(crate) requests: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// The bound printed before the run; null where none can be promised.
    pub(crate) bound_ms: Option<f64>,
    /// Frames answered after the limit, without those that `stalled` counts.
    pub(crate) misses: u64,
    /// Frames answered after the bound, without those that `stalled` counts.
    pub(crate) bound_violations: u64,
    /// Frames that were late for one reason only: this machine stood still meanwhile, by as much as they were late.
    pub(crate) stalled: u64,
}

/// What this machine did to the run, which no robot's board does.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Host {
    /// Whether stalls could be seen; that takes the right to a real-time priority.
    pub(crate) watched: bool,
    /// Times that the dispatcher's processor was away for a millisecond or longer.
    pub(crate) stalls: usize,
    pub(crate) longest_stall_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Training {
    pub(crate) minibatches: u64,
    pub(crate) rate_hz: f64,
    /// Mean loss of the first steps; null before the first.
    pub(crate) loss_first: Option<f64>,
    /// Mean loss of the last steps.
    pub(crate) loss_last: Option<f64>,
    /// Sets of weights that went into service.
    pub(crate) swaps: u64,
    /// Sets that were worse than those in service, and not used.
    pub(crate) rejected: u64,
}

/// What is on disk of the training state.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checkpoint {
    /// Steps of the checkpoint that this run took up; 0: there was none.
    pub(crate) restored_steps: u64,
    /// Steps of the newest one, those before this run included.
    pub(crate) newest_steps: u64,
    /// Checkpoints written in this run.
    pub(crate) kept: u64,
    /// Checkpoints that could not be written.
    pub(crate) failed: u64,
}

/// Share of right answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Accuracy {
    /// In the window that ends as the light changes.
    pub(crate) before: f64,
    /// In the second after.
    pub(crate) after_shift: f64,
    /// In the window that ends the run.
    pub(crate) end: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Power {
    pub(crate) limit_w: f64,
    pub(crate) mean_w: f64,
    pub(crate) max_w: f64,
}

/// The summary as a table for a terminal; several runs stand side by side.
pub(crate) fn table(runs: &[&Summary]) -> String {
    type Row = (&'static str, fn(&Summary) -> String);
    let rows: [Row; 18] = [
        ("policy", |run| run.policy.clone()),
        ("requests", |run| run.stream(|it| it.requests.to_string())),
        ("latency p50", |run| {
            run.stream(|it| format!("{:.2} ms", it.p50_ms))
        }),
        ("latency p99", |run| {
            run.stream(|it| format!("{:.2} ms", it.p99_ms))
        }),
        ("latency max", |run| {
            run.stream(|it| format!("{:.2} ms", it.max_ms))
        }),
        ("bound", |run| {
            run.stream(|it| {
                it.bound_ms
                    .map_or("none".into(), |bound| format!("{bound:.2} ms"))
            })
        }),
        ("missed deadlines", |run| run.stream(|it| it.misses.to_string())),
        ("bound violations", |run| {
            run.stream(|it| it.bound_violations.to_string())
        }),
        ("late by a stall of this machine", |run| {
            let longest = run.host.longest_stall_ms;
            run.stream(|it| match (run.host.watched, it.stalled) {
                (false, _) => "not watched".to_string(),
                (true, 0) => "0".to_string(),
                (true, count) => format!("{count} (of {longest:.0} ms)"),
            })
        }),
        ("training minibatches", |run| run.training.minibatches.to_string()),
        ("training rate", |run| format!("{:.2} /s", run.training.rate_hz)),
        ("loss, first to last", |run| {
            let show = |loss: Option<f64>| loss.map_or("none".into(), |loss| format!("{loss:.3}"));
            format!(
                "{} to {}",
                show(run.training.loss_first),
                show(run.training.loss_last)
            )
        }),
        ("weights swapped, rejected", |run| {
            format!("{}, {}", run.training.swaps, run.training.rejected)
        }),
        ("accuracy before", |run| {
            format!("{:.1} %", 100.0 * run.accuracy.before)
        }),
        ("accuracy after the light changed", |run| {
            format!("{:.1} %", 100.0 * run.accuracy.after_shift)
        }),
        ("accuracy at the end", |run| {
            format!("{:.1} %", 100.0 * run.accuracy.end)
        }),
        ("power, mean (simulated)", |run| {
            format!("{:.2} W", run.power.mean_w)
        }),
        ("power, max of limit (simulated)", |run| {
            format!("{:.2} of {:.2} W", run.power.max_w, run.power.limit_w)
        }),
    ];
    let mut text = String::new();
    for (label, value) in rows {
        text.push_str(&format!("  {label:32}"));
        for run in runs {
            text.push_str(&format!("  {:>18}", value(run)));
        }
        text.push('\n');
    }
    text
}

impl Summary {
    /// `show` of the one stream the demo has.
    fn stream(&self, show: impl Fn(&Stream) -> String) -> String {
        self.streams.first().map(show).unwrap_or_default()
    }
}
