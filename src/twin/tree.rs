//! A [`Tree`] is a simulated Jetson as its files: the kernel's nodes with their write rules, and a disk.
//!
//! The rules are ours, written from the facts in shared/design/jetson.md. What it does not simulate: nodes of other
//! drivers, sysfs events, the process table, networks. `Mount` puts a tree under a folder, [`Tree::write_plain`] writes
//! it as ordinary files, and [`Tree::read`] and [`Tree::write`] use it without any file system.

#![allow(
    clippy::disallowed_types,
    reason = "a simulated kernel is used by tests and by the mount, never by the dispatcher; one lock keeps it simple"
)]

mod adversary;
mod arms;
mod attribute;
mod board;
mod boards;
mod build;
mod command;
mod content;
mod cpu;
mod disk;
mod draw;
mod gpu;
#[cfg(feature = "fuse")]
pub(super) mod inode;
pub(super) mod kernel;
mod latency;
mod memory;
pub(super) mod node;
mod number;
mod operation;
mod options;
mod plain;
mod preset;
mod rails;

use super::faults::{Effect, Touch};
use crate::clock::{Clock, Monotonic};
use crate::units::Nanos;
use core::fmt;
use kernel::{Kernel, Plan};
use node::{Ino, Kind};
use rustix::io::Errno;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use adversary::{Adversary, AdversaryError};
pub use arms::Faults;
pub use command::CommandError;
pub use operation::{By, Operation};
pub use options::{Hotplug, Options, TreeError};

/// Is told the number of a node that came or went, so that a cache can forget it.
pub(super) type Watcher = Arc<dyn Fn(Ino) + Send + Sync>;

#[derive(Default)]
struct Watch(Mutex<Option<Watcher>>);

impl Watch {
    fn get(&self) -> Option<Watcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "fuse")]
    fn set(&self, watcher: Option<Watcher>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watcher;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

#[derive(Debug)]
struct Shared {
    live: bool,
    kernel: Mutex<Kernel>,
    watch: Watch,
}

/// A simulated Jetson as its files. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub struct Tree(Arc<Shared>);

impl Tree {
    /// The boards that can be opened: name, and a line for a person.
    pub fn boards() -> impl Iterator<Item = (&'static str, &'static str)> {
        boards::ALL.iter().map(|make| {
            let board = make();
            (board.name, board.title)
        })
    }

    /// A board that has just started, idle and at rest.
    pub fn open(board: &str, options: Options) -> Result<Tree, TreeError> {
        let found = boards::ALL
            .iter()
            .map(|make| make())
            .find(|known| known.name == board);
        let board = found.ok_or_else(|| TreeError::Unknown(board.to_owned()))?;
        let now = if options.live {
            Monotonic.now()
        } else {
            Nanos::ZERO
        };
        Ok(Tree(Arc::new(Shared {
            live: options.live,
            kernel: Mutex::new(Kernel::start(board, options, now)?),
            watch: Watch::default(),
        })))
    }

    /// Does something to the state, then tells the watcher which nodes came or went.
    fn with<T>(&self, act: impl FnOnce(&mut Kernel) -> T) -> T {
        let mut kernel = self.lock();
        if self.0.live {
            kernel.tick(Monotonic.now());
        }
        let outcome = act(&mut kernel);
        let changed = core::mem::take(&mut kernel.changed);
        drop(kernel);
        if let (false, Some(watcher)) = (changed.is_empty(), self.0.watch.get()) {
            changed.into_iter().for_each(|ino| watcher(ino));
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Kernel> {
        // A panic while it was held can only leave a half-done store, which a test must see anyway.
        self.0.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a file shows now. Links are followed. Waits where a fault or a latency says so.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let ino = self.with(|kernel| kernel.built.nodes.find(path, true))?;
        let plan = self.plan(Touch::Read, ino);
        self.wait(plan.wait);
        self.carry_out_read(ino, plan)
    }

    /// The same as text, without blanks at its end.
    pub fn text(&self, path: &str) -> Result<String, Errno> {
        let shown = self.read(path)?;
        Ok(String::from_utf8_lossy(&shown).trim_end().to_owned())
    }

    /// One `write(2)` to a file, as by root after `open` with `O_TRUNC`. Gives the bytes that were taken.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<usize, Errno> {
        let bytes = bytes.as_ref();
        let (ino, disk, perm) = self.with(|kernel| {
            let ino = kernel.built.nodes.find(path, true)?;
            let node = kernel.built.nodes.get(ino)?;
            Ok::<_, Errno>((ino, matches!(node.kind, Kind::Disk(_)), node.perm))
        })?;
        if perm & 0o222 == 0 {
            return Err(Errno::ACCESS);
        }
        if disk {
            let plan = self.plan(Touch::Disk, ino);
            self.wait(plan.wait);
            if let Some(Effect::Errno(errno)) = plan.effect {
                return Err(errno);
            }
            return self.with(|kernel| {
                kernel.built.nodes.resize(ino, 0)?;
                kernel.built.nodes.write_at(ino, 0, bytes)
            });
        }
        let plan = self.plan(Touch::Write, ino);
        self.wait(plan.wait);
        self.carry_out_write(By::Holder, ino, bytes, plan)
    }

    /// The names in a folder, sorted. Links are followed.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Errno> {
        self.with(|kernel| {
            let ino = kernel.built.nodes.find(path, true)?;
            let Kind::Folder { entries, .. } = &kernel.built.nodes.here(ino)?.kind else {
                return Err(Errno::NOTDIR);
            };
            let here = entries
                .iter()
                .filter(|(_, ino)| kernel.built.nodes.here(**ino).is_ok());
            Ok(here
                .map(|(name, _)| name.clone())
                .filter(|name| name != HIDDEN)
                .collect())
        })
    }

    /// Permission bits of a path; links are followed.
    pub fn permissions(&self, path: &str) -> Result<u16, Errno> {
        self.with(|kernel| Ok(kernel.built.nodes.get(kernel.built.nodes.find(path, true)?)?.perm))
    }

    /// Whether a path leads to something that is there.
    pub fn exists(&self, path: &str) -> bool {
        self.with(|kernel| kernel.built.nodes.find(path, true).is_ok())
    }

    /// Arms and disarms what goes wrong.
    pub fn faults(&self) -> Faults<'_> {
        Faults(self)
    }

    /// The writes to knobs so far, in order; the latest hundred thousand.
    pub fn log(&self) -> Vec<Operation> {
        self.with(|kernel| kernel.log.iter().cloned().collect())
    }

    /// Forgets the writes so far.
    pub fn clear_log(&self) {
        self.with(|kernel| kernel.log.clear());
    }

    /// Sets the load of CPU and GPU, each from 0 to 1.
    pub fn set_load(&self, cpu: f64, gpu: f64) {
        self.with(|kernel| kernel.set_load(cpu, gpu));
    }

    /// Switches the measured latencies on or off.
    pub fn latencies(&self, on: bool) {
        self.with(|kernel| kernel.options.latencies = on);
    }

    /// Lets an over-current input (1 under-voltage, 2 mean, 3 instantaneous) fire so many times more.
    pub fn over_current(&self, input: usize, times: u64) -> Result<(), Errno> {
        self.with(|kernel| {
            let count = input
                .checked_sub(1)
                .and_then(|index| kernel.rails.over_current.get_mut(index));
            *count.ok_or(Errno::INVAL)? += times;
            Ok(())
        })
    }

    /// Lets other software of the board write.
    pub fn adversary(&self, adversary: Adversary) -> Result<(), AdversaryError> {
        self.with(|kernel| kernel.act(adversary))
    }

    /// Starts the board again: everything but `/var/lib`, the log and the armed faults is as after the first start, in
    /// the mode that the tool's note names; the boot id is another.
    pub fn reboot(&self) -> Result<(), TreeError> {
        self.with(Kernel::reboot)
    }

    /// The power fails and comes back: as [`Tree::reboot`], and what of `/var/lib` was not synced is gone: the content
    /// of files, and the names in folders. That is the harshest that a disk may do.
    pub fn power_cut(&self) -> Result<(), TreeError> {
        self.with(|kernel| {
            kernel.built.nodes.cut();
            kernel.reboot()
        })
    }

    /// Moves the time of a tree that is not live.
    pub fn advance(&self, by: Nanos) {
        let mut kernel = self.lock();
        if !self.0.live {
            let now = kernel.now + by;
            kernel.tick(now);
        }
    }

    pub(super) fn plan(&self, touch: Touch, ino: Ino) -> Plan {
        self.with(|kernel| kernel.plan(touch, ino))
    }

    /// Waits in the caller's thread; time by hand does not pass meanwhile.
    fn wait(&self, time: Nanos) {
        if time > Nanos::ZERO && self.0.live {
            Monotonic.sleep_until(Monotonic.now() + time);
        }
    }

    /// A read, after its wait.
    pub(super) fn carry_out_read(&self, ino: Ino, plan: Plan) -> Result<Vec<u8>, Errno> {
        self.with(|kernel| match plan.effect {
            Some(Effect::Errno(errno)) => Err(errno),
            Some(Effect::Vanish) => {
                kernel.withhold(ino, None)?;
                Err(Errno::NODEV)
            }
            Some(Effect::Value(value)) => Ok((value + "\n").into_bytes()),
            Some(Effect::Short(bytes)) => {
                let mut shown = kernel.show(ino)?;
                shown.truncate(bytes);
                Ok(shown)
            }
            _ => kernel.show(ino),
        })
    }

    /// A write to a knob, after its wait. Killing is the mount's part; without a process the write before which it
    /// would be killed gives `ECANCELED` (which no library tries again).
    pub(super) fn carry_out_write(&self, by: By, ino: Ino, bytes: &[u8], plan: Plan) -> Result<usize, Errno> {
        self.with(|kernel| {
            let result = match plan.effect {
                Some(Effect::Errno(errno)) => Err(errno),
                Some(Effect::KillBefore) => Err(Errno::CANCELED),
                Some(Effect::Vanish) => kernel.withhold(ino, None).and(Err(Errno::NODEV)),
                Some(Effect::Ignore) => Ok(bytes.len()),
                Some(Effect::Value(value)) => kernel.store(ino, value.as_bytes()).map(|()| bytes.len()),
                Some(Effect::Short(taken)) => {
                    let part = bytes.get(..taken).unwrap_or(bytes);
                    match part {
                        [] => Ok(0),
                        part => kernel.store(ino, part).map(|()| part.len()),
                    }
                }
                Some(Effect::Block(_) | Effect::KillAfter) | None => {
                    kernel.store(ino, bytes).map(|()| bytes.len())
                }
            };
            kernel.log_write(by, ino, bytes, result.map(|_| ()), plan.wait);
            result
        })
    }
}

/// The folder of the twin's own files, which no listing shows.
pub(super) const HIDDEN: &str = ".twin";
