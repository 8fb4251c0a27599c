//! A [`Disk`] is the file operations that checkpoints rest on, and [`Folder`] is the real one.

use super::CheckpointError;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of the largest file that is read back. A checkpoint of ours is as large as the state, which fits
/// into memory several times; a file beyond this is not one.
pub(super) const LARGEST: u64 = 4 << 30;

/// Attempts at the lock, 10 ms apart: a child of this program keeps a lock that was given up from its fork to
/// its exec.
const ATTEMPTS: u32 = 20;

/// The file that is locked.
const LOCK: &str = "lock";

/// What checkpoints ask of a file system, in one folder. At most one file is open for writing.
pub trait Disk: Send {
    /// Makes the file `name`, or empties it, and opens it for writing.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Writes all of `bytes` at the end of the open file.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Brings the open file to the medium. When this has succeeded its bytes survive a power cut, though its
    /// name may not.
    fn sync(&mut self) -> io::Result<()>;

    /// Closes the open file and renames it, in place of another one if there is one. Whoever reads sees the
    /// one or the other, whole; after a power cut it may be undone until the folder is synced.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Brings names to the medium.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// Removes a file; one that is not there is removed already.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// All bytes of a file; `None` if there is none of this name.
    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Where `name` is, for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// A folder of a real file system, locked for this program until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    open: Option<File>,
    /// The kernel unlocks it when this program ends, however it ends. `None` on a disk that cannot be written
    /// at all.
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder if it is missing and locks it.
    pub fn open(path: &Path) -> Result<Folder, CheckpointError> {
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |error| CheckpointError::Io { doing, path, error }
        };
        let lock_path = path.join(LOCK);
        let made = fs::create_dir_all(path).and_then(|()| {
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&lock_path)
        });
        let lock = match made {
            Ok(lock) => Some(lock),
            // What is there can still be read, and locking needs no write; without the file nobody else can
            // write either.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&lock_path).ok(),
            Err(error) => return Err(io("making", &lock_path)(error)),
        };
        let mut attempts = 0;
        while let Some(lock) = &lock {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempts < ATTEMPTS => attempts += 1,
                Err(TryLockError::WouldBlock) => return Err(CheckpointError::Busy(lock_path)),
                Err(TryLockError::Error(error)) => return Err(io("locking", &lock_path)(error)),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Folder {
            path: path.to_owned(),
            open: None,
            _lock: lock,
        })
    }

    fn opened(&mut self) -> io::Result<&mut File> {
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("no file is open for writing"))
    }
}

impl Disk for Folder {
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.open = None;
        self.open = Some(File::create(self.path(name))?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.opened()?.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.opened()?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.open = None;
        fs::rename(self.path(from), self.path(to))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.path).and_then(|folder| folder.sync_all())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open = None;
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match File::open(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(file) => file.take(LARGEST).read_to_end(&mut bytes)?,
        };
        Ok(Some(bytes))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
