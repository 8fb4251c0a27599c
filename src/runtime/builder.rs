//! A [`Builder`] collects streams and jobs, and starts the dispatcher.

use super::dispatcher::Dispatcher;
use super::doorbell::Doorbell;
use super::ends::{Completions, Decisions, Events, Submitter};
use super::ring::Ring;
use super::side::{JobSide, Minibatch, StreamSide};
use super::watch::{Aborter, Aborters, Watch, Watchman};
use super::{Options, Runtime, RuntimeError, Uptime, realtime};
use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::schedule::log::Entry;
use crate::schedule::{JobSpec, Schedule, StreamSpec};
use crate::units::Nanos;
use crate::workload::{Inference, Training};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
        self.schedule.add_memory(work.memory_bytes());
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
        self.schedule.add_memory(work.memory_bytes());
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
        if let Some(most) = options.memory {
            schedule.set_memory(most);
        }
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
        let (ring, events, lost) = Ring::new();
        let stop = Arc::new(AtomicBool::new(false));
        let mode_changed = Arc::new(AtomicBool::new(false));
        let (warn, mut warnings) = rtrb::RingBuffer::new(4);
        let ready = Arc::new(Doorbell::default());
        let (log, decisions) = options.log_decisions.then(|| log_of(&schedule)).unzip();
        let mut runtime = Runtime {
            bounds: streams.iter().map(|side| side.bound).collect(),
            streams: streams.iter().map(|side| Arc::clone(&side.statistics)).collect(),
            jobs: jobs.iter().map(|side| Arc::clone(&side.statistics)).collect(),
            events: Some(Events {
                events,
                lost,
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
            events: ring,
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
fn log_of(schedule: &Schedule) -> (Ring<Entry>, Decisions) {
    let (ring, entries, lost) = Ring::new();
    let decisions = Decisions {
        schedule: schedule.clone(),
        entries,
        lost,
    };
    (ring, decisions)
}
