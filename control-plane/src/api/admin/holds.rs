//! Legal holds over the admin API.
//!
//! Law: a hold is placed and released with a reason, each time as an event, and it names what it is over by what stays the same when names
//! do not. Absent on purpose: what a hold keeps from going (`holds`).

use policy_engine::vocabulary::{Action, Id, Kind, Name};
use prost::Message as _;
use proto::admin::holds_service_server::HoldsService;
use proto::admin::{
    CreateHoldRequest, GetHoldRequest, Hold, HoldSpec, ListHoldsRequest, ListHoldsResponse,
    ReleaseHoldRequest,
};
use proto::code::ErrorCode;
use proto::pruned::hold_told;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::act::{changed_aside, told_aside};
use crate::actor::missing;
use crate::clock;
use crate::holds;
use crate::store::{HoldRow, StoreError};
use crate::subjects::is_pseudonym;

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "holds";

#[tonic::async_trait]
impl HoldsService for Admin {
    async fn create_hold(&self, request: Request<CreateHoldRequest>) -> Result<Response<Hold>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HoldsService/CreateHold", request).await?;
        let placed = self.place_hold(&call, asked).await;
        self.answer(&call, placed).await
    }

    async fn get_hold(&self, request: Request<GetHoldRequest>) -> Result<Response<Hold>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HoldsService/GetHold", request).await?;
        let found = self.hold(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_holds(
        &self,
        request: Request<ListHoldsRequest>,
    ) -> Result<Response<ListHoldsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HoldsService/ListHolds", request).await?;
        let found = self.holds_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn release_hold(&self, request: Request<ReleaseHoldRequest>) -> Result<Response<Hold>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.HoldsService/ReleaseHold", request).await?;
        let released = self.release(&call, asked).await;
        self.answer(&call, released).await
    }
}

impl Admin {
    fn may(&self, call: &Call, action: Action) -> Result<(), Refusal> {
        self.publisher.current().demand_plural(&call.actor, action, LIST, None)?;
        call.demand_whole("a hold is over what several tenants may have")
    }

    async fn place_hold(&self, call: &Call, asked: CreateHoldRequest) -> Result<Hold, Refusal> {
        self.may(call, Action::Write)?;
        let id = Name::new(&asked.hold_id).map_err(|error| Refusal::field("holdId", error.to_string()))?;
        let spec = asked.hold.and_then(|hold| hold.spec).unwrap_or_default();
        let name = format!("{LIST}/{id}");
        call.concerns(name.clone());
        let act = call.act_because(&spec.reason, name.clone())?;
        // Nobody is erased between being looked for and being held.
        let _alone = self.publisher.subjects().alone().await;
        let spec = HoldSpec { reason: act.reason.clone(), ..self.over(spec).await? };
        let now = clock::now();
        let hold = Hold {
            name: name.clone(),
            create_time: Some(clock::timestamp(now)),
            spec: Some(spec),
            holder: call.actor.name(),
            ..Hold::default()
        };
        let body = hold.encode_to_vec();
        let event = told_aside(&act, (&name, hold_told(&hold)), (None, Some(&body)), now);
        let row = HoldRow { name: id.to_string(), body: body.clone(), released_at: None };
        match self.publisher.store().place_hold(&row, &event).await? {
            true => {
                self.retains_otherwise().await;
                Ok(hold)
            }
            false => Err(Refusal::new(ErrorCode::AlreadyExists, "there is one of this name already")),
        }
    }

    /// What a hold is over, as it is kept: a subject by its pseudonym, a tenant that is there.
    async fn over(&self, spec: HoldSpec) -> Result<HoldSpec, Refusal> {
        let wrong = |field: &str, why: String| Err(Refusal::field(format!("hold.spec.{field}"), why));
        if !spec.subject.is_empty() && !spec.tenant.is_empty() {
            return wrong("tenant", "is given beside a subject: a hold is over one of them".to_owned());
        }
        if !spec.tenant.is_empty() {
            let tenant = spec.tenant.strip_prefix("tenants/").and_then(|tenant| Name::new(tenant).ok());
            let Some(tenant) = tenant else {
                return wrong("tenant", "is not of the form `tenants/(tenant)`".to_owned());
            };
            let there = self.publisher.current().registry.get(Kind::Tenant, &Id::platform(tenant)).is_some();
            return if there { Ok(spec) } else { wrong("tenant", format!("there is no `{}`", spec.tenant)) };
        }
        let Some(id) = spec.subject.strip_prefix("subjects/") else {
            return match spec.subject.is_empty() {
                true => Ok(spec),
                false => wrong("subject", "is not of the form `subjects/(id)`".to_owned()),
            };
        };
        let subjects = self.publisher.subjects();
        let known = match is_pseudonym(id) {
            true => subjects.name_of(id).map(|_| id.to_owned()),
            false => subjects.pseudonym_of(id),
        };
        match known {
            // An erasure that was broken off is ended, whoever comes meanwhile.
            Some(pseudonym) if self.publisher.store().erased_at(&pseudonym).await?.is_some() => {
                wrong("subject", format!("`{}` was erased", spec.subject))
            }
            Some(pseudonym) => Ok(HoldSpec { subject: format!("subjects/{pseudonym}"), ..spec }),
            None => wrong("subject", format!("there is no `{}`", spec.subject)),
        }
    }

    async fn hold(&self, call: &Call, name: &str) -> Result<Hold, Refusal> {
        self.may(call, Action::Read)?;
        let found = self.publisher.store().hold(parse(name)?.as_str()).await?;
        Ok(holds::read(&found.ok_or_else(|| missing(name))?)?)
    }

    async fn holds_page(&self, call: &Call, asked: &ListHoldsRequest) -> Result<ListHoldsResponse, Refusal> {
        self.may(call, Action::Read)?;
        let (size, sealer) = (page::size(asked.page_size)?, self.publisher.vault().sealer());
        let after = page::place(sealer, LIST, &asked.page_token)?.unwrap_or_default();
        let most = i64::try_from(size).unwrap_or(1).saturating_add(1);
        let mut rows = self.publisher.store().holds(&after, most).await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        let next_page_token = last.map(|row| page::token(sealer, LIST, &row.name)).unwrap_or_default();
        let holds = rows.iter().map(holds::read).collect::<Result<_, StoreError>>()?;
        Ok(ListHoldsResponse { holds, next_page_token })
    }

    async fn release(&self, call: &Call, asked: ReleaseHoldRequest) -> Result<Hold, Refusal> {
        self.may(call, Action::Write)?;
        let id = parse(&asked.name)?;
        call.concerns(asked.name.clone());
        let act = call.act_because(&asked.reason, asked.name.clone())?;
        let store = self.publisher.store();
        let before = store.hold(id.as_str()).await?.ok_or_else(|| missing(&asked.name))?;
        let now = clock::now();
        let released = Hold {
            release_time: Some(clock::timestamp(now)),
            releaser: call.actor.name(),
            ..holds::read(&before)?
        };
        let body = released.encode_to_vec();
        let event = changed_aside(&act, &asked.name, (Some(&before.body), None), now);
        let row = HoldRow { body: body.clone(), released_at: Some(now), ..before };
        match store.release_hold(&row, &event).await {
            Err(StoreError::Decided) => {
                Err(Refusal::new(ErrorCode::FailedPrecondition, "it was released before"))
            }
            done => {
                done?;
                self.retains_otherwise().await;
                Ok(released)
            }
        }
    }
}

fn parse(name: &str) -> Result<Name, Refusal> {
    match name.strip_prefix("holds/").map(Name::new) {
        Some(Ok(id)) => Ok(id),
        _ => Err(Refusal::field("name", "is not of the form `holds/(id)`")),
    }
}
