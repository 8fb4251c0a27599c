//! One arm of the comparison: a policy over one cut of the training step, beside the stream, for a while.

use super::arrivals::Frames;
use crate::camera::{self, Camera, Light, PIXELS};
use crate::models::Models;
use crate::processor::{CAMERA, DISPATCHER, enter, on};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Completions, Options, Realtime, Runtime, Submitter};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Policy, Request, StreamSpec, name};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::{OnnxInference, OnnxTraining};
use fulcrum::workload::{Abort, Inference, Progress, Training, WorkloadError};
use std::error::Error;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two requests: 15 Hz.
pub(super) const PERIOD: Nanos = Nanos::period_of_millihertz(15_000);

/// How late a request may be handed in, and a piece may end; part of the bound.
pub(super) const ALLOWED: Nanos = Nanos::from_millis(1);

/// From a decision to the work; part of the bound.
const SWITCH: Nanos = Nanos::from_micros(200);

/// How long answers are waited for after the last period.
const PATIENCE: Nanos = Nanos::from_millis(300);

/// How long the threads of an arm stay after its last period.
pub(super) const LINGER: Nanos = Nanos::from_millis(20);

/// Minibatches drawn before the first arm, so that a fetch costs no more than copying one.
const DRAWN: usize = 16;

/// Where an arm runs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The dispatcher's processor; `None` where there is but one, which nobody may keep for himself.
    pub(super) cpu: Option<usize>,
    /// The dispatcher's real-time priority there; `None` leaves it in the class of the thread that starts it.
    pub(super) priority: Option<u8>,
}

/// The forward model, run several times for each request so that the stream is as heavy as wanted.
pub(super) struct Repeated {
    work: OnnxInference,
    pub(super) times: u32,
}

impl Repeated {
    /// One run for each request, over the same frame.
    pub(super) fn new(models: &Models) -> Result<Repeated, Box<dyn Error>> {
        let mut frame = [0.0; PIXELS];
        Camera::new(1).frame(Light::Day, &mut frame);
        let fill = move |_: &Request, row: &mut [f32]| {
            row.copy_from_slice(&frame);
            Ok(())
        };
        Ok(Repeated {
            work: models.inference(1, fill, None)?,
            times: 1,
        })
    }
}

impl Inference for Repeated {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        (0..self.times).try_for_each(|_| self.work.run(requests, answers))
    }
}

/// The training step in pieces of `wanted`, over minibatches drawn before.
pub(super) fn training(models: &Models, wanted: Option<Nanos>) -> Result<OnnxTraining, Box<dyn Error>> {
    let mut draw = camera::day_minibatches(1);
    let (mut drawn, mut next) = (Vec::new(), 0);
    let fetch = move |x: &mut [f32], y: &mut [i64]| {
        if drawn.len() < DRAWN {
            draw(x, y);
            drawn.push((x.to_vec(), y.to_vec()));
            return true;
        }
        if let Some((from_x, from_y)) = drawn.get(next) {
            x.copy_from_slice(from_x);
            y.copy_from_slice(from_y);
        }
        next = (next + 1) % DRAWN;
        true
    };
    let mut training = models.training(wanted, fetch, None)?;
    for _ in 0..DRAWN {
        training.run_piece(0)?;
    }
    Ok(training)
}

/// A workload lent to a runtime; it comes home when the runtime ends.
struct Lent<W> {
    work: Option<W>,
    home: rtrb::Producer<W>,
}

fn lend<W>(work: W) -> (Lent<W>, rtrb::Consumer<W>) {
    let (home, back) = rtrb::RingBuffer::new(1);
    (
        Lent {
            work: Some(work),
            home,
        },
        back,
    )
}

impl<W> Drop for Lent<W> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // There is room for the one.
            let _ = self.home.push(work);
        }
    }
}

impl<W: Inference> Inference for Lent<W> {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        let missing = WorkloadError::NoData;
        self.work.as_mut().ok_or(missing)?.run(requests, answers)
    }

    fn memory_bytes(&self) -> u64 {
        self.work.as_ref().map_or(0, W::memory_bytes)
    }

    fn version(&self) -> u32 {
        self.work.as_ref().map_or(0, W::version)
    }
}

impl<W: Training> Training for Lent<W> {
    fn pieces(&self) -> u16 {
        self.work.as_ref().map_or(0, W::pieces)
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        self.work.as_mut().ok_or(WorkloadError::NoData)?.run_piece(piece)
    }

    fn memory_bytes(&self) -> u64 {
        self.work.as_ref().map_or(0, W::memory_bytes)
    }

    fn aborter(&self) -> Option<Arc<dyn Abort>> {
        self.work.as_ref()?.aborter()
    }
}

/// A request and what became of it.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    pub(super) release: Nanos,
    /// When its minibatch started; `None` if it had not when the arm ended.
    pub(super) start: Option<Nanos>,
    /// When it was answered, or else when the arm ended.
    pub(super) end: Nanos,
}

impl Answered {
    pub(super) fn latency(&self) -> Nanos {
        self.end - self.release
    }
}

/// What one run of an arm came to.
pub(super) struct Outcome {
    pub(super) answered: Vec<Answered>,
    pub(super) bound: Option<Nanos>,
    /// Training steps ended, and the part of the one that had begun.
    pub(super) steps: f64,
    /// The time in which.
    pub(super) time: Nanos,
    /// Time that pieces given up had had.
    pub(super) wasted: Nanos,
    pub(super) warnings: Vec<String>,
}

/// The stream of an arm: its work and what is announced for it.
pub(super) struct Seeing<'a> {
    pub(super) work: &'a mut Option<Repeated>,
    pub(super) cost: Nanos,
}

/// The job of an arm: its work and what is announced for its pieces.
pub(super) struct Learning<'a> {
    pub(super) work: &'a mut Option<OnnxTraining>,
    pub(super) lengths: &'a [Nanos],
    /// How long it takes at most to give a piece up; `None`: pieces run to their end.
    pub(super) abort: Option<Nanos>,
}

/// Runs stream and job, whichever there are, under `policy` while `frames` come.
pub(super) fn play(
    place: Place,
    policy: Policy,
    frames: &Frames,
    seeing: Option<Seeing>,
    learning: Option<Learning>,
) -> Result<Outcome, Box<dyn Error>> {
    let kept = "a workload did not come back from its runtime";
    let mut builder = Builder::new(Options {
        policy,
        switch: SWITCH,
        late: ALLOWED,
        memory: None,
        // A policy that cannot keep the deadline is shown all the same: that is what the comparison is for.
        start_unfit: true,
        log_decisions: false,
        realtime: place.cpu.map_or(Realtime::default(), |cpu| Realtime {
            priority: place.priority,
            ..on(cpu, DISPATCHER)
        }),
    });
    let mut stream = None;
    let mut see_home = None;
    if let Some(Seeing { work, cost }) = seeing {
        let (lent, back) = lend(work.take().ok_or(kept)?);
        see_home = Some((work, back));
        stream = Some(builder.stream(camera_spec(frames.arrival, cost), Box::new(lent))?);
    }
    let mut learn_home = None;
    let mut lengths: &[Nanos] = &[];
    if let Some(learning) = learning {
        let (lent, back) = lend(learning.work.take().ok_or(kept)?);
        learn_home = Some((learning.work, back));
        lengths = learning.lengths;
        let spec = JobSpec {
            name: name("learner"),
            pieces: lengths.iter().copied().collect(),
            abort: learning.abort,
        };
        builder.job(spec, Box::new(lent))?;
    }
    let mut runtime = builder.start()?;
    let outcome = follow(place, frames, &runtime, stream, lengths);
    runtime.stop();
    drop(runtime);
    if let Some((work, mut back)) = see_home {
        *work = Some(back.pop().map_err(|_| kept)?);
    }
    if let Some((work, mut back)) = learn_home {
        *work = Some(back.pop().map_err(|_| kept)?);
    }
    outcome
}

fn camera_spec(arrival: Arrival, cost: Nanos) -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival,
        deadline: PERIOD,
        minibatch: 1,
        cost,
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    }
}

fn follow(
    place: Place,
    frames: &Frames,
    runtime: &Runtime,
    stream: Option<(Submitter, Completions)>,
    lengths: &[Nanos],
) -> Result<Outcome, Box<dyn Error>> {
    let start = frames
        .start
        .unwrap_or_else(|| Monotonic.now() + Nanos::from_millis(30));
    let last = start + frames.length;
    let (sensor, mut completions) = match stream {
        Some((submitter, completions)) => (Some(sensor(place, submitter, start, frames)?), Some(completions)),
        None => (None, None),
    };
    let mut answers = vec![
        None;
        if completions.is_some() {
            frames.releases.len()
        } else {
            0
        }
    ];
    let mut waiting = answers.len();
    Monotonic.sleep_until(start);
    let (first, first_at) = (trained(runtime, lengths), Monotonic.now());
    let mut trained_at = None;
    let mut now = first_at;
    while now < last || (waiting > 0 && now < last + PATIENCE) {
        std::thread::sleep(Duration::from_millis(4));
        while let Some(completion) = completions.as_mut().and_then(Completions::poll) {
            completion.answer?;
            if let Some(answer) = answers.get_mut(completion.request.token as usize) {
                *answer = Some((completion.start, completion.end));
                waiting -= 1;
            }
        }
        now = Monotonic.now();
        if now >= last && trained_at.is_none() {
            trained_at = Some((trained(runtime, lengths), now));
        }
    }
    if let Some(sensor) = sensor {
        // It ends by itself after its last request, and does not panic.
        let _ = sensor.join();
    }
    let (steps, trained_at) = trained_at.unwrap_or((first, now));
    if let Some(failures) = runtime
        .job(0)
        .map(|job| job.failures.get())
        .filter(|count| *count > 0)
    {
        return Err(format!("the training step failed {failures} times").into());
    }
    let answered = answers
        .iter()
        .zip(&frames.releases)
        .map(|(answer, release)| Answered {
            release: start + *release,
            start: answer.map(|(start, _)| start),
            end: answer.map_or(now, |(_, end)| end),
        });
    let parked = runtime.job(0).is_some_and(|job| job.parked.get() > 0);
    let parked = parked.then(|| {
        "pieces took so much longer than they were measured with that their job was parked: its rate is too low in such an \
         arm; this machine was busy, or its clock changed"
            .to_owned()
    });
    Ok(Outcome {
        answered: answered.collect(),
        bound: runtime.bound(0),
        steps: steps - first,
        time: trained_at - first_at,
        wasted: runtime.job(0).map_or(Nanos::ZERO, |job| Nanos(job.wasted.get())),
        warnings: runtime
            .warnings()
            .iter()
            .map(ToString::to_string)
            .chain(parked)
            .collect(),
    })
}

/// Training steps so far; of the one that has begun the part that its pieces make up.
fn trained(runtime: &Runtime, lengths: &[Nanos]) -> f64 {
    let sum = |lengths: &[Nanos]| lengths.iter().fold(Nanos::ZERO, |sum, it| sum + *it).0 as f64;
    runtime.job(0).map_or(0.0, |job| {
        let steps = job.steps.get();
        let begun = job.pieces.get().saturating_sub(steps * lengths.len() as u64) as usize;
        steps as f64 + sum(lengths.get(..begun).unwrap_or_default()) / sum(lengths).max(1.0)
    })
}

/// Hands in each frame. One that finds the queue full stays unanswered. Lives until the arm is over, so that
/// what it cost can be read from outside.
fn sensor(
    place: Place,
    mut submitter: Submitter,
    start: Nanos,
    frames: &Frames,
) -> std::io::Result<JoinHandle<()>> {
    let (releases, over) = (frames.releases.clone(), start + frames.length + LINGER);
    std::thread::Builder::new().name("camera".into()).spawn(move || {
        // Refused without the right to it; the dispatcher's own refusal is told.
        if let Some(cpu) = place.cpu {
            enter(cpu, CAMERA, |_| ());
        }
        for (release, token) in releases.into_iter().zip(0..) {
            let release = start + release;
            Monotonic.sleep_until(release);
            let _ = submitter.submit(Request { token, release });
        }
        Monotonic.sleep_until(over);
    })
}
