//! The [`bound`](worst_case): the worst-case latency of a stream, from release to completion.
//!
//! Non-preemptive work on one accelerator. With `w` the longest time from "a minibatch is ready" to "it has ended",
//! a stream with `beta` requests a minibatch, period `T` and jitter `J` has the bound `(beta - 1) * T + J + w`:
//! latency counts from the release, and the last request of a minibatch may be handed in `J` after its own.
//!
//! * **Inference first at a piece border** ([`Rule::Border`]): a ready minibatch waits for at most one training piece,
//!   then for other inference. `w` is the least fixed point of `w = B + sum_j ceil((w + J_j) / (beta_j T_j)) (C_j + s)`
//!   with `B = q`: the length of the longest busy period, which no order among the streams exceeds.
//!   For one stream that ends within its cycle this is `q + s + C`.
//! * **Known releases kept free** ([`Rule::Reserved`]): the same with `B = late + T / 1000`, never more than `q`: a piece
//!   starts only if it is due to end before the next release, and none starts from then until the request is there.
//!   `late` is how far a piece may overrun the length it was announced with; by [`DRIFT`] a release may come before its
//!   place. For one stream that ends within its cycle the two waits do not add up, since the overrun passes while the
//!   request is on its way: `max(J, B) + s + C` from the release.
//! * **One queue for all** ([`Rule::Queue`]): first come, first served, at most so many training pieces in the queue.
//!   What stands before a request came at most `w` before it, so `w <= q + sum_j (1 + (w + J_j) / (beta_j T_j)) (C_j + s)`,
//!   hence `w <= (q + sum_j (1 + J_j / (beta_j T_j)) (C_j + s)) / (1 - U)`.
//! * **Fixed priorities** ([`Rule::Priority`]): as `Border`, but only streams of the same or a higher priority count in the
//!   period, and the blocking is the longer of `q` and the longest minibatch of a lower priority: non-preemptive fixed
//!   priority analysis (George, Rivierre, Spuri 1996) over the level's whole busy period.
//! * **Turns** ([`Rule::Turns`]): training has a turn of at most `q` (its slice, and the piece that overran it) before each
//!   minibatch: `w = q + sum_j ceil((w + J_j) / (beta_j T_j)) (C_j + s + q)`.
//!
//! Where requests may come more slowly than announced, a minibatch may be run before it is full, so there `beta T` is
//! `(beta - 1) T`.
//!
//! A stream may send `burst` requests at once, if the mean rate over any longer time keeps to its period; in the sums above
//! it counts as a jitter of `(burst - 1) T` more, since that is how early requests may come; its latency counts from the
//! hand-in all the same.
//!
//! A long minibatch may be cut into `n` pieces, so that more urgent work comes between two: it then costs `C + n s`, and what
//! another stream waits for it under `Priority` and in [`deadlines_hold`] is its longest piece.
//!
//! Where each minibatch has a deadline and the earliest goes first, [`deadlines_hold`] proves more than these: the streams
//! keep their deadlines although some order among them would not.
//!
//! The times in a bound are upper quantiles or maxima, never means. Integers only; every division rounds up.
//! The first two forms restate published non-preemptive analysis; the busy-period use for several streams and the
//! queue form are ours, argued above.

use crate::units::Nanos;

/// What one stream asks of the accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Time between two requests. At least 1 ns.
    pub period: Nanos,
    /// `J`: how long after its release a request may be handed in.
    pub jitter: Nanos,
    /// Requests that may come at once; at least 1.
    pub burst: u32,
    /// Of a higher number goes first, under [`Rule::Priority`].
    pub priority: u8,
    /// Requests in one minibatch. At least 1.
    pub minibatch: u32,
    /// Whether a minibatch may be run before it is full, because requests may come more slowly than their period: each
    /// such run costs as much as a full one, and comes as soon as the missing ones could have.
    pub partial: bool,
    /// `C`: the longest one minibatch takes.
    pub cost: Nanos,
    /// Pieces that a minibatch is cut into, so that more urgent work may come between two. At least 1; each costs a switch.
    pub pieces: u32,
    /// The longest of these pieces; of an uncut minibatch `C`.
    pub longest: Nanos,
}

impl Demand {
    /// What a minibatch needs, its switches included.
    fn needs(&self, switch: Nanos) -> Nanos {
        self.cost + switch.times(u64::from(self.pieces.max(1)))
    }

    /// The longest that work which cannot wait for this stream has to wait for one of its pieces.
    fn holds(&self, switch: Nanos) -> Nanos {
        self.longest + switch
    }
}

/// What a stream may have to wait for, beside other streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocking {
    /// `q`: the longest training piece. Under [`Rule::Queue`] the sum of all pieces that may be in the queue; under
    /// [`Rule::Turns`] the longest turn.
    pub piece: Nanos,
    /// How far a piece may overrun the length it was announced with. Used by [`Rule::Reserved`].
    pub late: Nanos,
    /// `s`: decision, wake-up and hand-over, paid once for each minibatch.
    pub switch: Nanos,
}

/// Which promise a policy makes; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One queue for inference and training.
    Queue,
    /// Inference first at each piece border.
    Border,
    /// As `Border`, and the time before a known release is kept free.
    Reserved,
    /// As `Border`, and a stream waits only for those of its priority and above.
    Priority,
    /// Training and inference take turns.
    Turns,
}

/// A release may come this part of a period before its place: far more than two clocks drift apart.
pub const DRIFT: u64 = 1_000;

/// Steps of the fixed-point iteration before the answer is "no bound". Each step adds at least one minibatch.
const STEPS: u32 = 10_000;

/// The worst-case latency of `demands[which]`, or `None` if there is none: overload, or `which` out of range.
pub fn worst_case(rule: Rule, demands: &[Demand], which: usize, blocking: Blocking) -> Option<Nanos> {
    let subject = demands.get(which)?;
    // The first of a minibatch waits for the others.
    let assembly = subject
        .period
        .times(u64::from(subject.minibatch).saturating_sub(1));
    let response = match rule {
        Rule::Queue => subject.jitter + queue(demands, blocking)?,
        Rule::Border => {
            subject.jitter + busy_period(demands.iter(), blocking.piece, blocking.switch, Nanos::ZERO)?
        }
        Rule::Reserved => {
            let drift = demands
                .iter()
                .map(|demand| Nanos(demand.period.0.div_ceil(DRIFT)))
                .max()?;
            let blocked = blocking.piece.min(blocking.late + drift);
            let alone = subject.jitter.max(blocked) + subject.needs(blocking.switch);
            if demands.len() == 1 && subject.burst <= 1 && alone.0 <= cycle(subject) {
                alone
            } else {
                subject.jitter + busy_period(demands.iter(), blocked, blocking.switch, Nanos::ZERO)?
            }
        }
        Rule::Priority => {
            let level = demands.iter().filter(|it| it.priority >= subject.priority);
            let lower = demands.iter().filter(|it| it.priority < subject.priority);
            let lower = lower
                .map(|it| it.holds(blocking.switch))
                .max()
                .unwrap_or(Nanos::ZERO);
            subject.jitter + busy_period(level, blocking.piece.max(lower), blocking.switch, Nanos::ZERO)?
        }
        Rule::Turns => {
            subject.jitter + busy_period(demands.iter(), blocking.piece, blocking.switch, blocking.piece)?
        }
    };
    Some(assembly + response)
}

/// Whether every stream keeps its deadline (from release to completion, in the order of `demands`) when the minibatch with
/// the earliest deadline goes first, however the others come.
///
/// Non-preemptive earliest-deadline-first over sporadic work (Jeffay, Stanat, Martel 1991; George, Rivierre, Spuri 1996): for
/// each moment `t` up to the longest busy period at which a deadline may fall,
/// `max {c_j + s, q : D_j > t} + sum_j max(0, floor((t - D_j) / (beta_j T_j)) + 1) (C_j + n_j s) <= t`, with `c_j` the longest
/// piece of a minibatch (limited preemption: Baruah 2005). Training enters as `q`.
/// Deadlines count from when a minibatch is complete; one that is complete `J` late, or came early in a burst, has `J` less.
pub fn deadlines_hold(demands: &[Demand], deadlines: &[Nanos], blocking: Blocking) -> bool {
    let left = |demand: &Demand, deadline: Nanos| {
        let assembly = demand.period.times(u64::from(demand.minibatch).saturating_sub(1));
        deadline.0.checked_sub(assembly.0)?.checked_sub(demand.jitter.0)
    };
    let Some(busy) = busy_period(demands.iter(), blocking.piece, blocking.switch, Nanos::ZERO) else {
        return false;
    };
    let all = || demands.iter().zip(deadlines);
    if demands.len() != deadlines.len() || all().any(|(demand, deadline)| left(demand, *deadline).is_none()) {
        return false;
    }
    let relative = |(demand, deadline): (&Demand, &Nanos)| left(demand, *deadline).unwrap_or(0);
    let holds_at = |t: u64| {
        let later = all().filter(|pair| relative(*pair) > t);
        let blocked = later
            .map(|(demand, _)| demand.holds(blocking.switch))
            .max()
            .unwrap_or(Nanos::ZERO)
            .max(blocking.piece);
        let mut work = blocked.0;
        for pair in all() {
            // Requests of a burst come early by so much, and so do those of a stream whose first was late.
            let early = early(pair.0);
            if let Some(since) = t.saturating_add(early).checked_sub(relative(pair)) {
                let minibatches = since / cycle(pair.0) + 1;
                work = work.saturating_add(pair.0.needs(blocking.switch).0.saturating_mul(minibatches));
            }
        }
        work <= t
    };
    // Work rises only at deadlines, so each of them is looked at, and one that is too many is no proof.
    let mut steps = STEPS;
    for pair in all() {
        let first = relative(pair).saturating_sub(early(pair.0));
        let mut t = first.max(1);
        while t <= busy.0.max(first) {
            if steps == 0 || !holds_at(t) {
                return false;
            }
            steps -= 1;
            t = t.saturating_add(cycle(pair.0));
        }
    }
    true
}

/// How much earlier than one period after the other requests may come.
fn early(demand: &Demand) -> u64 {
    demand
        .jitter
        .0
        .saturating_add(demand.period.times(u64::from(demand.burst).saturating_sub(1)).0)
}

/// Least time between two minibatches of a stream.
fn cycle(demand: &Demand) -> u64 {
    let requests = match demand.minibatch {
        0 | 1 => 1,
        full if demand.partial => full - 1,
        full => full,
    };
    demand.period.0.max(1).saturating_mul(u64::from(requests))
}

/// Least fixed point of `w = blocked + sum_j ceil((w + J_j) / cycle_j) (C_j + n_j s + turn)`, from below.
fn busy_period<'d>(
    demands: impl Iterator<Item = &'d Demand> + Clone,
    blocked: Nanos,
    switch: Nanos,
    turn: Nanos,
) -> Option<Nanos> {
    let mut length = blocked.0.max(1);
    for _ in 0..STEPS {
        let mut next = blocked.0;
        for demand in demands.clone() {
            let minibatches = length.saturating_add(early(demand)).div_ceil(cycle(demand));
            next = next.checked_add((demand.needs(switch) + turn).0.checked_mul(minibatches)?)?;
        }
        if next <= length {
            return Some(Nanos(length));
        }
        length = next;
    }
    None
}

fn queue(demands: &[Demand], blocking: Blocking) -> Option<Nanos> {
    // Utilisation and the jitter term in units of 2^-32, rounded up.
    const ONE: u128 = 1 << 32;
    let mut used: u128 = 0;
    let mut work = u128::from(blocking.piece.0);
    for demand in demands {
        let cost = u128::from(demand.needs(blocking.switch).0);
        used += (cost * ONE).div_ceil(u128::from(cycle(demand)));
        work += cost + (cost * u128::from(early(demand))).div_ceil(u128::from(cycle(demand)));
    }
    let idle = ONE.checked_sub(used).filter(|idle| *idle > 0)?;
    u64::try_from(work.checked_mul(ONE)?.div_ceil(idle))
        .ok()
        .map(Nanos)
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;

    const CAMERA: Demand = Demand {
        period: Nanos(33_000_000),
        jitter: Nanos(500_000),
        burst: 1,
        priority: 0,
        minibatch: 1,
        partial: false,
        cost: Nanos(5_000_000),
        pieces: 1,
        longest: Nanos(5_000_000),
    };
    const ALL: [Rule; 5] = [
        Rule::Queue,
        Rule::Border,
        Rule::Reserved,
        Rule::Priority,
        Rule::Turns,
    ];
    const BLOCKING: Blocking = Blocking {
        piece: Nanos(8_000_000),
        late: Nanos(1_000_000),
        switch: Nanos(100_000),
    };

    #[test]
    fn one_stream_waits_for_its_jitter_one_piece_one_switch_and_itself() {
        assert_eq!(
            worst_case(Rule::Border, &[CAMERA], 0, BLOCKING),
            Some(Nanos(13_600_000))
        );
    }

    #[test]
    fn a_known_release_waits_only_for_the_longer_of_overrun_and_jitter() {
        assert_eq!(
            worst_case(Rule::Reserved, &[CAMERA], 0, BLOCKING),
            Some(Nanos(6_133_000))
        );
    }

    #[test]
    fn a_minibatch_waits_for_its_own_requests() {
        let pairs = Demand {
            minibatch: 2,
            ..CAMERA
        };
        assert_eq!(
            worst_case(Rule::Border, &[pairs], 0, BLOCKING),
            Some(Nanos(46_600_000))
        );
    }

    #[test]
    fn the_queue_is_never_better_than_the_border() {
        let queued = worst_case(Rule::Queue, &[CAMERA], 0, BLOCKING).unwrap();
        assert!(queued >= worst_case(Rule::Border, &[CAMERA], 0, BLOCKING).unwrap());
    }

    #[test]
    fn overload_has_no_bound() {
        let heavy = Demand {
            cost: Nanos(34_000_000),
            ..CAMERA
        };
        for rule in ALL {
            assert_eq!(worst_case(rule, &[heavy], 0, BLOCKING), None, "{rule:?}");
            assert_eq!(worst_case(rule, &[], 0, BLOCKING), None, "{rule:?}");
        }
    }

    #[test]
    fn the_largest_numbers_neither_wrap_nor_panic() {
        let all = Demand {
            period: Nanos::MAX,
            jitter: Nanos::MAX,
            burst: u32::MAX,
            priority: 0,
            minibatch: u32::MAX,
            partial: true,
            cost: Nanos::MAX,
            pieces: u32::MAX,
            longest: Nanos::MAX,
        };
        let blocking = Blocking {
            piece: Nanos::MAX,
            late: Nanos::MAX,
            switch: Nanos::MAX,
        };
        for rule in ALL {
            let _ = worst_case(rule, &[all; 8], 0, blocking);
        }
        assert!(!deadlines_hold(&[all; 8], &[Nanos::MAX; 8], blocking));
    }
}
