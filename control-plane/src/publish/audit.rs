//! Audit events of acts: who, what, on which resources, with the digests before and after and what differs.

use policy_engine::vocabulary::{Id, Kind, Name};
use proto::admin::{AuditEvent, AuditedChange, AuditedExport};
use proto::name;

use super::Published;
use crate::act::{Act, encoded};
use crate::patch::Room;
use crate::registry::{Stored, hex};
use crate::store::{Event, Written};

/// Changes one event names at most; an act with more is logged as several.
const CHANGES: usize = 1_000;

/// What an act that makes a revision did to each resource, in the order of names.
pub(super) fn changes(base: &Published, written: &[Written], revision: i64) -> Vec<AuditedChange> {
    let mut all: Vec<_> = written.iter().filter_map(|written| change(base, written)).collect();
    all.sort_by(|(a, ..), (b, ..)| a.name.cmp(&b.name));
    for part in all.chunks_mut(CHANGES) {
        let mut room = Room::new((base.head.revision, revision));
        for (change, kind, (before, after)) in part {
            room.fill(change, *kind, (before.map(|stored| stored.bytes.as_ref()), *after));
        }
    }
    all.into_iter().map(|(change, ..)| change).collect()
}

/// A version of a resource before, and one after.
type Versions<'a> = (Option<&'a Stored>, Option<&'a [u8]>);

fn change<'a>(base: &'a Published, written: &'a Written) -> Option<(AuditedChange, Kind, Versions<'a>)> {
    let kind: Kind = written.kind.parse().ok()?;
    let id = Id { tenant: Name::new(&written.tenant).ok(), name: Name::new(&written.name).ok()? };
    let before = base.registry.get(kind, &id);
    let change = match (before.is_some(), written.after.is_some()) {
        (false, _) => "created",
        (true, true) => "updated",
        (true, false) => "deleted",
    };
    let told = AuditedChange {
        name: name::format(kind, &id),
        change: change.to_owned(),
        before_digest: before.map(|stored| hex(&stored.digest)).unwrap_or_default(),
        after_digest: written.after.as_ref().map(|(digest, _)| hex(digest)).unwrap_or_default(),
        ..AuditedChange::default()
    };
    let after = written.after.as_ref().map(|(_, bytes)| bytes.as_ref());
    Some((told, kind, (before.map(AsRef::as_ref), after)))
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

/// The event of an act that hands out what is in a log.
pub(super) fn exported<'a>(act: &'a Act, export: &'a AuditedExport, now: i64) -> Event<'a> {
    let body = Box::new(move |seq| {
        encoded(AuditEvent { export: Some(export.clone()), ..act.event("ok", 0, now) }, seq)
    });
    Event { created_at: now, revision: 0, body }
}

/// The event of an act that was done and published nothing.
pub fn noted(act: &Act, now: i64) -> Event<'_> {
    unpublished(act, "ok", (now, 0))
}
