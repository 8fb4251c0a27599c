//! `fulcrum train-graph`: makes the graphs that train a model of the user's own.

use clap::Args;
use fulcrum::workload::onnx::gradient::{BatchNorm, Files, Loss, Named, Optimizer, Recipe, differentiate};
use serde::Serialize;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

/// Makes the graphs that train a model: from its forward ONNX file, its gradient in standard operators.
///
/// Reads a model as PyTorch exports it (operator set 13 to 21, float32, one input with the batch first) and
/// writes into a new folder: step.onnx (one training step), grad.onnx and apply.onnx (the same in two, for
/// gradients accumulated over micro-batches), eval.onnx (loss and metric), infer.onnx (forward, weights as
/// inputs) and weights.onnx (what training starts from). All of them or nothing: what cannot be
/// differentiated is refused by its name before anything is written.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum train-graph net.onnx --loss cross-entropy --optimizer adam --micro-batch 8 --out net
  fulcrum train-graph net.onnx --loss mse --micro-batch 4 --train-only head --clip 1.0 --out head
  fulcrum train-graph net.onnx --loss cross-entropy --micro-batch 8 --out net --json       for a program")]
pub(crate) struct Arguments {
    /// The forward model; tensors it keeps in other files are looked for beside it
    model: PathBuf,
    /// What is made small: cross-entropy, mse, l1 or bce
    #[arg(long)]
    loss: Loss,
    /// How weights follow their gradients: sgd, momentum, adam or adamw
    #[arg(long, default_value = "sgd")]
    optimizer: Optimizer,
    /// Samples of one step, or of one part of an accumulated one
    #[arg(long, default_value_t = 8)]
    micro_batch: u32,
    /// The output the loss is taken of, where the model has several
    #[arg(long)]
    output: Option<String>,
    /// Weights to train: names, or beginnings of names up to a dot, separated by commas; all others are
    /// frozen. Without it all are trained but single numbers that PyTorch's exporter named itself (val_69)
    #[arg(long, value_delimiter = ',', value_name = "LAYERS")]
    train_only: Vec<String>,
    /// Weights to leave as they are, named likewise
    #[arg(long, value_delimiter = ',', value_name = "LAYERS")]
    freeze: Vec<String>,
    /// Scale gradients down to this norm where that of all together is larger
    #[arg(long, value_name = "NORM")]
    clip: Option<f32>,
    /// Share of each weight that a step of adamw takes away, times the learning rate
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f32,
    /// Batch normalisation: frozen (running statistics of the file), batch (of each micro-batch) or group
    /// (replaced)
    #[arg(long, default_value = "frozen")]
    batch_norm: BatchNorm,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// The folder to write; it must not exist, or be empty
    #[arg(long)]
    out: PathBuf,
}

#[derive(Serialize)]
struct Report<'a> {
    model: String,
    out: String,
    loss: String,
    optimizer: String,
    batch_norm: String,
    input: &'a [i64],
    output: &'a [i64],
    labels: &'a [i64],
    label_type: &'static str,
    trained_values: i64,
    trained: Vec<Tensor<'a>>,
    frozen: Vec<Tensor<'a>>,
    running: Vec<Tensor<'a>>,
    files: Vec<File<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    dims: &'a [i64],
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    bytes: usize,
    nodes: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let path = arguments.model.display().to_string();
    let bytes = std::fs::read(&arguments.model)
        .map_err(|error| format!("{path} could not be read: {error}; give a model in ONNX form"))?;
    let recipe = Recipe {
        loss: arguments.loss,
        optimizer: arguments.optimizer,
        micro_batch: arguments.micro_batch,
        output: arguments.output.clone(),
        train_only: arguments.train_only.clone(),
        freeze: arguments.freeze.clone(),
        clip: arguments.clip,
        weight_decay: arguments.weight_decay,
        batch_norm: arguments.batch_norm,
    };
    let made = differentiate(&path, &bytes, arguments.model.parent(), &recipe)?;
    made.write(&arguments.out)?;
    let report = report(arguments, path, &made);
    let text = match arguments.json {
        true => format!("{}\n", serde_json::to_string_pretty(&report)?),
        false => told(&report),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| format!("the report could not be written: {error}").into()),
    }
}

fn report<'a>(arguments: &Arguments, model: String, made: &'a Files) -> Report<'a> {
    let summary = &made.summary;
    let tensors = |all: &'a [Named]| -> Vec<Tensor<'a>> {
        let each = all.iter().map(|it| Tensor {
            name: &it.name,
            dims: &it.dims,
        });
        each.collect()
    };
    let nodes = |name: &str| {
        summary
            .nodes
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, nodes)| *nodes)
    };
    let files = made.files.iter().map(|(name, bytes)| File {
        name,
        bytes: bytes.len(),
        nodes: nodes(name),
    });
    Report {
        model,
        out: arguments.out.display().to_string(),
        loss: arguments.loss.to_string(),
        optimizer: arguments.optimizer.to_string(),
        batch_norm: arguments.batch_norm.to_string(),
        input: &summary.input,
        output: &summary.output,
        labels: &summary.labels,
        label_type: if summary.classes { "int64" } else { "float32" },
        trained_values: summary
            .trained
            .iter()
            .map(|it| it.dims.iter().product::<i64>())
            .sum(),
        trained: tensors(&summary.trained),
        frozen: tensors(&summary.frozen),
        running: tensors(&summary.running),
        files: files.collect(),
        notes: &summary.notes,
    }
}

fn told(report: &Report<'_>) -> String {
    let mut text = format!(
        "{} -> {}\n  x float32 {:?}, output {:?}, y {} {:?}\n  \
         loss {}, optimizer {}\n  {} values in {} weights are trained",
        report.model,
        report.out,
        report.input,
        report.output,
        report.label_type,
        report.labels,
        report.loss,
        report.optimizer,
        report.trained_values,
        report.trained.len()
    );
    if !report.frozen.is_empty() {
        text.push_str(&format!(", {} tensors are frozen", report.frozen.len()));
    }
    text.push('\n');
    for note in report.notes {
        text.push_str(&format!("  {note}\n"));
    }
    for file in &report.files {
        let nodes = file
            .nodes
            .map_or(String::new(), |nodes| format!("{nodes:>7} nodes"));
        text.push_str(&format!("  {:<14} {:>10} bytes {nodes}\n", file.name, file.bytes));
    }
    text
}
