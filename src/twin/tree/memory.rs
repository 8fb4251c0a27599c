//! The [`Memory`] clock: a cap that the mode sets, and a lock in debugfs that freezes the rate.
//!
//! Source: shared/design/jetson.md 1.4. The cap is only a ceiling; the bandwidth manager moves the rate below it. A
//! locked rate is rounded up to the next point (measured there) and may lie above the cap, which nothing confirms or
//! denies. A rate written without the lock is overridden at once.

use super::number;
use rustix::io::Errno;

/// A file of the memory clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MemoryFile {
    Cap,
    Rate,
    Locked,
    State,
    /// The measured clock.
    Measured,
}

/// What a written cap becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CapRule {
    /// `nvpmodel_clk_cap/emc`: the highest point not above it, else the lowest; reads back rounded.
    Rounds,
    /// `nvpmodel_emc_cap/emc_iso_cap`: kept as written, 0 is no cap.
    Iso,
}

/// The memory clock.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// Clock table, Hz, ascending.
    table: Vec<u64>,
    rule: CapRule,
    /// As it reads back, Hz.
    cap: u64,
    /// The rate that the lock holds, Hz.
    locked: Option<u64>,
    state: bool,
    /// Where the bandwidth manager rests without load, Hz.
    rest: u64,
}

impl Memory {
    pub(super) fn new(table: &[u64], rule: CapRule, rest: u64) -> Memory {
        let highest = table.last().copied().unwrap_or_default();
        Memory {
            table: table.to_vec(),
            rule,
            cap: if rule == CapRule::Iso { 0 } else { highest },
            locked: None,
            state: true,
            rest,
        }
    }

    pub(super) fn lowest(&self) -> u64 {
        self.table.first().copied().unwrap_or_default()
    }

    pub(super) fn highest(&self) -> u64 {
        self.table.last().copied().unwrap_or_default()
    }

    /// The highest point not above `hz`, else the lowest.
    fn below(&self, hz: u64) -> u64 {
        let fits = self.table.iter().copied().rfind(|point| *point <= hz);
        fits.unwrap_or(self.lowest())
    }

    /// The cap in force, Hz.
    pub(super) fn cap(&self) -> u64 {
        match self.cap {
            0 => self.highest(),
            hz => self.below(hz),
        }
    }

    /// The rate, Hz, at this load from 0 to 1.
    pub(super) fn rate(&self, load: f64) -> u64 {
        let wanted = self.rest.max((self.highest() as f64 * load) as u64);
        let above = self.table.iter().copied().find(|point| *point >= wanted);
        self.locked
            .unwrap_or(above.unwrap_or(self.highest()).min(self.cap()))
    }

    pub(super) fn show(&self, file: MemoryFile, load: f64) -> String {
        match file {
            MemoryFile::Cap => self.cap.to_string(),
            MemoryFile::Rate => self.rate(load).to_string(),
            MemoryFile::Locked => u8::from(self.locked.is_some()).to_string(),
            MemoryFile::State => u8::from(self.state).to_string(),
            // 3191.88 MHz were counted at 3199 MHz.
            MemoryFile::Measured => (self.rate(load) / 100_000 * 99_777).to_string(),
        }
    }

    pub(super) fn store(&mut self, file: MemoryFile, text: &[u8], load: f64) -> Result<(), Errno> {
        match file {
            MemoryFile::Cap => {
                let asked = number::any_base(text)?;
                self.cap = match self.rule {
                    CapRule::Rounds => self.below(asked),
                    CapRule::Iso => asked,
                };
            }
            MemoryFile::Rate => {
                let asked = number::any_base(text)?;
                if self.locked.is_some() {
                    let above = self.table.iter().copied().find(|point| *point >= asked);
                    // Above the top it is unknown what the firmware does; the twin takes the top.
                    self.locked = Some(above.unwrap_or(self.highest()));
                }
            }
            MemoryFile::Locked => {
                let rate = self.rate(load);
                self.locked = number::boolean(text)?.then_some(rate);
            }
            MemoryFile::State => self.state = number::boolean(text)?,
            MemoryFile::Measured => return Err(Errno::ACCESS),
        }
        Ok(())
    }
}
