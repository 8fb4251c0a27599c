//! The engine behind a handle: the library, its threads and its providers.

#![allow(unsafe_code)]

use super::or;
use crate::ffi::array;
use crate::ffi::fault::Fault;
use crate::ffi::onnx_engine::*;
use crate::ffi::onnx_model::FULCRUM_ONNX_LOCK_MEMORY;
use crate::ffi::sized;
use crate::ffi::text::filled;
use crate::workload::onnx::{self, *};

/// What a `fulcrum_onnx_engine_t` points to.
pub(in crate::ffi) struct Engine {
    pub(super) library: Library,
    threads: Threads,
    providers: Providers,
    report: ProviderReport,
}

impl Engine {
    /// # Safety
    /// The pointers in `config` are as the struct says.
    pub(in crate::ffi) unsafe fn open(
        config: Option<&fulcrum_onnx_engine_config_t>,
    ) -> Result<Engine, Fault> {
        let (mut threads, mut providers, mut path) = (Threads::default(), Providers::default(), None);
        if let Some(config) = config {
            // SAFETY: as the caller promises, for all three.
            unsafe {
                path = sized::path(config.library)?;
                threads = asked_threads(config)?;
                providers = asked_providers(config)?;
            }
        }
        let library = match path {
            Some(path) => Library::open_at(&path)?,
            None => Library::open()?,
        };
        let engine = onnx::Engine {
            providers: providers.clone(),
            ..onnx::Engine::default()
        };
        Ok(Engine {
            report: engine.report(&library)?,
            library,
            threads,
            providers,
        })
    }

    pub(in crate::ffi) fn version(&self) -> &str {
        self.library.version()
    }

    pub(in crate::ffi) fn provider_count(&self) -> u32 {
        self.report.rows.len() as u32
    }

    pub(in crate::ffi) fn provider(&self, index: u32) -> Option<fulcrum_provider_report_t> {
        let (provider, state) = self.report.rows.get(index as usize)?;
        Some(fulcrum_provider_report_t {
            size: 0,
            provider: match provider {
                Provider::Cpu => FULCRUM_PROVIDER_CPU,
                Provider::Cuda => FULCRUM_PROVIDER_CUDA,
                Provider::TensorRt => FULCRUM_PROVIDER_TENSORRT,
            },
            standing: match state {
                ProviderState::Active => FULCRUM_PROVIDER_ACTIVE,
                ProviderState::NotBuilt => FULCRUM_PROVIDER_NOT_BUILT,
                ProviderState::NotLoaded(_) => FULCRUM_PROVIDER_NOT_LOADED,
                ProviderState::Refused(_) => FULCRUM_PROVIDER_REFUSED,
            },
            reserved: 0,
            text: filled(state),
        })
    }

    /// For one workload, with `bytes` of memory of its own or, for 0, what it takes.
    pub(super) fn of_workload(&self, bytes: u64, flags: u32) -> Result<onnx::Engine, Fault> {
        let lock = flags & FULCRUM_ONNX_LOCK_MEMORY != 0;
        let memory = match usize::try_from(bytes) {
            Ok(0) if lock => {
                return Err(Fault::Argument(
                    "FULCRUM_ONNX_LOCK_MEMORY locks memory_bytes: set it above 0",
                ));
            }
            Ok(0) => None,
            Ok(bytes) => Some(Arena::new(&self.library, bytes, lock)?),
            Err(_) => return Err(Fault::Argument("config.memory_bytes is more than there is")),
        };
        Ok(onnx::Engine {
            threads: self.threads.clone(),
            providers: self.providers.clone(),
            memory,
            staged: false,
        })
    }
}

/// # Safety
/// As for [`Engine::open`].
unsafe fn asked_threads(config: &fulcrum_onnx_engine_config_t) -> Result<Threads, Fault> {
    if config.flags & !FULCRUM_ONNX_SPIN != 0 {
        return Err(Fault::TooNew(
            "config.flags has a flag this release of fulcrum does not know",
        ));
    }
    let count = or(config.threads, 1) as usize;
    if count > MOST_THREADS {
        return Err(OnnxError::Threads(count).into());
    }
    let priority = match config.priority {
        0 => None,
        // At most 99.
        priority @ 1..=99 => Some(priority as u8),
        _ => return Err(Fault::Argument("config.priority is above 99")),
    };
    // SAFETY: as the caller promises.
    let cpus = unsafe { array::values(config.cpus, config.cpu_count, "config.cpus is NULL") }?;
    Ok(Threads {
        count,
        priority,
        cpus: cpus.iter().map(|cpu| *cpu as usize).collect(),
        spin: config.flags & FULCRUM_ONNX_SPIN != 0,
        ..Threads::default()
    })
}

/// # Safety
/// As for [`Engine::open`].
unsafe fn asked_providers(config: &fulcrum_onnx_engine_config_t) -> Result<Providers, Fault> {
    let mut providers = Providers::default();
    let wrong = "config.providers is NULL";
    // SAFETY: as the caller promises.
    for asked in unsafe { array::values(config.providers, config.provider_count, wrong) }? {
        let wrong = "the options of a provider are NULL";
        // SAFETY: as the caller promises.
        let options = unsafe { array::values(asked.options, asked.option_count, wrong) }?;
        let mut pairs = Vec::new();
        for option in options {
            let wrong = "an option's key or value is NULL, not UTF-8, or does not end within 4096 bytes";
            // SAFETY: as the caller promises, for both.
            pairs.push(unsafe { (sized::text(option.key, wrong)?, sized::text(option.value, wrong)?) });
        }
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let provider = match asked.provider {
            FULCRUM_PROVIDER_CPU => Provider::Cpu,
            FULCRUM_PROVIDER_CUDA => Provider::Cuda,
            FULCRUM_PROVIDER_TENSORRT => Provider::TensorRt,
            _ => {
                return Err(Fault::TooNew(
                    "a provider is not known to this release of fulcrum",
                ));
            }
        };
        providers = providers.then(provider, &pairs);
    }
    Ok(providers)
}
