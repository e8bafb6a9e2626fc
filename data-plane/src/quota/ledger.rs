//! The ledger port: what a request asks of whatever keeps the counters.
//!
//! Dispatch is an enum, so a call costs nothing beyond the work; each place where counters are kept is one variant, and
//! the conformance suite holds for all of them. Ending a hold never waits, so that it can happen in a drop.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    bound::Amounts,
    hold::{Hold, Refusal, Settlement, Standing},
    line::Line,
    memory::MemoryLedger,
};

/// How long a hold of the memory ledger lives without a checkpoint, unless told otherwise.
pub const HOLD_TTL: Duration = Duration::from_secs(600);

/// The ledger port: one variant for each place where counters are kept. Clones share them.
#[derive(Clone, Debug)]
pub enum Ledger {
    /// In this process.
    Memory(Arc<MemoryLedger>),
}

impl Ledger {
    /// An empty ledger in this process.
    #[must_use]
    pub fn memory() -> Self {
        Self::Memory(Arc::new(MemoryLedger::new(HOLD_TTL)))
    }

    /// Takes `estimate` of all lines or of none, each in its own unit. An amount of 0 passes any limit.
    ///
    /// # Errors
    /// The refusal with the longest wait; nothing was taken.
    pub async fn reserve(
        &self,
        lines: Vec<Line>,
        estimate: Amounts,
        now: Timestamp,
    ) -> Result<Hold, Refusal> {
        match self {
            Self::Memory(ledger) => ledger.reserve(lines, estimate, now.as_microsecond()),
        }
    }

    /// Moves a hold to the lines and the estimate of another candidate, all or nothing. A line that stays takes or gives
    /// back the difference, so a request that is tried twice is one request to its caller's limits.
    ///
    /// # Errors
    /// The refusal with the longest wait, and what was held before is still held; or, of a hold that has ended, a refusal
    /// that no waiting helps.
    pub async fn adjust(
        &self,
        hold: &Hold,
        lines: Vec<Line>,
        estimate: Amounts,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self {
            Self::Memory(ledger) => ledger.adjust(hold, lines, estimate, now.as_microsecond()),
        }
    }

    /// Holds `more` of all lines or of none, when an answer outgrows its estimate.
    ///
    /// # Errors
    /// As [`Ledger::adjust`].
    pub async fn extend(&self, hold: &Hold, more: Amounts, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Memory(ledger) => ledger.extend(hold, more, now.as_microsecond()),
        }
    }

    /// Says what was surely used so far, prompt included, and puts the deadline of the hold off.
    pub fn checkpoint(&self, hold: &Hold, so_far: Amounts, now: Timestamp) {
        match self {
            Self::Memory(ledger) => ledger.checkpoint(hold, so_far, now.as_microsecond()),
        }
    }

    /// Ends a hold by charging what was used, which may be more than was held. Does not wait: what must be told to a
    /// store is told later.
    pub fn settle(&self, hold: &Hold, actual: Amounts, now: Timestamp) -> Settlement {
        match self {
            Self::Memory(ledger) => ledger.settle(hold, &actual, now.as_microsecond()),
        }
    }

    /// Ends a hold as if it had never been. Does not wait.
    pub fn release(&self, hold: &Hold) {
        match self {
            Self::Memory(ledger) => ledger.release(hold),
        }
    }

    /// Ends a hold whose request went away: charges the checkpoint, or releases if there was none. Does not wait.
    pub fn abandon(&self, hold: &Hold) {
        match self {
            Self::Memory(ledger) => ledger.abandon(hold),
        }
    }

    /// How limits stand, in the order of `lines`; nothing is taken.
    pub async fn standings(&self, lines: &[Line], now: Timestamp) -> Vec<Standing> {
        match self {
            Self::Memory(ledger) => ledger.standings(lines, now.as_microsecond()),
        }
    }

    /// What a timer does every few seconds: expires every hold whose deadline has passed, forgets counters that are idle,
    /// and follows the clock if it was set back. Requests do a bounded part of the first two themselves, but may come
    /// with an instant of long ago, so `now` must be read right before the call: nobody else's time turns a rate back.
    ///
    /// At expiry a budget is charged the last checkpoint, tokens and places are given back, and the request stays counted.
    pub fn sweep(&self, now: Timestamp) {
        match self {
            Self::Memory(ledger) => ledger.sweep(now.as_microsecond()),
        }
    }

    /// How many counters and how many live holds are remembered.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Memory(ledger) => ledger.size(),
        }
    }
}
