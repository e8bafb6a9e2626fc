//! What a ledger answers: a hold, how the limits stand, or a refusal.
//!
//! A hold is in exactly one state, whoever asks and however often: held, then settled, released or expired. It carries
//! its own state, so a ledger remembers nothing about the requests that have ended.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    bound::{Amounts, Bound},
    cell::Level,
    line::{Limit, Line},
};

/// What a granted request holds of its limits, until it is settled or released. Clones are the same hold.
#[derive(Clone, Debug)]
pub struct Hold(pub(super) Arc<Mutex<State>>);

/// What is known of a hold.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) lines: Vec<Line>,
    pub(super) standings: Vec<Standing>,
    /// What every line holds, each in its own unit.
    pub(super) held: Amounts,
    /// What was surely used so far.
    pub(super) checkpoint: Amounts,
    /// The latest instant this hold has heard of, µs since the Unix epoch.
    pub(super) touched: i64,
    /// When it expires, µs since the Unix epoch.
    pub(super) deadline: i64,
    /// Where the ledger keeps it for its expiry, while it is held.
    pub(super) berth: Option<Berth>,
}

/// A place in the roster of live holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Berth {
    pub(super) dock: usize,
    pub(super) slot: usize,
}

/// `Held → Settled | Released | Expired`, and `Expired → Settled` when the truth arrives late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Held,
    Settled,
    Released,
    Expired { at: i64 },
}

/// What a settlement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The hold became usage.
    Charged,
    /// The hold had expired; its usage was added now, once.
    ChargedLate,
    /// The hold had ended before; nothing was changed.
    Repeated,
}

/// How one limit stands for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: Arc<Limit>,
    /// What is left, in the unit of the bound.
    pub remaining: u128,
    /// Until all of it is there again, if nothing more is taken. For a budget, until its period ends; for requests in
    /// flight zero, since nobody knows.
    pub reset: Duration,
}

/// What sort of limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// Too many requests or tokens for now.
    Rate,
    /// A budget is used up; trying again soon is of no use.
    Budget,
    /// Too many requests in flight.
    Concurrency,
}

/// A limit that does not let a request pass. Nothing was taken from any limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit; of several that refuse, the one with the longest wait.
    pub limit: Arc<Limit>,
    /// What sort of limit it is.
    pub kind: RefusalKind,
    /// When it might pass, if nobody else takes it; `None` if waiting is of no use, because the request alone is over
    /// the limit or its hold has expired.
    pub retry_after: Option<Duration>,
    /// What is left, in the unit of the bound.
    pub remaining: u128,
}

impl Refusal {
    /// How the limit that refuses stands; when it might pass is all that is known of when it is whole again.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            limit: self.limit.clone(),
            remaining: self.remaining,
            reset: self.retry_after.unwrap_or_default(),
        }
    }
}

impl Hold {
    pub(super) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// How its limits stood when it was granted or last adjusted, in the order of its lines.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.0.lock().standings.clone()
    }

    /// What was surely used, as last told.
    #[must_use]
    pub fn checkpoint(&self) -> Amounts {
        self.0.lock().checkpoint
    }

    /// Whether it is neither settled, released nor expired.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.lock().phase == Phase::Held
    }
}

impl Hold {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl State {
    /// Puts the deadline off. A clock that went back never brings it forward.
    pub(super) fn touch(&mut self, now: i64, ttl: i64) {
        self.touched = self.touched.max(now);
        self.deadline = self.deadline.max(now.saturating_add(ttl));
    }

    /// The lines that the end of the request still changes: a request rate counted it when it was admitted.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !matches!(line.limit.bound, Bound::Requests { .. }))
    }

    /// What a hold that has ended answers when it is asked for more.
    pub(super) fn lapsed(&self) -> Result<(), Refusal> {
        match self.lines.first() {
            Some(line) => Err(Refusal::new(&line.limit, None, 0)),
            None => Ok(()),
        }
    }
}

impl Standing {
    pub(super) fn new(limit: &Arc<Limit>, level: Level) -> Self {
        Self { limit: limit.clone(), remaining: level.remaining, reset: level.reset }
    }

    /// Of the limits that `of` selects, the one with the least left: what `x-ratelimit-*` tells the caller.
    pub fn tightest(standings: &[Self], of: impl Fn(&Bound) -> bool) -> Option<&Self> {
        standings
            .iter()
            .filter(|standing| of(&standing.limit.bound))
            .min_by_key(|standing| standing.remaining)
    }
}

impl Refusal {
    pub(super) fn new(limit: &Arc<Limit>, retry_after: Option<Duration>, remaining: u128) -> Self {
        let kind = match limit.bound {
            Bound::Requests { .. } | Bound::Tokens { .. } => RefusalKind::Rate,
            Bound::Concurrent { .. } => RefusalKind::Concurrency,
            Bound::Budget { .. } => RefusalKind::Budget,
        };
        Self { limit: limit.clone(), kind, retry_after, remaining }
    }

    /// Whether waiting for this one takes longer than for `other`.
    pub(super) fn outlasts(&self, other: &Self) -> bool {
        let wait = |refusal: &Self| refusal.retry_after.unwrap_or(Duration::MAX);
        wait(self) > wait(other)
    }
}
