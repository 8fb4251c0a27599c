//! [`worth_aborting`]: whether a training piece that runs should be given up for a request that has just come.

use crate::units::Nanos;

/// A training piece that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningPiece {
    /// When it started.
    pub start: Nanos,
    /// When it is announced to end.
    pub end: Nanos,
}

/// Whether to abort `running`, at `now`, for a request whose stream must have the accelerator at `needed`: the moment
/// until which its bound lets it wait. `latency` is how long the abort takes at most.
///
/// What would be lost is all of the piece that has run. It is lost for nothing where the piece ends in time without, and
/// where it ends no later than the abort would. A piece past its announced end has an unknown time to go, so that
/// counts as longer than any.
pub fn worth_aborting(now: Nanos, running: RunningPiece, needed: Nanos, latency: Nanos) -> bool {
    let end = if now < running.end {
        running.end
    } else {
        Nanos::MAX
    };
    end > needed && end > now + latency
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: RunningPiece = RunningPiece {
        start: Nanos(100),
        end: Nanos(200),
    };

    #[test]
    fn a_piece_that_ends_in_time_or_as_soon_as_the_abort_is_left_alone() {
        assert!(worth_aborting(Nanos(110), PIECE, Nanos(150), Nanos(20)));
        assert!(
            !worth_aborting(Nanos(110), PIECE, Nanos(200), Nanos(20)),
            "in time"
        );
        assert!(
            !worth_aborting(Nanos(180), PIECE, Nanos(190), Nanos(20)),
            "as soon"
        );
        assert!(
            worth_aborting(Nanos(201), PIECE, Nanos(250), Nanos(20)),
            "overdue"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 16 } else { 1_000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_request_waits_no_longer_than_it_may_or_than_the_shorter_of_piece_and_abort(
            now in 100_u64..200,
            needed in 100_u64..400,
            latency in 1_u64..150,
        ) {
            let aborts = worth_aborting(Nanos(now), PIECE, Nanos(needed), Nanos(latency));
            let ends = if aborts { now + latency } else { PIECE.end.0 };
            prop_assert!(ends <= needed.max(PIECE.end.0.min(now + latency)));
            // Nothing is lost for a request that could wait.
            prop_assert!(!aborts || PIECE.end.0 > needed);
        }
    }
}
