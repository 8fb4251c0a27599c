//! One run: the camera, the runtime and the simulated board, and what is seen of them.

use super::Arguments;
use super::camera::{Camera, Light, PIXELS, Random, SHAPES, vary};
use super::prepare::{DISPATCHER, LEARN, Models, Prepared, period};
use super::record::{self, Record, Summary};
use fulcrum::board::Board;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::Change;
use fulcrum::profile::Kind;
use fulcrum::runtime::control::{Control, Sample};
use fulcrum::runtime::realtime::set_fifo;
use fulcrum::runtime::{Builder, Completion, Completions, Events, Options, Realtime, Runtime, Submitter};
use fulcrum::schedule::{Arrival, JobSpec, Policy, Request, StreamSpec, name};
use fulcrum::trace::Event;
use fulcrum::twin::Paced;
use fulcrum::units::Nanos;
use fulcrum::workload::WorkloadError;
use fulcrum::workload::feed::{self, Pusher, Replay};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Frames on their way to inference, and labelled ones on their way to training.
const ON_THEIR_WAY: usize = 64;

/// Labelled frames the training draws from: the last four seconds of a 30 Hz camera.
const REPLAY: usize = 120;

/// Ratio from which the dispatcher may be a real-time thread. At 1000 it would keep its processor busy all the time, and
/// the kernel stops real-time threads that do (`sched_rt_runtime_us`, 95 %) for 50 ms: that would be a missed deadline.
const REALTIME_FROM: u64 = 1_150;

/// Real-time priority of the camera: above the dispatcher's, as a sensor's interrupt would be.
const CAMERA: u8 = 60;

/// How often the board's sensors are read.
const READ_EVERY: Nanos = Nanos::from_millis(100);

/// A request's token: the frame's number and, to judge the answer by, what the frame shows.
fn token(frame: u64, label: usize) -> u64 {
    frame * SHAPES.len() as u64 + label as u64
}

/// What a token says the frame shows.
fn label(token: u64) -> u64 {
    token % SHAPES.len() as u64
}

/// Plays the scene under `policy` in the planned mode, and leaves the board as it was found.
pub(super) fn play(
    arguments: &Arguments,
    models: &Models,
    prepared: &Prepared,
    policy: Policy,
) -> Result<Record, Box<dyn Error>> {
    let mut board = prepared.twin.clone();
    let applied = Change::begin(&mut board)?.apply(prepared.plan.mode)?;
    let outcome = play_in_mode(arguments, models, prepared, policy);
    applied.restore()?;
    outcome
}

fn play_in_mode(
    arguments: &Arguments,
    models: &Models,
    prepared: &Prepared,
    policy: Policy,
) -> Result<Record, Box<dyn Error>> {
    let (to_inference, mut from_camera) = feed::handover(PIXELS, ON_THEIR_WAY);
    let (to_training, mut labelled) = feed::handover(PIXELS, ON_THEIR_WAY);
    let (sender, receiver) = models.swap();
    let see = models.inference(
        prepared.plan.minibatch as usize,
        move |request, row| loop {
            // A frame whose request found the queue full has no request; it is passed over.
            match from_camera.pull(row) {
                Some(tag) if tag == request.token => return Ok(()),
                Some(_) => {}
                None => return Err(WorkloadError::NoData),
            }
        },
        Some(receiver),
    )?;
    let mut replay = Replay::new(PIXELS, REPLAY, arguments.seed);
    let mut random = Random(arguments.seed);
    let fetch = move |x: &mut [f32], y: &mut [i64]| {
        replay.refill(&mut labelled);
        let drawn = replay.draw(x, y);
        if drawn {
            x.chunks_exact_mut(PIXELS)
                .for_each(|frame| vary(&mut random, frame));
        }
        drawn
    };
    // `slack` runs pieces; the other two know whole minibatches only.
    let wanted = (policy == Policy::Slack).then_some(prepared.wanted);
    let learn = models.training(wanted, fetch, Some(sender))?;
    let pieces = learn
        .piece_lengths()
        .iter()
        .map(|length| prepared.announced(*length))
        .collect();
    let allowance = prepared.allowance;
    let calm = prepared.twin.ratio(&prepared.plan.mode, Kind::Training) >= REALTIME_FROM;
    let options = Options {
        policy,
        switch: allowance.switch,
        late: allowance.late,
        // A policy that cannot keep the limit is shown all the same: that is what the comparison is for.
        start_unfit: true,
        realtime: Realtime {
            priority: calm.then_some(DISPATCHER),
            ..Realtime::default()
        },
    };
    let period = period(arguments);
    let limit = Nanos((arguments.latency_ms * 1e6) as u64);
    let spec = StreamSpec {
        name: name("camera"),
        arrival: Arrival::Periodic {
            period,
            jitter: allowance.jitter,
        },
        deadline: limit,
        minibatch: prepared.plan.minibatch,
        cost: prepared.cost,
    };
    let mut builder = Builder::new(options);
    let see = Paced::new(see, prepared.twin.clone());
    let (submitter, completions) = builder.stream(spec, Box::new(see))?;
    let learn = Paced::new(learn, prepared.twin.clone());
    builder.job(
        JobSpec {
            name: name(LEARN),
            pieces,
        },
        Box::new(learn),
    )?;
    let mut runtime = builder.start()?;
    announce(arguments, policy, &runtime);
    let control = Control::start(prepared.twin.clone(), READ_EVERY)?;
    let start = Monotonic.now() + Nanos::from_millis(50);
    let camera = Sensor {
        camera: Camera::new(arguments.seed.wrapping_add(1)),
        start,
        period,
        frames: arguments.seconds * 1_000_000_000 / period.0,
        light_changes: start + Nanos::from_millis(arguments.seconds * 1_000 / 3),
        to_inference,
        to_training,
        submitter,
        turned_away: Arc::default(),
    };
    let mut watch = Watch {
        start,
        light_changes: camera.light_changes,
        completions,
        events: runtime.events(),
        control,
        answers: Vec::new(),
        samples: Vec::new(),
        kept: Vec::new(),
    };
    let turned_away = Arc::clone(&camera.turned_away);
    let frames = camera.frames;
    let thread = camera.run()?;
    watch.follow(arguments, prepared, &runtime, frames, &turned_away);
    // The camera thread ends by itself after its last frame; it does not panic.
    let _ = thread.join();
    runtime.stop();
    watch.drain();
    Ok(watch.record(arguments, prepared, policy, &runtime))
}

/// Says what was promised before anything runs.
fn announce(arguments: &Arguments, policy: Policy, runtime: &Runtime) {
    let bound = runtime
        .bound(0)
        .map_or("no bound: overload".to_string(), |bound| format!("bound {bound}"));
    eprintln!(
        "\npolicy {policy}: {bound}, limit {:.3} ms, {} s to run",
        arguments.latency_ms, arguments.seconds
    );
    if let Err(refusal) = runtime.admission() {
        eprintln!("admission says no: {refusal}; it runs all the same, to show what happens");
    }
    for warning in runtime.warnings() {
        eprintln!("warning: {warning}");
    }
}

/// The camera's thread.
struct Sensor {
    camera: Camera,
    start: Nanos,
    period: Nanos,
    frames: u64,
    light_changes: Nanos,
    to_inference: Pusher,
    to_training: Pusher,
    submitter: Submitter,
    /// Frames that found the queue full.
    turned_away: Arc<AtomicU64>,
}

impl Sensor {
    fn run(mut self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("camera".into()).spawn(move || {
            // Refused without the right to it; frames then come a little later, which the jitter allows for.
            let _ = set_fifo(CAMERA);
            let mut pixels = [0.0; PIXELS];
            for frame in 0..self.frames {
                let release = self.start + self.period.times(frame);
                let light = if release < self.light_changes {
                    Light::Day
                } else {
                    Light::Backlit
                };
                // Drawn ahead, so that the frame is there at its moment.
                let label = self.camera.frame(light, &mut pixels);
                Monotonic.sleep_until(release);
                let token = token(frame, label);
                let handed_over = self.to_inference.push(&pixels, token).is_ok();
                if !handed_over || self.submitter.submit(Request { token, release }).is_err() {
                    self.turned_away.fetch_add(1, Relaxed);
                }
                // Where training is behind, it does without this frame.
                let _ = self.to_training.push(&pixels, label as u64);
            }
        })
    }
}

/// Follows a run: collects what comes out of it and says once a second how it stands.
struct Watch {
    start: Nanos,
    light_changes: Nanos,
    completions: Completions,
    events: Option<Events>,
    control: Control,
    answers: Vec<Completion>,
    samples: Vec<Sample>,
    kept: Vec<Event>,
}

impl Watch {
    fn drain(&mut self) {
        while let Some(completion) = self.completions.poll() {
            self.answers.push(completion);
        }
        while let Some(event) = self.events.as_mut().and_then(Events::poll) {
            self.kept.push(event);
        }
        while let Some(sample) = self.control.poll() {
            self.samples.push(sample);
        }
    }

    /// Until the last frame is answered, or two seconds after it was due.
    fn follow(
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
        let board = self.samples.last().map_or("-".to_string(), |sample| {
            let heat = sample
                .temperature
                .map_or(String::new(), |heat| format!(" {heat}"));
            format!("{}{heat}", sample.power)
        });
        let light = if self.start + Nanos::from_secs(second) > self.light_changes {
            "backlit"
        } else {
            "day"
        };
        eprintln!(
            "{second:4} s {light:7} p50 {:5.2} p99 {:5.2} max {:5.2} of bound {bound} ms, misses {}, training {steps:3}/s, loss \
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

    fn record(self, arguments: &Arguments, prepared: &Prepared, policy: Policy, runtime: &Runtime) -> Record {
        let end = self.start + Nanos::from_secs(arguments.seconds);
        // A fifth of the run, long enough that single frames do not decide.
        let window = Nanos::from_millis(arguments.seconds * 200);
        let seconds = |at: Nanos| (at - self.start).as_secs_f64();
        let share = |from, to| self.accuracy(from, to).unwrap_or(0.0);
        let losses: Vec<f64> = self.steps().map(|(_, loss)| loss).collect();
        let tail = losses.len().saturating_sub(losses.len().div_ceil(10).min(20));
        let last = self.samples.last();
        let power = |of: fn(&Sample) -> fulcrum::units::Milliwatts| {
            last.map_or(0.0, |sample| of(sample).as_watts_f64())
        };
        let stream = runtime.stream(0).map(|statistics| record::Stream {
            name: "camera".to_string(),
            rate_hz: arguments.rate_hz,
            requests: statistics.latency.count(),
            p50_ms: statistics.latency.quantile(5_000).as_millis_f64(),
            p99_ms: statistics.latency.quantile(9_900).as_millis_f64(),
            max_ms: statistics.latency.max().as_millis_f64(),
            bound_ms: runtime.bound(0).map(Nanos::as_millis_f64),
            misses: statistics.misses.get(),
            bound_violations: statistics.bound_violations.get(),
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
            },
            accuracy: record::Accuracy {
                before: share(self.light_changes - window, self.light_changes),
                after_shift: share(self.light_changes, self.light_changes + Nanos::from_secs(1)),
                end: share(end - window, end),
            },
            power: record::Power {
                limit_w: arguments.power_w,
                mean_w: power(|sample| sample.mean),
                max_w: power(|sample| sample.max),
            },
            policy: policy.to_string(),
        };
        let over_the_last_second = |answer: &Completion| {
            let to = answer.request.release + Nanos(1);
            (seconds(to), share(to - Nanos::from_secs(1), to))
        };
        Record {
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
                .map(|sample| (seconds(sample.at), sample.power.as_watts_f64()))
                .collect(),
            events: self.kept,
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
