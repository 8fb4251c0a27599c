//! A [`Stall`] is a span in which this machine, not the runtime, stood still: its hypervisor ran somebody else.
//!
//! A robot's board has no such neighbour, and no policy can answer a frame while the processor is away. The watchman sleeps
//! on the dispatcher's own processor above every other thread: where even it was not run, nothing was. It is asked which
//! late frames a stall explains; they are told apart from the schedule's own, never left out silently.

use crate::processor::enter;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::Warning;
use fulcrum::units::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Above the camera and the dispatcher.
const PRIORITY: u8 = 90;

/// How often it looks; a wake-up costs a few microseconds.
const EVERY: Nanos = Nanos::from_millis(1);

/// From here a late wake-up is a stall; below it is what every kernel does.
const SHORTEST: Nanos = Nanos::from_millis(1);

/// A span in which the processor was away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    from: Nanos,
    to: Nanos,
}

/// The thread that notices. Without the right to a real-time priority it cannot tell a stall from other work, and says
/// that there was none.
pub(crate) struct Watchman {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Stall>>,
}

impl Watchman {
    /// Watches processor `cpu` from now on.
    pub(crate) fn start(cpu: usize) -> std::io::Result<Watchman> {
        let stop = Arc::new(AtomicBool::new(false));
        let their_stop = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("watchman".into())
            .spawn(move || {
                let mut allowed = true;
                enter(cpu, PRIORITY, |warning| {
                    allowed &= !matches!(warning, Warning::Priority(_) | Warning::Cpu(..));
                });
                let mut stalls = Vec::new();
                while allowed && !their_stop.load(Relaxed) {
                    let due = Monotonic.now() + EVERY;
                    Monotonic.sleep_until(due);
                    let now = Monotonic.now();
                    if now - due >= SHORTEST {
                        stalls.push(Stall { from: due, to: now });
                    }
                }
                stalls
            })?;
        Ok(Watchman { stop, thread })
    }

    /// What it saw.
    pub(crate) fn stop(self) -> Vec<Stall> {
        self.stop.store(true, Relaxed);
        // It does not panic.
        self.thread.join().unwrap_or_default()
    }
}

/// How much of the time between `from` and `to` the machine stood still.
pub(crate) fn within(stalls: &[Stall], from: Nanos, to: Nanos) -> Nanos {
    stalls.iter().fold(Nanos::ZERO, |sum, stall| {
        sum + (stall.to.min(to) - stall.from.max(from))
    })
}

/// The longest.
pub(crate) fn longest(stalls: &[Stall]) -> Nanos {
    stalls
        .iter()
        .map(|stall| stall.to - stall.from)
        .max()
        .unwrap_or(Nanos::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_a_stall_within_the_span_counts() {
        let stalls = [(10, 20), (30, 35), (50, 90)].map(|(from, to)| Stall {
            from: Nanos(from),
            to: Nanos(to),
        });
        assert_eq!(within(&stalls, Nanos(15), Nanos(60)), Nanos(5 + 5 + 10));
        assert_eq!(within(&stalls, Nanos(20), Nanos(30)), Nanos::ZERO);
        assert_eq!(within(&[], Nanos(0), Nanos(9)), Nanos::ZERO);
        assert_eq!(longest(&stalls), Nanos(40));
    }
}
