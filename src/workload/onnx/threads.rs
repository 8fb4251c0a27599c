//! [`Threads`]: how many threads run one piece, and where and how urgently they run.
//!
//! ONNX Runtime's pool counts the calling thread, so a count of 1 has no pool and a piece runs on the
//! dispatcher alone. Every other thread is made here, at registration, through the engine's own hooks for it;
//! it is joined when its session goes.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::{OrtCustomHandleType, OrtCustomThreadHandle, OrtSessionOptions, OrtThreadWorkerFn};
use super::library::{Library, call};
use rustix::thread::CpuSet;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::{Builder, JoinHandle};

/// Most threads of one session. A Jetson has at most 12 cores.
pub const MOST: usize = 32;

/// How many threads run one piece, and where. The default is one: the thread that calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Threads inside one operator, the calling one counted; 1 to [`MOST`].
    pub count: usize,
    /// SCHED_FIFO priority of the other threads, 1 to 99. Below the dispatcher's, or they take its processor
    /// while it waits for them.
    pub priority: Option<u8>,
    /// Processors of the other threads: the first for the first of them and so on, from the beginning again
    /// if there are more threads. Empty, the default: wherever the system puts them.
    pub cpus: Vec<usize>,
    /// Beginning of the other threads' names, `-1`, `-2` and so on follow. The system keeps 15 bytes of a
    /// name.
    pub name: String,
    /// Whether idle threads spin between two operators. They then answer some microseconds sooner, and take
    /// their processor from everything else.
    pub spin: bool,
}

impl Default for Threads {
    fn default() -> Threads {
        Threads {
            count: 1,
            priority: None,
            cpus: Vec::new(),
            name: "fulcrum-ort".to_string(),
            spin: false,
        }
    }
}

impl Threads {
    /// So many threads, and everything else as by default.
    pub fn of(count: usize) -> Threads {
        Threads {
            count,
            ..Threads::default()
        }
    }
}

/// What the operating system refused to threads of the engine; they run all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Threads that did not get their real-time priority, and the last errno.
    pub priority: (usize, i32),
    /// Threads that were not pinned, and the last errno.
    pub cpu: (usize, i32),
}

impl Refusals {
    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        (self.priority.0, self.cpu.0) == (0, 0)
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.priority.0, self.cpu.0) {
            (0, 0) => f.write_str("every thread of the engine runs as asked"),
            (priority, cpu) => write!(
                f,
                "of the engine's threads {priority} got no real-time priority (errno {}; grant CAP_SYS_NICE) and {cpu} were \
                 not pinned (errno {}; name processors that this process may use)",
                self.priority.1, self.cpu.1
            ),
        }
    }
}

/// The threads of one session beside the calling one.
pub(super) struct Pool {
    threads: Threads,
    /// Threads made so far.
    made: AtomicUsize,
    refused: Arc<Refused>,
}

/// Count and last errno of each refusal, as one word each: count in the upper half.
#[derive(Default)]
struct Refused {
    priority: AtomicU64,
    cpu: AtomicU64,
}

impl Pool {
    pub(super) fn new(threads: &Threads) -> Result<Arc<Pool>, OnnxError> {
        if threads.count == 0 || threads.count > MOST {
            return Err(OnnxError::Threads(threads.count));
        }
        Ok(Arc::new(Pool {
            threads: threads.clone(),
            made: AtomicUsize::new(0),
            refused: Arc::default(),
        }))
    }

    /// Has the session that `options` will make take its threads from here. The pool outlives that session.
    ///
    /// # Safety
    /// `options` lives for the call, and this pool until the session that it makes is released.
    pub(super) unsafe fn enter(
        self: &Arc<Pool>,
        library: &Library,
        options: *mut OrtSessionOptions,
    ) -> Result<(), OnnxError> {
        let doing = "set a session's threads";
        let count = self.threads.count as i32;
        let spin = if self.threads.spin { c"1" } else { c"0" };
        let keys: [&CStr; 2] = [
            c"session.intra_op.allow_spinning",
            c"session.inter_op.allow_spinning",
        ];
        // SAFETY: promised by the caller; every text is a C string, and both functions have the type that is
        // asked for.
        unsafe {
            call!(library, doing, SetIntraOpNumThreads(options, count))?;
            call!(library, doing, SetInterOpNumThreads(options, 1))?;
            for key in keys {
                call!(
                    library,
                    doing,
                    AddSessionConfigEntry(options, key.as_ptr(), spin.as_ptr())
                )?;
            }
            if count > 1 {
                let pool: *const Pool = Arc::as_ptr(self);
                call!(
                    library,
                    doing,
                    SessionOptionsSetCustomThreadCreationOptions(options, pool.cast_mut().cast())
                )?;
                call!(
                    library,
                    doing,
                    SessionOptionsSetCustomCreateThreadFn(options, Some(create))
                )?;
                call!(
                    library,
                    doing,
                    SessionOptionsSetCustomJoinThreadFn(options, Some(join))
                )?;
            }
        }
        Ok(())
    }

    /// What was refused so far. Complete once the session has run: a thread applies its settings before its
    /// first work.
    pub(super) fn refusals(&self) -> Refusals {
        let both = |word: &AtomicU64| {
            let word = word.load(SeqCst);
            ((word >> 32) as usize, word as u32 as i32)
        };
        Refusals {
            priority: both(&self.refused.priority),
            cpu: both(&self.refused.cpu),
        }
    }

    fn start(&self, work: Work) -> std::io::Result<JoinHandle<()>> {
        let index = self.made.fetch_add(1, SeqCst);
        let threads = &self.threads;
        let cpu = index
            .checked_rem(threads.cpus.len())
            .and_then(|place| threads.cpus.get(place).copied());
        let (priority, refused) = (threads.priority, Arc::clone(&self.refused));
        // A NUL byte is what std refuses in a name.
        let name = format!("{}-{}", threads.name.replace('\0', ""), index + 1);
        Builder::new().name(name).spawn(move || {
            // The priority comes first: an ordinary thread that moves beside a busy real-time one may not run
            // again.
            if let Some(priority) = priority {
                note(&refused.priority, set_fifo(priority));
            }
            if let Some(cpu) = cpu {
                note(&refused.cpu, pin(cpu));
            }
            work.run();
        })
    }
}

fn note(word: &AtomicU64, errno: i32) {
    if errno != 0 {
        // The closure always has a new value, so this cannot fail.
        let _ = word.fetch_update(SeqCst, SeqCst, |word| {
            Some(((word >> 32) + 1) << 32 | u64::from(errno as u32))
        });
    }
}

/// The engine's own loop of a pool thread.
struct Work {
    run: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
}

// SAFETY: ONNX Runtime hands the argument over for the new thread's use.
unsafe impl Send for Work {}

impl Work {
    fn run(self) {
        // SAFETY: function and argument belong together; ONNX Runtime made them for this one call.
        unsafe { (self.run)(self.argument) }
    }
}

/// Makes a thread of the pool; null tells ONNX Runtime that there is none, and the session is not made.
unsafe extern "C" fn create(
    pool: *mut c_void,
    run: OrtThreadWorkerFn,
    argument: *mut c_void,
) -> OrtCustomThreadHandle {
    // SAFETY: the options hold the address of a `Pool` that lives until its session is gone.
    let pool = unsafe { pool.cast::<Pool>().as_ref() };
    let (Some(pool), Some(run)) = (pool, run) else {
        return std::ptr::null();
    };
    match pool.start(Work { run, argument }) {
        Ok(thread) => Box::into_raw(Box::new(thread))
            .cast::<OrtCustomHandleType>()
            .cast_const(),
        Err(_) => std::ptr::null(),
    }
}

unsafe extern "C" fn join(thread: OrtCustomThreadHandle) {
    if !thread.is_null() {
        // SAFETY: the handle came from `create`, and ONNX Runtime gives each back once.
        let thread = unsafe { Box::from_raw(thread.cast_mut().cast::<JoinHandle<()>>()) };
        // The engine's loop does not unwind.
        let _ = thread.join();
    }
}

/// The errno of the refusal, 0 for none.
fn set_fifo(priority: u8) -> i32 {
    let parameters = libc::sched_param {
        sched_priority: i32::from(priority),
    };
    // SAFETY: the calling thread lives; `parameters` is valid for the call.
    unsafe {
        libc::pthread_setschedparam(
            libc::pthread_self(),
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    }
}

fn pin(cpu: usize) -> i32 {
    let mut set = CpuSet::new();
    if cpu < CpuSet::MAX_CPU {
        set.set(cpu);
    }
    rustix::thread::sched_setaffinity(None, &set).map_or_else(rustix::io::Errno::raw_os_error, |()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_and_too_many_are_refused_with_the_number() {
        for count in [0, MOST + 1] {
            let refused = Pool::new(&Threads::of(count)).err().unwrap();
            assert!(refused.to_string().contains(&count.to_string()), "{refused}");
        }
        assert!(Pool::new(&Threads::of(MOST)).is_ok());
    }

    #[test]
    fn refusals_are_counted_with_their_last_errno_and_say_what_to_do() {
        let threads = Threads {
            cpus: vec![usize::MAX],
            priority: Some(255),
            ..Threads::of(3)
        };
        let pool = Pool::new(&threads).unwrap();
        unsafe extern "C" fn nothing(_: *mut c_void) {}
        for _ in 0..2 {
            let work = Work {
                run: nothing,
                argument: std::ptr::null_mut(),
            };
            pool.start(work).unwrap().join().unwrap();
        }
        let refused = pool.refusals();
        assert_eq!((refused.priority.0, refused.cpu.0), (2, 2));
        assert_eq!(refused.cpu.1, libc::EINVAL);
        let text = refused.to_string();
        assert!(
            text.contains("CAP_SYS_NICE") && text.contains(&format!("errno {}", libc::EINVAL)),
            "{text}"
        );
        assert!(Refusals::default().is_empty() && !refused.is_empty());
    }
}
