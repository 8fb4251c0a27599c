//! The [`Journal`] remembers what a board was found in, on disk, so that it can be put back after a crash.
//!
//! One small text file, written whole beside its place, synced and renamed, before the first setting of a change is
//! written; removed after the board was put back. A lock file beside it, held by the kernel for as long as its owner lives,
//! tells a change that is going on from one whose program was killed.
//!
//! ```text
//! fulcrum-journal 1
//! boot 0f6b...                  the kernel's boot id: settings do not outlive a boot
//! board NVIDIA Jetson ...
//! state open                    or `held`: kept on purpose until somebody restores
//! cpu0-ceiling 2201600 2201600 1113600   setting, value found by the first change that is held, value this one found, value
//!                               asked for
//! crc32 1c291ca3                of all bytes before this line
//! ```

use crate::board::{Root, Setting};
use crate::file;
use core::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first line; the number changes when the form does.
const HEAD: &str = "fulcrum-journal 1";

/// Bytes of the longest journal: a line each for 255 cores and twice as many clocks is 30 KiB.
const LONGEST: u64 = 64 * 1024;

/// Where the kernel tells one boot from the next.
const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";

/// Where the journal lies below a board's root, unless another folder is named. It outlives a boot, so that the next start
/// can say what became of an unfinished change.
const FOLDER: &str = "var/lib/fulcrum";

/// Attempts at the lock, 10 ms apart: a child of this program keeps a lock that was given up from its fork to its exec.
const ATTEMPTS: u32 = 20;

/// How a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is going on; if its program no longer lives, it was cut off.
    Open,
    /// It was kept on purpose; the old values are there for whoever wants to restore.
    Held,
}

/// One setting in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub setting: Setting,
    /// The value it was found at before the first of the changes that are held.
    pub found: u32,
    /// The value that this change found: another than `found` where a change before it is held.
    pub before: u32,
    /// The value that was asked for.
    pub asked: u32,
}

impl Entry {
    /// Of an earlier change that is held, after one above it was undone.
    pub(super) fn held(&self) -> Entry {
        Entry {
            before: self.found,
            asked: self.before,
            ..*self
        }
    }
}

/// What the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The boot in which it was written.
    pub boot: String,
    /// The board's name.
    pub board: String,
    /// How the change stands.
    pub state: State,
    /// The settings, in the order in which they were found.
    pub entries: Vec<Entry>,
}

/// Why the journal could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// Another program is changing the mode of this board.
    Busy(PathBuf),
    /// The operating system refused.
    Io(PathBuf, io::Error),
    /// The file is not a journal of this form, or is damaged, from this line on.
    Damaged(PathBuf, usize),
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Busy(path) => write!(
                f,
                "another program is changing this board's power mode (it holds {}); let it end first",
                path.display()
            ),
            JournalError::Io(path, error) => write!(
                f,
                "the journal {} could not be used: {error}; name a folder that can be written",
                path.display()
            ),
            JournalError::Damaged(path, line) => write!(
                f,
                "the journal {} is damaged from line {line} on, so what the board was found in is not known; set the wanted \
                 mode by hand (a preset, or a reboot), then remove the file",
                path.display()
            ),
        }
    }
}

impl std::error::Error for JournalError {}

/// The journal of one board, locked for this program until it is dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    boot: String,
    /// Locked; the kernel unlocks it when this program ends, however it ends.
    _lock: File,
}

impl Journal {
    /// The folder of the journal of the board below `root`.
    pub fn folder(root: &Root) -> PathBuf {
        root.join(FOLDER)
    }

    /// The id of the present boot of the board below `root`. A machine without one is taken to be in the same boot as ever:
    /// settings are then put back once too often.
    pub fn boot_of(root: &Root) -> String {
        root.text(BOOT_ID).unwrap_or_default()
    }

    /// Reads the journal in `folder` without locking it; `None` if there is none. What a running change writes may be seen.
    pub fn peek(folder: &Path) -> Result<Option<Record>, JournalError> {
        read(&folder.join("journal"))
    }

    /// Locks the journal in `folder`, which is made if it is missing, for the board below `root`.
    pub fn lock(root: &Root, folder: &Path) -> Result<Journal, JournalError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| JournalError::Io(path, error)
        };
        let path = folder.join("lock");
        // On a disk that has become read-only the board can still be put back: the lock needs no write.
        let made = fs::create_dir_all(folder).and_then(|()| {
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
        });
        let lock = made
            .or_else(|error| File::open(&path).map_err(|_| error))
            .map_err(io(&path))?;
        let mut attempts = 0;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempts < ATTEMPTS => attempts += 1,
                Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(path)),
                Err(TryLockError::Error(error)) => return Err(JournalError::Io(path, error)),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // What a program that was killed while it wrote has left; the rename did not happen, so nothing was changed yet.
        for entry in fs::read_dir(folder).map_err(io(folder))?.filter_map(Result::ok) {
            let name = entry.file_name();
            if name
                .to_str()
                .is_some_and(|it| it.starts_with("journal.") && it.ends_with(".tmp"))
            {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Journal {
            path: folder.join("journal"),
            boot: Journal::boot_of(root),
            _lock: lock,
        })
    }

    /// The present boot's id.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// What the journal says; `None` if there is none.
    pub fn read(&self) -> Result<Option<Record>, JournalError> {
        read(&self.path)
    }

    /// Replaces the journal, synced: after a crash there is this record or the one before it.
    pub fn write(&self, board: &str, state: State, entries: &[Entry]) -> Result<(), JournalError> {
        let text = encode(&Record {
            boot: self.boot.clone(),
            board: board.to_owned(),
            state,
            entries: entries.to_vec(),
        });
        file::replace([self.path.as_path()], |_, out| out.write_all(text.as_bytes()))
            .map_err(|(path, error)| JournalError::Io(path, error))
    }

    /// Removes the journal: the board is as it was found.
    pub fn remove(&self) -> Result<(), JournalError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::Io(self.path.clone(), error))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<Record>, JournalError> {
    let bytes = match fs::metadata(path).and_then(|it| {
        if it.len() > LONGEST {
            return Ok(Vec::new());
        }
        fs::read(path)
    }) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::Io(path.to_owned(), error)),
    };
    decode(&bytes)
        .map(Some)
        .map_err(|line| JournalError::Damaged(path.to_owned(), line))
}

fn encode(record: &Record) -> String {
    let state = match record.state {
        State::Open => "open",
        State::Held => "held",
    };
    let board = one_line(&record.board);
    let mut text = format!("{HEAD}\nboot {}\nboard {board}\nstate {state}\n", record.boot);
    for Entry {
        setting,
        found,
        before,
        asked,
    } in &record.entries
    {
        text.push_str(&format!("{setting} {found} {before} {asked}\n"));
    }
    let crc = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("crc32 {crc:08x}\n"));
    text
}

/// A board's name as the journal keeps it: one of several lines would break the form.
pub(super) fn one_line(name: &str) -> String {
    name.chars().filter(|it| !it.is_control()).collect()
}

/// The record in `bytes`, or the number of the first line that is not as it should be.
pub fn decode(bytes: &[u8]) -> Result<Record, usize> {
    let text = std::str::from_utf8(bytes).map_err(|_| 1_usize)?;
    let count = text.lines().count().max(1);
    // The checksum first: a journal that is whole is right in every line.
    let body_end = text
        .strip_suffix('\n')
        .and_then(|it| it.rfind('\n'))
        .ok_or(count)?
        + 1;
    let (body, last) = text.split_at_checked(body_end).ok_or(count)?;
    let told = last.trim_end().strip_prefix("crc32 ").ok_or(count)?;
    if told != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
        return Err(count);
    }
    let mut lines = body.lines().zip(1_usize..);
    let mut field = |name: &str| match lines.next() {
        Some((line, number)) => line.strip_prefix(name).ok_or(number).map(str::to_owned),
        None => Err(count),
    };
    if !field(HEAD)?.is_empty() {
        return Err(1);
    }
    let (boot, board) = (field("boot ")?, field("board ")?);
    let state = match field("state ")?.as_str() {
        "open" => State::Open,
        "held" => State::Held,
        _ => return Err(4),
    };
    let mut entries = Vec::new();
    for (line, number) in lines {
        let entry = || {
            let mut words = line.split(' ');
            let entry = Entry {
                setting: words.next()?.parse().ok()?,
                found: words.next()?.parse().ok()?,
                before: words.next()?.parse().ok()?,
                asked: words.next()?.parse().ok()?,
            };
            words.next().is_none().then_some(entry)
        };
        entries.push(entry().ok_or(number)?);
    }
    Ok(Record {
        boot,
        board,
        state,
        entries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> Record {
        let entry = |setting, found, asked| Entry {
            setting,
            found,
            before: found,
            asked,
        };
        Record {
            boot: "0f6b2e".into(),
            board: "Jetson".into(),
            state: State::Open,
            entries: vec![
                entry(Setting::Online(3), 1, 0),
                entry(Setting::CpuCeiling(0), 2_201_600, 1_113_600),
            ],
        }
    }

    #[test]
    fn a_record_reads_back_and_one_with_any_byte_changed_or_cut_does_not() {
        let text = encode(&record());
        assert_eq!(decode(text.as_bytes()), Ok(record()));
        for cut in 0..text.len() {
            assert!(decode(&text.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 0x11;
            assert!(decode(&bytes).is_err(), "changed at {place}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_second_program_is_turned_away_until_the_first_has_ended() {
        let folder = std::env::temp_dir().join(format!("fulcrum-journal-{}", std::process::id()));
        let root = Root::new(&folder);
        let first = Journal::lock(&root, &folder).unwrap();
        assert_eq!(first.read().unwrap(), None);
        assert!(matches!(
            Journal::lock(&root, &folder),
            Err(JournalError::Busy(_))
        ));
        first.write("Jetson", State::Held, &record().entries).unwrap();
        drop(first);
        let second = Journal::lock(&root, &folder).unwrap();
        let found = second.read().unwrap().unwrap();
        assert_eq!((found.state, found.entries), (State::Held, record().entries));
        second.remove().unwrap();
        second.remove().unwrap();
        assert_eq!(Journal::peek(&folder).unwrap(), None);
        fs::write(folder.join("journal"), "fulcrum-journal 1\n").unwrap();
        assert!(matches!(second.read(), Err(JournalError::Damaged(_, 1))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
