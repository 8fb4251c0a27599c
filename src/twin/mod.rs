//! A simulated board, in memory: the knobs, rails and temperature of a Jetson, and its physics on real pieces.
//!
//! A [`Twin`] implements [`Board`]; [`Paced`] makes a real workload take the time it would take there; and
//! [`Twin::table`] says what every mode would do. Equal seeds and equal use give equal readings. The physics is in
//! [`physics`], with what it was fitted to and how well.
//!
//! First form. What it leaves out: memory contention between CPU and GPU, the kernel that runs slower at the highest
//! memory clock, minibatch-dependent time (the host's own times are stretched, whatever their shape), over-current
//! counters, throttling, the time that a write takes, and coupled nodes.

mod agx_orin;
pub mod faults;
#[cfg(feature = "fuse")]
pub mod fuse;
pub mod pace;
pub mod physics;
mod sensors;
pub mod table;
mod thermal;
pub mod tree;

use crate::board::{Board, BoardError, Facts, FactsError, Knob, Rails, RawFacts};
use crate::clock::{Clock, Monotonic};
use crate::power::{ModeSpace, PowerMode};
use crate::profile::Kind;
use crate::units::{Millicelsius, Nanos};
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use physics::{Physics, Share, Use};
use sensors::Sensors;
use std::sync::Arc;

pub use faults::Fault;
#[cfg(feature = "fuse")]
pub use fuse::Mount;
pub use pace::Paced;
pub use table::HostTime;
pub use tree::Tree;

/// Makes a board's facts and physics.
type Make = fn() -> (RawFacts, Physics);

/// The boards that can be simulated, by name.
const KNOWN: &[(&str, Make)] = &[(agx_orin::NAME, agx_orin::board)];

/// Why no twin was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TwinError {
    /// No board of this name can be simulated.
    Unknown(String),
    /// The simulated board's own facts are wrong; a mistake in this library.
    Facts(FactsError),
}

impl fmt::Display for TwinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TwinError::Unknown(name) => {
                write!(f, "no board named {name:?} can be simulated; choose one of: ")?;
                for (index, (known, _)) in KNOWN.iter().enumerate() {
                    write!(f, "{}{known}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            TwinError::Facts(error) => write!(f, "the simulated board's tables are wrong: {error}"),
        }
    }
}

impl core::error::Error for TwinError {}

/// How long work of one kind has held the accelerator.
#[derive(Debug, Default)]
struct Held {
    /// Nanoseconds held.
    busy: AtomicU64,
    /// The same, weighted by how busy the GPU is while held; see [`Physics::activity`].
    active: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    facts: Facts,
    space: ModeSpace,
    physics: Physics,
    /// Whether time is [`Monotonic`]; else only [`Twin::advance_to`] moves it.
    live: bool,
    cores: AtomicU32,
    cpu: AtomicU32,
    gpu: AtomicU32,
    emc: AtomicU32,
    inference: Held,
    training: Held,
    sensors: Sensors,
}

/// A simulated board. A clone is another handle to the same board, for another thread; nothing in it locks.
#[derive(Clone, Debug)]
pub struct Twin(Arc<Shared>);

impl Twin {
    /// The names that [`Twin::open`] knows.
    pub fn known() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// A simulated board in its top mode, idle and at rest; its time is the monotonic clock's.
    pub fn open(name: &str, seed: u64) -> Result<Twin, TwinError> {
        Twin::new(name, seed, true, Monotonic.now())
    }

    /// As [`Twin::open`], but its time starts at zero and is moved only by [`Twin::advance_to`].
    pub fn by_hand(name: &str, seed: u64) -> Result<Twin, TwinError> {
        Twin::new(name, seed, false, Nanos::ZERO)
    }

    fn new(name: &str, seed: u64, live: bool, now: Nanos) -> Result<Twin, TwinError> {
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let (raw, physics) = known.ok_or_else(|| TwinError::Unknown(name.to_owned()))?.1();
        let facts = Facts::check(raw).map_err(TwinError::Facts)?;
        let space = ModeSpace::of(&facts);
        let top = space.top();
        let sensors = Sensors::new(seed, now, facts.refresh(), &physics, &top);
        Ok(Twin(Arc::new(Shared {
            facts,
            space,
            physics,
            live,
            cores: AtomicU32::new(top.get(Knob::Cores)),
            cpu: AtomicU32::new(top.get(Knob::Cpu)),
            gpu: AtomicU32::new(top.get(Knob::Gpu)),
            emc: AtomicU32::new(top.get(Knob::Emc)),
            inference: Held::default(),
            training: Held::default(),
            sensors,
        })))
    }

    /// Every mode of this board.
    pub fn space(&self) -> &ModeSpace {
        &self.0.space
    }

    /// The physics behind it.
    pub fn physics(&self) -> &Physics {
        &self.0.physics
    }

    /// The mode it is in. During a change the knobs move one by one, as on a real board.
    pub fn mode(&self) -> PowerMode {
        let mut mode = PowerMode::default();
        for knob in Knob::ALL {
            mode.set(knob, self.knob(knob).load(Ordering::Relaxed));
        }
        mode
    }

    /// Time of a piece in `mode` over its time in the top mode, in thousandths, rounded up. 1000 in the top mode,
    /// never less.
    pub fn ratio(&self, mode: &PowerMode, kind: Kind) -> u64 {
        self.0.physics.ratio(mode, &self.0.space.top(), kind)
    }

    /// How long work of this kind has held the accelerator since the board was opened.
    pub fn busy(&self, kind: Kind) -> Nanos {
        Nanos(self.held(kind).busy.load(Ordering::Relaxed))
    }

    /// Says that work of this kind has held the accelerator for `held`, with `minibatch` samples at once. Does not
    /// allocate, lock or block.
    pub fn record(&self, kind: Kind, minibatch: u32, held: Nanos) {
        let active = held.0 as f64 * self.0.physics.activity(kind, minibatch);
        let sums = self.held(kind);
        sums.busy.fetch_add(held.0, Ordering::Relaxed);
        // Not more than `held`, so it fits.
        sums.active.fetch_add(active as u64, Ordering::Relaxed);
    }

    /// Lets the sensors convert and the temperature move up to `now`; an earlier moment changes nothing. A board
    /// opened by [`Twin::open`] does this itself whenever a sensor is read.
    pub fn advance_to(&self, now: Nanos) {
        let shared = &*self.0;
        shared.sensors.advance_to(
            now,
            &shared.physics,
            &self.mode(),
            &shared.space.top(),
            self.totals(),
        );
    }

    fn catch_up(&self) {
        if self.0.live {
            self.advance_to(Monotonic.now());
        }
    }

    /// What was recorded since the board was opened, in nanoseconds.
    fn totals(&self) -> Use {
        let share = |kind| {
            let sums = self.held(kind);
            Share {
                busy: sums.busy.load(Ordering::Relaxed) as f64,
                active: sums.active.load(Ordering::Relaxed) as f64,
            }
        };
        Use {
            inference: share(Kind::Inference),
            training: share(Kind::Training),
        }
    }

    fn held(&self, kind: Kind) -> &Held {
        match kind {
            Kind::Inference => &self.0.inference,
            Kind::Training => &self.0.training,
        }
    }

    fn knob(&self, knob: Knob) -> &AtomicU32 {
        match knob {
            Knob::Cores => &self.0.cores,
            Knob::Cpu => &self.0.cpu,
            Knob::Gpu => &self.0.gpu,
            Knob::Emc => &self.0.emc,
        }
    }
}

impl Board for Twin {
    fn facts(&self) -> &Facts {
        &self.0.facts
    }

    fn read(&self, knob: Knob) -> Result<u32, BoardError> {
        Ok(self.knob(knob).load(Ordering::Relaxed))
    }

    /// Takes values of the tables and refuses every other with `EINVAL`.
    fn write(&mut self, knob: Knob, value: u32) -> Result<(), BoardError> {
        if !self.0.facts.offers(knob, value) {
            return Err(BoardError::Refused(knob, value, BoardError::INVALID));
        }
        // What ran until now ran in the old mode.
        self.catch_up();
        self.knob(knob).store(value, Ordering::Relaxed);
        Ok(())
    }

    fn rails(&self) -> Result<Rails, BoardError> {
        self.catch_up();
        Ok(self.0.sensors.rails(&self.0.facts))
    }

    fn temperature(&self) -> Result<Millicelsius, BoardError> {
        self.catch_up();
        Ok(self.0.sensors.temperature())
    }
}
