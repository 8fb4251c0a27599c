//! [`Providers`]: on which execution providers a workload is to run, and [`ProviderReport`]: on which it
//! does.
//!
//! `GetAvailableProviders` of ONNX Runtime lists what was compiled in, not what works. So each provider that
//! is asked for is tried with a model of one node, at registration; those that fail are left out and the
//! reason is kept.

use std::fmt;
use std::path::PathBuf;

/// An execution provider of ONNX Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// TensorRT. Not for training: it wants convolution weights to be constants, in a step they are inputs.
    TensorRt,
    /// CUDA.
    Cuda,
    /// The processor.
    Cpu,
}

impl Provider {
    /// How the program and the report write it.
    pub const fn name(self) -> &'static str {
        match self {
            Provider::TensorRt => "tensorrt",
            Provider::Cuda => "cuda",
            Provider::Cpu => "cpu",
        }
    }

    /// The provider of this name.
    pub fn of(name: &str) -> Option<Provider> {
        let mut all = [Provider::TensorRt, Provider::Cuda, Provider::Cpu].into_iter();
        all.find(|provider| provider.name() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings of TensorRT that have names here; everything else goes through `other`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorRt {
    /// Folder for built engines, so that only the first start builds them, which takes minutes
    /// (`trt_engine_cache_enable`, `trt_engine_cache_path`).
    pub engine_cache: Option<PathBuf>,
    /// Half precision where TensorRT finds it faster (`trt_fp16_enable`).
    pub fp16: bool,
    /// 8-bit integers (`trt_int8_enable`); the model must be quantised, or `trt_int8_calibration_table_name`
    /// be in `other`.
    pub int8: bool,
    /// Runs on this deep learning accelerator, where the board has one (`trt_dla_enable`, `trt_dla_core`).
    pub dla_core: Option<u32>,
    /// Further options of the provider, keys and values as ONNX Runtime documents them; `device_id` for
    /// example.
    pub other: Vec<(String, String)>,
}

/// A provider that is asked for, with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) provider: Provider,
    pub(super) options: Vec<(String, String)>,
}

impl Asked {
    /// The device that the options name.
    pub(super) fn device(&self) -> i32 {
        let mut options = self.options.iter();
        let named = options.find(|(key, _)| key == "device_id");
        named.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }
}

/// The providers to try, in the order of preference. The processor always comes last and never fails; the
/// default is the processor alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Providers {
    pub(super) asked: Vec<Asked>,
}

impl Providers {
    /// Then this one, with options as ONNX Runtime documents them: for CUDA `device_id`, `gpu_mem_limit` in
    /// bytes, `arena_extend_strategy`, `cudnn_conv_algo_search` and so on. What follows the processor is
    /// never used.
    ///
    /// Left alone, CUDA picks a convolution's algorithm by timing, each session for itself, so that a step and
    /// its cuts may differ in their last bits. `cudnn_conv_algo_search` of `HEURISTIC` picks by shape.
    pub fn then(mut self, provider: Provider, options: &[(&str, &str)]) -> Providers {
        let text = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
        self.asked.push(Asked {
            provider,
            options: options.iter().map(text).collect(),
        });
        self
    }

    /// Then TensorRT.
    pub fn then_tensor_rt(mut self, settings: TensorRt) -> Providers {
        let mut options = Vec::new();
        let mut set = |key: &str, value: String| options.push((key.to_string(), value));
        if let Some(folder) = settings.engine_cache {
            set("trt_engine_cache_enable", "1".to_string());
            set("trt_engine_cache_path", folder.display().to_string());
        }
        if settings.fp16 {
            set("trt_fp16_enable", "1".to_string());
        }
        if settings.int8 {
            set("trt_int8_enable", "1".to_string());
        }
        if let Some(core) = settings.dla_core {
            set("trt_dla_enable", "1".to_string());
            set("trt_dla_core", core.to_string());
        }
        options.extend(settings.other);
        self.asked.push(Asked {
            provider: Provider::TensorRt,
            options,
        });
        self
    }
}

/// What became of a provider that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// It ran a model of one node.
    Active,
    /// This build of ONNX Runtime does not have it.
    NotBuilt,
    /// ONNX Runtime has it, but a library that it needs was not loaded; its own words.
    NotLoaded(String),
    /// It refused its options or the device; its own words.
    Refused(String),
}

impl ProviderState {
    /// Sorts ONNX Runtime's message.
    pub(super) fn of_refusal(message: &str) -> ProviderState {
        // What stands before is a place in ONNX Runtime's own sources.
        let message = message.rsplit("] : 1 : FAIL : ").next().unwrap_or(message);
        let message = message.trim().to_string();
        if message.contains("not enabled in this build") {
            ProviderState::NotBuilt
        } else if message.contains("Failed to load") || message.contains("cannot open shared object") {
            ProviderState::NotLoaded(message)
        } else {
            ProviderState::Refused(message)
        }
    }
}

impl fmt::Display for ProviderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProviderState::Active => f.write_str("active"),
            ProviderState::NotBuilt => f.write_str("not enabled in this build of ONNX Runtime"),
            ProviderState::NotLoaded(reason) => {
                write!(
                    f,
                    "failed to load ({reason}); put its libraries on the loader's path"
                )
            }
            ProviderState::Refused(reason) => write!(f, "refused ({reason})"),
        }
    }
}

/// The providers that were asked for and what became of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderReport {
    /// In the order asked for; the processor last.
    pub rows: Vec<(Provider, ProviderState)>,
    /// Nodes of the model that each provider ran, by ONNX Runtime's name of the provider. Empty where the
    /// processor alone is active. An active provider may run few nodes or none: what it has no kernel for
    /// runs on the next.
    pub nodes: Vec<(String, usize)>,
}

impl ProviderReport {
    /// The providers in use, the preferred one first.
    pub fn active(&self) -> impl Iterator<Item = Provider> {
        let rows = self.rows.iter();
        rows.filter(|(_, state)| *state == ProviderState::Active)
            .map(|(provider, _)| *provider)
    }
}

impl fmt::Display for ProviderReport {
    /// A line a provider, then where the nodes are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (provider, state)) in self.rows.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{provider}: {state}")?;
        }
        for (index, (name, count)) in self.nodes.iter().enumerate() {
            let before = if index == 0 { "\nnodes: " } else { ", " };
            write!(f, "{before}{count} on {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_settings_become_the_keys_that_onnx_runtime_documents() {
        let settings = TensorRt {
            engine_cache: Some(PathBuf::from("/var/cache/engines")),
            fp16: true,
            int8: true,
            dla_core: Some(1),
            other: vec![("device_id".to_string(), "2".to_string())],
        };
        let providers = Providers::default().then_tensor_rt(settings);
        let [asked] = &providers.asked[..] else {
            panic!("one was asked for")
        };
        let pairs: Vec<_> = asked
            .options
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            pairs.join(" "),
            "trt_engine_cache_enable=1 trt_engine_cache_path=/var/cache/engines trt_fp16_enable=1 trt_int8_enable=1 \
             trt_dla_enable=1 trt_dla_core=1 device_id=2"
        );
        assert_eq!(asked.device(), 2);
        let nothing = Providers::default().then_tensor_rt(TensorRt::default());
        assert_eq!(nothing, Providers::default().then(Provider::TensorRt, &[]));
    }

    #[test]
    fn a_report_is_a_line_for_each_provider_and_one_for_the_nodes() {
        let report = ProviderReport {
            rows: vec![
                (Provider::TensorRt, ProviderState::NotBuilt),
                (
                    Provider::Cuda,
                    ProviderState::of_refusal(
                        "a.cc:1 Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load shared library\n",
                    ),
                ),
                (Provider::Cpu, ProviderState::Active),
            ],
            nodes: vec![("CPUExecutionProvider".to_string(), 7)],
        };
        assert_eq!(
            report.to_string(),
            "tensorrt: not enabled in this build of ONNX Runtime\n\
             cuda: failed to load (Failed to load shared library); put its libraries on the loader's path\n\
             cpu: active\n\
             nodes: 7 on CPUExecutionProvider"
        );
        assert_eq!(report.active().collect::<Vec<_>>(), [Provider::Cpu]);
        let other = ProviderState::of_refusal("no device");
        assert_eq!(other.to_string(), "refused (no device)");
    }

    #[test]
    fn every_provider_is_found_by_its_name() {
        for provider in [Provider::TensorRt, Provider::Cuda, Provider::Cpu] {
            assert_eq!(Provider::of(provider.name()), Some(provider));
        }
        assert_eq!(Provider::of("tpu"), None);
    }
}
