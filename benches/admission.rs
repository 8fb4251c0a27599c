//! Whether admission keeps its word over random task sets of every policy, and what its caution costs: how often it says no
//! to a set that would never have missed. Run by `make bench`; `--quick` for a short look, `--sets N` for another number.

use fulcrum::schedule::simulator::{self, TaskSet, World};
use fulcrum::units::Nanos;
use std::error::Error;

/// What became of the sets of one policy.
#[derive(Clone, Copy, Default)]
struct Count {
    sets: u64,
    admitted: u64,
    /// Admitted, and a deadline was missed.
    false_yes: u64,
    /// A latency above its printed bound, admitted or not.
    above_bound: u64,
    refused: u64,
    /// Refused, and no deadline was missed in the worst arrivals and times that were tried.
    refused_unmissed: u64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.sets += other.sets;
        self.admitted += other.admitted;
        self.false_yes += other.false_yes;
        self.above_bound += other.above_bound;
        self.refused += other.refused;
        self.refused_unmissed += other.refused_unmissed;
    }
}

const POLICIES: [&str; 7] = [
    "fcfs",
    "in-flight",
    "time-slice",
    "fulcrum",
    "priority",
    "edf",
    "slack",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = arguments
        .iter()
        .position(|it| it == "--sets")
        .and_then(|place| arguments.get(place + 1));
    let sets: u64 = match number {
        Some(number) => number.parse()?,
        None if arguments.iter().any(|it| it == "--quick") => 20_000,
        None => 1_000_000,
    };
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let counts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    (0..sets)
                        .filter(|seed| seed % threads == thread)
                        .map(one)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut counts = [Count::default(); POLICIES.len()];
        for worker in workers {
            for (policy, count) in worker.join().unwrap_or_default() {
                if let Some(sum) = POLICIES
                    .iter()
                    .position(|it| *it == policy)
                    .and_then(|place| counts.get_mut(place))
                {
                    sum.add(&count);
                }
            }
        }
        counts
    });
    println!("admission over {sets} random task sets (simulated arrivals and times)");
    println!("  policy           sets   admitted  false yes  above bound   refused  of these never missed");
    let mut all = Count::default();
    for (policy, count) in POLICIES.iter().zip(&counts) {
        print(policy, count);
        all.add(count);
    }
    print("all", &all);
    if all.false_yes + all.above_bound > 0 {
        return Err("admission said yes to a set that missed, or a latency was above its bound".into());
    }
    Ok(())
}

fn print(policy: &str, count: &Count) {
    let share = 100.0 * count.refused_unmissed as f64 / count.refused.max(1) as f64;
    println!(
        "  {policy:12} {:8} {:10} {:10} {:12} {:9}  {share:6.1} %",
        count.sets, count.admitted, count.false_yes, count.above_bound, count.refused
    );
}

/// One set, run twice: at its busiest, and at random.
fn one(seed: u64) -> (&'static str, Count) {
    let set = TaskSet::random(seed);
    let mut count = Count {
        sets: 1,
        ..Count::default()
    };
    let mut missed = false;
    for (quickest, eager) in [(1_000, 1_000), (300, 500)] {
        // A random set is within the limits of a schedule.
        let Ok(mut schedule) = set.schedule() else {
            continue;
        };
        let admitted = schedule.would_fit().is_ok();
        let bounds: Vec<Option<Nanos>> = (0..set.streams.len())
            .map(|stream| schedule.bound(stream))
            .collect();
        count.admitted = u64::from(admitted);
        count.refused = u64::from(!admitted);
        let longest = set
            .streams
            .iter()
            .map(|it| it.arrival.period())
            .max()
            .unwrap_or_default();
        let world = World {
            length: longest.times(30),
            seed,
            quickest,
            eager,
            failing: 0,
            overrunning: 0,
        };
        let outcome = simulator::run(&mut schedule, &world);
        for (of, bound) in outcome.streams.iter().zip(bounds) {
            missed |= of.missed > 0;
            // A full queue turns requests away, and what is left is no longer what was announced.
            let broken = of.turned_away == 0 && bound.is_some_and(|bound| of.longest > bound);
            count.above_bound |= u64::from(broken);
        }
    }
    count.false_yes = u64::from(missed && count.admitted == 1);
    count.refused_unmissed = u64::from(!missed && count.refused == 1);
    (set.policy.name(), count)
}
