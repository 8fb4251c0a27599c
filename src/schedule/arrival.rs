//! [`Arrival`]: how the requests of a stream arrive, as far as that is known before.

use crate::units::Nanos;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A sensor: one release each `period`; its request is handed in up to `jitter` later.
    Periodic {
        /// Time between two releases.
        period: Nanos,
        /// Longest time from a release until its request is handed in.
        jitter: Nanos,
    },
    /// At any time, but never two within `period`.
    Sporadic {
        /// Least time between two releases.
        period: Nanos,
    },
    /// Up to `burst` at once, but over any longer time no more than one each `period` beyond that: an arrival curve.
    Bursty {
        /// Time between two releases over a long time.
        period: Nanos,
        /// Releases that may come at once; at least 1, at most [`crate::limits::REQUESTS`].
        burst: u32,
    },
}

impl Arrival {
    /// The (least) time between two requests.
    pub const fn period(&self) -> Nanos {
        match self {
            Arrival::Periodic { period, .. }
            | Arrival::Sporadic { period }
            | Arrival::Bursty { period, .. } => *period,
        }
    }

    /// Requests that may come at once.
    pub const fn burst(&self) -> u32 {
        match self {
            Arrival::Bursty { burst, .. } => *burst,
            _ => 1,
        }
    }

    /// The jitter; zero where releases are not known before, since there a release is the moment of the hand-in.
    pub const fn jitter(&self) -> Nanos {
        match self {
            Arrival::Periodic { jitter, .. } => *jitter,
            Arrival::Sporadic { .. } | Arrival::Bursty { .. } => Nanos::ZERO,
        }
    }
}
