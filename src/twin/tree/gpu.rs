//! The [`Gpu`]: its devfreq limits, its rail gate and its floorsweeping masks.
//!
//! As kernels 5.10 and 5.15 behave (source: shared/design/jetson.md 2.6 and 4.3; `drivers/devfreq/devfreq.c`; nvgpu).

use super::attribute::choose;
use super::number;
use crate::units::Nanos;
use rustix::io::Errno;

/// The governors that can be chosen, in the order in which they are shown.
pub(super) const GOVERNORS: &[&str] = &[
    "nvhost_podgov",
    "userspace",
    "performance",
    "powersave",
    "simple_ondemand",
];

/// How long the GPU stays powered after its last use: `railgate_delay`, `autosuspend_delay_ms`.
const IDLE_DELAY: Nanos = Nanos::from_millis(500);

/// A file of the GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GpuFile {
    Min,
    Max,
    Current,
    Governor,
    SetFreq,
    Load,
    RailgateEnable,
    IsRailgated,
    PoweredOn,
    /// The mask of this index.
    Mask(usize),
    Golden,
    PowerControl,
    RuntimeStatus,
    /// Lowest and highest time slice, us.
    SliceMin,
    SliceMax,
    /// The measured clock of a GPC.
    Measured,
}

/// A mask of units that stay off.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    pub(super) name: &'static str,
    pub(super) value: u64,
    /// The values that are a configuration of this chip.
    pub(super) valid: &'static [u64],
}

/// The GPU.
#[derive(Clone, Debug)]
pub(super) struct Gpu {
    /// Clock table, Hz, ascending.
    table: Vec<u64>,
    /// Requests in kHz, as devfreq keeps them; a highest of 0 is no limit.
    min_request: u64,
    max_request: u64,
    /// What thermal cooling allows at most, Hz.
    pub(super) cooling: u64,
    governor: &'static str,
    /// What `userspace/set_freq` was last told, Hz.
    asked: u64,
    held_on: bool,
    railgate: bool,
    awake_until: Nanos,
    pub(super) masks: Vec<Mask>,
    /// Whether a context was created since the boot; masks are frozen from then on.
    pub(super) golden: bool,
    slices: (u64, u64),
}

impl Gpu {
    pub(super) fn new(table: &[u64], masks: Vec<Mask>) -> Gpu {
        Gpu {
            table: table.to_vec(),
            min_request: 0,
            max_request: 0,
            cooling: u64::MAX,
            governor: "nvhost_podgov",
            asked: 0,
            held_on: false,
            railgate: true,
            awake_until: Nanos::ZERO,
            masks,
            golden: false,
            slices: (1_000, 50_000),
        }
    }

    fn lowest(&self) -> u64 {
        self.table.first().copied().unwrap_or_default()
    }

    pub(super) fn highest(&self) -> u64 {
        self.table.last().copied().unwrap_or_default()
    }

    /// Lowest and highest clock in force, Hz.
    fn limits(&self) -> (u64, u64) {
        let mut max = self.highest().min(self.cooling);
        if self.max_request > 0 {
            max = max.min(self.max_request.saturating_mul(1_000));
        }
        let min = self.lowest().max(self.min_request.saturating_mul(1_000));
        (min.min(max), max)
    }

    /// The clock, Hz, at this load from 0 to 1. While the rail is gated it reads the lowest that the limits allow.
    pub(super) fn current(&self, load: f64) -> u64 {
        let (min, max) = self.limits();
        let wanted = match self.governor {
            "performance" => max,
            "powersave" => min,
            "userspace" if self.asked > 0 => self.asked.clamp(min, max),
            _ => ((self.highest() as f64 * 1.25 * load) as u64).clamp(min, max),
        };
        let inside = self.table.iter().copied().filter(|hz| *hz <= max);
        inside
            .clone()
            .find(|hz| *hz >= wanted)
            .or(inside.max())
            .unwrap_or(self.lowest())
    }

    /// Whether its rail is on.
    pub(super) fn powered(&self, load: f64, now: Nanos) -> bool {
        self.held_on || !self.railgate || load > 0.0 || now < self.awake_until
    }

    /// Notes that it was in use until now.
    pub(super) fn used(&mut self, now: Nanos) {
        self.awake_until = now + IDLE_DELAY;
    }

    /// Lets it sleep at once, as before its first use.
    pub(super) fn sleep(&mut self) {
        self.awake_until = Nanos::ZERO;
    }

    /// Whether the governor's own folder is there.
    pub(super) fn in_userspace(&self) -> bool {
        self.governor == "userspace"
    }

    pub(super) fn show(&self, file: GpuFile, load: f64, now: Nanos) -> Result<String, Errno> {
        let (min, max) = self.limits();
        let powered = self.powered(load, now);
        Ok(match file {
            GpuFile::Min => min.to_string(),
            GpuFile::Max => max.to_string(),
            GpuFile::Current => self.current(load).to_string(),
            GpuFile::Governor => self.governor.to_owned(),
            GpuFile::SetFreq if self.asked == 0 => "undefined".to_owned(),
            GpuFile::SetFreq => self.asked.to_string(),
            GpuFile::Load => ((load * 1e3) as u32).to_string(),
            GpuFile::RailgateEnable => u8::from(self.railgate).to_string(),
            GpuFile::IsRailgated => if powered { "no" } else { "yes" }.to_owned(),
            GpuFile::PoweredOn => u8::from(powered).to_string(),
            GpuFile::Mask(index) => self.masks.get(index).ok_or(Errno::NOENT)?.value.to_string(),
            GpuFile::Golden => u8::from(self.golden).to_string(),
            GpuFile::PowerControl => if self.held_on { "on" } else { "auto" }.to_owned(),
            GpuFile::RuntimeStatus => if powered { "active" } else { "suspended" }.to_owned(),
            GpuFile::SliceMin => self.slices.0.to_string(),
            GpuFile::SliceMax => self.slices.1.to_string(),
            // 305.9 MHz were counted at 306 MHz (source: shared/design/jetson.md 1.3).
            GpuFile::Measured if powered => (self.current(load) / 10_000 * 9_997).to_string(),
            GpuFile::Measured => "0".to_owned(),
        })
    }

    pub(super) fn store(&mut self, file: GpuFile, text: &[u8], now: Nanos) -> Result<(), Errno> {
        match file {
            // Lowest rounded down, highest rounded up to kHz: neither shuts out the clock that was meant.
            GpuFile::Min => self.min_request = number::leading(text)? / 1_000,
            GpuFile::Max => self.max_request = number::leading(text)?.div_ceil(1_000),
            GpuFile::Governor => {
                self.governor = choose(text, GOVERNORS)?;
                self.asked = 0;
            }
            GpuFile::SetFreq => self.asked = number::leading(text)?,
            GpuFile::RailgateEnable => {
                self.railgate = number::boolean(text)?;
                self.used(now);
            }
            GpuFile::Mask(index) => {
                let golden = self.golden;
                let mask = self.masks.get_mut(index).ok_or(Errno::NOENT)?;
                let asked = number::decimal(text)?;
                if asked == mask.value {
                    return Ok(());
                }
                if golden {
                    // ENODEV from all masks on L4T 32, EBUSY from this one since.
                    let tpc = mask.name == "tpc_pg_mask";
                    return Err(if tpc { Errno::BUSY } else { Errno::NODEV });
                }
                if !mask.valid.contains(&asked) {
                    return Err(Errno::INVAL);
                }
                mask.value = asked;
            }
            GpuFile::PowerControl => {
                self.held_on = choose(text, &["on", "auto"])? == "on";
                self.used(now);
            }
            GpuFile::SliceMin | GpuFile::SliceMax => {
                let asked = number::decimal(text)?;
                let (mut min, mut max) = self.slices;
                *(if file == GpuFile::SliceMin {
                    &mut min
                } else {
                    &mut max
                }) = asked;
                if min > max {
                    return Err(Errno::INVAL);
                }
                self.slices = (min, max);
            }
            GpuFile::Current
            | GpuFile::Load
            | GpuFile::IsRailgated
            | GpuFile::PoweredOn
            | GpuFile::Golden
            | GpuFile::RuntimeStatus
            | GpuFile::Measured => return Err(Errno::ACCESS),
        }
        Ok(())
    }
}
