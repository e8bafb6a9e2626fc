//! Audit events of acts: who, what, on which resources, with the digests before and after.

use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use proto::admin::{AuditEvent, AuditedChange};
use proto::name;

use super::Published;
use crate::clock;
use crate::registry::{hex, sha256};
use crate::store::{Event, Written};

/// Changes one event names at most; an act with more is logged as several.
const CHANGES: usize = 1_000;

/// Who acts, and by what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Act {
    /// AIP name of the principal; `system` for the control plane itself.
    pub actor: String,
    /// Public id of the API key the actor used; empty where none was.
    pub key_id: String,
    /// The call, such as `chancery.admin.v1.TeamsService/CreateTeam`.
    pub action: String,
    /// AIP name of what is acted upon; empty where it is not one resource.
    pub resource: String,
    /// The request's id.
    pub request_id: String,
    /// Why, as the caller gave it; empty where it gave no reason.
    pub reason: String,
    /// The ticket behind it, as the caller gave it; empty where it gave none.
    pub ticket: String,
}

impl Act {
    /// An act of the control plane itself.
    pub fn of_system(action: &str) -> Self {
        Self { actor: "system".to_owned(), action: action.to_owned(), ..Self::default() }
    }

    fn event(&self, outcome: &str, revision: i64, now: i64) -> AuditEvent {
        AuditEvent {
            name: String::new(),
            sequence: 0,
            create_time: Some(clock::timestamp(now)),
            actor: self.actor.clone(),
            key_id: self.key_id.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            outcome: outcome.to_owned(),
            revision,
            changes: Vec::new(),
            request_id: self.request_id.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            unlogged: 0,
        }
    }
}

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

/// The events of an act that published a revision.
pub(super) fn events<'a>(
    act: &'a Act,
    changes: &'a [AuditedChange],
    revision: i64,
    now: i64,
) -> Vec<Event<'a>> {
    changes
        .chunks(CHANGES)
        .map(|part| Event {
            created_at: now,
            revision,
            body: Box::new(move |seq| {
                encoded(AuditEvent { changes: part.to_vec(), ..act.event("ok", revision, now) }, seq)
            }),
        })
        .collect()
}

/// The event of an act that changed something beside what is published: it was not there before, or is not after.
pub(crate) fn changed_aside<'a>(
    act: &'a Act,
    name: &str,
    (before, after): (Option<&[u8]>, Option<&[u8]>),
    now: i64,
) -> Event<'a> {
    let digest = |bytes: Option<&[u8]>| bytes.map(|bytes| hex(&sha256(bytes))).unwrap_or_default();
    let change = AuditedChange {
        name: name.to_owned(),
        change: if before.is_none() { "created" } else { "deleted" }.to_owned(),
        before_digest: digest(before),
        after_digest: digest(after),
    };
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| {
            encoded(AuditEvent { changes: vec![change.clone()], ..act.event("ok", 0, now) }, seq)
        }),
    }
}

/// The event of an act that was refused, after so many refusals of the same actor that are not logged.
pub(super) fn refusal<'a>(act: &'a Act, outcome: &'a str, (now, unlogged): (i64, i64)) -> Event<'a> {
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| encoded(AuditEvent { unlogged, ..act.event(outcome, 0, now) }, seq)),
    }
}

/// The event of an act that was done and published nothing.
pub fn noted(act: &Act, now: i64) -> Event<'_> {
    refusal(act, "ok", (now, 0))
}

fn encoded(event: AuditEvent, seq: i64) -> Vec<u8> {
    AuditEvent { name: format!("auditEvents/{seq}"), sequence: seq, ..event }.encode_to_vec()
}
