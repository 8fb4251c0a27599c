//! The [`Handle`] is what a runtime's pointer points to: its phase, its parts and who may touch them when.

use super::checkpoint::{Keeping, Kept};
use super::fault::Fault;
use super::gate::{Gate, Inside};
use super::opaque::Named;
use super::runtime::fulcrum_runtime_t;
use super::stream::Port;
use super::trainer::Trainer;
use crate::limits;
use crate::runtime::{Builder, Events, ModeTeller, Options, Runtime, Uptime, Warning};
use crate::schedule::{JobSpec, JobStatistics, StreamStatistics};
use crate::units::Nanos;
use crate::workload::checkpoint::{Keeper, Writer};
use crate::workload::gate::Gated;
use crate::workload::swap::Publisher;
use crate::workload::{self, Training};
use core::cell::Cell;
use core::sync::atomic::{AtomicU8, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, OnceLock};

/// Where a runtime stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Takes streams and jobs.
    Open,
    /// The dispatcher runs.
    Started,
    /// The dispatcher has ended; results and statistics can still be read.
    Stopped,
    /// The start was refused; what is left is to close.
    Refused,
}

impl Phase {
    /// The fault of a call that this phase has no place for.
    fn refuses(self) -> Fault {
        Fault::Phase(match self {
            Phase::Open => "the runtime was not started yet",
            Phase::Started => "the runtime was started before; streams and jobs are added before the start",
            Phase::Stopped => "the runtime is stopped; close it and open another",
            Phase::Refused => "the start was refused; close the runtime and open another",
        })
    }
}

/// What the owner's calls work on: add, start, stop.
pub(super) enum Owned {
    Building(Building),
    Started(Started),
    Nothing,
}

/// A runtime that runs. The order of the fields is that of their end: what is copied last is still written.
pub(super) struct Started {
    runtime: Box<Runtime>,
    keepers: Vec<Keeper>,
}

/// A runtime before its start.
pub(super) struct Building {
    pub(super) builder: Box<Builder>,
    /// Streams added so far.
    pub(super) streams: u32,
    /// Jobs added so far.
    pub(super) jobs: u32,
    /// By stream: where its new weights are handed in; `None` where it takes none, or a job has this end.
    pub(super) publishers: Vec<Option<Publisher>>,
    /// The file side of the checkpoints.
    writers: Vec<Writer>,
    /// By job: what it keeps.
    kept: Vec<Option<Kept>>,
}

impl Building {
    /// Refuses a stream that is not there or takes no new weights.
    pub(super) fn swaps(&self, stream: u32) -> Result<(), Fault> {
        match self.publishers.get(stream as usize) {
            None => Err(Fault::NoStream(stream)),
            Some(None) => Err(Fault::NoSwap(stream)),
            Some(Some(_)) => Ok(()),
        }
    }

    /// Takes the end of a stream where its new weights are handed in.
    pub(super) fn take_publisher(&mut self, stream: u32) -> Result<Publisher, Fault> {
        let publisher = self.publishers.get_mut(stream as usize);
        publisher.and_then(Option::take).ok_or(Fault::NoSwap(stream))
    }

    /// Adds a job that was checked: through the gate if it has a stream, with checkpoints if it keeps any.
    pub(super) fn add_job(
        &mut self,
        mut spec: JobSpec,
        trainer: Trainer,
        published: Option<(Publisher, workload::gate::Gate)>,
        keeping: Option<Keeping>,
    ) -> Result<(), Fault> {
        let (work, writer, kept): (Box<dyn Training>, _, _) = match (published, keeping) {
            (None, None) => (Box::new(trainer), None, None),
            (Some((publisher, gate)), None) => (Box::new(Gated::new(trainer, publisher, gate)), None, None),
            (None, Some(keeping)) => {
                let (work, writer, kept) = keeping.of(trainer, &mut spec)?;
                (work, Some(writer), Some(kept))
            }
            (Some((publisher, gate)), Some(keeping)) => {
                let gated = Gated::new(trainer, publisher, gate);
                let (work, writer, kept) = keeping.of(gated, &mut spec)?;
                (work, Some(writer), Some(kept))
            }
        };
        self.builder.job(spec, work)?;
        self.writers.extend(writer);
        self.kept.push(kept);
        Ok(())
    }
}

impl Building {
    /// Starts the threads: first those that write, for a job may hand something over at once.
    fn start(self) -> Result<(Started, Vec<Option<Kept>>), Fault> {
        let keepers = self.writers.into_iter().map(Writer::start);
        let keepers = keepers.collect::<Result<Vec<_>, _>>()?;
        let runtime = Box::new(self.builder.start()?);
        Ok((Started { runtime, keepers }, self.kept))
    }
}

/// What any thread may read after the start. Never changes again.
pub(super) struct View {
    pub(super) bounds: Vec<Option<Nanos>>,
    pub(super) streams: Vec<Arc<StreamStatistics>>,
    pub(super) jobs: Vec<Arc<JobStatistics>>,
    pub(super) warnings: Vec<Warning>,
    pub(super) uptime: Arc<Uptime>,
    pub(super) mode: ModeTeller,
    /// By job: what it keeps.
    pub(super) checkpoints: Vec<Option<Kept>>,
}

impl View {
    fn of(runtime: &Runtime, checkpoints: Vec<Option<Kept>>) -> View {
        let streams: Vec<_> = (0..).map_while(|index| runtime.stream(index).cloned()).collect();
        View {
            bounds: (0..streams.len()).map(|index| runtime.bound(index)).collect(),
            streams,
            jobs: (0..).map_while(|index| runtime.job(index).cloned()).collect(),
            warnings: runtime.warnings().to_vec(),
            uptime: Arc::clone(runtime.uptime()),
            mode: runtime.mode_teller(),
            checkpoints,
        }
    }
}

/// What a `fulcrum_runtime_t` pointer points to.
pub(super) struct Handle {
    phase: AtomicU8,
    owned: Gate<Owned>,
    ports: [Port; limits::STREAMS],
    events: Gate<Option<Events>>,
    view: OnceLock<View>,
}

impl Named for fulcrum_runtime_t {
    type Object = Handle;
    /// "fulcrum" and a 1.
    const MAGIC: u64 = u64::from_be_bytes(*b"fulcrum1");
}

impl Handle {
    pub(super) fn new(options: Options) -> Handle {
        Handle {
            phase: AtomicU8::new(Phase::Open as u8),
            owned: Gate::new(Owned::Building(Building {
                builder: Box::new(Builder::new(options)),
                streams: 0,
                jobs: 0,
                publishers: Vec::new(),
                writers: Vec::new(),
                kept: Vec::new(),
            })),
            ports: Default::default(),
            events: Gate::new(None),
            view: OnceLock::new(),
        }
    }

    fn phase(&self) -> Phase {
        const PHASES: [Phase; 4] = [Phase::Open, Phase::Started, Phase::Stopped, Phase::Refused];
        PHASES
            .get(usize::from(self.phase.load(Acquire)))
            .copied()
            .unwrap_or(Phase::Refused)
    }

    /// Whether the phase may become `next`.
    fn may_enter(&self, next: Phase) -> Result<(), Fault> {
        match (self.phase(), next) {
            (Phase::Open, Phase::Started | Phase::Refused) | (Phase::Started, Phase::Stopped) => Ok(()),
            (now, _) => Err(now.refuses()),
        }
    }

    /// The one place where the phase changes.
    fn enter_phase(&self, next: Phase) -> Result<(), Fault> {
        self.may_enter(next)?;
        self.phase.store(next as u8, Release);
        Ok(())
    }

    /// Sole use of what the owner's calls work on.
    pub(super) fn owned(&self) -> Result<Inside<'_, Owned>, Fault> {
        if on_dispatcher() {
            return Err(Fault::Callback);
        }
        self.owned.enter().ok_or(Fault::Busy)
    }

    /// Hands what is being built to `add`, while streams and jobs may be added.
    pub(super) fn build<T>(&self, add: impl FnOnce(&mut Building) -> Result<T, Fault>) -> Result<T, Fault> {
        match &mut *self.owned()? {
            Owned::Building(building) => add(building),
            _ => Err(self.phase().refuses()),
        }
    }

    /// What can be read from the start on.
    pub(super) fn view(&self) -> Result<&View, Fault> {
        self.view.get().ok_or_else(|| self.phase().refuses())
    }

    /// The caller's end of a stream; its parts are empty where no such stream was added.
    pub(super) fn port(&self, stream: u32) -> Result<&Port, Fault> {
        self.ports.get(stream as usize).ok_or(Fault::NoStream(stream))
    }

    /// Whether requests are taken.
    pub(super) fn takes_requests(&self) -> Result<(), Fault> {
        match self.phase() {
            Phase::Started => Ok(()),
            other => Err(other.refuses()),
        }
    }

    /// The events, for one thread at a time.
    pub(super) fn events(&self) -> Result<Inside<'_, Option<Events>>, Fault> {
        self.view()?;
        self.events.enter().ok_or(Fault::Busy)
    }

    /// Builds and starts; a refusal leaves nothing but closing.
    pub(super) fn start(&self) -> Result<(), Fault> {
        let mut owned = self.owned()?;
        self.may_enter(Phase::Started)?;
        let Owned::Building(building) = core::mem::replace(&mut *owned, Owned::Nothing) else {
            return Err(Fault::Bug);
        };
        let started = building.start();
        let (mut started, checkpoints) = match started {
            Ok(started) => started,
            Err(fault) => {
                self.enter_phase(Phase::Refused)?;
                return Err(fault);
            }
        };
        let runtime = &mut started.runtime;
        // Nobody is inside: before the start every call that would be is refused.
        if let Some(mut events) = self.events.enter() {
            *events = runtime.events();
        }
        let _ = self.view.set(View::of(runtime, checkpoints));
        *owned = Owned::Started(started);
        self.enter_phase(Phase::Started)
    }

    /// Stops and waits for the thread; a second time does nothing.
    pub(super) fn stop(&self) -> Result<(), Fault> {
        let mut owned = self.owned()?;
        if self.phase() == Phase::Stopped {
            return Ok(());
        }
        // First the phase, so that no request is taken that nobody will answer.
        self.enter_phase(Phase::Stopped)?;
        if let Owned::Started(Started { runtime, keepers }) = &mut *owned {
            runtime.stop();
            keepers.iter_mut().for_each(Keeper::stop);
        }
        Ok(())
    }
}

thread_local! {
    /// Whether this is a dispatcher thread.
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the present thread is a dispatcher, so that calls which wait for it are refused instead of hanging.
pub(super) fn mark_dispatcher() {
    CALLED_BACK.set(true);
}

/// Whether this thread is a dispatcher.
pub(super) fn on_dispatcher() -> bool {
    CALLED_BACK.get()
}
