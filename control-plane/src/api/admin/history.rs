//! History over the admin API: what differs between revisions, who set what, and what was in force put back.
//!
//! Law: who may audit revisions, of the platform or of its own tenant, is told what it may read by the grants in force now; what it may
//! not read is not there for it. Absent on purpose: how a difference is found (`history`), and what a rollback changes (`rollback`).

mod blame;
mod diff;
mod rollback;
mod scope;

pub(super) use scope::Holdings;

use policy_engine::vocabulary::{Action, Id, Kind, Name};
use proto::admin::history_service_server::HistoryService;
use proto::admin::{
    Authorship, BlameRequest, BlameResponse, DiffRevisionsRequest, DiffRevisionsResponse, FieldChange,
    ReadScopeRequest, ReadScopeResponse, ResourceDiff, RollbackRequest, RollbackResponse,
};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::Admin;
use super::call::Call;
use crate::actor::{Actor, owner};
use crate::clock;
use crate::history::{Differing, differing, tree};
use crate::publish::{Effect, Published};
use crate::store::{Place, Touch};

/// The list whose permission to audit opens history.
const REVISIONS: &str = "revisions";

/// Revisions that are told of one resource.
const AUTHORS: usize = 20;

/// Bytes of differences in one answer, about: common clients take 4 MiB.
const BYTES: usize = 2 << 20;

#[tonic::async_trait]
impl HistoryService for Admin {
    async fn diff_revisions(
        &self,
        request: Request<DiffRevisionsRequest>,
    ) -> Result<Response<DiffRevisionsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HistoryService/DiffRevisions", request).await?;
        let found = self.differences(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn blame(&self, request: Request<BlameRequest>) -> Result<Response<BlameResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HistoryService/Blame", request).await?;
        let found = self.blamed(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn rollback(
        &self,
        request: Request<RollbackRequest>,
    ) -> Result<Response<RollbackResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HistoryService/Rollback", request).await?;
        let done = self.rolled_back(&call, asked).await;
        if done.as_ref().is_ok_and(|done| !done.faults.is_empty()) {
            self.note_refusal(&call, ErrorCode::InvalidRequest).await;
        }
        self.answer(&call, done).await
    }

    async fn read_scope(
        &self,
        request: Request<ReadScopeRequest>,
    ) -> Result<Response<ReadScopeResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HistoryService/ReadScope", request).await?;
        let read = self.scope_read(&call, asked).await;
        self.answer(&call, read).await
    }
}

/// Who asks, and what is in force while it is answered.
struct Reader<'a> {
    actor: &'a Actor,
    published: &'a Published,
}

impl Reader<'_> {
    /// Refuses who may audit revisions neither of the platform nor of its own tenant.
    fn demand(&self) -> Result<(), Refusal> {
        let own = self.actor.own_tenant();
        if self.published.permits_plural(self.actor, Action::Audit, REVISIONS, own) {
            return Ok(());
        }
        self.published.demand_plural(self.actor, Action::Audit, REVISIONS, None)
    }

    /// Whether it may read a resource, of now or of then.
    fn may_read(&self, kind: Kind, id: &Id) -> bool {
        self.published.permits(self.actor, Action::Read, kind, owner(kind, id))
    }
}

/// The kind and id of what is stored.
fn identity(place: &Place) -> Option<(Kind, Id)> {
    let kind: Kind = place.kind.parse().ok()?;
    let tenant = if place.tenant.is_empty() { None } else { Some(Name::new(&place.tenant).ok()?) };
    Some((kind, Id { tenant, name: Name::new(&place.name).ok()? }))
}

/// How a resource is stored.
fn place(kind: Kind, id: &Id) -> Place {
    Place {
        kind: kind.to_string(),
        tenant: id.tenant.as_ref().map(Name::to_string).unwrap_or_default(),
        name: id.name.to_string(),
    }
}

/// A revision as the author of a change.
fn authorship(touch: &Touch) -> Authorship {
    let Touch { row, had, has } = touch;
    let effect = match (had, has) {
        (false, _) => Effect::Created,
        (true, true) => Effect::Updated,
        (true, false) => Effect::Deleted,
    };
    Authorship {
        revision: format!("{REVISIONS}/{}", row.revision),
        create_time: Some(clock::timestamp(row.created_at)),
        actor: row.actor.clone(),
        action: row.action.clone(),
        reason: row.reason.clone(),
        ticket: row.ticket.clone(),
        proposal: row.proposal.map(|number| format!("proposals/{number}")).unwrap_or_default(),
        proposer: row.proposer.clone(),
        change: effect.as_str().to_owned(),
    }
}

/// What differs between two versions of a resource, without who made it so; `None` where nothing does.
fn difference(
    (kind, id): (Kind, &Id),
    (before, after): (Option<&[u8]>, Option<&[u8]>),
) -> Result<Option<ResourceDiff>, Refusal> {
    let change = match (before, after) {
        (None, None) => return Ok(None),
        (Some(before), Some(after)) if before == after => return Ok(None),
        (None, Some(_)) => Effect::Created,
        (Some(_), None) => Effect::Deleted,
        (Some(_), Some(_)) => Effect::Updated,
    };
    let read = |bytes: Option<&[u8]>| bytes.map(|bytes| tree(kind, bytes).ok_or_else(unreadable)).transpose();
    let (before, after) = (read(before)?, read(after)?);
    let fields = differing(before.as_ref(), after.as_ref());
    Ok(Some(ResourceDiff {
        kind: kind.to_string(),
        name: name::format(kind, id),
        change: change.as_str().to_owned(),
        fields: fields.into_iter().map(field).collect(),
        ..ResourceDiff::default()
    }))
}

fn field(found: Differing) -> FieldChange {
    let json = |value: Option<serde_json::Value>| value.map(|value| value.to_string()).unwrap_or_default();
    FieldChange { path: found.path, before: json(found.before), after: json(found.after) }
}

fn unreadable() -> Refusal {
    Refusal::new(ErrorCode::Internal, "what is stored can't be read")
}
