//! A node and the control planes it may meet: one that errs, one that falls silent, one that goes away.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use policy_engine::facts::Facts;
use policy_engine::snapshot::CompiledSnapshot;
use proto::sync::control_message::Message as Saying;
use proto::sync::{Envelope, NackCode, RevocationSet, Scope, Statement};
use tokio::sync::watch;

use super::super::enforced::{Enforced, Memory};
use super::super::identity::NodeKey;
use super::super::last_known_good::LastKnownGood;
use super::super::log::Log;
use super::super::sample::{AUTHORITY, Sample, secrets, secrets_of};
use super::super::scripted::{ControlPlane, Session, soon};
use super::super::secrets::Secrets;
use super::super::state::Version;
use super::super::trust::{Subject, Trust};
use super::*;
use crate::freshness::{AtMost, Freshness};
use crate::house::world;
use crate::overlay::{Overlay, Statements, hashed};
use crate::upstream::registry::{Registry, Unlisted};

mod denied;
mod full_disk;
mod hostile;
mod old_copies;
mod restarts;
mod secrets;
mod witness;

/// What was put in force: revisions, each with the scope key it was given.
type Installed = Vec<(i64, Option<Vec<u8>>)>;

/// Stands where requests are served, and remembers what it was to serve.
struct Place {
    installed: Mutex<Installed>,
    count: watch::Sender<usize>,
    breaks_at: AtomicI64,
    overlay: Overlay,
    drains: crate::drain::Drains,
    shelf: crate::record::Shelf,
    retained: crate::retained::Retained,
    simulator: crate::simulate::Simulator,
    /// What the next one that is put in force waits for.
    gate: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Install for Place {
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Arc<Secrets>,
    ) -> Result<(), String> {
        if let Some(gate) = self.gate.lock().take() {
            gate.recv().map_err(|_| "nobody let it go on".to_owned())?;
        }
        assert_ne!(version.revision, self.breaks_at.load(Ordering::Relaxed), "breaks while it is built");
        assert_eq!(i64::try_from(snapshot.header().revision).unwrap(), version.revision);
        let key = secrets.scope_keys.get("k1").map(|key| key.to_vec());
        self.installed.lock().push((version.revision, key));
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }

    fn report(&self) -> proto::sync::Status {
        proto::sync::Status { inflight: 3, ..Default::default() }
    }

    fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    fn drains(&self) -> &crate::drain::Drains {
        &self.drains
    }

    fn shelf(&self) -> &crate::record::Shelf {
        &self.shelf
    }

    fn retained(&self) -> &crate::retained::Retained {
        &self.retained
    }

    fn simulator(&self) -> &crate::simulate::Simulator {
        &self.simulator
    }

    fn registry(&self, _provider: &str) -> Result<Registry, Unlisted> {
        Ok(Registry::Simulated)
    }
}

impl Place {
    async fn installs(&self, count: usize) -> Installed {
        soon(self.count.subscribe().wait_for(|n| *n >= count)).await.unwrap();
        self.installed.lock().clone()
    }
}

/// A node that follows a control plane.
struct Node {
    place: Arc<Place>,
    state: Arc<PolicyState>,
    public_key: Vec<u8>,
    stop: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn follower(control: &ControlPlane) -> (Follower<Place>, Node) {
    let key = NodeKey::open(&control.home().join("node.key")).unwrap();
    let public_key = key.public().to_vec();
    let way = Arc::new(control.way());
    let identity = way.identity().clone();
    let policy = control.home().join("policy");
    let freshness = Arc::new(Freshness::open(&policy, AtMost::default()));
    let held = super::super::holder::Place {
        geo: identity.geo,
        spiffe_id: identity.spiffe_id,
        key,
        trust: Trust::open(&policy, AUTHORITY.pem.as_bytes(), freshness.clone()).unwrap(),
        kept: LastKnownGood::at(&policy),
        enforced: Enforced::open(&policy, "build"),
        log: Log::open(&policy),
    };
    let control = Control { way, boot_id: "boot".into(), place: held };
    let place = Place {
        installed: Mutex::default(),
        count: watch::channel(0).0,
        breaks_at: AtomicI64::new(-1),
        overlay: Overlay::new("eu".parse().unwrap(), Statements::at(&policy)),
        drains: crate::drain::Drains::default(),
        shelf: crate::record::Shelf::default(),
        retained: crate::retained::Retained::default(),
        simulator: crate::simulate::Simulator::default(),
        gate: Mutex::new(None),
    };
    let (place, state) = (Arc::new(place), Arc::new(PolicyState::of(freshness)));
    let node =
        Node { place: place.clone(), state: state.clone(), public_key, stop: CancellationToken::new() };
    (Follower::new(control, place, state), node)
}

fn start(control: &ControlPlane) -> Node {
    let (mut follower, node) = follower(control);
    let stop = node.stop.clone();
    tokio::spawn(async move {
        follower.holder.restore().await;
        follower.follow(stop).await;
    });
    node
}

fn sample(revision: i64) -> Sample {
    Sample::of(&world::facts(), revision)
}

/// A session in which this revision is in force.
async fn enforcing(control: &mut ControlPlane, node: &Node, revision: i64) -> Session {
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    let acked = session.offer(&sample(revision)).await.unwrap();
    assert_eq!(acked.revision, revision);
    session
}

#[tokio::test]
async fn a_snapshot_is_acknowledged_when_it_is_in_force_and_a_heartbeat_is_answered() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    assert_eq!(session.hello.applied, None);
    assert_eq!(session.hello.hpke_public_key, node.public_key);
    assert_eq!(node.place.installs(1).await, [(5, Some(vec![7; 32]))]);
    assert_eq!(node.state.confirmed_age(), None, "an open stream proves nothing");
    session.heartbeat(0).await;
    assert_eq!(session.status().await.applied.unwrap().revision, 5, "it is answered all the same");
    assert_eq!(node.state.confirmed_age(), None, "nor a control plane that has nothing for this scope");
    session.heartbeat(5).await;
    let status = session.status().await;
    assert_eq!((status.applied.unwrap().revision, status.inflight), (5, 3));
    assert!(node.state.connected() && node.state.confirmed_age().is_some());
}

#[tokio::test]
async fn case_13_a_refusal_says_why_and_what_is_in_force_stays() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let mut torn = sample(6);
    torn.contents.resources[0].body = vec![1, 2, 3].into();
    let mut foreign = sample(6);
    foreign.envelope.scope.as_mut().unwrap().geo = "us".into();
    foreign.seal();
    let mut forged = sample(6).offer();
    forged.signature = vec![0; 64].into();
    let nack = session.offers(forged).await.unwrap_err();
    assert_eq!((nack.code(), nack.running.unwrap().revision), (NackCode::BadSignature, 5));
    let mut dangling = world::facts();
    dangling.providers.clear();
    for (bad, code) in [
        (torn, NackCode::DigestMismatch),
        (foreign, NackCode::WrongGeo),
        (sample(4), NackCode::StaleRevision),
        (Sample::of(&Facts::default(), 6), NackCode::EmptyRefused),
        (Sample::of(&dangling, 6), NackCode::Validation),
    ] {
        let nack = session.offer(&bad).await.unwrap_err();
        assert_eq!((nack.code(), nack.running.unwrap().revision), (code, 5));
        assert_eq!(nack.revision, bad.envelope.revision);
        assert!(!nack.detail.is_empty());
    }
    // A Nack ends nothing: the next good one comes on the same stream.
    assert_eq!(session.offer(&sample(7)).await.unwrap().revision, 7);
    let revisions: Vec<i64> = node.place.installs(2).await.into_iter().map(|(r, _)| r).collect();
    assert_eq!(revisions, [5, 7]);
}

#[tokio::test]
async fn case_08_what_breaks_while_it_is_built_is_refused() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    node.place.breaks_at.store(6, Ordering::Relaxed);
    assert_eq!(session.offer(&sample(6)).await.unwrap_err().running.unwrap().revision, 5);
    assert_eq!(session.offer(&sample(7)).await.unwrap().revision, 7);
}

fn said(subject: Subject, body: Vec<u8>) -> Statement {
    let signer = AUTHORITY.signer(1);
    let signature = signer.sign(subject, &body).to_vec();
    Statement { body: body.into(), signature, signer_certificate: signer.certificate }
}

#[tokio::test]
async fn case_09_changes_lead_on_and_what_changes_something_else_is_refused() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    assert_eq!(
        session.hello.capabilities,
        ["delta", "witness", "retention", "simulate", "simulate-in-force", "survey"]
    );
    let mut facts = world::facts();
    facts.keys.remove(&world::name("old"));
    let changes = Sample::delta(&facts, 6, &sample(5));
    assert_eq!(session.offer(&changes).await.unwrap().digest, Sample::of(&facts, 6).envelope.digest);
    let nack = session.offer(&Sample::delta(&facts, 7, &sample(5))).await.unwrap_err();
    assert_eq!((nack.code(), nack.running.unwrap().revision), (NackCode::BaseMissing, 6));
    // It is kept as it came, and read back whole.
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert_eq!(restarted.state.applied().unwrap().revision, 6);
}

#[tokio::test]
async fn case_21_silence_for_three_heartbeats_ends_the_stream_and_another_is_opened() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut first = enforcing(&mut control, &node, 5).await;
    // As often as that it is heard, and then no more; the connection stays as it is.
    first.welcome(100).await;
    first.heartbeat(5).await;
    first.status().await;
    let second = soon(control.session()).await;
    assert_eq!(second.hello.applied.unwrap().revision, 5, "it says what it enforces");
    assert_eq!(second.hello.boot_id, first.hello.boot_id);
    assert_eq!(node.place.installs(1).await.len(), 1, "and enforces it all the time");
}

#[tokio::test]
async fn a_control_plane_that_goes_away_is_looked_for_until_it_is_back() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    drop(enforcing(&mut control, &node, 5).await);
    for _ in 0..3 {
        let session = soon(control.session()).await;
        assert_eq!(session.hello.applied.as_ref().unwrap().revision, 5);
    }
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    assert_eq!(session.offer(&sample(6)).await.unwrap().revision, 6);
}

#[tokio::test]
async fn a_control_plane_that_says_it_goes_is_looked_for_again() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let session = enforcing(&mut control, &node, 5).await;
    session.say(Saying::Reconnect(proto::sync::Reconnect { within_ms: 50, ..Default::default() })).await;
    let again = soon(control.session()).await;
    assert_eq!(again.hello.applied.unwrap().revision, 5);
}

/// What a node that starts here enforces before it has heard of any control plane.
async fn restored(control: &ControlPlane) -> Option<(i64, Option<Vec<u8>>)> {
    let (mut follower, node) = follower(control);
    follower.holder.restore().await;
    follower.holder.ends();
    let installed = node.place.installed.lock().pop();
    assert_eq!(node.state.applied().map(|v| v.revision), installed.as_ref().map(|(revision, _)| *revision));
    installed
}
