//! What an act wants changed, and what that makes of everything in force.

use std::sync::Arc;

use bytes::Bytes;
use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Id, Kind, Name};
use proto::admin::{Proposal, Rollout, RolloutStage};

use super::Published;
use crate::error::ChangeError;
use crate::govern;
use crate::registry::{Registry, Stored, sha256};
use crate::store::{Digest, Head, Written};

/// What an act wants changed.
#[derive(Debug, Default)]
pub struct Plan {
    /// Resources, each named once.
    pub changes: Vec<Change>,
    /// Credentials sealed for them, by id.
    pub credentials: Vec<(String, Vec<u8>)>,
    /// SHA-256 of the secrets of keys among them, by public id.
    pub keys: Vec<(Name, Digest)>,
    /// The policy may hold much less afterwards.
    pub may_shrink: bool,
    /// How it is taken to the nodes; `None` is at once.
    pub staging: Option<Staging>,
    /// It ends the rollout that is on its way, which is then this.
    pub ends: Option<Rollout>,
    /// It is the approval of this proposal.
    pub approves: Option<Approved>,
    /// It makes a revision of a new epoch, whether or not it changes a resource.
    pub begins_epoch: bool,
}

/// How an act wants its changes taken to the nodes.
#[derive(Debug, Clone, Default)]
pub struct Staging {
    /// The stages, in their order.
    pub stages: Vec<RolloutStage>,
    /// Each waits for approval before the next.
    pub manual: bool,
}

/// A proposal that is approved by an act.
#[derive(Debug, Clone)]
pub struct Approved {
    /// Its number.
    pub number: i64,
    /// It, without its files.
    pub record: Proposal,
}

/// A resource as it shall be.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// The bytes to store; `None` removes it.
    pub after: Option<Bytes>,
}

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There was none.
    Created,
    /// There was another version.
    Updated,
    /// There is none any more.
    Deleted,
    /// It is as it was.
    Unchanged,
}

impl Effect {
    /// The word on every surface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What becomes of each resource of a plan, in the plan's order.
pub type Effects = Vec<(Kind, Id, Effect)>;

impl Plan {
    /// Where history stands once it is done.
    pub(super) fn after(&self, base: Head) -> Head {
        Head {
            revision: base.revision.saturating_add(1),
            epoch: base.epoch.saturating_add(i64::from(self.begins_epoch)),
        }
    }
}

/// Everything in force after a plan, not yet judged.
pub(super) struct Applied {
    pub(super) facts: Facts,
    pub(super) registry: Registry,
    pub(super) written: Vec<Written>,
    pub(super) effects: Effects,
}

/// Applies a plan to a copy of what is in force; faults of each resource by itself are found here.
pub(super) fn apply(base: &Published, plan: &Plan, now: i64) -> Result<Applied, ChangeError> {
    let effects: Effects = plan.changes.iter().map(|c| (c.kind, c.id.clone(), effect(base, c))).collect();
    let mut applied =
        Applied { facts: Facts::default(), registry: base.registry.clone(), written: Vec::new(), effects };
    if applied.effects.iter().all(|(_, _, effect)| *effect == Effect::Unchanged) && !plan.begins_epoch {
        return Ok(applied);
    }
    applied.facts = base.facts.as_ref().clone();
    let mut faults = Vec::new();
    let Applied { facts, registry, written, effects } = &mut applied;
    for (change, (_, _, effect)) in plan.changes.iter().zip(effects.iter()) {
        if *effect == Effect::Unchanged {
            continue;
        }
        let before = base.registry.get(change.kind, &change.id);
        govern::forget(change.kind, &change.id, facts);
        let created_at = before.map_or(now, |stored| stored.created_at);
        let after = change.after.as_ref().map(|bytes| (sha256(bytes), bytes.clone()));
        match &after {
            None => registry.take(change.kind, &change.id),
            Some((digest, bytes)) => {
                if let Err(found) = govern::learn(change.kind, &change.id, bytes, facts) {
                    faults.extend(found);
                }
                let revision = base.head.revision.saturating_add(1);
                let stored =
                    Stored { bytes: bytes.clone(), digest: *digest, created_at, updated_at: now, revision };
                registry.put(change.kind, change.id.clone(), Arc::new(stored));
            }
        }
        written.push(Written {
            kind: change.kind.as_str(),
            tenant: change.id.tenant.as_ref().map_or_else(String::new, ToString::to_string),
            name: change.id.name.to_string(),
            after,
            created_at,
            replaces: before.is_some(),
        });
    }
    if faults.is_empty() { Ok(applied) } else { Err(ChangeError::Faults(faults)) }
}

fn effect(base: &Published, change: &Change) -> Effect {
    match (base.registry.get(change.kind, &change.id), &change.after) {
        (None, None) => Effect::Unchanged,
        (None, Some(_)) => Effect::Created,
        (Some(_), None) => Effect::Deleted,
        (Some(stored), Some(bytes)) if stored.bytes == *bytes => Effect::Unchanged,
        (Some(_), Some(_)) => Effect::Updated,
    }
}
