//! Everything in force written as the files that apply back to "unchanged".
//!
//! Law: no secret is in it, because none is in what is stored. Absent on purpose: API keys, which no file can make.

use std::fmt::Write as _;

use policy_engine::vocabulary::{Action, Id, Kind, Name};
use prost_reflect::DynamicMessage;

use super::document::API_VERSION;
use super::render;
use crate::actor::{Actor, owner};
use crate::descriptors;
use crate::publish::Published;
use crate::subjects::Subjects;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only what belongs to this tenant, and the tenant itself; `None` is everything.
    pub tenant: Option<Name>,
    /// Only these kinds; empty is every kind.
    pub kinds: Vec<Kind>,
}

/// Writes what is selected and what the actor may read, in the order of kinds and names.
pub fn export(
    (published, subjects): (&Published, &Subjects),
    actor: &Actor,
    selection: &Selection,
) -> String {
    let mut out = String::new();
    let kinds = Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Key);
    for kind in kinds.filter(|kind| selection.kinds.is_empty() || selection.kinds.contains(kind)) {
        let all = published.registry.all(kind).filter(|(id, _)| selected(kind, id, selection));
        let named = all.map(|(id, stored)| (id, subjects.reveal_text(id.name.as_str()), stored));
        let mut named: Vec<_> = named.collect();
        named.sort_by(|(a, name, _), (b, other, _)| (&a.tenant, name).cmp(&(&b.tenant, other)));
        for (id, name, stored) in named {
            if !published.permits(actor, Action::Read, kind, owner(kind, id)) {
                continue;
            }
            if let Some(mut message) = descriptors::dynamic(kind, &stored.bytes) {
                if !out.is_empty() {
                    out.push_str("---\n");
                }
                subjects.reveal(&mut message);
                document(&mut out, kind, (id, &name), &message);
            }
        }
    }
    out
}

fn selected(kind: Kind, id: &Id, selection: &Selection) -> bool {
    selection.tenant.is_none() || owner(kind, id) == selection.tenant.as_ref()
}

fn document(out: &mut String, kind: Kind, (id, name): (&Id, &str), message: &DynamicMessage) {
    let _infallible =
        write!(out, "apiVersion: {API_VERSION}\nkind: {kind}\nmetadata:\n  name: {}\n", render::text(name));
    if let Some(tenant) = &id.tenant {
        let _infallible = writeln!(out, "  tenant: {}", render::text(tenant.as_str()));
    }
    let labels = message.get_field_by_name("labels");
    let labels = labels.as_deref().and_then(|value| value.as_map());
    let mut pairs: Vec<(&str, &str)> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
        .collect();
    if !pairs.is_empty() {
        pairs.sort_unstable();
        out.push_str("  labels:\n");
        render::texts(out, 4, pairs.into_iter());
    }
    let spec = message.get_field_by_name("spec");
    match spec.as_deref().and_then(|value| value.as_message()) {
        Some(spec) if spec.fields().next().is_some() => {
            out.push_str("spec:\n");
            render::fields(out, 2, spec);
        }
        _ => out.push_str("spec: {}\n"),
    }
}
