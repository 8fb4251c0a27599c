//! The dispatcher thread neither allocates after start nor waits for a slower thread.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_types, reason = "a lock is what the check must find")]

mod counting;

use counting::calls;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::limits;
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::twin::{Paced, Twin};
use fulcrum::units::Nanos;
use fulcrum::workload::Progress;
use fulcrum::workload::callback::{JobCallback, StreamCallback};
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

#[test]
fn after_start_the_dispatcher_thread_makes_no_allocation() {
    // Each callback runs on the dispatcher thread and notes that thread's count; the first note is the baseline.
    let (first, last, runs) = (
        Arc::new(AtomicU64::new(u64::MAX)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let note = {
        let (first, last, runs) = (Arc::clone(&first), Arc::clone(&last), Arc::clone(&runs));
        move || {
            first.fetch_min(calls(), SeqCst);
            last.store(calls(), SeqCst);
            runs.fetch_add(1, SeqCst);
        }
    };
    let mut builder = Builder::new(options());
    let answer = {
        let note = note.clone();
        move |requests: &[Request], answers: &mut [u64]| {
            note();
            answers[0] = requests[0].token + 1;
            Ok(())
        }
    };
    let (mut submitter, mut completions) = builder
        .stream(camera(), Box::new(StreamCallback(answer)))
        .unwrap();
    // At the pace of the simulated board, as in the demo.
    let twin = Twin::open("agx-orin", 1).unwrap();
    let run = move |piece| {
        note();
        Ok(if piece == 2 {
            Progress::Stepped { loss: 1.0 }
        } else {
            Progress::Ran
        })
    };
    builder
        .job(
            learner(),
            Box::new(Paced::new(JobCallback { pieces: 3, run }, twin, Nanos::MAX)),
        )
        .unwrap();
    let mut runtime = builder.start().unwrap();
    let mut answered = 0;
    for token in 0..500 {
        // A full queue is one of the paths; nobody minds a request that comes back.
        let _ = submitter.submit(Request {
            token,
            release: Monotonic.now(),
        });
        if token % 50 == 0 {
            std::thread::sleep(Duration::from_millis(3));
        }
        while let Some(completion) = completions.poll() {
            assert_eq!(completion.answer, Ok(completion.request.token + 1));
            answered += 1;
        }
    }
    while runtime.job(0).unwrap().steps.get() < 100 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime.stop();
    assert!(answered > 0 && runs.load(SeqCst) > 300);
    assert_eq!(
        last.load(SeqCst),
        first.load(SeqCst),
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
