//! `fulcrum conf`: looks at an nvpmodel.conf without touching a board.

use crate::subject::megahertz;
use crate::table::{Side, Table};
use clap::{Args, Subcommand};
use fulcrum::board::nvpmodel::{Conf, Excerpt, Mode};
use fulcrum::limits;
use fulcrum::units::Kilohertz;
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Looks at an nvpmodel.conf, the file of a Jetson's power modes, without touching a board.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Check(Check),
}

/// Reads an nvpmodel.conf, says what its modes do, and what is wrong with it.
///
/// The file is taken whole or refused whole: the first thing that is wrong is printed as FILE:LINE:COLUMN with the line,
/// and the exit code is 1. What is taken although it is odd is listed as a warning. No board is read or written.
///
/// A clock without a number is not capped. A mode is marked "reboot" where it sets a mask of GPU units (TPC_PG_MASK,
/// FBP_PG_MASK or another) that the file's default mode does not set to the same: the board started in that one, and
/// the driver takes another mask only before the GPU is used.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum conf check /etc/nvpmodel.conf              a table of the modes
  fulcrum conf check --json /etc/nvpmodel.conf       for a program; clocks in kHz, null is not capped
  ssh robot cat /etc/nvpmodel.conf | fulcrum conf check -")]
struct Check {
    /// The file; `-` reads standard input
    file: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    modes: Vec<ModeReport<'a>>,
    default: u32,
    warnings: Vec<WarningReport>,
}

#[derive(Serialize)]
struct ModeReport<'a> {
    id: u32,
    name: &'a str,
    cores_online: Option<u32>,
    cpu_khz: Option<u32>,
    gpu_khz: Option<u32>,
    emc_khz: Option<u32>,
    reboot: bool,
}

#[derive(Serialize)]
struct WarningReport {
    line: u32,
    text: String,
}

/// Its own exit code: a refusal begins with the file's name, as editors and CI expect it, not with the program's.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let What::Check(arguments) = &arguments.what;
    match check(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            eprintln!("{refusal}");
            ExitCode::FAILURE
        }
    }
}

fn check(arguments: &Check) -> Result<(), Box<dyn Error>> {
    let name = if arguments.file == Path::new("-") {
        "<stdin>".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    let text = read(&arguments.file).map_err(|error| {
        format!("fulcrum: {name} could not be read: {error}; give the path of an nvpmodel.conf, or - for standard input")
    })?;
    let conf = Conf::parse(&text).map_err(|error| {
        let excerpt = Excerpt {
            text: &text,
            at: error.at,
        };
        format!("{name}:{error}\n{excerpt}")
    })?;
    let report = report(&conf);
    let printed = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        table(&name, &report)
    };
    match io::stdout().write_all(printed.as_bytes()) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => {
            outcome.map_err(|error| format!("fulcrum: the result could not be written: {error}").into())
        }
    }
}

/// The file's bytes; of one that is too long, enough for the parser to say so.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    let mut text = Vec::new();
    source.take(limits::CONF_TEXT as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn report<'a>(conf: &Conf<'a>) -> Report<'a> {
    let mode = |mode: &Mode<'a>| {
        let effect = mode.effect();
        let khz = |clock: Option<Kilohertz>| clock.map(|clock| clock.0);
        ModeReport {
            id: mode.id(),
            name: mode.name(),
            cores_online: effect.cores_online,
            cpu_khz: khz(effect.cpu),
            gpu_khz: khz(effect.gpu),
            emc_khz: khz(effect.emc),
            reboot: conf.needs_reboot(mode),
        }
    };
    Report {
        modes: conf.modes().iter().map(mode).collect(),
        default: conf.default_id(),
        warnings: conf
            .warnings()
            .iter()
            .map(|warning| WarningReport {
                line: warning.line,
                text: warning.what.to_string(),
            })
            .collect(),
    }
}

/// A table for a person: numbers to the right, the default mode starred, warnings below.
fn table(name: &str, report: &Report<'_>) -> String {
    use Side::{Left, Right};
    let mut table = Table::new([Right, Right, Left, Right, Right, Right, Right, Right]);
    table.row([
        "", "id", "name", "cores", "CPU MHz", "GPU MHz", "EMC MHz", "reboot",
    ]);
    let clock = |khz: Option<u32>| khz.map_or("-".to_owned(), megahertz);
    for mode in &report.modes {
        let cores = mode.cores_online;
        table.row([
            if mode.id == report.default { "*" } else { "" }.to_owned(),
            mode.id.to_string(),
            mode.name.to_owned(),
            cores.map_or("-".to_owned(), |cores| cores.to_string()),
            clock(mode.cpu_khz),
            clock(mode.gpu_khz),
            clock(mode.emc_khz),
            if mode.reboot { "yes" } else { "no" }.to_owned(),
        ]);
    }
    let mut text = format!("{name}: {}\n\n{table}", count(report.modes.len(), "mode"));
    text.push_str("\n* the board starts in this mode; clocks are caps, - is no cap\n");
    if !report.warnings.is_empty() {
        text.push_str(&format!("\n{}:\n", count(report.warnings.len(), "warning")));
        for warning in &report.warnings {
            text.push_str(&format!("{name}:{}: {}\n", warning.line, warning.text));
        }
    }
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
