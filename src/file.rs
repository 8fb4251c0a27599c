//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Replaces the files at the given paths by what `write` makes of each, all of them or none as far as a file system lets
/// one: everything is written beside its place and synced before the first is renamed. After an error no part of a new
/// file is left, and the error comes with the path it happened at.
pub fn replace<const N: usize>(
    paths: [&Path; N],
    mut write: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
) -> Result<(), (PathBuf, io::Error)> {
    let all: Vec<(PathBuf, &Path)> = paths.iter().map(|path| (beside(path), *path)).collect();
    let outcome = all.iter().enumerate().try_for_each(|(index, (partial, path))| {
        let written = File::create(partial).and_then(|file| {
            let mut out = BufWriter::new(file);
            write(index, &mut out)?;
            out.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()
        });
        written.map_err(|error| (path.to_path_buf(), error))
    });
    let outcome = outcome.and_then(|()| {
        all.iter().try_for_each(|(partial, path)| {
            let renamed = fs::rename(partial, path).and_then(|()| sync_folder(path));
            renamed.map_err(|error| (path.to_path_buf(), error))
        })
    });
    if outcome.is_err() {
        for (partial, _) in &all {
            // What is left of the attempt; the error that is reported is the first one.
            let _ = fs::remove_file(partial);
        }
    }
    outcome
}

/// A rename is on disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// Beside its place, because a rename does not cross file systems; with the process in its name, because two programs may
/// write at once.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_error_in_any_file_the_old_ones_stand_and_nothing_else_is_left() {
        let folder = std::env::temp_dir().join(format!("fulcrum-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one, two) = (folder.join("one"), folder.join("two"));
        replace([one.as_path(), two.as_path()], |_, out| out.write_all(b"old")).unwrap();
        for fails_at in 0..2 {
            let (at, _) = replace([one.as_path(), two.as_path()], |index, out| {
                out.write_all(b"new")?;
                if index == fails_at {
                    Err(io::ErrorKind::StorageFull.into())
                } else {
                    Ok(())
                }
            })
            .unwrap_err();
            assert_eq!(at, if fails_at == 0 { one.clone() } else { two.clone() });
            assert_eq!(fs::read(&one).unwrap(), b"old");
            assert_eq!(fs::read(&two).unwrap(), b"old");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_the_path() {
        let path = std::env::temp_dir().join("no-such-folder-of-fulcrum/file");
        let (at, error) = replace([path.as_path()], |_, _| Ok(())).unwrap_err();
        assert_eq!((at, error.kind()), (path, io::ErrorKind::NotFound));
    }
}
