//! Acts: who does what by which call, and why, for the log of them.
//!
//! Law: an event holds names and digests, never what something held. Deliberately absent: whether it may be done (`actor`), and what
//! a publication changes (`publish`).

use std::borrow::Borrow;
use std::net::SocketAddr;

use prost::Message as _;
use proto::admin::{AuditEvent, AuditedChange};

use crate::clock;
use crate::registry::{hex, sha256};
use crate::store::Event;

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
    /// AIP names of those who agreed to it, where it takes more than one; else none.
    pub approvals: Vec<String>,
    /// AIP name of the elevation under which it is done; empty where it is under none.
    pub elevation: String,
    /// How it came here.
    pub via: Via,
}

/// How an act came here, and how it is known whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Via {
    /// The IP address of the connection's other end; empty where there is no connection.
    pub address: String,
    /// `admin_token`, `api_key`, `enrolment_token`, `node_certificate`, `system` or `none`.
    pub method: &'static str,
    /// `grpc`, `rest`, `sync` or `system`.
    pub source: &'static str,
    /// What made the call, as it says itself; empty where it does not.
    pub client: String,
}

impl Via {
    /// The control plane itself.
    pub(crate) const SYSTEM: Self =
        Self { address: String::new(), method: "system", source: "system", client: String::new() };

    /// The sync port, from there, by that credential.
    pub(crate) fn sync(address: Option<SocketAddr>, method: &'static str) -> Self {
        Self { address: ip(address), method, source: "sync", client: String::new() }
    }
}

/// The IP address of a connection's other end, as it is logged.
pub(crate) fn ip(address: Option<SocketAddr>) -> String {
    address.map(|address| address.ip().to_canonical().to_string()).unwrap_or_default()
}

impl Act {
    /// An act of the control plane itself.
    pub fn of_system(action: &str) -> Self {
        Self { actor: "system".to_owned(), action: action.to_owned(), via: Via::SYSTEM, ..Self::default() }
    }

    /// Its event, without what changed.
    pub(crate) fn event(&self, outcome: &str, revision: i64, now: i64) -> AuditEvent {
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
            address: self.via.address.clone(),
            method: self.via.method.to_owned(),
            source: self.via.source.to_owned(),
            client: self.via.client.clone(),
            approvals: self.approvals.clone(),
            elevation: self.elevation.clone(),
            export: None,
            pruned: None,
        }
    }
}

/// The event of an act that changed something beside what is published: it was not there before, or is not after.
pub(crate) fn changed_aside<'a>(
    act: impl Borrow<Act> + Send + Sync + 'a,
    name: &str,
    versions: (Option<&[u8]>, Option<&[u8]>),
    now: i64,
) -> Event<'a> {
    told_aside(act, (name, String::new()), versions, now)
}

/// The same, with what it says of what is there after (RFC 6902).
pub(crate) fn told_aside<'a>(
    act: impl Borrow<Act> + Send + Sync + 'a,
    (name, diff): (&str, String),
    (before, after): (Option<&[u8]>, Option<&[u8]>),
    now: i64,
) -> Event<'a> {
    let digest = |bytes: Option<&[u8]>| bytes.map(|bytes| hex(&sha256(bytes))).unwrap_or_default();
    let change = AuditedChange {
        name: name.to_owned(),
        change: if before.is_none() { "created" } else { "deleted" }.to_owned(),
        before_digest: digest(before),
        after_digest: digest(after),
        diff,
        ..AuditedChange::default()
    };
    Event {
        created_at: now,
        revision: 0,
        body: Box::new(move |seq| {
            encoded(AuditEvent { changes: vec![change.clone()], ..act.borrow().event("ok", 0, now) }, seq)
        }),
    }
}

/// An event as it is logged at a place.
pub(crate) fn encoded(event: AuditEvent, seq: i64) -> Vec<u8> {
    AuditEvent { name: format!("auditEvents/{seq}"), sequence: seq, ..event }.encode_to_vec()
}
