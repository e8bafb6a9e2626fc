//! Budgets: what a period used, and what requests in flight may still use of it.
//!
//! A hold follows the clock: what is in flight when a period ends counts against the next one and is charged where it
//! ends, so used and held together never pass the limit. A period never returns: a clock that steps back stays in the
//! period it had reached, so nothing is granted twice.

use std::time::Duration;

use super::level::{Level, Wait};
use crate::quota::window::{Cadence, Period, Window};

/// How long a finished period is remembered, in µs, so that a clock that steps back cannot have it anew.
const MEMORY: i64 = 2 * 3_600_000_000;

/// The state of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::quota) struct Budget {
    used: u128,
    held: u128,
    cadence: Cadence,
    window: Window,
}

impl Budget {
    pub(super) fn new(period: &Period, now: i64) -> Self {
        Self { used: 0, held: 0, cadence: period.cadence(), window: period.window(now) }
    }

    /// Starts afresh when the period is over. Where a new revision changed its length, what was used counts in the new
    /// period; a new time zone counts from the next period on.
    pub(super) fn advance(&mut self, period: &Period, now: i64) {
        if now >= self.window.end {
            *self = Self { held: self.held, ..Self::new(period, now) };
        } else if self.cadence != period.cadence() {
            *self = Self { held: self.held, used: self.used, ..Self::new(period, now) };
        }
    }

    pub(super) fn hold(&mut self, limit: u128, amount: u128, now: i64) -> Result<(), Wait> {
        if amount > limit {
            return Err(None);
        }
        let wanted = self.used.saturating_add(self.held).saturating_add(amount);
        if wanted > limit {
            return Err(Some(self.resets_in(now)));
        }
        self.held = self.held.saturating_add(amount);
        Ok(())
    }

    pub(super) fn give_back(&mut self, held: u128) {
        self.held = self.held.saturating_sub(held);
    }

    pub(super) fn settle(&mut self, held: u128, actual: u128) {
        self.held = self.held.saturating_sub(held);
        self.used = self.used.saturating_add(actual);
    }

    /// Charges `actual` where `charged` was already charged at `expired`. What was charged too much is given back only
    /// within the period that it was charged to.
    pub(super) fn correct(&mut self, actual: u128, charged: u128, expired: i64) {
        self.used = self.used.saturating_add(actual.saturating_sub(charged));
        if self.window.start <= expired {
            self.used = self.used.saturating_sub(charged.saturating_sub(actual));
        }
    }

    pub(super) fn level(&self, limit: u128, now: i64) -> Level {
        let remaining = limit.saturating_sub(self.used).saturating_sub(self.held);
        Level { remaining, reset: self.resets_in(now) }
    }

    pub(super) fn is_idle(&self, now: i64) -> bool {
        self.held == 0 && (self.used == 0 || now.saturating_sub(MEMORY) >= self.window.end)
    }

    fn resets_in(&self, now: i64) -> Duration {
        Duration::from_micros(u64::try_from(self.window.end.saturating_sub(now)).unwrap_or(0))
    }
}
