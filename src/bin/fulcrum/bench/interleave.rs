//! `fulcrum bench interleave`: inference beside training on one dispatcher, every policy over every length of a piece.

use super::arm::{self, Learning, Outcome, PERIOD, Place, Repeated, Seeing};
use super::arrivals::Frames;
use super::{aborting, plot, quantile};
use crate::models::Models;
use crate::processor::{DISPATCHER, last_cpu};
use crate::stalls::{self, Stall, Watchman};
use clap::Args;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::file;
use fulcrum::schedule::Policy;
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::{OnnxTraining, Threads};
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// The share of the accelerator that inference is to take.
const WANTED_SHARE: f64 = 0.3;

/// Runs of the model that are weighed together.
const WEIGHED: u32 = 64;

/// Thousandths, of announced over measured times, which are upper quantiles of a short measurement.
const MARGIN: u64 = 1_150;

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

/// A training step cut into pieces, and how fast it is alone.
pub(super) struct Cut {
    pub(super) work: Option<OnnxTraining>,
    /// Measured upper lengths, without margin.
    pub(super) lengths: Vec<Nanos>,
    /// The same as they are announced.
    announced: Vec<Nanos>,
    pub(super) buffer_bytes: usize,
    pub(super) alone: Trained,
}

impl Cut {
    pub(super) fn new(models: &Models, wanted: Option<Nanos>) -> Result<Cut, Box<dyn Error>> {
        let work = arm::training(models, wanted)?;
        let lengths = work.piece_lengths().to_vec();
        Ok(Cut {
            announced: lengths.iter().map(|length| length.scaled(MARGIN)).collect(),
            lengths,
            buffer_bytes: work.buffer_bytes(),
            work: Some(work),
            alone: Trained::default(),
        })
    }

    pub(super) fn longest(&self) -> Nanos {
        self.lengths.iter().copied().max().unwrap_or(Nanos::ZERO)
    }
}

/// Training rate of each round, steps a second.
#[derive(Default)]
pub(super) struct Trained(Vec<f64>);

impl Trained {
    fn add(&mut self, outcome: &Outcome) {
        self.0.push(outcome.steps / outcome.time.as_secs_f64().max(1e-9));
    }

    /// The median of the rounds; zero before the first.
    pub(super) fn rate(&self) -> f64 {
        let mut rates = self.0.clone();
        rates.sort_by(f64::total_cmp);
        let middle = |place: usize| rates.get(place).copied().unwrap_or(0.0);
        (middle(rates.len() / 2) + middle(rates.len().saturating_sub(1) / 2)) / 2.0
    }
}

/// How an arm orders the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) policy: Policy,
    /// Whether a running piece is given up for a request that cannot wait for it.
    pub(super) aborts: bool,
}

impl Order {
    /// Each policy as it is, and `edf` once more with pieces that may be given up.
    pub(super) fn all() -> impl Iterator<Item = Order> {
        let plain = |policy| Order {
            policy,
            aborts: false,
        };
        let aborting = Order {
            policy: Policy::Edf,
            aborts: true,
        };
        Policy::ALL.into_iter().map(plain).chain([aborting])
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.policy, if self.aborts { "+abort" } else { "" })
    }
}

/// What all rounds of a policy over a cut came to.
pub(super) struct Arm {
    pub(super) order: Order,
    /// Index of the cut.
    pub(super) cut: usize,
    pub(super) latencies: Vec<u64>,
    pub(super) trained: Trained,
    pub(super) bound: Option<Nanos>,
    pub(super) misses: u64,
    pub(super) violations: u64,
    pub(super) stalled: u64,
    /// Time that pieces given up had had.
    pub(super) wasted: Nanos,
}

/// The stream alone, over all rounds.
#[derive(Default)]
pub(super) struct Alone {
    pub(super) latencies: Vec<u64>,
    /// From a release to the start of its minibatch.
    switches: Vec<u64>,
    services: Vec<u64>,
}

impl Alone {
    fn add(&mut self, outcome: &Outcome) {
        for answered in &outcome.answered {
            self.latencies.push(answered.latency().0);
            if let Some(start) = answered.start {
                self.switches.push((start - answered.release).0);
                self.services.push((answered.end - start).0);
            }
        }
    }

    fn sort(&mut self) {
        for times in [&mut self.latencies, &mut self.switches, &mut self.services] {
            times.sort_unstable();
        }
    }

    /// `s`, the median from a release to the work.
    pub(super) fn switch(&self) -> Nanos {
        Nanos(quantile(&self.switches, 5_000))
    }

    /// `C`, the median time of the work.
    pub(super) fn service(&self) -> Nanos {
        Nanos(quantile(&self.services, 5_000))
    }

    /// `1 - U - s/T`: what is left for training.
    pub(super) fn left(&self) -> f64 {
        1.0 - (self.service() + self.switch()).as_secs_f64() / PERIOD.as_secs_f64()
    }
}

/// Everything that was measured.
pub(super) struct Measured {
    pub(super) engine: String,
    pub(super) threads: usize,
    pub(super) runs_per_request: u32,
    /// `C` as it was announced.
    pub(super) cost: Nanos,
    /// Samples in a training minibatch.
    pub(super) samples: usize,
    pub(super) cuts: Vec<Cut>,
    pub(super) alone: Alone,
    pub(super) arms: Vec<Arm>,
    pub(super) rounds: u32,
    /// `None` where the machine's stalls could not be seen.
    pub(super) stalls: Option<Vec<Stall>>,
    pub(super) warnings: Vec<String>,
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
                    arm.add(&outcome, &stalls);
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

/// The last processor for the dispatcher, and this thread off it: the dispatcher may never leave it.
pub(super) fn take_place() -> Place {
    let cpu = last_cpu();
    let mut others = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    others.unset(cpu);
    let alone = others.count() == 0 || rustix::thread::sched_setaffinity(None, &others).is_err();
    Place {
        cpu: (!alone).then_some(cpu),
        priority: Some(DISPATCHER),
    }
}

/// Moments at which the whole step is given up, to see how long that takes.
const ABORTS: u64 = 24;

/// How long it takes at most to give a piece up: of the whole step, whose pieces every cut consists of.
fn abort_latency(cuts: &mut [Cut]) -> Result<Option<Nanos>, Box<dyn Error>> {
    let Some((whole, work)) = cuts.first_mut().and_then(|cut| {
        let whole = cut.longest();
        Some((whole, cut.work.as_mut()?))
    }) else {
        return Ok(None);
    };
    let latencies = aborting::latencies(work, whole, ABORTS)?;
    Ok(latencies.last().map(|longest| Nanos(*longest).scaled(MARGIN)))
}

/// The engine's threads beside the dispatcher: real-time like it, right below it, on the other processors.
fn threads(place: Place, wanted: Option<usize>) -> Threads {
    let others = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let mut others: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| others.is_set(*cpu))
        .collect();
    // The first is for the camera and for interrupts, if there is another.
    let spare = others.len() > 1;
    if spare {
        others.remove(0);
    }
    let count = wanted.unwrap_or(if spare { 2 } else { 1 });
    Threads {
        priority: place.cpu.map(|_| DISPATCHER - 1),
        cpus: others,
        ..Threads::of(count)
    }
}

/// The whole step, then ever shorter pieces of it; a cut that is no finer than the one before is left out.
pub(super) fn cuts(models: &Models, parts: &[u64]) -> Result<Vec<Cut>, Box<dyn Error>> {
    let mut cuts: Vec<Cut> = Vec::new();
    for part in parts {
        let whole = cuts.first().map(Cut::longest);
        let cut = Cut::new(models, whole.map(|whole| Nanos(whole.0 / part)))?;
        eprintln!(
            "a step in {} pieces of at most {}",
            cut.lengths.len(),
            cut.longest()
        );
        if cuts
            .last()
            .is_none_or(|last| last.lengths.len() < cut.lengths.len())
        {
            cuts.push(cut);
        }
    }
    Ok(cuts)
}

/// How often the model has to run for each request to take the wanted share alone, and an upper time of that, measured as
/// it will be run: on the dispatcher, beside training, which leaves nothing of it in the caches.
pub(super) fn weigh(
    place: Place,
    share: f64,
    seeing: &mut Option<Repeated>,
    cuts: &mut [Cut],
) -> Result<(u32, Nanos), Box<dyn Error>> {
    let mut services =
        |times: u32, periods: u64, job: Option<Learning>| -> Result<Vec<u64>, Box<dyn Error>> {
            if let Some(work) = seeing.as_mut() {
                work.times = times;
            }
            let stream = Seeing {
                work: &mut *seeing,
                cost: PERIOD,
            };
            let frames = Frames::periodic(periods);
            let outcome = arm::play(place, Policy::Priority, &frames, Some(stream), job)?;
            let service = |it: &arm::Answered| Some((it.end - it.start?).0);
            let mut services: Vec<u64> = outcome.answered.iter().filter_map(service).collect();
            services.sort_unstable();
            Ok(services)
        };
    let each = quantile(&services(WEIGHED, 20, None)?, 5_000) / u64::from(WEIGHED);
    let times = (share * PERIOD.0 as f64 / each.max(1) as f64).round().max(1.0) as u32;
    let beside = services(times, 25, cuts.last_mut().map(|cut| learning(cut, None)))?;
    // The second longest: one stall of the machine is not the work's.
    let upper = beside.iter().rev().nth(1).copied().unwrap_or(PERIOD.0);
    Ok((times, Nanos(upper).scaled(MARGIN)))
}

pub(super) fn learning(cut: &mut Cut, abort: Option<Nanos>) -> Learning<'_> {
    Learning {
        work: &mut cut.work,
        lengths: &cut.announced,
        abort,
    }
}

impl Arm {
    fn add(&mut self, outcome: &Outcome, stalls: &[Stall]) {
        self.trained.add(outcome);
        self.wasted += outcome.wasted;
        self.bound = outcome.bound;
        for answered in &outcome.answered {
            let latency = answered.latency();
            self.latencies.push(latency.0);
            // A stall delays a request too if it fell into the piece that was running when the request came.
            let away = stalls::within(stalls, answered.release - PERIOD, answered.end);
            let late = |allowed: Nanos| latency > allowed;
            let explained = |allowed: Nanos| late(allowed) && latency - away <= allowed;
            let bound = outcome.bound.unwrap_or(Nanos::MAX);
            self.misses += u64::from(late(PERIOD) && !explained(PERIOD));
            self.violations += u64::from(late(bound) && !explained(bound));
            self.stalled += u64::from(explained(PERIOD) || explained(bound));
        }
    }
}
