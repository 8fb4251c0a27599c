//! `fulcrum doctor`: what on a machine keeps fulcrum from its work, and what to do about each.

pub(crate) mod cgroup;
mod clocks;
mod container;
mod cores;
mod finding;
mod journal;
mod kernel;
mod knobs;
mod memory;
mod mounts;
mod processes;
mod report;
mod rights;
mod rivals;
mod throttle;

use clap::Args;
use finding::{Finding, Findings, Level};
use fulcrum::board::{Board, FileError, Machine, Root};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Says what on a machine keeps fulcrum from its work, and what to do about each.
///
/// Looks at the rights to write the knobs, at programs that write them too, at what a container hides, and at how the
/// kernel treats a real-time thread. Reads only: nothing is written, no setting is touched, and no root rights are
/// needed; what cannot be read is noted and not judged. Rights are those of whoever runs it, so run it as fulcrum will
/// run.
///
/// The exit code is 0 if there is no problem (warnings and notes may be), 1 if there is one, 2 if the root folder or
/// the command line is wrong.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum doctor                      this machine, with this user's rights
  sudo fulcrum doctor                 the same as root may
  fulcrum doctor --root /tmp/board    a tree of a board's files
  fulcrum doctor --json               for a program

The JSON is {board, findings: [{name, level, what, fix}], problems, warnings}, the worst finding first.
A level is problem, warning, note or ok; fix is null where there is nothing to do.")]
pub(crate) struct Arguments {
    /// Folder that the board's files lie under
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    board: &'a str,
    findings: &'a [Finding],
    problems: usize,
    warnings: usize,
}

/// Its own exit code: a problem that was found is no failure of the program.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let root = Root::new(&arguments.root);
    if let Err(error) = root.names("") {
        eprintln!("fulcrum: {error}; give the folder that proc and sys of a board lie in");
        return ExitCode::from(2);
    }
    let (board, findings) = examine(&root);
    let problems = report::count(&findings, Level::Problem);
    let printed = if arguments.json {
        let report = Report {
            board: &board,
            findings: &findings,
            problems,
            warnings: report::count(&findings, Level::Warning),
        };
        serde_json::to_string_pretty(&report)
            .map(|text| text + "\n")
            .map_err(io::Error::from)
    } else {
        Ok(report::text(
            &board,
            &arguments.root.display().to_string(),
            &findings,
        ))
    };
    match printed.and_then(|text| io::stdout().write_all(text.as_bytes())) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("fulcrum: the findings could not be written: {error}");
            ExitCode::FAILURE
        }
        _ if problems > 0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// The board's name and everything that was found, the worst first.
fn examine(root: &Root) -> (String, Vec<Finding>) {
    let mut findings = Findings::default();
    let machine = match Machine::detect(root.clone()) {
        Ok(machine) => {
            findings.ok(
                "board",
                format!("{} shows its cores", at(root, "sys/devices/system/cpu")),
            );
            Some(machine)
        }
        Err(error) => {
            let fix = "give the folder that proc and sys lie in: `fulcrum doctor --root DIR`";
            findings.found(Level::Problem, "board", error.to_string(), fix);
            None
        }
    };
    let machine = machine.as_ref();
    if let Some(machine) = machine {
        knobs::look(root, machine, &mut findings);
    }
    rights::look(root, &mut findings);
    journal::look(root, machine, &mut findings);
    let processes = processes::list(root);
    rivals::look(root, &processes, &mut findings);
    processes::look(root, &processes, &mut findings);
    container::look(root, machine, &mut findings);
    kernel::look(root, &mut findings);
    clocks::look(root, machine, &mut findings);
    cores::look(root, &mut findings);
    memory::look(root, &mut findings);
    throttle::look(root, &mut findings);
    let board = machine.map_or("unknown board", |it| it.facts().name());
    (board.to_owned(), findings.worst_first())
}

/// A path below the root, as it is printed.
fn at(root: &Root, path: &str) -> String {
    root.join(path).display().to_string()
}

/// The text of a file of /proc that may be longer than any of /sys; bytes that are no text are replaced.
fn long_text(root: &Root, path: &str) -> Result<String, FileError> {
    const LONGEST: usize = 4 << 20;
    let bytes = root.bytes_within(path, LONGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the board is a Jetson, as far as its device tree, its release or its kernel says.
fn is_jetson(machine: &Machine) -> bool {
    let identity = machine.identity();
    let tegra = |text: &Option<String>| text.as_ref().is_some_and(|it| it.contains("tegra"));
    identity.l4t.is_some() || tegra(&identity.soc) || tegra(&identity.kernel)
}
