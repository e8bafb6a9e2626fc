//! What was decided: a permit with its candidates and duties, or a denial with its reasons.
//!
//! Law: a permit is only ever made by `decide`; later steps may drop candidates of it, never add one.
//! Absent on purpose: what the ledger or an upstream said.

use std::sync::Arc;

use crate::facts::Price;
use crate::reason::{Reason, ReasonCode};
use crate::vocabulary::{Duration, Entity, MaskAction, RoutePolicy};

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It may go ahead, as the permit says.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// Why a request may not go ahead: never without a reason, the first being the one that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The reasons, in the order of evaluation.
    pub reasons: Vec<Reason>,
    /// Rules that matched, by position in the snapshot.
    pub matched: Vec<RuleIx>,
}

impl Denial {
    /// A denial for one reason.
    pub fn of(reason: Reason) -> Self {
        Self { reasons: vec![reason], matched: Vec::new() }
    }

    /// The code that decided.
    pub fn code(&self) -> ReasonCode {
        self.reasons.first().map_or(ReasonCode::NotEntitled, |r| r.code)
    }
}

macro_rules! positions {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// The position, for tables kept beside the snapshot.
            pub fn position(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

positions! {
    /// A model's position in its snapshot.
    ModelIx,
    /// An endpoint's position in its snapshot.
    EndpointIx,
    /// A rule's position in its snapshot.
    RuleIx,
    /// A limit's position in its snapshot.
    LimitIx
}

/// What happens to findings of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Actions {
    /// By entity, in the order of [`Entity::ALL`]; `None` leaves a finding alone.
    pub entities: [Option<MaskAction>; Entity::ALL.len()],
    /// By word list of the snapshot's detectors, ascending.
    pub word_lists: Vec<(u32, MaskAction)>,
}

impl Actions {
    /// Whether no finding matters.
    pub fn is_empty(&self) -> bool {
        self.word_lists.is_empty() && self.entities.iter().all(Option::is_none)
    }

    /// What happens to a finding of an entity.
    pub fn on(&self, entity: Entity) -> Option<MaskAction> {
        self.entities.get(entity as usize).copied().flatten()
    }

    /// What happens to a word of a list.
    pub fn on_words(&self, list: u32) -> Option<MaskAction> {
        let at = self.word_lists.binary_search_by_key(&list, |(l, _)| *l).ok()?;
        self.word_lists.get(at).map(|(_, action)| *action)
    }

    /// Makes an entity's action at least as strict as `action`.
    pub fn tighten(&mut self, entity: Entity, action: MaskAction) {
        if let Some(slot) = self.entities.get_mut(entity as usize) {
            *slot = (*slot).max(Some(action));
        }
    }

    /// Makes every action at least as strict as another's.
    pub(crate) fn unite(&mut self, other: &Actions) {
        for (held, new) in self.entities.iter_mut().zip(&other.entities) {
            *held = (*held).max(*new);
        }
        other.word_lists.iter().for_each(|(list, action)| self.tighten_words(*list, *action));
    }

    /// Makes a word list's action at least as strict as `action`.
    pub fn tighten_words(&mut self, list: u32, action: MaskAction) {
        match self.word_lists.binary_search_by_key(&list, |(l, _)| *l) {
            Ok(at) => {
                if let Some((_, held)) = self.word_lists.get_mut(at) {
                    *held = (*held).max(action);
                }
            }
            Err(at) => self.word_lists.insert(at, (list, action)),
        }
    }
}

/// One endpoint the request may go to.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Its group in the route; a higher one is a fallback.
    pub group: u32,
    /// Its share within the group.
    pub weight: u32,
    /// Exactly its share of the requests, in percent, where that is fixed.
    pub canary_percent: Option<u32>,
    /// Of a mirror, how many of a hundred requests it sees as well; it gives nobody's answer.
    pub mirror_percent: Option<u32>,
    /// What it costs; `None` is unpriced, never free.
    pub price: Option<Arc<Price>>,
    /// The limits that count a request to it, beside the permit's own.
    pub limits: Vec<LimitIx>,
}

impl Candidate {
    /// Whether the caller's answer may come from there: it is no mirror.
    pub fn answers(&self) -> bool {
        self.mirror_percent.is_none()
    }
}

/// The right to send one request to one of its candidates, and the duties that go with it.
#[derive(Debug, Clone)]
pub struct Permit {
    /// The model.
    pub model: ModelIx,
    /// Where it may go, in the order of the route's groups, mirrors among them; never without one that answers.
    pub candidates: Vec<Candidate>,
    /// How to order the candidates of one group.
    pub policy: RoutePolicy,
    /// The limits that count it wherever it goes.
    pub limits: Vec<LimitIx>,
    /// What happens to findings in what the caller sent.
    pub input: Actions,
    /// What happens to findings in the answer.
    pub output: Actions,
    /// A new data class in the answer may change the decision: ask again with it.
    pub output_decides: bool,
    /// Texts the caller is told.
    pub notices: Vec<Arc<str>>,
    /// Nothing of it is cached.
    pub no_cache: bool,
    /// For how long what is sent and answered is kept; `None`: nothing of it is.
    pub capture: Option<Duration>,
    /// Rules that matched and acted.
    pub matched: Vec<RuleIx>,
    /// Rules in shadow mode that would have denied.
    pub shadow_denials: Vec<RuleIx>,
    /// Endpoints that were dropped, and why.
    pub dropped: Vec<Reason>,
}
