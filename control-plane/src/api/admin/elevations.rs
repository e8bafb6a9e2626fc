//! Rights that are taken for a while, over the admin API.
//!
//! Law: who may is configured and told by its name; whose they are may look at them and end them. Absent on purpose: what they are worth
//! (`actor`), and how they end by themselves (`elevations`).

use std::time::Duration;

use policy_engine::vocabulary::{Action, Duration as Length, SpanError};
use proto::admin::elevations_service_server::ElevationsService;
use proto::admin::{
    CreateElevationRequest, Elevation, ElevationSpec, EndElevationRequest, GetElevationRequest,
    ListElevationsRequest, ListElevationsResponse,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::revisions::numbered;
use super::{Admin, page};
use crate::actor::{Actor, missing};
use crate::elevations::{Elevations, shown};
use crate::error::unspoken;
use crate::store::Page;

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "elevations";

/// Bytes of a ticket at most, as the header that tells one has them.
const TICKET: usize = 128;

#[tonic::async_trait]
impl ElevationsService for Admin {
    async fn create_elevation(
        &self,
        request: Request<CreateElevationRequest>,
    ) -> Result<Response<Elevation>, Status> {
        let name = "chancery.admin.v1.ElevationsService/CreateElevation";
        let (call, asked) = self.receive(name, request).await?;
        let taken = self.elevate(&call, asked).await;
        self.answer(&call, taken).await
    }

    async fn get_elevation(
        &self,
        request: Request<GetElevationRequest>,
    ) -> Result<Response<Elevation>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.ElevationsService/GetElevation", request).await?;
        let found = self.elevation(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_elevations(
        &self,
        request: Request<ListElevationsRequest>,
    ) -> Result<Response<ListElevationsResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.ElevationsService/ListElevations", request).await?;
        let found = self.elevations_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn end_elevation(
        &self,
        request: Request<EndElevationRequest>,
    ) -> Result<Response<Elevation>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.ElevationsService/EndElevation", request).await?;
        let ended = self.end_elevation_of(&call, &asked.name).await;
        self.answer(&call, ended).await
    }
}

impl Admin {
    async fn elevate(&self, call: &Call, asked: CreateElevationRequest) -> Result<Elevation, Refusal> {
        call.concerns(LIST.to_owned());
        let elevations = self.glass(&call.actor)?;
        let spec = asked.elevation.and_then(|elevation| elevation.spec).unwrap_or_default();
        let mut act = call.act_because(&spec.reason, LIST.to_owned())?;
        let ticket = spec.ticket.trim();
        if ticket.len() > TICKET || ticket.chars().any(char::is_control) {
            let why = format!("is not a text of at most {TICKET} bytes without control characters");
            return Err(Refusal::field("elevation.spec.ticket", why));
        }
        if !ticket.is_empty() {
            ticket.clone_into(&mut act.ticket);
        }
        let length = elevations.length(length(&spec.valid)?)?;
        let spec = ElevationSpec { reason: act.reason.clone(), ticket: act.ticket.clone(), ..spec };
        Ok(elevations.take(&call.actor, (act, spec), length).await?)
    }

    /// Who gives rights to an actor; refused where it may not have them, or has them.
    fn glass(&self, actor: &Actor) -> Result<&Elevations, Refusal> {
        let no = |code, line: &str| Err(Refusal::new(code, line));
        let elevations = match (actor, &self.elevations) {
            (Actor::Platform(_), _) => {
                return no(ErrorCode::FailedPrecondition, "an administrator's token has every right already");
            }
            (Actor::Elevated { elevation, .. }, _) => {
                let line = format!("`{elevation}` is not over: end it first");
                return no(ErrorCode::FailedPrecondition, &line);
            }
            (_, Some(elevations)) if elevations.may(&actor.name()) => elevations,
            _ => {
                let line = format!(
                    "`{}` may take no rights: an operator names who may in `break_glass.who` of the control plane's configuration",
                    actor.name()
                );
                return no(ErrorCode::PermissionDenied, &line);
            }
        };
        match actor.scope().is_some_and(|scope| !scope.geos.is_empty()) {
            true => no(
                ErrorCode::FailedPrecondition,
                "a token that is narrowed to geos can take no rights: what is changed can't be narrowed so",
            ),
            false => Ok(elevations),
        }
    }

    /// Whether a caller may look at all of them.
    fn may_see_all(&self, call: &Call, action: Action) -> Result<(), Refusal> {
        self.publisher.current().demand_plural(&call.actor, action, LIST, None)
    }

    async fn elevation(&self, call: &Call, name: &str) -> Result<Elevation, Refusal> {
        let number = numbered(name, LIST)?;
        let seen = self.may_see_all(call, Action::Read);
        let row = self.publisher.store().elevation(number).await?;
        let found = row.as_ref().map(shown).transpose()?;
        match found {
            Some(found) if seen.is_ok() || found.holder == call.actor.name() => Ok(found),
            _ => seen.and(Err(missing(name))),
        }
    }

    async fn elevations_page(
        &self,
        call: &Call,
        asked: &ListElevationsRequest,
    ) -> Result<ListElevationsResponse, Refusal> {
        self.may_see_all(call, Action::Read)?;
        let (size, sealer) = (page::size(asked.page_size)?, self.publisher.vault().sealer());
        let before = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| place.parse().ok());
        let rows = i64::try_from(size).unwrap_or(1).saturating_add(1);
        let mut rows = self.publisher.store().elevations(Page { before, size: rows }).await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more).map(|row| row.number.to_string());
        let next_page_token = last.map(|place| page::token(sealer, LIST, &place)).unwrap_or_default();
        let elevations = rows.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(ListElevationsResponse { elevations, next_page_token })
    }

    async fn end_elevation_of(&self, call: &Call, name: &str) -> Result<Elevation, Refusal> {
        call.concerns(name.to_owned());
        let number = numbered(name, LIST)?;
        let may = self.may_see_all(call, Action::Write);
        let row = self.publisher.store().elevation(number).await?;
        let found = row.as_ref().map(shown).transpose()?;
        let own = found.as_ref().is_some_and(|found| found.holder == call.actor.name());
        if !own {
            may?;
        }
        let none =
            || Refusal::new(ErrorCode::FailedPrecondition, "no rights can be taken at this control plane");
        let elevations = self.elevations.as_ref().ok_or_else(none)?;
        Ok(elevations.end(call.act(name.to_owned()), number).await?)
    }
}

/// A length as it is asked for; `None` where none is.
fn length(asked: &str) -> Result<Option<Duration>, Refusal> {
    if asked.is_empty() {
        return Ok(None);
    }
    let wrong =
        |error: SpanError| Refusal::field("elevation.spec.valid", format!("`{}`: {error}", unspoken(asked)));
    let Length(micros) = asked.parse().map_err(wrong)?;
    Ok(Some(Duration::from_micros(micros.unsigned_abs())))
}
