//! The answers of a mount: each request of the kernel, put to the tree.

use super::files::{Files, Open, Shared, code, empty, kill, kind, lifetime, part, text};
use crate::twin::faults::{Effect, Touch};
use crate::twin::tree::inode::{Shape, Stat};
use crate::twin::tree::kernel::Plan;
use crate::twin::tree::{By, Tree};
use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenAccMode,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno as Kernel;
use std::ffi::OsStr;
use std::path::Path;
use std::time::SystemTime;

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
        if flags.0 & libc::O_TRUNC != 0
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
