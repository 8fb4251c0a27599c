//! The dispatcher thread neither allocates after start nor waits for a slower thread.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_types, reason = "a lock is what the check must find")]

mod counting;

use counting::calls;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::limits;
use fulcrum::runtime::{Builder, Options, Runtime};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::twin::{Paced, Twin};
use fulcrum::units::Nanos;
use fulcrum::workload::callback::{JobCallback, StreamCallback};
use fulcrum::workload::gate::{Gate, Gated, Score};
use fulcrum::workload::swap::{self, SETS, Serving, Set};
use fulcrum::workload::{Inference, Progress, Training, WorkloadError};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn camera() -> StreamSpec {
    StreamSpec {
        name: name("camera"),
        arrival: Arrival::Periodic {
            period: Nanos::from_millis(2),
            jitter: Nanos::from_millis(1),
        },
        deadline: Nanos::from_secs(1),
        minibatch: 1,
        cost: Nanos::from_micros(100),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    }
}

fn learner() -> JobSpec {
    JobSpec {
        name: name("learner"),
        pieces: [Nanos::from_micros(100); 3].into_iter().collect(),
        abort: None,
    }
}

fn options() -> Options {
    Options {
        start_unfit: true,
        ..Options::default()
    }
}

/// Notes the allocations of the thread it is called on; the first note is the baseline.
#[derive(Clone, Default)]
struct Notes(Arc<[AtomicU64; 3]>);

impl Notes {
    fn note(&self) {
        let [first, last, notes] = &*self.0;
        if notes.fetch_add(1, SeqCst) == 0 {
            first.store(calls(), SeqCst);
        }
        last.store(calls(), SeqCst);
    }

    /// Allocations since the first note, and how many notes there were.
    fn told(&self) -> (u64, u64) {
        let [first, last, notes] = &*self.0;
        (last.load(SeqCst) - first.load(SeqCst), notes.load(SeqCst))
    }
}

/// Answers with the version of the weights that serve.
struct Answers {
    notes: Notes,
    serving: Serving,
    version: u32,
}

impl Inference for Answers {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        self.notes.note();
        self.version = self.serving.begin().version;
        answers[0] = requests[0].token + 1;
        Ok(())
    }

    fn version(&self) -> u32 {
        self.version
    }
}

/// Steps of three pieces, whose weights get better twice and then worse.
struct Learner {
    notes: Notes,
    steps: u64,
    sets: [f64; SETS],
}

impl Training for Learner {
    fn pieces(&self) -> u16 {
        3
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        self.notes.note();
        self.steps += u64::from(piece == 2);
        Ok(if piece == 2 {
            Progress::Stepped { loss: 1.0 }
        } else {
            Progress::Ran
        })
    }

    fn fill_pieces(&self) -> u16 {
        1
    }

    fn fill(&mut self, _: u16, set: &Set<'_>) -> Result<(), WorkloadError> {
        self.notes.note();
        self.sets[set.index()] = [0.5, 0.25, 9.0][self.steps as usize % 3];
        Ok(())
    }

    fn eval_pieces(&self) -> u16 {
        1
    }

    fn eval(&mut self, _: u16, set: &Set<'_>) -> Result<Score, WorkloadError> {
        self.notes.note();
        Ok(Score {
            loss: self.sets[set.index()],
            right: 0,
            samples: 1,
        })
    }
}

#[test]
fn after_start_the_dispatcher_thread_makes_no_allocation() {
    let notes = Notes::default();
    let (publisher, serving, reverter) = swap::channel();
    let mut builder = Builder::new(options());
    let answers = Answers {
        notes: notes.clone(),
        serving,
        version: 0,
    };
    let (mut submitter, mut completions) = builder.stream(camera(), Box::new(answers)).unwrap();
    // At the pace of the simulated board, as in the demo.
    let twin = Twin::open("agx-orin", 1).unwrap();
    let job = Learner {
        notes: notes.clone(),
        steps: 0,
        sets: [1.0; SETS],
    };
    let gate = Gate {
        every: 1,
        ..Gate::default()
    };
    let mut gated = Gated::new(job, publisher, gate);
    let mut spec = learner();
    let piece = Nanos::from_micros(100);
    spec.pieces = gated.lengths(&spec.pieces, piece, piece).unwrap();
    builder
        .job(spec, Box::new(Paced::new(gated, twin, Nanos::MAX)))
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let (mut answered, mut reverts) = (0, 0);
    let statistics = |runtime: &Runtime| {
        let job = runtime.job(0).unwrap();
        (job.steps.get(), job.swaps.get(), job.rejected.get())
    };
    let mut token = 0;
    loop {
        // A full queue is one of the paths; nobody minds a request that comes back.
        let _ = submitter.submit(Request {
            token,
            release: Monotonic.now(),
        });
        token += 1;
        if token % 50 == 0 {
            std::thread::sleep(Duration::from_millis(3));
            reverts += u64::from(reverter.revert().is_some());
        }
        while let Some(completion) = completions.poll() {
            assert_eq!(completion.answer, Ok(completion.request.token + 1));
            answered += 1;
        }
        let (steps, swaps, rejected) = statistics(&runtime);
        if token >= 500 && steps > 100 && swaps > 2 && rejected > 2 && reverts > 2 {
            break;
        }
    }
    runtime.stop();
    let (allocations, runs) = notes.told();
    assert!(answered > 0 && runs > 300);
    assert_eq!(
        allocations, 0,
        "allocations on the dispatcher thread after its first piece"
    );
}

static FREEZE: AtomicBool = AtomicBool::new(false);
static FROZEN: AtomicU64 = AtomicU64::new(0);

/// Holds the thread wherever the signal met it, until told to go on: in the middle of a lock, if it held one.
extern "C" fn freeze(_: libc::c_int) {
    FROZEN.fetch_add(1, SeqCst);
    while FREEZE.load(SeqCst) {
        std::hint::spin_loop();
    }
    FROZEN.fetch_sub(1, SeqCst);
}

/// Stops the thread that uses the runtime from outside at a random instruction, again and again; says whether the
/// dispatcher ever failed to go on with its training meanwhile. `lock` is one that the trainer and that thread share.
fn a_frozen_thread_stops_the_dispatcher(
    rounds: u64,
    patience: Duration,
    lock: Option<Arc<Mutex<u64>>>,
) -> bool {
    let handler: extern "C" fn(libc::c_int) = freeze;
    // SAFETY: the handler uses atomics alone, which is allowed in a signal handler.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t);
    }
    let pieces = Arc::new(AtomicU64::new(0));
    let mut builder = Builder::new(options());
    let answer = |_: &[Request], answers: &mut [u64]| {
        answers.fill(7);
        Ok(())
    };
    let (mut submitter, mut completions) = builder
        .stream(camera(), Box::new(StreamCallback(answer)))
        .unwrap();
    let (counter, their_lock) = (Arc::clone(&pieces), lock.clone());
    let run = move |piece| {
        if let Some(lock) = &their_lock {
            *lock.lock().unwrap() += 1;
        }
        counter.fetch_add(1, SeqCst);
        Ok(if piece == 2 {
            Progress::Stepped { loss: 1.0 }
        } else {
            Progress::Ran
        })
    };
    builder
        .job(learner(), Box::new(JobCallback { pieces: 3, run }))
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let mut events = runtime.events().unwrap();
    let (over, statistics) = (
        Arc::new(AtomicBool::new(false)),
        Arc::clone(runtime.stream(0).unwrap()),
    );
    let their_over = Arc::clone(&over);
    // Does all that a slower thread may do with the runtime: submits, polls, drains events, reads statistics.
    let slower = std::thread::spawn(move || {
        let mut token = 0;
        while !their_over.load(SeqCst) {
            token += 1;
            let _ = submitter.submit(Request {
                token,
                release: Monotonic.now(),
            });
            while completions.poll().is_some() {}
            while events.poll().is_some() {}
            let guard = lock.as_ref().map(|lock| lock.lock().unwrap());
            std::hint::black_box(statistics.latency.quantile(9_900));
            drop(guard);
        }
    });
    let target = slower.as_pthread_t();
    let mut stopped = false;
    for round in 0..rounds {
        std::thread::sleep(Duration::from_micros(round * 7 % 400));
        FREEZE.store(true, SeqCst);
        // SAFETY: the thread has not been joined, so its handle is valid.
        #[allow(unsafe_code)]
        unsafe {
            libc::pthread_kill(target, libc::SIGUSR1);
        }
        while FROZEN.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        let (before, waited) = (pieces.load(SeqCst), Monotonic.now());
        while pieces.load(SeqCst) < before + 3 && !stopped {
            std::thread::yield_now();
            stopped = (Monotonic.now() - waited).0 > patience.as_nanos() as u64;
        }
        FREEZE.store(false, SeqCst);
        while FROZEN.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
    over.store(true, SeqCst);
    slower.join().unwrap();
    runtime.stop();
    assert!(stopped || runtime.stream(0).unwrap().latency.count() > limits::REQUESTS as u64);
    stopped
}

#[test]
fn the_dispatcher_goes_on_while_every_other_thread_is_frozen_and_the_check_finds_a_shared_lock() {
    assert!(!a_frozen_thread_stops_the_dispatcher(
        300,
        Duration::from_secs(20),
        None
    ));
    assert!(a_frozen_thread_stops_the_dispatcher(
        100,
        Duration::from_millis(100),
        Some(Arc::default())
    ));
}
