//! `fulcrum bench segments`: what cutting a training step into pieces costs, and how short the pieces get.

use super::step_graph::StepGraph;
use super::{aborting, quantile};
use crate::table::{Side, Table};
use clap::Args;
use fulcrum::clock::{Clock, Monotonic, thread_time};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::{Engine, Library, OnnxTraining, Provider, Providers, Threads};
use fulcrum::workload::{Progress, Training};
use serde::Serialize;
use std::error::Error;
use std::path::PathBuf;

/// Parts of the step that a piece is to be at most; the first is the step as it is.
const PARTS: [u64; 6] = [1, 2, 4, 8, 12, 16];
const QUICK_PARTS: [u64; 3] = [1, 4, 12];

/// Rounds, in each of which every cut of a net runs so many steps in turn.
const ROUNDS: usize = 20;
const QUICK_ROUNDS: usize = 3;
const STEPS: usize = 4;

/// Moments at which the whole step is given up.
const ABORTS: u64 = 200;
const QUICK_ABORTS: u64 = 40;

/// Rounds of each arm before the first that counts.
const FIRST: usize = 3;

/// A training step in ever shorter pieces.
///
/// Each step graph whole and cut, in turn, over the same minibatches; the cut is chosen from ONNX Runtime's
/// own times of the nodes. Cut and whole are to end in the same bytes. Wall time, so another program's work
/// counts; the longest piece in processor time too, in which it does not.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum bench segments
  fulcrum bench segments --quick --json
  fulcrum bench segments --step step.onnx --threads 2
  fulcrum bench segments --provider cuda     says in its first lines whether CUDA is active")]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Fewer rounds and lengths
    #[arg(long)]
    quick: bool,
    /// A step graph instead of the built-in ones; may be repeated
    #[arg(long, value_name = "FILE")]
    step: Vec<PathBuf>,
    /// Threads inside one operator
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    threads: usize,
    /// Execution provider to prefer: tensorrt, cuda or cpu; may be repeated, in order
    #[arg(long, value_name = "NAME", value_parser = provider)]
    provider: Vec<Provider>,
}

/// Algorithms by shape, not by timing: whole and cut are compared to the byte.
fn options(provider: Provider) -> &'static [(&'static str, &'static str)] {
    match provider {
        Provider::Cuda => &[("cudnn_conv_algo_search", "HEURISTIC")],
        Provider::TensorRt | Provider::Cpu => &[],
    }
}

fn provider(name: &str) -> Result<Provider, String> {
    Provider::of(name)
        .ok_or_else(|| format!("no provider is called {name}; there are tensorrt, cuda and cpu"))
}

#[derive(Serialize)]
struct Report {
    debug_build: bool,
    engine: String,
    threads: usize,
    /// A line for each provider that was asked for, and where the nodes of the first net run.
    providers: Vec<String>,
    rounds: usize,
    steps_per_round: usize,
    rows: Vec<Row>,
    given_up: Vec<GivenUp>,
    allocations: Allocations,
}

/// How long it takes until the whole step, running, has ended once it was told to.
#[derive(Serialize)]
struct GivenUp {
    net: String,
    /// Runs that were given up before their end.
    times: usize,
    p50_ms: f64,
    p95_ms: f64,
    max_ms: f64,
}

#[derive(Serialize)]
struct Row {
    net: String,
    batch: usize,
    /// Runs of the engine in a step; the fetch is not among them.
    pieces: usize,
    /// How long a piece was to be at most; of the whole step its fastest run.
    wanted_ms: f64,
    /// Of the longest piece of each step.
    longest_p50_ms: f64,
    longest_p99_ms: f64,
    /// The same in processor time, in which another program's work does not count; null where a piece runs on more than
    /// the calling thread.
    longest_cpu_p99_ms: Option<f64>,
    step_p50_ms: f64,
    /// Time of the whole step over that in these pieces, of the same round: the median of the rounds and the
    /// middle half.
    efficiency: f64,
    efficiency_p25: f64,
    efficiency_p75: f64,
    /// Whether every loss and every byte of the state is that of the whole step.
    identical: bool,
    /// Memory of what lies across the borders, 10^6 bytes.
    buffer_mb: f64,
}

/// Counting them takes an allocator of its own, which this program does not have.
#[derive(Serialize)]
struct Allocations {
    in_rust_per_step: Option<u64>,
    proven_by: &'static str,
}

/// A cut of a net, and what was measured of it.
struct Arm {
    work: OnnxTraining,
    wanted: Nanos,
    longest: Vec<u64>,
    /// In processor time.
    longest_cpu: Vec<u64>,
    steps: Vec<u64>,
    /// Sum of the steps' times, by round.
    rounds: Vec<u64>,
    losses: Vec<u32>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let library = Library::open()?;
    let engine = Engine {
        threads: Threads::of(arguments.threads),
        providers: arguments
            .provider
            .iter()
            .fold(Providers::default(), |all, provider| {
                all.then(*provider, options(*provider))
            }),
        ..Engine::default()
    };
    let (rounds, parts, aborts) = if arguments.quick {
        (QUICK_ROUNDS, &QUICK_PARTS[..], QUICK_ABORTS)
    } else {
        (ROUNDS, &PARTS[..], ABORTS)
    };
    let (mut rows, mut given_up, mut providers) = (Vec::new(), Vec::new(), Vec::new());
    for graph in StepGraph::read(&arguments.step)? {
        eprintln!("{} ...", graph.name);
        let mut arms = arms(&library, &graph, &engine, parts)?;
        if let Some(whole) = arms.first().filter(|_| providers.is_empty()) {
            let report = whole.work.providers().to_string();
            providers.extend(report.lines().map(ToString::to_string));
        }
        for round in 0..rounds {
            let count = arms.len();
            // Begins elsewhere in each round, so that a slow change of the machine meets all alike.
            for index in (0..count).map(|arm| (arm + round) % count) {
                if let Some(arm) = arms.get_mut(index) {
                    arm.play()?;
                }
            }
        }
        // A piece then runs on the calling thread and nowhere else.
        let alone = arguments.threads == 1
            && (arms.iter()).all(|arm| arm.work.providers().active().all(|it| it == Provider::Cpu));
        rows.extend(table_rows(&graph, &mut arms, alone));
        if let Some(whole) = arms.first_mut() {
            let times = aborting::latencies(&mut whole.work, whole.wanted, aborts)?;
            let ms = |permyriad| Nanos(quantile(&times, permyriad)).as_millis_f64();
            given_up.push(GivenUp {
                net: graph.name.clone(),
                times: times.len(),
                p50_ms: ms(5_000),
                p95_ms: ms(9_500),
                max_ms: ms(10_000),
            });
        }
    }
    let report = Report {
        debug_build: cfg!(debug_assertions),
        engine: format!("ONNX Runtime {}", library.version()),
        threads: arguments.threads,
        providers,
        rounds,
        steps_per_round: STEPS,
        rows,
        given_up,
        allocations: Allocations {
            in_rust_per_step: None,
            proven_by: "tests/onnx_engine.rs, tests/onnx_finer.rs",
        },
    };
    print(&report, arguments.json)
}

/// The whole step and its cuts; a cut with no more pieces than the one before is left out.
fn arms(
    library: &Library,
    graph: &StepGraph,
    engine: &Engine,
    parts: &[u64],
) -> Result<Vec<Arm>, Box<dyn Error>> {
    let mut arms: Vec<Arm> = Vec::new();
    for part in parts {
        let whole = arms.first().map(|whole| whole.wanted);
        let wanted = whole.map(|whole| Nanos(whole.0 / part));
        let work = OnnxTraining::new(library, &graph.model, graph.training(wanted, engine.clone()))?;
        if arms
            .last()
            .is_some_and(|last| last.work.segments() >= work.segments())
        {
            continue;
        }
        let mut arm = Arm {
            wanted: wanted.unwrap_or(Nanos::ZERO),
            work,
            longest: Vec::new(),
            longest_cpu: Vec::new(),
            steps: Vec::new(),
            rounds: Vec::new(),
            losses: Vec::new(),
        };
        // Every arm runs as many steps, so that they can be compared to the byte.
        for _ in 0..FIRST {
            arm.play()?;
        }
        if wanted.is_none() {
            arm.wanted = arm.steps.iter().min().copied().map_or(Nanos::ZERO, Nanos);
        }
        arm.longest.clear();
        arm.longest_cpu.clear();
        arm.steps.clear();
        arm.rounds.clear();
        arms.push(arm);
    }
    Ok(arms)
}

impl Arm {
    fn play(&mut self) -> Result<(), Box<dyn Error>> {
        let mut sum = 0;
        for _ in 0..STEPS {
            self.work.run_piece(0)?;
            let (mut step, mut longest, mut longest_cpu) = (0, 0, 0);
            for piece in 1..self.work.pieces() {
                let (start, cpu) = (Monotonic.now(), thread_time());
                let progress = self.work.run_piece(piece)?;
                let (took, took_cpu) = ((Monotonic.now() - start).0, (thread_time() - cpu).0);
                step += took;
                longest = longest.max(took);
                longest_cpu = longest_cpu.max(took_cpu);
                if let Progress::Stepped { loss } = progress {
                    self.losses.push(loss.to_bits());
                }
            }
            self.steps.push(step);
            self.longest.push(longest);
            self.longest_cpu.push(longest_cpu);
            sum += step;
        }
        self.rounds.push(sum);
        Ok(())
    }

    fn state(&self, graph: &StepGraph) -> Vec<u32> {
        let weights = self.work.weights(&graph.states).into_iter();
        weights
            .flat_map(|weight| weight.values)
            .map(f32::to_bits)
            .collect()
    }
}

fn table_rows(graph: &StepGraph, arms: &mut [Arm], alone: bool) -> Vec<Row> {
    let Some((rounds, losses, state)) = arms
        .first()
        .map(|whole| (whole.rounds.clone(), whole.losses.clone(), whole.state(graph)))
    else {
        return Vec::new();
    };
    let row = |arm: &mut Arm| {
        arm.longest.sort_unstable();
        arm.longest_cpu.sort_unstable();
        arm.steps.sort_unstable();
        let ms = |sorted: &[u64], permyriad| Nanos(quantile(sorted, permyriad)).as_millis_f64();
        // In millionths, so that one kind of quantile serves.
        let ratio = |(whole, cut): (&u64, &u64)| whole * 1_000_000 / (*cut).max(1);
        let mut ratios: Vec<u64> = rounds.iter().zip(&arm.rounds).map(ratio).collect();
        ratios.sort_unstable();
        let efficiency = |permyriad| quantile(&ratios, permyriad) as f64 / 1e6;
        Row {
            net: graph.name.clone(),
            batch: arm.work.minibatch(),
            pieces: arm.work.segments(),
            wanted_ms: arm.wanted.as_millis_f64(),
            longest_p50_ms: ms(&arm.longest, 5_000),
            longest_p99_ms: ms(&arm.longest, 9_900),
            longest_cpu_p99_ms: alone.then(|| ms(&arm.longest_cpu, 9_900)),
            step_p50_ms: ms(&arm.steps, 5_000),
            efficiency: efficiency(5_000),
            efficiency_p25: efficiency(2_500),
            efficiency_p75: efficiency(7_500),
            identical: arm.losses == losses && arm.state(graph) == state,
            buffer_mb: arm.work.buffer_bytes() as f64 / 1e6,
        }
    };
    arms.iter_mut().map(row).collect()
}

fn print(report: &Report, json: bool) -> Result<(), Box<dyn Error>> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    let threads = match report.threads {
        1 => "one thread".to_string(),
        count => format!("{count} threads"),
    };
    println!(
        "{}, {threads}, {} rounds of {} steps, whole and cut in turn\n{}\n",
        report.engine,
        report.rounds,
        report.steps_per_round,
        report.providers.join("\n")
    );
    let mut sides = [Side::Right; 11];
    sides[0] = Side::Left;
    let mut table = Table::new(sides);
    table.row([
        "net",
        "batch",
        "pieces",
        "wanted, ms",
        "longest p50",
        "longest p99",
        "of the processor",
        "step, ms",
        "efficiency",
        "same bytes",
        "buffers, MB",
    ]);
    for row in &report.rows {
        table.row([
            row.net.clone(),
            row.batch.to_string(),
            row.pieces.to_string(),
            format!("{:.2}", row.wanted_ms),
            format!("{:.2}", row.longest_p50_ms),
            format!("{:.2}", row.longest_p99_ms),
            row.longest_cpu_p99_ms
                .map_or("unknown".to_string(), |ms| format!("{ms:.2}")),
            format!("{:.2}", row.step_p50_ms),
            format!(
                "{:.3} ({:.3} to {:.3})",
                row.efficiency, row.efficiency_p25, row.efficiency_p75
            ),
            if row.identical { "yes" } else { "NO" }.to_string(),
            format!("{:.3}", row.buffer_mb),
        ]);
    }
    print!("{table}");
    println!(
        "\nof the processor: the same in processor time, in which another program's work does not count\n\
         efficiency: time of the whole step over that in pieces, round by round; the median and the middle half"
    );
    for it in &report.given_up {
        println!(
            "{}, whole, given up {} times: ends after p50 {:.2}, p95 {:.2}, max {:.2} ms",
            it.net, it.times, it.p50_ms, it.p95_ms, it.max_ms
        );
    }
    Ok(())
}
