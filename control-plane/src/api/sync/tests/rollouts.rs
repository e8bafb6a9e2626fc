//! Rollouts as nodes see them: who is sent what, and when.

use prost::Message as _;
use proto::sync::node_message::Message as Said;
use proto::sync::{Hello, RevisionTally, Status};

use super::node::{Arrived, FakeNode, Port, Snapshot, soon};
use super::{document, tenant};
use crate::publish::{Act, InForce};

fn role(action: &str) -> String {
    document("Role", "name: r", &format!("permissions: [{{action: {action}, models: ['*']}}]"))
}

/// Two nodes that enforce the head.
async fn two(port: &Port) -> [FakeNode; 2] {
    let mut nodes = Vec::new();
    for name in ["eu-1", "eu-2"] {
        let mut node = port.node("eu", name, Hello::default()).await;
        let first = node.snapshot().await;
        node.ack(&first).await;
        nodes.push(node);
    }
    nodes.try_into().ok().unwrap()
}

fn canary(lines: &InForce) -> Option<String> {
    lines.rollout.as_ref()?.record.stages.first()?.nodes.first().cloned()
}

/// Which of the nodes is the canary of the rollout that is on its way, and which is not.
async fn split(port: &Port, nodes: [FakeNode; 2]) -> (FakeNode, FakeNode) {
    let mut lines = port.fixture.publisher.lines();
    let chosen = canary(&soon(lines.wait_for(|lines| canary(lines).is_some())).await.unwrap());
    let [first, second] = nodes;
    if chosen.as_deref() == Some("nodes/eu-1") { (first, second) } else { (second, first) }
}

/// The newest rollout as it is kept; active only while it is on its way.
async fn newest(port: &Port) -> proto::admin::Rollout {
    let store = port.fixture.publisher.store();
    let kept = store.rollouts(crate::store::Page { before: None, size: 1 }).await.unwrap().remove(0);
    let record = proto::admin::Rollout::decode(kept.body.as_slice()).unwrap();
    assert_eq!(kept.active, !crate::publish::lines::is_over(&record), "{record:?}");
    record
}

fn has(snapshot: &Snapshot, name: &str, word: &str) -> bool {
    let mut found = snapshot.contents.resources.iter().filter(|resource| resource.name == name);
    found.any(|resource| resource.body.windows(word.len()).any(|part| part == word.as_bytes()))
}

#[tokio::test]
async fn a_staged_change_comes_to_the_canary_alone_and_what_is_not_staged_to_all_at_once() {
    let port = Port::open().await;
    port.publish(&[tenant("a"), role("view")].concat()).await;
    let nodes = two(&port).await;
    let name = port.staged(&role("infer")).await.unwrap();
    assert_eq!(name, "rollouts/2");
    let (mut canary, mut other) = split(&port, nodes).await;
    let candidate = canary.snapshot().await;
    assert_eq!((candidate.envelope.revision, candidate.envelope.line.as_str()), (2, "candidate"));
    assert!(has(&candidate, "roles/r", "infer"));
    canary.ack(&candidate).await;
    other.confirmed(2).await;

    // A tenant is for all at once, and what is staged can't be changed beside its rollout.
    let beside = port.applied(&tenant("b")).await.unwrap();
    assert_eq!((beside.revision, beside.rollout.as_str(), beside.stages.len()), (3, "", 0));
    for (node, word, line) in [(&mut canary, "infer", "candidate"), (&mut other, "view", "stable")] {
        let next = node.snapshot().await;
        assert_eq!((next.envelope.revision, next.envelope.line.as_str()), (3, line));
        assert!(has(&next, "roles/r", word) && next.contents.resources.iter().any(|r| r.name == "tenants/b"));
        node.ack(&next).await;
    }
    let refused = port.tried(&role("view")).await.unwrap_err().to_string();
    assert!(refused.contains("rollouts/2"), "{refused}");
    // What is on its way already is said to be, and hinders nothing beside it.
    let again = port.applied(&role("infer")).await.unwrap();
    assert_eq!((again.revision, again.rollout.as_str(), again.stages.len()), (0, "rollouts/2", 0));
    let among = [role("infer"), tenant("b")].concat();
    assert_eq!(port.applied(&among).await.unwrap().rollout, "rollouts/2");
    let refused = port.staged(&document("Role", "name: s", "permissions: []")).await.unwrap_err().to_string();
    assert!(refused.contains("one rollout at a time"), "{refused}");

    // Taken back it goes on to what was there before, under a higher revision.
    let publisher = &port.fixture.publisher;
    assert!(publisher.take_back(Act::of_system("test"), &name, "a whim").await.unwrap());
    let ended = newest(&port).await;
    assert_eq!(ended.reason, "a whim");
    assert_eq!((ended.state.as_str(), ended.rollback_revision), ("aborted", 4));
    let back = canary.snapshot().await;
    assert_eq!((back.envelope.revision, back.envelope.line.as_str()), (4, "stable"));
    assert!(has(&back, "roles/r", "view"));
    canary.ack(&back).await;
    other.confirmed(4).await;
    assert!(!publisher.take_back(Act::of_system("test"), &name, "again").await.unwrap());
    assert_eq!(newest(&port).await, ended);
    assert_eq!(port.publish(&role("infer")).await, 5);
}

#[tokio::test]
async fn case_23_a_bad_change_is_held_at_the_canary_and_rolled_forward_to_what_was() {
    let port = Port::open().await;
    port.publish(&[tenant("a"), role("view")].concat()).await;
    let nodes = two(&port).await;
    port.staged(&role("infer")).await.unwrap();
    let (mut canary, mut other) = split(&port, nodes).await;
    let candidate = canary.snapshot().await;
    canary.nack(&candidate, "spec.permissions: too much").await;
    let mut lines = port.fixture.publisher.lines();
    soon(lines.wait_for(|lines| lines.rollout.is_none())).await.unwrap();
    let record = newest(&port).await;
    assert!(record.state == "aborted" && record.rollback_revision == 3, "{record:?}");
    assert!(record.reason.contains("VALIDATION spec.permissions: too much"), "{}", record.reason);
    // The canary refused it, and has what it had; the other never saw it.
    canary.confirmed(3).await;
    other.confirmed(3).await;
    assert!(canary.was_sent("infer") && !other.was_sent("infer"));
}

#[tokio::test]
async fn case_23_what_a_node_answered_by_the_stable_line_is_not_held_against_the_candidate_of_its_revision() {
    let port = Port::open().await;
    port.publish(&[tenant("a"), role("view")].concat()).await;
    let nodes = two(&port).await;
    port.staged(&role("infer")).await.unwrap();
    let (mut canary, mut other) = split(&port, nodes).await;
    let candidate = canary.snapshot().await;
    canary.ack(&candidate).await;
    // A tenant comes to both lines, as one revision.
    assert_eq!(port.publish(&tenant("b")).await, 3);
    let mut digests = Vec::new();
    for node in [&mut canary, &mut other] {
        let next = node.snapshot().await;
        assert_eq!(next.envelope.revision, 3);
        node.ack(&next).await;
        digests.push(next.envelope.digest);
    }
    let tally = |digest: &[u8], requests, denials| RevisionTally {
        revision: 3,
        requests,
        denials,
        digest: digest.to_vec(),
        ..RevisionTally::default()
    };
    let tallies = vec![tally(&digests[0], 40, 40), tally(&digests[1], 1000, 500)];
    canary.say(Said::Status(Status { tallies, ..Status::default() })).await;
    let mut lines = port.fixture.publisher.lines();
    soon(lines.wait_for(|lines| lines.rollout.is_none())).await.unwrap();
    let record = newest(&port).await;
    assert_eq!(
        record.reason,
        "refusals under the candidate: 100.0 % of 40 requests, 50.0 % of 1000 requests under the stable content"
    );
}

#[tokio::test]
async fn a_control_plane_that_starts_again_goes_on_with_its_rollout() {
    let port = Port::open().await;
    port.publish(&[tenant("a"), role("view")].concat()).await;
    let nodes = two(&port).await;
    let name = port.staged(&role("infer")).await.unwrap();
    split(&port, nodes).await;
    port.publish(&tenant("b")).await;
    let before = port.fixture.publisher.lines().borrow().clone();
    let again = crate::publish::tests::opened(port.fixture.dir.path()).await.unwrap();
    let after = again.lines().borrow().clone();
    assert_eq!(after.rollout.as_ref().unwrap().record.name, name);
    assert_eq!((&after.stable.facts, &after.head.facts), (&before.stable.facts, &before.head.facts));
    assert_ne!(after.stable.facts, after.head.facts);
}

#[tokio::test]
async fn a_kill_stays_told_where_what_it_names_leaves_the_policy_until_it_is_lifted() {
    let port = Port::open().await;
    port.publish(&[tenant("a"), tenant("b")].concat()).await;
    let mut node = port.node("us", "us-1", Hello::default()).await;
    let first = node.snapshot().await;
    node.ack(&first).await;
    let kills = port.fixture.publisher.kills().clone();
    let spec = proto::admin::KillSpec {
        target: "tenant".into(),
        resource: "tenants/a".into(),
        mode: "deny".into(),
        reason: "a test".into(),
        ..Default::default()
    };
    let (act, id) = (|| Act::of_system("test"), || "k".parse().unwrap());
    kills.create(act(), id(), spec).await.unwrap();
    let told = async |node: &mut FakeNode| loop {
        if let Arrived::Kills(set) = node.arrived().await {
            return set;
        }
    };
    assert_eq!(told(&mut node).await.kills.len(), 1);
    // It leaves the geo; the node serves what it had for a while yet.
    port.publish(&document("Tenant", "name: a", "currency: USD, geos: [eu]")).await;
    let without = loop {
        match node.arrived().await {
            Arrived::Snapshot(snapshot) => break snapshot,
            Arrived::Kills(set) => panic!("{set:?} before the policy that it is of"),
            _ => {}
        }
    };
    node.ack(&without).await;
    kills.lift(act(), id()).await.unwrap();
    let lifted = told(&mut node).await;
    assert!(lifted.kills.is_empty(), "nothing was told in between: {lifted:?}");
}
