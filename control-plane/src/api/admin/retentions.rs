//! Retentions over the admin API.
//!
//! Law: a retention is set and deleted with a reason, each time as an event, and takes effect later than it is set. Absent on purpose: what
//! goes by it (`retention`).

use policy_engine::vocabulary::{Action, Geo};
use prost::Message as _;
use proto::admin::retentions_service_server::RetentionsService;
use proto::admin::{
    DeleteRetentionRequest, GetRetentionRequest, ListRetentionsRequest, ListRetentionsResponse, Retention,
    RetentionSpec, SetRetentionRequest,
};
use proto::code::ErrorCode;
use proto::pruned::retention_told;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::act::{changed_aside, told_aside};
use crate::actor::{absent, missing};
use crate::clock;
use crate::geos;
use crate::retention::{self, Retentions};
use crate::store::{RetentionRow, StoreError};

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "retentions";

#[tonic::async_trait]
impl RetentionsService for Admin {
    async fn list_retentions(
        &self,
        request: Request<ListRetentionsRequest>,
    ) -> Result<Response<ListRetentionsResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.RetentionsService/ListRetentions", request).await?;
        let found = self.retentions_page(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn get_retention(
        &self,
        request: Request<GetRetentionRequest>,
    ) -> Result<Response<Retention>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RetentionsService/GetRetention", request).await?;
        let found = self.retention(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn set_retention(
        &self,
        request: Request<SetRetentionRequest>,
    ) -> Result<Response<Retention>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.RetentionsService/SetRetention", request).await?;
        let set = self.keep_for(&call, asked.spec.unwrap_or_default()).await;
        self.answer(&call, set).await
    }

    async fn delete_retention(
        &self,
        request: Request<DeleteRetentionRequest>,
    ) -> Result<Response<()>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.RetentionsService/DeleteRetention", request).await?;
        let deleted = self.keep_for_good(&call, asked).await;
        self.answer(&call, deleted).await
    }
}

impl Admin {
    /// The same, by whose retentions something goes.
    pub fn retaining(self, retentions: Retentions) -> Self {
        Self { retentions: Some(retentions), ..self }
    }

    /// Tells whoever has things go that a retention or a hold has changed.
    pub(super) async fn retains_otherwise(&self) {
        if let Some(retentions) = &self.retentions {
            retentions.touch().await;
        }
    }

    fn may_retain(&self, call: &Call, action: Action) -> Result<(), Refusal> {
        self.publisher.current().demand_plural(&call.actor, action, LIST, None)?;
        // What goes is of every tenant; who sees some of them alone has no say in it.
        if call.actor.scope().is_some() && action == Action::Write { Err(absent()) } else { Ok(()) }
    }

    async fn retention(&self, call: &Call, name: &str) -> Result<Retention, Refusal> {
        self.may_retain(call, Action::Read)?;
        let found = self.publisher.store().retention(parse(name)?).await?;
        Ok(retention::read(&found.ok_or_else(|| missing(name))?)?)
    }

    async fn retentions_page(
        &self,
        call: &Call,
        asked: &ListRetentionsRequest,
    ) -> Result<ListRetentionsResponse, Refusal> {
        self.may_retain(call, Action::Read)?;
        let (size, sealer) = (page::size(asked.page_size)?, self.publisher.vault().sealer());
        let after = page::place(sealer, LIST, &asked.page_token)?.unwrap_or_default();
        let mut rows = self.publisher.store().retentions().await?;
        rows.retain(|row| row.name > after);
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        let next_page_token = last.map(|row| page::token(sealer, LIST, &row.name)).unwrap_or_default();
        let retentions = rows.iter().map(retention::read).collect::<Result<_, StoreError>>()?;
        Ok(ListRetentionsResponse { retentions, next_page_token })
    }

    async fn keep_for(&self, call: &Call, spec: RetentionSpec) -> Result<Retention, Refusal> {
        call.concerns(LIST.to_owned());
        self.may_retain(call, Action::Write)?;
        let retentions = self.retentions.as_ref().ok_or_else(|| {
            Refusal::new(ErrorCode::FailedPrecondition, "by this control plane nothing goes")
        })?;
        let (id, spec) =
            retention::checked(spec).map_err(|(field, why)| Refusal::field(format!("spec.{field}"), why))?;
        let name = format!("{LIST}/{id}");
        let act = call.act_because(&spec.reason, name.clone())?;
        let (now, store) = (clock::now(), self.publisher.store());
        let effective_at = retentions.effective(now);
        let set = Retention {
            name: name.clone(),
            create_time: Some(clock::timestamp(now)),
            spec: Some(RetentionSpec { reason: act.reason.clone(), ..spec }),
            creator: call.actor.name(),
            effective_time: Some(clock::timestamp(effective_at)),
        };
        let body = set.encode_to_vec();
        let before = store.retention(&id).await?.map(|row| row.body);
        let told = (name.as_str(), retention_told(&set));
        let event = told_aside(&act, told, (before.as_deref(), Some(&body)), now);
        store.set_retention(&RetentionRow { name: id, body: body.clone(), effective_at }, &event).await?;
        self.retains_otherwise().await;
        let geo = set.spec.as_ref().and_then(|spec| Geo::new(&spec.geo).ok());
        if let Some(odd) = geo.and_then(|geo| geos::odd(&geo, &self.nodes.geos())) {
            call.warns(format!("`spec.geo`: {odd}"));
        }
        Ok(set)
    }

    async fn keep_for_good(&self, call: &Call, asked: DeleteRetentionRequest) -> Result<(), Refusal> {
        call.concerns(asked.name.clone());
        self.may_retain(call, Action::Write)?;
        let id = parse(&asked.name)?;
        let act = call.act_because(&asked.reason, asked.name.clone())?;
        let store = self.publisher.store();
        let before = store.retention(id).await?.ok_or_else(|| missing(&asked.name))?;
        let now = clock::now();
        let effective_at = self.retentions.as_ref().map_or(now, |retentions| retentions.effective(now));
        let event = changed_aside(&act, &asked.name, (Some(&before.body), None), now);
        if !store.delete_retention((id, effective_at), &event).await? {
            return Err(missing(&asked.name));
        }
        self.retains_otherwise().await;
        Ok(())
    }
}

fn parse(name: &str) -> Result<&str, Refusal> {
    let id = name.strip_prefix("retentions/").filter(|id| !id.is_empty() && !id.contains('/'));
    let why = "is not of the form `retentions/(class)` or `retentions/decisions-(geo)`";
    id.ok_or_else(|| Refusal::field("name", why))
}
