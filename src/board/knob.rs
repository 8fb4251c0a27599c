//! A [`Knob`] is one writable setting of a board.

use core::fmt;

/// One writable setting of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// CPU cores online, counted from core 0 up.
    Cores,
    /// Ceiling of the CPU clusters' clock, kHz.
    Cpu,
    /// Ceiling of the GPU clock, kHz.
    Gpu,
    /// Ceiling of the memory (EMC) clock, kHz.
    Emc,
}

impl Knob {
    /// All knobs, in the order in which a mode is printed.
    pub const ALL: [Knob; 4] = [Knob::Cores, Knob::Cpu, Knob::Gpu, Knob::Emc];

    /// The knob's name on the command line and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Knob::Cores => "cores",
            Knob::Cpu => "cpu",
            Knob::Gpu => "gpu",
            Knob::Emc => "emc",
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
