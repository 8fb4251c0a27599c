//! One run: the camera, the runtime and the simulated board, and what is seen of them.

use super::Arguments;
use super::keep::{Kept, keep};
use super::prepare::{LEARN, Prepared, period};
use super::record::Record;
use super::watch::{Watch, token};
use crate::camera::{Camera, Light, PIXELS, Random, vary};
use crate::models::Models;
use crate::processor::{CAMERA, DISPATCHER, last_cpu, on};
use crate::stalls::Watchman;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::Change;
use fulcrum::profile::Kind;
use fulcrum::runtime::control::Control;
use fulcrum::runtime::{Builder, Options, Realtime, Runtime, Submitter};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Policy, Request, StreamSpec, name};
use fulcrum::twin::Paced;
use fulcrum::units::Nanos;
use fulcrum::workload::feed::{self, HeldOut, Pusher, Replay, Split};
use fulcrum::workload::gate::{Gate, Gated};
use fulcrum::workload::onnx::Publish;
use fulcrum::workload::{Training, WorkloadError, swap};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Frames on their way to inference, and labelled ones on their way to training.
const ON_THEIR_WAY: usize = 64;

/// Labelled frames the training draws from: the last four seconds of a 30 Hz camera.
const REPLAY: usize = 120;

/// Every so many frames one is held out from training, to judge new weights by.
const HOLD_OUT_EVERY: u32 = 4;

/// Held-out frames that weights are judged by: the last four seconds of a 30 Hz camera, as in training.
const HELD_OUT: usize = 32;

/// Held-out frames judged in one piece.
const JUDGED: usize = 4;

/// Ratio from which the dispatcher may be a real-time thread. At 1000 it would keep its processor busy all the time, and
/// the kernel stops real-time threads that do (`sched_rt_runtime_us`, 95 %) for 50 ms: that would be a missed deadline.
const REALTIME_FROM: u64 = 1_150;

/// How often the board's sensors are read.
const READ_EVERY: Nanos = Nanos::from_millis(100);

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
    let (to_gate, held_out) = feed::handover(PIXELS, ON_THEIR_WAY);
    let (publisher, serving, _) = swap::channel();
    let mut see = models.inference(
        prepared.plan.minibatch as usize,
        move |request, row| loop {
            // A frame whose request found the queue full has no request; it is passed over.
            match from_camera.pull(row) {
                Some(tag) if tag == request.token => return Ok(()),
                Some(_) => {}
                None => return Err(WorkloadError::NoData),
            }
        },
        Some(serving),
    )?;
    let publish = see.take_weight_sets().map(|sets| Publish {
        sets,
        held_out: HeldOut::new(held_out, HELD_OUT),
        minibatch: JUDGED,
    });
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
    let learn = models.training(wanted, fetch, publish)?;
    let (fill, eval) = learn.gate_lengths();
    let all = learn.piece_lengths().iter().copied().chain([fill, eval]);
    let longest_piece = all.max().unwrap_or(Nanos::MAX);
    let own: Vec<Nanos> = learn
        .piece_lengths()
        .iter()
        .map(|length| prepared.announced(*length))
        .collect();
    let mut learn = Gated::new(learn, publisher, Gate::default());
    let mut pieces = learn
        .lengths(&own, prepared.announced(fill), prepared.announced(eval))
        .ok_or("the training step has too many pieces; raise --piece-ms")?;
    let (learn, kept): (Box<dyn Training>, _) = match &arguments.checkpoint {
        None => (Box::new(learn), None),
        Some(folder) => {
            let (learn, kept) = keep(learn, folder, &mut pieces, |it| prepared.announced(it))?;
            (learn, Some(kept))
        }
    };
    let allowance = prepared.allowance;
    let calm = prepared.twin.ratio(&prepared.plan.mode, Kind::Training) >= REALTIME_FROM;
    let cpu = last_cpu();
    let options = Options {
        policy,
        switch: allowance.switch,
        late: allowance.late,
        memory: None,
        // A policy that cannot keep the limit is shown all the same: that is what the comparison is for.
        start_unfit: true,
        realtime: if calm {
            on(cpu, DISPATCHER)
        } else {
            Realtime::default()
        },
        log_decisions: arguments.log.is_some(),
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
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    };
    let mut builder = Builder::new(options);
    // A frame's own work takes twice its upper quantile at most; see `Paced`.
    let see = Paced::new(see, prepared.twin.clone(), prepared.host_cost.times(2));
    let (submitter, completions) = builder.stream(spec, Box::new(see))?;
    let learn = Paced::new(learn, prepared.twin.clone(), longest_piece.times(2));
    builder.job(
        JobSpec {
            name: name(LEARN),
            pieces,
            abort: None,
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
        to_training: Split::new(to_training, to_gate, HOLD_OUT_EVERY),
        submitter,
        turned_away: Arc::default(),
        realtime: on(cpu, CAMERA),
    };
    let watchman = if calm { Some(Watchman::start(cpu)?) } else { None };
    let mut watch = Watch::new(
        start,
        camera.light_changes,
        completions,
        runtime.events(),
        runtime.decisions(),
        control,
    );
    let turned_away = Arc::clone(&camera.turned_away);
    let frames = camera.frames;
    let thread = camera.run()?;
    watch.follow(arguments, prepared, &runtime, frames, &turned_away);
    // The camera thread ends by itself after its last frame; it does not panic.
    let _ = thread.join();
    runtime.stop();
    watch.drain();
    let stalls = watchman.map(Watchman::stop);
    let mut record = watch.record(arguments, prepared, policy, &runtime, stalls.as_deref());
    record.summary.checkpoint = kept.map(Kept::stop);
    Ok(record)
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
    to_training: Split,
    submitter: Submitter,
    /// Frames that found the queue full.
    turned_away: Arc<AtomicU64>,
    realtime: Realtime,
}

impl Sensor {
    fn run(mut self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("camera".into()).spawn(move || {
            // Refused without the right to it; frames then come a little later, which the jitter allows for.
            self.realtime.apply(|_| ());
            let mut pixels = [0.0; PIXELS];
            for frame in 0..self.frames {
                let release = self.start + self.period.times(frame);
                let light = if release < self.light_changes {
                    Light::Day
                } else {
                    Light::Glare
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
