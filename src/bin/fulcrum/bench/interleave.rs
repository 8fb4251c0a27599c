//! `fulcrum bench interleave`: inference beside training on one dispatcher, every policy over every length of a piece.

use super::arm::{self, PERIOD, Place, Repeated, Seeing};
use super::arrivals::Frames;
use super::measured::{Alone, Arm, Cut, Measured, Order, Trained};
use super::plot;
use super::prepared::{abort_latency, cuts, learning, take_place, threads, weigh};
use crate::models::Models;
use crate::stalls::{Stall, Watchman};
use clap::Args;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::file;
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::OnnxTraining;
use std::error::Error;
use std::path::PathBuf;

/// The share of the accelerator that inference is to take.
const WANTED_SHARE: f64 = 0.3;

/// Time of a whole run, the preparation included: the full one within ten minutes, the quick one within 50 seconds.
const FULL: Nanos = Nanos::from_secs(560);
const QUICK: Nanos = Nanos::from_secs(37);

/// Parts of the step that a piece is to be at most. The finest is the largest single node where nodes are longer.
const CUTS: [u64; 5] = [1, 4, 8, 16, 64];
const QUICK_CUTS: [u64; 2] = [1, 8];

/// Every arm is run so often, in turn with the others.
const ROUNDS: u32 = 5;
const QUICK_ROUNDS: u32 = 2;

/// Fewer periods than this tell nothing.
const FEWEST: u64 = 5;

/// What an arm takes beside its periods: a thread that starts, answers that are waited for.
const AROUND: Nanos = Nanos::from_millis(80);

/// Inference beside training on one dispatcher: every policy over every length of a piece.
///
/// Real ONNX Runtime inference and training of the built-in networks, on a pool of two threads where a third processor
/// is left for the camera; this machine is the accelerator and nothing preempts it. A periodic stream of 15 Hz takes about 0.3 of it; a training step over 32 samples,
/// cut ever finer, takes the rest; under `edf+abort` a running piece may be given up. Latency counts from the scheduled release.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum bench interleave --out docs        ten minutes; writes docs/interleave.svg
  fulcrum bench interleave --quick --json    within 50 seconds: fewer rounds and lengths")]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Fewer rounds and lengths, within 50 seconds
    #[arg(long)]
    quick: bool,
    /// Threads of the engine, the dispatcher's own among them [default: 2, or 1 where that would leave no processor to the
    /// camera]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Folder for interleave.svg, p99 over alone against training rate
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let begin = Monotonic.now();
    let mut models = Models::read(None, None, None)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            format!(
                "the folder {} could not be made: {error}; choose another --out",
                folder.display()
            )
        })?;
    }
    let place = take_place();
    models.threads = threads(place, arguments.threads);
    let measured = measure(&models, place, arguments.quick, begin)?;
    if let Some(folder) = &arguments.out {
        let picture = plot::draw(&measured)?;
        let path = folder.join("interleave.svg");
        file::replace([path.as_path()], |_, out| out.write_all(picture.as_bytes()))
            .map_err(|(path, error)| format!("{} could not be written: {error}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    super::rows::print(&measured, arguments.json)
}

fn measure(models: &Models, place: Place, quick: bool, begin: Nanos) -> Result<Measured, Box<dyn Error>> {
    let (end, rounds, parts) = if quick {
        (begin + QUICK, QUICK_ROUNDS, &QUICK_CUTS[..])
    } else {
        (begin + FULL, ROUNDS, &CUTS[..])
    };
    eprintln!("measuring {} on this machine ...", models.engine());
    let mut seeing = Some(Repeated::new(models)?);
    let mut cuts = cuts(models, parts)?;
    let samples = cuts
        .first()
        .and_then(|cut| cut.work.as_ref())
        .map_or(0, OnnxTraining::minibatch);
    let (runs_per_request, cost) = weigh(place, WANTED_SHARE, &mut seeing, &mut cuts)?;
    let abort = abort_latency(&mut cuts)?;
    let arms: Vec<Arm> = Order::all()
        // Its grain is the minibatch.
        .flat_map(|order| {
            let whole = order.policy == Policy::Fulcrum;
            (0..if whole { 1 } else { cuts.len() }).map(move |cut| (order, cut))
        })
        .map(|(order, cut)| Arm {
            order,
            cut,
            latencies: Vec::new(),
            trained: Trained::default(),
            bound: None,
            misses: 0,
            violations: 0,
            slow: 0,
            stalled: 0,
            wasted: Nanos::ZERO,
        })
        .collect();
    let turns = turns(cuts.len(), arms.len());
    let mut left = u64::from(rounds) * turns.len() as u64;
    let mut bench = Bench {
        place,
        seeing,
        cost,
        abort: abort.filter(|latency| *latency > Nanos::ZERO),
        cuts,
        arms,
        alone: Alone::default(),
        stalls: Vec::new(),
        watched: false,
        warnings: Vec::new(),
    };
    for round in 0..rounds as usize {
        eprintln!("round {} of {rounds}", round + 1);
        // Begins elsewhere in each round, so that a slow change of the machine meets all alike.
        let first = round * turns.len() / rounds as usize;
        for turn in turns.iter().cycle().skip(first).take(turns.len()) {
            let share = Nanos((end - Monotonic.now()).0 / left);
            left -= 1;
            bench.play(*turn, ((share - AROUND).0 / PERIOD.0).max(FEWEST))?;
        }
    }
    bench.alone.sort();
    bench
        .arms
        .iter_mut()
        .for_each(|arm| arm.latencies.sort_unstable());
    Ok(Measured {
        engine: models.engine(),
        threads: models.threads.count,
        runs_per_request,
        cost,
        samples,
        cuts: bench.cuts,
        alone: bench.alone,
        arms: bench.arms,
        rounds,
        stalls: bench.watched.then_some(bench.stalls),
        warnings: bench.warnings,
    })
}

/// What is run for a while.
#[derive(Clone, Copy)]
enum Turn {
    /// The stream alone.
    Alone,
    /// This cut alone.
    Cut(usize),
    /// This arm.
    Arm(usize),
}

/// A round: every cut alone and every arm once, the stream alone at the beginning and in the middle.
fn turns(cuts: usize, arms: usize) -> Vec<Turn> {
    let mut turns = vec![Turn::Alone];
    turns.extend((0..cuts).map(Turn::Cut));
    turns.extend((0..arms / 2).map(Turn::Arm));
    turns.push(Turn::Alone);
    turns.extend((arms / 2..arms).map(Turn::Arm));
    turns
}

/// The workloads, and what has been measured so far.
struct Bench {
    place: Place,
    seeing: Option<Repeated>,
    cost: Nanos,
    /// How long it takes at most to give a piece up.
    abort: Option<Nanos>,
    cuts: Vec<Cut>,
    arms: Vec<Arm>,
    alone: Alone,
    stalls: Vec<Stall>,
    watched: bool,
    warnings: Vec<String>,
}

impl Bench {
    fn play(&mut self, turn: Turn, periods: u64) -> Result<(), Box<dyn Error>> {
        let (place, cost) = (self.place, self.cost);
        let (policy, aborts, cut) = match turn {
            Turn::Alone => (Policy::Slack, false, None),
            Turn::Cut(cut) => (Policy::Slack, false, Some(cut)),
            Turn::Arm(arm) => self.arms.get(arm).map_or((Policy::Slack, false, None), |arm| {
                (arm.order.policy, arm.order.aborts, Some(arm.cut))
            }),
        };
        let abort = self.abort.filter(|_| aborts);
        let learning = cut
            .and_then(|cut| self.cuts.get_mut(cut))
            .map(|cut| learning(cut, abort));
        let work = &mut self.seeing;
        let seeing = (!matches!(turn, Turn::Cut(_))).then_some(Seeing { work, cost });
        let watchman = place.cpu.map(Watchman::start).transpose()?;
        let outcome = arm::play(place, policy, &Frames::periodic(periods), seeing, learning)?;
        let stalls = watchman.map(Watchman::stop);
        self.watched |= stalls.is_some() && outcome.warnings.is_empty();
        let stalls = stalls.unwrap_or_default();
        match turn {
            Turn::Alone => self.alone.add(&outcome),
            Turn::Cut(cut) => {
                if let Some(cut) = self.cuts.get_mut(cut) {
                    cut.alone.add(&outcome);
                }
            }
            Turn::Arm(arm) => {
                if let Some(arm) = self.arms.get_mut(arm) {
                    arm.add(&outcome, cost, &stalls);
                }
            }
        }
        self.stalls.extend(stalls);
        for warning in outcome.warnings {
            if !self.warnings.contains(&warning) {
                eprintln!("warning: {warning}");
                self.warnings.push(warning);
            }
        }
        Ok(())
    }
}
