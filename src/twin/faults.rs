//! A [`Fault`] is something that goes wrong on demand in a simulated [`Tree`](super::Tree).
//!
//! It is matched by place and by kind of operation, counts the operations that match, and strikes at the n-th: once, or
//! from then on. Several may be armed; all count, the first that strikes decides.

use crate::units::Nanos;
use rustix::io::Errno;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A read of a file of the kernel or of the disk.
    Read,
    /// A write to a knob: one `write(2)` is one store.
    Write,
    /// A change on the disk (`/etc`, `/run`, `/var`): create, write, truncate, rename, unlink, mkdir, rmdir, fsync. A
    /// name that is made, changed or taken away counts at its folder.
    Disk,
    /// A write to a knob or a change on the disk.
    Change,
}

/// Where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Any file.
    Anywhere,
    /// This path from the root, without links in it; see [`Faults::add`](super::tree::Faults::add).
    Path(String),
    /// Every path that ends so.
    Suffix(String),
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The operation fails with this and changes nothing.
    Errno(Errno),
    /// Only the first bytes are taken, or given: a short count is returned, and a knob sees the shortened text.
    Short(usize),
    /// A write succeeds and changes nothing.
    Ignore,
    /// A knob takes this instead of what was written; a read shows it instead of the value.
    Value(String),
    /// The file goes away: `ENODEV` now, `ENOENT` afterwards, until the faults are cleared.
    Vanish,
    /// The operation waits first, then goes on as usual.
    Block(Nanos),
    /// The process that writes is killed before anything changes.
    KillBefore,
    /// The process that writes is killed after the change.
    KillAfter,
}

/// Something that goes wrong on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    touch: Touch,
    place: Place,
    nth: u64,
    lasting: bool,
    effect: Effect,
}

impl Fault {
    /// Strikes the first such operation anywhere, once.
    pub fn new(touch: Touch, effect: Effect) -> Fault {
        Fault {
            touch,
            place: Place::Anywhere,
            nth: 1,
            lasting: false,
            effect,
        }
    }

    /// Counts only operations there.
    pub fn at(mut self, place: Place) -> Fault {
        self.place = place;
        self
    }

    /// Strikes the n-th that matches, counted from 1; 0 is 1.
    pub fn nth(mut self, nth: u64) -> Fault {
        self.nth = nth.max(1);
        self
    }

    /// Strikes every later one as well.
    pub fn for_good(mut self) -> Fault {
        self.lasting = true;
        self
    }

    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }
}

/// The faults that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Armed {
    /// Each with how many operations matched so far.
    faults: Vec<(Fault, u64)>,
    /// How often one struck.
    pub(super) fired: u64,
}

impl Armed {
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Counts an operation and says what happens to it. `path` is asked for only if a fault is bound to one.
    pub(super) fn strike(&mut self, touch: Touch, path: impl Fn() -> String) -> Option<Effect> {
        let mut struck = None;
        let mut known: Option<String> = None;
        for (fault, seen) in &mut self.faults {
            let kind = fault.touch == touch
                || (fault.touch == Touch::Change && matches!(touch, Touch::Write | Touch::Disk));
            let there = kind
                && match &fault.place {
                    Place::Anywhere => true,
                    Place::Path(wanted) => known.get_or_insert_with(&path) == wanted,
                    Place::Suffix(end) => known.get_or_insert_with(&path).ends_with(end.as_str()),
                };
            if there {
                *seen += 1;
                let due = *seen == fault.nth || (fault.lasting && *seen > fault.nth);
                if due && struck.is_none() {
                    struck = Some(fault.effect.clone());
                }
            }
        }
        self.fired += u64::from(struck.is_some());
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_nth_operation_that_matches_once_or_from_then_on() {
        let effect = Effect::Errno(Errno::IO);
        let strikes = |fault: Fault| {
            let mut armed = Armed::default();
            armed.add(fault);
            let paths = ["a/max", "a/min", "b/max", "b/max"];
            paths.map(|path| armed.strike(Touch::Write, || path.to_owned()).is_some())
        };
        let fault = Fault::new(Touch::Write, effect.clone());
        assert_eq!(strikes(fault.clone()), [true, false, false, false]);
        assert_eq!(strikes(fault.clone().nth(3)), [false, false, true, false]);
        assert_eq!(
            strikes(fault.clone().nth(2).for_good()),
            [false, true, true, true]
        );
        assert_eq!(
            strikes(fault.clone().at(Place::Suffix("max".into())).nth(2)),
            [false, false, true, false]
        );
        assert_eq!(
            strikes(fault.at(Place::Path("a/min".into()))),
            [false, true, false, false]
        );
        assert_eq!(
            strikes(Fault::new(Touch::Change, effect.clone())),
            [true, false, false, false]
        );
        assert_eq!(strikes(Fault::new(Touch::Read, effect)), [false; 4]);
    }
}
