//! A [`Warning`] is a line of the file that was taken, and that somebody should look at.

use core::fmt;

/// A line and what is odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line, from 1.
    pub line: u32,
    /// What is odd.
    pub what: Oddity,
}

/// What is odd about a line that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Oddity {
    /// A line ends with CR.
    CarriageReturn,
    /// Blanks before the `<` of a header.
    Indented,
    /// No blank after `<` or before `>`.
    NoBlank,
    /// A section of fans or chargers.
    Skipped,
    /// A comment that looks like the header of a mode.
    CommentedMode,
    /// A parameter without a row.
    EmptyParam,
    /// Another mode of the same name, with this id.
    SameName(u32),
    /// The row says again what the mode's row at this line says.
    SaidTwice(u32),
    /// -1 where it is not a clock.
    MinusOneAsWord,
    /// The number that the tool prints for -1.
    PrintedUncapped,
    /// A CPU clock below 10 MHz.
    SlowCpu,
    /// Another clock below 10 MHz.
    SlowClock,
    /// The mode's lowest clock is above its highest.
    MinAboveMax,
    /// The mode switches cpu0 off.
    CoreZeroOff,
    /// The mode says nothing about this many of the declared cores.
    CoresNotSet(u32),
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Oddity::CarriageReturn => {
                f.write_str("lines end with CR (Windows); taken, but save the file with plain line ends")
            }
            Oddity::Indented => {
                f.write_str("blanks before `<`; taken, but nvpmodel wants the `<` in the first column")
            }
            Oddity::NoBlank => f.write_str(
                "no blank after `<` or before `>`; taken, but nvpmodel is documented to want one at both",
            ),
            Oddity::Skipped => {
                f.write_str("a section of the fan or the charger; skipped, because a power mode sets neither")
            }
            Oddity::CommentedMode => f.write_str(
                "the header of a mode stands in a comment; if the mode is wanted, give it a line of its own",
            ),
            Oddity::EmptyParam => f.write_str("the parameter declares no file; add its rows or remove it"),
            Oddity::SameName(id) => {
                write!(
                    f,
                    "the mode with id {id} has the same name; tell them apart by id"
                )
            }
            Oddity::SaidTwice(line) => {
                write!(f, "line {line} of the same mode says this already; remove one")
            }
            Oddity::MinusOneAsWord => f.write_str(
                "-1 means \"no cap\" only in a parameter with TYPE=CLOCK; here it is a plain value",
            ),
            Oddity::PrintedUncapped => {
                f.write_str("this is how nvpmodel prints -1; taken as \"no cap\", but write -1")
            }
            Oddity::SlowCpu => f.write_str("a CPU clock below 10 MHz; the file counts in kHz"),
            Oddity::SlowClock => f.write_str("a clock below 10 MHz; the file counts in Hz"),
            Oddity::MinAboveMax => f.write_str(
                "the lowest clock is above the highest; kernel 4.9 refuses that, newer ones lower it",
            ),
            Oddity::CoreZeroOff => {
                f.write_str("the mode switches cpu0 off, which can hang the board; fulcrum never does that")
            }
            Oddity::CoresNotSet(1) => {
                f.write_str("the mode does not say whether one of the cores is on; it stays as it was")
            }
            Oddity::CoresNotSet(count) => {
                write!(
                    f,
                    "the mode does not say whether {count} of the cores are on; they stay as they were"
                )
            }
        }
    }
}
