//! A [`Node`] is one name of the tree: a folder, a link, a file of the kernel or a file on disk.
//!
//! A node keeps its number for ever, also while it is away: a program that holds the number, or a kernel that caches it,
//! then never meets another file under it.

use super::attribute::Attribute;
use rustix::io::Errno;
use std::collections::BTreeMap;

/// The number of a node. The root is 1.
pub(crate) type Ino = u64;

/// The root folder.
pub(crate) const ROOT: Ino = 1;

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Entries by name. On disk a folder takes new entries; elsewhere only the kernel makes them.
    Folder {
        entries: BTreeMap<String, Ino>,
        disk: bool,
    },
    /// Text of the link, relative.
    Link(String),
    /// A file of the kernel: shows and stores through its attribute.
    Knob(Attribute),
    /// An ordinary file.
    Disk(Vec<u8>),
}

/// One name of the tree.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) parent: Ino,
    pub(super) name: String,
    /// Permission bits.
    pub(super) perm: u16,
    pub(super) kind: Kind,
    /// False while the kernel has taken it away.
    pub(super) present: bool,
    /// True while a fault keeps it away.
    pub(super) withheld: bool,
    /// How often it went away. A descriptor opened before is dead, even when the node is back.
    pub(super) epoch: u64,
}

/// All nodes.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    all: Vec<Node>,
    /// What of the disk outlives a power cut: nodes as they were last synced.
    pub(super) durable: BTreeMap<Ino, Kind>,
}

impl Nodes {
    /// Only the root.
    pub(super) fn new() -> Nodes {
        Nodes {
            all: vec![Node::new(ROOT, "", 0o755, Kind::folder(false))],
            durable: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, ino: Ino) -> Result<&Node, Errno> {
        self.all.get(ino.wrapping_sub(1) as usize).ok_or(Errno::NOENT)
    }

    pub(super) fn get_mut(&mut self, ino: Ino) -> Result<&mut Node, Errno> {
        self.all.get_mut(ino.wrapping_sub(1) as usize).ok_or(Errno::NOENT)
    }

    /// The node, if neither it nor a folder above it is away.
    pub(super) fn here(&self, ino: Ino) -> Result<&Node, Errno> {
        let mut at = ino;
        loop {
            let node = self.get(at)?;
            if !node.present || node.withheld {
                return Err(Errno::NOENT);
            }
            if at == ROOT {
                return self.get(ino);
            }
            at = node.parent;
        }
    }

    /// The entry `name` of a folder. `ENOTDIR` if it is no folder.
    pub(super) fn lookup(&self, folder: Ino, name: &str) -> Result<Ino, Errno> {
        let Kind::Folder { entries, .. } = &self.here(folder)?.kind else {
            return Err(Errno::NOTDIR);
        };
        let ino = *entries.get(name).ok_or(Errno::NOENT)?;
        self.here(ino)?;
        Ok(ino)
    }

    /// Adds a node under `folder` and gives its number. `EEXIST` if the name is taken.
    pub(super) fn add(&mut self, folder: Ino, name: &str, perm: u16, kind: Kind) -> Result<Ino, Errno> {
        // Usize to u64 never loses anything on a machine that Linux runs on.
        let ino = self.all.len() as Ino + 1;
        let Kind::Folder { entries, .. } = &mut self.get_mut(folder)?.kind else {
            return Err(Errno::NOTDIR);
        };
        if entries.contains_key(name) {
            return Err(Errno::EXIST);
        }
        entries.insert(name.to_owned(), ino);
        self.all.push(Node::new(folder, name, perm, kind));
        Ok(ino)
    }

    /// The path from the root, without a leading slash.
    pub(super) fn path(&self, ino: Ino) -> String {
        let mut names = Vec::new();
        let mut at = ino;
        while let Ok(node) = self.get(at) {
            if at == ROOT {
                break;
            }
            names.push(node.name.as_str());
            at = node.parent;
        }
        names.reverse();
        names.join("/")
    }

    /// How often a node or a folder above it went away: a descriptor opened before is dead.
    #[cfg(feature = "fuse")]
    pub(super) fn epoch(&self, ino: Ino) -> u64 {
        let mut sum = 0;
        let mut at = ino;
        while let Ok(node) = self.get(at) {
            sum += node.epoch;
            if at == ROOT {
                break;
            }
            at = node.parent;
        }
        sum
    }

    /// Finds a path, following links; those in the last place only if `follow`. Components `.` and `..` and leading
    /// slashes are understood. `ELOOP` after forty links.
    pub(super) fn find(&self, path: &str, follow: bool) -> Result<Ino, Errno> {
        let mut links = 0;
        self.walk(ROOT, path, follow, &mut links)
    }

    fn walk(&self, from: Ino, path: &str, follow: bool, links: &mut u32) -> Result<Ino, Errno> {
        let mut at = if path.starts_with('/') { ROOT } else { from };
        let mut parts = path
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .peekable();
        while let Some(part) = parts.next() {
            if part == ".." {
                at = self.here(at)?.parent;
                continue;
            }
            let next = self.lookup(at, part)?;
            at = match &self.get(next)?.kind {
                Kind::Link(target) if follow || parts.peek().is_some() => {
                    *links += 1;
                    if *links > 40 {
                        return Err(Errno::LOOP);
                    }
                    self.walk(at, target, true, links)?
                }
                _ => next,
            };
        }
        Ok(at)
    }

    /// Every node and its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ino, &Node)> {
        (1..).zip(&self.all)
    }

    /// Takes over a folder and everything below it from `old`, which was built alike and then used. What else was made
    /// since is gone.
    pub(super) fn keep(&mut self, old: &Nodes, folder: Ino) {
        for (ino, node) in old.iter() {
            let kept = ino == folder || old.is_below(ino, folder);
            if let Some(mine) = self.all.get_mut((ino - 1) as usize) {
                if kept {
                    *mine = node.clone();
                }
            } else {
                let mut node = node.clone();
                node.present &= kept;
                self.all.push(node);
            }
        }
        self.durable.clone_from(&old.durable);
    }

    fn is_below(&self, ino: Ino, folder: Ino) -> bool {
        let mut at = ino;
        while at != ROOT {
            let Ok(node) = self.get(at) else { return false };
            at = node.parent;
            if at == folder {
                return true;
            }
        }
        false
    }
}

impl Node {
    fn new(parent: Ino, name: &str, perm: u16, kind: Kind) -> Node {
        Node {
            parent,
            name: name.to_owned(),
            perm,
            kind,
            present: true,
            withheld: false,
            epoch: 0,
        }
    }
}

impl Kind {
    pub(super) fn folder(disk: bool) -> Kind {
        Kind::Folder {
            entries: BTreeMap::new(),
            disk,
        }
    }
}
