//! The processor that dispatcher, camera and watchman share, and their priorities on it.

use fulcrum::runtime::{Realtime, Warning};

/// Real-time priority of the dispatcher.
pub(crate) const DISPATCHER: u8 = 50;

/// Real-time priority of the camera: above the dispatcher's, as a sensor's interrupt would be.
pub(crate) const CAMERA: u8 = 60;

/// Real-time on one processor, which the watchman watches.
pub(crate) fn on(cpu: usize, priority: u8) -> Realtime {
    Realtime {
        priority: Some(priority),
        cpu: Some(cpu),
        lock_memory: false,
    }
}

/// The last processor this program may run on; the first is where most interrupts go.
pub(crate) fn last_cpu() -> usize {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    (0..rustix::thread::CpuSet::MAX_CPU)
        .rev()
        .find(|cpu| allowed.is_set(*cpu))
        .unwrap_or(0)
}

/// Makes the calling thread a real-time one on `cpu`. The priority comes first: an ordinary thread that moves beside a busy
/// real-time one may not run for a second, so it would not get as far as asking for it.
pub(crate) fn enter(cpu: usize, priority: u8, mut warn: impl FnMut(Warning)) {
    let wanted = on(cpu, priority);
    Realtime { cpu: None, ..wanted }.apply(&mut warn);
    Realtime {
        priority: None,
        ..wanted
    }
    .apply(&mut warn);
}
