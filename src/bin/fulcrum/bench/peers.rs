//! `fulcrum bench peers`: what a user would pick instead of fulcrum, side by side with it.

mod group;
mod load;
mod peer;
mod rows;
mod team;
mod text;
mod worker;

use super::arm::PERIOD;
use super::arrivals::Arrivals;
use clap::{Args, ValueEnum};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use peer::{Part, Peer};
use std::error::Error;
use team::{Outcome, Repeat};
use worker::{Order, Places, Work};

pub(crate) use worker::run as worker;

/// Time of a whole run, the preparation included.
const FULL: Nanos = Nanos::from_secs(350);
const QUICK: Nanos = Nanos::from_secs(45);

/// Every arm is run so often, in turn with the others.
const REPEATS: u32 = 5;
const QUICK_REPEATS: u32 = 2;

/// Fewer periods than this tell nothing.
const FEWEST: u64 = 5;

/// What an arm takes in the mean beside its periods, before that is known: processes that load and cut the
/// networks.
const AROUND: Nanos = Nanos::from_millis(700);

/// What a user would pick instead of fulcrum, side by side with it.
///
/// Real ONNX Runtime inference (15 a second) and training of the built-in networks share one processor of
/// this machine, in two threads or two processes with every class of the operating system, and under fulcrum.
/// Each engine runs on one thread that does not spin. Latency counts from the scheduled release, whether or
/// not the last request is answered. Arms take turns. Scheduling classes end with the processes that took
/// them, and control groups are removed.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum bench peers                                      six minutes
  fulcrum bench peers --quick --json                       within 50 seconds: fewer and shorter repeats
  fulcrum bench peers --arm fifo-idle --arm slack -r 9     these two beside each part alone
  fulcrum bench peers --share 0.5 --arrivals poisson")]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Fewer and shorter repeats, within 50 seconds
    #[arg(long)]
    quick: bool,
    /// Compare only this arm beside each part alone; may be repeated
    #[arg(long = "arm", value_name = "ARM", hide_possible_values = true)]
    arms: Vec<Peer>,
    /// The share of a processor that inference takes, 0.05 to 0.8
    #[arg(long, value_name = "U", default_value_t = 0.3, value_parser = share)]
    share: f64,
    /// How requests arrive
    #[arg(long, value_enum, default_value_t = Arrivals::Periodic)]
    arrivals: Arrivals,
    /// How often each arm runs [default: 5, with --quick 2]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: Option<u32>,
    /// About how long all takes, in seconds [default: 350, with --quick 45]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| (0.05..=0.8).contains(share));
    share.ok_or_else(|| "a share is a number from 0.05 to 0.8".into())
}

/// Everything that was measured.
pub(super) struct Measured {
    arrivals: Arrivals,
    work: Work,
    places: Places,
    repeats: u32,
    arms: Vec<Arm>,
}

/// An arm and its repeats so far.
struct Arm {
    peer: Peer,
    repeats: Vec<Repeat>,
    /// Why the machine will not run it.
    refused: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let measured = measure(arguments)?;
    let report = rows::report(&measured);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        text::print(&report);
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Measured, Box<dyn Error>> {
    let begin = Monotonic.now();
    let (time, repeats) = if arguments.quick {
        (QUICK, QUICK_REPEATS)
    } else {
        (FULL, REPEATS)
    };
    let end = begin + arguments.seconds.map_or(time, Nanos::from_secs);
    let repeats = arguments.repeats.unwrap_or(repeats);
    let places = places();
    eprintln!("weighing the work on this machine ...");
    let order = Order {
        parent: rustix::process::getpid().as_raw_pid(),
        peer: Peer::InferenceAlone,
        part: Part::Weigh,
        places: places.clone(),
        work: Work {
            share: arguments.share,
            ..Work::default()
        },
        arrivals: arguments.arrivals,
        periods: 0,
        seed: 0,
        group: None,
    };
    let work = team::weigh(&order)?;
    let order = Order { work, ..order };
    keep_off(&places);
    let mut arms = chosen(&arguments.arms);
    let mut left = u64::from(repeats) * arms.len() as u64;
    let mut spent = Spent::default();
    for repeat in 0..repeats {
        // Begins elsewhere in each round, so that a slow change of the machine meets all alike.
        let first = repeat as usize * arms.len() / repeats as usize;
        arms.rotate_left(first);
        for arm in &mut arms {
            let share = Nanos((end - Monotonic.now()).0 / left.max(1));
            left -= 1;
            if arm.refused.is_some() || (repeat > 0 && share == Nanos::ZERO) {
                continue;
            }
            let order = Order {
                peer: arm.peer,
                periods: ((share - spent.around()).0 / PERIOD.0).max(FEWEST),
                // The same requests for every arm of a round.
                seed: u64::from(repeat),
                ..order.clone()
            };
            eprintln!("round {} of {repeats}: {}", repeat + 1, arm.peer.name());
            let from = Monotonic.now();
            arm.add(team::play(&order)?);
            if arm.refused.is_none() {
                spent.add(Monotonic.now() - from - PERIOD.times(order.periods));
            }
        }
        arms.rotate_right(first);
    }
    if Monotonic.now() > end {
        eprintln!("other work slowed this one: repeats are shorter, or fewer, than they should be");
    }
    Ok(Measured {
        arrivals: arguments.arrivals,
        work: order.work,
        places,
        repeats,
        arms,
    })
}

/// What the arms so far took beside their periods.
#[derive(Default)]
struct Spent {
    sum: Nanos,
    arms: u64,
}

impl Spent {
    fn add(&mut self, around: Nanos) {
        self.sum += around;
        self.arms += 1;
    }

    /// The mean.
    fn around(&self) -> Nanos {
        self.sum.0.checked_div(self.arms).map_or(AROUND, Nanos)
    }
}

/// The arms in their order, both parts alone always among them.
fn chosen(wanted: &[Peer]) -> Vec<Arm> {
    let arm = |peer: &Peer| Arm {
        peer: *peer,
        repeats: Vec::new(),
        refused: None,
    };
    let wanted = |peer: &&Peer| {
        let alone = matches!(peer, Peer::InferenceAlone | Peer::TrainingAlone);
        alone || wanted.is_empty() || wanted.contains(peer)
    };
    Peer::value_variants().iter().filter(wanted).map(arm).collect()
}

impl Arm {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Ok(repeat) => {
                for warning in &repeat.played.warnings {
                    eprintln!("warning: {warning}");
                }
                self.repeats.push(repeat);
            }
            Err(reason) => {
                eprintln!("{} was refused: {reason}", self.peer.name());
                self.refused = Some(reason);
            }
        }
    }
}

/// The last processor that this program may use is shared; the first is where most interrupts go.
fn places() -> Places {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let all: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    Places {
        shared: all.last().copied().unwrap_or(0),
        other: all.iter().rev().nth(1).copied(),
        all,
    }
}

/// The process that measures leaves the shared processor to those that are measured.
fn keep_off(places: &Places) {
    let mut others = rustix::thread::CpuSet::new();
    let away = places.all.iter().filter(|cpu| **cpu != places.shared);
    away.for_each(|cpu| others.set(*cpu));
    // Where there is but one processor, it sleeps on that.
    let _ = rustix::thread::sched_setaffinity(None, &others);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_alone_are_always_measured_and_no_arm_twice() {
        let names = |wanted: &[Peer]| -> Vec<Peer> { chosen(wanted).iter().map(|arm| arm.peer).collect() };
        let alone = [Peer::InferenceAlone, Peer::TrainingAlone];
        assert_eq!(
            names(&[Peer::Slack, Peer::Slack]),
            [alone[0], alone[1], Peer::Slack]
        );
        assert_eq!(names(&[]), Peer::value_variants());
    }

    #[test]
    fn a_share_that_leaves_nothing_to_compare_is_refused() {
        assert_eq!(share("0.3"), Ok(0.3));
        for wrong in ["0", "0.95", "nan", "-1", "half"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
