//! Kills over the admin API: the platform's to make and to lift, and of nobody else.

use policy_engine::vocabulary::{Action, Name};
use proto::admin::kills_service_server::KillsService;
use proto::admin::{
    CreateKillRequest, DeleteKillRequest, GetKillRequest, Kill, KillNode, ListKillsRequest,
    ListKillsResponse, Node,
};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::standard::mode;
use super::{Admin, page};
use crate::clock;
use crate::geos::Known;
use crate::kills::{self, KillsNow, There};
use crate::nodes::standing::Standing;
use crate::publish::Mode;
use crate::registry::hex;
use crate::seal::random;

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "kills";

#[tonic::async_trait]
impl KillsService for Admin {
    async fn create_kill(&self, request: Request<CreateKillRequest>) -> Result<Response<Kill>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KillsService/CreateKill", request).await?;
        let made = self.switch_off(&call, asked).await;
        self.answer(&call, made).await
    }

    async fn get_kill(&self, request: Request<GetKillRequest>) -> Result<Response<Kill>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KillsService/GetKill", request).await?;
        let found = self.kill(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn list_kills(
        &self,
        request: Request<ListKillsRequest>,
    ) -> Result<Response<ListKillsResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KillsService/ListKills", request).await?;
        let found = self.kills_page(&call, &asked);
        self.answer(&call, found).await
    }

    async fn delete_kill(&self, request: Request<DeleteKillRequest>) -> Result<Response<()>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KillsService/DeleteKill", request).await?;
        let lifted = self.lift(&call, asked).await;
        self.answer(&call, lifted).await
    }
}

impl Admin {
    async fn switch_off(&self, call: &Call, asked: CreateKillRequest) -> Result<Kill, Refusal> {
        call.concerns(LIST.to_owned());
        let mode = call.is_in(mode(asked.validate_only));
        let published = self.publisher.current();
        published.demand_plural(&call.actor, Action::Write, LIST, None)?;
        let id = match asked.kill_id.as_str() {
            "" => made_up()?,
            id => Name::new(id).map_err(|e| Refusal::field("killId", e.to_string()))?,
        };
        let kill = asked.kill.ok_or_else(|| Refusal::field("kill", "is missing"))?;
        let spec = kill.spec.ok_or_else(|| Refusal::field("kill.spec", "is missing"))?;
        let nodes = self.nodes.geos();
        let was = kills::was_in_force(&spec, self.publisher.store()).await?;
        let geos = Known::of(&published.facts, &nodes);
        let blind = geos.is_empty();
        let spec = kills::checked(spec, &There { registry: &published.registry, was, geos })?;
        let warnings: Vec<String> = (blind && spec.target == "geo")
            .then(|| {
                format!(
                    "no node is known in `{}`, nor in any other geo yet: check how it is spelled",
                    spec.resource
                )
            })
            .into_iter()
            .collect();
        if mode == Mode::Try {
            let tried = Kill { name: kills::named(&id), spec: Some(spec), ..Kill::default() };
            return Ok(Kill { warnings, ..KillsNow::present(&tried, clock::now()) });
        }
        let mut act = call.act(kills::named(&id));
        if act.reason.is_empty() {
            act.reason.clone_from(&spec.reason);
        }
        let made = self.publisher.kills().create(act, id, spec).await?;
        Ok(Kill { warnings, ..KillsNow::present(&made, clock::now()) })
    }

    async fn kill(&self, call: &Call, name: &str) -> Result<Kill, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let id = parse(name)?;
        if let Some(kill) = self.publisher.kills().current().kills.get(&id) {
            let nodes = self.nodes_of_kill(call, &kill.name);
            return Ok(Kill { nodes, ..KillsNow::present(kill, clock::now()) });
        }
        self.publisher.kills().lifted(&id).await?.ok_or_else(|| kills::missing(&id))
    }

    /// Which nodes have a kill, for a caller who may see nodes. Those that were revoked or never heard are not spoken of.
    fn nodes_of_kill(&self, call: &Call, kill: &str) -> Vec<KillNode> {
        if !self.publisher.current().permits_plural(&call.actor, Action::Read, "nodes", None) {
            return Vec::new();
        }
        let standing = Standing::of(&self.publisher);
        let there = self.nodes.fleet().into_iter().filter(|node| node.connect_time.is_some());
        let is_told = |node: &Node| call.actor.scope().is_none_or(|scope| scope.has_geo(&node.geo));
        let there = there.filter(|node| node.revoke_time.is_none() && is_told(node));
        let held = there.filter_map(|node| {
            let standing = standing.holds(&node, kill)?.to_owned();
            Some(KillNode { node: node.name, state: node.state, standing })
        });
        held.collect()
    }

    fn kills_page(&self, call: &Call, asked: &ListKillsRequest) -> Result<ListKillsResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let size = page::size(asked.page_size)?;
        let sealer = self.publisher.vault().sealer();
        let after = page::place(sealer, LIST, &asked.page_token)?.and_then(|place| Name::new(&place).ok());
        let (now, at) = (self.publisher.kills().current(), clock::now());
        let mut rest = now.kills.iter().filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
        let (mut found, mut last) = (Vec::new(), None);
        for (id, kill) in rest.by_ref().take(size) {
            found.push(KillsNow::present(kill, at));
            last = Some(id);
        }
        let last = last.filter(|_| rest.next().is_some());
        let next_page_token = last.map(|id| page::token(sealer, LIST, id.as_str())).unwrap_or_default();
        Ok(ListKillsResponse { kills: found, next_page_token })
    }

    async fn lift(&self, call: &Call, asked: DeleteKillRequest) -> Result<(), Refusal> {
        call.concerns(asked.name.clone());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let id = parse(&asked.name)?;
        let kills = self.publisher.kills();
        match kills.lift(call.act(asked.name), id.clone()).await.map_err(Refusal::from) {
            Err(refusal) if refusal.code == ErrorCode::NotFound => match kills.lifted(&id).await? {
                _ if asked.allow_missing => Ok(()),
                Some(lifted) => Err(kills::lifted_before(&lifted)),
                None => Err(refusal),
            },
            lifted => lifted,
        }
    }
}

fn parse(name: &str) -> Result<Name, Refusal> {
    let id = name.strip_prefix("kills/").map(Name::new);
    match id {
        Some(Ok(id)) => Ok(id),
        _ => Err(Refusal::field("name", "is not of the form `kills/(id)`")),
    }
}

/// An id nobody else has.
fn made_up() -> Result<Name, Refusal> {
    let broken = |_| Refusal::new(ErrorCode::Internal, "an id could not be made");
    let id = hex(random::<8>().map_err(|_| broken(()))?.as_slice());
    Name::new(&id).map_err(|_| broken(()))
}
