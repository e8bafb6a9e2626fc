//! Sendings that are none, or come twice or late: each is refused or left alone, costs nothing, and ends nothing.

use proto::sync::{Chunk, SnapshotBegin, SnapshotEnd};

use super::*;

fn end() -> Saying {
    Saying::SnapshotEnd(SnapshotEnd { sha256: vec![0; 32] })
}

fn chunk(index: u32) -> Saying {
    Saying::Chunk(Chunk { index, data: Bytes::from_static(b"abcd") })
}

fn begin(total_bytes: u64, chunk_count: u32) -> Saying {
    Saying::SnapshotBegin(SnapshotBegin { nonce: 1, total_bytes, chunk_count, ..SnapshotBegin::default() })
}

#[tokio::test]
async fn case_09_what_is_no_sending_costs_nothing_and_the_next_good_one_is_taken() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    // Nothing was begun.
    for stray in [end(), chunk(0), chunk(u32::MAX), end()] {
        session.say(stray).await;
    }
    session.heartbeat(5).await;
    assert_eq!(session.status().await.applied.unwrap().revision, 5, "it follows on");
    for (wrong, code) in [
        (vec![begin(1 << 63, 1)], NackCode::LimitExceeded),
        (vec![begin(u64::MAX, u32::MAX)], NackCode::LimitExceeded),
        (vec![begin(8, 2), chunk(1)], NackCode::ResourceMissing),
        (vec![begin(8, 2), chunk(0), chunk(0)], NackCode::ResourceMissing),
        (vec![begin(4, 2), chunk(0), chunk(1)], NackCode::LimitExceeded),
        (vec![begin(512 << 20, u32::MAX), chunk(0), end()], NackCode::ResourceMissing),
        (vec![begin(4, 1), chunk(0), end()], NackCode::DigestMismatch),
    ] {
        for said in wrong {
            session.say(said).await;
        }
        let nack = session.answer().await.unwrap_err();
        assert_eq!((nack.code(), nack.running.unwrap().revision), (code, 5), "{}", nack.detail);
        // The rest of what was refused is nothing any more: one answer is all there is.
        for rest in [chunk(1), end()] {
            session.say(rest).await;
        }
    }
    // Whoever begins anew has let go of what was begun before.
    session.say(begin(8, 2)).await;
    assert_eq!(session.offer(&sample(6)).await.unwrap().revision, 6);
}

#[tokio::test]
async fn case_09_what_comes_twice_or_late_leads_nowhere_and_never_back() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let mut facts = world::facts();
    facts.keys.remove(&world::name("old"));
    let (change, after) = (Sample::delta(&facts, 6, &sample(5)), Sample::of(&facts, 6));
    let back = Sample::delta(&world::facts(), 7, &after);
    let head = sample(7).envelope.digest;
    for (offered, expected) in [
        (sample(5), Ok(5)),
        (change.clone(), Ok(6)),
        (change.clone(), Err(NackCode::BaseMissing)),
        (sample(5), Err(NackCode::StaleRevision)),
        (after.clone(), Ok(6)),
        (back.clone(), Ok(7)),
        (change, Err(NackCode::StaleRevision)),
        (after, Err(NackCode::StaleRevision)),
        (back, Err(NackCode::BaseMissing)),
        (sample(7), Ok(7)),
    ] {
        let before = node.state.applied().unwrap().revision;
        match (session.offer(&offered).await, expected) {
            (Ok(version), Ok(revision)) => assert_eq!(version.revision, revision),
            (Err(nack), Err(code)) => {
                assert_eq!((nack.code(), nack.running.unwrap().revision), (code, before), "{}", nack.detail);
            }
            (told, expected) => panic!("{told:?} where {expected:?} was expected"),
        }
        assert!(node.state.applied().unwrap().revision >= before);
    }
    assert_eq!(node.state.applied().unwrap().digest, head[..]);
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    again.holder.ends();
    assert_eq!(restarted.state.applied().unwrap().digest, head[..]);
}
