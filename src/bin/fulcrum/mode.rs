//! `fulcrum mode`: lists, shows, sets and restores a board's power mode.

mod asked;
pub(crate) mod list;
mod restore;
mod set;
mod show;
mod witness;

use crate::subject::{self, Subject};
use clap::{Args, Subcommand};
use fulcrum::board::Machine;
use fulcrum::power::{ChangeError, Journal, JournalError, PresetError, RecoverError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Lists, shows, sets and restores a board's power mode.
///
/// A mode is the number of cores online and the ceilings of CPU, GPU and memory clocks. One that is set holds until
/// `fulcrum mode restore`, or until the machine is started anew. What the board was found in is kept in a journal, so
/// that a program that is killed, or a power cut, leaves nothing behind: the next `mode set` or `mode restore` puts it
/// back first. Masks of GPU units, fans, current limits and the memory lock are never written.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// The board's presets, which is in force, and how many modes there are in all
    #[command(after_help = "Examples:
  fulcrum mode list
  fulcrum mode list --json | jq '.modes[] | select(.reboot == false) | .name'")]
    List(Common),
    /// The present mode and what is held; or, row by row, what would become of a mode on this board
    #[command(after_help = "Examples:
  fulcrum mode show                 the mode as `mode set` takes it, what is held, who else has written
  fulcrum mode show MODE_15W        what each row of the preset does here
  fulcrum mode show cores=4,gpu=420750")]
    Show {
        /// A preset's name or id, or knobs as cores=4,cpu=1113600,gpu=420750,emc=2133000 (kHz)
        mode: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Sets a mode as one transaction, and holds it until `mode restore`
    #[command(after_help = SET_HELP)]
    Set {
        /// A preset's name or id, or knobs as cores=4,cpu=1113600,gpu=420750,emc=2133000 (kHz)
        mode: String,
        /// Print every write in its order and write nothing; needs no rights
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Puts back what the board was found in before the first mode was set, or before a change that was cut off
    #[command(after_help = RESTORE_HELP)]
    Restore {
        /// Print every write in its order and write nothing; needs no rights
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
}

const SET_HELP: &str = "A number is a preset's id. A clock between two of the table comes to the lower one, and is \
said. A preset that needs a reboot is refused before the first write. Of knobs that are not named nothing is written.

Exit codes:
  0  done
  1  refused or failed; the board is as it was
  2  the command line is wrong
  3  failed, and the board could not be put back; the journal stays for `fulcrum mode restore`

Examples:
  fulcrum mode set 15W
  fulcrum mode set 2 --dry-run
  fulcrum mode set cores=4,cpu=1113600,gpu=420750,emc=2133000
  fulcrum mode set gpu=612000 --root /tmp/jetson";

const RESTORE_HELP: &str = "Exit codes:
  0  done, or nothing to do
  1  refused or failed; the board is as it was
  2  the command line is wrong
  3  the board could not be put back; the journal stays for the next attempt

Examples:
  fulcrum mode restore --dry-run
  fulcrum mode restore";

/// What every act takes.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Folder of the journal [default: var/lib/fulcrum below the root]
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

impl Common {
    /// The folder of the journal.
    pub(crate) fn folder(&self, machine: &Machine) -> PathBuf {
        self.journal
            .clone()
            .unwrap_or_else(|| Journal::folder(machine.root()))
    }

    /// The options that name this board, to be printed in an example.
    fn options(&self) -> String {
        let journal = self.journal.as_ref();
        let journal = journal.map_or(String::new(), |it| format!(" --journal {}", it.display()));
        format!("{}{journal}", self.subject.option())
    }
}

/// Why an act failed, and with which exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

/// The board is as it was.
const REFUSED: u8 = 1;
/// The board could not be put back.
const UNRESTORED: u8 = 3;

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure { code: REFUSED, text }
    }
}

impl From<PresetError> for Failure {
    fn from(error: PresetError) -> Failure {
        Failure::from(error.to_string())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        Failure::from(explained(&error))
    }
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Failure {
        match error {
            RecoverError::Journal(error) => Failure::from(error),
            RecoverError::Unrestored(..) => Failure {
                code: UNRESTORED,
                text: error.to_string(),
            },
            _ => Failure::from(error.to_string()),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Failure {
        let unrestored = match &error {
            ChangeError::Journal { unrestored, .. } | ChangeError::Failed { unrestored, .. } => {
                unrestored.is_some()
            }
            _ => false,
        };
        Failure {
            code: if unrestored { UNRESTORED } else { REFUSED },
            text: error.to_string(),
        }
    }
}

/// The error of the journal, and how its folder is named.
fn explained(error: &JournalError) -> String {
    match error {
        JournalError::Io(..) => format!("{error} with --journal DIR, or run this as root (sudo)"),
        _ => error.to_string(),
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    // A change is ended, not broken off, when the terminal goes away or somebody presses Ctrl-C: it takes milliseconds.
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // Without it the journal still has what was found.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
    let printed = match &arguments.act {
        Act::List(common) => list::run(common),
        Act::Show { mode: None, common } => show::present(common),
        Act::Show {
            mode: Some(mode),
            common,
        } => show::asked(common, mode),
        Act::Set {
            mode,
            dry_run: false,
            common,
        } => set::run(common, mode),
        Act::Set {
            mode,
            dry_run: true,
            common,
        } => set::rehearse(common, mode),
        Act::Restore {
            dry_run: false,
            common,
        } => restore::run(common),
        Act::Restore {
            dry_run: true,
            common,
        } => restore::rehearse(common),
    };
    match printed.and_then(|text| subject::print(&text).map_err(Failure::from)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fulcrum: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}
