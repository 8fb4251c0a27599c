//! The [`Meter`] turns rail readings into the board's mean and highest power.

use crate::board::{Board, BoardError, Facts, Rails};
use crate::units::{Milliwatts, Nanos};
use core::fmt;

/// What one sample came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A new conversion; it counts in mean and maximum.
    New(Milliwatts),
    /// The sensor still shows the conversion that was counted before.
    Stale(Milliwatts),
}

impl Reading {
    /// The board's total power in this reading.
    pub const fn power(self) -> Milliwatts {
        match self {
            Reading::New(power) | Reading::Stale(power) => power,
        }
    }
}

/// Why a sample gave no power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeterError {
    /// The board could not be read.
    Board(BoardError),
    /// This many of the counted rails gave no reading; the others' sum is not the board's power.
    Missing(usize),
}

impl fmt::Display for MeterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeterError::Board(error) => write!(f, "no power reading: {error}"),
            MeterError::Missing(count) => {
                write!(
                    f,
                    "no power reading: {count} of the rails in the total are silent; is the board suspended?"
                )
            }
        }
    }
}

impl core::error::Error for MeterError {}

impl From<BoardError> for MeterError {
    fn from(error: BoardError) -> MeterError {
        MeterError::Board(error)
    }
}

/// Mean and highest power of a board, from its rails by the rule of [`Facts::total_rule`]. Fixed memory.
///
/// The sensors convert every 430 ms on Jetson and answer a faster reader with repeats. A sample that repeats the
/// last one on every rail counts only when a whole refresh has gone by since that one was counted.
#[derive(Clone, Debug)]
pub struct Meter {
    refresh: Nanos,
    counted_rails: usize,
    last: Option<(Nanos, Rails)>,
    count: u64,
    sum: u64,
    max: Milliwatts,
}

impl Meter {
    /// A meter for this board, with nothing counted.
    pub fn new(facts: &Facts) -> Meter {
        Meter {
            refresh: facts.refresh(),
            counted_rails: facts.rails().iter().filter(|rail| rail.counted).count(),
            last: None,
            count: 0,
            sum: 0,
            max: Milliwatts(0),
        }
    }

    /// Reads the rails at the moment `now` and counts the reading if it is a new conversion.
    pub fn sample<B: Board + ?Sized>(&mut self, now: Nanos, board: &B) -> Result<Reading, MeterError> {
        let rails = board.rails()?;
        let counted = || rails.iter().filter(|reading| board.facts().counts(reading));
        let missing = self.counted_rails.saturating_sub(counted().count());
        if missing > 0 {
            return Err(MeterError::Missing(missing));
        }
        let power = counted().fold(Milliwatts(0), |sum, reading| sum + reading.power());
        if let Some((at, seen)) = &self.last
            && *seen == rails
            && now - *at < self.refresh
        {
            return Ok(Reading::Stale(power));
        }
        self.last = Some((now, rails));
        self.count += 1;
        self.sum = self.sum.saturating_add(u64::from(power.0));
        self.max = self.max.max(power);
        Ok(Reading::New(power))
    }

    /// Forgets what was counted, but not which conversion was seen last.
    pub fn reset(&mut self) {
        (self.count, self.sum, self.max) = (0, 0, Milliwatts(0));
    }

    /// Conversions counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean power of the counted conversions, rounded up; `None` before the first.
    pub fn mean(&self) -> Option<Milliwatts> {
        // Each term fits 32 bits, so their mean does.
        (self.count > 0).then(|| Milliwatts(u32::try_from(self.sum.div_ceil(self.count)).unwrap_or(u32::MAX)))
    }

    /// Highest power of the counted conversions; `None` before the first.
    pub fn max(&self) -> Option<Milliwatts> {
        (self.count > 0).then_some(self.max)
    }
}
