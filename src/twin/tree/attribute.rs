//! An [`Attribute`] is what stands behind a file of the kernel: how it is shown, and what a write to it does.

use super::cpu::CpuFile;
use super::gpu::GpuFile;
use super::memory::MemoryFile;
use super::number;
use super::rails::RailFile;
use rustix::io::Errno;

/// What stands behind a file of the kernel.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    /// Never changes and takes no write: identity, tables, labels. Shown as it is, without a newline added.
    Fixed(Vec<u8>),
    /// Keeps what is written and does nothing else.
    Kept(Kept),
    /// Of a CPU (`online`) or of the policy of this index.
    Cpu(usize, CpuFile),
    /// The cores that are possible, present, online or offline.
    CpuList(CpuList),
    /// Of the GPU.
    Gpu(GpuFile),
    /// Of the memory clock.
    Memory(MemoryFile),
    /// The cap of an engine's clock, by index.
    EngineCap(usize),
    /// The rate of an engine's clock in debugfs, by index.
    EngineRate(usize),
    /// Of the sensor chip of this index.
    Rail(usize, RailFile),
    /// The temperature of the zone of this index.
    Temperature(usize),
    /// How far thermal cooling holds a clock down.
    Cooling,
    /// The speed of the fan, whose `pwm1` this is.
    FanSpeed,
    /// The duty of the fan, 0 to 255.
    FanDuty,
    /// How often the over-current input of this number fired.
    OverCurrent(usize),
    /// `/proc/sys/kernel/random/boot_id`.
    BootId,
    /// Takes one command a line.
    Control,
    /// Shows the writes so far.
    Log,
    /// Shows what was wrong with the last command.
    Error,
}

/// Which list of cores.
#[derive(Clone, Copy, Debug)]
pub(super) enum CpuList {
    /// All that exist.
    All,
    /// Those online.
    Online,
    /// Those offline.
    Offline,
}

/// A value that is checked and kept.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// `0` or `1`.
    Flag(bool),
    /// A whole number; one outside the range is refused with `EINVAL`.
    Number(u64, core::ops::RangeInclusive<u64>),
    /// One of a few words; another is refused with `EINVAL`.
    Word(&'static str, &'static [&'static str]),
}

impl Kept {
    pub(super) fn show(&self) -> String {
        match self {
            Kept::Flag(on) => u8::from(*on).to_string(),
            Kept::Number(value, _) => value.to_string(),
            Kept::Word(word, _) => (*word).to_owned(),
        }
    }

    pub(super) fn store(&mut self, text: &[u8]) -> Result<(), Errno> {
        match self {
            Kept::Flag(on) => *on = number::boolean(text)?,
            Kept::Number(value, range) => {
                let asked = number::decimal(text)?;
                if !range.contains(&asked) {
                    return Err(Errno::INVAL);
                }
                *value = asked;
            }
            Kept::Word(word, words) => *word = choose(text, words)?,
        }
        Ok(())
    }
}

/// The member of `words` that is written. `EINVAL` for another.
pub(super) fn choose(text: &[u8], words: &[&'static str]) -> Result<&'static str, Errno> {
    let asked = number::word(text)?;
    words
        .iter()
        .copied()
        .find(|word| *word == asked)
        .ok_or(Errno::INVAL)
}
