//! An [`Attribute`] is one file of a board that is read and written again and again, kept open.
//!
//! Opening a file below /sys costs ten times what reading it does. The kernel answers ENODEV on a file whose device went
//! away; it is then opened anew, since a cluster that comes back has new files at the old place.

use super::sysfs::trimmed;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of the longest value: a 64-bit number with its line end has 21.
const LONGEST: usize = 64;

/// A file that holds one number, kept open.
#[derive(Debug)]
pub(super) struct Attribute {
    path: PathBuf,
    file: Option<File>,
}

impl Attribute {
    pub(super) fn new(path: PathBuf) -> Attribute {
        Attribute { path, file: None }
    }

    /// The number in the file.
    ///
    /// # Errors
    /// The errno; `EILSEQ` where the text is no number.
    pub(super) fn read(&mut self) -> Result<u64, i32> {
        let mut bytes = [0; LONGEST];
        let count = self.again(|file| file.read_at(&mut bytes, 0))?;
        let text = bytes.get(..count).and_then(|it| std::str::from_utf8(it).ok());
        text.and_then(|it| trimmed(it).parse().ok()).ok_or(libc::EILSEQ)
    }

    /// Writes `text` with one system call.
    ///
    /// # Errors
    /// The errno; `EIO` where a part of the text was taken only.
    pub(super) fn write(&mut self, text: &str) -> Result<(), i32> {
        let count = self.again(|file| {
            // An ordinary file would keep what is longer; one of /sys has no length to set.
            if file.metadata()?.len() as usize > text.len() {
                let _ = file.set_len(0);
            }
            file.write_at(text.as_bytes(), 0)
        })?;
        if count == text.len() {
            Ok(())
        } else {
            Err(libc::EIO)
        }
    }

    /// Calls `act` on the open file; once more on the file anew if the device behind it went away, or if it was opened
    /// without the right that is needed.
    fn again<T>(&mut self, mut act: impl FnMut(&File) -> io::Result<T>) -> Result<T, i32> {
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        if let Some(file) = &self.file {
            match act(file).map_err(errno) {
                Err(libc::ENODEV | libc::ENOENT | libc::ESTALE | libc::EBADF) => self.file = None,
                other => return other,
            }
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        // Reading needs no right to write.
        let file = file.or_else(|error| match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => File::open(&self.path),
            _ => Err(error),
        });
        let file = self.file.insert(file.map_err(errno)?);
        match act(file).map_err(errno) {
            // Written to a file that was opened for reading: say why it could not be opened otherwise.
            Err(libc::EBADF) => {
                let refused = OpenOptions::new().write(true).open(&self.path);
                Err(refused.map_or_else(errno, |_| libc::EBADF))
            }
            other => other,
        }
    }
}
