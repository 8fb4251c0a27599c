//! What the runtime asks of the operating system for the dispatcher thread: a real-time class, a processor, locked memory.

#![allow(unsafe_code)]

use crate::units::Nanos;
use core::fmt;

/// What to ask for the dispatcher thread. Everything is optional, and a refusal is a [`Warning`], never an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Realtime {
    /// SCHED_FIFO with this priority, 1 to 99. Training then leaves free what the kernel keeps from real-time threads, and one
    /// part in a hundred more: 6 % of the time by Linux's default, nothing where `kernel.sched_rt_runtime_us` is -1.
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

/// Thousandths of the time that the kernel keeps from real-time threads, and one part in a hundred more, so that a dispatcher
/// which leaves as much free itself never meets the kernel's limit; 0 where there is none. Reads
/// `kernel.sched_rt_runtime_us` and `kernel.sched_rt_period_us`; where they cannot be read Linux's own 95 % count.
pub(super) fn rest() -> u32 {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
        text.trim().parse::<i64>().ok()
    };
    rest_of(read("sched_rt_runtime_us"), read("sched_rt_period_us"))
}

fn rest_of(runtime: Option<i64>, period: Option<i64>) -> u32 {
    let (runtime, period) = (runtime.unwrap_or(950_000), period.unwrap_or(1_000_000).max(1));
    if runtime < 0 || runtime >= period {
        return 0;
    }
    let kept = u32::try_from((period - runtime) * 1_000 / period).unwrap_or(0);
    (kept + 10).min(999)
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

/// A scheduling class of the kernel, for one thread. Threads it starts are ordinary again, except after
/// [`Class::Idle`], [`Class::Batch`] and [`Class::Ordinary`], which are inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// SCHED_OTHER with this nice value: -20, the most, to 19, the least.
    Ordinary(i8),
    /// SCHED_BATCH: as ordinary, but what wakes up never takes the processor from it.
    Batch,
    /// SCHED_IDLE: the share of a processor that nobody else wants, and a little more.
    Idle,
    /// SCHED_FIFO with this priority, 1 to 99; keeps the processor from every class above.
    Fifo(u8),
    /// SCHED_DEADLINE: `runtime` within every `period`. Before SCHED_FIFO, but never longer than `runtime`,
    /// which the kernel grants at start or refuses with EBUSY; and only to a thread that may run on every
    /// processor (else EPERM).
    Deadline {
        /// At least 1.024 us.
        runtime: Nanos,
        /// Also the deadline; at least `runtime`.
        period: Nanos,
    },
}

impl Class {
    /// Puts the calling thread into this class.
    ///
    /// # Errors
    /// The errno of the refusal; usually EPERM.
    pub fn enter(self) -> Result<(), i32> {
        let (policy, nice, priority) = match self {
            Class::Ordinary(nice) => (libc::SCHED_OTHER, nice, 0),
            Class::Batch => (libc::SCHED_BATCH, 0, 0),
            Class::Idle => (libc::SCHED_IDLE, 0, 0),
            Class::Fifo(priority) => (libc::SCHED_FIFO, 0, priority),
            Class::Deadline { .. } => (libc::SCHED_DEADLINE, 0, 0),
        };
        let realtime = matches!(self, Class::Fifo(_) | Class::Deadline { .. });
        let (runtime, period) = match self {
            Class::Deadline { runtime, period } => (runtime.0, period.0),
            _ => (0, 0),
        };
        let attributes = libc::sched_attr {
            size: size_of::<libc::sched_attr>() as u32,
            sched_policy: policy as u32,
            sched_flags: if realtime {
                libc::SCHED_FLAG_RESET_ON_FORK as u64
            } else {
                0
            },
            sched_nice: i32::from(nice),
            sched_priority: u32::from(priority),
            sched_runtime: runtime,
            sched_deadline: period,
            sched_period: period,
        };
        let (this_thread, flags) = (0, 0);
        // SAFETY: thread 0 is the caller; `attributes` is a valid struct of the size it tells for the call's
        // duration.
        let done =
            unsafe { libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, flags) };
        let errno = || std::io::Error::last_os_error().raw_os_error();
        if done == 0 {
            Ok(())
        } else {
            Err(errno().unwrap_or(libc::EPERM))
        }
    }
}

/// Puts the calling thread into SCHED_FIFO; children go back to the ordinary class.
///
/// # Errors
/// The errno of the refusal; usually EPERM.
pub fn set_fifo(priority: u8) -> Result<(), i32> {
    Class::Fifo(priority).enter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_what_the_kernel_keeps_and_a_hundredth_more() {
        assert_eq!(rest_of(Some(950_000), Some(1_000_000)), 60);
        assert_eq!(rest_of(None, None), 60);
        assert_eq!(rest_of(Some(-1), Some(1_000_000)), 0);
        assert_eq!(rest_of(Some(1_000_000), Some(1_000_000)), 0);
        assert_eq!(rest_of(Some(0), Some(1_000_000)), 999);
        assert!(rest() < 1_000);
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
                Warning::Priority(libc::EINVAL),
                Warning::Cpu(usize::MAX, libc::EINVAL)
            ]
        );
        assert!(warnings[0].to_string().contains("CAP_SYS_NICE"));
    }

    /// Policy and nice value of the calling thread, as the kernel tells them: fields 41 and 19 of its `stat`.
    fn seen() -> (i32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind_name = stat.rsplit_once(')').unwrap().1;
        let field = |place: usize| {
            behind_name
                .split_whitespace()
                .nth(place - 3)
                .unwrap()
                .parse()
                .unwrap()
        };
        (field(41), field(19))
    }

    #[test]
    fn a_class_is_the_calling_threads_alone_and_anyone_may_take_a_lesser_one() {
        let before = seen();
        let enter = |class: Class| {
            std::thread::spawn(move || class.enter().map(|()| seen()))
                .join()
                .unwrap()
        };
        assert_eq!(enter(Class::Ordinary(19)), Ok((libc::SCHED_OTHER, 19)));
        assert_eq!(enter(Class::Batch).map(|it| it.0), Ok(libc::SCHED_BATCH));
        assert_eq!(enter(Class::Idle).map(|it| it.0), Ok(libc::SCHED_IDLE));
        assert_eq!(seen(), before);
    }

    #[test]
    fn a_deadline_longer_than_its_period_is_refused() {
        let wrong = Class::Deadline {
            runtime: Nanos::from_millis(20),
            period: Nanos::from_millis(10),
        };
        assert_eq!(wrong.enter(), Err(libc::EINVAL));
    }
}
