//! [`Faults`] arms and disarms what goes wrong in a tree.

use super::Tree;
use super::kernel::Kernel;
use crate::twin::faults::{Fault, Place};
use crate::units::Nanos;
use rustix::io::Errno;

/// Arms and disarms what goes wrong in a tree.
#[derive(Clone, Copy, Debug)]
pub struct Faults<'t>(pub(super) &'t Tree);

impl Faults<'_> {
    /// Arms a fault. A path with links in it is resolved now, if it leads anywhere.
    pub fn add(&self, mut fault: Fault) {
        self.0.with(|kernel| {
            if let Place::Path(path) = fault.place_mut() {
                *path = match kernel.built.nodes.find(path, true) {
                    Ok(ino) => kernel.built.nodes.path(ino),
                    Err(_) => path.trim_start_matches('/').to_owned(),
                };
            }
            kernel.armed.add(fault);
        });
    }

    /// Takes a file, or a folder with all in it, away: for so long, or until [`Faults::clear`].
    pub fn hide(&self, path: &str, time: Option<Nanos>) -> Result<(), Errno> {
        self.0.with(|kernel| {
            let ino = kernel.built.nodes.find(path, true)?;
            let until = time.map(|time| kernel.now + time);
            kernel.withhold(ino, until)
        })
    }

    /// Disarms all, and gives back what was taken away.
    pub fn clear(&self) {
        self.0.with(Kernel::clear_faults);
    }

    /// How many operations a fault struck so far.
    pub fn fired(&self) -> u64 {
        self.0.with(|kernel| kernel.armed.fired)
    }
}
