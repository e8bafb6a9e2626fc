//! Revisions over the admin API: what was published, newest first, and a new line of succession.

pub(super) mod filter;

use policy_engine::vocabulary::{Action, Id, Kind, Name};
use proto::admin::revisions_service_server::RevisionsService;
use proto::admin::{
    BumpEpochRequest, GetRevisionRequest, ListRevisionsRequest, ListRevisionsResponse, ResourceChange,
    Revision, ScopeDigest,
};
use proto::name;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::actor::missing;
use crate::clock;
use crate::history::meant;
use crate::publish::Effect;
use crate::registry::hex;
use crate::store::{ChangeRow, Page, RevisionRow};

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "revisions";

#[tonic::async_trait]
impl RevisionsService for Admin {
    async fn get_revision(&self, request: Request<GetRevisionRequest>) -> Result<Response<Revision>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RevisionsService/GetRevision", request).await?;
        let found = self.revision(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_revisions(
        &self,
        request: Request<ListRevisionsRequest>,
    ) -> Result<Response<ListRevisionsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RevisionsService/ListRevisions", request).await?;
        let found = self.revisions(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn bump_epoch(&self, request: Request<BumpEpochRequest>) -> Result<Response<Revision>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RevisionsService/BumpEpoch", request).await?;
        let begun = self.bumped(&call, &asked.reason).await;
        self.answer(&call, begun).await
    }
}

impl Admin {
    async fn revision(&self, call: &Call, name: &str) -> Result<Revision, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Audit, LIST, None)?;
        let number = match name.strip_prefix("revisions/").filter(|point| point.starts_with("head")) {
            Some(point) => meant(self.publisher.store(), ("name", point)).await?.row.revision,
            None => numbered(name, LIST)?,
        };
        self.numbered(number, name).await
    }

    async fn numbered(&self, number: i64, name: &str) -> Result<Revision, Refusal> {
        let page = Page { before: number.checked_add(1), size: 1 };
        let found = self.publisher.store().revisions(page).await?;
        let row = found.into_iter().find(|row| row.revision == number).ok_or_else(|| missing(name))?;
        self.whole(row).await
    }

    async fn bumped(&self, call: &Call, reason: &str) -> Result<Revision, Refusal> {
        call.concerns(LIST.to_owned());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let act = call.act_because(reason, LIST.to_owned())?;
        let head = self.publisher.bump_epoch(act).await?.head;
        tracing::warn!(
            epoch = head.epoch,
            revision = head.revision,
            actor = call.actor.name(),
            "a new epoch begins"
        );
        self.numbered(head.revision, &format!("{LIST}/{}", head.revision)).await
    }

    async fn revisions(
        &self,
        call: &Call,
        asked: &ListRevisionsRequest,
    ) -> Result<ListRevisionsResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Audit, LIST, None)?;
        let (size, sought) = (page::size(asked.page_size)?, filter::sought(asked)?);
        let (sealer, list) = (self.publisher.vault().sealer(), filter::list(LIST, &sought));
        let before = page::place(sealer, &list, &asked.page_token)?.and_then(|place| place.parse().ok());
        let page = Page { before, size: i64::try_from(size).unwrap_or(1) };
        let (rows, below) = self.publisher.store().sought(page, &sought).await?;
        let next_page_token =
            below.map(|below| page::token(sealer, &list, &below.to_string())).unwrap_or_default();
        let mut revisions = Vec::with_capacity(rows.len());
        for row in rows {
            revisions.push(self.whole(row).await?);
        }
        Ok(ListRevisionsResponse { revisions, next_page_token })
    }

    async fn whole(&self, row: RevisionRow) -> Result<Revision, Refusal> {
        let store = self.publisher.store();
        let changes = store.changes(row.revision).await?;
        let scopes = store.scopes(row.revision).await?;
        let mut changes: Vec<ResourceChange> = changes.iter().filter_map(changed).collect();
        changes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Revision {
            name: format!("{LIST}/{}", row.revision),
            revision: row.revision,
            epoch: row.epoch,
            create_time: Some(clock::timestamp(row.created_at)),
            actor: row.actor,
            action: row.action,
            reason: row.reason,
            ticket: row.ticket,
            proposal: row.proposal.map(|number| format!("proposals/{number}")).unwrap_or_default(),
            proposer: row.proposer,
            changes,
            scopes: scopes
                .into_iter()
                .map(|scope| ScopeDigest {
                    geo: scope.geo,
                    node_class: scope.node_class,
                    digest: hex(&scope.digest),
                })
                .collect(),
        })
    }
}

fn changed(row: &ChangeRow) -> Option<ResourceChange> {
    let kind: Kind = row.kind.parse().ok()?;
    let id = Id { tenant: Name::new(&row.tenant).ok(), name: Name::new(&row.name).ok()? };
    let effect = match (row.had, row.has) {
        (false, _) => Effect::Created,
        (true, true) => Effect::Updated,
        (true, false) => Effect::Deleted,
    };
    Some(ResourceChange {
        kind: row.kind.clone(),
        name: name::format(kind, &id),
        change: effect.as_str().to_owned(),
    })
}

/// Reads a name that is a list and a number, such as `revisions/7`.
pub(super) fn numbered(name: &str, list: &str) -> Result<i64, Refusal> {
    let number = name.split_once('/').filter(|(first, _)| *first == list).map(|(_, number)| number);
    // One thing has one name: neither `+7` nor `007`.
    let read = number.and_then(|text| text.parse::<i64>().ok().filter(|n| n.to_string() == text));
    read.filter(|n| *n > 0)
        .ok_or_else(|| Refusal::field("name", format!("is not of the form `{list}/(number)`")))
}
