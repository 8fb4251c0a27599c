//! A [`Witness`] stands before a board and notes each write to it; in a rehearsal none of them reaches the board.

use crate::subject;
use crate::table::{Side, Table};
use fulcrum::board::{Board, BoardError, Facts, Knob, Machine, Setting};
use fulcrum::power::journal::Record;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::OpenOptions;

/// Stands for the value of a clock whose cluster is offline: nobody knows yet what it shows once a core is on.
const NOT_YET: u32 = u32::MAX;

/// A board, and what was written to it.
#[derive(Debug)]
pub(super) struct Witness<'m> {
    machine: &'m mut Machine,
    rehearses: bool,
    /// What a rehearsal has made of settings.
    shown: BTreeMap<Setting, u32>,
    /// What the clocks of clusters that are offline were set to last, as far as the journal knows.
    last: BTreeMap<Setting, u32>,
    writes: Vec<(Setting, Option<u32>, u32)>,
}

/// One write, in kHz, or 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Write {
    pub(super) setting: String,
    pub(super) path: String,
    /// `None` while the setting is absent.
    pub(super) from: Option<u32>,
    pub(super) to: u32,
}

impl<'m> Witness<'m> {
    /// Notes and passes on.
    pub(super) fn new(machine: &'m mut Machine) -> Witness<'m> {
        Witness {
            machine,
            rehearses: false,
            shown: BTreeMap::new(),
            last: BTreeMap::new(),
            writes: Vec::new(),
        }
    }

    /// Notes, and shows what was written as if the board had taken it. `record` is what the journal knows.
    pub(super) fn rehearsal(machine: &'m mut Machine, record: Option<&Record>) -> Witness<'m> {
        let entries = record.map_or(&[][..], |record| &record.entries);
        Witness {
            rehearses: true,
            last: entries.iter().map(|entry| (entry.setting, entry.asked)).collect(),
            ..Witness::new(machine)
        }
    }

    /// The writes so far, in order.
    pub(super) fn writes(&self) -> Vec<Write> {
        let write = |(setting, from, to): &(Setting, Option<u32>, u32)| Write {
            setting: setting.to_string(),
            path: self
                .machine
                .path(*setting)
                .map_or_else(String::new, |path| subject::file(self.machine, &path)),
            from: *from,
            to: *to,
        };
        self.writes.iter().map(write).collect()
    }

    /// The first file of the writes so far that may not be written, and why. Writes nothing.
    pub(super) fn refused(&self) -> Option<String> {
        let mut files: Vec<Setting> = self.writes.iter().map(|(setting, ..)| *setting).collect();
        files.sort_unstable();
        files.dedup();
        files.into_iter().find_map(|setting| {
            let path = self.machine.root().join(&self.machine.path(setting)?);
            let error = OpenOptions::new().write(true).open(&path).err()?;
            // The clocks of a cluster that is offline come with its cores.
            (error.kind() != std::io::ErrorKind::NotFound).then(|| {
                format!(
                    "{} may not be written: {error}; run this as root (sudo), on a /sys that is not read-only; nothing \
                     was written",
                    path.display()
                )
            })
        })
    }

    /// The value that is known; of a rehearsal, what was written.
    fn present(&self, setting: Setting) -> Result<Option<u32>, BoardError> {
        if let Some(value) = self.shown.get(&setting) {
            return Ok(Some(*value));
        }
        match self.machine.get(setting)? {
            None if self.comes_on(setting) => Ok(self.last.get(&setting).copied()),
            value => Ok(value),
        }
    }

    /// Whether a rehearsal has switched on a core that may bring this clock with it.
    fn comes_on(&self, setting: Setting) -> bool {
        let (Setting::CpuFloor(first) | Setting::CpuCeiling(first)) = setting else {
            return false;
        };
        let mut cores = vec![first];
        let known = self
            .machine
            .facts()
            .clusters()
            .iter()
            .find(|it| it.first() == first);
        cores.extend(known.iter().flat_map(|it| it.cores.iter().copied()));
        cores
            .iter()
            .any(|core| self.shown.get(&Setting::Online(*core)) == Some(&1))
    }
}

impl Board for Witness<'_> {
    fn facts(&self) -> &Facts {
        self.machine.facts()
    }

    fn settings(&self) -> &[Setting] {
        self.machine.settings()
    }

    fn get(&self, setting: Setting) -> Result<Option<u32>, BoardError> {
        match self.present(setting)? {
            None if self.comes_on(setting) => Ok(Some(match setting {
                Setting::CpuFloor(_) => 0,
                _ => NOT_YET,
            })),
            value => Ok(value),
        }
    }

    fn set(&mut self, setting: Setting, value: u32) -> Result<(), BoardError> {
        let from = self.present(setting).ok().flatten();
        if self.rehearses {
            self.shown.insert(setting, value);
        } else {
            self.machine.set(setting, value)?;
        }
        self.writes.push((setting, from, value));
        Ok(())
    }

    fn nearest(&self, setting: Setting, value: u32) -> u32 {
        let nearest = self.machine.nearest(setting, value);
        match setting {
            // The table of a cluster that is offline shows once a core is on; until then the others' stands for it.
            Setting::CpuFloor(_) | Setting::CpuCeiling(_) if self.rehearses => {
                self.facts().nearest(Knob::Cpu, nearest)
            }
            _ => nearest,
        }
    }

    fn is_limited(&self) -> bool {
        self.machine.is_limited()
    }
}

/// The writes for a person, one a line. Clocks are kHz, whatever the file counts in.
pub(super) fn text(writes: &[Write]) -> String {
    use Side::{Left, Right};
    let mut table = Table::new([Left, Left, Right, Left, Right, Left]);
    for write in writes {
        let from = write.from.map_or("?".to_owned(), |from| from.to_string());
        let to = write.to.to_string();
        table.row(["", &write.setting, &from, "->", &to, &write.path]);
    }
    if writes.iter().any(|write| write.from.is_none()) {
        return format!(
            "{table}? shows once a core of its cluster is on; it is written if it differs then\n"
        );
    }
    table.to_string()
}
