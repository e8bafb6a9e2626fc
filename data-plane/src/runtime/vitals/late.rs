//! After how long an answer is late: the time in which 19 of 20 begin, as it is of late.
//!
//! Law: two words, whatever was measured. The bound goes up by much with each answer that takes longer and down by little with each other,
//! so that it rests where one of 20 is longer (a stochastic approximation, as Robbins and Monro's). A race between two loses one of them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Answers before anything is said.
const FEW: u32 = 20;

/// By which part of it the bound goes down where an answer was sooner.
const DOWN: u64 = 200;

/// How many steps down make one up: as many as are sooner for one that is not.
const UP: u64 = 19;

/// The bound of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Microseconds.
    bound: AtomicU64,
    /// Answers measured, as far as they are counted.
    count: AtomicU32,
}

impl Late {
    /// An answer began after so many microseconds.
    pub(super) fn measured(&self, micros: u64) {
        let count = self.count.load(Relaxed);
        if count == 0 {
            self.bound.store(micros.saturating_mul(2), Relaxed);
        }
        let bound = self.bound.load(Relaxed);
        let step = (bound / DOWN).max(1);
        let next = match micros > bound {
            true => bound.saturating_add(step.saturating_mul(UP)),
            false => bound.saturating_sub(step),
        };
        self.bound.store(next.max(1), Relaxed);
        if count < FEW {
            self.count.store(count + 1, Relaxed);
        }
    }

    /// The bound; `None` where few were measured.
    pub(super) fn after(&self) -> Option<Duration> {
        let is_known = self.count.load(Relaxed) >= FEW;
        is_known.then(|| Duration::from_micros(self.bound.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_twenty_is_late() {
        let late = Late::default();
        (0..19).for_each(|_| late.measured(700));
        assert_eq!(late.after(), None);
        let mut bits = 7_u64;
        let mut next = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1_000 + (bits >> 33) % 10_000
        };
        (0..10_000).for_each(|_| late.measured(next()));
        let longer = (0..20_000).filter(|_| {
            let micros = next();
            let is_late = micros > late.after().unwrap().as_micros() as u64;
            late.measured(micros);
            is_late
        });
        let longer = longer.count();
        assert!((700..1_300).contains(&longer), "{longer} of 20000 where some 1000 are expected");
    }
}
