//! The watch follows a run: it collects what comes out, says once a second how it stands, and makes the record.

use super::Arguments;
use super::prepare::{Prepared, period};
use super::record::{self, Record, Summary};
use crate::camera::SHAPES;
use crate::stalls::{self, Stall};
use fulcrum::board::Board;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::Window;
use fulcrum::runtime::control::{Control, Sample};
use fulcrum::runtime::{Completion, Completions, Decisions, Events, Runtime};
use fulcrum::schedule::Policy;
use fulcrum::schedule::log::{Entry, text};
use fulcrum::trace::Event;
use fulcrum::units::{Milliwatts, Nanos};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A request's token: the frame's number and, to judge the answer by, what the frame shows.
pub(super) fn token(frame: u64, label: usize) -> u64 {
    frame * SHAPES.len() as u64 + label as u64
}

/// What a token says the frame shows.
fn label(token: u64) -> u64 {
    token % SHAPES.len() as u64
}

/// Follows a run: collects what comes out of it and says once a second how it stands.
pub(super) struct Watch {
    start: Nanos,
    light_changes: Nanos,
    completions: Completions,
    events: Option<Events>,
    decisions: Option<Decisions>,
    control: Control,
    answers: Vec<Completion>,
    samples: Vec<Sample>,
    kept: Vec<Event>,
    log: Vec<Entry>,
}

impl Watch {
    /// Over a run that starts at `start` and whose light changes at `light_changes`.
    pub(super) fn new(
        start: Nanos,
        light_changes: Nanos,
        completions: Completions,
        events: Option<Events>,
        decisions: Option<Decisions>,
        control: Control,
    ) -> Watch {
        Watch {
            start,
            light_changes,
            completions,
            events,
            decisions,
            control,
            answers: Vec::new(),
            samples: Vec::new(),
            kept: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Takes whatever has come since the last call.
    pub(super) fn drain(&mut self) {
        while let Some(completion) = self.completions.poll() {
            self.answers.push(completion);
        }
        while let Some(event) = self.events.as_mut().and_then(Events::poll) {
            self.kept.push(event);
        }
        while let Some(entry) = self.decisions.as_mut().and_then(Decisions::poll) {
            self.log.push(entry);
        }
        while let Some(sample) = self.control.poll() {
            self.samples.push(sample);
        }
    }

    /// Until the last frame is answered, or two seconds after it was due.
    pub(super) fn follow(
        &mut self,
        arguments: &Arguments,
        prepared: &Prepared,
        runtime: &Runtime,
        frames: u64,
        turned_away: &AtomicU64,
    ) {
        let last = self.start + period(arguments).times(frames);
        let mut second = 1;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            self.drain();
            let now = Monotonic.now();
            if now >= self.start + Nanos::from_secs(second) && second <= arguments.seconds {
                self.say(prepared, runtime, second);
                second += 1;
            }
            let done = self.answers.len() as u64 + turned_away.load(Relaxed) >= frames;
            if now >= last && (done || now >= last + Nanos::from_secs(2)) {
                return;
            }
        }
    }

    /// One line: how it stands after `second` seconds.
    fn say(&self, prepared: &Prepared, runtime: &Runtime, second: u64) {
        let (Some(stream), Some(job)) = (runtime.stream(0), runtime.job(0)) else {
            return;
        };
        let from = self.start + Nanos::from_secs(second - 1);
        let to = self.start + Nanos::from_secs(second);
        let steps = self.steps().filter(|(at, _)| *at >= from && *at < to).count();
        let ms = |time: Nanos| time.as_millis_f64();
        let bound = runtime
            .bound(0)
            .map_or("none".to_string(), |bound| format!("{:.1}", ms(bound)));
        let loss = job
            .losses()
            .map_or("-".to_string(), |(_, last)| format!("{last:.2}"));
        let accuracy = self
            .accuracy(from, to)
            .map_or("-".to_string(), |share| format!("{:3.0} %", 100.0 * share));
        let power = self.samples.iter().rev().find_map(|sample| sample.power);
        let power = power.map_or("-".to_string(), |power| power.to_string());
        let heat = self.samples.last().and_then(|sample| sample.temperature);
        let board = heat.map_or(power.clone(), |heat| format!("{power} {heat}"));
        let light = if self.start + Nanos::from_secs(second) > self.light_changes {
            "glare"
        } else {
            "day"
        };
        eprintln!(
            "{second:4} s {light:5} p50 {:5.2} p99 {:5.2} max {:5.2} of bound {bound} ms, misses {}, training {steps:3}/s, loss \
             {loss}, accuracy {accuracy}, simulated board {board} in mode {}",
            ms(stream.latency.quantile(5_000)),
            ms(stream.latency.quantile(9_900)),
            ms(stream.latency.max()),
            stream.misses.get(),
            prepared.plan.mode_index,
        );
    }

    /// Moment and loss of every step.
    fn steps(&self) -> impl Iterator<Item = (Nanos, f64)> {
        self.kept.iter().filter_map(|event| match *event {
            Event::Step { loss, at, .. } => Some((at, f64::from(loss))),
            _ => None,
        })
    }

    /// Share of right answers to the frames released from `from` until `to`; `None` if there were none.
    fn accuracy(&self, from: Nanos, to: Nanos) -> Option<f64> {
        let within = |answer: &&Completion| answer.request.release >= from && answer.request.release < to;
        let right = |answer: &Completion| answer.answer == Ok(label(answer.request.token));
        let (all, good) = self
            .answers
            .iter()
            .filter(within)
            .fold((0_u32, 0_u32), |(all, good), answer| {
                (all + 1, good + u32::from(right(answer)))
            });
        (all > 0).then(|| f64::from(good) / f64::from(all))
    }

    /// The log of decisions as a file, if one is kept.
    fn log(&self) -> Option<Vec<u8>> {
        let decisions = self.decisions.as_ref()?;
        let mut file = Vec::new();
        // Nothing fails that is written to memory.
        let _ = text::write(&mut file, decisions.schedule(), &self.log, decisions.lost());
        Some(file)
    }

    /// What the run came to.
    pub(super) fn record(
        self,
        arguments: &Arguments,
        prepared: &Prepared,
        policy: Policy,
        runtime: &Runtime,
        stalls: Option<&[Stall]>,
    ) -> Record {
        let end = self.start + Nanos::from_secs(arguments.seconds);
        // A fifth of the run, long enough that single frames do not decide.
        let window = Nanos::from_millis(arguments.seconds * 200);
        let seconds = |at: Nanos| (at - self.start).as_secs_f64();
        let share = |from, to| self.accuracy(from, to).unwrap_or(0.0);
        let losses: Vec<f64> = self.steps().map(|(_, loss)| loss).collect();
        let tail = losses.len().saturating_sub(losses.len().div_ceil(10).min(20));
        let last = self.samples.last();
        let power = |of: fn(&Window) -> Option<Milliwatts>| {
            let power = last.and_then(|sample| of(&sample.window));
            power.map_or(0.0, Milliwatts::as_watts_f64)
        };
        let limit = Nanos((arguments.latency_ms * 1e6) as u64);
        // A stall delays a frame too if it fell into the piece that was running when the frame came.
        let explained = |answer: &&Completion, allowed: Nanos| {
            let (release, end) = (answer.request.release, answer.end);
            let away = stalls::within(stalls.unwrap_or_default(), release - period(arguments), end);
            (end - release) > allowed && (end - release) - away <= allowed
        };
        let explained = |allowed| self.answers.iter().filter(|it| explained(it, allowed)).count() as u64;
        let bound = runtime.bound(0).unwrap_or(Nanos::MAX);
        let (stalled_misses, stalled_violations) = (explained(limit), explained(bound));
        let stream = runtime.stream(0).map(|statistics| record::Stream {
            name: "camera".to_string(),
            rate_hz: arguments.rate_hz,
            requests: statistics.latency.count(),
            p50_ms: statistics.latency.quantile(5_000).as_millis_f64(),
            p99_ms: statistics.latency.quantile(9_900).as_millis_f64(),
            max_ms: statistics.latency.max().as_millis_f64(),
            bound_ms: runtime.bound(0).map(Nanos::as_millis_f64),
            misses: statistics.misses.get().saturating_sub(stalled_misses),
            bound_violations: statistics
                .bound_violations
                .get()
                .saturating_sub(stalled_violations),
            stalled: stalled_misses.max(stalled_violations),
        });
        let steps = runtime.job(0).map_or(0, |job| job.steps.get());
        let summary = Summary {
            board: record::Board {
                name: prepared.twin.facts().name().to_string(),
                simulated: prepared.twin.facts().simulated(),
            },
            plan: record::Plan {
                mode: prepared.plan.mode.to_string(),
                minibatch: prepared.plan.minibatch,
                bound_ms: prepared.plan.bound.as_millis_f64(),
                power_w: prepared.plan.power.as_watts_f64(),
                binding: prepared.plan.binding.to_string(),
            },
            streams: stream.into_iter().collect(),
            training: record::Training {
                minibatches: steps,
                rate_hz: steps as f64 / arguments.seconds as f64,
                loss_first: mean(losses.get(..losses.len().min(5)).unwrap_or_default()),
                loss_last: mean(losses.get(tail..).unwrap_or_default()),
                swaps: runtime.job(0).map_or(0, |job| job.swaps.get()),
                rejected: runtime.job(0).map_or(0, |job| job.rejected.get()),
            },
            accuracy: record::Accuracy {
                before: share(self.light_changes - window, self.light_changes),
                after_shift: share(self.light_changes, self.light_changes + Nanos::from_secs(1)),
                end: share(end - window, end),
            },
            power: record::Power {
                limit_w: arguments.power_w,
                mean_w: power(Window::mean),
                max_w: power(Window::max),
            },
            host: record::Host {
                watched: stalls.is_some(),
                stalls: stalls.map_or(0, <[Stall]>::len),
                longest_stall_ms: stalls::longest(stalls.unwrap_or_default()).as_millis_f64(),
            },
            checkpoint: None,
            policy: policy.to_string(),
        };
        let over_the_last_second = |answer: &Completion| {
            let to = answer.request.release + Nanos(1);
            (seconds(to), share(to - Nanos::from_secs(1), to))
        };
        Record {
            log: self.log(),
            summary,
            limit_ms: arguments.latency_ms,
            light_changes_s: seconds(self.light_changes),
            latency: self
                .answers
                .iter()
                .map(|it| {
                    (
                        seconds(it.request.release),
                        (it.end - it.request.release).as_millis_f64(),
                    )
                })
                .collect(),
            // Every fifth frame is enough to see the curve.
            accuracy: self.answers.iter().step_by(5).map(over_the_last_second).collect(),
            loss: self.steps().map(|(at, loss)| (seconds(at), loss)).collect(),
            power: self
                .samples
                .iter()
                .filter_map(|sample| Some((seconds(sample.at), sample.power?.as_watts_f64())))
                .collect(),
            events: self.kept,
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
