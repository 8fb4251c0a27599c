//! The borders of a cut: where a step of nodes is divided, by time and by the memory that a border costs.

/// A tensor that lies between two nodes. A border after the one and not after the other keeps it in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The node that makes it.
    pub(super) made: usize,
    /// The last node that reads it.
    pub(super) last: usize,
    pub(super) bytes: u64,
}

/// What a cut is chosen by, the first difference decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    segments: u64,
    /// Of the tensors that lie across a border, each counted once.
    bytes: u64,
    longest: u64,
}

/// The borders of the cut with the fewest segments of at most `wanted`; of these the one whose borders keep
/// the fewest bytes; of these the one whose longest segment is the shortest. `times` is the time of each
/// node, in the unit of `wanted`. A node longer than `wanted` is a segment of its own: it cannot be divided.
/// At most `most` segments, which are made longer where there would be more.
///
/// A tensor that crosses several borders is kept once, so the bytes of a cut are the sum over its segments of
/// what a segment makes and a later one reads. Each term depends on the two ends of one segment alone, and so
/// the best cut up to a border is the best cut up to the border before it and one segment more: dynamic
/// programming finds the least exactly.
pub(super) fn borders(times: &[u64], wanted: u64, most: usize, kept: &[Kept]) -> Vec<usize> {
    let capacity = capacity(times, wanted, most);
    let mut made: Vec<Vec<Kept>> = vec![Vec::new(); times.len()];
    for tensor in kept {
        if let Some(made) = made.get_mut(tensor.made) {
            made.push(*tensor);
        }
    }
    // `best[end]`: the cost of a cut of the nodes before `end`, and where its last segment starts.
    let mut best = vec![(Cost::default(), 0)];
    for end in 1..=times.len() {
        let (mut length, mut bytes) = (0_u64, 0);
        let mut least: Option<(Cost, usize)> = None;
        for start in (0..end).rev() {
            length = length.saturating_add(times.get(start).copied().unwrap_or(0));
            if length > capacity {
                break;
            }
            let crossing = made.get(start).into_iter().flatten();
            bytes += crossing
                .filter(|tensor| tensor.last >= end)
                .map(|tensor| tensor.bytes)
                .sum::<u64>();
            let Some((before, _)) = best.get(start) else {
                continue;
            };
            let cost = Cost {
                segments: before.segments + 1,
                bytes: before.bytes + bytes,
                longest: before.longest.max(length),
            };
            if least.is_none_or(|(least, _)| cost < least) {
                least = Some((cost, start));
            }
        }
        best.push(least.unwrap_or_default());
    }
    let mut borders = Vec::new();
    let mut end = times.len();
    while let Some((_, start)) = best.get(end).filter(|(_, start)| *start > 0) {
        borders.push(*start);
        end = *start;
    }
    borders.reverse();
    borders
}

/// The longest that a segment may be: `wanted`, or what it takes for no more than `most` segments.
fn capacity(times: &[u64], wanted: u64, most: usize) -> u64 {
    let longest = times.iter().copied().max().unwrap_or(0);
    let mut low = wanted.max(longest);
    let mut high = times.iter().fold(low, |sum, time| sum.saturating_add(*time));
    if segments(times, low) <= most {
        return low;
    }
    // By bisection: fewer segments are never needed with less.
    while low < high {
        let middle = low + (high - low) / 2;
        if segments(times, middle) <= most {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Segments when each is filled up to `capacity` before the next begins: no cut has fewer.
fn segments(times: &[u64], capacity: u64) -> usize {
    let (mut count, mut filled) = (1, 0_u64);
    for (index, time) in times.iter().enumerate() {
        if index > 0 && filled.saturating_add(*time) > capacity {
            count += 1;
            filled = 0;
        }
        filled = filled.saturating_add(*time);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths(times: &[u64], borders: &[usize]) -> Vec<u64> {
        let ends = borders.iter().copied().chain([times.len()]);
        let starts = [0].into_iter().chain(borders.iter().copied());
        starts
            .zip(ends)
            .map(|(start, end)| times[start..end].iter().sum())
            .collect()
    }

    /// By the definition: every tensor that some border separates from its last reader.
    fn bytes(kept: &[Kept], borders: &[usize]) -> u64 {
        let across = |it: &&Kept| {
            borders
                .iter()
                .any(|border| it.made < *border && *border <= it.last)
        };
        kept.iter().filter(across).map(|it| it.bytes).sum()
    }

    fn cost(times: &[u64], kept: &[Kept], borders: &[usize]) -> Cost {
        Cost {
            segments: borders.len() as u64 + 1,
            bytes: bytes(kept, borders),
            longest: lengths(times, borders).into_iter().max().unwrap(),
        }
    }

    #[test]
    fn a_step_is_cut_evenly() {
        assert_eq!(borders(&[1; 12], 4, 100, &[]), [4, 8]);
        assert_eq!(
            borders(&[1; 12], 5, 100, &[]),
            [4, 8],
            "three segments are needed, so they are made equal"
        );
        assert_eq!(borders(&[1; 12], 100, 100, &[]), [0_usize; 0]);
        assert_eq!(borders(&[1, 9, 1], 4, 100, &[]), [1, 2]);
        assert_eq!(borders(&[], 4, 100, &[]), [0_usize; 0]);
    }

    #[test]
    fn among_cuts_that_are_short_enough_the_one_that_keeps_least_is_taken() {
        let tensor = |made, last, bytes| Kept { made, last, bytes };
        // The even cut would lie inside the large tensor's life.
        let kept = [tensor(0, 1, 10), tensor(1, 4, 1_000), tensor(4, 5, 20)];
        assert_eq!(borders(&[1; 6], 3, 100, &[]), [3]);
        assert_eq!(borders(&[1; 6], 5, 100, &kept), [1]);
        assert_eq!(borders(&[1; 6], 3, 100, &kept), [3], "length comes first");
    }

    fn graphs() -> impl Strategy<Value = (Vec<u64>, Vec<Kept>)> {
        prop::collection::vec(0_u64..10, 1..9).prop_flat_map(|times| {
            let nodes = times.len();
            let tensor = (0..nodes, 0..nodes, 0_u64..5).prop_map(|(made, last, bytes)| Kept {
                made: made.min(last),
                last: made.max(last),
                bytes,
            });
            (Just(times), prop::collection::vec(tensor, 0..10))
        })
    }

    proptest! {
        #[test]
        fn no_cut_at_all_is_better_as_trying_them_all_shows(
            (times, kept) in graphs(),
            wanted in 1_u64..30,
        ) {
            let made = borders(&times, wanted, 1_000, &kept);
            let limit = wanted.max(times.iter().copied().max().unwrap());
            let every = (0_u32..1 << (times.len() - 1)).map(|mask| {
                (1..times.len()).filter(|border| mask >> (border - 1) & 1 == 1).collect::<Vec<_>>()
            });
            let best = every.map(|cut| cost(&times, &kept, &cut)).filter(|cost| cost.longest <= limit).min();
            prop_assert_eq!(Some(cost(&times, &kept, &made)), best);
        }

        #[test]
        fn no_segment_is_longer_than_wanted_unless_one_node_is(
            times in prop::collection::vec(0_u64..1_000, 1..200),
            wanted in 1_u64..5_000,
        ) {
            let longest = lengths(&times, &borders(&times, wanted, 1_000, &[])).into_iter().max().unwrap();
            prop_assert!(longest <= wanted.max(times.iter().copied().max().unwrap()));
        }

        #[test]
        fn there_are_never_more_segments_than_allowed_and_none_is_empty(
            times in prop::collection::vec(0_u64..1_000, 1..200),
            wanted in 0_u64..5_000,
            most in 1_usize..20,
        ) {
            let made = borders(&times, wanted, most, &[]);
            prop_assert!(made.len() < most);
            prop_assert!(made.iter().all(|border| *border > 0 && *border < times.len()));
            prop_assert!(made.is_sorted_by(|left, right| left < right));
        }
    }
}
