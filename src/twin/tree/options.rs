//! The [`Options`] of a tree, and why none was opened.

use super::Tree;
use core::fmt;
use rustix::io::Errno;

/// What becomes of a policy whose cores are all offline. Sources disagree, so both can be tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hotplug {
    /// Its folder and the `cpufreq` links of its cores are gone.
    #[default]
    Vanish,
    /// Its folder stays and shows the last values; a write gives `EINVAL`.
    Keep,
}

/// How a tree behaves where boards differ or nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seed of sensor noise, latencies and boot ids.
    pub seed: u64,
    /// What becomes of a policy without a core.
    pub hotplug: Hotplug,
    /// Whether writes take as long as was measured.
    pub latencies: bool,
    /// What `0` written to `cpu0/online` gives; no source says.
    pub cpu0: Errno,
    /// Whether its time is the monotonic clock's; else only [`Tree::advance`] moves it.
    pub live: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            hotplug: Hotplug::Vanish,
            latencies: false,
            cpu0: Errno::PERM,
            live: true,
        }
    }
}

/// Why no tree was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeError {
    /// No board of this name can be simulated.
    Unknown(String),
    /// The simulated board names a path twice; a mistake in this library.
    Built(Errno),
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::Unknown(name) => {
                let known: Vec<_> = Tree::boards().map(|(name, _)| name).collect();
                write!(
                    f,
                    "no board named {name:?} can be simulated as files; choose one of: {}",
                    known.join(", ")
                )
            }
            TreeError::Built(errno) => write!(
                f,
                "the simulated board's own files contradict each other: {errno}"
            ),
        }
    }
}

impl core::error::Error for TreeError {}
