//! `fulcrum watch`: power, clocks, temperatures and drift of a board, live.

mod feed;
mod line;
mod power;
mod screen;
mod state;

use crate::mode::Common;
use crate::subject;
use clap::Args;
use feed::Feed;
use fulcrum::board::{Sensors, SysfsSensors};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use power::{Power, PowerReader};
use state::{State, StateReader};
use std::error::Error;
use std::io::{self, IsTerminal};

/// Power, clocks, temperatures and drift of a board, live.
///
/// In a terminal it draws a view, and `q` leaves it. Elsewhere, or with --json, it prints a line an interval. Sensors
/// are read on threads of their own: one that does not answer holds up nothing, and what is shown says how old it is.
/// Nothing is written and no rights are needed.
#[derive(Args)]
#[command(after_help = "Examples:
  fulcrum watch
  fulcrum watch --root /tmp/jetson --interval 500ms
  fulcrum watch --json --count 60 > minute.jsonl")]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Time between two lines, as 1s or 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Nanos,
    /// Leave after so many intervals
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Shortest and longest interval.
const INTERVALS: core::ops::RangeInclusive<Nanos> = Nanos::from_millis(50)..=Nanos::from_secs(3_600);

fn interval(text: &str) -> Result<Nanos, String> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let time = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => number(ms).map(Nanos::from_millis),
        (None, Some(s)) => number(s).map(Nanos::from_secs),
        (None, None) => None,
    };
    time.filter(|time| INTERVALS.contains(time))
        .ok_or_else(|| "write a whole number with its unit, 50ms to 3600s".to_owned())
}

/// What is watched.
pub(crate) struct Watched {
    name: String,
    simulated: bool,
    total_rule: String,
    began: Nanos,
    power: Feed<Power>,
    state: Feed<State>,
}

/// How often the rails are looked at, at least: four times in each conversion of a Jetson's sensor.
const LOOK: Nanos = Nanos::from_millis(100);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments {
        common,
        interval,
        count,
    } = arguments;
    let machine = common.subject.open()?;
    let sensors = SysfsSensors::find(machine.root());
    let began = Monotonic.now();
    let watched = Watched {
        name: subject::name(&machine),
        simulated: subject::is_simulated(&machine),
        total_rule: sensors.supplies().total_rule(),
        began,
        power: Feed::new(),
        state: Feed::new(),
    };
    let mut power = PowerReader::new(sensors, began);
    watched
        .power
        .start("fulcrum-power", LOOK.min(*interval), move || power.read())?;
    let folder = common.folder(&machine);
    let mut state = StateReader::new(machine, folder);
    watched
        .state
        .start("fulcrum-state", *interval, move || state.read())?;

    let count = count.unwrap_or(u64::MAX);
    if common.subject.json || !io::stdout().is_terminal() {
        line::print(&watched, *interval, count, common.subject.json)?;
    } else {
        screen::show(&watched, *interval, count)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit_and_bounds() {
        assert_eq!(interval("1s"), Ok(Nanos::from_secs(1)));
        assert_eq!(interval("250ms"), Ok(Nanos::from_millis(250)));
        for wrong in [
            "",
            "1",
            "s",
            "1m",
            "-1s",
            "49ms",
            "3601s",
            "99999999999999999999s",
        ] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
