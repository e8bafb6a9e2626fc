//! What witnesses of the audit log are shown, and what is shown of them.

use proto::checkpoint::Checkpoint;
use proto::sync::{AuditCheckpoint, Envelope, Witnessed};
use proto::tree::{Hash, extends};

use super::node::FakeNode;
use super::*;

fn witness(size: u64) -> Hello {
    Hello { capabilities: vec!["witness".to_owned()], audit_log_size: size, ..Hello::default() }
}

/// The next that is shown, before any snapshot.
async fn shown(node: &mut FakeNode) -> AuditCheckpoint {
    loop {
        match node.arrived().await {
            Arrived::Audit(shown) => return shown,
            Arrived::Snapshot(snapshot) => panic!("revision {} first", snapshot.envelope.revision),
            _ => {}
        }
    }
}

fn read(port: &Port, shown: &AuditCheckpoint) -> (u64, Hash) {
    let (_, key) = port.checkpoints.keys().next().unwrap();
    assert_eq!(shown.keys, [key.to_string()]);
    let read = Checkpoint::verified(std::str::from_utf8(&shown.note).unwrap(), key).unwrap();
    (read.size, read.root)
}

async fn says(node: &FakeNode, size: u64, inconsistency: &str) {
    node.say(Said::Witnessed(Witnessed { size, inconsistency: inconsistency.to_owned() })).await;
}

async fn view(port: &Port, is: impl Fn(&proto::admin::Node) -> bool) -> proto::admin::Node {
    let find = async {
        loop {
            let found = port.nodes.get(&"eu".parse().unwrap(), &"eu-1".parse().unwrap());
            if let Some(node) = found.filter(&is) {
                return node;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(find).await
}

#[tokio::test]
async fn a_witness_is_shown_the_log_before_a_snapshot_and_each_newer_one_with_its_proof() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let first = port.checkpoints.now().await.unwrap().unwrap();
    let mut plain = port.node("eu", "eu-2", Hello::default()).await;
    let mut node = port.node("eu", "eu-1", witness(0)).await;
    let (size, root) = read(&port, &shown(&mut node).await);
    assert_eq!(i64::try_from(size), Ok(first.size));
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    // Nothing is said while the one before is unanswered, nor while nothing changes.
    port.publish(&tenant("b")).await;
    port.checkpoints.now().await.unwrap();
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    node.confirmed(2).await;
    says(&node, size, "").await;
    let next = shown(&mut node).await;
    let (larger, newer) = read(&port, &next);
    let proof: Vec<Hash> = next.proof.as_chunks().0.to_vec();
    assert!(larger > size && extends((size, &root), (larger, &newer), &proof));
    says(&node, larger, "").await;
    view(&port, |node| node.audit_log_size == larger).await;
    for _ in 0..3 {
        assert!(matches!(node.arrived().await, Arrived::Heartbeat { .. } | Arrived::Secrets(_)));
    }
    // One that is no witness is told nothing of it.
    for _ in 0..8 {
        assert!(!matches!(plain.arrived().await, Arrived::Audit(_)));
    }
}

#[tokio::test]
async fn what_a_witness_finds_wrong_is_shown_of_it_and_it_is_shown_the_log_again_in_a_new_epoch() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let Envelope { epoch, revision, digest, .. } = node.snapshot().await.envelope;
    let applied = Some(Version { epoch, revision, digest });
    drop(node);
    port.publish(&tenant("b")).await;
    // It has seen more than there is: nothing can be proved to it.
    let mut node = port.node("eu", "eu-1", Hello { applied: applied.clone(), ..witness(1_000) }).await;
    let rolled = shown(&mut node).await;
    assert!(rolled.proof.is_empty() && rolled.fault.is_empty());
    says(&node, 1_000, "the audit log was rolled back").await;
    let seen = view(&port, |node| !node.audit_inconsistency.is_empty()).await;
    assert_eq!(
        (seen.audit_log_size, seen.audit_inconsistency.as_str()),
        (1_000, "the audit log was rolled back")
    );
    let snapshot = node.snapshot().await;
    node.nacks(&snapshot, NackCode::AuditInconsistent, "the audit log was rolled back").await;
    let refused = view(&port, |node| node.last_nack.is_some()).await.last_nack.unwrap();
    assert_eq!(refused.code, "AUDIT_INCONSISTENT");
    for _ in 0..3 {
        assert!(!matches!(node.arrived().await, Arrived::Audit(_)), "it was shown this, and answered");
    }

    port.fixture.publisher.bump_epoch(Act::of_system("test")).await.unwrap();
    let snapshot = node.snapshot().await;
    assert_eq!(snapshot.envelope.epoch, 2);
    node.ack(&snapshot).await;
    // What it is shown then holds the act that began the epoch.
    let events = port.fixture.publisher.store().audit_size().await.unwrap();
    let (size, _) = read(&port, &shown(&mut node).await);
    assert!(size >= events, "{size} of {events}");
    says(&node, size, "").await;
    view(&port, |node| node.audit_inconsistency.is_empty() && node.audit_log_size == size).await;

    // One that comes with a policy of the epoch before is sent the new one first.
    let mut late = port.node("eu", "eu-3", Hello { applied, ..witness(1_000) }).await;
    let first = loop {
        match late.arrived().await {
            Arrived::Snapshot(snapshot) => break snapshot,
            Arrived::Audit(_) => panic!("it is held to what the new epoch lets go of"),
            _ => {}
        }
    };
    // Where it can't take that before it has seen the log, as after its newest policy was lost on disk, it is sent it again.
    late.nacks(&first, NackCode::AuditInconsistent, "the audit log is not shown any more").await;
    let (size, _) = read(&port, &shown(&mut late).await);
    says(&late, size, "").await;
    let again = late.snapshot().await;
    assert_eq!(again.envelope.digest, first.envelope.digest);
    late.ack(&again).await;
    shown(&mut late).await;
}

#[tokio::test]
async fn a_log_that_was_changed_behind_our_back_is_admitted_to_its_witnesses() {
    let port = Port::open().await;
    for name in ["a", "b", "c"] {
        port.publish(&tenant(name)).await;
    }
    port.checkpoints.now().await.unwrap();
    let mut node = port.node("eu", "eu-1", witness(0)).await;
    let (size, _) = read(&port, &shown(&mut node).await);
    says(&node, size, "").await;
    let store = port.fixture.publisher.store();
    store.pragma("DROP TRIGGER audit_node_keeps").await.unwrap();
    store.pragma("UPDATE audit_node SET hash = zeroblob(32)").await.unwrap();
    port.checkpoints.now().await.unwrap_err();
    let admitted = loop {
        if let Arrived::Audit(shown) = node.arrived().await {
            break shown;
        }
    };
    assert_eq!(admitted.fault, "its audit log is not the one that it signed for");
}
