//! One node's stream, from its Hello to its end.

use std::sync::Arc;
use std::time::Duration;

use policy_engine::vocabulary::Instant;
use prost_types::Timestamp;
use proto::manifest::SCHEMA;
use proto::sync::control_message::Message as Saying;
use proto::sync::node_message::Message as Said;
use proto::sync::{
    Ack, Chunk, ControlMessage, Drain, Heartbeat, Hello, Nack, NackCode, NodeMessage, Reconnect,
    SnapshotBegin, SnapshotEnd, Undrain, Version, Welcome,
};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::encoded::{Encoded, Parts};
use super::line::{Bundle, Line};
use super::peer::NodeId;
use super::statements::{Standing, Told};
use super::turns::Waiting;
use super::{LAST_WORD, Lines, Shared, secrets};
use crate::clock;
use crate::drains;
use crate::nodes::said::bounds::bounded;
use crate::nodes::{self, NodeSession};
use crate::publish::InForce;

/// What each node adds to the time over which all look for a control plane that went away, and the longest that is.
const REUNION: Duration = Duration::from_millis(5);
const MOST_REUNION: Duration = Duration::from_secs(30);

/// The capability of taking changes in place of whole snapshots.
const DELTA: &str = "delta";

/// How long a node may take to read on before its stream is closed.
const READS: Duration = Duration::from_secs(60);

/// How long a node may take to introduce itself.
const INTRODUCES: Duration = Duration::from_secs(10);

type Say = mpsc::Sender<Result<ControlMessage, Status>>;

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
    if known.is_new {
        // Before it is answered: who was let in can be revoked by its name, also after a crash.
        shared.nodes.keep(shared.origin.publisher.store()).await;
    }
    let (turn, sent) = (shared.turns.waiting(), Sent::new(hello));
    let mut stream = Session { shared, node: node.clone(), known, say, sent, told: None, turn };
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

/// Tells what is newer than what the node knows, and whatever comes after; ends with the stream.
async fn tell(mut told: watch::Receiver<Told>, say: Say, known: [Standing; 2]) -> Result<(), Status> {
    let [mut revocations, mut kills] = known;
    loop {
        let now = told.borrow_and_update().clone();
        let (revoked, switched) = (now.revocations.standing(), now.kills.standing());
        if revoked.0 > 0 && revoked != revocations {
            revocations = revoked;
            send(&say, Saying::Revocations(now.revocations.statement.clone())).await?;
        }
        if switched.0 > 0 && switched != kills {
            kills = switched;
            send(&say, Saying::Kills(now.kills.statement.clone())).await?;
        }
        if told.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Tells the node's drain, also one that it is in already, and the end of it; ends with the stream.
async fn drain(
    mut standing: watch::Receiver<drains::Standing>,
    say: Say,
    (place, mut told): (drains::Place, String),
) -> Result<(), Status> {
    let mut first = true;
    loop {
        let now = standing.borrow_and_update().get(&place).cloned();
        match now {
            Some(drain) if first || drain.id != told => {
                told.clone_from(&drain.id);
                let (deadline_ms, reason) = (drain.within_ms, drain.reason);
                send(&say, Saying::Drain(Drain { deadline_ms, reason, id: drain.id })).await?;
            }
            None if !told.is_empty() => {
                told.clear();
                send(&say, Saying::Undrain(Undrain {})).await?;
            }
            _ => {}
        }
        first = false;
        if standing.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Says something to a node, which is not waited for as long as it likes.
async fn send(say: &Say, saying: Saying) -> Result<(), Status> {
    let message = Ok(ControlMessage { message: Some(saying) });
    let sent = match say.try_reserve() {
        Ok(place) => {
            place.send(message);
            return Ok(());
        }
        Err(_) => tokio::time::timeout(READS, say.send(message)).await,
    };
    let sent = sent.map_err(|_| Status::deadline_exceeded("the node reads too slowly"))?;
    sent.map_err(|_| Status::cancelled("the node went away"))
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
}

/// What was said to the node so far.
struct Sent {
    /// What the node last said it enforces.
    applied: Option<Content>,
    public_key: Vec<u8>,
    /// What the node enforces, was last sent, or last refused: not to be sent (again).
    settled: Option<Content>,
    /// It is sent no snapshots: it would not understand them.
    held: bool,
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
    /// The revision and the line it was last noted to enforce.
    confirmed: (i64, &'static str),
}

impl Sent {
    fn new(hello: Hello) -> Self {
        let held = !nodes::said::understands(&hello);
        let applied = hello.applied.map(content);
        Self {
            applied: applied.clone(),
            public_key: hello.hpke_public_key,
            settled: applied,
            held,
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
        let welcome =
            Welcome { session: session.to_owned(), server_time: Some(now()), heartbeat_interval_ms };
        self.say(Saying::Welcome(welcome)).await?;
        let lines = self.shared.lines(&self.node.geo);
        let statements = lines.statements.clone();
        self.told = Some(statements.clone());
        // Beside everything else: what was taken back waits for no snapshot that is on its way.
        let telling = tell(statements, self.say.clone(), self.sent.told);
        let (drains, place) =
            (self.shared.nodes.drains().watch(), (self.node.geo.clone(), self.node.name.clone()));
        let draining = drain(drains, self.say.clone(), (place, self.sent.drain.clone()));
        tokio::select! {
            ended = telling => ended,
            ended = draining => ended,
            ended = self.follow(lines, said) => ended,
        }
    }

    async fn follow(&mut self, lines: Lines, said: &mut Streaming<NodeMessage>) -> Result<(), Status> {
        let Lines { mut head, mut stable, .. } = lines;
        let mut in_force = self.shared.origin.publisher.lines();
        let mut heartbeat = tokio::time::interval(self.shared.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = in_force.borrow_and_update().clone();
            let newest = head.borrow_and_update().clone();
            let mine = self.mine(&now, newest.clone(), stable.borrow_and_update().clone());
            if let Some(mine) = &mine {
                self.bring(mine).await?;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return self.send_off().await,
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                changed = stable.changed() => if changed.is_err() { return Ok(()) },
                changed = in_force.changed() => if changed.is_err() { return Ok(()) },
                () = self.turn.come() => {}
                _ = heartbeat.tick() => if let Some(line) = mine.or(newest) { self.beat(&line).await? },
                message = said.message() => match message? {
                    Some(message) => self.hear(message),
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
        let settled = [&self.sent.settled, &self.sent.applied].contains(&&wanted);
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
        self.sent.settled = Some(content(snapshot.version.clone()));
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

    async fn beat(&self, line: &Line) -> Result<(), Status> {
        let told = self.told.as_ref().map(|told| told.borrow().clone()).unwrap_or_default();
        // What is not told yet counts: a node that lost its own must not take silence for nothing.
        let publisher = &self.shared.origin.publisher;
        let revocation_seq = told.revocations.seq.max(u64::from(!publisher.current().revoked.is_empty()));
        let kill_seq = told.kills.seq.max(u64::from(publisher.kills().current().seq > 0));
        self.say(Saying::Heartbeat(Heartbeat {
            server_time: Some(now()),
            head_revision: line.head.revision,
            confirmed_at: Some(proto::convert::timestamp(Instant(line.confirmed_at))),
            revocation_seq,
            kill_seq,
            epoch: line.head.epoch,
        }))
        .await
    }

    async fn say(&self, saying: Saying) -> Result<(), Status> {
        send(&self.say, saying).await
    }

    fn hear(&mut self, mut message: NodeMessage) {
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
            Some(Said::Hello(_)) | None => self.known.update(|view| nodes::said::seen(view, None)),
        }
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
        self.sent.applied = ack.applied.clone().map(content);
        tracing::info!(%geo, node = %name, apply_us = ack.apply_us, persisted = ack.persisted,
            revision = ack.applied.map_or(0, |v| v.revision), "a node enforces");
    }

    fn refused(&mut self, nack: Nack) {
        let digest = self.sent.settled.clone().map(|(_, digest)| digest).unwrap_or_default();
        // What the changes did not lead to, the whole does.
        let misled = matches!(nack.code(), NackCode::BaseMissing | NackCode::DigestMismatch);
        if misled && std::mem::take(&mut self.sent.takes_changes) {
            self.sent.settled = None;
        }
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

    #[tokio::test(start_paused = true)]
    async fn case_19_a_stream_that_nobody_reads_ends() {
        let (say, _unread) = mpsc::channel(1);
        let began = tokio::time::Instant::now();
        let end = |word: &str| Saying::SnapshotEnd(SnapshotEnd { sha256: word.as_bytes().to_vec() });
        send(&say, end("first")).await.unwrap();
        let status = send(&say, end("second")).await.unwrap_err();
        assert_eq!((status.code(), began.elapsed()), (tonic::Code::DeadlineExceeded, READS));
    }
}
