//! A [`Root`] is the folder a board's files lie under: `/`, or the same tree anywhere else.

use core::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one file that are read at most. sysfs shows a page; the longest known text is a table of 40 clocks.
const LONGEST: usize = 16 * 1024;

/// Links that lead from one to the next at most, as the kernel's own limit has it.
const LINKS: usize = 40;

/// Why a file gave no value, or took none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFault {
    /// The operating system's error number.
    Errno(i32),
    /// The write was cut short by the kernel.
    Short,
    /// The text is not UTF-8.
    NotText,
    /// The text is longer than any such file is.
    TooLong,
    /// The text is not the number, list or word that belongs there.
    NotValue,
}

/// A file of the board that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, root included.
    pub path: PathBuf,
    /// What was wrong with it.
    pub fault: FileFault,
}

impl FileError {
    /// The operating system's error number; `EIO` where it gave none.
    pub fn errno(&self) -> i32 {
        match self.fault {
            FileFault::Errno(errno) => errno,
            FileFault::Short => libc::EIO,
            FileFault::NotText | FileFault::TooLong | FileFault::NotValue => libc::EILSEQ,
        }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(
            self.fault,
            FileFault::Errno(libc::ENOENT | libc::ENOTDIR | libc::ENODEV)
        )
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match self.fault {
            FileFault::Errno(errno) => io::Error::from_raw_os_error(errno).fmt(f),
            FileFault::Short => f.write_str("the kernel took a part of the value only"),
            FileFault::NotText => f.write_str("not a text"),
            FileFault::TooLong => f.write_str("longer than any such file is"),
            FileFault::NotValue => f.write_str("not a value that belongs there"),
        }
    }
}

impl std::error::Error for FileError {}

/// The folder a board's files lie under. Paths below it are written without a leading slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// Files below `path`; `/` is this machine.
    pub fn new(path: impl Into<PathBuf>) -> Root {
        Root(path.into())
    }

    /// The root itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a file of the board lies.
    pub fn join(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Where a file lies if its name is a link: one to an absolute path points below this root, as it does on the board
    /// itself. `/etc/nvpmodel.conf` is such a link.
    fn followed(&self, path: &str) -> PathBuf {
        let mut place = self.join(path);
        for _ in 0..LINKS {
            match std::fs::read_link(&place) {
                Ok(target) if target.is_absolute() => {
                    place = self.0.join(target.strip_prefix("/").unwrap_or(&target));
                }
                Ok(target) => {
                    place = place
                        .parent()
                        .map_or(target.clone(), |folder| folder.join(&target))
                }
                Err(_) => break,
            }
        }
        place
    }

    /// Whether there is such a file or folder.
    pub fn exists(&self, path: &str) -> bool {
        self.join(path).exists()
    }

    /// The file's text without the blanks, line ends and NUL bytes around it.
    pub fn text(&self, path: &str) -> Result<String, FileError> {
        let bytes = self.bytes(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.error(path, FileFault::NotText))?;
        Ok(trimmed(text).to_owned())
    }

    /// The file's bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.bytes_within(path, LONGEST)
    }

    /// The file's bytes if there are not more than `longest`.
    pub fn bytes_within(&self, path: &str, longest: usize) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let read = File::open(self.followed(path))
            .and_then(|file| file.take(longest as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| self.error(path, fault(&error)))?;
        if bytes.len() > longest {
            return Err(self.error(path, FileFault::TooLong));
        }
        Ok(bytes)
    }

    /// The file's text as `parse` reads it.
    pub fn value<T>(&self, path: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, FileError> {
        let text = self.text(path)?;
        parse(&text).ok_or_else(|| self.error(path, FileFault::NotValue))
    }

    /// Writes `text` with one system call, as a sysfs store takes it. An ordinary file then holds it and nothing else.
    pub fn write(&self, path: &str, text: &str) -> Result<(), FileError> {
        let written = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.join(path))
            .and_then(|mut file| file.write(text.as_bytes()));
        match written {
            Ok(count) if count == text.len() => Ok(()),
            Ok(_) => Err(self.error(path, FileFault::Short)),
            Err(error) => Err(self.error(path, fault(&error))),
        }
    }

    /// Whether the file could be opened for writing now. Writes nothing.
    pub fn is_writable(&self, path: &str) -> bool {
        OpenOptions::new().write(true).open(self.join(path)).is_ok()
    }

    /// Names in a folder, sorted; numbers in names count as numbers, so that `policy4` comes before `policy10`.
    pub fn names(&self, path: &str) -> Result<Vec<String>, FileError> {
        let entries = std::fs::read_dir(self.join(path)).map_err(|error| self.error(path, fault(&error)))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_by_cached_key(|name| {
            let digits = name.trim_start_matches(|it: char| !it.is_ascii_digit());
            let (stem, rest) = name.split_at(name.len() - digits.len());
            let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
            let number = rest.get(..end).and_then(|it| it.parse::<u64>().ok());
            (stem.to_owned(), number, name.clone())
        });
        Ok(names)
    }

    fn error(&self, path: &str, fault: FileFault) -> FileError {
        FileError {
            path: self.join(path),
            fault,
        }
    }
}

fn fault(error: &io::Error) -> FileFault {
    FileFault::Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Without the blanks, line ends and NUL bytes around it. Device-tree strings end with NUL and have no line end.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|it: char| it == '\0' || it.is_ascii_whitespace())
}

/// An unsigned decimal number.
pub fn number(text: &str) -> Option<u64> {
    trimmed(text).parse().ok()
}

/// A table of numbers in any order, as `115200 192000 ...`, sorted and without repeats. Words that are no numbers, such
/// as the `(kHz)` that the memory's table ends with, are passed over; a table without a number is none.
pub fn table(text: &str) -> Option<Vec<u64>> {
    let mut numbers: Vec<u64> = text.split_whitespace().filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    (!numbers.is_empty()).then_some(numbers)
}

/// A list of processors, as `0-3,6` or `0 1 2 3`, rising and without repeats. Processors above 255 are refused.
pub fn cpus(text: &str) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    for part in text.split([',', ' ', '\t', '\n']).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<u8>().ok()?, last.parse::<u8>().ok()?);
        if last < first {
            return None;
        }
        found.extend(first..=last);
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tables_and_processor_lists_are_read_as_the_kernel_prints_them() {
        assert_eq!(number("1190400\n"), Some(1_190_400));
        assert_eq!(number("-256"), None);
        assert_eq!(number(""), None);
        assert_eq!(
            table("204000 665600 2133000 (kHz)\n"),
            Some(vec![204_000, 665_600, 2_133_000])
        );
        assert_eq!(table("300 100 300 200"), Some(vec![100, 200, 300]));
        assert_eq!(table(" \n"), None);
        assert_eq!(cpus("0-3,6\n"), Some(vec![0, 1, 2, 3, 6]));
        assert_eq!(cpus("4 5"), Some(vec![4, 5]));
        assert_eq!(cpus(""), Some(Vec::new()));
        assert_eq!(cpus("3-1"), None);
        assert_eq!(cpus("0-999"), None);
    }

    #[test]
    fn a_missing_file_and_a_text_of_another_kind_are_told_apart_with_the_path() {
        let folder = std::env::temp_dir().join(format!("fulcrum-root-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        std::fs::write(folder.join("sub/word"), "schedutil\n").unwrap();
        std::fs::write(folder.join("sub/bytes"), [0xFF, 0xFE]).unwrap();
        let root = Root::new(&folder);
        assert_eq!(root.text("sub/word").unwrap(), "schedutil");
        let error = root.value("sub/word", number).unwrap_err();
        assert_eq!(
            (error.fault, error.path),
            (FileFault::NotValue, folder.join("sub/word"))
        );
        assert_eq!(root.text("sub/bytes").unwrap_err().fault, FileFault::NotText);
        assert!(root.text("sub/none").unwrap_err().is_missing());
        root.write("sub/word", "performance").unwrap();
        assert_eq!(root.text("/sub/word").unwrap(), "performance");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_link_to_an_absolute_path_stays_below_the_root() {
        let folder = std::env::temp_dir().join(format!("fulcrum-link-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("etc/deep")).unwrap();
        std::fs::write(folder.join("etc/deep/real"), "here").unwrap();
        std::os::unix::fs::symlink("/etc/deep/near", folder.join("etc/far")).unwrap();
        std::os::unix::fs::symlink("real", folder.join("etc/deep/near")).unwrap();
        assert_eq!(Root::new(&folder).text("etc/far").unwrap(), "here");
        std::os::unix::fs::symlink("loop", folder.join("etc/loop")).unwrap();
        assert!(Root::new(&folder).text("etc/loop").is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn names_with_numbers_are_sorted_by_their_numbers() {
        let folder = std::env::temp_dir().join(format!("fulcrum-names-{}", std::process::id()));
        for name in ["policy10", "policy4", "policy0", "boost"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let names = Root::new(&folder).names("").unwrap();
        assert_eq!(names, ["boost", "policy0", "policy4", "policy10"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
