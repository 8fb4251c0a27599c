//! The [`Meter`] turns rail readings into the board's mean power, highest power and energy.

use super::window::{Conversion, Window};
use crate::board::rail::{Measured, Sensor};
use crate::board::{RailName, Rails, Supplies, Throttling};
use crate::units::{Milliwatts, Nanos, Picojoules};
use core::fmt;

/// Conversions whose median says what the board draws. Five outvote two bad ones, and follow a step in three.
const RECENT: usize = 5;

/// A conversion this many times above or below the recent median is no load's doing. Between rest and full load lies a
/// factor of 6.4 on Orin NX (4.6 to 29.4 W; source: shared/design/jetson.md 0.3), and less on AGX Orin.
const FACTOR: u32 = 8;

/// No board of this library draws as much. An energy counter that was started again seems to.
const MOST: Milliwatts = Milliwatts(5_000_000);

/// How long an energy counter may go unread. At 1 kW the smallest, of 65 kJ, has gone round once in that time.
const BRIDGED: Nanos = Nanos::from_secs(60);

/// What one sample came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A new conversion, of this power. It counts if all of its time lies in the window.
    New(Milliwatts),
    /// A new conversion that no load explains. It is held back until the next: if that agrees, both count, and if not,
    /// this one is an outlier.
    Doubtful(Milliwatts),
    /// The sensors still show the conversion that was seen before.
    Stale,
    /// The first reading, or the first of an energy counter after a gap: only a mark to count from.
    Mark,
}

/// Why a sample gave no power.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeterError {
    /// The board has no rail that counts.
    NoRail,
    /// This rail of the total gave no reading, with the operating system's error number. The others' sum is not the
    /// board's power.
    Silent(RailName, i32),
}

impl fmt::Display for MeterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeterError::NoRail => {
                f.write_str("no power reading: the board has no power sensor; give powers in the profile")
            }
            MeterError::Silent(rail, errno) => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(
                    f,
                    "no power reading: rail {rail} is silent ({error}); without it the total is not known"
                )
            }
        }
    }
}

impl core::error::Error for MeterError {}

/// A reading and when it came.
#[derive(Clone, Debug)]
struct Seen {
    at: Nanos,
    rails: Rails,
}

/// Power and energy of a board, by the rule of [`Supplies::total_rule`]. Fixed memory once it is made.
///
/// **What counts as new.** The sensors convert every 430 ms on Jetson and answer a faster reader with repeats. A sample
/// that repeats the last one on every rail of the total counts only when a whole refresh has gone by since that one was
/// seen.
///
/// **What a conversion stands for.** The time since the one before. After more than two refreshes without one there was
/// a gap: the conversion stands for one refresh, and the rest is reported as not known. An energy counter misses
/// nothing for up to a minute, so that it has no gaps in that time.
///
/// **What belongs to the window.** A conversion counts if its time began in the window: two chips out of step take up
/// to two refreshes until both show such a one.
///
/// **Outliers.** A load comes and goes, and a single high conversion may be all that is seen of it; left out, it would
/// make the mean too low. So only what no load explains is doubted: eight times the median of the last five
/// conversions, an eighth of it, no power at all, or an energy counter that went back. Even that counts if the next
/// conversion agrees with it. One that is still held back at the end of a window is not in it.
#[derive(Clone, Debug)]
pub struct Meter {
    supplies: Supplies,
    last: Option<Seen>,
    recent: heapless::Deque<Milliwatts, RECENT>,
    held: Option<Conversion>,
    throttling: Option<Throttling>,
    window: Window,
}

impl Meter {
    /// A meter of these supplies, with a window that begins at `now`.
    pub fn new(supplies: &Supplies, now: Nanos) -> Meter {
        Meter {
            supplies: supplies.clone(),
            last: None,
            recent: heapless::Deque::new(),
            held: None,
            throttling: None,
            window: Window::new(now),
        }
    }

    /// Begins a new window at `now`, with nothing in it. What was seen last is not forgotten, so that a repeat of it
    /// does not count as new.
    pub fn begin_window(&mut self, now: Nanos) {
        self.window = Window::new(now);
        if let Some(held) = &mut self.held {
            held.inside = false;
        }
    }

    /// The window as it stands at `now`, a gap that is still open included. It goes on.
    pub fn window(&self, now: Nanos) -> Window {
        let mut window = self.window;
        window.end = window.end.max(now);
        let last = self.last.as_ref().map_or(window.begin, |seen| seen.at);
        if let Some((from, to)) = self.gap(last, now) {
            window.add_gap(from, to);
        }
        window
    }

    /// Notes what slows the board down; tell it before a window and in it.
    pub fn note(&mut self, seen: Throttling) {
        self.window.note(self.throttling.as_ref(), &seen);
        self.throttling = Some(seen);
    }

    /// Counts what the rails showed at the moment `at`, which is when the reading ended: a sensor may answer only when
    /// its conversion ends.
    pub fn take(&mut self, at: Nanos, rails: &Rails) -> Result<Reading, MeterError> {
        self.window.end = self.window.end.max(at);
        self.refuse_silent(rails)?;
        let seen = Seen {
            at,
            rails: rails.clone(),
        };
        let Some(last) = &self.last else {
            self.last = Some(seen);
            return Ok(Reading::Mark);
        };
        let elapsed = at - last.at;
        let answers = |rails| self.supplies.of_total(rails).map(|(_, answer)| answer);
        let repeats = answers(&last.rails).eq(answers(rails));
        if elapsed == Nanos::ZERO || (repeats && elapsed < self.supplies.refresh()) {
            return Ok(Reading::Stale);
        }
        let gap = self.gap(last.at, at);
        let span = at - gap.map_or(last.at, |(_, to)| to);
        let energy = self.energy(&last.rails, rails, span);
        self.last = Some(seen);
        if let Some((from, to)) = gap {
            self.window.add_gap(from, to);
        }
        // Of an energy counter nothing is known after a gap.
        let Some(power) = energy.mean_over(span) else {
            return Ok(Reading::Mark);
        };
        let first = self.window.begin + self.supplies.refresh().times(2);
        let conversion = Conversion {
            power,
            energy,
            span,
            inside: at >= first && at - span >= self.window.begin,
        };
        Ok(self.judge(conversion))
    }

    /// Counts the conversion, or holds it back, and decides on the one that was held back before.
    fn judge(&mut self, conversion: Conversion) -> Reading {
        let doubtful = self.is_doubtful(conversion.power);
        match self.held.take() {
            Some(held) if doubtful && agree(held.power, conversion.power) => {
                // It was a step: the past says nothing about what comes now.
                self.recent.clear();
                self.count(&held);
            }
            held => {
                if let Some(held) = held {
                    self.window.reject(&held);
                }
                if doubtful {
                    self.held = Some(conversion);
                    return Reading::Doubtful(conversion.power);
                }
            }
        }
        self.count(&conversion);
        Reading::New(conversion.power)
    }

    fn count(&mut self, conversion: &Conversion) {
        if self.recent.is_full() {
            self.recent.pop_front();
        }
        // There is room now.
        let _ = self.recent.push_back(conversion.power);
        let resolution = self
            .last
            .as_ref()
            .map(|seen| self.supplies.resolution(&seen.rails));
        self.window.add(conversion, resolution.unwrap_or_default());
    }

    fn is_doubtful(&self, power: Milliwatts) -> bool {
        if self.supplies.counts_energy() {
            return power > MOST;
        }
        let mut sorted: heapless::Vec<Milliwatts, RECENT> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        // Two conversions do not outvote a third.
        let median = sorted.get(sorted.len() / 2).filter(|_| sorted.len() >= 3);
        let beyond =
            |median: &Milliwatts| power.0 / FACTOR > median.0 || power.0.saturating_mul(FACTOR) < median.0;
        power == Milliwatts(0) || median.is_some_and(beyond)
    }

    /// The time between two readings of which nothing is known; `None` where that is not worth saying.
    fn gap(&self, last: Nanos, at: Nanos) -> Option<(Nanos, Nanos)> {
        let refresh = self.supplies.refresh();
        let (longest, end) = if self.supplies.counts_energy() {
            (BRIDGED, at)
        } else {
            (refresh.times(2), at - refresh)
        };
        (at - last > longest).then_some((last, end))
    }

    /// Energy of `span`, in which the rails went from `before` to `now`.
    fn energy(&self, before: &Rails, now: &Rails, span: Nanos) -> Picojoules {
        let pairs = self.supplies.of_total(before).zip(self.supplies.of_total(now));
        let mut sum = Picojoules(0);
        for ((rail, before), (_, now)) in pairs {
            sum += match (rail.sensor, before, now) {
                (Sensor::Energy(range), Ok(Measured::Energy(before)), Ok(Measured::Energy(now))) => {
                    Picojoules::from_microjoules(difference(before, now, range))
                }
                (_, _, Ok(now)) => now.power().unwrap_or_default().over(span),
                (_, _, Err(_)) => Picojoules(0),
            };
        }
        sum
    }

    fn refuse_silent(&mut self, rails: &Rails) -> Result<(), MeterError> {
        let mut answers = self.supplies.of_total(rails).peekable();
        if answers.peek().is_none() {
            return Err(MeterError::NoRail);
        }
        let silent = answers.find_map(|(rail, answer)| Some((rail.name.clone(), answer.err()?)));
        match silent {
            Some((name, errno)) => {
                self.window.failed += 1;
                Err(MeterError::Silent(name, errno))
            }
            None => Ok(()),
        }
    }
}

/// How far a counter went that goes back to zero at `range`.
fn difference(before: u64, now: u64, range: u64) -> u64 {
    now.checked_sub(before)
        .unwrap_or_else(|| range.saturating_sub(before).saturating_add(now))
}

/// Whether two conversions are of the same load, within a factor of two. No power at all is no load.
fn agree(one: Milliwatts, two: Milliwatts) -> bool {
    let (low, high) = (one.min(two), one.max(two));
    low > Milliwatts(0) && high.0 / 2 <= low.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_went_round_counts_on() {
        assert_eq!(difference(10, 25, 100), 15);
        assert_eq!(difference(90, 5, 100), 15);
        assert_eq!(difference(200, 5, 100), 5);
    }

    #[test]
    fn nothing_agrees_with_no_power() {
        assert!(agree(Milliwatts(10), Milliwatts(20)) && !agree(Milliwatts(10), Milliwatts(22)));
        assert!(!agree(Milliwatts(0), Milliwatts(0)));
    }
}
