//! Data-plane nodes over the admin API: seen, let in and revoked.

use std::time::Duration;

use policy_engine::vocabulary::{Action, Duration as Length, Geo, Name};
use proto::admin::nodes_service_server::NodesService;
use proto::admin::{
    DrainNodeRequest, EnrolNodeRequest, EnrolNodeResponse, ForgetNodeRequest, GetNodeRequest,
    ListNodesRequest, ListNodesResponse, Node, RevokeNodeRequest, UndrainNodeRequest,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};
use crate::actor::missing;
use crate::clock;
use crate::enrolment::{self, EnrolmentError};
use crate::geos::Known;
use crate::nodes::standing::Standing;

/// For how long a token is good where nothing is said, and at most.
const VALID: (Duration, Duration) = (Duration::from_secs(60 * 60), Duration::from_secs(30 * 24 * 60 * 60));

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "nodes";

#[tonic::async_trait]
impl NodesService for Admin {
    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/ListNodes", request).await?;
        let found = self.nodes_page(&call, &asked);
        self.answer(&call, found).await
    }

    async fn get_node(&self, request: Request<GetNodeRequest>) -> Result<Response<Node>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/GetNode", request).await?;
        let found = self.node(&call, &asked.name);
        self.answer(&call, found).await
    }

    async fn enrol_node(
        &self,
        request: Request<EnrolNodeRequest>,
    ) -> Result<Response<EnrolNodeResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/EnrolNode", request).await?;
        let made = self.enrolled(&call, &asked).await;
        self.answer(&call, made).await
    }

    async fn revoke_node(&self, request: Request<RevokeNodeRequest>) -> Result<Response<Node>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/RevokeNode", request).await?;
        let revoked = self.revoked(&call, &asked.name).await;
        self.answer(&call, revoked).await
    }

    async fn drain_node(&self, request: Request<DrainNodeRequest>) -> Result<Response<Node>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/DrainNode", request).await?;
        let drained = self.drained(&call, &asked).await;
        self.answer(&call, drained).await
    }

    async fn undrain_node(&self, request: Request<UndrainNodeRequest>) -> Result<Response<Node>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/UndrainNode", request).await?;
        let undrained = self.undrained(&call, &asked).await;
        self.answer(&call, undrained).await
    }

    async fn forget_node(&self, request: Request<ForgetNodeRequest>) -> Result<Response<()>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/ForgetNode", request).await?;
        let forgotten = self.forgotten(&call, &asked.name).await;
        self.answer(&call, forgotten).await
    }
}

impl Admin {
    fn standing(&self) -> Standing {
        Standing::of(&self.publisher)
    }

    pub(super) fn node(&self, call: &Call, name: &str) -> Result<Node, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let (geo, id) = self.nodes.named(name).ok_or_else(|| missing(name))?;
        if !sees(call, &geo) {
            return Err(missing(name));
        }
        let node = self.nodes.get(&geo, &id).ok_or_else(|| missing(name))?;
        Ok(self.standing().shown(node))
    }

    /// Whether a geo is new here; refused where another is meant.
    fn is_new(&self, geo: &Geo, meant: bool) -> Result<bool, Refusal> {
        let (facts, nodes) = (self.publisher.current().facts.clone(), self.nodes.geos());
        let known = Known::of(&facts, &nodes);
        if known.has(geo) {
            return Ok(false);
        }
        if let Some(told) = known.spelled(geo) {
            return Err(Refusal::field("geo", told));
        }
        match known.slip(geo) {
            Some(slip) if !meant => {
                let line = format!("{slip} A new geo with such a name needs `newGeo` (`--new-geo`)");
                Err(Refusal::field("geo", line))
            }
            _ => Ok(true),
        }
    }

    async fn enrolled(&self, call: &Call, asked: &EnrolNodeRequest) -> Result<EnrolNodeResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let geo = Geo::new(&asked.geo).map_err(|error| Refusal::field("geo", error.to_string()))?;
        let node = match asked.node.as_str() {
            "" => enrolment::unique().map_err(|error| EnrolmentError::from(error).told())?,
            given => Name::new(given).map_err(|error| Refusal::field("node", error.to_string()))?,
        };
        let valid = valid(&asked.valid)?;
        let geo_is_new = self.is_new(&geo, asked.new_geo)?;
        let enrolment = self.enrolment.as_ref().ok_or_else(|| {
            Refusal::new(ErrorCode::Unimplemented, "no nodes can be enrolled at this control plane")
        })?;
        let about = format!("geos/{geo}/nodes/{node}");
        call.concerns(about.clone());
        let made = enrolment.make(&geo, &node, (valid, &call.act(about))).await;
        let made = made.map_err(EnrolmentError::told)?;
        let name = self.nodes.await_node(&geo, &node);
        self.nodes.keep(self.publisher.store()).await;
        Ok(EnrolNodeResponse {
            token: made.token.to_string(),
            node: name,
            expire_time: Some(clock::timestamp(made.expires_at)),
            sync_port: i32::from(enrolment.issuer().port),
            geo_is_new,
        })
    }

    async fn revoked(&self, call: &Call, name: &str) -> Result<Node, Refusal> {
        call.concerns(name.to_owned());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let (geo, id) = self.nodes.named(name).ok_or_else(|| missing(name))?;
        let act = call.act(format!("geos/{geo}/nodes/{id}"));
        let store = (self.publisher.store(), self.nodes.admission());
        enrolment::revoke(store, (&geo, &id), &act).await?;
        self.nodes.await_node(&geo, &id);
        self.nodes.keep(self.publisher.store()).await;
        let node = self.nodes.get(&geo, &id).ok_or_else(|| missing(name))?;
        Ok(self.standing().shown(node))
    }

    async fn forgotten(&self, call: &Call, name: &str) -> Result<(), Refusal> {
        call.concerns(name.to_owned());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let (geo, id) = self.nodes.named(name).ok_or_else(|| missing(name))?;
        let node = self.nodes.get(&geo, &id).ok_or_else(|| missing(name))?;
        let act = call.act(format!("geos/{geo}/nodes/{id}"));
        self.nodes.forget((&geo, &id), &node, (self.publisher.store(), &act)).await
    }

    fn nodes_page(&self, call: &Call, asked: &ListNodesRequest) -> Result<ListNodesResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let after = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| {
            let (geo, id) = place.split_once('/')?;
            Some((Name::new(geo).ok()?, Name::new(id).ok()?))
        });
        let mut found = self.nodes.list(after.as_ref(), size.saturating_add(1));
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more).map(|((geo, id), _)| format!("{geo}/{id}"));
        let next_page_token = last.map(|place| page::token(sealer, LIST, &place)).unwrap_or_default();
        let standing = self.standing();
        found.retain(|((geo, _), _)| sees(call, geo));
        let nodes = found.into_iter().map(|(_, node)| standing.shown(node)).collect();
        Ok(ListNodesResponse { nodes, next_page_token })
    }
}

impl EnrolmentError {
    /// What an administrator is told.
    fn told(self) -> Refusal {
        match self {
            Self::Impossible(why) => Refusal::new(ErrorCode::FailedPrecondition, why),
            Self::Store(error) => error.into(),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "no enrolment token can be made");
                Refusal::new(ErrorCode::Internal, "no enrolment token can be made")
            }
        }
    }
}

/// Whether a caller who may look at nodes may look at those of a geo.
pub(super) fn sees(call: &Call, geo: &Geo) -> bool {
    call.actor.scope().is_none_or(|scope| scope.has_geo(geo.as_str()))
}

/// For how long a token shall be good.
fn valid(asked: &str) -> Result<Duration, Refusal> {
    let (usual, most) = VALID;
    if asked.is_empty() {
        return Ok(usual);
    }
    let wrong = |why: String| Refusal::field("valid", why);
    let Length(micros) =
        asked.parse().map_err(|error: policy_engine::vocabulary::SpanError| wrong(error.to_string()))?;
    let length = Duration::from_micros(micros.unsigned_abs());
    if length.is_zero() || length > most {
        return Err(wrong(format!(
            "`{}` is not more than nothing and at most `30d`",
            crate::error::unspoken(asked)
        )));
    }
    Ok(length)
}
