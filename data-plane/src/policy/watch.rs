//! The stream from the control plane: kept open, followed, and taken up again with full-jitter back-off.
//!
//! Law: whatever happens here, what is enforced goes on being enforced. A refused snapshot is answered by a Nack with a
//! reason its author can read, and never tried again by itself.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::manifest::SCHEMA;
use proto::status::{REFUSED, REVOKED};
use proto::sync::control_message::Message as Said;
use proto::sync::node_message::Message as Saying;
use proto::sync::sync_client::SyncClient;
use proto::sync::{
    Ack, AuditCheckpoint, Heartbeat, Hello, Nack, NodeMessage, SnapshotEnd, Status as NodeStatus,
};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::assemble::Assembly;
use super::back_off::{BackOff, FAR, Met, jitter};
use super::hearing::{Heard, Teller, WAITING};
use super::holder::{Holder, Place};
use super::install::Install;
use super::outage::{Outage, broke, chain};
use super::state::{PolicyState, Version};
use super::verify::Refusal;
use crate::simulate::{IN_FORCE, SIMULATE};
use crate::survey::{SURVEY, Surveys};
use crate::tls::Way;

/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(15);

/// Where the control plane is, and who this node is.
pub(crate) struct Control {
    /// The sync port, with the node's TLS identity; asked for anew for each stream.
    pub(crate) way: Arc<Way>,
    /// A new one with each start.
    pub(crate) boot_id: String,
    /// What the node holds on to.
    pub(crate) place: Place,
}

/// The least time between two reports of statements that were taken over: one that is like a storm must not end the stream.
const BETWEEN: Duration = Duration::from_millis(50);

/// The capability of taking changes in place of whole snapshots.
const DELTA: &str = "delta";

/// The control plane's capability of anchoring segments of the decision log.
const SEGMENTS: &str = "segments";
/// The capability of holding the control plane to its audit log.
const WITNESS: &str = "witness";
/// The capability of heeding holds and of removing lines that are to go.
const RETENTION: &str = "retention";

#[derive(Debug, Error)]
enum Ended {
    #[error("the control plane can't be reached")]
    Connect(#[from] tonic::transport::Error),
    #[error("{}", if broke(.0) { "the connection broke" } else { "the control plane ended the stream" })]
    Refused(#[from] tonic::Status),
    #[error("nothing was heard for three heartbeats")]
    Silence,
    #[error("the control plane closed the stream")]
    Closed,
    #[error("what was refused before is asked for once more")]
    Again,
    #[error("the control plane goes away and is looked for again within {0:?}")]
    Asked(Duration),
}

impl Ended {
    /// Whether it is the control plane's word, over TLS on which it showed who it is, that this node was revoked.
    fn is_revocation(&self) -> bool {
        let Self::Refused(status) = self else { return false };
        let word = status.metadata().get(REFUSED).and_then(|word| word.to_str().ok());
        status.code() == tonic::Code::PermissionDenied && word == Some(REVOKED)
    }
}

/// Restores what is on disk; what is given back follows the control plane.
pub(crate) async fn restore<N: Install>(
    control: Control,
    node: Arc<N>,
    state: Arc<PolicyState>,
) -> Follower<N> {
    let mut follower = Follower::new(control, node, state);
    follower.holder.restore().await;
    follower.state.set_log(follower.holder.place().log.standing());
    follower
}

/// Who follows the control plane.
pub(crate) struct Follower<N> {
    way: Arc<Way>,
    boot_id: String,
    holder: Holder<N>,
    state: Arc<PolicyState>,
    outage: Outage,
    /// Whether whoever is followed anchors segments.
    anchors: watch::Sender<bool>,
}

impl<N: Install> Follower<N> {
    fn new(control: Control, node: Arc<N>, state: Arc<PolicyState>) -> Self {
        let Control { way, boot_id, place } = control;
        let holder = Holder::new(place, node, state.clone());
        let anchors = watch::Sender::new(false);
        Self { way, boot_id, holder, state, outage: Outage::default(), anchors }
    }

    /// Follows the control plane until `stop`.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let mut back_off = BackOff::default();
        while !stop.is_cancelled() {
            let began = Instant::now();
            let ended = stop.run_until_cancelled(self.session()).await;
            self.state.set_connected(false);
            self.holder.node().retained().forget();
            let Some(Err(reason)) = ended else { break };
            self.tell(&reason);
            self.holder.lives();
            let _asked_for_by_the_next_stream = self.holder.tries_again().await;
            self.holder.save().await;
            let ceiling = back_off.ceiling_after(Met::by(&reason), began.elapsed());
            let pause = jitter(if let Ended::Asked(within) = reason { ceiling.max(within) } else { ceiling });
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        self.holder.save().await;
        self.holder.ends();
    }

    /// Why there is no stream, where that is news.
    fn tell(&mut self, reason: &Ended) {
        if reason.is_revocation() && self.state.set_revoked() {
            tracing::error!(
                url = self.way.url(),
                "this node was revoked: it is not ready, and what it has serves until it is too old; stop it, or enrol it anew"
            );
        }
        if let Some(told) = self.outage.again(Instant::now().into_std()) {
            tracing::warn!(
                reason = chain(reason),
                url = self.way.url(),
                attempts = told.attempts,
                away_seconds = told.away.as_secs(),
                "no stream to the control plane; policy stays as it is"
            );
        }
    }

    /// One stream, from Hello to its end; `Ok` is never returned.
    async fn session(&mut self) -> Result<(), Ended> {
        self.holder.place().log.begins();
        let channel = self.way.connect().await?;
        self.anchors.send_replace(false);
        let (say, sayings) = mpsc::channel(16);
        let hello = self.hello();
        let _ = say.send(message(Saying::Hello(hello))).await;
        let mut client = SyncClient::new(channel);
        let opening = client.sync(ReceiverStream::new(sayings));
        let stream = tokio::time::timeout(OPENING, opening).await.map_err(|_| Ended::Silence)??.into_inner();
        let (pass, heard) = mpsc::channel(WAITING);
        let (place, node) = self.holder.shared();
        let (drained, told) = (node.clone(), say.clone());
        let taken = Arc::new(Notify::new());
        let desk = node.simulator().desk(say.clone());
        let surveys = Surveys::to(say.clone());
        let teller = Teller { place, node, taken: taken.clone(), desk, surveys };
        let (told, state) = (&told, self.state.clone());
        let confirming = confirm(&taken, told, || status(drained.as_ref(), &state));
        let reporting = drained.drains().report(|done| async move {
            // A closed channel means the stream ended; on the next one it is said again.
            let _ = told.send(message(Saying::DrainDone(done))).await;
        });
        let anchoring = drained.shelf().report(self.anchors.subscribe(), |segments| async move {
            let _ = told.send(message(Saying::Segments(segments))).await;
        });
        let pruning = drained.retained().report(|gone| async move {
            let _ = told.send(message(Saying::SegmentsPruned(gone))).await;
        });
        let reading = async {
            teller.read(stream, pass).await;
            // What was passed on is still to be heard.
            std::future::pending().await
        };
        // Both at once, in this one task: a statement holds while a snapshot is still taken over.
        tokio::select! {
            ended = self.listen(heard, say) => ended,
            never = reading => never,
            never = confirming => never,
            () = reporting => Err(Ended::Closed),
            () = anchoring => Err(Ended::Closed),
            () = pruning => Err(Ended::Closed),
        }
    }

    /// Everything but statements, in its turn; `Ok` is never returned.
    async fn listen(
        &mut self,
        mut heard: mpsc::Receiver<Heard>,
        say: mpsc::Sender<NodeMessage>,
    ) -> Result<(), Ended> {
        let (mut assembly, mut silence) = (None, OPENING);
        loop {
            let said = match tokio::time::timeout(silence, heard.recv()).await {
                Err(_) => return Err(Ended::Silence),
                Ok(said) => said.ok_or(Ended::Closed)??.ok_or(Ended::Closed)?,
            };
            match said.message {
                Some(Said::Welcome(welcome)) => {
                    silence = Duration::from_millis(
                        u64::from(welcome.heartbeat_interval_ms.clamp(100, 60_000)) * 3,
                    );
                    self.state.set_connected(true);
                    self.anchors.send_replace(welcome.capabilities.iter().any(|word| word == SEGMENTS));
                    self.outage.over();
                    tracing::info!(
                        session = welcome.session,
                        url = self.way.url(),
                        "following the control plane"
                    );
                }
                Some(Said::Heartbeat(heartbeat)) => {
                    self.heard(&heartbeat, &say);
                    self.holder.save().await;
                    if self.holder.tries_again().await {
                        return Err(Ended::Again);
                    }
                }
                Some(Said::Secrets(sealed)) => self.holder.renew(sealed).await,
                Some(Said::AuditCheckpoint(shown)) => self.shown(shown, &say).await,
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
                Some(Said::Reconnect(reconnect)) => {
                    return Err(Ended::Asked(Duration::from_millis(reconnect.within_ms).min(FAR)));
                }
                // The others were taken over before they came here.
                Some(_) | None => {
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
        let [revocation_epoch, kill_epoch] = self.holder.node().overlay().epochs();
        Hello {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            schema: SCHEMA,
            hpke_public_key: self.holder.place().key.public().to_vec(),
            applied: self.state.applied().map(|v| v.to_wire()),
            capabilities: [DELTA, WITNESS, RETENTION, SIMULATE, IN_FORCE, SURVEY].map(str::to_owned).into(),
            revocation_seq: self.holder.node().overlay().revocation_seq(),
            kill_seq: self.holder.node().overlay().kill_seq(),
            revocation_epoch,
            kill_epoch,
            drain: self.holder.node().drains().id(),
            audit_log_size: self.holder.place().log.standing().size,
            ..Hello::default()
        }
    }

    fn heard(&mut self, heartbeat: &Heartbeat, say: &mpsc::Sender<NodeMessage>) {
        let age = self.state.confirmed_age();
        let theirs = heartbeat.server_time.as_ref().and_then(proto::convert::instant);
        let overlay = self.holder.node().overlay();
        overlay.heard(heartbeat.revocation_seq, heartbeat.kill_seq);
        // Of a control plane that has nothing for this scope yet it proves that it is there, and nothing of the policy in force.
        if heartbeat.head_revision > 0 || self.state.applied().is_none() {
            self.state.heard(theirs, overlay.knows_revoked(heartbeat.epoch, heartbeat.revocation_seq));
        }
        let status =
            NodeStatus { confirmed_age_ms: in_milliseconds(age), ..status(self.holder.node(), &self.state) };
        // Lossy on purpose: a status report must never hold back a snapshot.
        let _ = say.try_send(message(Saying::Status(status)));
        self.holder.lives();
    }

    /// What it is shown of the audit log is held to what it has seen.
    async fn shown(&self, shown: AuditCheckpoint, say: &mpsc::Sender<NodeMessage>) {
        let epoch = self.state.applied().map_or(0, |applied| applied.epoch);
        let (place, _) = self.holder.shared();
        let heard = tokio::task::spawn_blocking(move || {
            let witnessed = place.log.hears(&shown, epoch);
            place.enforced.saw(place.log.place());
            witnessed
        });
        match heard.await {
            Ok(witnessed) => {
                self.state.set_log(self.holder.place().log.standing());
                self.answer(say, Saying::Witnessed(witnessed)).await;
            }
            Err(error) => tracing::error!(%error, "what is shown of the audit log was not looked at"),
        }
    }

    async fn complete(&mut self, assembly: Assembly, end: &SnapshotEnd) -> Saying {
        let began = Instant::now();
        let nonce = assembly.nonce;
        if let Err(refusal) = assembly.end(end) {
            return self.nack(nonce, 0, refusal);
        }
        let offer = assembly.into_offer();
        let taken = match self.holder.admits(&offer) {
            Ok(()) => self.holder.apply(&offer).await,
            Err(refusal) => Err(refusal),
        };
        match taken {
            Ok(version) => {
                self.enters(version).await;
                let apply_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.state.set_took(apply_us);
                let persisted = self.holder.persist(offer).await;
                self.state.set_persisted(persisted);
                tracing::info!(revision = version.revision, apply_us, persisted, "policy enforced");
                Saying::Ack(Ack { nonce, applied: Some(version.to_wire()), apply_us, persisted })
            }
            Err(refusal) => {
                self.state.set_log(self.holder.place().log.standing());
                let revision = proto::sync::Envelope::decode(offer.envelope).map_or(0, |e| e.revision);
                self.nack(nonce, revision, refusal)
            }
        }
    }

    /// What is in force says which audit log is believed.
    async fn enters(&self, version: Version) {
        let (place, _) = self.holder.shared();
        let entered = tokio::task::spawn_blocking(move || {
            place.log.enters(&version);
            place.enforced.saw(place.log.place());
        });
        if let Err(error) = entered.await {
            tracing::error!(%error, "what the audit log is held to is not on disk");
        }
        self.state.set_log(self.holder.place().log.standing());
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

/// Says how the node is as soon as it took statements over, so that whoever waits for them need not wait for a heartbeat.
async fn confirm(
    taken: &Notify,
    say: &mpsc::Sender<NodeMessage>,
    status: impl Fn() -> NodeStatus,
) -> Result<(), Ended> {
    loop {
        taken.notified().await;
        let _the_next_heartbeat_says_it_too = say.try_send(message(Saying::Status(status())));
        tokio::time::sleep(BETWEEN).await;
    }
}

/// How the node is.
fn status<N: Install>(node: &N, state: &PolicyState) -> NodeStatus {
    let overlay = node.overlay();
    NodeStatus {
        applied: state.applied().map(|v| v.to_wire()),
        confirmed_age_ms: in_milliseconds(state.confirmed_age()),
        persisted: state.persisted() && overlay.statements().are_saved(),
        clock_offset_ms: state.clock_offset_ms(),
        revocation_seq: overlay.revocation_seq(),
        kill_seq: overlay.kill_seq(),
        ..node.report()
    }
}

fn in_milliseconds(age: Option<f64>) -> u64 {
    (age.unwrap_or_default() * 1000.0) as u64
}

fn message(saying: Saying) -> NodeMessage {
    NodeMessage { message: Some(saying) }
}

#[cfg(test)]
mod tests;
