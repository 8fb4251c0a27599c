//! The [`Power`] of a board at one moment, and since the watch began.

use fulcrum::board::{Rail, Sensors, SysfsSensors};
use fulcrum::clock::{Clock, Monotonic};
use fulcrum::power::meter::{Meter, MeterError, Reading};
use fulcrum::power::window::Window;
use fulcrum::units::{Milliwatts, Nanos};
use std::io;

/// What the rails showed.
#[derive(Clone, Debug)]
pub(super) struct Power {
    pub(super) rails: Vec<RailNow>,
    /// By the board's rule; `None` where it is not known, or not yet.
    pub(super) total: Option<Milliwatts>,
    /// When the latest new conversion was seen; `None` before the first.
    pub(super) converted: Option<Nanos>,
    /// Since the watch began.
    pub(super) window: Window,
    /// Why there is no total.
    pub(super) error: Option<String>,
}

/// One rail.
#[derive(Clone, Debug)]
pub(super) struct RailNow {
    pub(super) name: String,
    pub(super) counted: bool,
    /// `None` for an energy counter.
    pub(super) power: Option<Milliwatts>,
    pub(super) error: Option<String>,
}

/// Reads the rails, and counts what they show.
pub(super) struct PowerReader {
    sensors: SysfsSensors,
    rails: Vec<Rail>,
    counted: Vec<bool>,
    meter: Meter,
    last: Option<Milliwatts>,
    converted: Option<Nanos>,
}

impl PowerReader {
    /// Counts from `now` on.
    pub(super) fn new(sensors: SysfsSensors, now: Nanos) -> PowerReader {
        let supplies = sensors.supplies();
        PowerReader {
            rails: supplies.rails().to_vec(),
            counted: (0..supplies.rails().len())
                .map(|index| supplies.counts(index))
                .collect(),
            meter: Meter::new(supplies, now),
            last: None,
            converted: None,
            sensors,
        }
    }

    /// May block as long as a sensor does.
    pub(super) fn read(&mut self) -> Power {
        self.meter.note(self.sensors.throttling());
        let shown = self.sensors.rails();
        let now = Monotonic.now();
        let reading = self.meter.take(now, &shown);
        if let Ok(Reading::New(power) | Reading::Doubtful(power)) = reading {
            self.last = Some(power);
            self.converted = Some(now);
        }
        let error = reading.err().map(|error| match error {
            MeterError::NoRail => "no power sensor that could be read".to_owned(),
            other => other.to_string(),
        });
        let rails = self.rails.iter().zip(&self.counted).zip(&shown);
        Power {
            rails: rails
                .map(|((rail, counted), shown)| RailNow {
                    name: rail.name.as_str().to_owned(),
                    counted: *counted,
                    power: shown.ok().and_then(|it| it.power()),
                    error: shown
                        .err()
                        .map(|errno| io::Error::from_raw_os_error(errno).to_string()),
                })
                .collect(),
            // Of energy counters one reading says nothing; a conversion does.
            total: match error {
                None => self.sensors.supplies().total(&shown).or(self.last),
                Some(_) => None,
            },
            converted: self.converted,
            window: self.meter.window(now),
            error,
        }
    }
}
