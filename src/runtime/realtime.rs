//! What the runtime asks of the operating system for the dispatcher thread: a real-time class, a processor, locked memory.

#![allow(unsafe_code)]

use core::fmt;

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
        // Before the move: an ordinary thread that moves beside a busy real-time one may not run again.
        if let Some(priority) = self.priority
            && let Err(errno) = set_fifo(priority)
        {
            warn(Warning::Priority(errno));
        }
        if let Some(cpu) = self.cpu {
            let mut set = rustix::thread::CpuSet::new();
            if cpu < rustix::thread::CpuSet::MAX_CPU {
                set.set(cpu);
            }
            if let Err(errno) = rustix::thread::sched_setaffinity(None, &set) {
                warn(Warning::Cpu(cpu, errno.raw_os_error()));
            }
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
                Warning::Priority(libc::EINVAL),
                Warning::Cpu(usize::MAX, libc::EINVAL)
            ]
        );
        assert!(warnings[0].to_string().contains("CAP_SYS_NICE"));
    }
}
