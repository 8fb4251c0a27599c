//! `fulcrum demo`: a camera is answered on time while a network learns, on a simulated board.

mod keep;
mod perfetto;
mod prepare;
mod record;
mod report;
mod scene;
mod watch;

use crate::models::Models;
use clap::Args;
use fulcrum::file;
use fulcrum::schedule::Policy;
use prepare::Prepared;
use record::Record;
use std::error::Error;
use std::path::{Path, PathBuf};

/// A camera is answered on time while a network learns, on a simulated board.
///
/// A synthetic camera shows small moving shapes; a network says which. After a third of the run the light
/// changes and the answers go wrong; a training job, running in the gaps between two frames, learns the new
/// light from recent labelled frames, and its weights go live between two pieces if frames held out from
/// training say that they are no worse. Inference and training are real (ONNX Runtime on this machine's
/// processor, one thread); the board is simulated, and everything it says is marked so.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum demo                                  twenty seconds under the policy `slack`
  fulcrum demo --compare                        the same beside `fcfs`, what a hardware queue does
  fulcrum demo --checkpoint learnt              go on from where the last run was
  fulcrum demo --power-w 15 --latency-ms 30     another budget: another mode
  fulcrum demo --seconds 60 --json > run.json   for a program")]
pub(crate) struct Arguments {
    /// Length of the run
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(6..=3600))]
    seconds: u64,
    /// How work is ordered: slack, fulcrum or fcfs
    #[arg(long, default_value_t = Policy::Slack)]
    policy: Policy,
    /// Run `fcfs` and `slack` and print them side by side
    #[arg(long, conflicts_with = "policy")]
    compare: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Power limit of the board, W
    #[arg(long, default_value_t = 20.0, value_parser = positive)]
    power_w: f64,
    /// Latency limit of a frame, ms
    #[arg(long, default_value_t = 20.0, value_parser = positive)]
    latency_ms: f64,
    /// Frames a second
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    rate_hz: f64,
    /// Longest piece of a training step, ms
    #[arg(long, default_value_t = 4.0, value_parser = positive)]
    piece_ms: f64,
    /// The simulated board
    #[arg(long, default_value = "agx-orin")]
    board: String,
    /// Seed of camera, replay and board
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Forward model, ONNX: inputs `x` [N, 1, 32, 32] and its weights, output `logits` [N, 8] [default: built in]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Training step of the same model, ONNX [default: built in]
    #[arg(long, value_name = "FILE")]
    step: Option<PathBuf>,
    /// Start values of the weights, ONNX initializers [default: built in]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Folder for report.html, latency.svg, trace.json (opens in Perfetto) and profile.csv
    #[arg(long, value_name = "DIR", default_value = "fulcrum-demo")]
    out: PathBuf,
    /// Keep the training state in this folder, and take up what is kept there: after `kill -9` too
    #[arg(long, value_name = "DIR", conflicts_with = "compare")]
    checkpoint: Option<PathBuf>,
    /// Write every input and decision of the schedule to this file, for `fulcrum replay`
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    log: Option<PathBuf>,
    /// Train on the day scene for this many steps, write the weights and stop: how the built-in ones were made
    #[arg(long, value_name = "STEPS", hide_short_help = true, requires = "weights_out")]
    pretrain: Option<u32>,
    /// Where `--pretrain` writes
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    weights_out: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 && value <= 1e6 => Ok(value),
        Ok(value) => Err(format!("{value} is not between 0 and 1000000")),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let models = models(arguments)?;
    if let (Some(steps), Some(path)) = (arguments.pretrain, &arguments.weights_out) {
        return prepare::pretrain(&models, arguments.seed, steps, path);
    }
    let made_folder = make_folder(&arguments.out)?;
    let outcome = run_into(arguments, &models);
    if outcome.is_err() && made_folder {
        // It is empty: files come whole or not at all.
        let _ = std::fs::remove_dir(&arguments.out);
    }
    outcome
}

fn models(arguments: &Arguments) -> Result<Models, Box<dyn Error>> {
    let [model, step, weights] =
        [&arguments.model, &arguments.step, &arguments.weights].map(|path| path.as_deref());
    Models::read(model, step, weights)
}

fn run_into(arguments: &Arguments, models: &Models) -> Result<(), Box<dyn Error>> {
    let prepared = Prepared::new(arguments, models)?;
    let policies = if arguments.compare {
        vec![Policy::Fcfs, Policy::Slack]
    } else {
        vec![arguments.policy]
    };
    let mut runs = Vec::new();
    for policy in policies {
        runs.push(scene::play(arguments, models, &prepared, policy)?);
    }
    let records: Vec<&Record> = runs.iter().collect();
    let paths =
        ["report.html", "trace.json", "profile.csv", "latency.svg"].map(|name| arguments.out.join(name));
    let page = report::page(&records)?;
    let (trace, overview) = (perfetto::trace(&records), report::overview(&records)?);
    file::replace(paths.each_ref().map(PathBuf::as_path), |index, out| match index {
        0 => out.write_all(page.as_bytes()),
        1 => serde_json::to_writer(out, &trace).map_err(std::io::Error::from),
        2 => prepared.profile.write_to(out),
        _ => out.write_all(overview.as_bytes()),
    })
    .map_err(|(path, error)| {
        format!(
            "{} could not be written: {error}; free some space or choose another --out",
            path.display()
        )
    })?;
    if let (Some(path), Some(log)) = (&arguments.log, runs.iter().find_map(|run| run.log.as_ref())) {
        file::replace([path.as_path()], |_, out| out.write_all(log)).map_err(|(path, error)| {
            format!(
                "{} could not be written: {error}; choose another --log",
                path.display()
            )
        })?;
    }
    let summaries: Vec<&record::Summary> = runs.iter().map(|run| &run.summary).collect();
    if arguments.json {
        match summaries.as_slice() {
            [one] => println!("{}", serde_json::to_string_pretty(one)?),
            several => println!(
                "{}",
                serde_json::to_string_pretty(&serde_json::json!({ "runs": several }))?
            ),
        }
    } else {
        println!("\n{}", record::table(&summaries));
        println!("report   {}", paths[0].display());
        println!(
            "trace    {} (open it at https://ui.perfetto.dev)",
            paths[1].display()
        );
        println!("profile  {}", paths[2].display());
        if let (Some(folder), Some(kept)) = (
            &arguments.checkpoint,
            runs.iter().find_map(|run| run.summary.checkpoint.as_ref()),
        ) {
            println!(
                "kept     {} (training as of step {})",
                folder.display(),
                kept.newest_steps
            );
        }
    }
    Ok(())
}

/// Makes the folder and says whether it was missing. Fails before anything runs, not after.
fn make_folder(path: &Path) -> Result<bool, Box<dyn Error>> {
    let missing = !path.exists();
    std::fs::create_dir_all(path).map_err(|error| {
        format!(
            "the folder {} for the report could not be made: {error}; choose another --out",
            path.display()
        )
    })?;
    Ok(missing)
}
