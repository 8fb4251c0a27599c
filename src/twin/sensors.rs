//! What the simulated sensors show: rails that convert every 430 ms and count in steps of 20 mA, a temperature.

use super::physics::{Physics, RailPower, Use};
use super::thermal::Nodes;
use crate::board::{Measured, Rails};
use crate::power::PowerMode;
use crate::units::{Millicelsius, Milliwatts, Nanos};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// Bus voltages in the order of the rails, mV: the module's input twice, the 5 V rail twice. All are multiples of the
/// sensor's 8 mV.
const MILLIVOLTS: [u32; 4] = [19_600, 19_600, 5_000, 5_000];

/// One step of a current, mA: 40 uV over a shunt of 2 mOhm.
pub(super) const STEP: u32 = 20;

/// How far noise moves a conversion at most, as a part of it.
const NOISE: f64 = 0.005;

/// The highest total that the sensors can show while the board draws `watts`: noise, and half a step of current on
/// each of the three rails that count, rounded up.
pub(super) fn most_shown(watts: f64) -> Milliwatts {
    let half_steps: f64 = MILLIVOLTS
        .iter()
        .take(3)
        .map(|mv| f64::from(*mv) / 1e3 * f64::from(STEP) / 2.0)
        .sum();
    // One more milliwatt for each rail, because power is rounded up on each. A board draws less than a megawatt.
    Milliwatts((watts * 1e3 * (1.0 + NOISE) + half_steps + 3.0).ceil() as u32)
}

/// The state of the sensors. Any thread may read; one at a time converts, and the others read what is there.
#[derive(Debug)]
pub(super) struct Converter {
    seed: u64,
    opened: Nanos,
    refresh: Nanos,
    /// Set while a thread converts. Nobody waits for it: who finds it set leaves the work to that thread.
    converting: AtomicBool,
    /// Conversions since the board was opened.
    ticks: AtomicU64,
    /// Four currents of 16 bits, mA, so that a reader never sees two conversions mixed.
    currents: AtomicU64,
    millicelsius: AtomicI32,
    // The rest belongs to the thread that converts; the flag orders its accesses. Floats as their bits.
    seen_at: AtomicU64,
    seen: [AtomicU64; 4],
    die: AtomicU64,
    sink: AtomicU64,
}

impl Converter {
    /// Sensors of an idle board at rest.
    pub(super) fn new(
        seed: u64,
        now: Nanos,
        refresh: Nanos,
        physics: &Physics,
        mode: &PowerMode,
    ) -> Converter {
        let idle = physics.power(mode, mode, &Use::default());
        let nodes = physics.thermal.at_rest(idle.total());
        Converter {
            seed,
            opened: now,
            refresh,
            converting: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
            currents: AtomicU64::new(convert(&idle, seed, 0)),
            millicelsius: AtomicI32::new((nodes.die * 1e3) as i32),
            seen_at: AtomicU64::new(now.0),
            seen: Default::default(),
            die: AtomicU64::new(nodes.die.to_bits()),
            sink: AtomicU64::new(nodes.sink.to_bits()),
        }
    }

    /// Converts if a refresh has gone by; `totals` is what was recorded since the board was opened, in nanoseconds.
    pub(super) fn advance_to(
        &self,
        now: Nanos,
        physics: &Physics,
        mode: &PowerMode,
        top: &PowerMode,
        totals: Use,
    ) {
        let tick = (now - self.opened).0 / self.refresh.0.max(1);
        if tick <= self.ticks.load(Ordering::Acquire) || self.converting.swap(true, Ordering::Acquire) {
            return;
        }
        // Another thread may have converted between the two looks.
        let last = self.ticks.load(Ordering::Acquire);
        if tick > last {
            let used = self.use_since_last(now, totals);
            let power = physics.power(mode, top, &used);
            let nodes = Nodes {
                die: f64::from_bits(self.die.load(Ordering::Relaxed)),
                sink: f64::from_bits(self.sink.load(Ordering::Relaxed)),
            };
            let nodes = physics.thermal.after(
                nodes,
                power.total(),
                self.refresh.times(tick - last).as_secs_f64(),
            );
            self.die.store(nodes.die.to_bits(), Ordering::Relaxed);
            self.sink.store(nodes.sink.to_bits(), Ordering::Relaxed);
            self.millicelsius
                .store((nodes.die * 1e3) as i32, Ordering::Relaxed);
            self.currents
                .store(convert(&power, self.seed, tick), Ordering::Relaxed);
            self.ticks.store(tick, Ordering::Release);
        }
        self.converting.store(false, Ordering::Release);
    }

    /// Use between the last conversion and now. A piece counts where it ends, so a span may seem more than full; it
    /// is brought down to full, since one accelerator does one thing at a time.
    fn use_since_last(&self, now: Nanos, totals: Use) -> Use {
        let span = (now - Nanos(self.seen_at.swap(now.0, Ordering::Relaxed)))
            .0
            .max(1) as f64;
        let since = |cell: &AtomicU64, total: f64| {
            total - f64::from_bits(cell.swap(total.to_bits(), Ordering::Relaxed))
        };
        let [a, b, c, d] = &self.seen;
        let mut used = Use::default();
        used.inference.busy = since(a, totals.inference.busy);
        used.inference.active = since(b, totals.inference.active);
        used.training.busy = since(c, totals.training.busy);
        used.training.active = since(d, totals.training.active);
        let whole = span.max(used.inference.busy + used.training.busy);
        for share in [&mut used.inference, &mut used.training] {
            share.busy /= whole;
            share.active /= whole;
        }
        used
    }

    /// The latest conversion.
    pub(super) fn rails(&self) -> Rails {
        let currents = self.currents.load(Ordering::Relaxed);
        let readings = MILLIVOLTS.into_iter().enumerate();
        readings
            .map(|(index, millivolts)| {
                Ok(Measured::Current {
                    millivolts,
                    milliamperes: (currents >> (16 * index)) as u32 & 0xffff,
                })
            })
            .collect()
    }

    /// The die's temperature at the latest conversion.
    pub(super) fn temperature(&self) -> Millicelsius {
        Millicelsius(self.millicelsius.load(Ordering::Relaxed))
    }
}

/// The four currents that the sensors show for this power, 16 bits each.
fn convert(power: &RailPower, seed: u64, tick: u64) -> u64 {
    let watts = [power.gpu_soc, power.cpu_cv, power.sys_5v, power.memory];
    let mut packed = 0;
    for (index, (watts, millivolts)) in (0_u32..).zip(watts.into_iter().zip(MILLIVOLTS)) {
        let noisy = watts * (1.0 + NOISE * noise(seed, tick, index));
        let steps = (noisy * 1e6 / f64::from(millivolts) / f64::from(STEP)).round();
        packed |= u64::from((steps * f64::from(STEP)) as u16) << (16 * index);
    }
    packed
}

/// A number from -1 to 1 that depends on nothing but its arguments (splitmix64).
pub(super) fn noise(seed: u64, tick: u64, rail: u32) -> f64 {
    let mut bits = seed
        ^ tick
            .wrapping_mul(4)
            .wrapping_add(u64::from(rail))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
}
