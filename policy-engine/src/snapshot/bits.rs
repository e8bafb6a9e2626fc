//! Sets of positions as words of bits.

/// Whether a position is in the set.
pub(crate) fn has_bit(words: &[u64], at: usize) -> bool {
    words.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
}
