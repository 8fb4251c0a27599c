//! The store keeps a [`Profile`] in a CSV file, one row a line:
//! `board,workload,kind,minibatch,cpu_cores,cpu_khz,gpu_khz,emc_khz,time_ms,power_mw`.
//!
//! `time_ms` has up to six digits after the point; `power_mw` is empty where power was not measured. A file is
//! replaced whole or not at all: it is written beside its place, synced, and renamed.

use super::row::{Kind, RawRow, Row, RowError};
use crate::file;
use crate::power::PowerMode;
use crate::units::{Kilohertz, Milliwatts, Nanos};
use core::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns, in order.
const COLUMNS: [&str; 10] = [
    "board",
    "workload",
    "kind",
    "minibatch",
    "cpu_cores",
    "cpu_khz",
    "gpu_khz",
    "emc_khz",
    "time_ms",
    "power_mw",
];

/// Measured rows of one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The board's name.
    pub board: String,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// Where and why a profile was not read or written.
#[derive(Debug)]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What was wrong.
    pub cause: Cause,
}

/// What was wrong with a profile's file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The operating system refused.
    Io(io::Error),
    /// The first line is not the list of columns.
    Header,
    /// There is no row.
    Empty,
    /// The line has another number of fields than the header.
    Fields {
        /// Line, from 1.
        line: u64,
        /// Fields found.
        found: usize,
    },
    /// A field does not hold what its column says.
    Field {
        /// Line, from 1.
        line: u64,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// The line's values are physically impossible.
    Row {
        /// Line, from 1.
        line: u64,
        /// Why.
        error: RowError,
    },
    /// The line is of another board than the first one.
    Board {
        /// Line, from 1.
        line: u64,
        /// The board of this line.
        found: String,
    },
    /// A row or the board's name does not fit into the form.
    Name(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.cause {
            Cause::Io(error) => write!(f, "{path}: {error}"),
            Cause::Header => write!(
                f,
                "{path}:1: the first line of a profile is {}",
                COLUMNS.join(",")
            ),
            Cause::Empty => write!(f, "{path}: the profile has no row; measure one first"),
            Cause::Fields { line, found } => {
                write!(
                    f,
                    "{path}:{line}: {found} fields where the header has {}",
                    COLUMNS.len()
                )
            }
            Cause::Field { line, column, found } => {
                let number = COLUMNS
                    .iter()
                    .position(|name| name == column)
                    .map_or(0, |index| index + 1);
                let wanted = match *column {
                    "kind" => "inference or training",
                    "time_ms" => "milliseconds with at most 6 digits after the point",
                    "power_mw" => "a whole number of milliwatts, or nothing",
                    "cpu_cores" => "a number from 1 to 255",
                    _ => "a whole number",
                };
                write!(
                    f,
                    "{path}:{line}: column {number} ({column}) holds {found:?}; expected {wanted}"
                )
            }
            Cause::Row { line, error } => write!(f, "{path}:{line}: {error}"),
            Cause::Board { line, found } => {
                write!(
                    f,
                    "{path}:{line}: board {found:?} in a profile of another; keep one board a file"
                )
            }
            Cause::Name(name) => {
                write!(
                    f,
                    "{path}: the board's name {name:?} has a comma, a quote or a line end; leave them out"
                )
            }
        }
    }
}

impl core::error::Error for StoreError {}

impl Profile {
    /// Reads the profile at `path`. All rows are good, or the first bad one is the error.
    pub fn read(path: &Path) -> Result<Profile, StoreError> {
        let at = |cause| StoreError {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(|error| at(Cause::Io(error)))?;
        parse(io::BufReader::new(file)).map_err(at)
    }

    /// Replaces the file at `path` by this profile. After an error the old file stands as it was.
    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        let at = |cause| StoreError {
            path: path.to_owned(),
            cause,
        };
        if self.board.contains([',', '"', '\n', '\r']) {
            return Err(at(Cause::Name(self.board.clone())));
        }
        file::replace([path], |_, out| self.write_to(out)).map_err(|(_, error)| at(Cause::Io(error)))
    }

    /// Writes the profile's text.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", COLUMNS.join(","))?;
        for row in &self.rows {
            let (mode, time) = (row.mode(), row.time().0);
            write!(
                out,
                "{},{},{},{}",
                self.board,
                row.workload(),
                row.kind(),
                row.minibatch()
            )?;
            write!(
                out,
                ",{},{},{},{}",
                mode.cores, mode.cpu.0, mode.gpu.0, mode.emc.0
            )?;
            write!(out, ",{}.{:06},", time / 1_000_000, time % 1_000_000)?;
            match row.power() {
                Some(power) => writeln!(out, "{}", power.0)?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }
}

fn parse(text: impl io::Read) -> Result<Profile, Cause> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(text);
    let mut record = csv::StringRecord::new();
    if !read_record(&mut reader, &mut record)? || record.iter().ne(COLUMNS) {
        return Err(Cause::Header);
    }
    let mut profile = Profile {
        board: String::new(),
        rows: Vec::new(),
    };
    // Thousands of rows share a few names.
    let mut names: Vec<Arc<str>> = Vec::new();
    while read_record(&mut reader, &mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != COLUMNS.len() {
            return Err(Cause::Fields {
                line,
                found: record.len(),
            });
        }
        let board = record.get(0).unwrap_or_default();
        if profile.rows.is_empty() {
            profile.board = board.to_owned();
        } else if profile.board != board {
            return Err(Cause::Board {
                line,
                found: board.to_owned(),
            });
        }
        profile.rows.push(row(&record, line, &mut names)?);
    }
    if profile.rows.is_empty() {
        Err(Cause::Empty)
    } else {
        Ok(profile)
    }
}

fn read_record<R: io::Read>(
    reader: &mut csv::Reader<R>,
    record: &mut csv::StringRecord,
) -> Result<bool, Cause> {
    reader
        .read_record(record)
        .map_err(|error| Cause::Io(error.into()))
}

fn row(record: &csv::StringRecord, line: u64, names: &mut Vec<Arc<str>>) -> Result<Row, Cause> {
    let field = |column: &'static str| {
        let index = COLUMNS
            .iter()
            .position(|name| *name == column)
            .unwrap_or(COLUMNS.len());
        record.get(index).unwrap_or_default()
    };
    let bad = |column| Cause::Field {
        line,
        column,
        found: field(column).to_owned(),
    };
    let whole = |column| field(column).parse::<u32>().map_err(|_| bad(column));
    let workload = match names.iter().find(|name| &***name == field("workload")) {
        Some(name) => name.clone(),
        None => {
            let name: Arc<str> = field("workload").into();
            names.push(name.clone());
            name
        }
    };
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == field("kind"))
        .ok_or_else(|| bad("kind"))?;
    let mode = PowerMode {
        cores: field("cpu_cores").parse().map_err(|_| bad("cpu_cores"))?,
        cpu: Kilohertz(whole("cpu_khz")?),
        gpu: Kilohertz(whole("gpu_khz")?),
        emc: Kilohertz(whole("emc_khz")?),
    };
    let minibatch = whole("minibatch")?;
    let time = millis(field("time_ms")).ok_or_else(|| bad("time_ms"))?;
    let power = if field("power_mw").is_empty() {
        None
    } else {
        Some(Milliwatts(whole("power_mw")?))
    };
    Row::check(RawRow {
        mode,
        workload,
        kind,
        minibatch,
        time,
        power,
    })
    .map_err(|error| Cause::Row { line, error })
}

/// Reads `18.025488` as exactly that many milliseconds. No sign, no exponent, at most 6 digits after the point.
fn millis(text: &str) -> Option<Nanos> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)
        .map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_read_exactly_or_not_at_all() {
        assert_eq!(millis("18.025488"), Some(Nanos(18_025_488)));
        assert_eq!(millis("46.03"), Some(Nanos(46_030_000)));
        assert_eq!(millis("7"), Some(Nanos(7_000_000)));
        for bad in [
            "",
            ".5",
            "-1",
            "1e3",
            "1.0000001",
            "18446744073709551615",
            "nan",
            "1.2.3",
            "+1",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bad_line_is_named_with_its_number_and_column() {
        let head = COLUMNS.join(",");
        let good = "b,net,inference,1,2,3,4,5,6.5,700";
        let cases = [
            ("b,net,inference,1,2,3,4,5,6.5".to_owned(), ":3: 9 fields"),
            (
                good.replace("inference", "guess"),
                ":3: column 3 (kind) holds \"guess\"",
            ),
            (
                good.replace("700", "7.5"),
                ":3: column 10 (power_mw) holds \"7.5\"",
            ),
            (good.replace("6.5", "x"), ":3: column 9 (time_ms) holds \"x\""),
            (good.replace("6.5", "0"), ":3: a minibatch cannot take 0.000 ms"),
            (good.replace("b,net", "c,net"), ":3: board \"c\""),
        ];
        for (line, expected) in cases {
            let cause = parse(format!("{head}\n{good}\n{line}\n").as_bytes()).unwrap_err();
            let text = StoreError {
                path: "p.csv".into(),
                cause,
            }
            .to_string();
            assert!(text.starts_with("p.csv") && text.contains(expected), "{text}");
        }
        assert!(matches!(parse("a,b\n".as_bytes()), Err(Cause::Header)));
        assert!(matches!(parse(head.as_bytes()), Err(Cause::Empty)));
    }
}
