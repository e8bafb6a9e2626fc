//! Latencies in logarithmic buckets, as HdrHistogram keeps them: 128 to each power of two, so within 0.8 %.

const BITS: u32 = 7;
const BUCKETS: usize = ((64 - BITS as usize) + 1) << BITS;

/// Counts of durations in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Adds what another one counted.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The duration below or at which `share` (0 to 1) of all lie, in nanoseconds; 0 where none was counted.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return middle(bucket);
            }
        }
        0.0
    }
}

fn bucket(value: u64) -> usize {
    let octave = value.max(1).ilog2();
    match octave.checked_sub(BITS) {
        None => value as usize,
        Some(shift) => ((shift as usize) << BITS) + (value >> shift) as usize,
    }
}

fn middle(bucket: usize) -> f64 {
    let steps = 1_usize << BITS;
    match (bucket >> BITS).checked_sub(1) {
        None => bucket as f64,
        Some(shift) => ((bucket % steps + steps) as f64 + 0.5) * (shift as f64).exp2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        let mut last = 0;
        for value in (0..10_000_u64).chain([1 << 20, (1 << 20) + (1 << 14), 1 << 40, u64::MAX]) {
            let bucket = bucket(value);
            assert!(bucket >= last && bucket < BUCKETS, "{value}");
            last = bucket;
            let error = (middle(bucket) - value as f64).abs() / (value.max(1) as f64);
            assert!(error <= 0.008, "{value} is shown as {}", middle(bucket));
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut first = Histogram::default();
        let mut second = Histogram::default();
        (1..=50).for_each(|value| first.record(value));
        (51..=100).for_each(|value| second.record(value));
        first.merge(&second);
        assert_eq!((first.quantile(0.5), first.quantile(0.99), first.quantile(1.0)), (50.0, 99.0, 100.0));
        assert_eq!(Histogram::default().quantile(0.5), 0.0);
    }
}
