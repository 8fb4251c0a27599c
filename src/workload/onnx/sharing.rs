//! Which tensors between segments can lie in the same memory, since no segment needs both.

use super::borders::Kept;

/// Memory for tensors, by block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sharing {
    /// The block of each tensor.
    pub(super) block: Vec<usize>,
    /// Bytes of each block.
    pub(super) bytes: Vec<u64>,
}

/// Gives each of `tensors`, whose `made` and `last` are segments here, a block. A tensor has its block from
/// the segment that makes it to the last one that reads it, both included: what a segment reads stays as it
/// is while it runs, so that it can be run again. Larger tensors of a segment come first; each takes the
/// smallest free block that holds it, or a new one. So no cut takes more than the tensors' sum, and mostly
/// far less, though not always the least there could be.
pub(super) fn share(tensors: &[Kept]) -> Sharing {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|index| tensors.get(*index).map(|it| (it.made, u64::MAX - it.bytes)));
    let mut sharing = Sharing {
        block: vec![0; tensors.len()],
        bytes: Vec::new(),
    };
    // The last segment that needs what lies in a block now.
    let mut needed: Vec<usize> = Vec::new();
    for index in order {
        let Some(tensor) = tensors.get(index) else {
            continue;
        };
        let free = sharing.bytes.iter().zip(&needed).enumerate();
        let free = free.filter(|(_, (bytes, last))| **bytes >= tensor.bytes && **last < tensor.made);
        let fitting = free.min_by_key(|(_, (bytes, _))| **bytes).map(|(block, _)| block);
        let block = fitting.unwrap_or_else(|| {
            sharing.bytes.push(tensor.bytes);
            needed.push(0);
            needed.len() - 1
        });
        if let (Some(needed), Some(of)) = (needed.get_mut(block), sharing.block.get_mut(index)) {
            *needed = tensor.last;
            *of = block;
        }
    }
    sharing
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_never_needed_at_once_shares_memory() {
        let tensor = |made, last, bytes| Kept { made, last, bytes };
        let shared = share(&[
            tensor(0, 1, 10),
            tensor(1, 2, 8),
            tensor(2, 3, 10),
            tensor(0, 3, 4),
        ]);
        assert_eq!(
            shared.block,
            [0, 2, 0, 1],
            "the second is made while the first is read"
        );
        assert_eq!(shared.bytes, [10, 4, 8]);
        assert_eq!(share(&[]), Sharing::default());
    }

    proptest! {
        #[test]
        fn nothing_that_is_needed_lies_in_a_block_of_another_and_blocks_are_no_larger_than_the_sum(
            tensors in prop::collection::vec((0_usize..20, 0_usize..20, 0_u64..100), 0..40),
        ) {
            let tensors: Vec<Kept> = tensors
                .into_iter()
                .map(|(a, b, bytes)| Kept { made: a.min(b), last: a.max(b), bytes })
                .collect();
            let shared = share(&tensors);
            prop_assert_eq!(shared.block.len(), tensors.len());
            for (index, one) in tensors.iter().enumerate() {
                prop_assert!(shared.bytes[shared.block[index]] >= one.bytes);
                for (other_index, other) in tensors.iter().enumerate().skip(index + 1) {
                    let apart = one.last < other.made || other.last < one.made;
                    prop_assert!(apart || shared.block[index] != shared.block[other_index]);
                }
            }
            let sum: u64 = tensors.iter().map(|it| it.bytes).sum();
            prop_assert!(shared.bytes.iter().sum::<u64>() <= sum);
        }
    }
}
