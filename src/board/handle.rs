//! A [`Handle`] is a file of the board that is read again and again.

use super::sysfs::{FileError, FileFault, Root, trimmed};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of a value that is read often: a number of 64 bits has 20.
const LONGEST: usize = 64;

/// A file that is opened at the first reading and read from its start at each, which costs half of opening it again.
///
/// sysfs shows a fresh value to every read at offset 0 (Linux, Documentation/filesystems/sysfs.rst). A device that went
/// away and came back leaves the open file dead: reading it gives `ENODEV`, and the path is then opened once more.
#[derive(Debug)]
pub struct Handle {
    path: PathBuf,
    file: Option<File>,
}

impl Handle {
    /// The file at `path` below `root`. Opens nothing yet.
    pub fn new(root: &Root, path: &str) -> Handle {
        Handle {
            path: root.join(path),
            file: None,
        }
    }

    /// The file's value as `parse` reads it. Allocates only to report an error.
    pub fn value<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, FileError> {
        let mut buffer = [0; LONGEST];
        let parsed = self.read(&mut buffer).and_then(|length| {
            if length == LONGEST {
                return Err(FileFault::TooLong);
            }
            let text = buffer.get(..length).and_then(|bytes| str::from_utf8(bytes).ok());
            parse(trimmed(text.ok_or(FileFault::NotText)?)).ok_or(FileFault::NotValue)
        });
        parsed.map_err(|fault| FileError {
            path: self.path.clone(),
            fault,
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FileFault> {
        if let Some(file) = &self.file {
            match file.read_at(buffer, 0) {
                Ok(length) => return Ok(length),
                Err(error) => match error.raw_os_error().unwrap_or(libc::EIO) {
                    libc::ENODEV | libc::ENOENT | libc::ESTALE => self.file = None,
                    errno => return Err(FileFault::Errno(errno)),
                },
            }
        }
        let errno = |error: std::io::Error| FileFault::Errno(error.raw_os_error().unwrap_or(libc::EIO));
        let file = File::open(&self.path).map_err(errno)?;
        let length = file.read_at(buffer, 0).map_err(errno)?;
        self.file = Some(file);
        Ok(length)
    }
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
}
