//! [`ContextSwitches`]: context switches of a thread, by the kernel's count.

use std::error::Error;

/// How often a thread left its processor.
#[derive(Clone, Copy, Default)]
pub(super) struct ContextSwitches {
    /// To wait.
    pub(super) voluntary: u64,
    /// For another thread.
    pub(super) involuntary: u64,
}

impl ContextSwitches {
    /// What the kernel counted for `thread` of this process so far; read from outside, so that it costs the thread nothing.
    pub(super) fn by(thread: i32) -> Result<ContextSwitches, Box<dyn Error>> {
        let path = format!("/proc/self/task/{thread}/status");
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("{path} could not be read: {error}"))?;
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let count = line.and_then(|rest| rest.trim().parse().ok());
            count.ok_or_else(|| format!("{path} has no count behind {name}"))
        };
        Ok(ContextSwitches {
            voluntary: count("voluntary_ctxt_switches:")?,
            involuntary: count("nonvoluntary_ctxt_switches:")?,
        })
    }

    pub(super) fn since(self, before: ContextSwitches) -> ContextSwitches {
        ContextSwitches {
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            involuntary: self.involuntary.saturating_sub(before.involuntary),
        }
    }
}
