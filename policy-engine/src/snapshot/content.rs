//! What is looked for in content, for the callers of one tenant.
//!
//! Law: one view looks for everything any guardrail or rule that can reach its callers may ask for; a permit then says
//! which findings matter, so that a finding can be missed only if nobody asked for it.

use std::fmt;
use std::sync::Arc;

use super::bits::has_bit;
use crate::content::Detectors;
use crate::vocabulary::{Entity, Id, MaskAction};

/// The detectors for one tenant's callers, and the guardrails that speak of their findings.
#[derive(Debug)]
pub struct ContentView {
    /// The compiled detectors; word list `n` of a finding is `word_lists[n]`.
    pub detectors: Arc<Detectors>,
    /// Where each word list comes from.
    pub word_lists: Vec<WordList>,
    pub(crate) guardrails: Vec<GuardrailRow>,
}

/// A word list's origin, such as `acme/secrets#1`. Guardrails with the same words share one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordList {
    /// The first guardrail with these words.
    pub guardrail: Id,
    /// The how-maniest list of that guardrail it is, from 1, of those that are none's before it.
    pub number: u32,
}

impl fmt::Display for WordList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.guardrail, self.number)
    }
}

/// A guardrail, as far as it concerns one view.
#[derive(Debug, Clone)]
pub(crate) struct GuardrailRow {
    pub(crate) id: Id,
    /// The models it is for, as bits; `None` is all.
    pub(crate) model_bits: Option<Box<[u64]>>,
    pub(crate) all_teams: bool,
    /// The teams it is for, where it is not for all.
    pub(crate) teams: Vec<u32>,
    pub(crate) input: Vec<CheckRow>,
    pub(crate) output: Vec<CheckRow>,
}

/// One check: an action on entities, or on one of the view's word lists.
#[derive(Debug, Clone)]
pub(crate) struct CheckRow {
    pub(crate) entities: Vec<Entity>,
    pub(crate) word_list: Option<u32>,
    pub(crate) action: MaskAction,
}

impl GuardrailRow {
    pub(crate) fn applies(&self, team: u32, model: u32) -> bool {
        (self.all_teams || self.teams.contains(&team))
            && self.model_bits.as_deref().is_none_or(|bits| has_bit(bits, model as usize))
    }
}
