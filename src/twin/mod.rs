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

use crate::board::{
    Board, BoardError, Facts, FactsError, Rails, RawFacts, Sensors, Setting, Supplies, Throttling,
};
use crate::clock::{Clock, Monotonic};
use crate::power::{ModeSpace, PowerMode};
use crate::profile::Kind;
use crate::units::{Millicelsius, Nanos};
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use physics::{Physics, Share, Use};
use sensors::Converter;
use std::sync::Arc;

pub use faults::Fault;
#[cfg(feature = "fuse")]
pub use fuse::Mount;
pub use pace::Paced;
pub use table::HostTime;
pub use tree::Tree;

/// Makes a board's facts, supplies and physics.
type Make = fn() -> (RawFacts, Supplies, Physics);

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
    /// What can be set, rising, and its present value.
    settings: Vec<Setting>,
    values: Vec<AtomicU32>,
    inference: Held,
    training: Held,
    supplies: Supplies,
    sensors: Converter,
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
        let (raw, supplies, physics) = known.ok_or_else(|| TwinError::Unknown(name.to_owned()))?.1();
        let facts = Facts::check(raw).map_err(TwinError::Facts)?;
        let space = ModeSpace::of(&facts);
        let top = space.top();
        let cores = (1..facts.cores()).map(Setting::Online);
        let clusters = facts.clusters().iter().map(|it| Setting::CpuCeiling(it.first()));
        let settings: Vec<Setting> = cores
            .chain(clusters)
            .chain([Setting::GpuCeiling, Setting::EmcCeiling])
            .collect();
        let sensors = Converter::new(seed, now, supplies.refresh(), &physics, &top);
        Ok(Twin(Arc::new(Shared {
            facts,
            space,
            physics,
            live,
            values: settings
                .iter()
                .map(|setting| match setting {
                    Setting::Online(_) => 1,
                    setting => top.get(setting.knob()),
                })
                .map(AtomicU32::new)
                .collect(),
            settings,
            inference: Held::default(),
            training: Held::default(),
            supplies,
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
        let mut mode = PowerMode {
            cores: 1,
            ..PowerMode::default()
        };
        for (setting, value) in self.0.settings.iter().zip(&self.0.values) {
            let value = value.load(Ordering::Relaxed);
            match setting {
                Setting::Online(_) => mode.cores += u8::from(value > 0),
                // Of the clusters the fastest counts.
                setting => mode.set(setting.knob(), value.max(mode.get(setting.knob()))),
            }
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

    fn value(&self, setting: Setting) -> Option<&AtomicU32> {
        let place = self.0.settings.binary_search(&setting).ok()?;
        self.0.values.get(place)
    }
}

impl Board for Twin {
    fn facts(&self) -> &Facts {
        &self.0.facts
    }

    fn settings(&self) -> &[Setting] {
        &self.0.settings
    }

    fn get(&self, setting: Setting) -> Result<Option<u32>, BoardError> {
        Ok(self.value(setting).map(|value| value.load(Ordering::Relaxed)))
    }

    /// Takes values of the tables and refuses every other with `EINVAL`.
    fn set(&mut self, setting: Setting, value: u32) -> Result<(), BoardError> {
        let Some(place) = self.value(setting) else {
            return Err(BoardError::Refused(setting, value, BoardError::ABSENT));
        };
        let offered = match setting {
            Setting::Online(_) => value <= 1,
            setting => self.0.facts.offers(setting.knob(), value),
        };
        if !offered {
            return Err(BoardError::Refused(setting, value, BoardError::INVALID));
        }
        // What ran until now ran in the old mode.
        self.catch_up();
        place.store(value, Ordering::Relaxed);
        Ok(())
    }

    fn nearest(&self, setting: Setting, value: u32) -> u32 {
        match setting {
            Setting::Online(_) => value,
            setting => self.0.facts.nearest(setting.knob(), value),
        }
    }

    fn is_limited(&self) -> bool {
        false
    }
}

impl Sensors for Twin {
    fn supplies(&self) -> &Supplies {
        &self.0.supplies
    }

    fn rails(&mut self) -> Rails {
        self.catch_up();
        self.0.sensors.rails()
    }

    fn temperature(&mut self) -> Option<Millicelsius> {
        self.catch_up();
        Some(self.0.sensors.temperature())
    }

    /// It has no over-current logic and nothing that cools by slowing down.
    fn throttling(&mut self) -> Throttling {
        Throttling::default()
    }
}
