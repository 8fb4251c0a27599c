//! The answers of a mount: each request of the kernel, put to the tree.

use super::Waiting;
use crate::twin::faults::{Effect, Touch};
use crate::twin::tree::inode::{Shape, Stat};
use crate::twin::tree::kernel::Plan;
use crate::twin::tree::node::Ino;
use crate::twin::tree::{By, Tree};
use crate::units::Nanos;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno as Kernel;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How long the kernel may remember a name and the attributes of what does not lie on the disk. It is told when one
/// comes or goes.
const LONG: Duration = Duration::from_secs(86_400);

const O_TRUNC: i32 = libc::O_TRUNC;

/// An open file.
#[derive(Debug, Default)]
struct Open {
    /// See [`Stat::epoch`].
    epoch: u64,
    /// What the read at offset zero gave: the reads after it, of a shell that reads byte by byte, continue that one.
    shown: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Shared {
    tree: Tree,
    waiting: Arc<Waiting>,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    owner: (u32, u32),
}

/// The file system that a mount serves.
#[derive(Debug)]
pub(super) struct Files(Arc<Shared>);

fn code(errno: Kernel) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

fn text(name: &OsStr) -> Result<&str, Kernel> {
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
    fn after(&self, wait: Nanos, act: impl FnOnce(&Shared) + Send + 'static) {
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
    fn change<T>(
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

    fn entry(&self, outcome: Result<Stat, Kernel>, reply: ReplyEntry) {
        self.0.entry(outcome, reply);
    }
}

/// Kills the process of a request as a power cut would: at once. Never the one that serves the mount.
fn kill(pid: u32) {
    let ours = Path::new("/proc/self/task").join(pid.to_string()).exists();
    if let (false, Some(pid)) = (ours, i32::try_from(pid).ok().and_then(Pid::from_raw)) {
        // It may be gone already.
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Shared {
    fn attributes(&self, stat: &Stat) -> FileAttr {
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

    fn entry(&self, outcome: Result<Stat, Kernel>, reply: ReplyEntry) {
        match outcome {
            Ok(stat) => reply.entry(&lifetime(&stat), &self.attributes(&stat), Generation(0)),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn new_handle(&self, epoch: u64) -> u64 {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles().insert(handle, Open { epoch, shown: None });
        handle
    }

    fn handles(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `ENODEV` if the file went away since it was opened, even if it is back.
    fn alive(&self, stat: &Result<Stat, Kernel>, handle: FileHandle) -> Result<Stat, Kernel> {
        let stat = stat.map_err(|_| Kernel::NODEV)?;
        match self.handles().get(&handle.0) {
            Some(open) if stat.shape == Shape::Knob && open.epoch != stat.epoch => Err(Kernel::NODEV),
            _ => Ok(stat),
        }
    }
}

fn kind(shape: Shape) -> FileType {
    match shape {
        Shape::Folder => FileType::Directory,
        Shape::Link => FileType::Symlink,
        Shape::Knob | Shape::Disk | Shape::Own => FileType::RegularFile,
    }
}

fn lifetime(stat: &Stat) -> Duration {
    if stat.disk { Duration::ZERO } else { LONG }
}

fn part(bytes: &[u8], offset: u64, size: u32) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let end = start.saturating_add(size as usize).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

impl Filesystem for Files {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(
            text(name).and_then(|name| self.0.tree.child(parent.0, name)),
            reply,
        );
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.tree.stat(ino.0) {
            Ok(stat) => reply.attr(&lifetime(&stat), &self.0.attributes(&stat)),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let ino = ino.0;
        let set = move |tree: &Tree| {
            if let Some(mode) = mode {
                tree.set_permissions(ino, (mode & 0o7777) as u16)?;
            }
            if let Some(size) = size {
                tree.resize(ino, size)?;
            }
            tree.stat(ino)
        };
        let answer = move |shared: &Shared, outcome: Result<Stat, Kernel>| match outcome {
            Ok(stat) => reply.attr(&lifetime(&stat), &shared.attributes(&stat)),
            Err(errno) => reply.error(code(errno)),
        };
        match self.0.tree.stat(ino) {
            // Times and owners are not kept, so what sets only those changes nothing.
            Ok(stat) if stat.shape == Shape::Disk && size.is_some() => {
                self.change(request, ino, move |tree, _| set(tree), answer);
            }
            Ok(_) => answer(&self.0, set(&self.0.tree)),
            Err(errno) => answer(&self.0, Err(errno)),
        }
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        match self.0.tree.link_text(ino.0) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(errno) => reply.error(code(errno)),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let name = text(name).map(str::to_owned);
        let perm = (mode & !umask & 0o7777) as u16;
        let make = move |tree: &Tree, _: Option<&Effect>| {
            // Sysfs has no way to make a folder.
            let made = tree.make_folder(parent.0, &name?, perm);
            tree.stat(made.map_err(|errno| {
                if errno == Kernel::ACCESS {
                    Kernel::PERM
                } else {
                    errno
                }
            })?)
        };
        self.change(request, parent.0, make, move |shared, outcome| {
            shared.entry(outcome, reply)
        });
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let name = text(name).map(str::to_owned);
        let target = text(target.as_os_str()).map(str::to_owned);
        let make =
            move |tree: &Tree, _: Option<&Effect>| tree.stat(tree.make_link(parent.0, &name?, &target?)?);
        self.change(request, parent.0, make, move |shared, outcome| {
            shared.entry(outcome, reply)
        });
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = text(name).map(str::to_owned);
        let remove = move |tree: &Tree, _: Option<&Effect>| tree.remove(parent.0, &name?, false);
        self.change(request, parent.0, remove, |_, outcome| empty(outcome, reply));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = text(name).map(str::to_owned);
        let remove = move |tree: &Tree, _: Option<&Effect>| tree.remove(parent.0, &name?, true);
        self.change(request, parent.0, remove, |_, outcome| empty(outcome, reply));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let from = text(name).map(str::to_owned);
        let to = text(newname).map(str::to_owned);
        let rename = move |tree: &Tree, _: Option<&Effect>| {
            if flags.intersects(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT) {
                return Err(Kernel::INVAL);
            }
            let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
            tree.rename((parent.0, &from?), (newparent.0, &to?), replace)
        };
        self.change(request, newparent.0, rename, |_, outcome| empty(outcome, reply));
    }

    fn open(&self, _request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let stat = match self.0.tree.stat(ino.0) {
            Ok(stat) => stat,
            Err(errno) => return reply.error(code(errno)),
        };
        let wanted = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => 0o444,
            OpenAccMode::O_WRONLY => 0o222,
            OpenAccMode::O_RDWR => 0o666,
        };
        // Sysfs refuses what a file has no function for, to root as well.
        let missing = |bits: u16| wanted & bits != 0 && stat.perm & bits == 0;
        if matches!(stat.shape, Shape::Knob | Shape::Own) && (missing(0o444) || missing(0o222)) {
            return reply.error(Errno::EACCES);
        }
        if flags.0 & O_TRUNC != 0
            && stat.shape == Shape::Disk
            && let Err(errno) = self.0.tree.resize(ino.0, 0)
        {
            return reply.error(code(errno));
        }
        let handle = self.0.new_handle(stat.epoch);
        reply.opened(
            FileHandle(handle),
            FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH,
        );
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let name = text(name).map(str::to_owned);
        let perm = (mode & !umask & 0o7777) as u16;
        let make = move |tree: &Tree, _: Option<&Effect>| tree.stat(tree.create(parent.0, &name?, perm)?);
        self.change(request, parent.0, make, move |shared, outcome| match outcome {
            Ok(stat) => {
                let handle = FileHandle(shared.new_handle(stat.epoch));
                let flags = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH;
                reply.created(
                    &lifetime(&stat),
                    &shared.attributes(&stat),
                    Generation(0),
                    handle,
                    flags,
                );
            }
            Err(errno) => reply.error(code(errno)),
        });
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let stat = match self.0.alive(&self.0.tree.stat(ino.0), handle) {
            Ok(stat) => stat,
            Err(errno) => return reply.error(code(errno)),
        };
        if offset > 0
            && stat.shape != Shape::Disk
            && let Some(Open {
                shown: Some(shown), ..
            }) = self.0.handles().get(&handle.0)
        {
            return reply.data(part(shown, offset, size));
        }
        let plan = match stat.shape {
            Shape::Own => Plan::default(),
            _ => self.0.tree.plan(Touch::Read, ino.0),
        };
        self.after(plan.wait, move |shared| {
            match shared.tree.carry_out_read(ino.0, plan) {
                Ok(shown) => {
                    reply.data(part(&shown, offset, size));
                    if stat.shape != Shape::Disk
                        && let Some(open) = shared.handles().get_mut(&handle.0)
                    {
                        open.shown = Some(shown);
                    }
                }
                Err(errno) => reply.error(code(errno)),
            }
        });
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let ino = ino.0;
        let stat = match self.0.alive(&self.0.tree.stat(ino), handle) {
            Ok(stat) => stat,
            Err(errno) => return reply.error(code(errno)),
        };
        // A count of bytes in one request fits in 32 bits.
        let answer = |outcome: Result<usize, Kernel>, reply: ReplyWrite| match outcome {
            Ok(taken) => reply.written(taken as u32),
            Err(errno) => reply.error(code(errno)),
        };
        match stat.shape {
            Shape::Own => answer(self.0.tree.control(data).map(|()| data.len()), reply),
            Shape::Disk => {
                let data = data.to_vec();
                let write = move |tree: &Tree, effect: Option<&Effect>| {
                    let offset = usize::try_from(offset).map_err(|_| Kernel::FBIG)?;
                    tree.disk_write(ino, offset, &data, effect)
                };
                self.change(request, ino, write, move |_, outcome| answer(outcome, reply));
            }
            _ => {
                let pid = request.pid();
                let plan = self.0.tree.plan(Touch::Write, ino);
                // One store takes a page at most.
                let data = data.get(..4_096).unwrap_or(data).to_vec();
                self.after(plan.wait, move |shared| {
                    let after = plan.effect == Some(Effect::KillAfter);
                    if plan.effect == Some(Effect::KillBefore) {
                        kill(pid);
                    }
                    let outcome = shared.tree.carry_out_write(By::Process(pid), ino, &data, plan);
                    if after {
                        kill(pid);
                    }
                    answer(outcome, reply);
                });
            }
        }
    }

    fn release(
        &self,
        _request: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.0.handles().remove(&handle.0);
        reply.ok();
    }

    fn fsync(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        match self.0.tree.stat(ino.0) {
            Ok(stat) if stat.shape == Shape::Disk => {
                self.change(
                    request,
                    ino.0,
                    move |tree, _| tree.sync(ino.0),
                    |_, outcome| empty(outcome, reply),
                );
            }
            outcome => empty(outcome.map(|_| ()), reply),
        }
    }

    fn fsyncdir(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.change(
            request,
            ino.0,
            move |tree, _| tree.sync(ino.0),
            |_, outcome| empty(outcome, reply),
        );
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let (above, entries) = match self.0.tree.entries(ino.0) {
            Ok(listing) => listing,
            Err(errno) => return reply.error(code(errno)),
        };
        let dots = [(ino.0, ".".to_owned()), (above, "..".to_owned())];
        let dots = dots.into_iter().map(|(ino, name)| (ino, Shape::Folder, name));
        let all = (1_u64..).zip(dots.chain(entries));
        // The offset is the number of the last entry that was taken.
        for (number, (ino, shape, name)) in all.skip_while(|(number, _)| *number <= offset) {
            if reply.add(INodeNo(ino), number, kind(shape), name) {
                break;
            }
        }
        reply.ok();
    }
}

fn empty(outcome: Result<(), Kernel>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(code(errno)),
    }
}
