//! How many acts of one actor that change nothing the log takes: refusals and an auditor's reads. Enough to see what somebody does, too
//! few to fill a disk.
//!
//! Law: an act that is not logged is counted, and the next event of its actor says how many there were. Absent on purpose:
//! what was refused; the log has no content of a refused change.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proto::admin::AuditedExport;

use super::{Act, Publisher, audit};
use crate::allowance::{Allowance, Terms};
use crate::clock;
use crate::error::ChangeError;

/// Refusals of an actor that are logged.
const REFUSALS: Terms = Terms { burst: 100, each: Duration::from_secs(10) };

/// Reads of an auditor that are logged: whoever reads page by page is seen doing so.
const READS: Terms = Terms { burst: 1_000, each: Duration::from_secs(1) };

/// Actors that are remembered; above that, those who have been still for long are forgotten.
const ACTORS: usize = 10_000;

/// What each actor has left.
#[derive(Debug)]
pub(super) struct Unlogged {
    terms: Terms,
    actors: Mutex<HashMap<String, Logged>>,
}

#[derive(Debug)]
struct Logged {
    allowance: Allowance,
    unlogged: i64,
}

impl Unlogged {
    /// For refusals.
    pub(super) fn refusals() -> Self {
        Self { terms: REFUSALS, actors: Mutex::default() }
    }

    /// For reads.
    pub(super) fn reads() -> Self {
        Self { terms: READS, actors: Mutex::default() }
    }

    /// Whether an act of an actor is logged: then how many were not, since the last that was.
    fn admit(&self, actor: &str, now: Instant) -> Option<i64> {
        let mut actors = self.actors.lock();
        if actors.len() >= ACTORS {
            actors.retain(|_, logged| !logged.allowance.is_still(now));
        }
        let fresh = || Logged { allowance: Allowance::new(self.terms, now), unlogged: 0 };
        let logged = actors.entry(actor.to_owned()).or_insert_with(fresh);
        match logged.allowance.take(now) {
            Ok(()) => Some(std::mem::take(&mut logged.unlogged)),
            Err(_) => {
                logged.unlogged = logged.unlogged.saturating_add(1);
                None
            }
        }
    }
}

impl Publisher {
    /// Logs an act that was refused, or counts it where its actor was refused too often of late.
    ///
    /// # Errors
    /// The store can't take it.
    pub async fn log_refusal(&self, act: &Act, outcome: &str) -> Result<(), ChangeError> {
        let Some(unlogged) = self.shared.refusals.admit(&act.actor, Instant::now()) else { return Ok(()) };
        Ok(self.shared.store.log(&audit::unpublished(act, outcome, (clock::now(), unlogged))).await?)
    }

    /// Logs that an auditor read something, or counts it where it has read very much of late.
    ///
    /// # Errors
    /// The store can't take it.
    pub async fn log_read(&self, act: &Act) -> Result<(), ChangeError> {
        let Some(unlogged) = self.shared.reads.admit(&act.actor, Instant::now()) else { return Ok(()) };
        Ok(self.shared.store.log(&audit::unpublished(act, "ok", (clock::now(), unlogged))).await?)
    }

    /// Logs what of a log is handed out, each time: of what leaves the house nothing is only counted.
    ///
    /// # Errors
    /// The store can't take it.
    pub async fn log_export(&self, act: &Act, export: &AuditedExport) -> Result<(), ChangeError> {
        Ok(self.shared.store.log(&audit::exported(act, export, clock::now())).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = REFUSALS.burst;
    const EACH: Duration = REFUSALS.each;

    #[test]
    fn a_flood_of_one_actor_is_counted_and_nobody_elses_is_lost() {
        let (refusals, start) = (Unlogged::refusals(), Instant::now());
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
