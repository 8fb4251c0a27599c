//! A [`Budget`] spares the flash: so many bytes an hour, and no more in any hour.

use crate::units::Nanos;
use std::collections::VecDeque;

const HOUR: Nanos = Nanos::from_secs(3_600);

/// Bytes that may be written in any hour. It counts what this program wrote since its start: the clock does
/// not tell how long ago an earlier one did. What a file system writes besides, its journal for example, is
/// not known and not counted.
#[derive(Clone, Debug)]
pub struct Budget {
    an_hour: u64,
    /// What was written in the last hour, oldest first.
    written: VecDeque<(Nanos, u64)>,
}

impl Budget {
    /// At most `bytes` in any hour.
    pub fn an_hour(bytes: u64) -> Budget {
        Budget {
            an_hour: bytes,
            written: VecDeque::new(),
        }
    }

    /// Bytes that may be written in an hour.
    pub fn limit(&self) -> u64 {
        self.an_hour
    }

    /// The first moment from `now` on at which `bytes` may be written; [`Nanos::MAX`] if they are more than
    /// an hour's.
    pub fn allows_at(&mut self, now: Nanos, bytes: u64) -> Nanos {
        while self.written.front().is_some_and(|(at, _)| *at + HOUR <= now) {
            self.written.pop_front();
        }
        let Some(mut spare) = self.an_hour.checked_sub(bytes) else {
            return Nanos::MAX;
        };
        // The newest that fit beside it may stay in the hour; the one before them must have left it.
        for (at, wrote) in self.written.iter().rev() {
            match spare.checked_sub(*wrote) {
                Some(left) => spare = left,
                None => return *at + HOUR,
            }
        }
        now
    }

    /// Notes that `bytes` are written at `now`.
    pub fn charge(&mut self, now: Nanos, bytes: u64) {
        self.written.push_back((now, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_is_allowed_when_enough_has_left_the_hour() {
        let mut budget = Budget::an_hour(100);
        assert_eq!(budget.allows_at(Nanos(5), 60), Nanos(5));
        budget.charge(Nanos(5), 60);
        budget.charge(Nanos(6), 30);
        assert_eq!(budget.allows_at(Nanos(7), 10), Nanos(7));
        assert_eq!(budget.allows_at(Nanos(7), 11), Nanos(5) + HOUR);
        assert_eq!(budget.allows_at(Nanos(7), 71), Nanos(6) + HOUR);
        assert_eq!(budget.allows_at(Nanos(7), 101), Nanos::MAX);
        assert_eq!(budget.allows_at(Nanos(5) + HOUR, 70), Nanos(5) + HOUR);
    }

    proptest! {
        #[test]
        fn in_no_hour_is_more_written_than_the_budget_and_what_waits_gets_its_turn(
            limit in 1_u64..1_000,
            wishes in prop::collection::vec((0_u64..2_000, 1_u64..400), 1..200),
        ) {
            let mut budget = Budget::an_hour(limit);
            let (mut now, mut wrote) = (Nanos::ZERO, Vec::new());
            for (pause, bytes) in wishes {
                now += Nanos::from_secs(pause);
                let at = budget.allows_at(now, bytes);
                if at == Nanos::MAX {
                    prop_assert!(bytes > limit);
                    continue;
                }
                now = now.max(at);
                prop_assert_eq!(budget.allows_at(now, bytes), now);
                budget.charge(now, bytes);
                wrote.push((now, bytes));
                let hour = wrote.iter().filter(|(at, _)| *at + HOUR > now);
                prop_assert!(hour.map(|(_, bytes)| bytes).sum::<u64>() <= limit);
            }
        }
    }
}
