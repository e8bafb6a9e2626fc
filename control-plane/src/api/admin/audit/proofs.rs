//! What proves the log of administrative acts: its leaves, its checkpoints and the keys that verify them.
//!
//! Law: a leaf is given as it was logged, byte for byte, and never made again. Absent on purpose: verifying, which is for whoever
//! does not trust us.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proto::admin::audit_checkpoints_service_server::AuditCheckpointsService;
use proto::admin::audit_keys_service_server::AuditKeysService;
use proto::admin::audit_leaves_service_server::AuditLeavesService;
use proto::admin::{
    AuditCheckpoint, AuditKey, AuditLeaf, GetAuditCheckpointRequest, ListAuditCheckpointsRequest,
    ListAuditCheckpointsResponse, ListAuditKeysRequest, ListAuditKeysResponse, ListAuditLeavesRequest,
    ListAuditLeavesResponse, ProveAuditCheckpointRequest, ProveAuditCheckpointResponse,
    SignAuditCheckpointRequest,
};
use proto::code::ErrorCode;
use proto::pruned::PRUNE_EVENTS;
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::super::call::Call;
use super::super::revisions::numbered;
use super::super::{Admin, export, page};
use super::filter::Filter;
use super::pruned::Telling;
use super::{FULL, MOST, demand, read, sees};
use crate::actor::missing;
use crate::checkpoints::{Checkpoints, NotSigned};
use crate::registry::hex;
use crate::store::{CheckpointRow, LoggedEvent, Page};

/// The lists, as page tokens know them.
const LEAVES: &str = "auditLeaves";
const CHECKPOINTS: &str = "auditCheckpoints";

#[tonic::async_trait]
impl AuditLeavesService for Admin {
    async fn list_audit_leaves(
        &self,
        request: Request<ListAuditLeavesRequest>,
    ) -> Result<Response<ListAuditLeavesResponse>, Status> {
        let (call, asked) =
            self.receive("chancery.admin.v1.AuditLeavesService/ListAuditLeaves", request).await?;
        let found = self.leaves(&call, &asked).await;
        self.answer(&call, found).await
    }
}

#[tonic::async_trait]
impl AuditCheckpointsService for Admin {
    async fn list_audit_checkpoints(
        &self,
        request: Request<ListAuditCheckpointsRequest>,
    ) -> Result<Response<ListAuditCheckpointsResponse>, Status> {
        let name = "chancery.admin.v1.AuditCheckpointsService/ListAuditCheckpoints";
        let (call, asked) = self.receive(name, request).await?;
        let found = self.checkpoints(&call, &asked).await;
        self.answer(&call, found).await
    }

    async fn get_audit_checkpoint(
        &self,
        request: Request<GetAuditCheckpointRequest>,
    ) -> Result<Response<AuditCheckpoint>, Status> {
        let name = "chancery.admin.v1.AuditCheckpointsService/GetAuditCheckpoint";
        let (call, asked) = self.receive(name, request).await?;
        let found = self.checkpoint(&call, &asked.name).await;
        self.answer(&call, found).await
    }

    async fn sign_audit_checkpoint(
        &self,
        request: Request<SignAuditCheckpointRequest>,
    ) -> Result<Response<AuditCheckpoint>, Status> {
        let name = "chancery.admin.v1.AuditCheckpointsService/SignAuditCheckpoint";
        let (call, _) = self.receive(name, request).await?;
        let found = self.signed(&call).await;
        self.answer(&call, found).await
    }

    async fn prove_audit_checkpoint(
        &self,
        request: Request<ProveAuditCheckpointRequest>,
    ) -> Result<Response<ProveAuditCheckpointResponse>, Status> {
        let name = "chancery.admin.v1.AuditCheckpointsService/ProveAuditCheckpoint";
        let (call, asked) = self.receive(name, request).await?;
        let found = self.proved(&call, &asked).await;
        self.answer(&call, found).await
    }
}

#[tonic::async_trait]
impl AuditKeysService for Admin {
    async fn list_audit_keys(
        &self,
        request: Request<ListAuditKeysRequest>,
    ) -> Result<Response<ListAuditKeysResponse>, Status> {
        let (call, _) = self.receive("chancery.admin.v1.AuditKeysService/ListAuditKeys", request).await?;
        let found = self.audit_keys(&call);
        self.answer(&call, found).await
    }
}

impl Admin {
    /// The same, which signs checkpoints of the audit log.
    pub fn signing(self, checkpoints: Checkpoints) -> Self {
        Self { checkpoints: Some(checkpoints), ..self }
    }

    fn signer(&self) -> Result<&Checkpoints, Refusal> {
        let none = || Refusal::new(ErrorCode::FailedPrecondition, "this control plane signs no checkpoints");
        self.checkpoints.as_ref().ok_or_else(none)
    }

    async fn leaves(
        &self,
        call: &Call,
        asked: &ListAuditLeavesRequest,
    ) -> Result<ListAuditLeavesResponse, Refusal> {
        demand(self, call)?;
        if !asked.prove && call.actor.scope().is_some_and(|scope| !scope.is_everything()) {
            let why = "is missing: who is narrowed to a part of the log can export a part of it, with proofs; give a filter";
            return Err(Refusal::field("prove", why));
        }
        let (size, filter) = (page::size(asked.page_size)?, Filter::of(&filter(asked))?);
        let tree = self.tree_size(asked).await?;
        let list = format!("{}#{tree}", filter.list(LEAVES));
        let sealer = self.publisher.vault().sealer();
        let after = page::place(sealer, &list, &asked.page_token)?;
        let mut after: i64 = after.and_then(|place| place.parse().ok()).unwrap_or_default();
        let (mut audit_leaves, mut looked, mut bytes) = (Vec::new(), 0, 0_usize);
        let mut telling = Telling::of(self.publisher.store());
        let is_full = |count: usize, bytes: usize| count == size || bytes >= FULL;
        while !is_full(audit_leaves.len(), bytes) && looked < MOST && after < tree {
            let rows = i64::try_from(size).unwrap_or(1).min(tree - after);
            for logged in self.publisher.store().events_after(after, rows).await? {
                (after, looked) = (logged.seq, looked + 1);
                let event = match logged.pruned_by {
                    Some(by) => telling.told(&logged, by).await?,
                    None => read(&logged)?,
                };
                // Whoever is given what was pruned is given what tells of it too.
                let tells = filter.is_of_time() && event.action == PRUNE_EVENTS;
                if (filter.fits(&event) || tells) && sees(call, &event) {
                    if logged.pruned_by.is_some_and(|by| by > tree) {
                        return Err(meanwhile());
                    }
                    bytes = bytes.saturating_add(logged.body.len());
                    audit_leaves.push(self.leaf(logged, asked.prove.then_some(tree)).await?);
                }
                if is_full(audit_leaves.len(), bytes) {
                    break;
                }
            }
        }
        let more = after < tree;
        let next_page_token =
            if more { page::token(sealer, &list, &after.to_string()) } else { String::new() };
        let places = audit_leaves.iter().map(|leaf: &AuditLeaf| leaf.sequence);
        call.hands_out(export::of(LEAVES, &words(asked), places));
        Ok(ListAuditLeavesResponse { audit_leaves, next_page_token })
    }

    /// How many leaves are asked for at most: those of a size, or all there are.
    async fn tree_size(&self, asked: &ListAuditLeavesRequest) -> Result<i64, Refusal> {
        let all = i64::try_from(self.publisher.store().audit_size().await?).unwrap_or(i64::MAX);
        match asked.tree_size {
            0 if asked.prove => Err(Refusal::field("treeSize", "is missing: a proof is of a size")),
            0 => Ok(all),
            size if (1..=all).contains(&size) => Ok(size),
            _ => Err(Refusal::field("treeSize", format!("is not 1 to {all}"))),
        }
    }

    async fn leaf(&self, logged: LoggedEvent, proved: Option<i64>) -> Result<AuditLeaf, Refusal> {
        let inclusion = match proved {
            Some(size) => {
                let (index, size) = (unsigned(logged.seq - 1), unsigned(size));
                self.publisher.store().inclusion(index, size).await?.unwrap_or_default()
            }
            None => Vec::new(),
        };
        Ok(AuditLeaf {
            sequence: logged.seq,
            body: BASE64_STANDARD.encode(logged.body),
            prev_hash: hex(&logged.prev_hash),
            hash: hex(&logged.hash),
            inclusion: inclusion.iter().map(|hash| hex(hash)).collect(),
            pruned_by: logged.pruned_by.unwrap_or_default(),
        })
    }

    async fn checkpoints(
        &self,
        call: &Call,
        asked: &ListAuditCheckpointsRequest,
    ) -> Result<ListAuditCheckpointsResponse, Refusal> {
        demand(self, call)?;
        let (size, sealer) = (page::size(asked.page_size)?, self.publisher.vault().sealer());
        let before =
            page::place(sealer, CHECKPOINTS, &asked.page_token)?.and_then(|place| place.parse().ok());
        let rows = i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX);
        let mut found = self.publisher.store().checkpoints(Page { before, size: rows }).await?;
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more);
        let next_page_token =
            last.map(|last| page::token(sealer, CHECKPOINTS, &last.size.to_string())).unwrap_or_default();
        let audit_checkpoints = found.iter().map(told).collect();
        Ok(ListAuditCheckpointsResponse { audit_checkpoints, next_page_token })
    }

    async fn checkpoint(&self, call: &Call, name: &str) -> Result<AuditCheckpoint, Refusal> {
        let size = numbered(name, CHECKPOINTS)?;
        demand(self, call)?;
        let found = self.publisher.store().checkpoint(size).await?;
        found.as_ref().map(told).ok_or_else(|| missing(name))
    }

    async fn signed(&self, call: &Call) -> Result<AuditCheckpoint, Refusal> {
        demand(self, call)?;
        match self.signer()?.now().await {
            Ok(Some(signed)) => Ok(told(&signed)),
            Ok(None) => Err(Refusal::new(ErrorCode::NotFound, "the log is empty")),
            Err(error) => Err(refused(error)),
        }
    }

    async fn proved(
        &self,
        call: &Call,
        asked: &ProveAuditCheckpointRequest,
    ) -> Result<ProveAuditCheckpointResponse, Refusal> {
        let size = numbered(&asked.name, CHECKPOINTS)?;
        demand(self, call)?;
        let store = self.publisher.store();
        store.checkpoint(size).await?.ok_or_else(|| missing(&asked.name))?;
        if !(1..=size).contains(&asked.from_size) {
            return Err(Refusal::field("fromSize", format!("is not 1 to {size}")));
        }
        let proof = store.consistency(unsigned(asked.from_size), unsigned(size)).await?;
        let consistency = proof.unwrap_or_default().iter().map(|hash| hex(hash)).collect();
        Ok(ProveAuditCheckpointResponse { consistency })
    }

    fn audit_keys(&self, call: &Call) -> Result<ListAuditKeysResponse, Refusal> {
        demand(self, call)?;
        let audit_keys = self.signer()?.keys().map(|(generation, key)| AuditKey {
            name: format!("auditKeys/{generation}"),
            verifier_key: key.to_string(),
        });
        Ok(ListAuditKeysResponse { audit_keys: audit_keys.collect() })
    }
}

/// What is asked for, as a query has it.
fn words(asked: &ListAuditLeavesRequest) -> Vec<(&'static str, String)> {
    let time = |time: &Option<prost_types::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    vec![
        ("actor", asked.actor.clone()),
        ("resource", asked.resource.clone()),
        ("action", asked.action.clone()),
        ("outcome", asked.outcome.clone()),
        ("since", time(&asked.since)),
        ("until", time(&asked.until)),
        ("treeSize", if asked.tree_size > 0 { asked.tree_size.to_string() } else { String::new() }),
    ]
}

fn filter(asked: &ListAuditLeavesRequest) -> proto::admin::ListAuditEventsRequest {
    proto::admin::ListAuditEventsRequest {
        page_size: 0,
        page_token: String::new(),
        actor: asked.actor.clone(),
        resource: asked.resource.clone(),
        action: asked.action.clone(),
        outcome: asked.outcome.clone(),
        since: asked.since,
        until: asked.until,
    }
}

fn told(row: &CheckpointRow) -> AuditCheckpoint {
    AuditCheckpoint {
        name: format!("{CHECKPOINTS}/{}", row.size),
        size: row.size,
        root_hash: hex(&row.root),
        note: row.note.clone(),
        create_time: Some(crate::clock::timestamp(row.created_at)),
    }
}

fn refused(error: NotSigned) -> Refusal {
    match error {
        NotSigned::Store(error) => error.into(),
        NotSigned::Inconsistent { .. } | NotSigned::Unlawful { .. } => {
            tracing::error!(%error, "no checkpoint of the audit log is signed");
            Refusal::new(ErrorCode::AuditInconsistent, error.to_string())
        }
        NotSigned::Seal(_) | NotSigned::Named(_) => Refusal::new(ErrorCode::Internal, error.to_string()),
    }
}

/// The refusal of leaves of a size that the log had before some of them were pruned: what tells of it is not among them.
fn meanwhile() -> Refusal {
    let why = "events of this part of the log were pruned since by one that came after it: ask for a larger treeSize, such as \
               that of a new checkpoint";
    Refusal::new(ErrorCode::FailedPrecondition, why)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
