//! The program `fulcrum`: one file a verb.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod demo;
mod doctor;

/// Keeps a robot's perception on time while it keeps learning, inside its power budget.
#[derive(Parser)]
#[command(name = "fulcrum", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// A camera is answered on time while a network learns, on a simulated board
    Demo(demo::Arguments),
    Doctor(doctor::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Doctor(arguments) => return doctor::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fulcrum: {error}");
            ExitCode::FAILURE
        }
    }
}
