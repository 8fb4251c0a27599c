//! A [`Handle`] is a file of the board that is read, or written, again and again.

use super::sysfs::{FileError, FileFault, Root, trimmed};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of a value that is read often: a number of 64 bits has 20.
const LONGEST: usize = 64;

/// A file that is opened at its first use and used from its start at each, which costs half of opening it again, and a
/// tenth below a long path.
///
/// sysfs shows a fresh value to every read at offset 0 (Linux, Documentation/filesystems/sysfs.rst). A device that went
/// away and came back leaves the open file dead: using it gives `ENODEV`, and the path is then opened once more.
#[derive(Debug)]
pub struct Handle {
    path: PathBuf,
    file: Option<File>,
    /// Whether it is opened for writing too, where that is allowed.
    writes: bool,
    /// Whether it is an ordinary file, whose length is that of what it holds; looked at once.
    ordinary: Option<bool>,
}

impl Handle {
    /// The file at `path` below `root`, to be read. Opens nothing yet.
    pub fn new(root: &Root, path: &str) -> Handle {
        Handle {
            path: root.join(path),
            file: None,
            writes: false,
            ordinary: None,
        }
    }

    /// The file at `path` below `root`, to be read and written. Opens nothing yet; reading needs no right to write.
    pub fn to_write(root: &Root, path: &str) -> Handle {
        Handle {
            writes: true,
            ..Handle::new(root, path)
        }
    }

    /// The file's value as `parse` reads it. Allocates only to report an error.
    pub fn value<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, FileError> {
        let mut buffer = [0; LONGEST];
        let parsed = self
            .again(|file| file.read_at(&mut buffer, 0))
            .and_then(|length| {
                if length == LONGEST {
                    return Err(FileFault::TooLong);
                }
                let text = buffer.get(..length).and_then(|bytes| str::from_utf8(bytes).ok());
                parse(trimmed(text.ok_or(FileFault::NotText)?)).ok_or(FileFault::NotValue)
            });
        parsed.map_err(|fault| self.error(fault))
    }

    /// Writes `text` with one system call, as a sysfs store takes it.
    pub fn write(&mut self, text: &str) -> Result<(), FileError> {
        let written = self
            .again(|file| file.write_at(text.as_bytes(), 0))
            .and_then(|count| {
                // One of sysfs says a page, whatever it holds; an ordinary file keeps what was longer.
                match &self.file {
                    Some(file) if *self.ordinary.get_or_insert_with(|| is_ordinary(file, count)) => {
                        file.set_len(count as u64).map_err(errno)?;
                    }
                    _ => {}
                }
                Ok(count)
            });
        match written {
            Ok(count) if count == text.len() => Ok(()),
            Ok(_) => Err(self.error(FileFault::Short)),
            // It was opened for reading because it could not be opened otherwise: say why.
            Err(FileFault::Errno(libc::EBADF)) => {
                let refused = File::options().write(true).open(&self.path);
                Err(self.error(refused.map_or_else(errno, |_| FileFault::Errno(libc::EBADF))))
            }
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// Calls `act` on the open file; once more on the file anew if the device behind it went away.
    fn again(&mut self, mut act: impl FnMut(&File) -> io::Result<usize>) -> Result<usize, FileFault> {
        if let Some(file) = &self.file {
            match act(file).map_err(errno) {
                Err(FileFault::Errno(libc::ENODEV | libc::ENOENT | libc::ESTALE)) => self.file = None,
                other => return other,
            }
        }
        let file = if self.writes {
            let both = File::options().read(true).write(true).open(&self.path);
            both.or_else(|error| match error.raw_os_error() {
                Some(libc::EACCES | libc::EPERM | libc::EROFS) => File::open(&self.path),
                _ => Err(error),
            })
        } else {
            File::open(&self.path)
        };
        act(self.file.insert(file.map_err(errno)?)).map_err(errno)
    }

    fn error(&self, fault: FileFault) -> FileError {
        FileError {
            path: self.path.clone(),
            fault,
        }
    }
}

/// Whether the file's length is that of what it holds, as an ordinary file's is; one of sysfs says a page.
fn is_ordinary(file: &File, written: usize) -> bool {
    let mut buffer = [0; LONGEST];
    let holds = file.read_at(&mut buffer, 0).unwrap_or(written);
    file.metadata().is_ok_and(|it| it.len() == holds as u64)
}

fn errno(error: io::Error) -> FileFault {
    FileFault::Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::super::sysfs::number;
    use super::*;

    #[test]
    fn a_value_is_read_afresh_through_the_same_open_file() {
        let folder = std::env::temp_dir().join(format!("fulcrum-handle-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("value"), "7\n").unwrap();
        let root = Root::new(&folder);
        let mut handle = Handle::new(&root, "value");
        assert_eq!(handle.value(number), Ok(7));
        // Removing the name does not close the file: a second open would fail.
        std::fs::hard_link(folder.join("value"), folder.join("again")).unwrap();
        std::fs::remove_file(folder.join("value")).unwrap();
        std::fs::write(folder.join("again"), "12\n").unwrap();
        assert_eq!(handle.value(number), Ok(12));
        let missing = Handle::new(&root, "none").value(number).unwrap_err();
        assert!(missing.is_missing() && missing.path.ends_with("none"));
        std::fs::write(folder.join("again"), "word\n").unwrap();
        assert_eq!(handle.value(number).unwrap_err().fault, FileFault::NotValue);
        std::fs::write(folder.join("again"), "9".repeat(LONGEST)).unwrap();
        assert_eq!(handle.value(number).unwrap_err().fault, FileFault::TooLong);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_shorter_value_replaces_a_longer_one_and_a_refusal_names_its_reason() {
        let folder = std::env::temp_dir().join(format!("fulcrum-handle-write-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("value"), "2201600\n").unwrap();
        let root = Root::new(&folder);
        let mut handle = Handle::to_write(&root, "value");
        handle.write("115200").unwrap();
        assert_eq!(handle.value(number), Ok(115_200));
        assert_eq!(std::fs::read(folder.join("value")).unwrap(), b"115200");
        let refused = Handle::to_write(&root, "").write("1").unwrap_err();
        assert_eq!(refused.fault, FileFault::Errno(libc::EISDIR));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
