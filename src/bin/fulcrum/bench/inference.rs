//! `fulcrum bench inference`: what fulcrum adds to a run of ONNX Runtime, and what its threads are worth.

use super::quantile;
use super::step_graph::draw;
use crate::table::{Side, Table};
use clap::Args;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use fulcrum::workload::Inference;
use fulcrum::workload::onnx::model::{ValueInfoProto, Weight, decode};
use fulcrum::workload::onnx::{Engine, InferenceConfig, Library, OnnxInference, Threads};
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::path::PathBuf;

/// Pairs of runs, one with fulcrum's part and one without; blocks of them, so that a slow change meets both alike.
const PAIRS: usize = 2_000;
const QUICK_PAIRS: usize = 100;

/// Pairs that are not counted.
const FIRST: usize = 20;

/// The median is to be at most so many times that of the session alone.
const TARGET: f64 = 1.01;

/// An inference beside a bare loop over the same ONNX Runtime session.
///
/// Each model one request at a time: what a stream runs, from the request to its answer, in turn with the session alone, as a
/// loop over ONNX Runtime's C API would run it: the frame into the input, and a run. With one thread inside an operator and with two.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum bench inference
  fulcrum bench inference --quick --json
  fulcrum bench inference --model lstm.onnx --model conv.onnx --threads 1 --threads 4")]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Fewer runs
    #[arg(long)]
    quick: bool,
    /// A forward model instead of the built-in ones: input x [N, ...], output logits [N, classes]; may be repeated
    #[arg(long, value_name = "FILE")]
    model: Vec<PathBuf>,
    /// Threads inside one operator; may be repeated
    #[arg(long, value_name = "COUNT", default_values_t = [1, 2])]
    threads: Vec<usize>,
}

#[derive(Serialize)]
struct Report {
    debug_build: bool,
    engine: String,
    target_median_over_alone: f64,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    net: String,
    threads: usize,
    alone_p50_us: f64,
    alone_p99_us: f64,
    p50_us: f64,
    p99_us: f64,
    median_over_alone: f64,
    /// Whether that is within the target. A row of several threads has none: they share the machine with others.
    met: Option<bool>,
}

/// A forward model, and what an inference over it needs to know.
struct Forward {
    name: String,
    model: Cow<'static, [u8]>,
    weights: Vec<Weight>,
    row: usize,
    classes: usize,
}

impl Forward {
    fn read(paths: &[PathBuf]) -> Result<Vec<Forward>, Box<dyn Error>> {
        if paths.is_empty() {
            let tiny: &[u8] = include_bytes!("../../../../tests/fixtures/tiny_infer.onnx");
            let shapes: &[u8] = include_bytes!("../../../../tests/fixtures/shapes_infer.onnx");
            return [("tiny_infer", tiny), ("shapes_infer", shapes)]
                .into_iter()
                .map(|(name, bytes)| Forward::new(name.to_string(), bytes.into()))
                .collect();
        }
        let read = |path: &PathBuf| {
            let bytes = std::fs::read(path)
                .map_err(|error| format!("{} could not be read: {error}", path.display()))?;
            Forward::new(path.display().to_string(), bytes.into())
        };
        paths.iter().map(read).collect()
    }

    fn new(name: String, model: Cow<'static, [u8]>) -> Result<Forward, Box<dyn Error>> {
        let (_, graph) = decode(&name, &model)?;
        let size = |dims: &[i64]| dims.iter().map(|dim| (*dim).max(0) as usize).product::<usize>();
        let named = |infos: &[ValueInfoProto], wanted: &str| {
            let found = infos.iter().find(|info| info.name.as_deref() == Some(wanted));
            let dims = found.and_then(ValueInfoProto::sizes);
            dims.ok_or(format!(
                "{name} has no tensor `{wanted}`; a forward model takes x and gives logits"
            ))
        };
        let row = size(named(&graph.input, "x")?.get(1..).unwrap_or_default());
        let classes = size(named(&graph.output, "logits")?.get(1..).unwrap_or_default());
        let constant = |name: &str| {
            let mut constants = graph.initializer.iter();
            constants.any(|tensor| tensor.name.as_deref() == Some(name))
        };
        let mut draw = draw();
        let mut weights = Vec::new();
        for input in &graph.input {
            let name = input.name.clone().unwrap_or_default();
            let dims = input.sizes().unwrap_or_default();
            if name != "x" && !constant(&name) {
                let values = (0..size(&dims)).map(|_| 0.1 * draw()).collect();
                weights.push(Weight { name, dims, values });
            }
        }
        Ok(Forward {
            name,
            model,
            weights,
            row,
            classes,
        })
    }

    fn inference(&self, library: &Library, threads: usize) -> Result<OnnxInference, Box<dyn Error>> {
        let mut draw = draw();
        let frame: Vec<f32> = (0..self.row).map(|_| draw()).collect();
        let config = InferenceConfig {
            name: self.name.clone(),
            minibatch: 1,
            row: self.row,
            classes: self.classes,
            weights: self.weights.clone(),
            fill: Box::new(move |_, row| {
                row.copy_from_slice(&frame);
                Ok(())
            }),
            swap: None,
            engine: Engine {
                threads: Threads::of(threads),
                ..Engine::default()
            },
        };
        Ok(OnnxInference::new(library, &self.model, config)?)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let library = Library::open()?;
    let pairs = if arguments.quick { QUICK_PAIRS } else { PAIRS };
    let mut rows = Vec::new();
    for forward in Forward::read(&arguments.model)? {
        for threads in &arguments.threads {
            eprintln!("{}, threads {threads} ...", forward.name);
            let work = forward.inference(&library, *threads)?;
            rows.push(row(&forward.name, *threads, work, pairs)?);
        }
    }
    let report = Report {
        debug_build: cfg!(debug_assertions),
        engine: format!("ONNX Runtime {}", library.version()),
        target_median_over_alone: TARGET,
        rows,
    };
    print(&report, arguments.json)
}

fn row(net: &str, threads: usize, mut work: OnnxInference, pairs: usize) -> Result<Row, Box<dyn Error>> {
    let (mut alone, mut ours) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    let (request, mut answer) = (Default::default(), [0]);
    for pair in 0..FIRST + pairs {
        let mut both = [0, 0];
        // Each begins every other pair.
        for turn in [pair % 2, 1 - pair % 2] {
            let start = Monotonic.now();
            if turn == 0 {
                work.run_alone(&[request])?;
            } else {
                work.run(&[request], &mut answer)?;
            }
            let took = (Monotonic.now() - start).0;
            if let Some(of) = both.get_mut(turn) {
                *of = took;
            }
        }
        if pair >= FIRST {
            alone.push(both[0]);
            ours.push(both[1]);
        }
    }
    alone.sort_unstable();
    ours.sort_unstable();
    let us = |sorted: &[u64], permyriad| Nanos(quantile(sorted, permyriad)).as_millis_f64() * 1e3;
    let median_over_alone = us(&ours, 5_000) / us(&alone, 5_000);
    Ok(Row {
        net: net.to_string(),
        threads,
        alone_p50_us: us(&alone, 5_000),
        alone_p99_us: us(&alone, 9_900),
        p50_us: us(&ours, 5_000),
        p99_us: us(&ours, 9_900),
        median_over_alone,
        met: (threads == 1).then_some(median_over_alone <= TARGET),
    })
}

fn print(report: &Report, json: bool) -> Result<(), Box<dyn Error>> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    println!(
        "{}, one request a run, with and without fulcrum in turn\n",
        report.engine
    );
    let mut sides = [Side::Right; 7];
    sides[0] = Side::Left;
    let mut table = Table::new(sides);
    table.row([
        "net",
        "threads",
        "alone p50, us",
        "p99",
        "fulcrum p50",
        "p99",
        "over alone",
    ]);
    for row in &report.rows {
        table.row([
            row.net.clone(),
            row.threads.to_string(),
            format!("{:.1}", row.alone_p50_us),
            format!("{:.1}", row.alone_p99_us),
            format!("{:.1}", row.p50_us),
            format!("{:.1}", row.p99_us),
            format!("{:.3}", row.median_over_alone),
        ]);
    }
    print!("{table}");
    println!(
        "\nalone: the same session in a bare loop; the median over it is to be at most {:.2} with one thread",
        report.target_median_over_alone
    );
    Ok(())
}
