//! The [`Rails`]: INA3221 chips that convert once a cycle and count in steps, and the temperature that follows.
//!
//! Source: shared/design/jetson.md 1.8; `drivers/hwmon/ina3221.c`. Between two conversions a read gives the same value
//! again. A conversion shows the mean over its cycle.

use super::board::{Channel, Chip};
use super::draw::{Draw, Parts};
use super::number;
use crate::twin::sensors::noise;
use crate::twin::thermal::Nodes;
use crate::units::Nanos;
use rustix::io::Errno;

/// How far noise moves a conversion at most, as a part of it.
const NOISE: f64 = 0.005;

/// Number of samples that can be averaged.
const SAMPLES: [u64; 8] = [1, 4, 16, 64, 128, 256, 512, 1024];

/// Times of one conversion, us.
const CONVERSION: [u64; 8] = [140, 204, 332, 588, 1_100, 2_116, 4_156, 8_244];

/// A file of a chip. Channels count from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RailFile {
    Samples,
    Interval,
    Enable(usize),
    Millivolts(usize),
    Milliamperes(usize),
    /// Voltage over the shunt, uV.
    Shunt(usize),
    /// `currN_max` and `currN_crit`; the latter also of the sum, channel 3.
    Warn(usize),
    Critical(usize),
    WarnAlarm(usize),
    CriticalAlarm(usize),
}

#[derive(Clone, Debug)]
struct Meter {
    chip: Chip,
    enabled: [bool; 3],
    samples: u64,
    conversion: u64,
    warn: [u64; 3],
    critical: [u64; 4],
    /// mA of the latest conversion.
    current: [u64; 3],
}

/// All chips, and the temperature.
#[derive(Clone, Debug)]
pub(super) struct Rails {
    draw: Draw,
    seed: u64,
    meters: Vec<Meter>,
    /// The cycle of the chips. All have the same: where they differ the first rules.
    started: Nanos,
    seen: Nanos,
    /// Cycles since the start.
    pub(super) cycle: u64,
    /// Joules of the parts since the cycle began.
    sum: Parts,
    nodes: Nodes,
    /// Events of the over-current inputs: under-voltage, mean and instantaneous over-current.
    pub(super) over_current: [u64; 3],
}

impl Rails {
    pub(super) fn new(chips: &[Chip], draw: Draw, seed: u64, now: Nanos, parts: &Parts) -> Rails {
        let meter = |chip: &Chip| Meter {
            chip: *chip,
            enabled: chip.channels.map(|channel| channel.rail.is_some()),
            samples: 512,
            conversion: 140,
            warn: chip.channels.map(|channel| u64::from(channel.limit)),
            critical: {
                let [a, b, c] = chip.channels.map(|channel| u64::from(channel.limit));
                [a, b, c, 32_760]
            },
            current: [0; 3],
        };
        let mut rails = Rails {
            draw,
            seed,
            meters: chips.iter().map(meter).collect(),
            started: now,
            seen: now,
            cycle: 0,
            sum: Parts::default(),
            nodes: draw.thermal.at_rest(parts.total()),
            over_current: [0; 3],
        };
        rails.convert(parts);
        rails
    }

    /// How long one cycle takes: every enabled channel, voltage and shunt, so many samples.
    pub(super) fn refresh(&self) -> Nanos {
        let micros = self.meters.first().map_or(430_080, |meter| {
            let channels = meter.enabled.iter().filter(|on| **on).count() as u64;
            channels.max(1) * 2 * meter.conversion * meter.samples
        });
        Nanos::from_micros(micros)
    }

    /// The die's temperature, millicelsius.
    pub(super) fn die(&self) -> i32 {
        (self.nodes.die * 1e3) as i32
    }

    /// Lets time pass up to `now` while the parts take what they take.
    pub(super) fn advance(&mut self, now: Nanos, parts: &Parts) {
        let refresh = self.refresh();
        let span = now.saturating_sub(self.seen);
        if span == Nanos::ZERO {
            return;
        }
        let end = self.started + refresh;
        if now < end {
            self.sum = self.sum.plus(parts, span.as_secs_f64());
        } else {
            let whole = (now - self.started).0 / refresh.0.max(1);
            let begun = end.saturating_sub(self.seen);
            let sum = self.sum.plus(parts, begun.as_secs_f64());
            let mean = if whole == 1 {
                Parts::default().plus(&sum, 1.0 / refresh.as_secs_f64())
            } else {
                *parts
            };
            self.cycle += whole;
            self.started += refresh.times(whole);
            self.convert(&mean);
            self.sum = Parts::default().plus(parts, (now - self.started).as_secs_f64());
        }
        self.nodes = self
            .draw
            .thermal
            .after(self.nodes, parts.total(), span.as_secs_f64());
        self.seen = now;
    }

    fn convert(&mut self, mean: &Parts) {
        let (seed, cycle) = (self.seed, self.cycle);
        let mut index = 0;
        let mut over = false;
        for meter in &mut self.meters {
            let step = meter.step();
            for (channel, current) in meter.chip.channels.iter().zip(&mut meter.current) {
                let watts = channel.rail.map_or(0.0, |rail| mean.on(rail));
                let noisy = watts * (1.0 + NOISE * noise(seed, cycle, index));
                let millivolts = f64::from(channel.millivolts.max(1));
                *current = (noisy * 1e6 / millivolts / step as f64).round() as u64 * step;
                index += 1;
            }
            over |= meter
                .current
                .iter()
                .zip(&meter.critical)
                .any(|(current, limit)| current > limit);
        }
        if let (true, Some(count)) = (over, self.over_current.get_mut(2)) {
            *count += 1;
        }
    }

    pub(super) fn show(&self, chip: usize, file: RailFile) -> Result<String, Errno> {
        let meter = self.meters.get(chip).ok_or(Errno::NOENT)?;
        let channel = |index: usize| meter.chip.channels.get(index).ok_or(Errno::NOENT);
        let measured = |index: usize| meter.measured(index);
        let value = match file {
            RailFile::Samples => meter.samples,
            RailFile::Interval => self.refresh().0 / 1_000_000,
            RailFile::Enable(index) => u64::from(at(&meter.enabled, index)?),
            RailFile::Millivolts(index) => {
                measured(index)?;
                let Channel { rail, millivolts, .. } = channel(index)?;
                // The register counts in steps of 8 mV.
                rail.map_or(0, |_| u64::from(*millivolts) / 8 * 8)
            }
            RailFile::Milliamperes(3) => 0,
            RailFile::Milliamperes(index) => measured(index)?,
            RailFile::Shunt(3) => 0,
            RailFile::Shunt(index) => measured(index)? * u64::from(meter.chip.shunt) / 1_000,
            RailFile::Warn(index) => at(&meter.warn, index)?,
            RailFile::Critical(index) => at(&meter.critical, index)?,
            RailFile::WarnAlarm(index) => u64::from(at(&meter.current, index)? > at(&meter.warn, index)?),
            RailFile::CriticalAlarm(3) => 0,
            RailFile::CriticalAlarm(index) => {
                u64::from(at(&meter.current, index)? > at(&meter.critical, index)?)
            }
        };
        Ok(value.to_string())
    }

    pub(super) fn store(&mut self, chip: usize, file: RailFile, text: &[u8]) -> Result<(), Errno> {
        let meter = self.meters.get_mut(chip).ok_or(Errno::NOENT)?;
        match file {
            RailFile::Samples => meter.samples = closest(&SAMPLES, number::decimal(text)?),
            RailFile::Interval => {
                let channels = meter.enabled.iter().filter(|on| **on).count().max(1) as u64;
                let micros = number::decimal(text)?.saturating_mul(1_000) / 2;
                meter.conversion = closest(&CONVERSION, micros / (channels * meter.samples).max(1));
            }
            RailFile::Enable(index) => {
                *meter.enabled.get_mut(index).ok_or(Errno::NOENT)? = number::boolean(text)?;
            }
            RailFile::Warn(index) => {
                let rounded = meter.limit(text)?;
                *meter.warn.get_mut(index).ok_or(Errno::NOENT)? = rounded;
            }
            RailFile::Critical(index) => {
                let rounded = meter.limit(text)?;
                *meter.critical.get_mut(index).ok_or(Errno::NOENT)? = rounded;
            }
            RailFile::Millivolts(_)
            | RailFile::Milliamperes(_)
            | RailFile::Shunt(_)
            | RailFile::WarnAlarm(_)
            | RailFile::CriticalAlarm(_) => return Err(Errno::ACCESS),
        }
        Ok(())
    }
}

impl Meter {
    /// One step of a current, mA: 40 uV over the shunt.
    fn step(&self) -> u64 {
        (40_000 / u64::from(self.chip.shunt.max(1))).max(1)
    }

    /// The current of a channel, mA. `ENODATA` if it is switched off; nothing flows where nothing is wired.
    fn measured(&self, index: usize) -> Result<u64, Errno> {
        let wired = self
            .chip
            .channels
            .get(index)
            .is_some_and(|channel| channel.rail.is_some());
        if wired && !at(&self.enabled, index)? {
            return Err(Errno::NODATA);
        }
        at(&self.current, index)
    }

    fn limit(&self, text: &[u8]) -> Result<u64, Errno> {
        // The register has 13 bits of 40 uV.
        Ok(number::decimal(text)?.min(32_760) / self.step() * self.step())
    }
}

fn at<T: Copy>(values: &[T], index: usize) -> Result<T, Errno> {
    values.get(index).copied().ok_or(Errno::NOENT)
}

fn closest(values: &[u64], asked: u64) -> u64 {
    values
        .iter()
        .copied()
        .min_by_key(|value| value.abs_diff(asked))
        .unwrap_or(asked)
}
