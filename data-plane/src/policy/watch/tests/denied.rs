//! What holds above any policy, while one is taken over and after a restart.

use super::*;

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
async fn what_was_taken_over_is_confirmed_without_a_heartbeat_and_a_storm_of_it_in_few_words() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let (most, began) = (200, std::time::Instant::now());
    for seq in 1..=most {
        let set = RevocationSet {
            seq,
            scope: Some(Scope { geo: "eu".into(), node_class: String::new() }),
            ..RevocationSet::default()
        };
        session.say(Saying::Revocations(said(Subject::Revocations, set.encode_to_vec()))).await;
    }
    let mut words = 0_u128;
    loop {
        let status = session.status().await;
        words += 1;
        // The revision goes to the disk beside all this, and when it is there is told as well.
        if status.revocation_seq == most && status.persisted {
            assert_eq!(status.inflight, 3, "{status:?}");
            break;
        }
    }
    let room = began.elapsed().as_millis() / BETWEEN.as_millis();
    assert!(words <= room + 3, "{words} in {room}");
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
