//! Checkpoints: the state of a training job on disk, so that a power cut costs some steps and never the
//! learning.
//!
//! ```text
//!  Checkpointed    a training job: every N steps some more pieces copy its state, part by part
//!    v
//!  Snapshot        the dispatcher's end: copies into an image made once; no file, no lock, no allocation
//!    v  one image goes round
//!  Writer          the file side, on a thread of its own or where `write_part` is called: a part a call
//!    v
//!  Slots           two files, the older one gives way: written beside, synced, renamed, the folder synced
//!    v
//!  Disk            the six file operations; `Folder` is the real one, the tests have one that loses power
//! ```
//!
//! What is kept is the state between two steps: the parts are copied after a step's last piece and before the
//! next step may start, so no workload needs a second copy of its state for it, and inference still comes in
//! between two parts. The image is also the permit: while the writer holds it, because it still writes or
//! because the write budget is used up, a checkpoint that is due waits, and is taken at the end of the first
//! step after the image came back.

mod budget;
mod content;
mod disk;
mod error;
mod form;
mod job;
mod keeper;
mod slots;
mod snapshot;
mod writer;

pub use budget::Budget;
pub use content::{Checkpoint, Element, Identity, Kept, Shape, State};
pub use disk::{Disk, Folder};
pub use error::{CheckpointError, Damage, Why};
pub use form::{Wrong, decode, encode};
pub use job::Checkpointed;
pub use keeper::Keeper;
pub use slots::Slots;
pub use snapshot::Snapshot;
pub use writer::{Config, Status, Writer, channel};

use crate::schedule::statistics::Counter;
use core::sync::atomic::{AtomicI32, AtomicU64};

/// The name of the counter of steps.
pub const STEPS: &str = "steps";

/// What became of a job's checkpoints. The first three are counted by the dispatcher, the others by the writer.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Snapshots taken.
    pub taken: Counter,
    /// Ends of steps at which a snapshot was due and had to wait for the image: the disk is slow, or the
    /// budget used up.
    pub waited: Counter,
    /// Snapshots given up because the job did not tell its state.
    pub given_up: Counter,
    /// Checkpoints that are on disk for good.
    pub kept: Counter,
    /// Checkpoints that the write budget put off.
    pub put_off: Counter,
    /// Checkpoints that could not be written; the one before stands.
    pub failed: Counter,
    /// The operating system's number for the newest of these, or 0.
    pub errno: AtomicI32,
    /// The steps, as the counter [`STEPS`] has them, of the newest checkpoint on disk; 0 where there is none.
    pub newest_steps: AtomicU64,
    /// Bytes given to the disk.
    pub bytes: Counter,
}
