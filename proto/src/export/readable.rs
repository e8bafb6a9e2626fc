//! What an event says, for people: as JSON, spelled as the admin API's REST spells it.
//!
//! Law: equal events are equal texts, and every field of an event is shown. Fields that say nothing are left out of JSON.

use prost_types::Timestamp;
use serde::{Serialize, Serializer};

use crate::admin::{AuditEvent, AuditedChange, AuditedExport, AuditedPruning};

/// An event as JSON.
pub fn readable(event: &AuditEvent) -> impl Serialize + '_ {
    Readable::of(event)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Readable<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    sequence: i64,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "instant")]
    create_time: Option<&'a Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    actor: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    outcome: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    revision: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    ticket: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    unlogged: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    address: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    approvals: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    elevation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<Export<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<Pruning<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pruning<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "instant")]
    prune_time: Option<&'a Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    retention: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    hash: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    change: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    before_digest: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    after_digest: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    diff: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    diff_left_out: &'a str,
}

#[derive(Serialize)]
pub(super) struct Export<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    log: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    filter: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    first: i64,
    #[serde(skip_serializing_if = "is_zero")]
    last: i64,
    #[serde(skip_serializing_if = "is_zero")]
    count: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn instant<S: Serializer>(time: &Option<&Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

impl<'a> Readable<'a> {
    pub(super) fn of(event: &'a AuditEvent) -> Self {
        // Every field by its name: one that is added does not compile until it is shown.
        let AuditEvent {
            name,
            sequence,
            create_time,
            actor,
            key_id,
            action,
            resource,
            outcome,
            revision,
            changes,
            request_id,
            reason,
            ticket,
            unlogged,
            address,
            method,
            source,
            client,
            approvals,
            elevation,
            export,
            pruned,
        } = event;
        Self {
            name,
            sequence: *sequence,
            create_time: create_time.as_ref(),
            actor,
            key_id,
            action,
            resource,
            outcome,
            revision: *revision,
            changes: changes.iter().map(Change::of).collect(),
            request_id,
            reason,
            ticket,
            unlogged: *unlogged,
            address,
            method,
            source,
            client,
            approvals,
            elevation,
            export: export.as_ref().map(Export::of),
            pruned: pruned.as_ref().map(Pruning::of),
        }
    }
}

impl<'a> Change<'a> {
    fn of(change: &'a AuditedChange) -> Self {
        let AuditedChange { name, change, before_digest, after_digest, diff, diff_left_out } = change;
        Self { name, change, before_digest, after_digest, diff, diff_left_out }
    }
}

impl<'a> Pruning<'a> {
    fn of(pruning: &'a AuditedPruning) -> Self {
        let AuditedPruning { event, prune_time, retention, hash } = pruning;
        Self { event, prune_time: prune_time.as_ref(), retention, hash }
    }
}

impl<'a> Export<'a> {
    pub(super) fn of(export: &'a AuditedExport) -> Self {
        let AuditedExport { log, filter, first, last, count } = export;
        Self { log, filter, first: *first, last: *last, count: *count }
    }
}
