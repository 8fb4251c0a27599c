//! The program `fulcrum`: one file a verb.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod board;
mod conf;
mod demo;
mod holding;
mod mode;
mod presets;
mod subject;
mod table;
mod twin;
mod watch;

/// Keeps a robot's perception on time while it keeps learning, inside its power budget.
#[derive(Parser)]
#[command(name = "fulcrum", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Who a board is, what can be set on it, and what it measures
    Board(board::Arguments),
    /// Looks at an nvpmodel.conf, the file of a Jetson's power modes
    Conf(conf::Arguments),
    /// A camera is answered on time while a network learns, on a simulated board
    Demo(demo::Arguments),
    /// Lists, shows, sets and restores a board's power mode
    Mode(mode::Arguments),
    /// A simulated Jetson as files, to poke at with a shell
    Twin(twin::Arguments),
    /// Power, clocks, temperatures and drift of a board, live
    Watch(watch::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Board(arguments) => board::run(&arguments),
        Verb::Conf(arguments) => return conf::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Mode(arguments) => return mode::run(&arguments),
        Verb::Twin(arguments) => twin::run(&arguments),
        Verb::Watch(arguments) => watch::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fulcrum: {error}");
            ExitCode::FAILURE
        }
    }
}
