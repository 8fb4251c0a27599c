//! Ordinary files: the folders of the tree that behave as on a disk (`/etc`, `/run`, `/var`).

#[cfg(feature = "fuse")]
use super::node::ROOT;
use super::node::{Ino, Kind, Nodes};
use rustix::io::Errno;
use std::collections::BTreeMap;

/// The longest file, bytes; more is `ENOSPC`.
const LONGEST: usize = 64 << 20;

/// Names come and go through a mount only.
#[cfg(feature = "fuse")]
impl Nodes {
    /// Whether new entries can be made in a folder.
    fn open_folder(&self, folder: Ino) -> Result<(), Errno> {
        match self.here(folder)?.kind {
            Kind::Folder { disk: true, .. } => Ok(()),
            // As sysfs, which has no way to create anything.
            Kind::Folder { disk: false, .. } => Err(Errno::ACCESS),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Makes an empty file. `EEXIST` if the name is taken.
    pub(super) fn create(&mut self, folder: Ino, name: &str, perm: u16) -> Result<Ino, Errno> {
        self.open_folder(folder)?;
        self.add(folder, name, perm, Kind::Disk(Vec::new()))
    }

    /// Makes a folder.
    pub(super) fn make_folder(&mut self, folder: Ino, name: &str, perm: u16) -> Result<Ino, Errno> {
        self.open_folder(folder)?;
        self.add(folder, name, perm, Kind::folder(true))
    }

    /// Makes a link.
    pub(super) fn make_link(&mut self, folder: Ino, name: &str, target: &str) -> Result<Ino, Errno> {
        self.open_folder(folder)?;
        self.add(folder, name, 0o777, Kind::Link(target.to_owned()))
    }

    /// Takes a name away. An open descriptor keeps what it had.
    pub(super) fn remove(&mut self, folder: Ino, name: &str, is_folder: bool) -> Result<(), Errno> {
        let ino = self.lookup(folder, name)?;
        self.open_folder(folder).map_err(|_| Errno::PERM)?;
        match &self.get(ino)?.kind {
            Kind::Folder { .. } if !is_folder => return Err(Errno::ISDIR),
            Kind::Folder { entries, .. } if !entries.is_empty() => return Err(Errno::NOTEMPTY),
            Kind::Folder { .. } => {}
            _ if is_folder => return Err(Errno::NOTDIR),
            _ => {}
        }
        self.unhook(folder, name)?;
        self.get_mut(ino)?.present = false;
        Ok(())
    }

    /// Gives a node another name, in place of what has it now. `replace` false refuses that with `EEXIST`.
    pub(super) fn rename(&mut self, from: (Ino, &str), to: (Ino, &str), replace: bool) -> Result<(), Errno> {
        let ino = self.lookup(from.0, from.1)?;
        self.open_folder(from.0).map_err(|_| Errno::PERM)?;
        self.open_folder(to.0).map_err(|_| Errno::PERM)?;
        if from == to {
            return Ok(());
        }
        let mut at = to.0;
        while at != ROOT {
            if at == ino {
                // A folder cannot move into itself.
                return Err(Errno::INVAL);
            }
            at = self.get(at)?.parent;
        }
        if let Ok(old) = self.lookup(to.0, to.1) {
            if !replace {
                return Err(Errno::EXIST);
            }
            let folder = |ino| Ok(matches!(self.get(ino)?.kind, Kind::Folder { .. }));
            if folder(old)? && !folder(ino)? {
                return Err(Errno::ISDIR);
            }
            if !folder(old)? && folder(ino)? {
                return Err(Errno::NOTDIR);
            }
            self.remove(to.0, to.1, folder(old)?)?;
        }
        self.unhook(from.0, from.1)?;
        if let Kind::Folder { entries, .. } = &mut self.get_mut(to.0)?.kind {
            entries.insert(to.1.to_owned(), ino);
        }
        let node = self.get_mut(ino)?;
        node.parent = to.0;
        node.name = to.1.to_owned();
        Ok(())
    }

    fn unhook(&mut self, folder: Ino, name: &str) -> Result<(), Errno> {
        if let Kind::Folder { entries, .. } = &mut self.get_mut(folder)?.kind {
            entries.remove(name);
        }
        Ok(())
    }
}

impl Nodes {
    /// Writes into a file from `offset`, with zeros up to there.
    pub(super) fn write_at(&mut self, ino: Ino, offset: usize, bytes: &[u8]) -> Result<usize, Errno> {
        let Kind::Disk(content) = &mut self.get_mut(ino)?.kind else {
            return Err(Errno::ISDIR);
        };
        let end = offset
            .checked_add(bytes.len())
            .filter(|end| *end <= LONGEST)
            .ok_or(Errno::NOSPC)?;
        if content.len() < end {
            content.resize(end, 0);
        }
        if let Some(place) = content.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    /// Cuts a file, or fills it up with zeros.
    pub(super) fn resize(&mut self, ino: Ino, size: usize) -> Result<(), Errno> {
        match &mut self.get_mut(ino)?.kind {
            Kind::Disk(_) if size > LONGEST => Err(Errno::FBIG),
            Kind::Disk(content) => {
                content.resize(size, 0);
                Ok(())
            }
            // `echo x > knob` truncates first; a file of the kernel has no length to cut.
            Kind::Knob(_) => Ok(()),
            Kind::Folder { .. } => Err(Errno::ISDIR),
            Kind::Link(_) => Err(Errno::INVAL),
        }
    }

    /// What is there now outlives a power cut: the content of a file, the names in a folder.
    #[cfg(feature = "fuse")]
    pub(super) fn sync(&mut self, ino: Ino) -> Result<(), Errno> {
        let kind = self.get(ino)?.kind.clone();
        self.durable.insert(ino, kind);
        Ok(())
    }

    /// Everything on the disk outlives a power cut.
    pub(super) fn sync_all(&mut self) {
        let disk = self.iter().filter(|(_, node)| on_disk(&node.kind));
        self.durable = disk.map(|(ino, node)| (ino, node.kind.clone())).collect();
    }

    /// The power fails: a file is what it was when it was last synced, or empty; a folder has the names it had then.
    /// The harshest that a disk may do.
    pub(super) fn cut(&mut self) {
        let all: Vec<Ino> = self
            .iter()
            .filter(|(_, node)| on_disk(&node.kind))
            .map(|(ino, _)| ino)
            .collect();
        for ino in &all {
            let saved = self.durable.get(ino).cloned();
            if let Ok(node) = self.get_mut(*ino) {
                let nothing = match node.kind {
                    Kind::Disk(_) => Kind::Disk(Vec::new()),
                    _ => Kind::folder(true),
                };
                node.kind = saved.unwrap_or(nothing);
            }
        }
        let folders = self.iter().filter_map(|(folder, node)| match &node.kind {
            Kind::Folder { entries, .. } => Some(
                entries
                    .iter()
                    .map(move |(name, ino)| (*ino, (folder, name.clone()))),
            ),
            _ => None,
        });
        let places: BTreeMap<Ino, (Ino, String)> = folders.flatten().collect();
        for ino in all {
            let place = places.get(&ino);
            if let Ok(node) = self.get_mut(ino) {
                node.present = place.is_some();
                if let Some((folder, name)) = place {
                    (node.parent, node.name) = (*folder, name.clone());
                }
            }
        }
    }
}

fn on_disk(kind: &Kind) -> bool {
    matches!(kind, Kind::Disk(_) | Kind::Folder { disk: true, .. })
}
