//! A [`Mount`] puts a simulated [`Tree`] under a folder, through `/dev/fuse`.
//!
//! Every read and write of a file reaches the tree: nothing of their content is cached. Names are cached, because a node
//! keeps its number for ever: whether it is there is decided when it is opened, and the kernel is told when that
//! changes. Folders on the disk are not cached at all.
//!
//! One thread answers; an operation that has to wait is answered by a thread of its own, so it holds up nobody else.

#![allow(
    clippy::disallowed_types,
    reason = "the mount's threads are not the dispatcher: they answer system calls of other programs"
)]

mod answer;
mod files;

use super::tree::Tree;
use crate::clock::{Clock, Monotonic};
use crate::units::Nanos;
use core::fmt;
use core::time::Duration;
use files::Files;
use fuser::{BackgroundSession, Config, INodeNo, MountOption, Session, SessionACL};
use rustix::mount::UnmountFlags;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The device that a mount goes through.
const DEVICE: &str = "/dev/fuse";

/// Why a tree was not mounted.
#[derive(Debug)]
#[non_exhaustive]
pub enum MountError {
    /// The folder cannot be used.
    Folder(PathBuf, io::Error),
    /// `/dev/fuse` is missing or may not be opened.
    Device(io::Error),
    /// The kernel refused the mount.
    Refused(PathBuf, io::Error),
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = "`fulcrum twin plain` writes the same tree as ordinary files";
        match self {
            MountError::Folder(path, error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "the folder {} does not exist; make it first", path.display())
            }
            MountError::Folder(path, error) => {
                write!(
                    f,
                    "{} cannot be mounted on: {error}; choose an empty folder",
                    path.display()
                )
            }
            MountError::Device(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(
                    f,
                    "{DEVICE} is missing (try `modprobe fuse`; a container needs --device {DEVICE}); {plain}"
                )
            }
            MountError::Device(error) => write!(f, "{DEVICE} cannot be opened: {error}; {plain}"),
            MountError::Refused(path, error) => write!(
                f,
                "mounting on {} was refused: {error}; it takes root (CAP_SYS_ADMIN in a container) or fusermount3; \
                 {plain}",
                path.display()
            ),
        }
    }
}

impl core::error::Error for MountError {}

/// Operations that wait. Those of a mount that goes away stop waiting.
#[derive(Debug, Default)]
struct Waiting {
    over: Mutex<bool>,
    bell: Condvar,
}

impl Waiting {
    fn wait(&self, time: Nanos) {
        let end = Monotonic.now() + time;
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = end.saturating_sub(Monotonic.now());
            if *over || left == Nanos::ZERO {
                return;
            }
            let woken = self.bell.wait_timeout(over, Duration::from_nanos(left.0));
            over = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn stop(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }
}

/// A mounted tree. Unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    tree: Tree,
    unmounter: Unmounter,
    session: Option<BackgroundSession>,
}

/// Unmounts from another thread, as a signal asks for it.
#[derive(Clone, Debug)]
pub struct Unmounter {
    folder: PathBuf,
    waiting: Arc<Waiting>,
}

impl Mount {
    /// Mounts a tree on a folder. Root's mount is for all users, with the permissions that the files say.
    pub fn new(tree: Tree, folder: &Path) -> Result<Mount, MountError> {
        let folder = folder
            .canonicalize()
            .map_err(|error| MountError::Folder(folder.to_owned(), error))?;
        if !folder.is_dir() {
            return Err(MountError::Folder(folder, io::ErrorKind::NotADirectory.into()));
        }
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(DEVICE);
        drop(opened.map_err(MountError::Device)?);

        let waiting = Arc::<Waiting>::default();
        let files = Files::new(tree.clone(), Arc::clone(&waiting));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("fulcrum-twin".to_owned()),
            MountOption::DefaultPermissions,
        ];
        config.acl = if rustix::process::geteuid().is_root() {
            SessionACL::All
        } else {
            SessionACL::Owner
        };
        let session = Session::new(files, &folder, &config)
            .and_then(Session::spawn)
            .map_err(|error| MountError::Refused(folder.clone(), error))?;

        let notifier = session.notifier();
        tree.watch(Some(Arc::new(move |ino| {
            // Only attributes: a lock on the folder is not needed, so this cannot block on an operation in flight.
            // A node that the kernel does not know is no mistake.
            let _ = notifier.inval_inode(INodeNo(ino), -1, 0);
        })));
        Ok(Mount {
            tree,
            unmounter: Unmounter { folder, waiting },
            session: Some(session),
        })
    }

    /// The tree that is mounted.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.unmounter.folder
    }

    /// Something that unmounts it from another thread.
    pub fn unmounter(&self) -> Unmounter {
        self.unmounter.clone()
    }

    /// Waits until somebody unmounts it.
    pub fn wait(mut self) -> io::Result<()> {
        self.session.take().map_or(Ok(()), BackgroundSession::join)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.tree.watch(None);
        let Some(session) = self.session.take() else {
            return;
        };
        if self.unmounter.unmount() {
            // Whether its thread ended well no longer matters to anybody.
            let _ = session.join();
        } else {
            // Files are still open, and the session ends with the last of them. Dropping it now would unmount
            // whatever lies at the folder by then.
            core::mem::forget(session);
        }
    }
}

impl Unmounter {
    /// Unmounts; operations that wait stop waiting. If files stay open the folder is cleared and they live on until
    /// they are closed; gives false then.
    pub fn unmount(&self) -> bool {
        self.waiting.stop();
        // Who was waiting closes its file in a moment.
        for _ in 0..20 {
            match rustix::mount::unmount(&self.folder, UnmountFlags::empty()) {
                Err(rustix::io::Errno::BUSY) => {
                    Monotonic.sleep_until(Monotonic.now() + Nanos::from_millis(5))
                }
                // Any other error: it is not mounted any more.
                _ => return true,
            }
        }
        rustix::mount::unmount(&self.folder, UnmountFlags::DETACH).is_err()
    }
}
