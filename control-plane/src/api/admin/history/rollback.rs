//! What was in force earlier, put back.

use policy_engine::vocabulary::Kind;
use proto::admin::{Proposal, ResourceChange, ResourceDiff, RollbackRequest, RollbackResponse};
use proto::name;
use proto::status::Refusal;

use super::{Admin, BYTES, Call, REVISIONS, Reader, difference};
use crate::actor::{absent, missing};
use crate::api::admin::policy::how;
use crate::api::admin::revisions::filter;
use crate::history::{Point, meant};
use crate::manifest;
use crate::publish::Mode;
use crate::rollback::{self, Done, Turned, Wanted, rollback};
use crate::store::Touched;
use prost::Message as _;

/// What may be named in one request.
const NAMED: usize = 1_000;

/// Resources whose differences are told.
const DIFFERENCES: usize = 1_000;

impl Admin {
    pub(super) async fn rolled_back(
        &self,
        call: &Call,
        asked: RollbackRequest,
    ) -> Result<RollbackResponse, Refusal> {
        let base_revision = self.publisher.current().head.revision;
        let proposes = asked.propose && !asked.dry_run;
        let mode = how(call, asked.dry_run, proposes);
        let (point, mut wanted) = self.wanted_back(call, &asked).await?;
        if !proposes {
            wanted.staging = self.staging(call, (asked.staged, asked.manual)).await?;
        }
        let number = format!("{REVISIONS}/{}", point.row.revision);
        let act = call.act(number.clone());
        let (done, made) = rollback(&self.publisher, &call.actor, (act, mode), wanted).await?;
        let mut answer = match done {
            Done::Faulty(faults) => {
                let placed = faults.into_iter().map(|fault| manifest::place(fault, None));
                let faults = manifest::faulty(placed.collect());
                return Ok(RollbackResponse { to: Some(point.told()), faults, ..Default::default() });
            }
            Done::Well(outcome) => {
                let (rollout, stages) = manifest::bringing(&outcome);
                RollbackResponse {
                    changes: manifest::changes(&outcome.effects),
                    revision: if outcome.changed { outcome.published.head.revision } else { 0 },
                    rollout,
                    stages,
                    ..Default::default()
                }
            }
        };
        if mode == Mode::Try {
            (answer.differences, answer.more_differences) = self.turned(call, &made.turned)?;
        }
        if proposes {
            let wanted = Proposal {
                verb: "rollback".to_owned(),
                base_revision,
                allow_shrink: asked.allow_shrink,
                staged: asked.staged,
                manual: asked.manual,
                rollback_revision: number,
                rollback_resources: asked.resources,
                ..Proposal::default()
            };
            answer.proposal = self.propose(call, wanted, &answer.changes).await?;
        }
        Ok(RollbackResponse { to: Some(point.told()), left: made.left, ..answer })
    }

    /// What is asked for, of a caller who may know history.
    async fn wanted_back(&self, call: &Call, asked: &RollbackRequest) -> Result<(Point, Wanted), Refusal> {
        call.concerns(REVISIONS.to_owned());
        let published = self.publisher.current();
        Reader { actor: &call.actor, published: &published }.demand()?;
        let point = meant(self.publisher.store(), ("revision", &asked.revision)).await?;
        if asked.resources.len() > NAMED {
            return Err(Refusal::field("resources", format!("are more than {NAMED}")));
        }
        let then = rollback::then(self.publisher.store(), point.row.revision).await?;
        let mut selected = Vec::with_capacity(asked.resources.len());
        for (n, text) in asked.resources.iter().enumerate() {
            let field = format!("resources[{n}]");
            let touched = filter::touched(text.trim_end_matches('/')).ok().flatten();
            let line = "is no resource such as `rules/eu-residency`, tenant such as `tenants/acme` or collection such as `rules`";
            let touched = touched.ok_or_else(|| Refusal::field(&field, line))?;
            if let Touched::Resource { .. } = &touched {
                let found = name::parse(text).map_err(|e| Refusal::field(&field, e.to_string()))?;
                if found.kind == Kind::Key {
                    let line = "is an API key, and keys are never put back: what was revoked stays revoked";
                    return Err(Refusal::field(&field, line));
                }
                published.demand_write(&call.actor, found.kind, &found.id)?;
                let is_there = published.registry.get(found.kind, &found.id).is_some();
                if !is_there && !then.contains_key(&(found.kind, found.id)) {
                    return Err(missing(text));
                }
            }
            selected.push(touched);
        }
        Ok((point, Wanted { then, selected, may_shrink: asked.allow_shrink, ..Wanted::default() }))
    }

    /// What is different, as far as the caller may read it, and whether there is more.
    pub(in crate::api::admin) fn turned(
        &self,
        call: &Call,
        turned: &[Turned],
    ) -> Result<(Vec<ResourceDiff>, bool), Refusal> {
        let published = self.publisher.current();
        let reader = Reader { actor: &call.actor, published: &published };
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        let readable = turned.iter().filter(|turned| reader.may_read(turned.kind, &turned.id));
        for turned in readable {
            if found.len() >= DIFFERENCES || bytes >= BYTES {
                return Ok((found, true));
            }
            let versions = (turned.before.as_deref(), turned.after.as_deref());
            if let Some(diff) = difference((turned.kind, &turned.id), versions)? {
                bytes = bytes.saturating_add(diff.encoded_len());
                found.push(diff);
            }
        }
        Ok((found, false))
    }

    /// What a proposal of a rollback wants: the revision's content of what it was shown to change, and of nothing else.
    pub(in crate::api::admin) async fn proposed_back(&self, proposal: &Proposal) -> Result<Wanted, Refusal> {
        let point = meant(self.publisher.store(), ("rollbackRevision", &proposal.rollback_revision)).await?;
        let then = rollback::then(self.publisher.store(), point.row.revision).await?;
        let named = |change: &ResourceChange| filter::touched(&change.name).ok().flatten().ok_or_else(absent);
        let changes = proposal.changes.iter().filter(|change| change.kind != Kind::Key.as_str());
        // A name of a tenant means it and all of it, where it is named: what is meant here is the tenant alone.
        let selected = changes.map(|change| {
            named(change).map(|touched| match touched {
                Touched::Tenant(name) => {
                    Touched::Resource { kind: Kind::Tenant.to_string(), tenant: String::new(), name }
                }
                other => other,
            })
        });
        let selected = selected.collect::<Result<Vec<_>, Refusal>>()?;
        Ok(Wanted { then, selected, may_shrink: proposal.allow_shrink, ..Wanted::default() })
    }
}
