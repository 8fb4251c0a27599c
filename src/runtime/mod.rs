//! The [`Runtime`] owns one schedule, its workloads and the dispatcher thread that runs them.

pub mod control;
pub mod dispatcher;
pub mod doorbell;
mod futex;
pub mod realtime;
mod side;
mod uptime;
mod watch;

pub use realtime::{Realtime, Warning};
pub use side::Completion;
pub use uptime::Uptime;

use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::schedule::log::Entry;
use crate::schedule::statistics::Counter;
use crate::schedule::{
    Full, JobSpec, JobStatistics, Policy, Refusal, Request, Schedule, ScheduleError, StreamSpec,
    StreamStatistics, Submission,
};
use crate::trace::Event;
use crate::units::Nanos;
use crate::workload::{Inference, Training};
use core::fmt;
use dispatcher::{DecisionLog, Dispatcher};
use doorbell::Doorbell;
use side::{JobSide, Minibatch, StreamSide};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use watch::{Aborter, Aborters, Watch, Watchman};

/// How a runtime is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How work is ordered.
    pub policy: Policy,
    /// `s`: time from a decision to the first instruction of the work, the wake-up included.
    pub switch: Nanos,
    /// How far a training piece may overrun its announced length; part of every bound.
    pub late: Nanos,
    /// Start although admission says no. The bound is then printed and checked all the same.
    pub start_unfit: bool,
    /// What to ask of the operating system for the dispatcher thread.
    pub realtime: Realtime,
    /// Keep every input of the schedule and every decision, for [`Runtime::decisions`] and `fulcrum replay`.
    pub log_decisions: bool,
}

impl Default for Options {
    /// Policy `slack`; 200 us for a switch and 500 us of overrun, generous on a system without real-time priorities.
    fn default() -> Options {
        Options {
            policy: Policy::Slack,
            switch: Nanos::from_micros(200),
            late: Nanos::from_micros(500),
            start_unfit: false,
            realtime: Realtime::default(),
            log_decisions: false,
        }
    }
}

/// Why a runtime could not be made or started.
#[derive(Debug)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A stream or job was refused.
    Schedule(ScheduleError),
    /// The stream or job announces another number of pieces than its workload has.
    Pieces {
        /// Announced.
        announced: usize,
        /// What the workload has.
        workload: u16,
    },
    /// Admission said no.
    Refused(Refusal),
    /// The dispatcher thread could not be made.
    Thread(std::io::Error),
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeError::Schedule(error) => error.fmt(f),
            RuntimeError::Pieces { announced, workload } => {
                write!(
                    f,
                    "{announced} pieces were announced for a workload of {workload}"
                )
            }
            RuntimeError::Refused(refusal) => refusal.fmt(f),
            RuntimeError::Thread(error) => write!(f, "the dispatcher thread could not be made: {error}"),
        }
    }
}

impl std::error::Error for RuntimeError {}

impl From<ScheduleError> for RuntimeError {
    fn from(error: ScheduleError) -> RuntimeError {
        RuntimeError::Schedule(error)
    }
}

/// Hands requests of one stream in. One thread at a time; another stream has its own.
#[derive(Debug)]
pub struct Submitter {
    submissions: rtrb::Producer<Submission>,
    doorbell: Arc<Doorbell>,
    stream: usize,
    watch: Arc<Watch>,
}

impl Submitter {
    /// Hands `request` in, wakes the dispatcher, and gives up the training piece that runs where that is worth it. Neither blocks nor allocates; a full queue hands the request back.
    pub fn submit(&mut self, request: Request) -> Result<(), Full> {
        let submission = Submission {
            request,
            at: Monotonic.now(),
        };
        self.submissions.push(submission).map_err(|_| Full(submission))?;
        self.watch.abort_for(self.stream, request.release, submission.at);
        self.doorbell.ring();
        Ok(())
    }
}

/// Results of one stream, oldest first. One thread at a time.
#[derive(Debug)]
pub struct Completions(rtrb::Consumer<Completion>);

impl Completions {
    /// The next result, if there is one. Neither blocks nor allocates.
    pub fn poll(&mut self) -> Option<Completion> {
        self.0.pop().ok()
    }
}

/// Events of the dispatcher, oldest first.
#[derive(Debug)]
pub struct Events {
    events: rtrb::Consumer<Event>,
    lost: Arc<Counter>,
    watchman: Watchman,
}

impl Events {
    /// The next event, if there is one. A piece that hangs is told here while it runs: the dispatcher cannot, so a
    /// control loop that is to know calls this at its own rate.
    pub fn poll(&mut self) -> Option<Event> {
        let waiting = self.events.pop().ok();
        waiting.or_else(|| self.watchman.hung(Monotonic.now()))
    }

    /// Events that found the ring full, since the start.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }
}

/// The log of decisions, oldest first.
#[derive(Debug)]
pub struct Decisions {
    schedule: Schedule,
    entries: rtrb::Consumer<Entry>,
    lost: Arc<Counter>,
}

impl Decisions {
    /// The schedule as it was at the start, before the first entry.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The next entry, if there is one.
    pub fn poll(&mut self) -> Option<Entry> {
        self.entries.pop().ok()
    }

    /// Entries that found the ring full, since the start. A log that lost one cannot be replayed.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }
}

/// Collects streams and jobs before the start. All allocation happens here.
pub struct Builder {
    options: Options,
    schedule: Schedule,
    streams: Vec<StreamSide>,
    jobs: Vec<JobSide>,
    doorbell: Arc<Doorbell>,
    watch: Arc<Watch>,
}

impl Builder {
    /// An empty runtime.
    pub fn new(options: Options) -> Builder {
        Builder {
            options,
            schedule: Schedule::new(options.policy, options.switch, options.late),
            streams: Vec::new(),
            jobs: Vec::new(),
            doorbell: Arc::default(),
            watch: Arc::default(),
        }
    }

    /// Adds an inference stream; indices count from 0 in the order of adding.
    pub fn stream(
        &mut self,
        spec: StreamSpec,
        work: Box<dyn Inference>,
    ) -> Result<(Submitter, Completions), RuntimeError> {
        if spec.pieces.len().max(1) != usize::from(work.minibatch_pieces()) {
            return Err(RuntimeError::Pieces {
                announced: spec.pieces.len().max(1),
                workload: work.minibatch_pieces(),
            });
        }
        let stream = self.schedule.add_stream(spec)?;
        let (submit, submissions) = rtrb::RingBuffer::new(limits::REQUESTS);
        // Twice the queue: what waits and what has just been answered.
        let (completions, poll) = rtrb::RingBuffer::new(2 * limits::REQUESTS);
        self.streams.push(StreamSide {
            work,
            submissions,
            completions,
            statistics: Arc::default(),
            bound: None,
            version: 0,
            minibatch: Minibatch::default(),
        });
        Ok((
            Submitter {
                submissions: submit,
                doorbell: Arc::clone(&self.doorbell),
                stream,
                watch: Arc::clone(&self.watch),
            },
            Completions(poll),
        ))
    }

    /// Adds a training job; indices count from 0 in the order of adding. Where its workload has no aborter, `spec.abort`
    /// counts for nothing.
    pub fn job(&mut self, mut spec: JobSpec, work: Box<dyn Training>) -> Result<(), RuntimeError> {
        if spec.pieces.len() != usize::from(work.pieces()) {
            return Err(RuntimeError::Pieces {
                announced: spec.pieces.len(),
                workload: work.pieces(),
            });
        }
        let aborter = work.aborter();
        spec.abort = spec.abort.filter(|_| aborter.is_some());
        let latency = spec.abort;
        self.schedule.add_job(spec)?;
        self.jobs.push(JobSide {
            aborter: aborter.zip(latency),
            work,
            statistics: Arc::default(),
        });
        Ok(())
    }

    /// Checks that everything fits, and starts the dispatcher thread.
    pub fn start(self) -> Result<Runtime, RuntimeError> {
        let Builder {
            options,
            mut schedule,
            mut streams,
            mut jobs,
            doorbell,
            watch,
        } = self;
        if options.realtime.priority.is_some() {
            schedule.set_rest(realtime::rest());
        }
        let started = Monotonic.now();
        schedule.start(started);
        let admission = schedule.would_fit();
        if let Err(refusal) = admission
            && !options.start_unfit
        {
            return Err(RuntimeError::Refused(refusal));
        }
        for (index, side) in streams.iter_mut().enumerate() {
            side.bound = schedule.bound(index);
            side.statistics.set_present_bound(side.bound);
        }
        if schedule.aborts() {
            let aborter = |side: &mut JobSide| {
                side.aborter
                    .take()
                    .map(|(abort, latency)| Aborter { abort, latency })
            };
            watch.set_aborters(Aborters {
                jobs: jobs.iter_mut().map(aborter).collect(),
                patience: (0..streams.len())
                    .map(|stream| schedule.patience(stream))
                    .collect(),
            });
        }
        let (producer, consumer) = rtrb::RingBuffer::new(limits::EVENTS);
        let (stop, events_lost) = (Arc::new(AtomicBool::new(false)), Arc::new(Counter::default()));
        let mode_changed = Arc::new(AtomicBool::new(false));
        let (warn, mut warnings) = rtrb::RingBuffer::new(4);
        let ready = Arc::new(Doorbell::default());
        let (log, decisions) = options.log_decisions.then(|| log_of(&schedule)).unzip();
        let mut runtime = Runtime {
            bounds: streams.iter().map(|side| side.bound).collect(),
            streams: streams.iter().map(|side| Arc::clone(&side.statistics)).collect(),
            jobs: jobs.iter().map(|side| Arc::clone(&side.statistics)).collect(),
            events: Some(Events {
                events: consumer,
                lost: Arc::clone(&events_lost),
                watchman: Watchman {
                    watch: Arc::clone(&watch),
                    hung: jobs.iter().map(|side| Arc::clone(&side.statistics)).collect(),
                    told: Nanos::ZERO,
                },
            }),
            decisions,
            admission,
            warnings: Vec::new(),
            stop: Arc::clone(&stop),
            mode_changed: Arc::clone(&mode_changed),
            doorbell: Arc::clone(&doorbell),
            uptime: Arc::new(Uptime::starting(started)),
            thread: None,
        };
        let mut dispatcher = Box::new(Dispatcher {
            schedule,
            late: options.late,
            streams,
            jobs,
            events: producer,
            events_lost,
            decisions: log,
            doorbell,
            stop,
            watch,
            mode_changed,
        });
        let their_ready = Arc::clone(&ready);
        let body = move || {
            let mut warn = warn;
            options.realtime.apply(|warning| {
                let _ = warn.push(warning);
            });
            their_ready.ring();
            dispatcher.run();
        };
        let thread = std::thread::Builder::new()
            .name("fulcrum".into())
            .spawn(body)
            .map_err(RuntimeError::Thread)?;
        while ready.rings() == 0 {
            ready.wait(0, Nanos::MAX);
        }
        while let Ok(warning) = warnings.pop() {
            runtime.warnings.push(warning);
        }
        runtime.thread = Some(thread);
        Ok(runtime)
    }
}

/// Both ends of the log of what `schedule`, just started, will decide.
fn log_of(schedule: &Schedule) -> (DecisionLog, Decisions) {
    let (push, pull) = rtrb::RingBuffer::new(limits::EVENTS);
    let lost = Arc::new(Counter::default());
    (
        DecisionLog {
            entries: push,
            lost: Arc::clone(&lost),
        },
        Decisions {
            schedule: schedule.clone(),
            entries: pull,
            lost,
        },
    )
}

/// Tells a dispatcher that the power mode changed.
#[derive(Clone, Debug)]
pub struct ModeTeller {
    mode_changed: Arc<AtomicBool>,
    doorbell: Arc<Doorbell>,
}

impl ModeTeller {
    /// The power mode changed: what was measured in the old one no longer counts. From any thread; neither blocks nor
    /// allocates.
    pub fn mode_changed(&self) {
        self.mode_changed.store(true, Relaxed);
        self.doorbell.ring();
    }
}

/// A running dispatcher. Dropping it stops it.
#[derive(Debug)]
pub struct Runtime {
    bounds: Vec<Option<Nanos>>,
    streams: Vec<Arc<StreamStatistics>>,
    jobs: Vec<Arc<JobStatistics>>,
    events: Option<Events>,
    decisions: Option<Decisions>,
    admission: Result<(), Refusal>,
    warnings: Vec<Warning>,
    stop: Arc<AtomicBool>,
    mode_changed: Arc<AtomicBool>,
    doorbell: Arc<Doorbell>,
    uptime: Arc<Uptime>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// The worst-case latency promised to `stream`; `None` if there is no such stream or no bound.
    pub fn bound(&self, stream: usize) -> Option<Nanos> {
        self.bounds.get(stream).copied().flatten()
    }

    /// Tells the dispatcher that the power mode changed; any number of copies may be kept, for any thread.
    pub fn mode_teller(&self) -> ModeTeller {
        ModeTeller {
            mode_changed: Arc::clone(&self.mode_changed),
            doorbell: Arc::clone(&self.doorbell),
        }
    }

    /// How long it has run, or ran. The share of a stream or a job is its busy time over this.
    pub fn uptime(&self) -> &Arc<Uptime> {
        &self.uptime
    }

    /// What admission said at the start.
    pub fn admission(&self) -> Result<(), Refusal> {
        self.admission
    }

    /// What the operating system refused at the start.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Statistics of a stream; readable while it runs, and after.
    pub fn stream(&self, index: usize) -> Option<&Arc<StreamStatistics>> {
        self.streams.get(index)
    }

    /// Statistics of a job; readable while it runs, and after.
    pub fn job(&self, index: usize) -> Option<&Arc<JobStatistics>> {
        self.jobs.get(index)
    }

    /// The events; the first caller gets them.
    pub fn events(&mut self) -> Option<Events> {
        self.events.take()
    }

    /// The log of decisions, if one is kept; the first caller gets it.
    pub fn decisions(&mut self) -> Option<Decisions> {
        self.decisions.take()
    }

    /// Stops after the running piece and waits for the thread. Requests still waiting are not answered.
    pub fn stop(&mut self) {
        self.doorbell.stop(&self.stop);
        if let Some(thread) = self.thread.take() {
            // A workload's panic is caught where it runs, so the thread itself has nothing to report.
            let _ = thread.join();
            self.uptime.stopped();
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop();
    }
}
