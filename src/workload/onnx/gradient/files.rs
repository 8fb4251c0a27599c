//! [`Files`]: what was made of one model, and its way to disk.

use super::error::GradientError;
use super::summary::Summary;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of one model, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Name and content of each.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What was made.
    pub summary: Summary,
}

impl Files {
    /// The content of a file, by its name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let found = self.files.iter().find(|(own, _)| *own == name);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    /// Writes all files into `folder`, which must not exist or be empty: first beside it, then renamed, so
    /// that an error leaves no part of them.
    pub fn write(&self, folder: &Path) -> Result<(), GradientError> {
        let failed = |path: &Path, error: std::io::Error| GradientError::Write {
            path: path.to_path_buf(),
            reason: error.to_string(),
        };
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(GradientError::Write {
                path: folder.to_path_buf(),
                reason: "the folder is not empty; name a new one, or empty it".to_string(),
            });
        }
        let partial = beside(folder);
        let written = (|| {
            fs::create_dir_all(&partial).map_err(|error| failed(&partial, error))?;
            for (name, bytes) in &self.files {
                let path = partial.join(name);
                let written = fs::write(&path, bytes).and_then(|()| fs::File::open(&path)?.sync_all());
                written.map_err(|error| failed(&path, error))?;
            }
            // Onto an empty folder a rename is possible, onto any other it is not.
            fs::rename(&partial, folder).map_err(|error| failed(folder, error))
        })();
        if written.is_err() {
            // What is left of the attempt; the error that is reported is the first one.
            let _ = fs::remove_dir_all(&partial);
        }
        written
    }
}

/// A name beside `folder`, because a rename does not cross file systems.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    folder.with_file_name(name)
}
