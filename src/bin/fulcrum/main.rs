//! The program `fulcrum`: one file a verb.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod board;
mod camera;
mod conf;
mod demo;
mod doctor;
mod holding;
mod mode;
mod models;
mod presets;
mod processor;
mod replay;
mod stalls;
mod subject;
mod table;
mod train_graph;
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
    Bench(bench::Arguments),
    Board(board::Arguments),
    Conf(conf::Arguments),
    Demo(demo::Arguments),
    Doctor(doctor::Arguments),
    Mode(mode::Arguments),
    Replay(replay::Arguments),
    TrainGraph(train_graph::Arguments),
    Twin(twin::Arguments),
    Watch(watch::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Board(arguments) => board::run(&arguments),
        Verb::Conf(arguments) => return conf::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Doctor(arguments) => return doctor::run(&arguments),
        Verb::Mode(arguments) => return mode::run(&arguments),
        Verb::Replay(arguments) => return replay::run(&arguments),
        Verb::TrainGraph(arguments) => train_graph::run(&arguments),
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
