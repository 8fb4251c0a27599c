//! [`Sleeper`]: the operating system's own wake-up, to compare with.

use fulcrum::clock::{Clock, Monotonic};
use rustix::thread::futex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that sleeps on a futex and notes when it woke: the least any wake-up costs here.
pub(super) struct Sleeper {
    futex: Arc<AtomicU32>,
    woke: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sleeper {
    pub(super) fn start() -> std::io::Result<Sleeper> {
        let (futex, woke, stop): (Arc<AtomicU32>, Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let (their_futex, their_woke, their_stop) =
            (Arc::clone(&futex), Arc::clone(&woke), Arc::clone(&stop));
        let body = move || {
            let mut seen = 0;
            while !their_stop.load(SeqCst) {
                while their_futex.load(SeqCst) == seen {
                    let _ = futex::wait(&their_futex, futex::Flags::PRIVATE, seen, None);
                }
                seen = their_futex.load(SeqCst);
                their_woke.store(Monotonic.now().0, SeqCst);
            }
        };
        let thread = std::thread::Builder::new().name("sleeper".into()).spawn(body)?;
        Ok(Sleeper {
            futex,
            woke,
            stop,
            thread: Some(thread),
        })
    }

    /// How long it took to wake it.
    pub(super) fn wake(&self) -> u64 {
        self.woke.store(0, SeqCst);
        let start = Monotonic.now().0;
        self.futex.fetch_add(1, SeqCst);
        let _ = futex::wake(&self.futex, futex::Flags::PRIVATE, 1);
        await_nonzero(&self.woke) - start
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

/// Looks now and then, so that the waiting thread does not keep a processor from the one that is woken.
pub(super) fn await_nonzero(moment: &AtomicU64) -> u64 {
    loop {
        let value = moment.load(SeqCst);
        if value != 0 {
            return value;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}
