//! What a labelled set of files no longer names: it is deleted with the publication that applies them.
//!
//! Law: only what has every label, is in no file and may be written by whoever applies; of a proposal, only what it told. Absent on purpose: keys, which no file can make;
//! those of principals and teams that go, go with them.

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::vocabulary::{Action, Id, Kind};
use proto::name;

use super::document::Document;
use crate::actor::{Actor, owner};
use crate::descriptors;
use crate::govern;
use crate::publish::{Approved, Change, Effect, Published};
use crate::registry::Stored;

/// What is deleted: resources, and the keys that go with them, each once.
pub(super) fn pruned(
    published: &Published,
    actor: &Actor,
    (labels, documents): (&BTreeMap<String, String>, &[Document]),
    approves: Option<&Approved>,
) -> Vec<Change> {
    if labels.is_empty() {
        return Vec::new();
    }
    let declared: BTreeSet<(Kind, &Id)> = documents.iter().map(|each| (each.kind, &each.id)).collect();
    let kinds = Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Key);
    let all = kinds.flat_map(|kind| published.registry.all(kind).map(move |(id, stored)| (kind, id, stored)));
    let goes: Vec<(Kind, Id)> = all
        .filter(|(kind, id, _)| !declared.contains(&(*kind, *id)))
        .filter(|(kind, _, stored)| has(*kind, stored, labels))
        .filter(|(kind, id, _)| approves.is_none_or(|proposal| was_shown(*kind, id, proposal)))
        .filter(|(kind, id, _)| published.permits(actor, Action::Write, *kind, owner(*kind, id)))
        .map(|(kind, id, _)| (kind, id.clone()))
        .collect();
    let along = goes.iter().flat_map(|(kind, id)| govern::takes_along(*kind, id, &published.facts));
    let along: BTreeSet<(Kind, Id)> = along.map(|id| (Kind::Key, id)).collect();
    goes.into_iter().chain(along).map(|(kind, id)| Change { kind, id, after: None }).collect()
}

/// Whether a proposal said that a resource goes: what got the labels since is nothing that was approved.
fn was_shown(kind: Kind, id: &Id, proposal: &Approved) -> bool {
    let name = name::format(kind, id);
    proposal
        .record
        .changes
        .iter()
        .any(|change| change.name == name && change.change == Effect::Deleted.as_str())
}

/// Whether a resource has every label.
fn has(kind: Kind, stored: &Stored, labels: &BTreeMap<String, String>) -> bool {
    let Some(message) = descriptors::dynamic(kind, &stored.bytes) else { return false };
    let field = message.get_field_by_name("labels");
    let Some(own) = field.as_deref().and_then(|value| value.as_map()) else { return false };
    let own: BTreeMap<&str, &str> =
        own.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?))).collect();
    labels.iter().all(|(key, value)| own.get(key.as_str()) == Some(&value.as_str()))
}
