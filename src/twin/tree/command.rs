//! A command to a tree, as text: what `/.twin/control` takes, one a line.

use super::{Adversary, AdversaryError, Tree, TreeError};
use crate::twin::faults::{Effect, Fault, Place, Touch};
use crate::units::Nanos;
use core::fmt;
use core::str::FromStr;
use rustix::io::Errno;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CommandError {
    /// No command begins with this word.
    Unknown(String),
    /// This word has no place in the command, or what it says is no value for it.
    Word(String),
    /// Something is missing; says what.
    Missing(&'static str),
    /// The path leads nowhere.
    Path(String, Errno),
    /// The other program did nothing.
    Adversary(AdversaryError),
    /// The board did not start.
    Boot(TreeError),
}

/// The commands, as they are explained.
pub(super) const HELP: &str = "load cpu=0..1 gpu=0..1 | heat on|off | latencies on|off | over-current INPUT TIMES | \
    adversary nvpmodel ID | adversary jetson_clocks on|restore|restore-locked | adversary fan DUTY | \
    fault read|write|disk|change [at=PATH|ends=TEXT] [nth=N] [always] \
    errno=NAME|short=BYTES|ignore|value=TEXT|vanish|block_ms=N|kill=before|kill=after | \
    hide PATH [ms=N] | clear | clear-log | reboot | power-cut";

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Unknown(word) => write!(f, "{word:?} is no command; there are: {HELP}"),
            CommandError::Word(word) => {
                write!(f, "{word:?} is not understood here; the commands are: {HELP}")
            }
            CommandError::Missing(what) => write!(f, "{what} is missing; the commands are: {HELP}"),
            CommandError::Path(path, errno) => write!(f, "{path}: {errno}"),
            CommandError::Adversary(error) => error.fmt(f),
            CommandError::Boot(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CommandError {}

impl Tree {
    /// Carries out a command: one line of what `/.twin/control` takes.
    pub fn command(&self, line: &str) -> Result<(), CommandError> {
        let mut words = line.split_whitespace();
        match words.next() {
            None => Ok(()),
            Some("load") => self.load_command(words),
            Some("heat") => self.act(Adversary::Cooling(switch(words.next())?)),
            Some("latencies") => {
                self.latencies(switch(words.next())?);
                Ok(())
            }
            Some("over-current") => {
                let input: usize = value(words.next(), "the input, 1 to 3,")?;
                let times = value(words.next(), "how many times")?;
                self.over_current(input, times)
                    .map_err(|_| CommandError::Word(input.to_string()))
            }
            Some("adversary") => self.adversary_command(words),
            Some("fault") => self.fault_command(words),
            Some("hide") => {
                let path = words.next().ok_or(CommandError::Missing("the path"))?;
                let time = match words.next() {
                    None => None,
                    Some(word) => Some(Nanos::from_millis(value(word.strip_prefix("ms="), "ms=N")?)),
                };
                let hidden = self.faults().hide(path, time);
                hidden.map_err(|errno| CommandError::Path(path.to_owned(), errno))
            }
            Some("clear") => {
                self.faults().clear();
                Ok(())
            }
            Some("clear-log") => {
                self.clear_log();
                Ok(())
            }
            Some("reboot") => self.reboot().map_err(CommandError::Boot),
            Some("power-cut") => self.power_cut().map_err(CommandError::Boot),
            Some(word) => Err(CommandError::Unknown(word.to_owned())),
        }
    }

    fn act(&self, adversary: Adversary) -> Result<(), CommandError> {
        self.adversary(adversary).map_err(CommandError::Adversary)
    }

    fn load_command<'w>(&self, words: impl Iterator<Item = &'w str>) -> Result<(), CommandError> {
        let (mut cpu, mut gpu) = self.with(|kernel| kernel.load);
        for word in words {
            let (place, text) = match word.split_once('=') {
                Some(("cpu", text)) => (&mut cpu, text),
                Some(("gpu", text)) => (&mut gpu, text),
                _ => return Err(CommandError::Word(word.to_owned())),
            };
            let load: f64 = text.parse().map_err(|_| CommandError::Word(word.to_owned()))?;
            if !(0.0..=1.0).contains(&load) {
                return Err(CommandError::Word(word.to_owned()));
            }
            *place = load;
        }
        self.set_load(cpu, gpu);
        Ok(())
    }

    fn adversary_command<'w>(&self, mut words: impl Iterator<Item = &'w str>) -> Result<(), CommandError> {
        let adversary = match (words.next(), words.next()) {
            (Some("nvpmodel"), id) => Adversary::Nvpmodel(value(id, "the mode's id")?),
            (Some("jetson_clocks"), None | Some("on")) => Adversary::JetsonClocks,
            (Some("jetson_clocks"), Some("restore")) => Adversary::JetsonClocksRestore { leaves_lock: false },
            (Some("jetson_clocks"), Some("restore-locked")) => {
                Adversary::JetsonClocksRestore { leaves_lock: true }
            }
            (Some("fan"), duty) => Adversary::Fan(value(duty, "the duty, 0 to 255,")?),
            (Some(word), _) => return Err(CommandError::Word(word.to_owned())),
            (None, _) => return Err(CommandError::Missing("the other program")),
        };
        self.act(adversary)
    }

    fn fault_command<'w>(&self, mut words: impl Iterator<Item = &'w str>) -> Result<(), CommandError> {
        let touch = match words.next() {
            Some("read") => Touch::Read,
            Some("write") => Touch::Write,
            Some("disk") => Touch::Disk,
            Some("change") => Touch::Change,
            Some(word) => return Err(CommandError::Word(word.to_owned())),
            None => return Err(CommandError::Missing("read, write, disk or change")),
        };
        let (mut place, mut nth, mut always, mut effect) = (Place::Anywhere, 1, false, None);
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("at", path) => place = Place::Path(path.to_owned()),
                ("ends", text) => place = Place::Suffix(text.to_owned()),
                ("nth", text) => nth = value(Some(text), "nth=N")?,
                ("always", "") => always = true,
                ("errno", name) => effect = Some(Effect::Errno(errno(name)?)),
                ("short", text) => effect = Some(Effect::Short(value(Some(text), "short=BYTES")?)),
                ("ignore", "") => effect = Some(Effect::Ignore),
                ("value", text) => effect = Some(Effect::Value(text.to_owned())),
                ("vanish", "") => effect = Some(Effect::Vanish),
                ("block_ms", text) => {
                    effect = Some(Effect::Block(Nanos::from_millis(value(
                        Some(text),
                        "block_ms=N",
                    )?)));
                }
                ("kill", "before") => effect = Some(Effect::KillBefore),
                ("kill", "after") => effect = Some(Effect::KillAfter),
                _ => return Err(CommandError::Word(word.to_owned())),
            }
        }
        let effect = effect.ok_or(CommandError::Missing("what goes wrong"))?;
        let fault = Fault::new(touch, effect).at(place).nth(nth);
        self.faults().add(if always { fault.for_good() } else { fault });
        Ok(())
    }
}

fn switch(word: Option<&str>) -> Result<bool, CommandError> {
    match word {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(word) => Err(CommandError::Word(word.to_owned())),
        None => Err(CommandError::Missing("on or off")),
    }
}

fn value<T: FromStr>(word: Option<&str>, what: &'static str) -> Result<T, CommandError> {
    let word = word.ok_or(CommandError::Missing(what))?;
    word.parse().map_err(|_| CommandError::Word(word.to_owned()))
}

/// An error number by its name or its number.
fn errno(name: &str) -> Result<Errno, CommandError> {
    const KNOWN: [(&str, Errno); 16] = [
        ("EPERM", Errno::PERM),
        ("ENOENT", Errno::NOENT),
        ("EINTR", Errno::INTR),
        ("EIO", Errno::IO),
        ("EAGAIN", Errno::AGAIN),
        ("ENOMEM", Errno::NOMEM),
        ("EACCES", Errno::ACCESS),
        ("EBUSY", Errno::BUSY),
        ("ENODEV", Errno::NODEV),
        ("EINVAL", Errno::INVAL),
        ("ENOSPC", Errno::NOSPC),
        ("EROFS", Errno::ROFS),
        ("ERANGE", Errno::RANGE),
        ("ENODATA", Errno::NODATA),
        ("ETIMEDOUT", Errno::TIMEDOUT),
        ("EREMOTEIO", Errno::REMOTEIO),
    ];
    let by_name = KNOWN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, errno)| *errno);
    let by_number = || {
        name.parse()
            .ok()
            .filter(|number| (1..=133).contains(number))
            .map(Errno::from_raw_os_error)
    };
    by_name
        .or_else(by_number)
        .ok_or_else(|| CommandError::Word(name.to_owned()))
}
