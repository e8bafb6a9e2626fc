//! The log of administrative acts over the admin API, newest first.

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
use crate::actor::missing;
use crate::store::{LoggedEvent, Page};

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "auditEvents";

#[tonic::async_trait]
impl AuditService for Admin {
    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.AuditService/ListAuditEvents", request)?;
        let found = self.events(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn get_audit_event(
        &self,
        request: Request<GetAuditEventRequest>,
    ) -> Result<Response<AuditEvent>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.AuditService/GetAuditEvent", request)?;
        let found = self.event(&call, &asked.name).await;
        self.answer(&call, found).await
    }
}

impl Admin {
    async fn event(&self, call: &Call, name: &str) -> Result<AuditEvent, Refusal> {
        let number = numbered(name, LIST)?;
        self.publisher.current().demand_plural(&call.actor, Action::Audit, LIST, None)?;
        let logged = self.publisher.store().event(number).await?.ok_or_else(|| missing(name))?;
        read(&logged)
    }

    async fn events(
        &self,
        call: &Call,
        asked: &ListAuditEventsRequest,
    ) -> Result<ListAuditEventsResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Audit, LIST, None)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let before = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| place.parse().ok());
        let logged =
            self.publisher.store().events(Page { before, size: i64::try_from(size).unwrap_or(1) }).await?;
        let last = logged.last().map(|event| event.seq).filter(|last| *last > 1 && logged.len() == size);
        let next_page_token =
            last.map(|last| page::token(sealer, LIST, &last.to_string())).unwrap_or_default();
        let audit_events = logged.iter().map(read).collect::<Result<_, _>>()?;
        Ok(ListAuditEventsResponse { audit_events, next_page_token })
    }
}

fn read(logged: &LoggedEvent) -> Result<AuditEvent, Refusal> {
    AuditEvent::decode(logged.body.as_slice())
        .map_err(|_| Refusal::new(ErrorCode::Internal, "an event of the log can't be read"))
}
