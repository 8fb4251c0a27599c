//! A [`Window`] is a span of time with the power and energy measured in it, and what makes them doubtful.

use crate::board::{Overcurrent, Throttling};
use crate::units::{Millijoules, Milliwatts, Nanos, Picojoules};
use core::fmt;

/// One conversion of the sensors, as it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion {
    pub(super) power: Milliwatts,
    pub(super) energy: Picojoules,
    /// The time it stands for.
    pub(super) span: Nanos,
    /// Whether all of that time is in the window.
    pub(super) inside: bool,
}

/// What was measured from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub begin: Nanos,
    /// The moment up to which it was followed.
    pub end: Nanos,
    /// Conversions counted.
    pub count: u64,
    /// The time they stand for: at the begin, in gaps and for outliers there is time that nothing is known of.
    pub covered: Nanos,
    /// Times without a conversion for more than two refreshes.
    pub gaps: u64,
    /// How long these were in all. No energy is made up for them.
    pub gap_time: Nanos,
    /// Conversions that no load explains, kept out of mean, highest and energy.
    pub outliers: u64,
    /// The latest of these.
    pub last_outlier: Option<Milliwatts>,
    /// Readings that failed.
    pub failed: u64,
    /// Over-current events, in the order of [`Overcurrent::ALL`].
    pub overcurrent: [u64; 3],
    /// Most cooling devices that slowed the board down at once.
    pub cooling: u16,
    /// Whether an over-current counter or a cooling device could not be read.
    pub unreadable: bool,
    /// One step of the total: means that differ by less are the same to this sensor. Zero where no step is known.
    pub resolution: Milliwatts,
    energy: Picojoules,
    max: Milliwatts,
}

impl Window {
    /// A window that begins now, with nothing in it.
    pub(super) fn new(begin: Nanos) -> Window {
        Window {
            begin,
            end: begin,
            count: 0,
            covered: Nanos::ZERO,
            gaps: 0,
            gap_time: Nanos::ZERO,
            outliers: 0,
            last_outlier: None,
            failed: 0,
            overcurrent: [0; 3],
            cooling: 0,
            unreadable: false,
            resolution: Milliwatts(0),
            energy: Picojoules(0),
            max: Milliwatts(0),
        }
    }

    /// How long it is.
    pub fn length(&self) -> Nanos {
        self.end - self.begin
    }

    /// Mean power of the covered time, rounded up; `None` before the first conversion.
    pub fn mean(&self) -> Option<Milliwatts> {
        self.energy.mean_over(self.covered)
    }

    /// Highest power of a conversion; `None` before the first.
    pub fn max(&self) -> Option<Milliwatts> {
        (self.count > 0).then_some(self.max)
    }

    /// Energy of the covered time, rounded up.
    pub fn energy(&self) -> Millijoules {
        self.energy.millijoules()
    }

    /// Whether something went on that a mode does not explain: over-current events, active cooling, failed readings.
    /// A profile leaves such a window out.
    pub fn is_marked(&self) -> bool {
        self.overcurrent != [0; 3] || self.cooling > 0 || self.unreadable || self.failed > 0
    }

    /// Whether the means differ by more than the sensors can see.
    pub fn tells_from(&self, other: &Window) -> bool {
        match (self.mean(), other.mean()) {
            (Some(one), Some(two)) => one.0.abs_diff(two.0) > self.resolution.max(other.resolution).0,
            _ => false,
        }
    }

    pub(super) fn add(&mut self, conversion: &Conversion, resolution: Milliwatts) {
        if !conversion.inside {
            return;
        }
        self.count += 1;
        self.energy += conversion.energy;
        self.covered += conversion.span;
        self.max = self.max.max(conversion.power);
        self.resolution = self.resolution.max(resolution);
    }

    pub(super) fn reject(&mut self, conversion: &Conversion) {
        if conversion.inside {
            self.outliers += 1;
            self.last_outlier = Some(conversion.power);
        }
    }

    /// Notes that nothing is known of this time, as far as it lies in the window.
    pub(super) fn add_gap(&mut self, from: Nanos, to: Nanos) {
        let inside = to - from.max(self.begin);
        if inside > Nanos::ZERO {
            self.gaps += 1;
            self.gap_time += inside;
        }
    }

    /// Notes what slowed the board down between two looks.
    pub(super) fn note(&mut self, before: Option<&Throttling>, now: &Throttling) {
        self.cooling = self.cooling.max(now.cooling);
        self.unreadable |= now.unreadable > 0;
        let Some(before) = before else {
            return;
        };
        let counters = before.overcurrent.iter().zip(&now.overcurrent);
        for (moved, pair) in self.overcurrent.iter_mut().zip(counters) {
            if let (Some(before), Some(now)) = pair {
                // A counter that went back was started again; what it shows came since.
                *moved += now.checked_sub(*before).unwrap_or(*now);
            }
        }
    }
}

impl fmt::Display for Window {
    /// `mean 12.34 W, highest 15.00 W, 123.40 J in 10.0 of 10.4 s`, and after it whatever makes it doubtful.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(mean), Some(max)) = (self.mean(), self.max()) else {
            return write!(
                f,
                "no conversion in {:.1} s, {} failed readings",
                self.length().as_secs_f64(),
                self.failed
            );
        };
        let (covered, length) = (self.covered.as_secs_f64(), self.length().as_secs_f64());
        write!(
            f,
            "mean {mean}, highest {max}, {} in {covered:.1} of {length:.1} s",
            self.energy()
        )?;
        if self.gaps > 0 {
            let time = self.gap_time.as_secs_f64();
            write!(f, "; {} gaps, {time:.1} s without a conversion", self.gaps)?;
        }
        if let Some(last) = self.last_outlier {
            write!(f, "; {} outliers left out, the last {last}", self.outliers)?;
        }
        if self.failed > 0 {
            write!(f, "; {} readings failed", self.failed)?;
        }
        for (kind, events) in Overcurrent::ALL.iter().zip(self.overcurrent) {
            if events > 0 {
                write!(f, "; {kind}: {events} events")?;
            }
        }
        if self.cooling > 0 {
            write!(f, "; {} cooling devices slowed the board down", self.cooling)?;
        }
        if self.unreadable {
            f.write_str("; throttling could not be read")?;
        }
        Ok(())
    }
}
