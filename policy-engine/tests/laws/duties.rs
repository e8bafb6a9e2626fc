//! What rules and checks add to the terms of the reference's answer.

use std::collections::BTreeMap;

use policy_engine::facts::{Check, Obligation, Rule};
use policy_engine::vocabulary::{Effect, MaskAction, Mode};

use super::ask::Terms;
use super::reference::Holding;
use super::world::WORDS;

pub(crate) fn note(terms: &mut Terms, holding: &[Holding<'_>]) {
    for (id, rule, _) in holding {
        match (rule.mode, rule.effect) {
            (Mode::Enforce, _) => drop(terms.matched.insert((*id).clone())),
            (Mode::Shadow, Effect::Forbid) => drop(terms.shadow.insert((*id).clone())),
            (Mode::Shadow, _) => {}
        }
    }
}

fn at_least(actions: &mut BTreeMap<String, MaskAction>, what: &str, action: MaskAction) {
    let held = actions.entry(what.to_owned()).or_insert(action);
    *held = (*held).max(action);
}

pub(crate) fn oblige(terms: &mut Terms, rule: &Rule) {
    for obligation in &rule.obligations {
        let (entities, action) = match obligation {
            Obligation::Mask(entities) => (entities, MaskAction::Mask),
            Obligation::Block(entities) => (entities, MaskAction::Block),
            Obligation::Notice(text) => {
                terms.notices.insert(text.clone());
                continue;
            }
            Obligation::NoCache => {
                terms.no_cache = true;
                continue;
            }
            Obligation::Capture(retention) => {
                terms.capture = terms.capture.max(Some(*retention));
                continue;
            }
            Obligation::Residency(_) => continue,
        };
        for entity in entities {
            at_least(&mut terms.input, entity.as_str(), action);
            at_least(&mut terms.output, entity.as_str(), action);
        }
    }
}

pub(crate) fn tighten(actions: &mut BTreeMap<String, MaskAction>, check: &Check) {
    check.detect.iter().for_each(|entity| at_least(actions, entity.as_str(), check.action));
    let named = WORDS.iter().filter(|word| check.words.iter().any(|w| w == *word));
    named.for_each(|word| at_least(actions, word, check.action));
}
