//! Our journal: whether it can be written, and whether it tells of a change that was not put back.

use super::finding::{Findings, Level};
use super::long_text;
use fulcrum::board::{Board, Machine, Root};
use fulcrum::power::journal::{Journal, JournalError, Record, State};
use rustix::fs::{Access, access};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const LOCKS: &str = "proc/locks";

pub(super) fn look(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    folder(root, machine, findings);
    record(root, machine, findings);
}

fn folder(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    const NAME: &str = "journal-folder";
    let folder = Journal::folder(root);
    let Some((place, error)) = refused(&folder) else {
        return findings.ok(NAME, format!("{} can be written", folder.display()));
    };
    // Without a knob there is nothing to remember.
    let level = match machine {
        Some(machine) if !machine.settings().is_empty() => Level::Problem,
        _ => Level::Note,
    };
    findings.found(
        level,
        NAME,
        format!(
            "{} cannot be written ({}: {error}), and no power mode is changed without a journal",
            folder.display(),
            place.display()
        ),
        format!(
            "run fulcrum as root, or give it the folder: `sudo install -d -o $USER {}`",
            folder.display()
        ),
    );
}

/// The file or folder that keeps the journal from being written, and why.
fn refused(folder: &Path) -> Option<(PathBuf, std::io::Error)> {
    // What is missing will be made, so the nearest that is there decides.
    let nearest = folder.ancestors().find(|it| it.exists())?;
    if !nearest.is_dir() {
        return Some((
            nearest.to_owned(),
            std::io::Error::from_raw_os_error(libc::ENOTDIR),
        ));
    }
    let lock = folder.join("lock");
    let lock = lock.exists().then_some((lock, Access::WRITE_OK));
    let all = [(nearest.to_owned(), Access::WRITE_OK | Access::EXEC_OK)]
        .into_iter()
        .chain(lock);
    all.into_iter()
        .find_map(|(path, right)| access(&path, right).err().map(|error| (path, error.into())))
}

fn record(root: &Root, machine: Option<&Machine>, findings: &mut Findings) {
    const NAME: &str = "journal";
    let folder = Journal::folder(root);
    let path = folder.join("journal");
    let path = path.display();
    let record = match Journal::peek(&folder) {
        Ok(None) => return findings.ok(NAME, format!("no {path}: no change of the power mode is open")),
        Ok(Some(record)) => record,
        Err(JournalError::Damaged(_, line)) => {
            return findings.found(
                Level::Problem,
                NAME,
                format!("{path} is damaged from line {line} on: what the board was found in is not known"),
                "set the wanted mode by hand (a preset, or a reboot), then remove the file",
            );
        }
        Err(error) => {
            return findings.found(
                Level::Note,
                NAME,
                format!("not judged: {error}"),
                "run `sudo fulcrum doctor`",
            );
        }
    };
    let here = machine.map(|it| it.facts().name());
    let boot = root.text("proc/sys/kernel/random/boot_id").unwrap_or_default();
    let (level, so, fix) = judge(&record, here, &boot, owner(root, &folder));
    findings.found(level, NAME, format!("{path} {so}"), fix);
}

/// Who holds the journal's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Process(u32),
    Nobody,
    Unknown,
}

fn judge(record: &Record, here: Option<&str>, boot: &str, owner: Owner) -> (Level, String, &'static str) {
    const RESTORE: &str = "`sudo fulcrum mode restore`";
    let settings = record.entries.len();
    if record.boot != boot {
        let so = "is of an earlier boot: the machine came up with its own settings".to_owned();
        return (
            Level::Note,
            so,
            "nothing; the next change, or `fulcrum mode restore`, removes it",
        );
    }
    if here.is_some_and(|here| here != record.board) {
        let so = format!("was written for another board, {:?}", record.board);
        return (Level::Problem, so, "restore it on that board, or remove the file");
    }
    match (record.state, owner) {
        (State::Held, _) => (
            Level::Note,
            format!("holds a power mode on purpose: {settings} settings can be put back"),
            RESTORE,
        ),
        (State::Open, Owner::Process(id)) => (
            Level::Note,
            format!("is that of a change going on in process {id}: {settings} settings"),
            "let that program end; it puts the board back",
        ),
        (State::Open, Owner::Nobody) => (
            Level::Problem,
            format!(
                "tells of a change of the power mode that was cut off: {settings} settings may be a mixture"
            ),
            RESTORE,
        ),
        (State::Open, Owner::Unknown) => (
            Level::Warning,
            format!("tells of a change of the power mode, going on or cut off: {settings} settings"),
            "if no fulcrum runs: `sudo fulcrum mode restore`",
        ),
    }
}

/// Who holds the lock, from the kernel's list: taking it, even for a moment, could turn a starting program away.
fn owner(root: &Root, folder: &Path) -> Owner {
    let Ok(lock) = std::fs::metadata(folder.join("lock")) else {
        return Owner::Nobody;
    };
    match long_text(root, LOCKS) {
        Ok(text) => holder(&text, lock.ino()).map_or(Owner::Nobody, Owner::Process),
        Err(_) => Owner::Unknown,
    }
}

/// The process that holds a lock on the file with this inode, from `/proc/locks`. The device is not compared: on
/// layered file systems the list names another than the file does.
fn holder(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        // One that waits has an arrow here.
        if words.next()? != "FLOCK" {
            return None;
        }
        let mut words = words.skip(2);
        let process = words.next()?.parse().ok()?;
        let found: u64 = words.next()?.rsplit(':').next()?.parse().ok()?;
        (found == inode).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_holder_of_a_lock_is_told_from_one_that_waits() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:42 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 9 fe:00:42 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 22435 fe:00:42 0 EOF\n";
        assert_eq!(holder(locks, 42), Some(22_435));
        assert_eq!(holder(locks, 43), None);
        assert_eq!(holder("3: FLOCK", 42), None);
    }

    #[test]
    fn only_a_change_that_was_cut_off_here_and_now_is_a_mixture() {
        let mut record = Record {
            boot: "b".into(),
            board: "Jetson".into(),
            state: State::Open,
            entries: Vec::new(),
        };
        let level = |record: &Record, here, boot, owner| judge(record, Some(here), boot, owner).0;
        assert_eq!(level(&record, "Jetson", "b", Owner::Nobody), Level::Problem);
        assert_eq!(level(&record, "Jetson", "b", Owner::Unknown), Level::Warning);
        assert_eq!(level(&record, "Jetson", "b", Owner::Process(1)), Level::Note);
        assert_eq!(level(&record, "Nano", "b", Owner::Process(1)), Level::Problem);
        assert_eq!(level(&record, "Nano", "c", Owner::Nobody), Level::Note);
        record.state = State::Held;
        assert_eq!(level(&record, "Jetson", "b", Owner::Nobody), Level::Note);
    }

    proptest! {
        #[test]
        fn no_list_of_locks_makes_the_parser_panic(text in "([0-9]: (FLOCK|POSIX))?[\\PC\n:]{0,80}") {
            let _ = holder(&text, 1);
        }
    }
}
