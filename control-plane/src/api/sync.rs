//! The sync stream: brings each node the policy of its scope, and hears what became of it.
//!
//! Law: who and where a node is comes from its certificate alone. At most one snapshot is unanswered per node, and the
//! latest one wins: a slow node skips revisions, it never holds up another. What a node refused is not sent to it again on
//! the same stream.
//! Absent on purpose: what a policy says, and rollout.

mod ahead;
mod encoded;
mod line;
mod peer;
mod retention;
mod saying;
mod secrets;
mod segments;
mod session;
mod statements;
mod streams;
mod turns;
mod witnesses;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use policy_engine::vocabulary::Geo;
use proto::code::ErrorCode;
use proto::status::{REFUSED, REVOKED};
use proto::sync::sync_server::{Sync as SyncRpc, SyncServer};
use proto::sync::{ControlMessage, NodeMessage};
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::act::Via;
use crate::admission::Refused;
use crate::anchors::Anchors;
use crate::checkpoints::Checkpoints;
use crate::nodes::{self, NodeRegistry};
use crate::publish::{Act, Publisher};
use crate::retention::Retentions;
use crate::signer::Signers;

pub(in crate::api) use line::held;
pub(super) use peer::admitted;
pub use peer::{NodeId, PeerError, node_of};

use line::{Line, Origin, Which};
use statements::Told;
use streams::Streams;
use turns::Turns;
use witnesses::Witnesses;

/// How long a node that was revoked may take to hear it.
const LAST_WORD: Duration = Duration::from_secs(5);

/// The service behind the sync port.
#[derive(Debug, Clone)]
pub struct SyncService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    origin: Origin,
    nodes: NodeRegistry,
    heartbeat: Duration,
    streams: Streams,
    turns: Turns,
    /// Where segments of the decision log are told; `None`: nowhere.
    anchors: Option<Anchors>,
    /// One of each geo, made when its first node comes.
    lines: Mutex<HashMap<Geo, Lines>>,
    /// Who knows what is held and what is over; `None`: nobody, and nothing goes.
    retentions: Option<Retentions>,
    /// `None`: no checkpoints are signed, and no node is a witness.
    witnesses: Option<Witnesses>,
    stop: CancellationToken,
}

/// What nodes of a geo follow.
#[derive(Debug, Clone)]
struct Lines {
    head: watch::Receiver<Option<Arc<Line>>>,
    stable: watch::Receiver<Option<Arc<Line>>>,
    statements: watch::Receiver<Told>,
}

impl SyncService {
    /// A service that follows a publisher until `stop`, and signs what it sends.
    pub fn new(
        (publisher, signers): (Publisher, Signers),
        nodes: NodeRegistry,
        heartbeat: Duration,
        stop: CancellationToken,
    ) -> Self {
        let origin = Origin { publisher, signers };
        let (streams, turns, lines) = (Streams::default(), Turns::default(), Mutex::default());
        let (anchors, retentions, witnesses) = (None, None, None);
        let shared =
            Shared { origin, nodes, heartbeat, streams, turns, anchors, lines, retentions, witnesses, stop };
        Self { shared: Arc::new(shared) }
    }

    /// The same, which tells of segments of the decision log; before it is served.
    pub fn anchoring(mut self, anchors: Anchors) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.anchors = Some(anchors);
        }
        self
    }

    /// The same, whose nodes heed holds and remove what is over; before it is served.
    pub fn retaining(mut self, retentions: Retentions) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.retentions = Some(retentions);
        }
        self
    }

    /// The same, whose nodes are witnesses of the audit log that is signed for. To be said before it serves.
    pub fn witnessed(mut self, checkpoints: Checkpoints) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.witnesses = Some(Witnesses::new(checkpoints));
        }
        self
    }

    /// As a server has it: no message is read that is larger than an honest node's.
    pub fn served(self) -> SyncServer<Self> {
        SyncServer::new(self).max_decoding_message_size(nodes::said::bounds::MESSAGE_BYTES)
    }
}

impl Shared {
    /// What nodes of a geo follow.
    fn lines(&self, geo: &Geo) -> Lines {
        let mut all = self.lines.lock();
        if let Some(lines) = all.get(geo) {
            return lines.clone();
        }
        let follow = |which| line::follow(self.origin.clone(), (geo.clone(), which), self.stop.clone());
        let (head, stable) = (follow(Which::Head), follow(Which::Stable));
        let (origin, stop) = (self.origin.clone(), self.stop.clone());
        let statements = statements::follow(origin, geo.clone(), (head.clone(), stable.clone()), stop);
        let lines = Lines { head, stable, statements };
        all.insert(geo.clone(), lines.clone());
        lines
    }

    /// Refuses, and logs, a peer whose certificate is of our authority and of no node, or of one that was revoked. One without
    /// a certificate leaves nothing: that costs nobody anything.
    async fn stranger(&self, error: &PeerError, from: Option<SocketAddr>) -> Status {
        if *error == PeerError::Missing {
            return Status::permission_denied(error.to_string());
        }
        tracing::warn!(%error, "a peer on the sync port is no node");
        let (actor, via) = ("unknown".to_owned(), Via::sync(from, "none"));
        let act = Act { actor, via, ..Act::of_system("chancery.sync.v1.Sync/Sync") };
        if let Err(error) =
            self.origin.publisher.log_refusal(&act, ErrorCode::PermissionDenied.as_str()).await
        {
            tracing::error!(%error, "a refusal could not be logged");
        }
        match error {
            PeerError::Refused { why: Refused::Revoked, .. } => revoked(error.to_string()),
            error => Status::permission_denied(error.to_string()),
        }
    }
}

/// Refuses a node that was revoked, in words for people and one for the node.
fn revoked(line: String) -> Status {
    let mut status = Status::permission_denied(line);
    status.metadata_mut().insert(REFUSED, MetadataValue::from_static(REVOKED));
    status
}

/// Tells a node that was revoked, whatever it was being told before.
async fn closed(node: &NodeId, say: &mpsc::Sender<Result<ControlMessage, Status>>) {
    tracing::warn!(geo = %node.geo, node = %node.name, "a node was revoked: its stream is closed");
    let refused = revoked(Refused::Revoked.to_string());
    // One that reads nothing is not waited for: the stream ends with the channel.
    let _ = tokio::time::timeout(LAST_WORD, say.send(Err(refused))).await;
}

/// Tells a node that it has opened too many newer streams. One that reads nothing is not waited for.
fn crowded_out(node: &NodeId, say: &mpsc::Sender<Result<ControlMessage, Status>>) {
    tracing::debug!(geo = %node.geo, node = %node.name, "a node has too many streams: its oldest is closed");
    let _ = say.try_send(Err(Status::resource_exhausted("the node has opened too many newer streams")));
}

#[tonic::async_trait]
impl SyncRpc for SyncService {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<ControlMessage, Status>> + Send>>;

    async fn sync(
        &self,
        request: Request<Streaming<NodeMessage>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let admitted = admitted(&request, self.shared.nodes.admission());
        let (node, revoked) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return Err(self.shared.stranger(&error, request.remote_addr()).await),
        };
        let (say, sayings) = mpsc::channel(8);
        let (shared, last, place) = (self.shared.clone(), say.clone(), self.shared.streams.open(&node));
        let shown = (node.clone(), peer::shown_until(&request));
        let said = request.into_inner();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = revoked.cancelled() => closed(&node, &last).await,
                () = place.crowded_out.cancelled() => crowded_out(&node, &last),
                // Made here, not before: what is kept first and moved then has its room twice.
                () = session::run(shared, shown, said, say) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(sayings))))
    }
}

#[cfg(test)]
mod tests;
