//! [`Blocks`]: which parts of a region of memory are taken. Offsets only; no memory is touched here.

/// Offsets and lengths are multiples of this: what ONNX Runtime's kernels want of an address.
pub(super) const ALIGN: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    start: usize,
    length: usize,
    taken: bool,
}

/// Which parts of a region are taken: a list of blocks in the order of their offsets, the first that fits is
/// taken. The list has its whole capacity from the beginning, so neither taking nor giving back allocates.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    most: usize,
    used: usize,
}

impl Blocks {
    /// A free region of `length` bytes, rounded down to whole multiples of [`ALIGN`], in at most `most`
    /// blocks.
    pub(super) fn new(length: usize, most: usize) -> Blocks {
        let mut blocks = Vec::with_capacity(most.max(1));
        blocks.push(Block {
            start: 0,
            length: length / ALIGN * ALIGN,
            taken: false,
        });
        Blocks {
            blocks,
            most: most.max(1),
            used: 0,
        }
    }

    /// Takes `size` bytes; `None` if no free block is so long, or the list is full.
    pub(super) fn take(&mut self, size: usize) -> Option<usize> {
        let length = size.max(1).checked_next_multiple_of(ALIGN)?;
        let mut free = self.blocks.iter().enumerate();
        let (index, _) = free.find(|(_, block)| !block.taken && block.length >= length)?;
        let full = self.blocks.len() == self.most;
        let block = self.blocks.get_mut(index)?;
        let start = block.start;
        let rest = Block {
            start: start + length,
            length: block.length - length,
            taken: false,
        };
        block.taken = true;
        // With a full list the rest of the block goes with it.
        if rest.length > 0 && !full {
            block.length = length;
            self.blocks.insert(index + 1, rest);
        }
        self.used += self.blocks.get(index)?.length;
        Some(start)
    }

    /// Gives back what was taken at `start`; false, and nothing happens, if nothing was.
    pub(super) fn give(&mut self, start: usize) -> bool {
        let Ok(index) = self.blocks.binary_search_by_key(&start, |block| block.start) else {
            return false;
        };
        let Some(block) = self.blocks.get_mut(index).filter(|block| block.taken) else {
            return false;
        };
        block.taken = false;
        self.used -= block.length;
        self.join(index);
        if let Some(before) = index.checked_sub(1) {
            self.join(before);
        }
        true
    }

    /// Makes the block at `index` and the one after it one, if both are free.
    fn join(&mut self, index: usize) {
        if let (Some(block), Some(next)) = (self.blocks.get(index), self.blocks.get(index + 1))
            && !block.taken
            && !next.taken
        {
            let length = next.length;
            self.blocks.remove(index + 1);
            if let Some(block) = self.blocks.get_mut(index) {
                block.length += length;
            }
        }
    }

    /// Bytes taken now.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_is_refused_and_what_was_given_back_fits_again() {
        let mut blocks = Blocks::new(4 * ALIGN, 8);
        let (first, second) = (blocks.take(1).unwrap(), blocks.take(2 * ALIGN).unwrap());
        assert_eq!((first, second), (0, ALIGN));
        assert_eq!(blocks.take(ALIGN + 1), None);
        assert!(blocks.give(first) && !blocks.give(first) && !blocks.give(7));
        assert_eq!(
            blocks.take(2 * ALIGN),
            None,
            "the free bytes are not side by side"
        );
        assert!(blocks.give(second));
        assert_eq!(blocks.take(4 * ALIGN), Some(0));
        assert_eq!(blocks.used(), 4 * ALIGN);
        assert_eq!(blocks.take(usize::MAX), None);
    }

    #[test]
    fn a_full_list_hands_out_the_rest_of_a_block_with_it() {
        let mut blocks = Blocks::new(8 * ALIGN, 2);
        let (first, second) = (blocks.take(1).unwrap(), blocks.take(1).unwrap());
        assert_eq!(blocks.used(), 8 * ALIGN);
        assert!(blocks.give(first) && blocks.give(second));
        assert_eq!(blocks.take(8 * ALIGN), Some(0));
    }

    proptest! {
        #[test]
        fn blocks_never_overlap_and_everything_comes_back(
            steps in prop::collection::vec((any::<bool>(), 0_usize..2_000), 1..200),
            most in 1_usize..40,
        ) {
            let length = 64 * ALIGN;
            let mut blocks = Blocks::new(length, most);
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for (take, size) in steps {
                if take {
                    if let Some(start) = blocks.take(size) {
                        prop_assert!(start % ALIGN == 0 && start + size <= length);
                        let apart = |(other, long): &(usize, usize)| start + size.max(1) <= *other || other + long <= start;
                        prop_assert!(taken.iter().all(apart));
                        taken.push((start, size.max(1)));
                    }
                } else if !taken.is_empty() {
                    let (start, _) = taken.swap_remove(size % taken.len());
                    prop_assert!(blocks.give(start));
                }
                prop_assert!(blocks.used() >= taken.iter().map(|(_, size)| size).sum());
                prop_assert!(blocks.used() <= length);
            }
            for (start, _) in taken {
                prop_assert!(blocks.give(start));
            }
            prop_assert_eq!(blocks.used(), 0);
            prop_assert_eq!(blocks.take(length), Some(0));
        }
    }
}
