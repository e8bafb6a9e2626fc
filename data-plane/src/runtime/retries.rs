//! How much of a route's load may be asked a second time.
//!
//! Law: retries and fallbacks together are at most a share of the requests of the window and the one before it, and a few more, so that a
//! route with little load can do without a vendor and one with much does not bury those that are left. Atomics alone: counting a
//! request is an addition. Approximate where a window ends. Deliberately absent: who is asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use policy_engine::vocabulary::Instant;

/// A window, in microseconds.
const WINDOW: i64 = 10_000_000;

/// The retries that a window may have whatever its load: three a second.
pub(crate) const FLOOR: u64 = 30;

/// The share of requests that may be asked again where a route says nothing, in percent.
pub(crate) const PERCENT: u32 = 20;

/// What was asked of a route, and asked again.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    requests: Windows,
    again: Windows,
}

/// Counts of two windows: the number of a window in the upper half, its count in the lower.
#[derive(Debug, Default)]
struct Windows([AtomicU64; 2]);

impl Budget {
    /// A request came.
    pub(crate) fn count(&self, now: Instant) {
        self.requests.add(window(now));
    }

    /// Whether it may be asked again, of so many percent; one that may is counted.
    pub(crate) fn take(&self, now: Instant, percent: u32) -> bool {
        let window = window(now);
        let allowed = self.requests.sum(window).saturating_mul(percent.into()) / 100;
        let floor = if percent == 0 { 0 } else { FLOOR };
        let may = self.again.sum(window) < allowed.saturating_add(floor);
        if may {
            self.again.add(window);
        }
        may
    }
}

fn window(now: Instant) -> u32 {
    u32::try_from(now.0.max(0) / WINDOW).unwrap_or(0)
}

impl Windows {
    fn cell(&self, window: u32) -> &AtomicU64 {
        let [even, odd] = &self.0;
        if window.is_multiple_of(2) { even } else { odd }
    }

    fn add(&self, window: u32) {
        let cell = self.cell(window);
        let held = cell.load(Relaxed);
        let begin = u64::from(window) << 32;
        // What was begun long ago, by a clock that was not set back since, takes nothing from what came after it.
        let ahead = (held >> 32).saturating_sub(u64::from(window));
        if (1..100).contains(&ahead) {
            return;
        }
        if held >> 32 != u64::from(window) && cell.compare_exchange(held, begin | 1, Relaxed, Relaxed).is_ok()
        {
            return;
        }
        cell.fetch_add(1, Relaxed);
    }

    /// What the window and the one before it hold.
    fn sum(&self, window: u32) -> u64 {
        let of = |window: u32| {
            let held = self.cell(window).load(Relaxed);
            if held >> 32 == u64::from(window) { held & u64::from(u32::MAX) } else { 0 }
        };
        of(window).saturating_add(window.checked_sub(1).map_or(0, of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn taken(budget: &Budget, now: Instant, percent: u32) -> usize {
        (0..10_000).take_while(|_| budget.take(now, percent)).count()
    }

    #[test]
    fn a_share_of_what_came_of_late_may_be_asked_again_and_a_few_more() {
        let budget = Budget::default();
        assert_eq!(taken(&budget, at(100), 20), 30, "the floor");
        (0..1000).for_each(|_| budget.count(at(100)));
        assert_eq!(taken(&budget, at(101), 20), 200);
        assert_eq!(taken(&budget, at(110), 20), 0, "the window before counts");
        assert_eq!(taken(&budget, at(120), 20), 30, "what is long past does not");
        (0..50).for_each(|_| budget.count(at(125)));
        assert_eq!(taken(&budget, at(131), 20), 10);
    }

    #[test]
    fn a_route_may_say_how_much() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.count(at(7)));
        assert_eq!(taken(&budget, at(7), 0), 0, "none is none");
        assert_eq!(taken(&budget, at(7), 100), 130);
    }

    #[test]
    fn no_request_is_lost_between_threads() {
        let budget = Budget::default();
        budget.count(at(7));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| budget.count(at(8))));
            }
        });
        assert_eq!(budget.requests.sum(window(at(8))), 4001);
    }
}
