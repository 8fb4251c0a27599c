//! [`Engine`]: what one workload may use of the machine.

use super::OnnxError;
use super::arena::Arena;
use super::library::Library;
use super::provider::{Asked, Provider, ProviderReport, ProviderState, Providers};
use super::session::{Session, SessionOptions};
use super::tensor::{Element, Tensor};
use super::threads::Threads;
use super::transfer::{Transfer, carrier};
use crate::clock::{Clock, Monotonic, thread_time};
use crate::units::Nanos;
use std::sync::Arc;

/// What one workload may use of the machine. The default is the processor, on the calling thread alone.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// Threads of one piece.
    pub threads: Threads,
    /// Where it runs.
    pub providers: Providers,
    /// The memory it lives in; `None`, the default: as much as it takes.
    pub memory: Option<Arena>,
    /// Handles the processor's memory as that of a device: tensors lie in memory of the engine's own, and
    /// what the host writes or reads is copied. Of use only to try that way where there is no device.
    pub staged: bool,
}

impl Engine {
    /// Tries the providers that it asks for, as the registration of a workload does.
    pub fn report(&self, library: &Library) -> Result<ProviderReport, OnnxError> {
        Ok(Ready::new(library, self)?.report(Vec::new()))
    }
}

/// An [`Engine`] of which is known what works.
pub(super) struct Ready {
    pub(super) threads: Threads,
    /// The providers that work, the processor apart.
    pub(super) active: Vec<Asked>,
    pub(super) staged: bool,
    pub(super) arena: Option<Arena>,
    report: ProviderReport,
}

impl Ready {
    /// Tries every provider that `engine` asks for.
    pub(super) fn new(library: &Library, engine: &Engine) -> Result<Ready, OnnxError> {
        let mut ready = Ready {
            threads: engine.threads.clone(),
            active: Vec::new(),
            staged: engine.staged,
            arena: engine.memory.clone(),
            report: ProviderReport {
                rows: Vec::new(),
                nodes: Vec::new(),
            },
        };
        let before_cpu = engine.providers.asked.iter();
        for asked in before_cpu.take_while(|asked| asked.provider != Provider::Cpu) {
            let state = match attempt(library, asked) {
                Ok(()) => {
                    ready.active.push(asked.clone());
                    ProviderState::Active
                }
                Err(OnnxError::Engine { message, .. }) => ProviderState::of_refusal(&message),
                Err(other) => return Err(other),
            };
            ready.report.rows.push((asked.provider, state));
        }
        ready.report.rows.push((Provider::Cpu, ProviderState::Active));
        Ok(ready)
    }

    /// The most bytes of the processor's memory that the workload took at once.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.arena.as_ref().map_or(0, |arena| arena.peak() as u64)
    }

    /// With one memory for all of a workload's sessions, where the processor's memory is what they use. See
    /// [`Arena`] for what that is worth.
    pub(super) fn with_one_memory(mut self, library: &Library) -> Ready {
        if self.device().is_none() && self.arena.is_none() {
            self.arena = Some(Arena::growing(library));
        }
        self
    }

    /// The device whose memory the tensors lie in, if they do not lie in the host's.
    pub(super) fn device(&self) -> Option<Provider> {
        let first = self.active.first().map(|asked| asked.provider);
        first.or(self.staged.then_some(Provider::Cpu))
    }

    /// For copies to and from the device: TensorRT would build an engine for them, CUDA has the same memory. Not in
    /// the arena: a copy needs nothing between its two ends.
    pub(super) fn for_copies(&self) -> Ready {
        let mut active: Vec<Asked> = Vec::new();
        for asked in &self.active {
            let device = ("device_id".to_string(), asked.device().to_string());
            if active.is_empty() {
                active.push(Asked {
                    provider: Provider::Cuda,
                    options: vec![device],
                });
            }
        }
        Ready {
            threads: Threads::default(),
            active,
            staged: self.staged,
            arena: None,
            report: self.report.clone(),
        }
    }

    /// Number of the device of the first provider.
    pub(super) fn device_id(&self) -> i32 {
        self.active.first().map_or(0, Asked::device)
    }

    /// Whether a piece runs on the thread that calls it and nowhere else.
    pub(super) fn on_calling_thread(&self) -> bool {
        self.threads.count == 1 && self.active.is_empty()
    }

    /// The time to measure a piece by: the processor's where it runs on the calling thread alone, for then an
    /// interruption does not count.
    pub(super) fn now(&self) -> Nanos {
        if self.on_calling_thread() {
            thread_time()
        } else {
            Monotonic.now()
        }
    }

    /// The report, once it is known where the nodes run.
    pub(super) fn report(&self, nodes: Vec<(String, usize)>) -> ProviderReport {
        ProviderReport {
            nodes,
            rows: self.report.rows.clone(),
        }
    }
}

/// Runs a model of one node on the provider.
fn attempt(library: &Library, asked: &Asked) -> Result<(), OnnxError> {
    let alone = Ready {
        threads: Threads::default(),
        active: vec![asked.clone()],
        staged: false,
        arena: None,
        report: ProviderReport {
            rows: Vec::new(),
            nodes: Vec::new(),
        },
    };
    let options = SessionOptions {
        optimise: false,
        engine: &alone,
        profile: None,
    };
    let model = carrier(&[Element::F32]);
    let session = Arc::new(Session::new(library, asked.provider.name(), &model, options)?);
    let (from, to) = (
        Tensor::new(library, None, Element::F32, &[1])?,
        Tensor::new(library, None, Element::F32, &[1])?,
    );
    Transfer::new(&session, vec![(from, to)])?.run()
}
