//! `fulcrum bench`: what fulcrum costs and what it holds, measured on this machine.

mod aborting;
mod arm;
mod arrivals;
mod context_switches;
mod cost;
mod inference;
mod interleave;
mod measured;
mod peers;
mod plot;
mod prepared;
mod rows;
mod segments;
mod sleeper;
mod step_graph;

use clap::{Args, Subcommand};
use std::error::Error;

/// What fulcrum costs and what it holds, measured on this machine.
///
/// A figure counts when two things are measured side by side in one run. The machine should be quiet meanwhile.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Cost(cost::Arguments),
    Inference(inference::Arguments),
    Interleave(interleave::Arguments),
    Peers(peers::Arguments),
    /// A process of an arm of `bench peers`
    #[command(hide = true)]
    Worker,
    Segments(segments::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match &arguments.what {
        What::Cost(arguments) => cost::run(arguments),
        What::Inference(arguments) => inference::run(arguments),
        What::Interleave(arguments) => interleave::run(arguments),
        What::Peers(arguments) => peers::run(arguments),
        What::Worker => peers::worker(),
        What::Segments(arguments) => segments::run(arguments),
    }
}

/// The value that `permyriad` ten-thousandths of `sorted` do not exceed; zero if it is empty.
fn quantile(sorted: &[u64], permyriad: usize) -> u64 {
    let place = (sorted.len() * permyriad).div_ceil(10_000).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_smallest_value_that_enough_values_do_not_exceed() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(quantile(&values, 5_000), 100);
        assert_eq!(quantile(&values, 9_900), 198);
        assert_eq!(quantile(&values, 9_990), 200);
        assert_eq!(quantile(&values, 10_000), 200);
        assert_eq!(quantile(&[], 5_000), 0);
    }
}
