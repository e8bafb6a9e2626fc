//! What works on all resources together: apply, delete, export, explain, simulate.

use policy_engine::rules::geo;
use policy_engine::vocabulary::{Action, Instant, Kind, Name, Operation, is_published};
use proto::admin::policy_service_server::PolicyService;
use proto::admin::{
    ApplyRequest, ApplyResponse, DeleteRequest, DeleteResponse, ExplainRequest, ExplainResponse,
    ExportRequest, ExportResponse, Proposal, ResourceChange, SimulateRequest, SimulateResponse, SourceFile,
};
use proto::code::ErrorCode;
use proto::name::{parse_as, parse_parent};
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::Admin;
use super::call::{Answering, Call};
use super::standard::mode;
use crate::actor::{absent, missing};
use crate::clock;
use crate::error::unspoken;
use crate::explain::{Imagined, World, explain};
use crate::manifest::{self, Declared, Selection};
use crate::proposals;
use crate::publish::{Effect, Mode, Outcome, Published, Staging};
use crate::registry::Registry;
use crate::rollback::Turned;
use crate::rollout;

#[tonic::async_trait]
impl PolicyService for Admin {
    async fn apply(&self, request: Request<ApplyRequest>) -> Result<Response<ApplyResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.PolicyService/Apply", request).await?;
        let applied = self.applied(&call, asked).await;
        if applied.as_ref().is_ok_and(|applied| !applied.faults.is_empty()) {
            self.note_refusal(&call, ErrorCode::InvalidRequest).await;
        }
        self.answer(&call, applied).await
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.PolicyService/Delete", request).await?;
        let deleted = self.deleted(&call, asked).await;
        if deleted.as_ref().is_ok_and(|deleted| !deleted.faults.is_empty()) {
            self.note_refusal(&call, ErrorCode::InvalidRequest).await;
        }
        self.answer(&call, deleted).await
    }

    async fn export(&self, request: Request<ExportRequest>) -> Result<Response<ExportResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.PolicyService/Export", request).await?;
        let exported = self.exported(&call, &asked);
        self.answer(&call, exported).await
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.PolicyService/Explain", request).await?;
        let explained = self.explained(&call, &asked).await;
        self.answer(&call, explained).await
    }

    type SimulateStream = Answering<SimulateResponse>;

    async fn simulate(
        &self,
        request: Request<SimulateRequest>,
    ) -> Result<Response<Self::SimulateStream>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.PolicyService/Simulate", request).await?;
        let simulated = self.simulated(&call, asked).await;
        self.answers(call, simulated).await
    }
}

impl Admin {
    async fn applied(&self, call: &Call, asked: ApplyRequest) -> Result<ApplyResponse, Refusal> {
        let proposes = asked.propose && !asked.dry_run;
        let wanted = proposes.then(|| Proposal {
            verb: "apply".to_owned(),
            staged: asked.staged,
            manual: asked.manual,
            prune_labels: asked.prune_labels.clone(),
            ..self.wanted(&asked.files, asked.allow_shrink)
        });
        let staging = match proposes {
            true => None,
            false => self.staging(call, (asked.staged, asked.manual)).await?,
        };
        let may_shrink = asked.allow_shrink;
        let prune = asked.prune_labels.into_iter().collect();
        let nodes_in = self.nodes.geos();
        let files = asked.files;
        let declared =
            Declared { files, staging, may_shrink, kept: proposes, prune, nodes_in, approves: None };
        let mode = how(call, asked.dry_run, proposes);
        let how = (call.act(String::new()), mode);
        let (mut applied, outcome) = manifest::applied(&self.publisher, &call.actor, how, declared).await?;
        if let Some(outcome) = outcome.filter(|_| mode == Mode::Try) {
            (applied.differences, applied.more_differences) = self.turned(call, &turned(&outcome))?;
        }
        if let Some(wanted) = wanted.filter(|_| applied.faults.is_empty()) {
            applied.proposal = self.propose(call, wanted, &applied.changes).await?;
        }
        Ok(applied)
    }

    async fn deleted(&self, call: &Call, asked: DeleteRequest) -> Result<DeleteResponse, Refusal> {
        let proposes = asked.propose && !asked.dry_run;
        let wanted = proposes.then(|| Proposal {
            verb: "delete".to_owned(),
            staged: asked.staged,
            manual: asked.manual,
            ..self.wanted(&asked.files, asked.allow_shrink)
        });
        let staging = match proposes {
            true => None,
            false => self.staging(call, (asked.staged, asked.manual)).await?,
        };
        let may_shrink = asked.allow_shrink;
        let declared =
            Declared { files: asked.files, staging, may_shrink, kept: proposes, ..Declared::default() };
        let how = (call.act(String::new()), how(call, asked.dry_run, proposes));
        let mut deleted = manifest::delete(&self.publisher, &call.actor, how, declared).await?;
        if let Some(wanted) = wanted.filter(|_| deleted.faults.is_empty()) {
            deleted.proposal = self.propose(call, wanted, &deleted.changes).await?;
        }
        Ok(deleted)
    }

    /// How a change is taken to the nodes, as they are now, where it is by stages; for a caller who may steer rollouts: there is one
    /// at a time, and who begins one holds up everybody's next.
    pub(super) async fn staging(
        &self,
        call: &Call,
        (staged, manual): (bool, bool),
    ) -> Result<Option<Staging>, Refusal> {
        if !staged {
            return Ok(None);
        }
        self.publisher.current().demand_plural(&call.actor, Action::Write, "rollouts", None)?;
        let observed = rollout::observed(&self.publisher, &self.nodes, None).await?;
        Ok(Some(Staging { stages: rollout::plan(&observed, &self.rollouts), manual }))
    }

    /// What a proposal of files says before it is judged. Its base is read first: what is changed while it is judged supersedes it.
    fn wanted(&self, files: &[SourceFile], allow_shrink: bool) -> Proposal {
        let base_revision = self.publisher.current().head.revision;
        Proposal { files: files.to_vec(), base_revision, allow_shrink, ..Proposal::default() }
    }

    /// Keeps what was judged as a proposal, and gives its name.
    pub(super) async fn propose(
        &self,
        call: &Call,
        wanted: Proposal,
        changes: &[ResourceChange],
    ) -> Result<String, Refusal> {
        let wanted = Proposal { changes: changes.to_vec(), ..wanted };
        let how = (call.act(String::new()), self.publisher.approval().valid);
        proposals::propose(self.publisher.store(), how, wanted).await
    }

    fn exported(&self, call: &Call, asked: &ExportRequest) -> Result<ExportResponse, Refusal> {
        let tenant = parse_parent(&asked.parent).map_err(|e| Refusal::field("parent", e.to_string()))?;
        let kind =
            |kind: &String| kind.parse::<Kind>().map_err(|_| format!("`{}` is not a kind", unspoken(kind)));
        let kinds = asked.kinds.iter().map(kind).collect::<Result<_, _>>();
        let kinds = kinds.map_err(|e| Refusal::field("kinds", e))?;
        let published = self.publisher.current();
        let text = manifest::export(
            (&published, self.publisher.subjects()),
            &call.actor,
            &Selection { tenant: tenant.clone(), kinds },
        );
        if text.is_empty()
            && let Some(tenant) = &tenant
        {
            let may_know = published.permits(&call.actor, Action::Read, Kind::Tenant, Some(tenant));
            return Err(if may_know { missing(&asked.parent) } else { absent() });
        }
        Ok(ExportResponse { text, revision: published.head.revision })
    }

    async fn explained(&self, call: &Call, asked: &ExplainRequest) -> Result<ExplainResponse, Refusal> {
        let imagined = imagined(asked)?;
        let current = self.publisher.current();
        current.demand(&call.actor, Action::Read, Kind::Principal, Some(&imagined.tenant))?;
        if !asked.as_of.is_empty() {
            return self.explained_as_of(call, asked, imagined).await;
        }
        if asked.stable {
            return Err(Refusal::field("stable", "is of a moment: give `asOf` as well, such as `head`"));
        }
        if asked.revision == 0 || asked.revision == current.head.revision {
            return explain(self.world(&current), imagined).await;
        }
        let then = self
            .past
            .at(&self.publisher, asked.revision)
            .await?
            .ok_or_else(|| Refusal::field("revision", "was never published"))?;
        explain(self.world(&then), imagined).await
    }

    pub(super) fn world(&self, published: &Published) -> World {
        World {
            facts: published.facts.clone(),
            revision: published.revision(),
            geos: self.nodes.geos(),
            kills: self.publisher.kills().current(),
            kills_at: clock::now(),
        }
    }
}

/// What an act that was only tried would make of what is in force.
fn turned(outcome: &Outcome) -> Vec<Turned> {
    let changed = outcome.effects.iter().filter(|(_, _, effect)| *effect != Effect::Unchanged);
    let turned = changed.map(|(kind, id, _)| {
        let bytes = |registry: &Registry| registry.get(*kind, id).map(|stored| stored.bytes.clone());
        let (before, after) = (bytes(&outcome.published.registry), bytes(&outcome.registry));
        Turned { kind: *kind, id: id.clone(), before, after }
    });
    turned.collect()
}

/// Whether files are put in force. What is proposed is only tried, but a refusal of it is one of a change.
pub(super) fn how(call: &Call, dry_run: bool, proposes: bool) -> Mode {
    if proposes { Mode::Try } else { call.is_in(mode(dry_run)) }
}

/// Reads what is imagined; a field that is missing or no such word is named.
fn imagined(asked: &ExplainRequest) -> Result<Imagined, Refusal> {
    let wrong = |field: &str, e: &dyn std::fmt::Display| Refusal::field(field, e.to_string());
    let named = |field: &str, text: &str| Name::new(text).map_err(|e| wrong(field, &e));
    let id = parse_as(Kind::Principal, &asked.principal).map_err(|e| wrong("principal", &e))?;
    let tenant = id.tenant.ok_or_else(|| Refusal::field("principal", "is not of a tenant"))?;
    if asked.model.is_empty() {
        return Err(Refusal::field("model", "is missing"));
    }
    let operation = match asked.operation.as_str() {
        "" => Operation::Chat,
        word => word.parse().map_err(|e| wrong("operation", &e))?,
    };
    let instant = match &asked.instant {
        None => Instant(clock::now()),
        Some(time) => {
            proto::convert::instant(time).ok_or_else(|| Refusal::field("instant", "is not an instant"))?
        }
    };
    let unknown = asked.unknown_fields.iter().filter(|field| !is_published(operation, field));
    // A place that nobody knows is told with what was meant, beside every other word that means nothing here.
    let residency = asked.subject_residency.iter();
    let residency = residency.map(|text| named("subjectResidency", geo::place_named(text).unwrap_or(text)));
    Ok(Imagined {
        tenant,
        principal: id.name,
        team: if asked.team.is_empty() { None } else { Some(named("team", &asked.team)?) },
        model: asked.model.clone(),
        operation,
        geo: named("geo", &asked.geo)?,
        instant,
        purpose: Some(asked.purpose.clone()).filter(|purpose| !purpose.is_empty()),
        classes: asked.data_classes.clone(),
        residency: residency.collect::<Result<_, _>>()?,
        egress_tools: asked.egress_tools.clone(),
        unknown_fields: unknown.cloned().collect(),
    })
}
