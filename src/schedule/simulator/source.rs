//! A [`Source`] makes the requests of one simulated stream, within what it announced.

use super::{Random, World};
use crate::schedule::{Arrival, Request, Submission};
use crate::units::Nanos;

/// Requests of one stream, as they come.
#[derive(Clone, Debug)]
pub(super) struct Source<'t> {
    arrival: Arrival,
    /// The next one.
    pub(super) next: Submission,
    /// How many of a burst may still come at once.
    burst: u32,
    /// Those that come after the next one, where they were recorded.
    recorded: Option<core::slice::Iter<'t, Submission>>,
}

/// Stands where no request comes any more.
const NEVER: Submission = Submission {
    request: Request {
        token: 0,
        release: Nanos::MAX,
    },
    at: Nanos::MAX,
};

impl<'t> Source<'t> {
    /// Those of `trace`, one after the other.
    pub(super) fn recorded(arrival: Arrival, trace: &'t [Submission]) -> Source<'t> {
        let mut rest = trace.iter();
        Source {
            arrival,
            next: rest.next().copied().unwrap_or(NEVER),
            burst: 0,
            recorded: Some(rest),
        }
    }

    pub(super) fn new(arrival: Arrival, world: &World, random: &mut Random) -> Source<'t> {
        let mut source = Source {
            arrival,
            next: Submission::default(),
            burst: arrival.burst(),
            recorded: None,
        };
        let first = Nanos(random.below(arrival.period().0));
        source.release_at(first, 0, world, random);
        source
    }

    /// Sets the next request, released at `release`.
    fn release_at(&mut self, release: Nanos, token: u64, world: &World, random: &mut Random) {
        let jitter = self.arrival.jitter().0;
        let late = if random.below(1_000) < world.eager {
            0
        } else {
            random.below(jitter + 1)
        };
        self.next = Submission {
            request: Request { token, release },
            at: release + Nanos(late),
        };
    }

    /// Takes the next request and thinks of the one after it.
    pub(super) fn take(&mut self, world: &World, random: &mut Random) -> Submission {
        let taken = self.next;
        if let Some(rest) = &mut self.recorded {
            self.next = rest.next().copied().unwrap_or(NEVER);
            return taken;
        }
        let eager = random.below(1_000) < world.eager;
        let period = self.arrival.period();
        let wait = match self.arrival {
            Arrival::Periodic { .. } => period,
            Arrival::Sporadic { .. } if eager => period,
            Arrival::Sporadic { .. } => period + random.exponential(period),
            // A burst is spent at once or over time; a pause of one period gives one of it back.
            Arrival::Bursty { .. } if self.burst > 1 => {
                self.burst -= 1;
                Nanos::ZERO
            }
            Arrival::Bursty { burst, .. } => {
                let periods = if eager {
                    1
                } else {
                    1 + random.below(u64::from(burst) * 2)
                };
                self.burst = u32::try_from(periods).unwrap_or(burst).min(burst);
                period.times(periods)
            }
        };
        self.release_at(
            taken.request.release + wait,
            taken.request.token + 1,
            world,
            random,
        );
        taken
    }
}
