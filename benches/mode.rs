//! What a switch of the power mode costs on the simulated AGX Orin, mounted as files: writes, and time beside that of the
//! bare system calls it cannot do without; then the same with the latencies measured on a board, beside their sum; and what
//! a stream's latency is meanwhile. Run by `make bench`; `--quick` for a short look. Needs /dev/fuse.

use fulcrum::board::{Board, Machine, Root};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::{Change, Journal, ModeSpace, PowerMode};
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{Arrival, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::twin::fuse::Mount;
use fulcrum::twin::tree::{self, Tree};
use fulcrum::units::Nanos;
use fulcrum::workload::callback::StreamCallback;
use std::error::Error;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = if std::env::args().any(|it| it == "--quick") {
        20
    } else {
        200
    };
    let folder = std::env::temp_dir().join(format!("fulcrum-bench-mode-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = match Mount::new(Tree::open("agx-orin", tree::Options::default())?, &folder) {
        Ok(mount) => measure(&mount, &folder, rounds),
        Err(error) => {
            println!("not measured: {error}");
            Ok(())
        }
    };
    std::fs::remove_dir(&folder)?;
    outcome
}

fn measure(mount: &Mount, folder: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let root = Root::new(folder);
    let mut machine = Machine::detect(root.clone())?;
    let space = ModeSpace::of(machine.facts());
    let modes: Vec<PowerMode> = (0..rounds)
        .filter_map(|n| space.at((n + 1).wrapping_mul(7_919) % space.len()))
        .collect();

    // On a RAM disk, so that the journal costs what it costs fulcrum and not what the disk of this machine does.
    let shm = Path::new("/dev/shm");
    let disk = if shm.is_dir() { shm } else { folder };
    let journal = disk.join(format!("fulcrum-bench-{}", std::process::id()));
    println!("switching the power mode, simulated AGX Orin, {rounds} random modes");
    println!("                                 writes   median        p99     bare calls   ratio");
    for (label, journaled) in [("without a journal", false), ("with a journal", true)] {
        let (mut times, mut writes, mut bare) = (Vec::new(), 0, Vec::new());
        for mode in &modes {
            mount.tree().clear_log();
            let start = Monotonic.now();
            let mut change = Change::begin(&mut machine)?;
            if journaled {
                change = change.journaled(Journal::lock(&root, &journal)?, None);
            }
            let applied = change.apply(*mode)?;
            times.push(Monotonic.now() - start);
            writes = writes.max(mount.tree().log().len());
            applied.keep()?;
            bare.push(bare_calls(&machine, folder)?);
            if journaled {
                Journal::lock(&root, &journal)?.remove()?;
            }
        }
        let (median, p99) = (quantile(&mut times, 50), quantile(&mut times, 99));
        let bare = quantile(&mut bare, 50);
        println!(
            "  {label:28} {writes:8} {:>10} {:>10} {:>14} {:7.2}",
            us(median),
            us(p99),
            us(bare),
            median.0 as f64 / bare.0 as f64
        );
    }
    if journal.is_dir() {
        std::fs::remove_dir_all(&journal)?;
    }

    // With the latencies of a real board: the sum over the writes that were needed is the limit.
    let modes = modes.get(..rounds.min(40)).unwrap_or_default();
    mount.tree().latencies(true);
    let (mut ratios, mut longest, mut writes) = (Vec::new(), Nanos::ZERO, 0);
    for mode in modes {
        mount.tree().clear_log();
        let start = Monotonic.now();
        Change::begin(&mut machine)?.apply(*mode)?.keep()?;
        let took = Monotonic.now() - start;
        let made = mount.tree().log();
        let needed = made.iter().fold(Nanos::ZERO, |sum, write| sum + write.took);
        ratios.push(Nanos(took.0 * 1_000 / needed.0.max(1)));
        longest = longest.max(took);
        writes += made.len();
    }
    println!(
        "with the latencies measured on a board: {:.3} of the sum of its {:.1} writes (median), at most {:.0} ms",
        quantile(&mut ratios, 50).0 as f64 / 1e3,
        writes as f64 / modes.len() as f64,
        longest.as_millis_f64()
    );
    // On its own thread, beside a stream at 200 Hz.
    let seconds = if rounds < 100 { 2 } else { 10 };
    let quiet = stream_latency(seconds, || ())?;
    let stop = Arc::new(AtomicBool::new(false));
    let (their_stop, theirs) = (Arc::clone(&stop), modes.to_vec());
    let switcher = std::thread::spawn(move || {
        let mut switches = 0;
        for mode in theirs.iter().cycle() {
            let change = Change::begin(&mut machine).and_then(|change| change.apply(*mode));
            if their_stop.load(Relaxed) || change.and_then(|applied| applied.keep()).is_err() {
                break;
            }
            switches += 1;
        }
        switches
    });
    let switching = stream_latency(seconds, || stop.store(true, Relaxed))?;
    let switches = switcher.join().map_err(|_| "the switching thread panicked")?;
    println!("latency of a stream of 1 ms at 200 Hz over {seconds} s, ms");
    println!("                 median       p99     p99.9");
    for (label, [median, p99, p999]) in [("quiet", quiet), ("switching", switching)] {
        println!(
            "  {label:10} {:10.3} {:9.3} {:9.3}",
            median.as_millis_f64(),
            p99.as_millis_f64(),
            p999.as_millis_f64()
        );
    }
    println!(
        "  ratio      {:10.2} {:9.2} {:9.2}   ({switches} switches meanwhile)",
        switching[0].0 as f64 / quiet[0].0 as f64,
        switching[1].0 as f64 / quiet[1].0 as f64,
        switching[2].0 as f64 / quiet[2].0 as f64
    );
    Ok(())
}

/// What no switch can do without: each setting read once and, as many as a switch writes, read again, on open files.
fn bare_calls(machine: &Machine, folder: &Path) -> Result<Nanos, Box<dyn Error>> {
    let mut files = Vec::new();
    for setting in machine.settings() {
        if let Some(path) = machine.path(*setting)
            && let Ok(file) = std::fs::File::open(folder.join(path))
        {
            files.push(file);
        }
    }
    let mut buffer = [0; 64];
    let start = Monotonic.now();
    for _ in 0..3 {
        for file in &files {
            file.read_at(&mut buffer, 0)?;
        }
    }
    Ok(Monotonic.now() - start)
}

/// Median, p99 and p99.9 of a stream that needs 1 ms every 5 ms.
fn stream_latency(seconds: u64, then: impl FnOnce()) -> Result<[Nanos; 3], Box<dyn Error>> {
    let mut builder = Builder::new(Options {
        start_unfit: true,
        ..Options::default()
    });
    let period = Nanos::from_millis(5);
    let spec = StreamSpec {
        name: name("stream"),
        arrival: Arrival::Periodic {
            period,
            jitter: Nanos::from_millis(1),
        },
        deadline: period,
        minibatch: 1,
        cost: Nanos::from_millis(1),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    };
    let work = |_: &[Request], _: &mut [u64]| {
        let end = Monotonic.now() + Nanos::from_millis(1);
        while Monotonic.now() < end {}
        Ok(())
    };
    let (mut submitter, mut completions) = builder.stream(spec, Box::new(StreamCallback(work)))?;
    let mut runtime = builder.start()?;
    let start = Monotonic.now() + period;
    for token in 0..seconds * 200 {
        let release = start + period.times(token);
        Monotonic.sleep_until(release);
        let _ = submitter.submit(Request { token, release });
        while completions.poll().is_some() {}
    }
    then();
    runtime.stop();
    let statistics = runtime.stream(0).ok_or("the runtime lost its stream")?;
    Ok([5_000, 9_900, 9_990].map(|permyriad| statistics.latency.quantile(permyriad)))
}

fn quantile(times: &mut [Nanos], percent: usize) -> Nanos {
    times.sort_unstable();
    let place = (times.len().saturating_sub(1)) * percent / 100;
    times.get(place).copied().unwrap_or_default()
}

fn us(time: Nanos) -> String {
    format!("{:.0} us", time.0 as f64 / 1e3)
}
