//! The ledger: which limits a request holds, and what it used of them in the end.
//!
//! Before a request is sent, all its lines are reserved or none; afterwards exactly one of settle, release and expiry
//! ends the hold, however often and however late somebody says so. Time is an argument of every call, amounts are whole
//! numbers. Which limits apply to whom is the permit's to say, and what was used is the account's; neither is here.
//!
//! | state of a hold | settle | release | its deadline |
//! |---|---|---|---|
//! | held | settled: charged what was used | released | expired: see [`Ledger::sweep`] |
//! | settled, released | nothing | nothing | nothing |
//! | expired | settled: the usage is added now | nothing | nothing |

mod bound;
mod cell;
mod guard;
mod hold;
mod ledger;
mod line;
mod memory;
mod roster;
mod window;

#[cfg(test)]
mod conformance;

pub use self::{
    bound::{Amounts, Bound, Measure, TokenClass},
    guard::Reservation,
    hold::{Hold, Refusal, RefusalKind, Settlement, Standing},
    ledger::{HOLD_TTL, Ledger},
    line::{Limit, LimitId, Line, SubjectKey},
    memory::MemoryLedger,
    window::{Period, Unit},
};
