//! The arithmetic of one counter: what is taken, held, given back and charged, and what time refills.
//!
//! Pure: the instant is an argument, nothing is locked and nothing is remembered elsewhere. Every step is integer
//! arithmetic that saturates. An instant that lies behind a counter's own never moves it back: requests come late, and an
//! hour ago would be refilled twice.

mod budget;
mod level;
mod meter;

use std::time::Duration;

pub(super) use self::level::{Level, Wait};
use self::{budget::Budget, meter::Meter};
use super::bound::Bound;

/// How long to suggest waiting for a place among requests in flight; nobody knows when one ends.
const NEXT_PLACE: Duration = Duration::from_secs(1);

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Meter(Meter),
    Places { busy: u64 },
    Budget(Budget),
}

impl Cell {
    /// A counter that nothing was taken from.
    pub(super) fn fresh(bound: &Bound, now: i64) -> Self {
        match bound {
            Bound::Requests { limit, per } | Bound::Tokens { limit, per, .. } => {
                Self::Meter(Meter::new(*limit, *per, now))
            }
            Bound::Concurrent { .. } => Self::Places { busy: 0 },
            Bound::Budget { period, .. } => Self::Budget(Budget::new(period, now)),
        }
    }

    /// Moves the counter to `now`, and to `bound`, which a new revision may have changed.
    pub(super) fn advance(&mut self, bound: &Bound, now: i64) {
        match (self, bound) {
            (Self::Meter(meter), Bound::Requests { limit, per } | Bound::Tokens { limit, per, .. }) => {
                meter.advance(*limit, *per, now);
            }
            (Self::Budget(budget), Bound::Budget { period, .. }) => budget.advance(period, now),
            (Self::Places { .. }, Bound::Concurrent { .. }) => {}
            (other, _) => *other = Self::fresh(bound, now),
        }
    }

    /// Holds `amount` if it fits; changes nothing if it does not. The counter stands at `now`.
    pub(super) fn take(&mut self, bound: &Bound, amount: u128, now: i64) -> Result<(), Wait> {
        if amount == 0 {
            return Ok(());
        }
        match (self, bound) {
            (Self::Meter(meter), Bound::Requests { .. }) => meter.take(amount),
            (Self::Meter(meter), Bound::Tokens { .. }) => meter.hold(amount),
            (Self::Places { busy }, Bound::Concurrent { limit }) => {
                if *busy >= *limit {
                    return Err((*limit > 0).then_some(NEXT_PLACE));
                }
                *busy = busy.saturating_add(1);
                Ok(())
            }
            (Self::Budget(budget), Bound::Budget { limit, .. }) => budget.hold(*limit, amount, now),
            _ => Err(None),
        }
    }

    /// Gives back what was held, as if it had never been taken.
    pub(super) fn give_back(&mut self, bound: &Bound, held: u128) {
        match (self, bound) {
            (Self::Meter(meter), Bound::Requests { .. } | Bound::Tokens { .. }) => meter.give_back(held),
            (Self::Places { busy }, Bound::Concurrent { .. }) if held > 0 => *busy = busy.saturating_sub(1),
            (Self::Budget(budget), Bound::Budget { .. }) => budget.give_back(held),
            _ => {}
        }
    }

    /// Turns what was held into what was used. A request rate counted its request when it was admitted.
    pub(super) fn settle(&mut self, bound: &Bound, held: u128, actual: u128, now: i64) {
        match (self, bound) {
            (Self::Meter(meter), Bound::Tokens { .. }) => {
                meter.catch_up(now);
                meter.settle(held, actual);
            }
            (Self::Places { busy }, Bound::Concurrent { .. }) => *busy = busy.saturating_sub(1),
            (Self::Budget(budget), Bound::Budget { period, .. }) => {
                budget.advance(period, now);
                budget.settle(held, actual);
            }
            _ => {}
        }
    }

    /// What becomes of a hold that nobody settled in time.
    ///
    /// | bound | at expiry |
    /// |---|---|
    /// | requests | stay counted: the request was admitted |
    /// | tokens | given back; a late settle takes what was used |
    /// | concurrent | the place is free |
    /// | budget | charged the last checkpoint; a late settle corrects it |
    pub(super) fn expire(&mut self, bound: &Bound, held: u128, checkpoint: u128, now: i64) {
        match bound {
            Bound::Tokens { .. } => self.give_back(bound, held),
            Bound::Requests { .. } | Bound::Concurrent { .. } | Bound::Budget { .. } => {
                self.settle(bound, held, checkpoint, now);
            }
        }
    }

    /// Charges what an expired hold turns out to have used, `charged` of which was charged at `expired`.
    pub(super) fn settle_late(&mut self, bound: &Bound, actual: u128, charged: u128, expired: i64) {
        match (self, bound) {
            (Self::Meter(meter), Bound::Tokens { .. }) => meter.settle(0, actual),
            (Self::Budget(budget), Bound::Budget { .. }) => budget.correct(actual, charged, expired),
            _ => {}
        }
    }

    /// What is left; the counter stands at `now`.
    pub(super) fn level(&self, bound: &Bound, now: i64) -> Level {
        match (self, bound) {
            (Self::Meter(meter), _) => meter.level(),
            (Self::Places { busy }, Bound::Concurrent { limit }) => {
                Level { remaining: u128::from(limit.saturating_sub(*busy)), reset: Duration::ZERO }
            }
            (Self::Budget(budget), Bound::Budget { limit, .. }) => budget.level(*limit, now),
            _ => Level { remaining: 0, reset: Duration::ZERO },
        }
    }

    /// Follows a clock that was set back. Budgets do not: a period never returns.
    pub(super) fn set_back(&mut self, now: i64) {
        match self {
            Self::Meter(meter) => meter.set_back(now),
            Self::Places { .. } | Self::Budget(_) => {}
        }
    }

    /// Whether a fresh counter would behave alike, so that this one may be forgotten.
    pub(super) fn is_idle(&self, now: i64) -> bool {
        match self {
            Self::Meter(meter) => meter.is_idle(now),
            Self::Places { busy } => *busy == 0,
            Self::Budget(budget) => budget.is_idle(now),
        }
    }
}
