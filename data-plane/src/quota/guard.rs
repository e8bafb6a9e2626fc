//! A hold that can not be forgotten: settling consumes it, dropping it gives it back or charges its checkpoint.
//!
//! Synchronous throughout, so that it works wherever a request may end, a dropped body included. Whoever records the
//! request owns the guard; there is no clock here.

use jiff::Timestamp;

use super::{
    bound::Amounts,
    hold::{Hold, Refusal, Settlement, Standing},
    ledger::Ledger,
    line::Line,
};

/// The limits that one request holds.
#[derive(Debug)]
#[must_use = "dropping a reservation gives it back"]
pub struct Reservation {
    ledger: Ledger,
    hold: Hold,
}

impl Reservation {
    /// Takes `estimate` of all lines or of none.
    ///
    /// # Errors
    /// The refusal with the longest wait; nothing was taken.
    pub async fn reserve(
        ledger: &Ledger,
        lines: Vec<Line>,
        estimate: Amounts,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let hold = ledger.reserve(lines, estimate, now).await?;
        Ok(Self { ledger: ledger.clone(), hold })
    }

    /// Moves to the lines and the estimate of another candidate; see [`Ledger::adjust`].
    ///
    /// # Errors
    /// The refusal with the longest wait; what was held before is still held.
    pub async fn adjust(&self, lines: Vec<Line>, estimate: Amounts, now: Timestamp) -> Result<(), Refusal> {
        self.ledger.adjust(&self.hold, lines, estimate, now).await
    }

    /// Holds more; see [`Ledger::extend`].
    ///
    /// # Errors
    /// The refusal with the longest wait; what was held before is still held.
    pub async fn extend(&self, more: Amounts, now: Timestamp) -> Result<(), Refusal> {
        self.ledger.extend(&self.hold, more, now).await
    }

    /// Says what was surely used so far, and that the request is alive. This is what a drop charges.
    pub fn checkpoint(&self, so_far: Amounts, now: Timestamp) {
        self.ledger.checkpoint(&self.hold, so_far, now);
    }

    /// How the limits stood when they were reserved or last adjusted.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.hold.standings()
    }

    /// Charges what was used.
    pub fn settle(self, actual: Amounts, now: Timestamp) -> Settlement {
        self.ledger.settle(&self.hold, actual, now)
    }

    /// Gives everything back, whatever the checkpoint says: nothing was used.
    pub fn release(self) {
        self.ledger.release(&self.hold);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // Of a hold that was settled or released this changes nothing.
        self.ledger.abandon(&self.hold);
    }
}
