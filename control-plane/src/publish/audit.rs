//! Audit events of acts: who, what, on which resources, with the digests before and after.

use policy_engine::vocabulary::{Id, Kind, Name};
use proto::admin::{AuditEvent, AuditedChange};
use proto::name;

use super::Published;
use crate::act::{Act, encoded};
use crate::registry::hex;
use crate::store::{Event, Written};

/// Changes one event names at most; an act with more is logged as several.
const CHANGES: usize = 1_000;

/// What an act did to each resource, in the order of names.
pub(super) fn changes(base: &Published, written: &[Written]) -> Vec<AuditedChange> {
    let mut all: Vec<AuditedChange> = written.iter().filter_map(|w| change(base, w)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn change(base: &Published, written: &Written) -> Option<AuditedChange> {
    let kind: Kind = written.kind.parse().ok()?;
    let id = Id { tenant: Name::new(&written.tenant).ok(), name: Name::new(&written.name).ok()? };
    let before = base.registry.get(kind, &id);
    let change = match (before.is_some(), written.after.is_some()) {
        (false, _) => "created",
        (true, true) => "updated",
        (true, false) => "deleted",
    };
    Some(AuditedChange {
        name: name::format(kind, &id),
        change: change.to_owned(),
        before_digest: before.map(|stored| hex(&stored.digest)).unwrap_or_default(),
        after_digest: written.after.as_ref().map(|(digest, _)| hex(digest)).unwrap_or_default(),
    })
}

/// The events of an act that published a revision; one, where it changed no resource.
pub(super) fn events<'a>(
    act: &'a Act,
    changes: &'a [AuditedChange],
    revision: i64,
    now: i64,
) -> Vec<Event<'a>> {
    let parts = changes.chunks(CHANGES).chain(changes.is_empty().then_some(changes));
    parts
        .map(|part| Event {
            created_at: now,
            revision,
            body: Box::new(move |seq| {
                encoded(AuditEvent { changes: part.to_vec(), ..act.event("ok", revision, now) }, seq)
            }),
        })
        .collect()
}

/// The event of an act that steered a rollout.
pub(super) fn steering(act: &Act, candidate_revision: i64, now: i64) -> Event<'_> {
    let body = Box::new(move |seq| encoded(act.event("ok", candidate_revision, now), seq));
    Event { created_at: now, revision: candidate_revision, body }
}

/// The event of an act that published nothing, by how it came out, after so many of the same actor that are not logged.
pub(super) fn unpublished<'a>(act: &'a Act, outcome: &'a str, (now, unlogged): (i64, i64)) -> Event<'a> {
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| encoded(AuditEvent { unlogged, ..act.event(outcome, 0, now) }, seq)),
    }
}

/// The event of an act that was done and published nothing.
pub fn noted(act: &Act, now: i64) -> Event<'_> {
    unpublished(act, "ok", (now, 0))
}
