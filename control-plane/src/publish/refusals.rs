//! How many refusals of one actor the log takes: enough to see what somebody tries, too few to fill a disk.
//!
//! Law: a refusal that is not logged is counted, and the next event of its actor says how many there were. Absent on purpose:
//! what was refused; the log has no content of a refused change.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Refusals of an actor that are logged however quickly they come.
const BURST: u32 = 100;

/// The time in which one more may be.
const EACH: Duration = Duration::from_secs(10);

/// Actors that are remembered; above that, those who have been still for long are forgotten.
const ACTORS: usize = 10_000;

/// What each actor has left.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    actors: Mutex<HashMap<String, Allowance>>,
}

#[derive(Debug)]
struct Allowance {
    left: u32,
    filled: Instant,
    unlogged: i64,
}

impl Refusals {
    /// Whether a refusal of an actor is logged: then how many were not, since the last that was.
    pub(super) fn admit(&self, actor: &str, now: Instant) -> Option<i64> {
        let mut actors = self.actors.lock();
        if actors.len() >= ACTORS {
            actors.retain(|_, allowance| now.duration_since(allowance.filled) < EACH.saturating_mul(BURST));
        }
        let fresh = Allowance { left: BURST, filled: now, unlogged: 0 };
        let allowance = actors.entry(actor.to_owned()).or_insert(fresh);
        allowance.fill(now);
        match allowance.left.checked_sub(1) {
            Some(left) => {
                allowance.left = left;
                Some(std::mem::take(&mut allowance.unlogged))
            }
            None => {
                allowance.unlogged = allowance.unlogged.saturating_add(1);
                None
            }
        }
    }
}

impl Allowance {
    fn fill(&mut self, now: Instant) {
        let whole = now.duration_since(self.filled).as_secs() / EACH.as_secs();
        let more = u32::try_from(whole).unwrap_or(BURST).min(BURST);
        self.filled += EACH.saturating_mul(more);
        self.left = self.left.saturating_add(more).min(BURST);
        if more == BURST {
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_actor_is_counted_and_nobody_elses_is_lost() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(refusals.admit("a", start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(refusals.admit("a", start), None);
        }
        assert_eq!(refusals.admit("b", start), Some(0));
        assert_eq!(refusals.admit("a", start + EACH), Some(7));
        assert_eq!(refusals.admit("a", start + EACH), None);
        assert_eq!(refusals.admit("a", start + EACH * 3 / 2), None, "half of the time is half of nothing");
        assert_eq!(refusals.admit("a", start + EACH * 2), Some(2));
        let later = start + EACH * 10 * BURST;
        let admitted = (0..BURST * 2).filter(|_| refusals.admit("a", later).is_some()).count();
        assert_eq!(admitted, usize::try_from(BURST).unwrap());
    }
}
