//! Of which class an event of the audit log is: whether its body may ever go, and by which retention.
//!
//! Law: what is not known to be of a class is of none, and stays for good; so is what proves the logs themselves: anchors of segments, what
//! was pruned, retentions, holds, erasures, elevations and all that was done by them, captured content that was opened, epochs, and what
//! was switched off, without which answers as of then would be other ones. Absent on purpose: when one may go (`law`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use prost_types::method_options::IdempotencyLevel;

use crate::FILE_DESCRIPTOR_SET;
use crate::admin::AuditEvent;

/// A class of events that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Of what was looked at, and of what was refused.
    Reads,
    /// Of what was changed.
    Changes,
}

/// Calls that change something and whose events stay, done or refused: a service, or one call of it.
pub const PROOF: [&str; 7] = [
    "chancery.admin.v1.RetentionsService/",
    "chancery.admin.v1.HoldsService/",
    "chancery.admin.v1.ElevationsService/",
    "chancery.admin.v1.SubjectsService/",
    "chancery.admin.v1.CapturedContentService/",
    "chancery.admin.v1.KillsService/",
    "chancery.admin.v1.RevisionsService/BumpEpoch",
];

/// Calls of nodes whose events may go.
pub const OF_NODES: [&str; 2] = ["chancery.sync.v1.Enrolment/Enrol", "chancery.sync.v1.Enrolment/Renew"];

/// Every call there is, and whether its definition says that it looks only.
static CALLS: LazyLock<BTreeMap<String, bool>> = LazyLock::new(|| {
    let all = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let mut calls = BTreeMap::new();
    for file in &all.file {
        for service in &file.service {
            for rpc in &service.method {
                let looks = rpc
                    .options
                    .as_ref()
                    .is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects);
                calls.insert(format!("{}.{}/{}", file.package(), service.name(), rpc.name()), looks);
            }
        }
    }
    calls
});

impl Class {
    /// Its word, and the id of the retention by which it goes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Changes => "changes",
        }
    }
}

/// The class of an event; `None`: it stays.
pub fn class(event: &AuditEvent) -> Option<Class> {
    let action = event.action.as_str();
    let looks = CALLS.get(action).copied();
    if (looks.is_none() && !OF_NODES.contains(&action)) || !event.elevation.is_empty() {
        return None;
    }
    if looks == Some(true) {
        return Some(Class::Reads).filter(|_| event.changes.is_empty());
    }
    if PROOF.iter().any(|call| action.starts_with(call)) {
        return None;
    }
    match (event.outcome.as_str(), event.changes.is_empty()) {
        ("ok", _) => Some(Class::Changes),
        (_, true) => Some(Class::Reads),
        (_, false) => None,
    }
}
