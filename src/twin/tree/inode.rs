//! The tree by node number: what a mount asks for.

use super::attribute::Attribute;
use super::node::{Ino, Kind};
use super::{HIDDEN, Tree, Watcher};
use crate::twin::faults::Effect;
use rustix::io::Errno;

/// What kind of node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Folder,
    Link,
    /// A file of the kernel.
    Knob,
    /// An ordinary file.
    Disk,
    /// The control file of the twin, its log or its last error.
    Own,
}

/// What `stat` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) ino: Ino,
    pub(crate) shape: Shape,
    pub(crate) perm: u16,
    pub(crate) size: u64,
    /// Whether it lies on the disk, where anything may change.
    pub(crate) disk: bool,
    /// See [`super::node::Nodes::epoch`].
    pub(crate) epoch: u64,
}

/// An entry of a folder.
pub(crate) type Entry = (Ino, Shape, String);

impl Tree {
    pub(in crate::twin) fn watch(&self, watcher: Option<Watcher>) {
        self.0.watch.set(watcher);
    }

    pub(in crate::twin) fn stat(&self, ino: Ino) -> Result<Stat, Errno> {
        self.with(|kernel| {
            let nodes = &kernel.built.nodes;
            // An ordinary file that was unlinked lives on for who has it open.
            let open = nodes.get(ino)?;
            let node = if matches!(open.kind, Kind::Disk(_)) {
                open
            } else {
                nodes.here(ino)?
            };
            let (shape, size) = match &node.kind {
                Kind::Folder { .. } => (Shape::Folder, 0),
                Kind::Link(target) => (Shape::Link, target.len() as u64),
                Kind::Knob(Attribute::Control | Attribute::Log | Attribute::Error) => (Shape::Own, 0),
                // As sysfs says of every file.
                Kind::Knob(_) => (Shape::Knob, 4_096),
                Kind::Disk(content) => (Shape::Disk, content.len() as u64),
            };
            let disk = matches!(node.kind, Kind::Disk(_) | Kind::Folder { disk: true, .. });
            let under_disk = nodes
                .get(node.parent)
                .is_ok_and(|folder| matches!(folder.kind, Kind::Folder { disk: true, .. }));
            Ok(Stat {
                ino,
                shape,
                perm: node.perm,
                size,
                disk: disk || under_disk,
                epoch: nodes.epoch(ino),
            })
        })
    }

    pub(in crate::twin) fn child(&self, folder: Ino, name: &str) -> Result<Stat, Errno> {
        let ino = self.with(|kernel| kernel.built.nodes.lookup(folder, name))?;
        self.stat(ino)
    }

    /// The folder above and the entries of a folder, in order.
    pub(in crate::twin) fn entries(&self, folder: Ino) -> Result<(Ino, Vec<Entry>), Errno> {
        self.with(|kernel| {
            let nodes = &kernel.built.nodes;
            let node = nodes.here(folder)?;
            let Kind::Folder { entries, .. } = &node.kind else {
                return Err(Errno::NOTDIR);
            };
            let entry = |(name, ino): (&String, &Ino)| {
                let shape = match nodes.here(*ino).ok()?.kind {
                    Kind::Folder { .. } => Shape::Folder,
                    Kind::Link(_) => Shape::Link,
                    Kind::Knob(_) => Shape::Knob,
                    Kind::Disk(_) => Shape::Disk,
                };
                (name != HIDDEN).then(|| (*ino, shape, name.clone()))
            };
            Ok((node.parent, entries.iter().filter_map(entry).collect()))
        })
    }

    pub(in crate::twin) fn link_text(&self, ino: Ino) -> Result<String, Errno> {
        self.with(|kernel| match &kernel.built.nodes.here(ino)?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL),
        })
    }

    /// Sets permission bits.
    pub(in crate::twin) fn set_permissions(&self, ino: Ino, perm: u16) -> Result<(), Errno> {
        self.with(|kernel| {
            kernel.built.nodes.get_mut(ino)?.perm = perm & 0o7777;
            Ok(())
        })
    }

    /// A write to an ordinary file.
    pub(in crate::twin) fn disk_write(
        &self,
        ino: Ino,
        offset: usize,
        bytes: &[u8],
        effect: Option<&Effect>,
    ) -> Result<usize, Errno> {
        let part = match effect {
            Some(Effect::Ignore) => return Ok(bytes.len()),
            Some(Effect::Short(taken)) => bytes.get(..*taken).unwrap_or(bytes),
            _ => bytes,
        };
        self.with(|kernel| kernel.built.nodes.write_at(ino, offset, part))
    }

    /// What is there now outlives a power cut: the content of a file, the names in a folder.
    pub(in crate::twin) fn sync(&self, ino: Ino) -> Result<(), Errno> {
        self.with(|kernel| kernel.built.nodes.sync(ino))
    }

    pub(in crate::twin) fn resize(&self, ino: Ino, size: u64) -> Result<(), Errno> {
        let size = usize::try_from(size).map_err(|_| Errno::FBIG)?;
        self.with(|kernel| kernel.built.nodes.resize(ino, size))
    }

    pub(in crate::twin) fn create(&self, folder: Ino, name: &str, perm: u16) -> Result<Ino, Errno> {
        self.with(|kernel| kernel.built.nodes.create(folder, name, perm & 0o7777))
    }

    pub(in crate::twin) fn make_folder(&self, folder: Ino, name: &str, perm: u16) -> Result<Ino, Errno> {
        self.with(|kernel| kernel.built.nodes.make_folder(folder, name, perm & 0o7777))
    }

    pub(in crate::twin) fn make_link(&self, folder: Ino, name: &str, target: &str) -> Result<Ino, Errno> {
        self.with(|kernel| kernel.built.nodes.make_link(folder, name, target))
    }

    pub(in crate::twin) fn remove(&self, folder: Ino, name: &str, is_folder: bool) -> Result<(), Errno> {
        self.with(|kernel| kernel.built.nodes.remove(folder, name, is_folder))
    }

    pub(in crate::twin) fn rename(
        &self,
        from: (Ino, &str),
        to: (Ino, &str),
        replace: bool,
    ) -> Result<(), Errno> {
        self.with(|kernel| kernel.built.nodes.rename(from, to, replace))
    }

    /// Carries out what was written to the control file, line by line up to the first that is wrong; `EINVAL` then, and
    /// the error file says why.
    pub(in crate::twin) fn control(&self, bytes: &[u8]) -> Result<(), Errno> {
        let text = String::from_utf8_lossy(bytes);
        let outcome = text.lines().try_for_each(|line| self.command(line));
        let error = outcome
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.with(|kernel| kernel.error = error);
        outcome.map_err(|_| Errno::INVAL)
    }
}
