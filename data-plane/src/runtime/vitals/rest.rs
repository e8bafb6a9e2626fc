//! For how long a vendor wants an endpoint to be left alone.
//!
//! Law: what the vendor asked for after a refusal is believed; what is only guessed never refuses a request that nobody else could
//! answer. Neither is longer than [`LONGEST`], so that no vendor can switch an endpoint off, and neither outlasts a clock that
//! was set back. Deliberately absent: waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use policy_engine::vocabulary::Instant;

/// The longest a vendor is believed; then one request finds out.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// How long an endpoint is left alone that refused and did not say for how long.
pub(crate) const UNSAID: Duration = Duration::from_secs(1);

/// Until when an endpoint is left alone, in microseconds since the Unix epoch; 0: it is not.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    asked: AtomicI64,
    guessed: AtomicI64,
}

impl Rest {
    /// The vendor refused, and asked to be left alone for so long.
    pub(crate) fn ask(&self, now: Instant, wait: Duration) {
        extend(&self.asked, now, wait);
    }

    /// It is better left alone for so long.
    pub(crate) fn guess(&self, now: Instant, wait: Duration) {
        extend(&self.guessed, now, wait);
    }

    /// Whether there is nothing to wait for, whatever the time is.
    pub(crate) fn is_over(&self) -> bool {
        self.asked.load(Ordering::Relaxed) == 0 && self.guessed.load(Ordering::Relaxed) == 0
    }

    /// What is left of what the vendor asked for.
    pub(crate) fn asked(&self, now: Instant) -> Option<Duration> {
        left(&self.asked, now)
    }

    /// What is left of what was guessed.
    pub(crate) fn guessed(&self, now: Instant) -> Option<Duration> {
        left(&self.guessed, now)
    }
}

fn extend(until: &AtomicI64, now: Instant, wait: Duration) {
    let micros = i64::try_from(wait.min(LONGEST).as_micros()).unwrap_or(0);
    if micros > 0 {
        until.fetch_max(now.0.saturating_add(micros), Ordering::Relaxed);
    }
}

fn left(until: &AtomicI64, now: Instant) -> Option<Duration> {
    let end = until.load(Ordering::Relaxed);
    if end == 0 {
        return None;
    }
    let left = u64::try_from(end.saturating_sub(now.0)).ok().filter(|left| *left > 0);
    let left = left.map(Duration::from_micros).filter(|left| *left <= LONGEST * 2);
    if left.is_none() {
        // Over, or of a clock that was set back; whoever set it anew meanwhile keeps it.
        let _ = until.compare_exchange(end, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
    left.map(|left| left.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Instant {
        Instant(1_000_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_vendor_is_believed_for_a_minute_at_most() {
        let rest = Rest::default();
        assert!(rest.is_over() && rest.asked(at(0)).is_none());
        rest.ask(at(0), Duration::from_secs(86_400));
        assert_eq!(rest.asked(at(1)), Some(Duration::from_secs(59)));
        rest.ask(at(2), Duration::from_secs(3));
        assert_eq!(rest.asked(at(2)), Some(Duration::from_secs(58)), "the longer one holds");
        assert_eq!(rest.guessed(at(2)), None);
        assert_eq!(rest.asked(at(60)), None);
        assert!(rest.is_over());
        rest.guess(at(60), Duration::ZERO);
        assert!(rest.is_over(), "nothing to wait for");
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_rest() {
        let rest = Rest::default();
        rest.ask(at(3600), Duration::from_secs(5));
        assert_eq!(rest.asked(at(0)), None);
        assert_eq!(rest.asked(at(3601)), None);
    }
}
