//! What the runtime asks of the operating system: a wake-up without lock, a real-time class, a processor, locked memory.

#![allow(unsafe_code)]

use crate::units::Nanos;
use core::fmt;
use rustix::thread::futex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// Wakes one sleeping thread, from any thread, without lock or allocation: a futex.
#[derive(Debug, Default)]
pub struct Doorbell {
    rings: AtomicU32,
    sleeping: AtomicBool,
}

impl Doorbell {
    /// The rings so far. Read before looking for work and hand to [`Doorbell::wait`], so that no ring is lost between.
    pub fn rings(&self) -> u32 {
        self.rings.load(SeqCst)
    }

    /// Wakes the sleeper, if there is one. One atomic addition where there is none; one system call where there is.
    pub fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        // The sleeper announces itself before it looks at `rings` for the last time, and both orders are sequentially
        // consistent: either it sees this ring or this load sees it asleep.
        if self.sleeping.load(SeqCst) {
            let _ = futex::wake(&self.rings, futex::Flags::PRIVATE, 1);
        }
    }

    /// Sleeps until a ring after `seen`, or until `until` on the monotonic clock ([`Nanos::MAX`]: for ever).
    /// May return early; the caller looks again. For one thread.
    pub fn wait(&self, seen: u32, until: Nanos) {
        self.sleeping.store(true, SeqCst);
        if self.rings.load(SeqCst) == seen {
            let time = futex::Timespec {
                tv_sec: (until.0 / 1_000_000_000) as i64,
                tv_nsec: (until.0 % 1_000_000_000) as i64,
            };
            // The bit set is the one form of the wait whose time-out is an absolute moment.
            let timeout = (until != Nanos::MAX).then_some(&time);
            let any = core::num::NonZeroU32::MAX;
            let _ = futex::wait_bitset(&self.rings, futex::Flags::PRIVATE, seen, timeout, any);
        }
        self.sleeping.store(false, SeqCst);
    }
}

/// What to ask for the dispatcher thread. Everything is optional, and a refusal is a [`Warning`], never an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Realtime {
    /// SCHED_FIFO with this priority, 1 to 99.
    pub priority: Option<u8>,
    /// Run on this processor only.
    pub cpu: Option<usize>,
    /// Lock the process's memory, present and future, so that no page fault waits for a disk.
    pub lock_memory: bool,
}

/// Something the operating system refused; the runtime goes on without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// SCHED_FIFO, with the errno.
    Priority(i32),
    /// The processor, with the errno.
    Cpu(usize, i32),
    /// Locking memory, with the errno.
    LockMemory(i32),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Priority(errno) => write!(
                f,
                "no real-time priority (errno {errno}): other programs may delay the dispatcher; grant CAP_SYS_NICE or an \
                 rtprio limit"
            ),
            Warning::Cpu(cpu, errno) => write!(
                f,
                "the dispatcher was not pinned to processor {cpu} (errno {errno})"
            ),
            Warning::LockMemory(errno) => {
                write!(
                    f,
                    "memory is not locked (errno {errno}): grant CAP_IPC_LOCK or raise the memlock limit"
                )
            }
        }
    }
}

/// Stack touched before the first piece, so that the hot path meets no page fault. Half of a thread's usual 2 MiB.
const PREFAULTED: usize = 256 * 1024;

impl Realtime {
    /// Applies itself to the calling thread; hands each refusal to `warn`.
    pub fn apply(self, mut warn: impl FnMut(Warning)) {
        if self.lock_memory {
            use rustix::mm::MlockAllFlags;
            if let Err(errno) = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
                warn(Warning::LockMemory(errno.raw_os_error()));
            }
        }
        prefault_stack();
        if let Some(cpu) = self.cpu {
            let mut set = rustix::thread::CpuSet::new();
            if cpu < rustix::thread::CpuSet::MAX_CPU {
                set.set(cpu);
            }
            if let Err(errno) = rustix::thread::sched_setaffinity(None, &set) {
                warn(Warning::Cpu(cpu, errno.raw_os_error()));
            }
        }
        if let Some(priority) = self.priority
            && let Err(errno) = set_fifo(priority)
        {
            warn(Warning::Priority(errno));
        }
    }
}

#[inline(never)]
fn prefault_stack() {
    let mut stack = [0_u8; PREFAULTED];
    core::hint::black_box(&mut stack);
}

/// Puts the calling thread into SCHED_FIFO; children go back to the ordinary class.
///
/// # Errors
/// The errno of the refusal; usually EPERM.
pub fn set_fifo(priority: u8) -> Result<(), i32> {
    let parameters = libc::sched_param {
        sched_priority: i32::from(priority),
    };
    // SAFETY: `pthread_self` is the calling thread, which lives; `parameters` is a valid struct for the call's duration.
    let errno = unsafe {
        libc::pthread_setschedparam(
            libc::pthread_self(),
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    };
    if errno == 0 { Ok(()) } else { Err(errno) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Monotonic};
    use std::sync::Arc;

    #[test]
    fn no_ring_is_lost_between_looking_for_work_and_sleeping() {
        let (bell, done) = (Arc::new(Doorbell::default()), Arc::new(AtomicU32::new(0)));
        let (their_bell, their_done) = (Arc::clone(&bell), Arc::clone(&done));
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let ringer = std::thread::spawn(move || {
            for round in 1..=rounds {
                their_done.store(round, SeqCst);
                their_bell.ring();
                while their_done.load(SeqCst) == round {
                    std::thread::yield_now();
                }
            }
        });
        for round in 1..=rounds {
            loop {
                let seen = bell.rings();
                if done.load(SeqCst) == round {
                    break;
                }
                // For ever: a lost ring hangs the test.
                bell.wait(seen, Nanos::MAX);
            }
            done.store(0, SeqCst);
        }
        ringer.join().unwrap();
    }

    #[test]
    fn a_wait_ends_at_its_moment_and_one_in_the_past_at_once() {
        let bell = Doorbell::default();
        let until = Monotonic.now() + Nanos::from_millis(2);
        while Monotonic.now() < until {
            bell.wait(bell.rings(), until);
        }
        bell.wait(bell.rings(), Nanos::ZERO);
        bell.wait(bell.rings().wrapping_sub(1), Nanos::MAX);
    }

    #[test]
    fn a_refusal_is_a_warning_that_says_what_to_do() {
        let mut warnings = Vec::new();
        Realtime {
            priority: Some(255),
            cpu: Some(usize::MAX),
            lock_memory: false,
        }
        .apply(|warning| warnings.push(warning));
        assert_eq!(
            warnings,
            [
                Warning::Cpu(usize::MAX, libc::EINVAL),
                Warning::Priority(libc::EINVAL)
            ]
        );
        assert!(warnings[1].to_string().contains("CAP_SYS_NICE"));
    }
}
