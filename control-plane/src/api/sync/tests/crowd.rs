//! Many nodes at once: that make changes meet, that read nothing, that all come again.

use proto::sync::{Hello, Version};
use tokio::task::JoinSet;

use super::node::{Arrived, FakeNode, Port, soon};
use super::{document, takes_changes, tenant};

/// Takes over whatever comes until the head is a revision, and gives the digest it is then at.
async fn follow(node: &mut FakeNode, head: i64, mut at: Vec<u8>) -> Vec<u8> {
    loop {
        match node.arrived().await {
            Arrived::Snapshot(snapshot) => {
                assert!(snapshot.base.is_empty() || snapshot.base == at, "a change of what it does not have");
                node.ack(&snapshot).await;
                at = snapshot.envelope.digest;
                if snapshot.envelope.revision == head {
                    return at;
                }
            }
            Arrived::Heartbeat { head: told } => assert!(told <= head),
            _ => {}
        }
    }
}

#[tokio::test]
async fn case_12_of_changes_made_at_once_none_is_skipped_and_every_node_ends_at_the_head() {
    const MADE: usize = 24;
    let port = std::sync::Arc::new(Port::open().await);
    port.publish(&tenant("a")).await;
    let mut nodes = [
        port.node("eu", "eu-1", takes_changes()).await,
        port.node("eu", "eu-2", Hello::default()).await,
        port.node("us", "us-1", takes_changes()).await,
    ];
    let mut made = JoinSet::new();
    for n in 0..MADE {
        let port = port.clone();
        made.spawn(async move { port.publish(&tenant(&format!("t{n}"))).await });
    }
    let mut revisions: Vec<i64> = soon(made.join_all()).await;
    revisions.sort_unstable();
    assert_eq!(revisions, (2..2 + MADE as i64).collect::<Vec<_>>(), "each change is a revision of its own");
    let head = 1 + MADE as i64;
    let mut digests = Vec::new();
    for node in &mut nodes {
        digests.push(follow(node, head, Vec::new()).await);
    }
    let whole = port.node("eu", "eu-3", Hello::default()).await.snapshot().await;
    assert_eq!((whole.envelope.revision, whole.contents.resources.len()), (head, MADE + 1));
    assert_eq!(digests[..2], [whole.envelope.digest.clone(), whole.envelope.digest]);
}

/// More than fits into a connection's buffers.
fn large() -> String {
    let line = |n: usize| {
        let text = "words ".repeat(60);
        document(
            "Rule",
            &format!("name: r{n}"),
            &format!("effect: forbid, layer: organisation, when: \"purpose == 'p{n} {text}'\""),
        )
    };
    (0..1_500).map(line).collect()
}

#[tokio::test]
async fn case_19_nodes_that_read_nothing_hold_up_nobody() {
    const STALLED: usize = 50;
    let port = Port::open().await;
    port.publish(&large()).await;
    let mut stalled = Vec::new();
    for n in 0..STALLED {
        stalled.push(port.node("eu", &format!("stalled-{n}"), Hello::default()).await);
    }
    let encoded = || port.fixture.publisher.metrics().encoded.get();
    let mut node = port.node("eu", "eu-1", takes_changes()).await;
    let whole = node.snapshot().await;
    node.ack(&whole).await;
    let before = encoded();
    for revision in 2..8 {
        assert_eq!(port.publish(&tenant(&format!("t{revision}"))).await, revision);
        let change = node.snapshot().await;
        assert_eq!((change.envelope.revision, change.base.is_empty()), (revision, false));
        node.ack(&change).await;
    }
    assert_eq!(encoded() - before, 6, "what nobody reads is not made for them either");
    // One that reads again is where everybody is.
    let late = stalled.first_mut().unwrap();
    let first = late.snapshot().await;
    late.ack(&first).await;
    let latest = if first.envelope.revision == 7 { first } else { late.snapshot().await };
    assert_eq!(latest.envelope.revision, 7, "latest wins");
}

#[tokio::test]
async fn case_20_who_comes_again_all_at_once_is_healthy_and_nothing_is_encoded_again() {
    const NODES: usize = 100;
    let port = std::sync::Arc::new(Port::open().await);
    port.publish(&large()).await;
    let whole = port.node("eu", "first", Hello::default()).await.snapshot().await;
    let digest = whole.envelope.digest;
    let encoded = || port.fixture.publisher.metrics().encoded.get();
    let before = encoded();
    for storm in 0..2 {
        let mut came = JoinSet::new();
        for n in 0..NODES {
            let (port, digest) = (port.clone(), digest.clone());
            came.spawn(async move {
                let applied = (n % 2 == 0).then_some(Version { epoch: 1, revision: 1, digest });
                let hello = Hello { applied, ..takes_changes() };
                let has_it = hello.applied.is_some();
                let mut node = port.node("eu", &format!("eu-{n}"), hello).await;
                if !has_it {
                    let snapshot = node.snapshot().await;
                    node.ack(&snapshot).await;
                }
                node.confirmed(1).await;
            });
        }
        let came = tokio::time::timeout(std::time::Duration::from_secs(60), came.join_all()).await;
        assert_eq!(came.expect("all are healthy within a minute").len(), NODES, "storm {storm}");
    }
    assert_eq!(encoded(), before, "what was made once is made once");
}
