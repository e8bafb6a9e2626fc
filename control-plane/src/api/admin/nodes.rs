//! Data-plane nodes over the admin API.

use policy_engine::vocabulary::{Action, Name};
use proto::admin::nodes_service_server::NodesService;
use proto::admin::{ListNodesRequest, ListNodesResponse};
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::call::Call;
use super::{Admin, page};

/// The list, as page tokens know it and as permissions name it.
const LIST: &str = "nodes";

#[tonic::async_trait]
impl NodesService for Admin {
    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.NodesService/ListNodes", request)?;
        let found = self.nodes_page(&call, &asked);
        self.answer(&call, found).await
    }
}

impl Admin {
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
        Ok(ListNodesResponse { nodes: found.into_iter().map(|(_, node)| node).collect(), next_page_token })
    }
}
