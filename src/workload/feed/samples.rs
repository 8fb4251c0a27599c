//! A file of [`Samples`]: labelled rows of a fixed length. Numbers are little-endian.
//!
//! ```text
//!  0   8  "fulsamp\n"
//!  8   4  form, 1
//! 12   4  values of a row, at least 1
//! 16   8  samples, at least 1
//! 24      for each sample: 8 label, 4 each value (IEEE 754 binary32)
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"fulsamp\n";

const FORM: u32 = 1;

/// Bytes before the first sample.
const HEAD: usize = 24;

/// Bytes of a label.
const LABEL: usize = 8;

/// Why a file is of no use as a source of samples.
#[derive(Debug)]
#[non_exhaustive]
pub enum SampleError {
    /// The operating system refused.
    Io(PathBuf, io::Error),
    /// It is not a file of samples, or is cut off.
    Wrong(PathBuf, String),
    /// Its rows have another length than the feed's.
    Row {
        /// Which file.
        path: PathBuf,
        /// Values of its rows.
        found: usize,
        /// Values of the feed's rows.
        wanted: usize,
    },
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SampleError::Io(path, error) => {
                write!(f, "the samples in {} could not be read: {error}", path.display())
            }
            SampleError::Wrong(path, what) => {
                write!(
                    f,
                    "{} is no whole file of samples: {what}; write it anew",
                    path.display()
                )
            }
            SampleError::Row { path, found, wanted } => write!(
                f,
                "the rows of {} have {found} values, not {wanted}; name the file made for this graph",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SampleError {}

/// An open file of samples.
#[derive(Debug)]
pub struct Samples {
    file: File,
    path: PathBuf,
    row: usize,
    count: u64,
    /// One sample as it lies in the file.
    bytes: Vec<u8>,
}

impl Samples {
    /// Opens `path` and checks its head and its length against `row`, the values of a sample.
    pub fn open(path: &Path, row: usize) -> Result<Samples, SampleError> {
        let io = |error| SampleError::Io(path.to_owned(), error);
        let wrong = |what: String| SampleError::Wrong(path.to_owned(), what);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => wrong(format!("it has {length} bytes")),
                _ => io(error),
            })?;
        let (magic, form, found, count) = parts(&head);
        if magic != *MAGIC {
            return Err(wrong("it does not begin with \"fulsamp\"".into()));
        }
        if form != FORM {
            return Err(wrong(format!("its form is {form}, not {FORM}")));
        }
        if found as usize != row || row == 0 {
            return Err(SampleError::Row {
                path: path.to_owned(),
                found: found as usize,
                wanted: row,
            });
        }
        let sample = LABEL + 4 * row;
        let expected = count
            .checked_mul(sample as u64)
            .and_then(|it| it.checked_add(HEAD as u64));
        if count == 0 || expected != Some(length) {
            return Err(wrong(format!(
                "it says {count} samples of {row} values and has {length} bytes"
            )));
        }
        Ok(Samples {
            file,
            path: path.to_owned(),
            row,
            count,
            bytes: vec![0; sample],
        })
    }

    /// Values of a sample.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Samples in the file.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The error that says this of the file.
    pub(super) fn wrong(&self, what: &str) -> SampleError {
        SampleError::Wrong(self.path.clone(), what.to_string())
    }

    /// Reads sample `number`, counted from 0, into `values`, which has as many places as a row, and returns
    /// its label.
    pub fn read(&mut self, number: u64, values: &mut [f32]) -> Result<i64, SampleError> {
        // Below the file's length, which fits.
        let at = HEAD as u64 + number.min(self.count - 1) * self.bytes.len() as u64;
        let read = self.file.read_exact_at(&mut self.bytes, at);
        read.map_err(|error| SampleError::Io(self.path.clone(), error))?;
        let Some((label, row)) = self.bytes.split_first_chunk::<LABEL>() else {
            return Ok(0);
        };
        for (place, value) in values.iter_mut().zip(row.as_chunks::<4>().0) {
            *place = f32::from_le_bytes(*value);
        }
        Ok(i64::from_le_bytes(*label))
    }
}

fn parts(head: &[u8; HEAD]) -> ([u8; 8], u32, u32, u64) {
    let [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h, // the name
        i,
        j,
        k,
        l, // the form
        m,
        n,
        o,
        p, // the row
        number @ ..,
    ] = *head;
    (
        [a, b, c, d, e, f, g, h],
        u32::from_le_bytes([i, j, k, l]),
        u32::from_le_bytes([m, n, o, p]),
        u64::from_le_bytes(number),
    )
}

/// Writes a file of samples of `row` values each. A sample of another length is an error of the kind
/// `InvalidInput`.
pub fn write(out: &mut dyn Write, row: usize, samples: &[(i64, Vec<f32>)]) -> io::Result<()> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let values = u32::try_from(row).map_err(|_| invalid("a row has more than 2^32 values"))?;
    out.write_all(MAGIC)?;
    out.write_all(&FORM.to_le_bytes())?;
    out.write_all(&values.to_le_bytes())?;
    out.write_all(&(samples.len() as u64).to_le_bytes())?;
    for (label, values) in samples {
        if values.len() != row {
            return Err(invalid("a sample has another number of values than a row"));
        }
        out.write_all(&label.to_le_bytes())?;
        for value in values {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(())
}
