//! The [`Files`] of a mount: what is open, and how an operation waits, fails or kills before it is answered.

use super::Waiting;
use crate::twin::faults::{Effect, Touch};
use crate::twin::tree::Tree;
use crate::twin::tree::inode::{Shape, Stat};
use crate::twin::tree::kernel::Plan;
use crate::twin::tree::node::Ino;
use crate::units::Nanos;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fuser::{Errno, FileAttr, FileHandle, FileType, Generation, INodeNo, ReplyEmpty, ReplyEntry, Request};
use rustix::io::Errno as Kernel;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

/// How long the kernel may remember a name and the attributes of what does not lie on the disk. It is told when one
/// comes or goes.
const LONG: Duration = Duration::from_secs(86_400);

/// An open file.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// See [`Stat::epoch`].
    pub(super) epoch: u64,
    /// What the read at offset zero gave: the reads after it, of a shell that reads byte by byte, continue that one.
    pub(super) shown: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) tree: Tree,
    waiting: Arc<Waiting>,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    owner: (u32, u32),
}

/// The file system that a mount serves.
#[derive(Debug)]
pub(super) struct Files(pub(super) Arc<Shared>);

pub(super) fn code(errno: Kernel) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

pub(super) fn text(name: &OsStr) -> Result<&str, Kernel> {
    // All names of the tree are ASCII; others are for files on the disk, where UTF-8 is enough.
    name.to_str().ok_or(Kernel::ILSEQ)
}

impl Files {
    pub(super) fn new(tree: Tree, waiting: Arc<Waiting>) -> Files {
        let owner = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        Files(Arc::new(Shared {
            tree,
            waiting,
            open: Mutex::new(HashMap::new()),
            next: AtomicU64::new(1),
            owner,
        }))
    }

    /// Carries out `act` at once, or after a wait in a thread of its own.
    pub(super) fn after(&self, wait: Nanos, act: impl FnOnce(&Shared) + Send + 'static) {
        if wait == Nanos::ZERO {
            return act(&self.0);
        }
        let shared = Arc::clone(&self.0);
        // Without a thread the request is dropped, and its reply then says EIO.
        let _ = std::thread::Builder::new()
            .name("twin-wait".to_owned())
            .spawn(move || {
                shared.waiting.wait(wait);
                act(&shared);
            });
    }

    /// A change on the disk that a fault may meet; `answer` gets what came of it.
    pub(super) fn change<T>(
        &self,
        request: &Request,
        node: Ino,
        act: impl FnOnce(&Tree, Option<&Effect>) -> Result<T, Kernel> + Send + 'static,
        answer: impl FnOnce(&Shared, Result<T, Kernel>) + Send + 'static,
    ) {
        let pid = request.pid();
        let Plan { wait, effect } = self.0.tree.plan(Touch::Disk, node);
        self.after(wait, move |shared| {
            let outcome = match &effect {
                Some(Effect::Errno(errno)) => Err(*errno),
                Some(Effect::KillBefore) => {
                    kill(pid);
                    Err(Kernel::CANCELED)
                }
                effect => act(&shared.tree, effect.as_ref()),
            };
            if effect == Some(Effect::KillAfter) {
                kill(pid);
            }
            answer(shared, outcome);
        });
    }

    pub(super) fn entry(&self, outcome: Result<Stat, Kernel>, reply: ReplyEntry) {
        self.0.entry(outcome, reply);
    }
}

/// Kills the process of a request as a power cut would: at once. Never the one that serves the mount.
pub(super) fn kill(pid: u32) {
    let ours = Path::new("/proc/self/task").join(pid.to_string()).exists();
    if let (false, Some(pid)) = (ours, i32::try_from(pid).ok().and_then(Pid::from_raw)) {
        // It may be gone already.
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Shared {
    pub(super) fn attributes(&self, stat: &Stat) -> FileAttr {
        let kind = kind(stat.shape);
        FileAttr {
            ino: INodeNo(stat.ino),
            size: stat.size,
            blocks: stat.size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: stat.perm,
            nlink: if kind == FileType::Directory { 2 } else { 1 },
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: 4_096,
            flags: 0,
        }
    }

    pub(super) fn entry(&self, outcome: Result<Stat, Kernel>, reply: ReplyEntry) {
        match outcome {
            Ok(stat) => reply.entry(&lifetime(&stat), &self.attributes(&stat), Generation(0)),
            Err(errno) => reply.error(code(errno)),
        }
    }

    pub(super) fn new_handle(&self, epoch: u64) -> u64 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles().insert(handle, Open { epoch, shown: None });
        handle
    }

    pub(super) fn handles(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `ENODEV` if the file went away since it was opened, even if it is back.
    pub(super) fn alive(&self, stat: &Result<Stat, Kernel>, handle: FileHandle) -> Result<Stat, Kernel> {
        let stat = stat.map_err(|_| Kernel::NODEV)?;
        match self.handles().get(&handle.0) {
            Some(open) if stat.shape == Shape::Knob && open.epoch != stat.epoch => Err(Kernel::NODEV),
            _ => Ok(stat),
        }
    }
}

pub(super) fn kind(shape: Shape) -> FileType {
    match shape {
        Shape::Folder => FileType::Directory,
        Shape::Link => FileType::Symlink,
        Shape::Knob | Shape::Disk | Shape::Own => FileType::RegularFile,
    }
}

pub(super) fn lifetime(stat: &Stat) -> Duration {
    if stat.disk { Duration::ZERO } else { LONG }
}

pub(super) fn part(bytes: &[u8], offset: u64, size: u32) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let end = start.saturating_add(size as usize).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

pub(super) fn empty(outcome: Result<(), Kernel>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(code(errno)),
    }
}
