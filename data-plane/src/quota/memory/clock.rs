//! The latest instant that anybody has told the ledger.
//!
//! A request may have read its instant long before it gets here, after a slow upload for instance. Taken at its word, its
//! hold would expire at once and its caller would be in flight without a place. So time here only goes forward, except
//! when the timer, which reads the clock right before, says that it was set back.

use std::sync::atomic::{AtomicI64, Ordering};

/// How far, in µs, the latest instant may lag behind, so that threads rarely write it.
const GRAIN: i64 = 10_000;

/// How far, in µs, a request may be ahead of the timer: beyond it, the clock was set back.
const STEP: i64 = 2_000_000;

#[derive(Debug)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// `now`, or what is already later.
    pub(super) fn read(&self, now: i64) -> i64 {
        let latest = self.0.load(Ordering::Relaxed);
        if now > latest.saturating_add(GRAIN) {
            self.0.fetch_max(now, Ordering::Relaxed);
        }
        now.max(latest)
    }

    /// Follows the timer, also back.
    pub(super) fn set(&self, now: i64) {
        let latest = self.0.load(Ordering::Relaxed);
        if latest.saturating_sub(now) > STEP {
            // Another thread may have moved it on meanwhile; the next tick of the timer sees that.
            self.0.store(now, Ordering::Relaxed);
        }
    }
}
