//! One node's stream, from its Hello to its end.

mod witness;

use std::sync::Arc;
use std::time::Duration;

use policy_engine::vocabulary::Instant;
use prost_types::Timestamp;
use proto::code::ErrorCode;
use proto::manifest::SCHEMA;
use proto::status::Refusal;
use proto::sync::control_message::Message as Saying;
use proto::sync::node_message::Message as Said;
use proto::sync::{
    Ack, Chunk, Heartbeat, Hello, Nack, NackCode, NodeMessage, Reconnect, SnapshotBegin, SnapshotEnd,
    Version, Welcome,
};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::ahead;
use super::encoded::{Encoded, Parts};
use super::line::{Bundle, Line};
use super::peer::NodeId;
use super::saying::{Say, drain, send, tell};
use super::statements::{Standing, Told};
use super::turns::Waiting;
use super::witnesses::{Shown, WITNESS, Witnesses, newer};
use super::{LAST_WORD, Lines, Shared, retention, secrets, segments};
use crate::allowance::{Allowance, Terms};
use crate::clock;
use crate::nodes::said::bounds::bounded;
use crate::nodes::{self, NodeSession};
use crate::publish::InForce;
use crate::reach::{Able, Seat};

/// What each node adds to the time over which all look for a control plane that went away, and the longest that is.
const REUNION: Duration = Duration::from_millis(5);
const MOST_REUNION: Duration = Duration::from_secs(30);

/// The capability of taking changes in place of whole snapshots.
const DELTA: &str = "delta";

/// The capabilities of simulating a draft, and of comparing it with what is in force.
const SIMULATE: &str = "simulate";
const IN_FORCE: &str = "simulate-in-force";

/// The capability of asking vendors what models they have.
const SURVEY: &str = "survey";

/// How long a node may take to introduce itself.
const INTRODUCES: Duration = Duration::from_secs(10);

/// What a node may say on one stream: a status answers each heartbeat and tells what changes beside, an answer each snapshot.
const SAYS: Terms = Terms { burst: 2_000, each: Duration::from_millis(10) };

/// The epoch and the digest of a snapshot: what is the same in a new epoch is another, for a node is to know of the epoch.
type Content = (i64, Vec<u8>);

/// Serves one node until either side ends the stream.
pub(super) async fn run(
    shared: Arc<Shared>,
    (node, certificate_end): (NodeId, Option<i64>),
    mut said: Streaming<NodeMessage>,
    say: Say,
) {
    let hello = match introduced(said.message()).await {
        Ok(hello) => hello,
        Err(status) => {
            let _ = say.send(Err(status)).await;
            return;
        }
    };
    let session = Uuid::now_v7().to_string();
    tracing::info!(geo = %node.geo, node = %node.name, session, build = hello.build, "a node follows");
    let known = begun(&shared, &node, (&hello, certificate_end));
    let ahead = match ahead::looked(&shared.origin.publisher, (&node, &hello), &known).await {
        Ok(ahead) => ahead,
        Err(status) => return drop(say.send(Err(status)).await),
    };
    if known.is_new || ahead > 0 {
        // Before it is answered: who was let in can be revoked by its name, also after a crash.
        shared.nodes.keep(shared.origin.publisher.store()).await;
    }
    let says = |capability: &str| hello.capabilities.iter().any(|word| word == capability);
    let able = Able { simulates: says(SIMULATE), in_force: says(IN_FORCE), surveys: says(SURVEY) };
    let place = (node.geo.clone(), node.name.clone());
    let seat = (able != Able::default()).then(|| shared.nodes.reach().join((place, able), say.clone()));
    let (turn, sent) = (shared.turns.waiting(), Sent::new(hello));
    let says = Allowance::new(SAYS, std::time::Instant::now());
    let mut stream =
        Session { shared, node: node.clone(), known, say, sent, told: None, turn, says, ahead, seat };
    let ended = stream.serve(&session, &mut said).await;
    if let Err(status) = ended {
        // One that reads nothing is not waited for: the stream ends with the channel.
        let _ = tokio::time::timeout(LAST_WORD, stream.say.send(Err(status))).await;
    }
    drop(stream);
    tracing::info!(geo = %node.geo, node = %node.name, session, "a node's stream ended");
}

/// What a node says of itself at first, which is waited for only so long.
async fn introduced(
    first: impl Future<Output = Result<Option<NodeMessage>, Status>>,
) -> Result<Hello, Status> {
    let first = tokio::time::timeout(INTRODUCES, first).await;
    let mut first = first.map_err(|_| Status::deadline_exceeded("a stream begins with a Hello, soon"))??;
    first.iter_mut().for_each(bounded);
    match first {
        Some(NodeMessage { message: Some(Said::Hello(hello)) }) => Ok(hello),
        _ => Err(Status::invalid_argument("a stream begins with a Hello")),
    }
}

/// Notes who follows. A process that is not the one that was known has shown nothing yet but what it says now.
fn begun(shared: &Shared, node: &NodeId, (hello, certificate_end): (&Hello, Option<i64>)) -> NodeSession {
    let known =
        shared.nodes.begin(&node.geo, &node.name, |view| nodes::said::hello(view, hello, certificate_end));
    if !nodes::said::understands(hello) {
        tracing::warn!(geo = %node.geo, node = %node.name, build = hello.build, schema = hello.schema, ours = SCHEMA,
            "a node understands another form of snapshots: it is sent none and keeps what it has, until its build is another");
    }
    if let Some(rival) = &known.rival {
        tracing::warn!(geo = %node.geo, node = %node.name, boot_id = hello.boot_id, other_boot_id = rival,
            "two processes use one node's certificate at once: give each its own, by `chancery nodes issue`");
    }
    known
}

struct Session {
    shared: Arc<Shared>,
    node: NodeId,
    known: NodeSession,
    say: Say,
    sent: Sent,
    told: Option<watch::Receiver<Told>>,
    turn: Waiting,
    says: Allowance,
    /// The epoch in which the node holds what the store does not know; 0: in none.
    ahead: i64,
    /// Its place among nodes that can be asked something; `None`: it can't.
    seat: Option<Seat>,
}

/// What was said to the node so far.
struct Sent {
    /// What the node last said it enforces.
    applied: Option<Content>,
    public_key: Vec<u8>,
    /// What the node was last sent, and maybe refused: not to be sent again, unless it may shrink by now, which is told with it.
    settled: Option<(Content, i64)>,
    /// It is sent no snapshots: it would not understand them.
    held: bool,
    /// The node heeds holds and removes what is over.
    retains: bool,
    /// The node takes changes in place of whole snapshots; not after one that it could not use.
    takes_changes: bool,
    awaiting: Option<u64>,
    nonce: u64,
    secrets_seq: u64,
    secrets: Option<Arc<Bundle>>,
    /// The revocations and the kills it said it knows.
    told: [Standing; 2],
    /// The id of the drain it said it is in.
    drain: String,
    /// How far it was shown the audit log; `None`: it is no witness.
    audit: Option<Shown>,
    /// It refused the last snapshot because of the audit log.
    unproved: bool,
    /// The revision and the line it was last noted to enforce.
    confirmed: (i64, &'static str),
}

impl Sent {
    fn new(hello: Hello) -> Self {
        let held = !nodes::said::understands(&hello);
        let applied = hello.applied.map(content);
        let witness = hello.capabilities.iter().any(|word| word == WITNESS);
        Self {
            audit: witness.then(|| Shown::of(hello.audit_log_size)),
            unproved: false,
            applied,
            public_key: hello.hpke_public_key,
            settled: None,
            held,
            retains: hello.capabilities.iter().any(|word| word == retention::RETENTION),
            takes_changes: hello.capabilities.iter().any(|word| word == DELTA),
            awaiting: None,
            nonce: 0,
            secrets_seq: 0,
            secrets: None,
            told: [(hello.revocation_epoch, hello.revocation_seq), (hello.kill_epoch, hello.kill_seq)],
            drain: hello.drain,
            confirmed: (0, ""),
        }
    }

    /// The digest of what it enforces; empty: it enforces nothing.
    fn digest(&self) -> &[u8] {
        self.applied.as_ref().map_or(&[], |(_, digest)| digest)
    }
}

fn content(version: Version) -> Content {
    (version.epoch, version.digest)
}

impl Session {
    async fn serve(&mut self, session: &str, said: &mut Streaming<NodeMessage>) -> Result<(), Status> {
        let interval = self.shared.heartbeat;
        let heartbeat_interval_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        let anchors = self.shared.anchors.is_some().then_some(segments::SEGMENTS);
        let retains = self.shared.retentions.is_some().then_some(retention::RETENTION);
        let welcome = Welcome {
            session: session.to_owned(),
            server_time: Some(now()),
            heartbeat_interval_ms,
            capabilities: anchors.into_iter().chain(retains).map(str::to_owned).collect(),
        };
        self.say(Saying::Welcome(welcome)).await?;
        let lines = self.shared.lines(&self.node.geo);
        let statements = lines.statements.clone();
        self.told = Some(statements.clone());
        // Beside everything else: what was taken back waits for no snapshot that is on its way.
        let telling = tell(statements, self.say.clone(), (self.sent.told, self.ahead));
        let (drains, place) =
            (self.shared.nodes.drains().watch(), (self.node.geo.clone(), self.node.name.clone()));
        let draining = drain(drains, self.say.clone(), (place, self.sent.drain.clone()));
        let heeds = self.shared.retentions.clone().filter(|_| self.sent.retains);
        let retaining = retention::retain(heeds, self.node.clone(), self.say.clone());
        tokio::select! {
            ended = telling => ended,
            ended = retaining => ended,
            ended = draining => ended,
            ended = self.follow(lines, said) => ended,
        }
    }

    async fn follow(&mut self, lines: Lines, said: &mut Streaming<NodeMessage>) -> Result<(), Status> {
        let Lines { mut head, mut stable, .. } = lines;
        let mut in_force = self.shared.origin.publisher.lines();
        let mut heartbeat = tokio::time::interval(self.shared.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checkpoints = self.shared.witnesses.as_ref().map(Witnesses::watch);
        loop {
            // Before any snapshot: a node takes none of a log that it was not shown.
            checkpoints.iter_mut().for_each(watch::Receiver::mark_unchanged);
            self.show().await?;
            let now = in_force.borrow_and_update().clone();
            let newest = head.borrow_and_update().clone();
            let mine = self.mine(&now, newest.clone(), stable.borrow_and_update().clone());
            if let Some(mine) = mine.as_ref().filter(|line| line.head.epoch > self.ahead) {
                self.bring(mine).await?;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return self.send_off().await,
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                changed = stable.changed() => if changed.is_err() { return Ok(()) },
                changed = in_force.changed() => if changed.is_err() { return Ok(()) },
                () = self.turn.come() => {}
                () = newer(&mut checkpoints) => {}
                _ = heartbeat.tick() => {
                    // Who is ahead of the store is confirmed nothing either: what it has grows old.
                    let line = mine.or(newest).filter(|line| line.head.epoch > self.ahead);
                    self.beat(line.as_deref()).await?;
                }
                message = said.message() => match message? {
                    Some(message) => self.hear(message)?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// The control plane goes away: nodes look for it again, each after a while of its own, so that not all come at once.
    async fn send_off(&self) -> Result<(), Status> {
        let spread = REUNION.saturating_mul(u32::try_from(self.shared.nodes.count()).unwrap_or(u32::MAX));
        let within_ms = u64::try_from(spread.min(MOST_REUNION).as_millis()).unwrap_or(u64::MAX);
        self.say(Saying::Reconnect(Reconnect { url: String::new(), within_ms })).await?;
        Err(Status::unavailable("the control plane is shutting down"))
    }

    /// The line this node is to follow, as far as it is made: what is for everybody, or, while there is a rollout that has not
    /// come to it, the stable one. After one that was taken back, what was made of it is for nobody.
    fn mine(
        &self,
        in_force: &InForce,
        head: Option<Arc<Line>>,
        stable: Option<Arc<Line>>,
    ) -> Option<Arc<Line>> {
        match &in_force.rollout {
            Some(rollout) if !rollout.assigns(&self.node.geo, &self.known.name) => stable,
            _ => head.filter(|line| line.head.revision >= in_force.settled),
        }
    }

    /// Sends what the node does not have yet: secrets first, then the snapshot, unless one is unanswered.
    async fn bring(&mut self, line: &Line) -> Result<(), Status> {
        let known = self.sent.secrets.as_ref().is_some_and(|s| s.encoded == line.secrets.encoded);
        if !known {
            self.sent.secrets_seq += 1;
            let sealed =
                secrets::seal(&line.secrets, self.sent.secrets_seq, &self.node, &self.sent.public_key)
                    .map_err(|_| Status::invalid_argument("secrets can't be sealed to the node's key"))?;
            self.say(Saying::Secrets(sealed)).await?;
            self.sent.secrets = Some(line.secrets.clone());
        }
        let confirmed = (line.head.revision, line.word);
        let wanted = Some(content(line.snapshot.version.clone()));
        if self.sent.applied == wanted && self.sent.confirmed != confirmed {
            self.sent.confirmed = confirmed;
            self.known.update(|view| {
                view.confirmed_revision = line.head.revision;
                view.line = line.word.to_owned();
            });
        }
        let refused = wanted.clone().map(|wanted| (wanted, line.snapshot.shrink_revision));
        let settled = self.sent.applied == wanted || self.sent.settled == refused;
        if self.sent.awaiting.is_some() {
            return Ok(());
        }
        if self.sent.held || settled {
            self.turn.end();
            return Ok(());
        }
        let shared = self.shared.clone();
        let metrics = shared.origin.publisher.metrics();
        let parts = match self.sent.takes_changes {
            true => line.snapshot.since(self.sent.digest(), metrics).await?,
            false => line.snapshot.whole(metrics).await?,
        };
        match self.turn.may_send(parts.total_bytes) {
            true => self.send(&line.snapshot, &parts).await,
            false => Ok(()),
        }
    }

    async fn send(&mut self, snapshot: &Encoded, parts: &Parts) -> Result<(), Status> {
        self.sent.nonce += 1;
        let nonce = self.sent.nonce;
        self.sent.awaiting = Some(nonce);
        self.sent.settled = Some((content(snapshot.version.clone()), snapshot.shrink_revision));
        self.say(Saying::SnapshotBegin(SnapshotBegin {
            nonce,
            envelope: snapshot.envelope.clone(),
            total_bytes: parts.total_bytes,
            chunk_count: u32::try_from(parts.chunks.len()).unwrap_or(u32::MAX),
            signature: snapshot.signature.clone(),
            signer_certificate: snapshot.signer.clone(),
            base_digest: parts.base.clone(),
        }))
        .await?;
        for (index, data) in (0_u32..).zip(&parts.chunks) {
            self.say(Saying::Chunk(Chunk { index, data: data.clone() })).await?;
        }
        self.say(Saying::SnapshotEnd(SnapshotEnd { sha256: parts.sha256.clone() })).await
    }

    /// Says that the control plane is there. Where no line of the node's geo could be made yet it confirms no revision: what the node
    /// has, if it has anything, is no newer by that.
    async fn beat(&self, line: Option<&Line>) -> Result<(), Status> {
        let told = self.told.as_ref().map(|told| told.borrow().clone()).unwrap_or_default();
        // What is not told yet counts: a node that lost its own must not take silence for nothing.
        let publisher = &self.shared.origin.publisher;
        let revocation_seq = told.revocations.seq.max(u64::from(!publisher.current().revoked.is_empty()));
        let kill_seq = told.kills.seq.max(u64::from(publisher.kills().current().seq > 0));
        self.say(Saying::Heartbeat(Heartbeat {
            server_time: Some(now()),
            head_revision: line.map_or(0, |line| line.head.revision),
            confirmed_at: line.map(|line| proto::convert::timestamp(Instant(line.confirmed_at))),
            revocation_seq,
            kill_seq,
            epoch: line.map_or_else(|| publisher.current().head.epoch, |line| line.head.epoch),
        }))
        .await
    }

    async fn say(&self, saying: Saying) -> Result<(), Status> {
        send(&self.say, saying).await
    }

    fn hear(&mut self, mut message: NodeMessage) -> Result<(), Status> {
        self.says.take(std::time::Instant::now()).map_err(|wait| {
            tracing::warn!(geo = %self.node.geo, node = %self.node.name, "a node says too much: its stream is closed");
            let refusal = Refusal::new(ErrorCode::RateLimitExceeded, "the node says more than a node has to say");
            Status::from(Refusal { retry_after: Some(wait), ..refusal })
        })?;
        bounded(&mut message);
        match message.message {
            Some(Said::Ack(ack)) if self.answered(ack.nonce) => self.enforced(ack),
            Some(Said::Nack(nack)) if self.answered(nack.nonce) => self.refused(nack),
            Some(Said::Ack(_) | Said::Nack(_)) => {
                // It answers nothing that was asked: what it claims by it is nobody's.
                self.shared.origin.publisher.metrics().ignored.inc();
                self.known.update(|view| nodes::said::seen(view, None));
            }
            Some(Said::Status(status)) => {
                self.known.update(|view| nodes::said::status(view, status));
            }
            Some(Said::DrainDone(done)) => {
                self.known.update(|view| nodes::said::seen(view, None));
                let NodeId { geo, name } = self.node.clone();
                let (drains, place) = (self.shared.nodes.drains().clone(), (geo, name));
                tokio::spawn(async move { drains.done(&place, &done).await });
            }
            Some(Said::Segments(said)) => {
                self.known.update(|view| nodes::said::seen(view, None));
                if let Some(anchors) = self.shared.anchors.clone() {
                    tokio::spawn(segments::anchor(anchors, self.node.clone(), said, self.say.clone()));
                }
            }
            Some(Said::Witnessed(said)) => self.witnessed(&said),
            Some(Said::SegmentsPruned(said)) => {
                self.known.update(|view| nodes::said::seen(view, None));
                let (shared, node) = (self.shared.clone(), self.node.clone());
                tokio::spawn(async move { retention::gone(&shared, node, said).await });
            }
            Some(Said::Simulated(said)) => {
                self.known.update(|view| nodes::said::seen(view, None));
                if let Some(seat) = &self.seat {
                    seat.hears(said);
                }
            }
            Some(Said::Surveyed(said)) => {
                self.known.update(|view| nodes::said::seen(view, None));
                if let Some(seat) = &self.seat {
                    seat.hears(said);
                }
            }
            Some(Said::Hello(_)) | None => self.known.update(|view| nodes::said::seen(view, None)),
        }
        Ok(())
    }

    /// Whether this is the answer that is awaited; from then on, none is.
    fn answered(&mut self, nonce: u64) -> bool {
        let answered = self.sent.awaiting == Some(nonce);
        if answered {
            self.sent.awaiting = None;
            self.turn.end();
        }
        answered
    }

    fn enforced(&mut self, ack: Ack) {
        let NodeId { geo, name } = &self.node;
        self.known.update(|view| nodes::said::ack(view, &ack));
        let before = self.sent.applied.take();
        self.sent.applied = ack.applied.clone().map(content);
        tracing::info!(%geo, node = %name, apply_us = ack.apply_us, persisted = ack.persisted,
            revision = ack.applied.map_or(0, |v| v.revision), "a node enforces");
        self.changes_epoch(before.as_ref());
    }

    fn refused(&mut self, nack: Nack) {
        let digest = self.sent.settled.clone().map(|((_, digest), _)| digest).unwrap_or_default();
        // What the changes did not lead to, the whole does.
        let misled = matches!(nack.code(), NackCode::BaseMissing | NackCode::DigestMismatch);
        if misled && std::mem::take(&mut self.sent.takes_changes) {
            self.sent.settled = None;
        }
        self.sent.unproved = nack.code() == NackCode::AuditInconsistent;
        if self.known.refuses_anew(&digest, &nack) {
            let NodeId { geo, name } = &self.node;
            let code = nodes::said::code(&nack);
            tracing::error!(%geo, node = %name, code, revision = nack.revision, resource = nack.resource,
                detail = nack.detail, "a node refuses a snapshot");
        }
        self.known.update(|view| nodes::said::nack(view, nack, &digest));
    }
}

fn now() -> Timestamp {
    proto::convert::timestamp(Instant(clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_node_says_nothing_at_first_ends() {
        let began = tokio::time::Instant::now();
        let status = introduced(std::future::pending()).await.unwrap_err();
        assert_eq!((status.code(), began.elapsed()), (tonic::Code::DeadlineExceeded, INTRODUCES));
        let said = NodeMessage { message: Some(Said::Hello(Hello { schema: 7, ..Hello::default() })) };
        assert_eq!(introduced(async { Ok(Some(said)) }).await.unwrap().schema, 7);
        for (first, code) in [
            (Ok(None), tonic::Code::InvalidArgument),
            (Err(Status::out_of_range("")), tonic::Code::OutOfRange),
        ] {
            assert_eq!(introduced(async { first }).await.unwrap_err().code(), code);
        }
    }
}
