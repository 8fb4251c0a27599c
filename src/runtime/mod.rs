//! The [`Runtime`] owns one schedule, its workloads and the dispatcher thread that runs them.

mod builder;
pub mod control;
pub mod dispatcher;
pub mod doorbell;
mod ends;
mod error;
mod futex;
pub mod realtime;
mod ring;
mod side;
mod uptime;
mod watch;

pub use builder::Builder;
pub use ends::{Completions, Decisions, Events, Submitter};
pub use error::RuntimeError;
pub use realtime::{Realtime, Warning};
pub use side::Completion;
pub use uptime::Uptime;

use crate::schedule::{JobStatistics, Policy, Refusal, StreamStatistics};
use crate::units::Nanos;
use doorbell::Doorbell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// How a runtime is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How work is ordered.
    pub policy: Policy,
    /// `s`: time from a decision to the first instruction of the work, the wake-up included.
    pub switch: Nanos,
    /// How far a training piece may overrun its announced length; part of every bound.
    pub late: Nanos,
    /// The most bytes that streams and jobs may hold together, by what their workloads say; `None`, the default: nobody counts.
    pub memory: Option<u64>,
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
            memory: None,
            start_unfit: false,
            realtime: Realtime::default(),
            log_decisions: false,
        }
    }
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
