//! Rates: a meter that fills by what is taken and drains with time (the leaky-bucket form of GCRA, ITU-T I.371 A.2).
//!
//! The level is kept in ticks, a tick being one unit for 1/`limit` of a µs: a unit adds `per` ticks, a µs drains `limit`
//! ticks, and the meter is full at `limit × per`. So no rate is ever rounded, and a changed limit needs no conversion.

use std::time::Duration;

use super::level::{Level, Wait};

/// How far, in µs, a caller may be ahead of the clock that [`Meter::set_back`] is told: beyond it, the clock was set.
const STEP: i64 = 2_000_000;

/// The level of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::quota) struct Meter {
    /// Ticks.
    level: u128,
    /// Units that are estimated and not yet settled; they are part of the level.
    held: u128,
    /// Units in `per`.
    limit: u64,
    /// µs; never 0.
    per: u64,
    /// When the level was last drained; µs since the Unix epoch.
    as_of: i64,
}

impl Meter {
    pub(super) fn new(limit: u64, per: Duration, now: i64) -> Self {
        Self { level: 0, held: 0, limit, per: micros(per), as_of: now }
    }

    /// Drains until `now`, and goes on with the given limit: what was used stays used.
    pub(super) fn advance(&mut self, limit: u64, per: Duration, now: i64) {
        self.catch_up(now);
        let per = micros(per);
        if per != self.per {
            let units = self.level.div_ceil(u128::from(self.per));
            self.level = units.saturating_mul(u128::from(per));
            self.per = per;
        }
        if limit != self.limit {
            // A lowered limit starts full, not in a debt that the higher one allowed.
            self.limit = limit;
            self.level = self.level.min(self.full());
        }
    }

    /// Drains until `now`; an instant before the meter's own drains nothing and does not move it back, or a caller who
    /// comes late would let the same time drain twice.
    pub(super) fn catch_up(&mut self, now: i64) {
        if now > self.as_of {
            self.level = self.level.saturating_sub(self.drained(now));
            self.as_of = now;
        }
    }

    /// Follows a clock that was set back, without draining: nobody waits for it to come round again.
    pub(super) fn set_back(&mut self, now: i64) {
        if self.as_of.saturating_sub(now) > STEP {
            self.as_of = now;
        }
    }

    /// Counts `amount` if it fits.
    pub(super) fn take(&mut self, amount: u128) -> Result<(), Wait> {
        if amount > u128::from(self.limit) {
            return Err(None);
        }
        let wanted = self.level.saturating_add(self.ticks(amount));
        let over = wanted.saturating_sub(self.full());
        if over > 0 {
            return Err(Some(self.time(over)));
        }
        self.level = wanted;
        Ok(())
    }

    /// Counts an estimate if it fits, to be settled later.
    pub(super) fn hold(&mut self, amount: u128) -> Result<(), Wait> {
        self.take(amount)?;
        self.held = self.held.saturating_add(amount);
        Ok(())
    }

    pub(super) fn give_back(&mut self, amount: u128) {
        self.level = self.level.saturating_sub(self.ticks(amount));
        self.held = self.held.saturating_sub(amount);
    }

    /// Corrects the estimate: more than was held may leave the meter above full, which later requests wait for.
    pub(super) fn settle(&mut self, held: u128, actual: u128) {
        self.held = self.held.saturating_sub(held);
        self.level = if actual >= held {
            self.level.saturating_add(self.ticks(actual.saturating_sub(held)))
        } else {
            self.level.saturating_sub(self.ticks(held.saturating_sub(actual)))
        };
    }

    pub(super) fn level(&self) -> Level {
        let room = self.full().saturating_sub(self.level);
        let remaining = room.checked_div(u128::from(self.per)).unwrap_or(0);
        Level { remaining, reset: self.time(self.level) }
    }

    pub(super) fn is_idle(&self, now: i64) -> bool {
        self.held == 0 && self.level <= self.drained(now)
    }

    fn ticks(&self, units: u128) -> u128 {
        units.saturating_mul(u128::from(self.per))
    }

    fn full(&self) -> u128 {
        self.ticks(u128::from(self.limit))
    }

    /// The ticks that drain from `as_of` until `now`.
    fn drained(&self, now: i64) -> u128 {
        let elapsed = u64::try_from(now.saturating_sub(self.as_of)).unwrap_or(0);
        u128::from(elapsed).saturating_mul(u128::from(self.limit))
    }

    /// How long so many ticks take to drain, rounded up to a µs; for ever, with a limit of 0.
    fn time(&self, ticks: u128) -> Duration {
        match (ticks, self.limit) {
            (0, _) => Duration::ZERO,
            (_, 0) => Duration::MAX,
            (ticks, limit) => {
                Duration::from_micros(u64::try_from(ticks.div_ceil(u128::from(limit))).unwrap_or(u64::MAX))
            }
        }
    }
}

fn micros(per: Duration) -> u64 {
    u64::try_from(per.as_micros()).unwrap_or(u64::MAX).max(1)
}
