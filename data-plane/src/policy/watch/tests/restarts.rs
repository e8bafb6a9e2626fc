//! What a process starts with that comes after others.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::freshness::tests::written;

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
async fn case_08_where_nothing_else_is_there_what_ended_processes_is_tried_again_after_a_minute() {
    let control = ControlPlane::start().await;
    for _ in 0..2 {
        let (mut killed, node) = follower(&control);
        killed.holder.renew(secrets(&node.public_key, [7; 32])).await;
        killed.holder.restore().await;
        if node.state.applied().is_none() {
            killed.holder.apply(&sample(5).offer()).await.unwrap();
            assert!(killed.holder.persist(sample(5).offer()).await);
        }
    }
    let (mut third, node) = follower(&control);
    third.holder.restore().await;
    assert_eq!(node.state.applied(), None);
    assert!(!third.holder.tries_again().await && node.state.applied().is_none(), "not at once");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    assert!(!third.holder.tries_again().await, "it is on the disk and needs not be asked for");
    assert_eq!(node.state.applied().unwrap().revision, 5);
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

#[tokio::test]
async fn case_100_a_node_whose_clock_was_set_back_starts_with_what_it_kept() {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    let control = ControlPlane::start().await;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // All of this was a week ahead of what the clock says now: its signer is six days too young.
    written(&control.home().join("policy"), wall + WEEK);
    let signer = AUTHORITY.signer_between(1, wall + WEEK / 7 * 6, wall + 2 * WEEK);
    let (mut first, node) = follower(&control);
    first.holder.renew(secrets(&node.public_key, [7; 32])).await;
    let offer = sample(5).signed_by(&signer);
    first.holder.apply(&offer).await.unwrap();
    assert!(first.holder.persist(offer).await);
    first.holder.ends();
    assert_eq!(restored(&control).await, Some((5, Some(vec![7; 32]))));
    // Nothing tells the time any more.
    written(&control.home().join("policy"), wall);
    assert_eq!(restored(&control).await, None);
}
