//! Whether what is asked about exists: a question about a geo, a data class or a place that nothing knows has an answer that
//! reads well and means nothing.
//!
//! | word | refused where |
//! |---|---|
//! | geo | no node runs there, no resource names it, and it is no place of the region table; accepted while no node is known |
//! | data class | nothing detects it and no condition names it |
//! | residency of subjects | it is no place of the region table |
//! | purpose | it is a slip of one that a condition or a licence names: any other is a purpose like every other |
//!
//! Law: what is suggested is the platform's or the asked tenant's own; no other tenant's words are told.

use std::collections::BTreeSet;

use policy_engine::facts::Facts;
use policy_engine::rules::geo;
use policy_engine::vocabulary::{Entity, Geo, Id, Name};
use proto::status::{Refusal, WrongField};

use super::Imagined;
use crate::geos;
use crate::nearest::{meant, suggestion};

/// Refuses a question whose words mean nothing here, with every such word.
pub(super) fn check(asked: &Imagined, facts: &Facts, nodes: &BTreeSet<Geo>) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let mut note = |field: String, message: String| wrong.push(WrongField { field, message });
    if let Some(message) = unknown_geo(asked, facts, nodes) {
        note("geo".to_owned(), message);
    }
    let classes = classes(facts, &asked.tenant);
    for (n, class) in asked.classes.iter().enumerate().filter(|(_, class)| !classes.contains(class.as_str()))
    {
        let known = suggestion(class, classes.iter().copied());
        let message =
            format!("`{}` is no data class that is detected or that a rule names: {known}", plain(class));
        note(format!("dataClasses[{n}]"), message);
    }
    let places = geo::resolve("global").map(|all| geo::names_overlapping(&all)).unwrap_or_default();
    for (n, place) in
        asked.residency.iter().enumerate().filter(|(_, place)| geo::kind(place.as_str()).is_none())
    {
        let known = suggestion(place.as_str(), places.iter().copied());
        let message =
            format!("`{place}` is not a place of the region table of {}: {known}", geo::TABLE_AS_OF);
        note(format!("subjectResidency[{n}]"), message);
    }
    if let Some(message) = asked.purpose.as_deref().and_then(|purpose| slip(purpose, facts, &asked.tenant)) {
        note("purpose".to_owned(), message);
    }
    let Some(first) = wrong.first() else { return Ok(()) };
    let first = format!("{}: {}", first.field, first.message);
    Err(Refusal { fields: wrong, ..Refusal::new(proto::code::ErrorCode::InvalidRequest, first) })
}

fn unknown_geo(asked: &Imagined, facts: &Facts, nodes: &BTreeSet<Geo>) -> Option<String> {
    let geo = &asked.geo;
    if let Some(misspelt) = geos::Known::of(facts, nodes).misspelt(geo) {
        return Some(misspelt);
    }
    let place = [geo.to_string(), geo.as_str().to_uppercase()];
    if nodes.is_empty() || nodes.contains(geo) || place.iter().any(|name| geo::kind(name).is_some()) {
        return None;
    }
    let named = geos::named(facts, Some(&asked.tenant));
    if named.contains(geo) {
        return None;
    }
    let known = suggestion(geo.as_str(), nodes.iter().chain(named).map(Geo::as_str));
    Some(format!("no node runs in `{geo}`, and nothing names it: {known}"))
}

/// Whether something is the platform's or the tenant's own.
fn of(id: &Id, tenant: &Name) -> bool {
    id.tenant.as_ref().is_none_or(|owner| owner == tenant)
}

/// What conditions that read an attribute compare it with.
fn compared<'f>(facts: &'f Facts, tenant: &Name, attribute: &str) -> impl Iterator<Item = &'f str> {
    let rules = facts.rules.iter().filter(move |(id, rule)| of(id, tenant) && rule.when.contains(attribute));
    rules.flat_map(|(_, rule)| literals(&rule.when))
}

fn classes<'f>(facts: &'f Facts, tenant: &Name) -> BTreeSet<&'f str> {
    let named = compared(facts, tenant, "data.classes");
    Entity::ALL.iter().map(|entity| entity.as_str()).chain(named).collect()
}

/// What is told of a purpose that is nearly one that decides something, and is not one.
fn slip(purpose: &str, facts: &Facts, tenant: &Name) -> Option<String> {
    let licences = facts.licences.iter().filter(|(id, _)| of(id, tenant));
    let licences = licences.flat_map(|(_, l)| l.permitted.iter().chain(&l.prohibited)).map(String::as_str);
    let known: BTreeSet<&str> = compared(facts, tenant, "purpose").chain(licences).collect();
    if known.contains(purpose) {
        return None;
    }
    let meant = meant(purpose, known)?;
    Some(format!("no rule and no licence names the purpose `{}`: {meant}", plain(purpose)))
}

/// The texts of a condition, without their quotes.
fn literals(when: &str) -> impl Iterator<Item = &str> {
    let quoted = when.split('\'').skip(1).step_by(2);
    quoted.chain(when.split('"').skip(1).step_by(2))
}

/// A caller's word, fit for a message.
fn plain(word: &str) -> String {
    word.chars().take(64).flat_map(char::escape_default).collect()
}
