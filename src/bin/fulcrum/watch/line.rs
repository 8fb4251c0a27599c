//! A line an interval, for a log or a program.

use super::Watched;
use crate::subject::{self, megahertz};
use fulcrum::board::thermal::Heat;
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::{Milliwatts, Nanos};
use serde::Serialize;

/// One line of `--json`. Power is mW, clocks are kHz, energy is mJ, since the watch began where it says nothing else.
#[derive(Serialize)]
struct Line<'w> {
    seconds: f64,
    board: &'w str,
    simulated: bool,
    total_mw: Option<u32>,
    total_rule: &'w str,
    mean_mw: Option<u32>,
    max_mw: Option<u32>,
    energy_mj: u64,
    rails: Vec<RailLine>,
    /// Since the latest new conversion; `None` before the first.
    power_age_ms: Option<u64>,
    /// How long a sensor has not answered; `None` if they do.
    power_blocked_ms: Option<u64>,
    power_error: Option<String>,
    /// As `fulcrum mode set` takes it.
    mode: Option<String>,
    cores_online: Option<u8>,
    clocks: Vec<ClockLine>,
    zones: Vec<ZoneLine>,
    overcurrent: Vec<CounterLine>,
    cooling: Vec<CoolingLine>,
    /// `none`, `held`, `open`, `other-boot`, `foreign` or `unreadable`.
    journal: &'static str,
    drift: Vec<DriftLine>,
    state_age_ms: Option<u64>,
    state_blocked_ms: Option<u64>,
}

#[derive(Serialize)]
struct RailLine {
    name: String,
    mw: Option<u32>,
    counted: bool,
    error: Option<String>,
}

#[derive(Serialize)]
struct ClockLine {
    name: String,
    khz: Option<u32>,
    ceiling_khz: Option<u32>,
}

#[derive(Serialize)]
struct ZoneLine {
    #[serde(rename = "type")]
    kind: String,
    /// `None` while it is off or cannot be read.
    millicelsius: Option<i32>,
}

#[derive(Serialize)]
struct CounterLine {
    kind: &'static str,
    events: Option<u64>,
}

#[derive(Serialize)]
struct CoolingLine {
    #[serde(rename = "type")]
    kind: String,
    state: u64,
    max: u64,
}

#[derive(Serialize)]
struct DriftLine {
    knob: &'static str,
    standing: String,
}

/// Prints `count` lines, `interval` apart; fewer if nobody reads them any more.
pub(super) fn print(watched: &Watched, interval: Nanos, count: u64, json: bool) -> Result<(), String> {
    if !json && !subject::print(&format!("{}; total = {}\n", watched.name, watched.total_rule))? {
        return Ok(());
    }
    let mut next = watched.began;
    for _ in 0..count {
        next = (next + interval).max(Monotonic.now());
        Monotonic.sleep_until(next);
        let line = if json {
            let line = serde_json::to_string(&object(watched));
            line.map_err(|error| format!("the result is no JSON: {error}"))?
        } else {
            text(watched)
        };
        if !subject::print(&format!("{line}\n"))? {
            return Ok(());
        }
    }
    Ok(())
}

fn millis(time: Nanos) -> u64 {
    time.0 / 1_000_000
}

fn object(watched: &Watched) -> Line<'_> {
    let power = watched.power.latest().map(|(_, power)| power);
    let state = watched.state.latest();
    let age = state.as_ref().map(|(age, _)| millis(*age));
    let state = state.map(|(_, state)| state);
    let window = power.as_ref().map(|power| power.window);
    let milliwatts = |power: Option<Milliwatts>| power.map(|power| power.0);
    let mut line = Line {
        seconds: (Monotonic.now() - watched.began).as_secs_f64(),
        board: &watched.name,
        simulated: watched.simulated,
        total_mw: milliwatts(power.as_ref().and_then(|power| power.total)),
        total_rule: &watched.total_rule,
        mean_mw: milliwatts(window.and_then(|window| window.mean())),
        max_mw: milliwatts(window.and_then(|window| window.max())),
        energy_mj: window.map_or(0, |window| window.energy().0),
        rails: Vec::new(),
        power_age_ms: power
            .as_ref()
            .and_then(|power| Some(millis(Monotonic.now() - power.converted?))),
        power_blocked_ms: watched.power.blocked().map(millis),
        power_error: power.as_ref().and_then(|power| power.error.clone()),
        mode: None,
        cores_online: None,
        clocks: Vec::new(),
        zones: Vec::new(),
        overcurrent: Vec::new(),
        cooling: Vec::new(),
        journal: "none",
        drift: Vec::new(),
        state_age_ms: age,
        state_blocked_ms: watched.state.blocked().map(millis),
    };
    for rail in power.into_iter().flat_map(|power| power.rails) {
        line.rails.push(RailLine {
            name: rail.name,
            mw: milliwatts(rail.power),
            counted: rail.counted,
            error: rail.error,
        });
    }
    let Some(state) = state else { return line };
    line.mode = state.mode.map(|mode| mode.to_string());
    line.cores_online = state.mode.map(|mode| mode.cores);
    line.clocks = state
        .clocks
        .into_iter()
        .map(|clock| ClockLine {
            name: clock.name,
            khz: clock.running,
            ceiling_khz: clock.ceiling,
        })
        .collect();
    line.zones = state
        .zones
        .into_iter()
        .map(|(kind, heat)| ZoneLine {
            kind,
            millicelsius: match heat {
                Heat::On(heat) => Some(heat.0),
                _ => None,
            },
        })
        .collect();
    let counters = state.overcurrent.into_iter();
    line.overcurrent = counters
        .map(|(kind, events)| CounterLine { kind, events })
        .collect();
    let cooling = state.cooling.into_iter();
    line.cooling = cooling
        .map(|(kind, state, max)| CoolingLine { kind, state, max })
        .collect();
    line.journal = state.holding.0;
    let drift = state.drift.into_iter();
    line.drift = drift
        .map(|(knob, standing)| DriftLine {
            knob: knob.name(),
            standing: standing.to_string(),
        })
        .collect();
    line
}

/// `  12 s  5.43 W  mean 5.40 W  max 5.60 W  64.80 J | cores 6/6  cpu0 1344 ... MHz | 48.5 C cpu-thermal | ...`
fn text(watched: &Watched) -> String {
    let seconds = (Monotonic.now() - watched.began).as_secs_f64();
    let mut parts = vec![format!("{seconds:>6.1} s  {}", power_text(watched))];
    match watched.state.latest() {
        None => parts.push("no settings read yet".to_owned()),
        Some((age, state)) => {
            let cores = state.mode.map_or("?".to_owned(), |mode| mode.cores.to_string());
            let mut clocks = format!("cores {cores}/{}", state.cores);
            for clock in &state.clocks {
                let shown = clock.running.or(clock.ceiling).map_or("?".to_owned(), megahertz);
                clocks += &format!(" {} {shown}", clock.name);
            }
            let unit = if state.clocks.is_empty() { "" } else { " MHz" };
            parts.push(clocks + unit);
            if let Some((kind, heat)) = state.hottest() {
                parts.push(format!("{heat} {kind}"));
            }
            let events = state
                .overcurrent
                .iter()
                .filter_map(|(_, events)| *events)
                .sum::<u64>();
            if !state.overcurrent.is_empty() {
                parts.push(format!("{events} over-current"));
            }
            for (kind, at, most) in &state.cooling {
                parts.push(format!("{kind} slows down {at}/{most}"));
            }
            for (knob, standing) in &state.drift {
                parts.push(format!("{knob} {standing}"));
            }
            if let Some(since) = watched.state.blocked() {
                parts.push(format!(
                    "settings {:.1} s old, one does not answer for {:.1} s",
                    age.as_secs_f64(),
                    since.as_secs_f64()
                ));
            }
        }
    }
    parts.join(" | ")
}

fn power_text(watched: &Watched) -> String {
    if let Some(since) = watched.power.blocked() {
        return format!("no answer of the power sensors for {:.1} s", since.as_secs_f64());
    }
    let Some((_, power)) = watched.power.latest() else {
        return "no power read yet".to_owned();
    };
    if let Some(error) = power.error {
        return error;
    }
    let shown = |power: Option<Milliwatts>| power.map_or("-".to_owned(), |power| power.to_string());
    let window = power.window;
    format!(
        "{}  mean {}  max {}  {}",
        shown(power.total),
        shown(window.mean()),
        shown(window.max()),
        window.energy()
    )
}
