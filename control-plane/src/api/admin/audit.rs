//! The log of administrative acts over the admin API, newest first.
//!
//! Law: one call looks at a bounded number of events, however few of them fit what is asked. Who is narrowed to tenants or geos is
//! shown the events that name nothing else. Of an event whose body was pruned nobody knows what it named: it is shown to who sees
//! everything, where nothing but when it happened is asked for.

mod filter;
mod proofs;
mod pruned;

use policy_engine::vocabulary::Action;
use prost::Message as _;
use proto::admin::audit_service_server::AuditService;
use proto::admin::{AuditEvent, GetAuditEventRequest, ListAuditEventsRequest, ListAuditEventsResponse};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::revisions::numbered;
use super::{Admin, page};
use crate::actor::{absent, missing};
use crate::store::{LoggedEvent, Page};
use filter::Filter;
use pruned::Telling;

/// Events that one call looks at; who filters goes on with the next page.
const MOST: usize = 20_000;

/// Bytes of events, as they were logged, from which on a page is full: common clients take 4 MiB of an answer.
const FULL: usize = 2 << 20;

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "auditEvents";

#[tonic::async_trait]
impl AuditService for Admin {
    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.AuditService/ListAuditEvents", request).await?;
        let found = self.events(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn get_audit_event(
        &self,
        request: Request<GetAuditEventRequest>,
    ) -> Result<Response<AuditEvent>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.AuditService/GetAuditEvent", request).await?;
        let found = self.event(&call, &asked.name).await;
        self.answer(&call, found).await
    }
}

impl Admin {
    async fn event(&self, call: &Call, name: &str) -> Result<AuditEvent, Refusal> {
        let number = numbered(name, LIST)?;
        demand(self, call)?;
        let logged = self.publisher.store().event(number).await?.ok_or_else(|| missing(name))?;
        let event = match logged.pruned_by {
            Some(by) => Telling::of(self.publisher.store()).told(&logged, by).await?,
            None => read(&logged)?,
        };
        match sees(call, &event) {
            true => Ok(event),
            false => Err(absent()),
        }
    }

    async fn events(
        &self,
        call: &Call,
        asked: &ListAuditEventsRequest,
    ) -> Result<ListAuditEventsResponse, Refusal> {
        demand(self, call)?;
        let (size, filter) = (page::size(asked.page_size)?, Filter::of(asked)?);
        let (sealer, list) = (self.publisher.vault().sealer(), filter.list(LIST));
        let before = page::place(sealer, &list, &asked.page_token)?.and_then(|place| place.parse().ok());
        let mut looking = self.looking(&filter, before).await?;
        let mut audit_events = Vec::new();
        let mut telling = Telling::of(self.publisher.store());
        let mut bytes = 0_usize;
        let is_full = |count: usize, bytes: usize| count == size || bytes >= FULL;
        while !is_full(audit_events.len(), bytes) && looking.looked < MOST && looking.before > looking.first {
            let page = Page { before: Some(looking.before), size: i64::try_from(size).unwrap_or(1) };
            let logged = self.publisher.store().events(page).await?;
            for event in &logged {
                looking.before = event.seq;
                looking.looked = looking.looked.saturating_add(1);
                let told = match event.pruned_by {
                    Some(by) => telling.told(event, by).await?,
                    None => read(event)?,
                };
                let found = Some(told).filter(|event| filter.fits(event) && sees(call, event));
                bytes = bytes.saturating_add(found.as_ref().map_or(0, |_| event.body.len()));
                audit_events.extend(found);
                if is_full(audit_events.len(), bytes) {
                    break;
                }
            }
            if logged.is_empty() {
                looking.before = looking.first;
            }
        }
        let more = looking.before > looking.first;
        let next_page_token =
            if more { page::token(sealer, &list, &looking.before.to_string()) } else { String::new() };
        Ok(ListAuditEventsResponse { audit_events, next_page_token })
    }

    /// Where in the log events of a filter may be, below a place.
    async fn looking(&self, filter: &Filter, before: Option<i64>) -> Result<Looking, Refusal> {
        let (first, last) = match (filter.since, filter.until) {
            (None, None) => (1, i64::MAX),
            (since, until) => {
                self.publisher.store().span(since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)).await?
            }
        };
        let before = before.unwrap_or(i64::MAX).min(last.saturating_add(1));
        Ok(Looking { first, before, looked: 0 })
    }
}

/// How far the log was looked through.
struct Looking {
    /// Nothing before this place is asked for.
    first: i64,
    /// Everything from this place on was looked at.
    before: i64,
    looked: usize,
}

/// Refuses who may not read the log.
pub(super) fn demand(admin: &Admin, call: &Call) -> Result<(), Refusal> {
    admin.publisher.current().demand_plural(&call.actor, Action::Audit, LIST, None)
}

/// Whether a caller who may read the log may read this of it.
fn sees(call: &Call, event: &AuditEvent) -> bool {
    let is_whole = event.pruned.is_none();
    call.actor.scope().is_none_or(|scope| scope.is_everything() || (is_whole && scope.has_event(event)))
}

fn read(logged: &LoggedEvent) -> Result<AuditEvent, Refusal> {
    AuditEvent::decode(logged.body.as_slice())
        .map_err(|_| Refusal::new(ErrorCode::Internal, "an event of the log can't be read"))
}
