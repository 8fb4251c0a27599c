//! The swap: new weights go into service between two pieces, without lock, copy or allocation.
//!
//! An engine keeps [`SETS`] sets of weights, each prepared for every run once and for all. Which of them
//! serves is one atomic word, so a swap and a revert cost the stream the same whatever the size of the model:
//! a change of index. Three sets go round: the one that serves, the one that served before it, for a revert,
//! and a spare that the trainer fills.
//!
//! The trainer fills a set while it is spare; nobody else looks at it then. A minibatch that is still running
//! marks its set, so a set that was swapped out under it is not spare before it ends; while that leaves none,
//! the trainer skips.

use super::atomic::{AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::sync::Arc;

/// Sets of weights in circulation: in service, in service before, being filled.
pub const SETS: usize = 3;

/// Stands in the word where there is no set.
const NONE: u64 = 3;

/// What the word says. From the low end: two bits each for the set that serves, the one before, and the one
/// that a minibatch runs with; then how often the set that serves has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    serving: u64,
    previous: u64,
    busy: u64,
    changes: u64,
}

impl State {
    const fn pack(self) -> u64 {
        self.serving | self.previous << 2 | self.busy << 4 | self.changes << 6
    }

    const fn unpack(word: u64) -> State {
        State {
            serving: word & 3,
            previous: word >> 2 & 3,
            busy: word >> 4 & 3,
            changes: word >> 6,
        }
    }

    /// Set `set` serves now; the one that did is kept for a revert.
    fn swapped(self, set: u64) -> State {
        State {
            serving: set,
            previous: self.serving,
            changes: self.changes + 1,
            ..self
        }
    }

    /// The set before serves again; the one that did is spare.
    fn reverted(self) -> State {
        State {
            serving: self.previous,
            previous: NONE,
            changes: self.changes + 1,
            ..self
        }
    }

    fn spare(self) -> Option<u64> {
        (0..SETS as u64).find(|set| ![self.serving, self.previous, self.busy].contains(set))
    }
}

#[derive(Debug)]
struct Shared {
    word: AtomicU64,
    /// Of each set; written by the trainer while the set is spare.
    versions: [AtomicU32; SETS],
}

impl Shared {
    fn state(&self) -> State {
        State::unpack(self.word.load(Acquire))
    }

    /// Has the word follow `to`, unless that says no; returns what it became.
    fn change(&self, to: impl Fn(State) -> Option<State>) -> Option<State> {
        let mut word = self.word.load(Acquire);
        loop {
            let wanted = to(State::unpack(word))?;
            match self.word.compare_exchange(word, wanted.pack(), AcqRel, Acquire) {
                Ok(_) => return Some(wanted),
                Err(other) => word = other,
            }
        }
    }

    /// Of a set that is not spare, or of one's own spare.
    fn version(&self, set: u64) -> u32 {
        let version = self.versions.get(set as usize);
        version.map_or(0, |version| version.load(Relaxed))
    }
}

/// The three ends of a swap: the trainer's, inference's, and one to revert with. Set 0 serves, with version
/// 0.
pub fn channel() -> (Publisher, Serving, Reverter) {
    let first = State {
        serving: 0,
        previous: NONE,
        busy: NONE,
        changes: 0,
    };
    let shared = Arc::new(Shared {
        word: AtomicU64::new(first.pack()),
        versions: [const { 0 }; SETS].map(AtomicU32::new),
    });
    (
        Publisher {
            shared: Arc::clone(&shared),
            claimed: None,
            version: 0,
        },
        Serving {
            shared: Arc::clone(&shared),
        },
        Reverter { shared },
    )
}

/// A swap that does not choose: its end is told by number which set serves, by a swap on the other side of
/// the C ABI.
#[cfg(feature = "onnx")]
pub(crate) fn told() -> (Told, Serving) {
    let (publisher, serving, _) = channel();
    (
        Told {
            shared: publisher.shared,
        },
        serving,
    )
}

/// The end of a [swap that is told](told) which set serves.
#[cfg(feature = "onnx")]
#[derive(Clone, Debug)]
pub(crate) struct Told {
    shared: Arc<Shared>,
}

#[cfg(feature = "onnx")]
impl Told {
    /// Set `set` serves from the next minibatch on, with weights of this version; false where there is no
    /// such set.
    pub(crate) fn serve(&self, set: usize, version: u32) -> bool {
        let Some(place) = self.shared.versions.get(set) else {
            return false;
        };
        place.store(version, Relaxed);
        self.shared.change(|state| Some(state.swapped(set as u64)));
        true
    }

    /// The set of this number. Whether it is spare the other swap knows, and asks to fill no other: after a
    /// revert this end hears only with the next minibatch which set serves.
    pub(crate) fn set(&self, index: usize) -> Option<Set<'_>> {
        (index < SETS).then_some(Set {
            index,
            spare: true,
            of: &self.shared,
        })
    }
}

/// A set of weights that its holder may read, or fill if it is spare. Engines take it instead of a number, so
/// that no set is written that somebody reads.
#[derive(Debug)]
pub struct Set<'a> {
    index: usize,
    spare: bool,
    of: &'a Arc<Shared>,
}

impl Set<'_> {
    /// Which one, below [`SETS`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether it may be written.
    pub fn is_spare(&self) -> bool {
        self.spare
    }

    /// Whether it is one of the sets of the swap that `mark` is of.
    pub fn is_of(&self, mark: &Mark) -> bool {
        Arc::ptr_eq(self.of, &mark.0)
    }
}

/// Tells the sets of one swap from those of another.
#[derive(Clone, Debug)]
pub struct Mark(Arc<Shared>);

/// The trainer's end.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    /// The spare set that is being filled. Nobody takes it away: only what serves can become busy or
    /// previous.
    claimed: Option<u64>,
    version: u32,
}

impl Publisher {
    /// The set to fill, the same one until it is published; `None` while a running minibatch holds the last
    /// spare one.
    pub fn spare(&mut self) -> Option<Set<'_>> {
        let set = self.claimed.or_else(|| self.shared.state().spare())?;
        self.claimed = Some(set);
        Some(Set {
            index: set as usize,
            spare: true,
            of: &self.shared,
        })
    }

    /// The set in service now, to compare with. It is not written as long as this end is borrowed.
    pub fn serving(&mut self) -> Set<'_> {
        Set {
            index: self.shared.state().serving as usize,
            spare: false,
            of: &self.shared,
        }
    }

    /// How often the set in service has changed, by a swap or a revert.
    pub fn changes(&self) -> u64 {
        self.shared.state().changes
    }

    /// Puts the filled set into service, if that has changed `changes` times: else the set was compared with
    /// weights that serve no more, and stays to be filled again. Returns its version, counted from 1.
    pub fn publish(&mut self, changes: u64) -> Option<u32> {
        let set = self.claimed?;
        let version = self.version.wrapping_add(1);
        if let Some(place) = self.shared.versions.get(set as usize) {
            place.store(version, Relaxed);
        }
        self.shared
            .change(|state| (state.changes == changes).then(|| state.swapped(set)))?;
        self.claimed = None;
        self.version = version;
        Some(version)
    }

    /// Counts the filled set as one that is not used; it stays to be filled again. Returns the version it
    /// would have had: no two sets share a number.
    pub fn reject(&mut self) -> u32 {
        self.version = self.version.wrapping_add(1);
        self.version
    }
}

/// Inference's end.
#[derive(Debug)]
pub struct Serving {
    shared: Arc<Shared>,
}

impl Serving {
    /// The set that serves, for one minibatch: it stays as it is until the answer is dropped. Neither blocks
    /// nor allocates.
    pub fn begin(&mut self) -> Running<'_> {
        let busy = self.shared.change(|state| {
            Some(State {
                busy: state.serving,
                ..state
            })
        });
        let set = busy.map_or(0, |state| state.serving);
        Running {
            set: set as usize,
            version: self.shared.version(set),
            shared: &self.shared,
        }
    }

    /// Gives a set free that [`Running::kept`] kept, at the end of its minibatch.
    pub fn end(&mut self) {
        self.shared.change(|state| Some(State { busy: NONE, ..state }));
    }

    /// Tells the sets of this swap from others.
    pub fn mark(&self) -> Mark {
        Mark(Arc::clone(&self.shared))
    }
}

/// A minibatch that runs with a set.
#[derive(Debug)]
pub struct Running<'a> {
    /// The set, below [`SETS`].
    pub set: usize,
    /// The version of its weights.
    pub version: u32,
    shared: &'a Shared,
}

impl Running<'_> {
    /// Keeps the set as it is beyond this borrow, until [`Serving::end`] or the next minibatch: for one that is cut, between
    /// whose pieces other work runs. Answers the set and its version.
    pub fn kept(self) -> (usize, u32) {
        let kept = (self.set, self.version);
        core::mem::forget(self);
        kept
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| Some(State { busy: NONE, ..state }));
    }
}

/// Goes back to the version before. From any thread, any number of them.
#[derive(Clone, Debug)]
pub struct Reverter {
    shared: Arc<Shared>,
}

impl Reverter {
    /// Puts the version that served before back into service, from the next minibatch on; returns which.
    /// `None`, and nothing changed, where there is none: before the first swap, and after a revert until the
    /// next one. What was reverted is gone. The trainer goes on from its own state. Neither blocks nor
    /// allocates.
    pub fn revert(&self) -> Option<u32> {
        let mut word = self.shared.word.load(Acquire);
        loop {
            let state = State::unpack(word);
            if state.previous == NONE {
                return None;
            }
            // Read before the exchange: had the set been filled anew meanwhile, the count of changes would
            // have moved.
            let version = self.shared.version(state.previous);
            let wanted = state.reverted().pack();
            match self.shared.word.compare_exchange(word, wanted, AcqRel, Acquire) {
                Ok(_) => return Some(version),
                Err(other) => word = other,
            }
        }
    }
}
