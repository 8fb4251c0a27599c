//! [`Engine`]: what one workload may use of the machine.

use super::threads::Threads;

/// What one workload may use of the machine. The default is the processor, on the calling thread alone.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// Threads of one piece.
    pub threads: Threads,
}

impl Engine {
    /// Whether a piece runs on the thread that calls it and nowhere else.
    pub(super) fn on_calling_thread(&self) -> bool {
        self.threads.count == 1
    }
}
