//! A [`ConfError`] is the first thing that is wrong with an nvpmodel.conf, with its line and column.

use crate::limits;
use core::fmt;

/// A place in the text. Prints as `LINE:COLUMN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1. LF, CR LF and CR end one.
    pub line: u32,
    /// Column, from 1, in characters; a tab is one. May stand one past the end, where something is missing.
    pub column: u32,
}

/// Why a file was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfError {
    /// Where.
    pub at: Position,
    /// Why.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// More than [`limits::CONF_TEXT`] bytes.
    TextLimit,
    /// A line of more than [`limits::CONF_LINE`] bytes.
    LineLimit,
    /// More than [`limits::CONF_PARAMS`] parameters.
    ParamLimit,
    /// More than [`limits::CONF_ARGS`] rows in a parameter.
    ArgLimit,
    /// More than [`limits::CONF_MODES`] modes.
    ModeLimit,
    /// More than [`limits::CONF_ROWS`] rows in a mode.
    RowLimit,
    /// More than [`limits::CONF_WORD`] bytes in a name or a value.
    WordLimit,
    /// A byte that is not UTF-8.
    NotUtf8(u8),
    /// NUL or another control character.
    Control(char),
    /// A character outside ASCII, not in a comment.
    NotAscii(char),
    /// A row before the first section.
    Outside,
    /// A row after `PM_CONFIG`, which has none.
    AfterConfig,
    /// A row of the grammar of L4T 27 and 28: a bare path.
    BarePath,
    /// `<` in a row: a header without a line of its own.
    Glued,
    /// `>` in a row: the end of a header whose beginning stands elsewhere.
    StrayEnd,
    /// A header without `>`.
    Open,
    /// Words behind the `>` of a header.
    BehindHeader,
    /// No section has this name.
    Section,
    /// A word of a header that is not `KEY=VALUE`, or a key that does not belong there.
    Key(&'static str),
    /// A header without this key.
    NoKey(&'static str),
    /// A key twice.
    KeyTwice,
    /// A type other than FILE, CLOCK and HWMON.
    Type,
    /// Not a name.
    Name,
    /// Not a number of a mode.
    Id,
    /// Another mode has this id; its header stands at `first`.
    IdTwice {
        /// The id.
        id: u32,
        /// Line of the first.
        first: u32,
    },
    /// Another parameter has this name; its header stands at this line.
    ParamTwice(u32),
    /// The parameter declares this argument already.
    ArgTwice,
    /// The mode sets this already, to another value, at this line.
    RowTwice(u32),
    /// Fewer words than a row has.
    Short {
        /// Words that the row has.
        wanted: u8,
    },
    /// More words than a row has.
    Long {
        /// Words that the row has.
        wanted: u8,
    },
    /// Not an absolute path, or one with `..`.
    Path,
    /// Not the name of a file in a directory.
    FileName,
    /// No parameter of this name is declared above.
    NoParam,
    /// The parameter declares no argument of this name.
    NoArg,
    /// A core's value that is neither 0 nor 1.
    Switch,
    /// A mask that is not a decimal number of 32 bits.
    Mask,
    /// A clock's value that is neither a whole number nor -1.
    Frequency,
    /// A CPU clock above 10 GHz.
    CpuRange,
    /// Another clock above 100 GHz.
    ClockRange,
    /// A cap of 0.
    ZeroCap,
    /// A mode without a row.
    EmptyMode,
    /// No mode at all.
    NoMode,
    /// No `PM_CONFIG`.
    NoDefault,
    /// A second `PM_CONFIG`; the first stands at this line.
    ConfigTwice(u32),
    /// `DEFAULT` names a mode that does not exist.
    DefaultUnknown(u32),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// `LINE:COLUMN: what is wrong; what to do`. A caller puts the file's name and a colon before it.
impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TextLimit => write!(
                f,
                "the file has more than {} bytes; this is no nvpmodel.conf",
                limits::CONF_TEXT
            ),
            Fault::LineLimit => write!(
                f,
                "the line has more than {} bytes; break it up",
                limits::CONF_LINE
            ),
            Fault::ParamLimit => write!(f, "more than {} parameters; remove some", limits::CONF_PARAMS),
            Fault::ArgLimit => write!(
                f,
                "more than {} rows in one parameter; remove some",
                limits::CONF_ARGS
            ),
            Fault::ModeLimit => write!(f, "more than {} modes; remove some", limits::CONF_MODES),
            Fault::RowLimit => write!(f, "more than {} rows in one mode; remove some", limits::CONF_ROWS),
            Fault::WordLimit => write!(f, "a word of more than {} bytes; shorten it", limits::CONF_WORD),
            Fault::NotUtf8(byte) => write!(f, "byte 0x{byte:02x} is not text in UTF-8; remove it"),
            Fault::Control(char) => write!(f, "control character U+{:04X}; remove it", u32::from(*char)),
            Fault::NotAscii(char) => write!(
                f,
                "character U+{:04X} is not ASCII; only a comment may have it, so retype the word",
                u32::from(*char)
            ),
            Fault::Outside => f.write_str(
                "a row before the first section; put it under a header such as `< POWER_MODEL ID=0 NAME=MAXN >`",
            ),
            Fault::AfterConfig => f.write_str(
                "a row under PM_CONFIG, which has none; move it under the header it belongs to",
            ),
            Fault::BarePath => f.write_str(
                "a bare path, as files of L4T 27 and 28 had them; use the file of the installed release, whose rows \
                 are PARAM ARG VALUE",
            ),
            Fault::Glued => f.write_str(
                "a section header in the middle of a line; start a new line before the `<`, or its section is lost",
            ),
            Fault::StrayEnd => f.write_str(
                "`>` in a row; write the section header whole, from `<` to `>`, on one line",
            ),
            Fault::Open => f.write_str("the section header has no `>`; write it whole on one line"),
            Fault::BehindHeader => f.write_str("text behind the section header; move it to a line of its own"),
            Fault::Section => f.write_str("no section has this name; the sections are PARAM, POWER_MODEL, PM_CONFIG"),
            Fault::Key(form) => write!(f, "this does not belong into the header; its form is `{form}`"),
            Fault::NoKey(form) => write!(f, "something is missing in the header; its form is `{form}`"),
            Fault::KeyTwice => f.write_str("the header says this twice; remove one"),
            Fault::Type => f.write_str("no such type; the types are FILE, CLOCK and HWMON"),
            Fault::Name => f.write_str("not a name; use letters, digits and _ . ( ) | + -"),
            Fault::Id => write!(f, "not the number of a mode; use a whole number from 0 to {}", i32::MAX),
            Fault::IdTwice { id, first } => {
                write!(f, "the mode at line {first} has id {id} already; give this one another")
            }
            Fault::ParamTwice(first) => {
                write!(f, "line {first} declares a parameter of this name already; merge them or rename one")
            }
            Fault::ArgTwice => f.write_str("the parameter declares this name already; remove one of the rows"),
            Fault::RowTwice(first) => write!(
                f,
                "line {first} of the same mode sets this to another value; remove one, or restore the section header \
                 that is missing between them"
            ),
            Fault::Short { wanted } => {
                write!(f, "the row ends too early, it has {wanted} words ({}); it may have been cut by a line break", form(*wanted))
            }
            Fault::Long { wanted } => {
                write!(f, "the row has {wanted} words ({}); remove the rest or move it to a line of its own", form(*wanted))
            }
            Fault::Path => f.write_str("not an absolute path without `..`; write the path as in /sys/..., in one word"),
            Fault::FileName => f.write_str("not the name of a file in that directory; write it without `/`"),
            Fault::NoParam => f.write_str("no parameter of this name is declared above; declare it or correct the name"),
            Fault::NoArg => f.write_str("the parameter declares nothing of this name; declare it there or correct it"),
            Fault::Switch => f.write_str("a core is on or off; write 1 or 0"),
            Fault::Mask => f.write_str("not a mask; write a decimal number below 4294967296, the kernel takes no other"),
            Fault::Frequency => f.write_str("not a frequency; write a whole number, or -1 for no cap"),
            Fault::CpuRange => f.write_str("a CPU clock above 10 GHz; the file counts in kHz"),
            Fault::ClockRange => f.write_str("a clock above 100 GHz; the file counts in Hz"),
            Fault::ZeroCap => f.write_str("a highest clock of 0; write -1 for no cap"),
            Fault::EmptyMode => f.write_str("the mode has no row; add its rows or remove it"),
            Fault::NoMode => f.write_str("the file has no mode; is it an nvpmodel.conf? add a POWER_MODEL section"),
            Fault::NoDefault => f.write_str("the file ends without `< PM_CONFIG DEFAULT=n >`; add it, it is mandatory"),
            Fault::ConfigTwice(first) => write!(f, "line {first} has a PM_CONFIG already; remove one"),
            Fault::DefaultUnknown(id) => {
                write!(f, "no mode has id {id}; name one that the file has")
            }
        }
    }
}

/// The words of a row that has this many, where three may also be a mode's.
fn form(words: u8) -> &'static str {
    match words {
        2 => "ARG PATH",
        _ => "PARAM ARG VALUE in a mode, ARG DIRECTORY FILE in a HWMON parameter",
    }
}

impl core::error::Error for ConfError {}
