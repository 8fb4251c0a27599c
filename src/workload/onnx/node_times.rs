//! The time of each node of a graph, from ONNX Runtime's own profile. The cut is chosen by it.

use super::OnnxError;
use super::binding::Binding;
use super::library::Library;
use super::session::{Session, SessionOptions, c_name};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Runs that are profiled, after a warm-up of as many.
const RUNS: usize = 12;

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "fulcrum-profile-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a small file in the folder for temporary ones.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a profile tells of the nodes.
#[derive(Default)]
pub(super) struct NodeTimes {
    /// Of each node, ns; 0 for one that the profile does not mention. On a device this is the time to hand
    /// the node over, not the time that it runs.
    pub(super) times: Vec<u64>,
    /// Nodes that each provider ran, by ONNX Runtime's name of it.
    pub(super) providers: Vec<(String, usize)>,
}

/// Runs `model`, whose `nodes` nodes are named `n<index>`, under the profiler; `options` without one.
pub(super) fn measure(
    library: &Library,
    options: SessionOptions<'_>,
    name: &str,
    model: &[u8],
    nodes: usize,
    bind: impl FnOnce(&Arc<Session>) -> Result<Binding, OnnxError>,
) -> Result<NodeTimes, OnnxError> {
    let scratch = Scratch::new().map_err(|error| {
        OnnxError::Profile(format!(
            "no folder for it in {}: {error}",
            std::env::temp_dir().display()
        ))
    })?;
    let prefix = c_name(&scratch.0.join("profile").display().to_string())?;
    let options = SessionOptions {
        profile: Some(&prefix),
        ..options
    };
    let session = Arc::new(Session::new(library, name, model, options)?);
    let mut binding = bind(&session)?;
    for _ in 0..2 * RUNS {
        binding.run()?;
    }
    let path = session.end_profiling()?;
    read(Path::new(&path), nodes)
}

fn read(path: &Path, nodes: usize) -> Result<NodeTimes, OnnxError> {
    let wrong = |reason: String| OnnxError::Profile(format!("{}: {reason}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let events: Vec<Value> = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let mut times = vec![Vec::new(); nodes];
    let mut placed: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for event in &events {
        let name = event["name"]
            .as_str()
            .and_then(|name| name.strip_suffix("_kernel_time"));
        if let (Some(name), Some(provider)) = (name, event.pointer("/args/provider").and_then(Value::as_str))
        {
            placed.entry(provider.to_string()).or_default().insert(name);
        }
        let index = name
            .and_then(|name| name.strip_prefix('n'))
            .and_then(|index| index.parse::<usize>().ok());
        if let (Some(index), Some(micros)) = (index, event["dur"].as_u64())
            && let Some(times) = times.get_mut(index)
        {
            times.push(micros * 1_000);
        }
    }
    Ok(NodeTimes {
        times: times.into_iter().map(|times| middle(&times)).collect(),
        providers: placed
            .into_iter()
            .map(|(provider, names)| (provider, names.len()))
            .collect(),
    })
}

/// The mean of the middle half of the later half: the profile counts whole microseconds, so a median would be
/// too coarse for a short node, and a plain mean would count interruptions.
fn middle(times: &[u64]) -> u64 {
    let mut warm = times.get(times.len() / 2..).unwrap_or_default().to_vec();
    warm.sort_unstable();
    let quarter = warm.len() / 4;
    let kept = warm.get(quarter..warm.len() - quarter).unwrap_or_default();
    kept.iter()
        .sum::<u64>()
        .checked_div(kept.len() as u64)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_leaves_out_the_warm_up_and_the_outliers() {
        assert_eq!(middle(&[900, 900, 900, 900, 4, 4, 5, 700]), 4);
        assert_eq!(middle(&[]), 0);
        assert_eq!(middle(&[7]), 7);
    }

    #[test]
    fn a_profile_that_is_missing_or_torn_is_an_error_that_names_it() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.0.join("profile.json");
        assert!(read(&path, 1).err().unwrap().to_string().contains("profile.json"));
        std::fs::write(&path, "[{\"name\": \"n0_ker").unwrap();
        assert!(read(&path, 1).err().unwrap().to_string().contains("profile.json"));
        std::fs::write(
            &path,
            r#"[{"name": "n0_kernel_time", "dur": 3, "args": {"provider": "A"}}, {"name": "n9_kernel_time", "dur": 3}]"#,
        )
        .unwrap();
        let read = read(&path, 2).unwrap();
        assert_eq!(read.times, [3_000, 0]);
        assert_eq!(read.providers, [("A".to_string(), 1)]);
    }
}
