//! A node and the control planes it may meet: one that errs, one that falls silent, one that goes away.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use policy_engine::facts::Facts;
use policy_engine::snapshot::CompiledSnapshot;
use proto::sync::control_message::Message as Saying;
use proto::sync::{Envelope, NackCode, RevocationSet, Scope, Statement};
use tokio::sync::watch;

use super::super::enforced::Enforced;
use super::super::identity::NodeKey;
use super::super::last_known_good::LastKnownGood;
use super::super::sample::{AUTHORITY, Sample, secrets};
use super::super::scripted::{ControlPlane, Session, soon};
use super::super::secrets::Secrets;
use super::super::state::Version;
use super::super::trust::{Subject, Trust};
use super::*;
use crate::house::world;
use crate::overlay::{Overlay, Statements, hashed};

mod full_disk;
mod old_copies;

/// What was put in force: revisions, each with the scope key it was given.
type Installed = Vec<(i64, Option<Vec<u8>>)>;

/// Stands where requests are served, and remembers what it was to serve.
struct Place {
    installed: Mutex<Installed>,
    count: watch::Sender<usize>,
    breaks_at: AtomicI64,
    overlay: Overlay,
    drains: crate::drain::Drains,
    /// What the next one that is put in force waits for.
    gate: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Install for Place {
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Secrets,
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
    let held = super::super::holder::Place {
        geo: identity.geo,
        spiffe_id: identity.spiffe_id,
        key,
        trust: Trust::open(&policy, AUTHORITY.pem.as_bytes()).unwrap(),
        kept: LastKnownGood::at(&policy),
        enforced: Enforced::open(&policy, "build"),
    };
    let control = Control { way, boot_id: "boot".into(), place: held };
    let place = Place {
        installed: Mutex::default(),
        count: watch::channel(0).0,
        breaks_at: AtomicI64::new(-1),
        overlay: Overlay::new("eu".parse().unwrap(), Statements::at(&policy)),
        drains: crate::drain::Drains::default(),
        gate: Mutex::new(None),
    };
    let (place, state) = (Arc::new(place), Arc::<PolicyState>::default());
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

#[tokio::test]
async fn without_the_scope_key_of_its_api_keys_nothing_is_enforced() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    let nack = session.offer(&sample(5)).await.unwrap_err();
    assert_eq!(nack.code(), NackCode::ResourceMissing);
    assert!(nack.detail.contains("k1"), "{}", nack.detail);
    // Sealed to somebody else is as good as none.
    let other = NodeKey::open(&control.home().join("other.key")).unwrap();
    session.secrets(secrets(other.public(), [7; 32])).await;
    assert_eq!(session.offer(&sample(5)).await.unwrap_err().code(), NackCode::ResourceMissing);
    assert!(node.state.applied().is_none());
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    assert_eq!(session.offer(&sample(5)).await.unwrap().revision, 5);
}

#[tokio::test]
async fn renewed_secrets_take_effect_without_a_snapshot_and_are_kept() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    // The same ones sealed anew change nothing.
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    session.secrets(secrets(&node.public_key, [8; 32])).await;
    let installed = node.place.installs(2).await;
    assert_eq!(installed, [(5, Some(vec![7; 32])), (5, Some(vec![8; 32]))]);
    // Whatever is said after them is heard after they were kept.
    assert_eq!(session.offer(&sample(4)).await.unwrap_err().code(), NackCode::StaleRevision);
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert_eq!(restarted.place.installs(1).await, [(5, Some(vec![8; 32]))]);
}

#[tokio::test]
async fn what_holds_above_any_policy_holds_at_once_if_it_is_signed_and_after_a_restart() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let session = enforcing(&mut control, &node, 5).await;
    let set = |seq, geo: &str| RevocationSet {
        seq,
        scope: Some(Scope { geo: geo.into(), node_class: String::new() }),
        keys: vec![hashed("demo").to_vec()],
        ..RevocationSet::default()
    };
    let statement = |set: &RevocationSet| said(Subject::Revocations, set.encode_to_vec());
    let mut forged = statement(&set(3, "eu"));
    forged.signature[0] ^= 1;
    session.say(Saying::Revocations(forged)).await;
    session.say(Saying::Revocations(statement(&set(4, "us")))).await;
    session.say(Saying::Kills(said(Subject::Revocations, set(5, "eu").encode_to_vec()))).await;
    session.say(Saying::Revocations(statement(&set(2, "eu")))).await;
    let mut session = session;
    loop {
        session.heartbeat(5).await;
        let status = session.status().await;
        assert!(status.revocation_seq == 0 || status.revocation_seq == 2, "{status:?}");
        assert_eq!(status.kill_seq, 0);
        if status.revocation_seq == 2 {
            break;
        }
    }
    assert!(node.place.overlay.revokes("demo") && !node.place.overlay.revokes("old"));
    // Whatever is said after it is heard after it was kept.
    assert_eq!(session.offer(&sample(4)).await.unwrap_err().code(), NackCode::StaleRevision);
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert!(restarted.place.overlay.revokes("demo"));
}

#[tokio::test]
async fn a_key_that_was_taken_back_waits_for_no_snapshot_that_is_taken_over() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let (go_on, gate) = std::sync::mpsc::channel();
    *node.place.gate.lock() = Some(gate);
    session.put(sample(6).offer()).await;
    let set = RevocationSet {
        seq: 2,
        scope: Some(Scope { geo: "eu".into(), node_class: String::new() }),
        keys: vec![hashed("demo").to_vec()],
        ..RevocationSet::default()
    };
    session.say(Saying::Revocations(said(Subject::Revocations, set.encode_to_vec()))).await;
    let holds = async {
        while !node.place.overlay.revokes("demo") {
            tokio::task::yield_now().await;
        }
    };
    soon(holds).await;
    assert_eq!(node.state.applied().unwrap().revision, 5, "what is taken over is not in force yet");
    go_on.send(()).unwrap();
    assert_eq!(session.answer().await.unwrap().revision, 6);
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
    assert_eq!(session.hello.capabilities, ["delta"]);
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
async fn case_08_what_ended_two_processes_is_refused_and_the_one_before_is_served() {
    let mut control = ControlPlane::start().await;
    let mut other = world::facts();
    other.keys.remove(&world::name("old"));
    let other = |revision| Sample::of(&other, revision);
    {
        let (mut first, node) = follower(&control);
        first.holder.renew(secrets(&node.public_key, [7; 32])).await;
        for sample in [sample(5), other(6)] {
            first.holder.apply(&sample.offer()).await.unwrap();
            assert!(first.holder.persist(sample.offer()).await);
            if sample.envelope.revision == 5 {
                first.holder.ends();
            }
        }
    }
    // It ended without a word; now it starts with it, and does so again.
    {
        let (mut second, node) = follower(&control);
        second.holder.restore().await;
        assert_eq!(node.state.applied().unwrap().revision, 6);
    }
    let third = start(&control);
    assert_eq!(third.place.installs(1).await[0].0, 5);
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.secrets(secrets(&third.public_key, [7; 32])).await;
    for revision in [6, 7] {
        let nack = session.offer(&other(revision)).await.unwrap_err();
        assert_eq!((nack.code(), nack.running.unwrap().revision), (NackCode::CrashLoop, 5));
    }
    assert_eq!(session.offer(&sample(8)).await.unwrap().revision, 8);
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

#[test]
fn pauses_double_to_half_a_minute_and_begin_anew_after_a_healthy_stream() {
    let mut back_off = BackOff::default();
    let moment = Duration::from_secs(1);
    let millis: Vec<u128> = (0..10).map(|_| back_off.ceiling_after(moment).as_millis()).collect();
    assert_eq!(millis, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    assert_eq!(back_off.ceiling_after(HEALTHY), BACK_OFF.0);
    let drawn: Vec<Duration> = (0..100).map(|_| jitter(BACK_OFF.1)).collect();
    assert!(drawn.iter().all(|pause| *pause <= BACK_OFF.1));
    assert!(drawn.iter().min() < drawn.iter().max(), "not everybody at the same time");
}

#[tokio::test]
async fn case_01_and_04_a_node_starts_from_the_newest_kept_policy_that_is_its_own() {
    let control = ControlPlane::start().await;
    let (fresh, node) = follower(&control);
    let sealed: Bytes = secrets(&node.public_key, [7; 32]).encode_to_vec().into();
    let place = fresh.holder.place();
    let keep = |sample: &Sample, secrets: &Bytes| {
        let (offer, digest) = (sample.offer(), sample.envelope.digest.as_slice());
        place.kept.keep((&offer, secrets), digest, || panic!("it is whole")).unwrap();
        let Envelope { epoch, revision, .. } = sample.envelope;
        let version = Version { epoch, revision, digest: digest.try_into().unwrap() };
        place.enforced.begin(&version);
        place.enforced.lives();
    };
    keep(&sample(5), &sealed);
    keep(&sample(6), &sealed);
    assert_eq!(restored(&control).await, Some((6, Some(vec![7; 32]))));

    // Another geo's file, copied here.
    let mut foreign = sample(7);
    foreign.envelope.scope.as_mut().unwrap().geo = "us".into();
    foreign.seal();
    keep(&foreign, &sealed);
    assert_eq!(restored(&control).await.unwrap().0, 6);

    // A file whose bytes rotted.
    let path = control.home().join("policy/policy.current");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(restored(&control).await.unwrap().0, 6);

    // A file of long ago, copied back.
    let (offer, digest) = (sample(1).offer(), sample(1).envelope.digest);
    place.kept.keep((&offer, &sealed), &digest, || panic!("it is whole")).unwrap();
    assert_eq!(restored(&control).await.unwrap().0, 6);

    // Secrets that do not open here: 503 is better than calling every key wrong.
    let other = NodeKey::open(&control.home().join("other.key")).unwrap();
    let others: Bytes = secrets(other.public(), [7; 32]).encode_to_vec().into();
    keep(&sample(8), &others);
    keep(&sample(9), &others);
    assert_eq!(restored(&control).await, None);
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
