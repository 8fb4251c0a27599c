//! A tree as ordinary files and links, where no file system can be mounted. Its rules are gone: a write stores any
//! text, nothing is coupled, and nothing refreshes.

use super::node::Kind;
use super::{HIDDEN, Tree};
use rustix::io::Errno;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

impl Tree {
    /// Writes what the tree shows now under `folder`, which must be empty or missing. A file that cannot be read is
    /// left out. Equal states give equal files.
    pub fn write_plain(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        if fs::read_dir(folder)?.next().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::DirectoryNotEmpty,
                "the folder is not empty",
            ));
        }
        let mut folders = Vec::new();
        for (path, perm, content) in self.snapshot() {
            let place = folder.join(&path);
            match content {
                Content::Folder => {
                    fs::create_dir_all(&place)?;
                    folders.push((place, perm));
                }
                Content::Link(target) => symlink(target, &place)?,
                Content::File(bytes) => {
                    fs::write(&place, bytes)?;
                    fs::set_permissions(&place, Permissions::from_mode(u32::from(perm)))?;
                }
            }
        }
        // Last, because a folder may forbid what was still to be written into it.
        for (place, perm) in folders {
            fs::set_permissions(place, Permissions::from_mode(u32::from(perm)))?;
        }
        Ok(())
    }

    /// Every path that is there, each folder before what it holds.
    fn snapshot(&self) -> Vec<(String, u16, Content)> {
        self.with(|kernel| {
            let mut all = Vec::new();
            let mut next = vec![super::node::ROOT];
            while let Some(ino) = next.pop() {
                let Ok(node) = kernel.built.nodes.here(ino) else {
                    continue;
                };
                let content = match &node.kind {
                    Kind::Folder { .. } if node.name == HIDDEN => continue,
                    Kind::Folder { entries, .. } => {
                        next.extend(entries.values());
                        Content::Folder
                    }
                    Kind::Link(target) => Content::Link(target.clone()),
                    Kind::Knob(_) | Kind::Disk(_) => match kernel.show(ino) {
                        Ok(bytes) => Content::File(bytes),
                        Err(Errno::AGAIN | Errno::NODATA) => continue,
                        Err(_) => Content::File(Vec::new()),
                    },
                };
                all.push((kernel.built.nodes.path(ino), node.perm, content));
            }
            all
        })
    }
}

enum Content {
    Folder,
    Link(String),
    File(Vec<u8>),
}
