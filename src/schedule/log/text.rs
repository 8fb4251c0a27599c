//! The file form of a log of decisions: the schedule's set-up, then one line an [`Entry`], then how many there were.

use super::Entry;
use super::error::{LogError, Wrong};
use crate::limits;
use crate::schedule::{
    Arrival, Ended, JobSpec, Overdue, Pieces, Policy, Schedule, ScheduleError, StreamSpec, name,
};
use crate::units::Nanos;
use std::io::{self, Write};
use std::str::SplitAsciiWhitespace;

/// The first line. A reader takes its own version alone: another core may decide otherwise.
pub(super) const FIRST: &str = "fulcrum-decisions 2";

/// Writes the log of a run: `schedule` as it was at its start, the entries, and how many were lost on the way.
pub fn write(out: &mut dyn Write, schedule: &Schedule, entries: &[Entry], lost: u64) -> io::Result<()> {
    writeln!(out, "{FIRST}")?;
    let number = match schedule.policy {
        Policy::InFlight(depth) => u64::from(depth),
        Policy::TimeSlice(slice) => slice.0,
        _ => 0,
    };
    writeln!(
        out,
        "policy {} {number} switch {} late {} share {} rest {} start {}",
        schedule.policy.name(),
        schedule.switch.0,
        schedule.late.0,
        schedule.least_share,
        schedule.rest.permille,
        schedule.started.0
    )?;
    for stream in schedule.streams() {
        let spec = stream.spec();
        let (kind, period, extra) = match spec.arrival {
            Arrival::Periodic { period, jitter } => ("periodic", period.0, jitter.0),
            Arrival::Sporadic { period } => ("sporadic", period.0, 0),
            Arrival::Bursty { period, burst } => ("bursty", period.0, u64::from(burst)),
        };
        let overdue = match spec.overdue {
            Overdue::Run => "run",
            Overdue::Skip => "skip",
            Overdue::Newest => "newest",
        };
        write!(
            out,
            "stream {kind} {period} {extra} deadline {} minibatch {} cost {} priority {} overdue {overdue} pieces",
            spec.deadline.0, spec.minibatch, spec.cost.0, spec.priority
        )?;
        write_pieces(out, &spec.pieces)?;
    }
    for job in schedule.jobs() {
        write!(out, "job")?;
        write_pieces(out, &job.spec().pieces)?;
    }
    for entry in entries {
        match *entry {
            Entry::Arrived { stream, release, at } => {
                writeln!(out, "arrived {stream} {} {}", release.0, at.0)?;
            }
            Entry::Skipped { stream, at } => writeln!(out, "skipped {stream} {}", at.0)?,
            Entry::Minibatch { stream, count, at } => writeln!(out, "minibatch {stream} {count} {}", at.0)?,
            Entry::GoOn { stream, piece, at } => writeln!(out, "goes-on {stream} {piece} {}", at.0)?,
            Entry::Answered { stream, start, end } => {
                writeln!(out, "answered {stream} {} {}", start.0, end.0)?
            }
            Entry::GivenUp { stream, at } => writeln!(out, "given-up {stream} {}", at.0)?,
            Entry::Piece { job, piece, at } => writeln!(out, "piece {job} {piece} {}", at.0)?,
            Entry::Idle { until, at } => writeln!(out, "idle {} {}", until.0, at.0)?,
            Entry::Ended {
                job,
                ended,
                start,
                end,
            } => {
                let ended = match ended {
                    Ended::Ran => "ran",
                    Ended::Stepped => "stepped",
                    Ended::Dry => "dry",
                    Ended::Failed => "failed",
                    Ended::Aborted => "aborted",
                };
                writeln!(out, "ended {job} {ended} {} {}", start.0, end.0)?;
            }
        }
    }
    writeln!(out, "end {} lost {lost}", entries.len())
}

fn write_pieces(out: &mut dyn Write, pieces: &Pieces) -> io::Result<()> {
    for piece in pieces {
        write!(out, " {}", piece.0)?;
    }
    writeln!(out)
}

/// Reads a log: the schedule as it was at its start, and the entries.
///
/// # Errors
/// The first line that is wrong. The line of a file that ends too early is the one after its last.
pub fn read(text: &str) -> Result<(Schedule, Vec<Entry>), LogError> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let next = lines.next();
    if next.map(|(_, line)| line) != Some(FIRST) {
        return Err(LogError {
            line: 1,
            what: Wrong::NoLog,
        });
    }
    let mut last = 1;
    let (mut schedule, mut start) = (None, Nanos::ZERO);
    let mut entries = Vec::new();
    for (line, content) in lines {
        last = line;
        let at = |what| LogError { line, what };
        let mut words = Words(content.split_ascii_whitespace());
        match &mut schedule {
            None => {
                let (set_up, at_start) = words.set_up().map_err(at)?;
                (schedule, start) = (Some(set_up), at_start);
            }
            Some(schedule) => match words.line(schedule).map_err(at)? {
                Line::SetUp => {}
                Line::Entry(entry) => entries.push(entry),
                Line::End(count, lost) => {
                    words.end().map_err(at)?;
                    if count != entries.len() as u64 {
                        return Err(at(Wrong::Count(count, entries.len())));
                    }
                    if lost > 0 {
                        return Err(at(Wrong::Lost(lost)));
                    }
                    schedule.start(start);
                    return Ok((schedule.clone(), entries));
                }
            },
        }
        words.end().map_err(at)?;
    }
    Err(LogError {
        line: last + 1,
        what: Wrong::Truncated,
    })
}

/// What a line after the first two is.
enum Line {
    SetUp,
    Entry(Entry),
    End(u64, u64),
}

/// The words of a line that are left.
struct Words<'t>(SplitAsciiWhitespace<'t>);

impl Words<'_> {
    fn number<N: std::str::FromStr>(&mut self, wanted: &'static str) -> Result<N, Wrong> {
        let word = self.0.next().unwrap_or_default();
        word.parse().map_err(|_| Wrong::Word(word.to_owned(), wanted))
    }

    fn nanos(&mut self) -> Result<Nanos, Wrong> {
        self.number("a time in nanoseconds").map(Nanos)
    }

    fn word<T: Copy>(&mut self, known: &[(&str, T)], wanted: &'static str) -> Result<T, Wrong> {
        let word = self.0.next().unwrap_or_default();
        let found = known.iter().find(|(text, _)| *text == word);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| Wrong::Word(word.to_owned(), wanted))
    }

    fn key(&mut self, key: &'static str) -> Result<(), Wrong> {
        self.word(&[(key, ())], key)
    }

    /// A number below `count`.
    fn index(&mut self, count: usize, wanted: &'static str) -> Result<u8, Wrong> {
        let index: u8 = self.number(wanted)?;
        if usize::from(index) < count {
            Ok(index)
        } else {
            Err(Wrong::Word(index.to_string(), wanted))
        }
    }

    fn end(&mut self) -> Result<(), Wrong> {
        self.0
            .next()
            .map_or(Ok(()), |word| Err(Wrong::Longer(word.to_owned())))
    }

    fn set_up(&mut self) -> Result<(Schedule, Nanos), Wrong> {
        self.key("policy")?;
        let policies = Policy::ALL.map(|policy| (policy.name(), policy));
        let policy = self.word(&policies, "a policy")?;
        let policy = match policy {
            Policy::InFlight(_) => Policy::InFlight(self.number("a depth")?),
            Policy::TimeSlice(_) => Policy::TimeSlice(self.nanos()?),
            other => {
                self.key("0")?;
                other
            }
        };
        self.key("switch")?;
        let switch = self.nanos()?;
        self.key("late")?;
        let late = self.nanos()?;
        self.key("share")?;
        let mut schedule = Schedule::new(policy, switch, late);
        schedule.set_least_share(self.number("thousandths")?);
        self.key("rest")?;
        schedule.set_rest(self.number("thousandths")?);
        self.key("start")?;
        Ok((schedule, self.nanos()?))
    }

    fn stream(&mut self) -> Result<StreamSpec, Wrong> {
        let kinds = [("periodic", 0), ("sporadic", 1), ("bursty", 2)];
        let kind = self.word(&kinds, "periodic, sporadic or bursty")?;
        let period = self.nanos()?;
        let arrival = match kind {
            0 => Arrival::Periodic {
                period,
                jitter: self.nanos()?,
            },
            1 => {
                self.key("0")?;
                Arrival::Sporadic { period }
            }
            _ => Arrival::Bursty {
                period,
                burst: self.number("a burst")?,
            },
        };
        self.key("deadline")?;
        let deadline = self.nanos()?;
        self.key("minibatch")?;
        let minibatch = self.number("a minibatch")?;
        self.key("cost")?;
        let cost = self.nanos()?;
        self.key("priority")?;
        let priority = self.number("a priority")?;
        self.key("overdue")?;
        let rules = [
            ("run", Overdue::Run),
            ("skip", Overdue::Skip),
            ("newest", Overdue::Newest),
        ];
        let overdue = self.word(&rules, "run, skip or newest")?;
        self.key("pieces")?;
        Ok(StreamSpec {
            name: name("stream"),
            arrival,
            deadline,
            minibatch,
            cost,
            pieces: self.pieces()?,
            priority,
            overdue,
        })
    }

    /// The lengths that the rest of the line names.
    fn pieces(&mut self) -> Result<Pieces, Wrong> {
        let mut pieces = Pieces::new();
        for word in self.0.by_ref() {
            let piece = word
                .parse()
                .map_err(|_| Wrong::Word(word.to_owned(), "a time in nanoseconds"))?;
            if pieces.push(Nanos(piece)).is_err() {
                return Err(Wrong::Refused(ScheduleError::Pieces(limits::PIECES + 1)));
            }
        }
        Ok(pieces)
    }

    fn job(&mut self) -> Result<JobSpec, Wrong> {
        Ok(JobSpec {
            name: name("job"),
            pieces: self.pieces()?,
            // Aborts are not decided by the schedule; the log holds those that happened.
            abort: None,
        })
    }

    fn line(&mut self, schedule: &mut Schedule) -> Result<Line, Wrong> {
        const ALL: &str = "stream, job, arrived, skipped, minibatch, goes-on, answered, given-up, piece, idle, ended or end";
        let (streams, jobs) = (schedule.streams().len(), schedule.jobs().len());
        let entry = match self.0.next().unwrap_or_default() {
            "stream" => {
                schedule.add_stream(self.stream()?).map_err(Wrong::Refused)?;
                return Ok(Line::SetUp);
            }
            "job" => {
                schedule.add_job(self.job()?).map_err(Wrong::Refused)?;
                return Ok(Line::SetUp);
            }
            "end" => {
                let count = self.number("a count")?;
                self.key("lost")?;
                return Ok(Line::End(count, self.number("a count")?));
            }
            "arrived" => Entry::Arrived {
                stream: self.index(streams, "a stream of this log")?,
                release: self.nanos()?,
                at: self.nanos()?,
            },
            "skipped" => Entry::Skipped {
                stream: self.index(streams, "a stream of this log")?,
                at: self.nanos()?,
            },
            "minibatch" => Entry::Minibatch {
                stream: self.index(streams, "a stream of this log")?,
                count: self.number("a number of requests")?,
                at: self.nanos()?,
            },
            "goes-on" => Entry::GoOn {
                stream: self.index(streams, "a stream of this log")?,
                piece: self.number("a piece")?,
                at: self.nanos()?,
            },
            "answered" => Entry::Answered {
                stream: self.index(streams, "a stream of this log")?,
                start: self.nanos()?,
                end: self.nanos()?,
            },
            "given-up" => Entry::GivenUp {
                stream: self.index(streams, "a stream of this log")?,
                at: self.nanos()?,
            },
            "piece" => Entry::Piece {
                job: self.index(jobs, "a job of this log")?,
                piece: self.number("a piece")?,
                at: self.nanos()?,
            },
            "idle" => Entry::Idle {
                until: self.nanos()?,
                at: self.nanos()?,
            },
            "ended" => {
                let job = self.index(jobs, "a job of this log")?;
                let ways = [
                    ("ran", Ended::Ran),
                    ("stepped", Ended::Stepped),
                    ("dry", Ended::Dry),
                    ("failed", Ended::Failed),
                    ("aborted", Ended::Aborted),
                ];
                Entry::Ended {
                    job,
                    ended: self.word(&ways, "ran, stepped, dry or failed")?,
                    start: self.nanos()?,
                    end: self.nanos()?,
                }
            }
            other => return Err(Wrong::Word(other.to_owned(), ALL)),
        };
        Ok(Line::Entry(entry))
    }
}
