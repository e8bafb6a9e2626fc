//! How an endpoint is doing, as this node sees it: requests in flight, the time to an answer, and whether it was told that it
//! refuses our credential.
//!
//! Law: approximate and never waited for; it orders candidates and permits nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use policy_engine::vocabulary::Instant;

/// The weight of the latest time in the moving average, as a power of two: an eighth.
const SMOOTHING: u32 = 3;

/// How long a refusal of our credential is not told again, in microseconds.
const SILENCE: i64 = 60_000_000;

/// One endpoint's vital signs.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    busy: AtomicU32,
    /// Microseconds; 0 until something was measured.
    latency: AtomicU64,
    /// When it was last told that it refuses our credential; 0 where it never was.
    refusal_told: AtomicI64,
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

    /// Whether it is to be told now that the endpoint refuses our credential: once a minute at most, by one of all who ask.
    pub(crate) fn tells_refusal(&self, now: Instant) -> bool {
        let told = self.refusal_told.load(Ordering::Relaxed);
        let is_due = told == 0 || now.0.abs_diff(told) >= SILENCE.unsigned_abs();
        let order = Ordering::Relaxed;
        is_due && self.refusal_told.compare_exchange(told, now.0, order, order).is_ok()
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

    #[test]
    fn a_refusal_is_told_once_a_minute() {
        let vitals = Vitals::default();
        let told = [5, 6, 60_000_004, 60_000_005, 60_000_006].map(|now| vitals.tells_refusal(Instant(now)));
        assert_eq!(told, [true, false, false, true, false]);
    }
}
