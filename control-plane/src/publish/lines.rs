//! The two lines of succession: what everybody is to have, and what has it already.
//!
//! Law: both are told together, so that nobody sees a candidate before it sees who may have it. Without a rollout there is one
//! line. While one is on its way the stable line is the candidate with what is staged as it was before: so what is not staged
//! reaches both at once. Whatever would leave the stable line without sense is refused.

use std::sync::Arc;

use policy_engine::apply;
use policy_engine::snapshot::Header;
use policy_engine::vocabulary::{Id, Kind, Name};
use proto::admin::{ResourceChange, Rollout};
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::Published;
use super::plan::{Applied, Effect, Effects, Plan, Staging};
use crate::clock;
use crate::error::ChangeError;
use crate::govern;
use crate::registry::Stored;

/// What is in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The newest revision: the candidate, while there is a rollout.
    pub head: Arc<Published>,
    /// What nodes outside of the rollout's stages enforce; without a rollout the head.
    pub stable: Arc<Published>,
    /// The rollout that is on its way.
    pub rollout: Option<Arc<Active>>,
    /// The newest revision that was for everybody when the last rollout ended.
    pub settled: i64,
}

/// A rollout that is on its way.
#[derive(Debug, Clone)]
pub struct Active {
    /// How it goes on.
    pub record: Rollout,
    /// What is staged.
    staged: Arc<[Staged]>,
}

/// A resource that is staged, and what it was before; `None` is that there was none.
#[derive(Debug, Clone)]
pub(super) struct Staged {
    pub(super) kind: Kind,
    pub(super) id: Id,
    pub(super) before: Option<Arc<Stored>>,
}

/// Kinds that are taken to nodes by stages, where that is wanted; the others are for everybody at once.
fn is_staged(kind: Kind) -> bool {
    match kind {
        Kind::Role
        | Kind::Grant
        | Kind::Provider
        | Kind::Endpoint
        | Kind::Licence
        | Kind::Model
        | Kind::Rule
        | Kind::Guardrail
        | Kind::Price => true,
        Kind::Tenant | Kind::Team | Kind::Principal | Kind::Key | Kind::LicenceAcceptance | Kind::Limit => {
            false
        }
    }
}

impl Active {
    /// A rollout as it was kept, with what is staged as it was at its base.
    pub(super) fn restored(record: Rollout, base: &Published) -> Option<Self> {
        let staged = record.changes.iter().map(|change| {
            let kind: Kind = change.kind.parse().ok()?;
            let id = proto::name::parse_as(kind, &change.name).ok()?;
            let before = base.registry.get(kind, &id).cloned();
            Some(Staged { kind, id, before })
        });
        let staged = staged.collect::<Option<_>>()?;
        Some(Self { record, staged })
    }

    /// One that begins with what was applied; `None` where nothing of it is staged.
    pub(super) fn begun(staging: &Staging, applied: &Applied, base: &Published, actor: &str) -> Option<Self> {
        let of_stages = applied
            .effects
            .iter()
            .filter(|(kind, _, effect)| *effect != Effect::Unchanged && is_staged(*kind));
        let staged: Vec<Staged> = of_stages
            .clone()
            .map(|(kind, id, _)| {
                let before = base.registry.get(*kind, id).cloned();
                Staged { kind: *kind, id: id.clone(), before }
            })
            .collect();
        let changes = of_stages.map(|(kind, id, effect)| ResourceChange {
            kind: kind.to_string(),
            name: proto::name::format(*kind, id),
            change: effect.as_str().to_owned(),
        });
        let candidate_revision = base.head.revision.saturating_add(1);
        let record = Rollout {
            name: format!("rollouts/{candidate_revision}"),
            candidate_revision,
            base_revision: base.head.revision,
            state: "progressing".to_owned(),
            changes: changes.collect(),
            stages: staging.stages.clone(),
            manual: staging.manual,
            actor: actor.to_owned(),
            create_time: Some(clock::timestamp(clock::now())),
            ..Rollout::default()
        };
        (!staged.is_empty()).then(|| Self { record, staged: staged.into() })
    }

    /// The same, having gone on.
    pub fn with(&self, record: Rollout) -> Self {
        Self { record, staged: self.staged.clone() }
    }

    /// Whether a node has the candidate by now.
    pub fn assigns(&self, geo: &Name, node: &str) -> bool {
        let begun = self.record.stages.iter().filter(|stage| stage.state != "pending");
        let mut here = begun.filter(|stage| stage.geo == geo.as_str());
        here.any(|stage| stage.share >= 100 || stage.nodes.iter().any(|name| name == node))
    }

    fn stages(&self, kind: Kind, id: &Id) -> bool {
        self.staged.iter().any(|staged| staged.kind == kind && staged.id == *id)
    }

    /// Refuses to change what is staged.
    fn leaves_alone(&self, effects: &Effects) -> Result<(), ChangeError> {
        let mut changed = effects.iter().filter(|(_, _, effect)| *effect != Effect::Unchanged);
        match changed.find(|(kind, id, _)| self.stages(*kind, id)) {
            Some((kind, id, _)) => Err(Refusal::new(
                ErrorCode::FailedPrecondition,
                format!(
                    "`{}` is on its way to the nodes by `{}`: let that end, or abort it",
                    proto::name::format(*kind, id),
                    self.record.name
                ),
            )
            .into()),
            None => Ok(()),
        }
    }

    /// What takes it back: everything that is staged as it was before.
    pub(super) fn taken_back(&self) -> Plan {
        let changes = self.staged.iter().map(|staged| super::Change {
            kind: staged.kind,
            id: staged.id.clone(),
            after: staged.before.as_ref().map(|stored| stored.bytes.clone()),
        });
        Plan { changes: changes.collect(), may_shrink: true, ..Plan::default() }
    }

    /// The head with what is staged as it was before; compiled from the stable line so far, for the cost of what changed beside it.
    pub(super) fn stable(&self, head: &Published, before: &Published) -> Result<Published, ChangeError> {
        let (mut facts, mut registry) = (head.facts.as_ref().clone(), head.registry.clone());
        for staged in self.staged.iter() {
            govern::forget(staged.kind, &staged.id, &mut facts);
            match &staged.before {
                None => registry.take(staged.kind, &staged.id),
                Some(stored) => {
                    govern::learn(staged.kind, &staged.id, &stored.bytes, &mut facts)
                        .map_err(ChangeError::Faults)?;
                    registry.put(staged.kind, staged.id.clone(), stored.clone());
                }
            }
        }
        let header = Header { revision: head.revision(), geo: None };
        let changes = policy_engine::facts::changes(&before.facts, &facts);
        let compiled = apply(&before.compiled, &facts, header, &changes);
        let compiled = compiled.map_err(|faults| self.depends(&faults))?;
        Ok(Published {
            head: head.head,
            digest: head.digest,
            registry,
            facts: Arc::new(facts),
            compiled: Arc::new(compiled),
            authoriser: head.authoriser.clone(),
            revoked: head.revoked.clone(),
            shrink_revision: head.shrink_revision,
            // Those of the head are of other facts.
            projected: Default::default(),
        })
    }

    /// What is not staged needs what is, so the nodes that do not have it yet could not enforce it.
    fn depends(&self, faults: &[policy_engine::Fault]) -> ChangeError {
        let line = faults.first().map_or_else(String::new, |fault| {
            let name = proto::name::format(fault.kind, &fault.id);
            format!(": `{name}`, {}: {}", fault.field, fault.message)
        });
        let line = format!(
            "what is for every node at once depends on what `{}` takes to them by stages{line}",
            self.record.name
        );
        Refusal::new(ErrorCode::FailedPrecondition, line).into()
    }
}

/// What nodes outside of the stages of a rollout enforced when a revision was the candidate, by what was in force at the rollout's base;
/// `None` where what it staged can't be read.
pub(crate) fn stable_then(
    record: Rollout,
    head: &Published,
    base: &Published,
) -> Result<Option<Published>, ChangeError> {
    Active::restored(record, base).map(|active| active.stable(head, base)).transpose()
}

/// The rollout that is on its way once a plan is done.
pub(super) fn after(
    lines: &InForce,
    (plan, applied): (&Plan, &Applied),
    actor: &str,
) -> Result<Option<Arc<Active>>, ChangeError> {
    match (&lines.rollout, &plan.staging) {
        (Some(_), _) if plan.ends.is_some() => Ok(None),
        (Some(active), Some(_)) => {
            let line = format!(
                "`{}` is on its way, and there is one rollout at a time: nothing was changed; let that end, or abort it, and apply \
                 again, or apply without `staged`, which is for every node at once",
                active.record.name
            );
            Err(Refusal::new(ErrorCode::FailedPrecondition, line).into())
        }
        (Some(active), None) => {
            active.leaves_alone(&applied.effects)?;
            Ok(Some(active.clone()))
        }
        (None, Some(staging)) => Ok(Active::begun(staging, applied, &lines.head, actor).map(Arc::new)),
        (None, None) => Ok(None),
    }
}

/// A rollout that stages something of what was asked for; what it does not stage is for everybody at once, beside it.
pub(super) fn bringing(active: Option<&Arc<Active>>, effects: &Effects) -> Option<Rollout> {
    let active = active.filter(|active| effects.iter().any(|(kind, id, _)| active.stages(*kind, id)))?;
    Some(active.record.clone())
}

impl InForce {
    /// One line for everybody.
    pub(super) fn settled(head: Arc<Published>) -> Self {
        let settled = head.head.revision;
        Self { stable: head.clone(), head, rollout: None, settled }
    }
}

/// Whether nodes have nothing to wait for any more.
pub fn is_over(record: &Rollout) -> bool {
    matches!(record.state.as_str(), "completed" | "aborted")
}

/// A rollout that was taken back by a revision.
pub(super) fn aborted(record: &Rollout, reason: &str, rollback_revision: i64) -> Rollout {
    let mut ended = Rollout {
        state: "aborted".to_owned(),
        reason: reason.to_owned(),
        rollback_revision,
        end_time: Some(clock::timestamp(clock::now())),
        ..record.clone()
    };
    for stage in ended.stages.iter_mut().filter(|stage| stage.state == "running") {
        stage.state = "failed".to_owned();
        stage.end_time = ended.end_time;
    }
    ended
}
