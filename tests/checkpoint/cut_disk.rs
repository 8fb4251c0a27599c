//! [`CutDisk`]: a simulated disk in memory that loses power, fills up, turns read-only and fails.
//!
//! The model of what survives a power cut is harsher than any one file system:
//! * Bytes that were synced survive. Of every write since then, any subset survives, in any order, each whole
//!   or torn at any byte; bytes between that never came are zero or garbage.
//! * Names that were synced with their folder survive. Of every creation, rename and removal since then any
//!   subset survives; a rename survives whole or not at all.
//! * A file and its name are independent: a rename may survive without the bytes of the file it renamed.
//! * A sync that is cut off is a sync that never was. A sync that failed has lost what it was to bring to the
//!   medium, though it can still be read until the power cut; the next sync does not notice.

#![allow(clippy::disallowed_types, reason = "the test looks at the disk from outside")]

use fulcrum::workload::checkpoint::Disk;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// xorshift64*.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((high * count as u64) >> 32) as usize
    }
}

/// What the disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Power is cut in the middle of this operation.
    Cut,
    /// Writing fails with this errno, a part of the bytes being written, until the disk is mended.
    Errno(i32),
    /// A sync of a file or of the folder fails once with EIO, and loses what it was to bring to the medium.
    LostSync,
}

/// Syncs that do nothing and say that all is well: no disk to keep anything on, and one the checks must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lies {
    pub(crate) files: bool,
    pub(crate) folder: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Empty,
    Write(usize, Vec<u8>),
}

/// A file, whatever its name.
#[derive(Clone, Debug, Default)]
struct Inode {
    synced: Vec<u8>,
    seen: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Rename {
    Make(String, usize),
    Move(String, String, usize),
    Remove(String),
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Rename::Make(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Rename::Move(from, to, inode) => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            Rename::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

#[derive(Debug)]
struct Medium {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    pending: Vec<Rename>,
    open: Option<usize>,
    /// Operations so far that change something.
    operations: u64,
    fault: Option<(u64, Fault)>,
    off: bool,
    lies: Lies,
    random: Random,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct CutDisk(Arc<Mutex<Medium>>);

impl CutDisk {
    pub(crate) fn new(seed: u64, lies: Lies) -> CutDisk {
        CutDisk(Arc::new(Mutex::new(Medium {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            pending: Vec::new(),
            open: None,
            operations: 0,
            fault: None,
            off: false,
            lies,
            random: Random(seed),
        })))
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap()
    }

    /// Has `fault` happen at the operation after `skip` more.
    pub(crate) fn break_after(&self, skip: u64, fault: Fault) {
        let mut medium = self.medium();
        medium.fault = Some((medium.operations + skip, fault));
    }

    /// Everything works again.
    pub(crate) fn mend(&self) {
        self.medium().fault = None;
    }

    /// Whether power is off.
    pub(crate) fn is_off(&self) -> bool {
        self.medium().off
    }

    pub(crate) fn operations(&self) -> u64 {
        self.medium().operations
    }

    /// Takes power away, if it is not yet, decides what has survived, and gives it back.
    pub(crate) fn cut_power(&self) {
        self.medium().cut();
    }
}

impl Medium {
    fn cut(&mut self) {
        // Nothing, half or all of what was not synced: the extremes are as likely as the mixes.
        let odds = self.random.below(3);
        for inode in &mut self.inodes {
            let mut pending = std::mem::take(&mut inode.pending);
            while !pending.is_empty() {
                let change = pending.swap_remove(self.random.below(pending.len()));
                if self.random.below(2) < odds {
                    survive(&mut inode.synced, change, &mut self.random, odds == 2);
                }
            }
            inode.seen = inode.synced.clone();
        }
        for rename in std::mem::take(&mut self.pending) {
            if self.random.below(2) < odds {
                rename.apply(&mut self.synced_names);
            }
        }
        self.names = self.synced_names.clone();
        (self.open, self.fault, self.off) = (None, None, false);
    }

    /// Counts an operation; says the fault that it meets.
    fn meets(&mut self) -> io::Result<Option<Fault>> {
        if self.off {
            return Err(io::Error::other("power is off"));
        }
        let at = self.operations;
        self.operations += 1;
        match self.fault {
            Some((from, Fault::Errno(errno))) if at >= from => Ok(Some(Fault::Errno(errno))),
            Some((from, fault)) if at == from => Ok(Some(fault)),
            _ => Ok(None),
        }
    }

    /// Changes names, unless a fault says otherwise.
    fn rename(&mut self, rename: Rename) -> io::Result<()> {
        match self.meets()? {
            Some(Fault::Errno(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::Cut) => {
                self.off = true;
                // It may have been on its way.
                if self.random.below(2) == 0 {
                    self.pending.push(rename);
                }
                return Err(io::Error::other("power is off"));
            }
            _ => {}
        }
        rename.apply(&mut self.names);
        self.pending.push(rename);
        Ok(())
    }

    fn opened(&mut self) -> io::Result<&mut Inode> {
        let open = self.open.ok_or_else(|| io::Error::other("no file is open"))?;
        Ok(&mut self.inodes[open])
    }
}

/// Applies a change that was never synced to what was, whole or torn.
fn survive(bytes: &mut Vec<u8>, change: Change, random: &mut Random, whole: bool) {
    let (at, written) = match change {
        Change::Empty => return bytes.clear(),
        Change::Write(at, written) => (at, written),
    };
    let torn = !whole && random.below(2) == 0;
    let (from, to) = if torn {
        let from = random.below(written.len() + 1);
        (from, from + random.below(written.len() + 1 - from))
    } else {
        (0, written.len())
    };
    let filling = if random.below(2) == 0 { 0 } else { 0xa5 };
    if bytes.len() < at + to {
        bytes.resize(at + to, filling);
    }
    bytes[at + from..at + to].copy_from_slice(&written[from..to]);
}

impl Disk for CutDisk {
    fn create(&mut self, name: &str) -> io::Result<()> {
        let medium = &mut *self.medium();
        medium.open = None;
        let inode = match medium.names.get(name) {
            Some(inode) => {
                let inode = *inode;
                match medium.meets()? {
                    Some(Fault::Errno(errno)) => return Err(io::Error::from_raw_os_error(errno)),
                    Some(Fault::Cut) => medium.off = true,
                    _ => {}
                }
                medium.inodes[inode].seen.clear();
                medium.inodes[inode].pending.push(Change::Empty);
                inode
            }
            None => {
                let inode = medium.inodes.len();
                medium.inodes.push(Inode::default());
                medium.rename(Rename::Make(name.to_string(), inode))?;
                inode
            }
        };
        medium.open = Some(inode);
        if medium.off {
            return Err(io::Error::other("power is off"));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let medium = &mut *self.medium();
        let met = medium.meets()?;
        let (count, outcome) = match met {
            Some(Fault::Cut) => {
                medium.off = true;
                (
                    medium.random.below(bytes.len() + 1),
                    Err(io::Error::other("power is off")),
                )
            }
            Some(Fault::Errno(errno)) => (
                medium.random.below(bytes.len() + 1),
                Err(io::Error::from_raw_os_error(errno)),
            ),
            _ => (bytes.len(), Ok(())),
        };
        let inode = medium.opened()?;
        let at = inode.seen.len();
        inode.seen.extend(&bytes[..count]);
        inode.pending.push(Change::Write(at, bytes[..count].to_vec()));
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let medium = &mut *self.medium();
        let (met, lies) = (medium.meets()?, medium.lies.files);
        medium.off |= met == Some(Fault::Cut);
        let inode = medium.opened()?;
        match met {
            Some(Fault::Cut) => Err(io::Error::other("power is off")),
            Some(Fault::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::LostSync) => {
                inode.pending.clear();
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            None if lies => Ok(()),
            None => {
                inode.synced = inode.seen.clone();
                inode.pending.clear();
                Ok(())
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let medium = &mut *self.medium();
        medium.open = None;
        let inode = *medium.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        medium.rename(Rename::Move(from.to_string(), to.to_string(), inode))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let medium = &mut *self.medium();
        match medium.meets()? {
            Some(Fault::Cut) => {
                medium.off = true;
                Err(io::Error::other("power is off"))
            }
            Some(Fault::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::LostSync) => {
                medium.pending.clear();
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            None if medium.lies.folder => Ok(()),
            None => {
                for rename in std::mem::take(&mut medium.pending) {
                    rename.apply(&mut medium.synced_names);
                }
                Ok(())
            }
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let medium = &mut *self.medium();
        medium.open = None;
        if !medium.names.contains_key(name) {
            return Ok(());
        }
        medium.rename(Rename::Remove(name.to_string()))
    }

    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let medium = self.medium();
        let found = medium.names.get(name);
        Ok(found.map(|inode| medium.inodes[*inode].seen.clone()))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/cut").join(name)
    }
}
