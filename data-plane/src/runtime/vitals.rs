//! How an endpoint is doing, as this node sees it: requests in flight and the time to an answer.
//!
//! Law: approximate and never waited for; it orders candidates and permits nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The weight of the latest time in the moving average, as a power of two: an eighth.
const SMOOTHING: u32 = 3;

/// One endpoint's vital signs.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    busy: AtomicU32,
    /// Microseconds; 0 until something was measured.
    latency: AtomicU64,
}

/// A request in flight; ends when dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Vitals>);

impl Vitals {
    /// Counts a request until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.busy.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Requests in flight.
    pub(crate) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// The moving average of the time to an answer, in microseconds; 0 where nothing was measured.
    pub(crate) fn latency(&self) -> u64 {
        self.latency.load(Ordering::Relaxed)
    }

    /// Takes in a time to an answer. A race between two loses one of them, which an average survives.
    pub(crate) fn measured(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let before = self.latency();
        let after = if before == 0 { micros } else { before - (before >> SMOOTHING) + (micros >> SMOOTHING) };
        self.latency.store(after.max(1), Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_not_in_flight_and_averages_follow() {
        let vitals = Arc::new(Vitals::default());
        let (one, two) = (vitals.begin(), vitals.begin());
        assert_eq!(vitals.busy(), 2);
        drop((one, two));
        assert_eq!(vitals.busy(), 0);
        vitals.measured(Duration::from_micros(800));
        assert_eq!(vitals.latency(), 800);
        (0..50).for_each(|_| vitals.measured(Duration::from_micros(1600)));
        assert!((1500..=1600).contains(&vitals.latency()), "{}", vitals.latency());
    }
}
