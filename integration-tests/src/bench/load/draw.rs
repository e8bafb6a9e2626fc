//! Uniform draws, the same in every run.

/// A xorshift generator (Marsaglia 2003, "Xorshift RNGs"); good enough to spread load, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// A stream of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Draw(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// One of `0..bound`; 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_evenly() {
        let mut draw = Draw::new(7);
        let mut counts = [0_u32; 10];
        (0..100_000).for_each(|_| counts[draw.below(10)] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(draw.below(0), 0);
    }
}
