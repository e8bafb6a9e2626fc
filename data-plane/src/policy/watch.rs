//! The stream from the control plane: kept open, followed, and taken up again with full-jitter back-off.
//!
//! Law: whatever happens here, what is enforced goes on being enforced. A refused snapshot is answered by a Nack with a
//! reason its author can read, and never tried again by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::Geo;
use prost::Message;
use proto::sync::control_message::Message as Said;
use proto::sync::node_message::Message as Saying;
use proto::sync::sync_client::SyncClient;
use proto::sync::{
    Ack, Heartbeat, Hello, Nack, NodeMessage, Secrets as Sealed, SnapshotEnd, Status as NodeStatus,
};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::assemble::Assembly;
use super::identity::NodeKey;
use super::last_known_good::{Kept, LastKnownGood};
use super::outage::{Outage, chain};
use super::secrets::Secrets;
use super::state::{PolicyState, Version};
use super::verify::{Refusal, SCHEMA, Verified, verify};
use crate::tls::Way;

/// The first and the longest pause before another attempt; each is drawn between zero and the current ceiling.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(15);

/// A stream that lived this long was healthy: the next pause begins at the shortest again.
const HEALTHY: Duration = Duration::from_secs(60);

/// What makes a verified snapshot the one in force.
pub(crate) trait Install: Send + Sync + 'static {
    /// Builds everything a request needs and swaps it in; an error leaves the old in force. May block: it is called off the
    /// request path.
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Secrets,
    ) -> Result<(), String>;

    /// Requests in flight, for the node's status.
    fn inflight(&self) -> u64;
}

/// Where the control plane is, and who this node is.
pub(crate) struct Control {
    /// The sync port, with the node's TLS identity; asked for anew for each stream.
    pub(crate) way: Arc<Way>,
    /// The geo, as the node's certificate has it.
    pub(crate) geo: Geo,
    /// The SPIFFE id of the node's certificate.
    pub(crate) spiffe_id: String,
    /// A new one with each start.
    pub(crate) boot_id: String,
    /// What opens sealed secrets.
    pub(crate) key: NodeKey,
    /// Where policies are kept.
    pub(crate) kept: LastKnownGood,
}

#[derive(Debug, Error)]
enum Ended {
    #[error("the control plane can't be reached")]
    Connect(#[from] tonic::transport::Error),
    #[error("the control plane ended the stream")]
    Refused(#[from] tonic::Status),
    #[error("nothing was heard for three heartbeats")]
    Silence,
    #[error("the control plane closed the stream")]
    Closed,
}

/// Restores what is on disk; what is given back follows the control plane.
pub(crate) async fn restore<N: Install>(
    control: Control,
    node: Arc<N>,
    state: Arc<PolicyState>,
) -> Follower<N> {
    let mut follower = Follower::new(control, node, state);
    follower.restore().await;
    follower
}

/// How long the pauses between attempts may be: twice as long each time, until a stream was healthy.
struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(BACK_OFF.0)
    }
}

impl BackOff {
    /// The longest the next pause may be, after an attempt or a stream of this length.
    fn ceiling_after(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.0 = BACK_OFF.0;
        }
        let ceiling = self.0;
        self.0 = ceiling.saturating_mul(2).min(BACK_OFF.1);
        ceiling
    }
}

/// A length drawn evenly between zero and `ceiling`; all of it where there is no randomness.
fn jitter(ceiling: Duration) -> Duration {
    let mut random = [0_u8; 4];
    match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => ceiling.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX)),
        Err(_) => ceiling,
    }
}

/// Who follows the control plane.
pub(crate) struct Follower<N> {
    control: Arc<Control>,
    node: Arc<N>,
    state: Arc<PolicyState>,
    secrets: Arc<Secrets>,
    sealed: Option<Sealed>,
    running: Option<Arc<CompiledSnapshot>>,
    outage: Outage,
}

impl<N: Install> Follower<N> {
    fn new(control: Control, node: Arc<N>, state: Arc<PolicyState>) -> Self {
        let control = Arc::new(control);
        Self {
            control,
            node,
            state,
            secrets: Arc::default(),
            sealed: None,
            running: None,
            outage: Outage::default(),
        }
    }

    /// Follows the control plane until `stop`.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let mut back_off = BackOff::default();
        while !stop.is_cancelled() {
            let began = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.session() => ended,
            };
            self.state.set_connected(false);
            let Err(reason) = ended else { return };
            self.tell(&reason);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(jitter(back_off.ceiling_after(began.elapsed()))) => {}
            }
        }
    }

    /// Enforces the newest kept policy that verifies.
    async fn restore(&mut self) {
        for kept in self.control.kept.load() {
            if !kept.secrets.is_empty() {
                match Sealed::decode(kept.secrets.clone()) {
                    Ok(sealed) => drop(self.open(sealed)),
                    Err(error) => tracing::error!(%error, "kept secrets do not decode"),
                }
            }
            match self.apply(kept.envelope, kept.contents).await {
                Ok(version) => {
                    tracing::info!(revision = version.revision, "policy restored from disk");
                    return;
                }
                Err(refusal) => {
                    tracing::error!(code = ?refusal.code, detail = refusal.detail, "a kept policy is not used")
                }
            }
        }
    }

    /// Why there is no stream, where that is news.
    fn tell(&mut self, reason: &Ended) {
        if let Some(told) = self.outage.again(Instant::now()) {
            tracing::warn!(
                reason = chain(reason),
                url = self.control.way.url(),
                attempts = told.attempts,
                away_seconds = told.away.as_secs(),
                "no stream to the control plane; policy stays as it is"
            );
        }
    }

    /// One stream, from Hello to its end; `Ok` is never returned.
    async fn session(&mut self) -> Result<(), Ended> {
        let channel: Channel = self.control.way.endpoint().connect().await?;
        let (say, sayings) = mpsc::channel(16);
        let hello = self.hello();
        let _ = say.send(message(Saying::Hello(hello))).await;
        let mut client = SyncClient::new(channel);
        let opening = client.sync(ReceiverStream::new(sayings));
        let mut stream =
            tokio::time::timeout(OPENING, opening).await.map_err(|_| Ended::Silence)??.into_inner();
        let (mut assembly, mut silence) = (None, OPENING);
        loop {
            let said = match tokio::time::timeout(silence, stream.message()).await {
                Err(_) => return Err(Ended::Silence),
                Ok(said) => said?.ok_or(Ended::Closed)?,
            };
            match said.message {
                Some(Said::Welcome(welcome)) => {
                    silence = Duration::from_millis(
                        u64::from(welcome.heartbeat_interval_ms.clamp(100, 60_000)) * 3,
                    );
                    self.state.set_connected(true);
                    self.outage.over();
                    tracing::info!(
                        session = welcome.session,
                        url = self.control.way.url(),
                        "following the control plane"
                    );
                }
                Some(Said::Heartbeat(heartbeat)) => self.heard(&heartbeat, &say),
                Some(Said::Secrets(sealed)) => self.renew(sealed).await,
                Some(Said::SnapshotBegin(begin)) => {
                    let nonce = begin.nonce;
                    assembly = match Assembly::begin(begin) {
                        Ok(assembly) => Some(assembly),
                        Err(refusal) => {
                            self.answer(&say, self.nack(nonce, 0, refusal)).await;
                            None
                        }
                    };
                }
                Some(Said::Chunk(chunk)) => {
                    if let Some(Err(refusal)) = assembly.as_mut().map(|a| a.add(&chunk)) {
                        let nonce = assembly.take().map_or(0, |a| a.nonce);
                        self.answer(&say, self.nack(nonce, 0, refusal)).await;
                    }
                }
                Some(Said::SnapshotEnd(end)) => {
                    if let Some(assembly) = assembly.take() {
                        let answer = self.complete(assembly, &end).await;
                        self.answer(&say, answer).await;
                    }
                }
                Some(Said::Revocations(_) | Said::Kills(_) | Said::Drain(_) | Said::Reconnect(_)) | None => {
                    tracing::warn!("the control plane said something this build does not know");
                }
            }
        }
    }

    async fn answer(&self, say: &mpsc::Sender<NodeMessage>, answer: Saying) {
        // A closed channel means the stream ended; its next message will say so.
        let _ = say.send(message(answer)).await;
    }

    fn hello(&self) -> Hello {
        Hello {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.control.boot_id.clone(),
            schema: SCHEMA,
            hpke_public_key: self.control.key.public().to_vec(),
            applied: self.state.applied().map(|v| v.to_wire()),
            ..Hello::default()
        }
    }

    fn heard(&self, heartbeat: &Heartbeat, say: &mpsc::Sender<NodeMessage>) {
        let age = self.state.confirmed_age().unwrap_or_default();
        let theirs = heartbeat.server_time.as_ref().and_then(proto::convert::instant);
        let ours = jiff::Timestamp::now().as_microsecond();
        self.state.heard(theirs.map_or(0, |t| (ours - t.0) / 1000));
        let status = NodeStatus {
            applied: self.state.applied().map(|v| v.to_wire()),
            confirmed_age_ms: (age * 1000.0) as u64,
            inflight: self.node.inflight(),
            clock_offset_ms: self.state.clock_offset_ms(),
            ..NodeStatus::default()
        };
        // Lossy on purpose: a status report must never hold back a snapshot.
        let _ = say.try_send(message(Saying::Status(status)));
    }

    /// Takes secrets over; tells whether they are others than before.
    fn open(&mut self, sealed: Sealed) -> bool {
        match Secrets::open(&sealed, &self.control.key, &self.control.spiffe_id) {
            Ok(secrets) if self.sealed.is_some() && secrets.are(&self.secrets) => false,
            Ok(secrets) => {
                self.secrets = Arc::new(secrets);
                self.sealed = Some(sealed);
                true
            }
            Err(error) => {
                tracing::error!(%error, "secrets were not taken over");
                false
            }
        }
    }

    /// New secrets take effect at once, with the snapshot that is in force, and are kept beside it.
    async fn renew(&mut self, sealed: Sealed) {
        if !self.open(sealed) {
            return;
        }
        let (Some(snapshot), Some(version)) = (self.running.clone(), self.state.applied()) else { return };
        let (node, secrets, sealed) = (self.node.clone(), self.secrets.clone(), self.sealed_bytes());
        let kept_policies = self.control.kept.clone();
        let work = move || {
            node.install(snapshot, &version, &secrets)?;
            kept_policies.renew(sealed).map_err(|error| format!("they are in force but not kept: {error}"))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => tracing::info!("new secrets are in force"),
            Ok(Err(error)) => tracing::error!(error, "new secrets were not taken over"),
            Err(error) => tracing::error!(%error, "new secrets were not taken over"),
        }
    }

    fn sealed_bytes(&self) -> bytes::Bytes {
        self.sealed.as_ref().map(|sealed| sealed.encode_to_vec()).unwrap_or_default().into()
    }

    async fn complete(&mut self, assembly: Assembly, end: &SnapshotEnd) -> Saying {
        let began = Instant::now();
        let nonce = assembly.nonce;
        if let Err(refusal) = assembly.end(end) {
            return self.nack(nonce, 0, refusal);
        }
        let (_, envelope, contents) = assembly.into_parts();
        match self.apply(envelope.clone(), contents.clone()).await {
            Ok(version) => {
                let apply_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                let persisted = self.persist(envelope, contents).await;
                tracing::info!(revision = version.revision, apply_us, persisted, "policy enforced");
                Saying::Ack(Ack { nonce, applied: Some(version.to_wire()), apply_us, persisted })
            }
            Err(refusal) => {
                let revision = proto::sync::Envelope::decode(envelope).map_or(0, |e| e.revision);
                self.nack(nonce, revision, refusal)
            }
        }
    }

    /// Verifies, compiles, builds and swaps, off the threads that serve requests.
    async fn apply(&mut self, envelope: bytes::Bytes, contents: bytes::Bytes) -> Result<Version, Refusal> {
        let (geo, running) = (self.control.geo.clone(), self.state.applied());
        let (node, secrets) = (self.node.clone(), self.secrets.clone());
        let work = move || {
            let Verified { version, snapshot, scope_keys } =
                verify(&envelope, &contents, &geo, running.as_deref())?;
            if let Some(missing) = scope_keys.iter().find(|id| !secrets.scope_keys.contains_key(*id)) {
                // Without it every API key would look wrong: better no policy, or the old one, than that.
                let detail =
                    format!("the scope key `{missing}` of its API keys is not among this node's secrets");
                return Err(Refusal::of(proto::sync::NackCode::ResourceMissing, detail));
            }
            let snapshot = Arc::new(snapshot);
            node.install(snapshot.clone(), &version, &secrets)
                .map_err(|error| Refusal::of(proto::sync::NackCode::Validation, error))?;
            Ok((version, snapshot))
        };
        let panicked =
            |_| Refusal::of(proto::sync::NackCode::Validation, "building it failed in a way that is a bug");
        let (version, snapshot) = tokio::task::spawn_blocking(work).await.map_err(panicked)??;
        self.running = Some(snapshot);
        self.state.set_applied(version.clone());
        Ok(version)
    }

    async fn persist(&self, envelope: bytes::Bytes, contents: bytes::Bytes) -> bool {
        let kept_policies = self.control.kept.clone();
        let kept = Kept { envelope, contents, secrets: self.sealed_bytes() };
        let done = tokio::task::spawn_blocking(move || kept_policies.keep(&kept)).await;
        match done {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the policy is enforced but not kept on disk");
                false
            }
            Err(_) => false,
        }
    }

    fn nack(&self, nonce: u64, revision: i64, refusal: Refusal) -> Saying {
        tracing::error!(code = ?refusal.code, resource = refusal.resource, detail = refusal.detail, "a snapshot is refused");
        Saying::Nack(Nack {
            nonce,
            revision,
            code: refusal.code.into(),
            resource: refusal.resource,
            detail: refusal.detail,
            running: self.state.applied().map(|v| v.to_wire()),
        })
    }
}

fn message(saying: Saying) -> NodeMessage {
    NodeMessage { message: Some(saying) }
}

#[cfg(test)]
mod tests;
