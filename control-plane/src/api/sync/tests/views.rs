//! What is shown of a node: what it said last, and whether it can be sent anything.

use proto::admin::KillSpec;
use proto::manifest::SCHEMA;
use proto::sync::node_message::Message as Said;
use proto::sync::{CodeTally, Hello, RevisionTally, Status, UnusableEndpoint, Version};

use super::node::{Arrived, FakeNode, Port, soon};
use super::{document, tenant};
use crate::nodes::standing::Standing;
use crate::publish::Act;

fn shown(port: &Port) -> proto::admin::Node {
    let node = port.nodes.get(&"eu".parse().unwrap(), &"eu-1".parse().unwrap()).unwrap();
    Standing::of(&port.fixture.publisher).shown(node)
}

/// What is shown once it is as it should be.
async fn shows(
    port: &Port,
    node: &mut FakeNode,
    is: impl Fn(&proto::admin::Node) -> bool,
) -> proto::admin::Node {
    let waiting = async {
        while !is(&shown(port)) {
            node.arrived().await;
        }
        shown(port)
    };
    soon(waiting).await
}

#[tokio::test]
async fn case_22_a_node_of_another_form_is_held_shown_as_such_and_heard() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    for schema in [SCHEMA - 1, SCHEMA + 1] {
        let hello = Hello { schema, boot_id: schema.to_string(), ..Hello::default() };
        let mut node = port.node("eu", "eu-1", hello).await;
        assert!(matches!(node.arrived().await, Arrived::Welcome));
        // Until the line of its geo is made it hears that the control plane is there, and no more.
        let mut next = node.arrived().await;
        while matches!(next, Arrived::Heartbeat { head: 0 }) {
            next = node.arrived().await;
        }
        assert!(matches!(next, Arrived::Secrets(_)), "what it has goes on working");
        let head = port.publish(&tenant(&format!("b{schema}"))).await;
        // It is told how far it is behind, and never what it would not understand.
        node.confirmed(head).await;
        node.confirmed(head).await;
        let view = shown(&port);
        assert_eq!((view.state.as_str(), view.schema, view.lag), ("incompatible", schema, head));
        let (states, lagging) = port.nodes.tally(head);
        assert!(states.contains(&("incompatible", 1)) && lagging == 0, "nobody waits for it");
    }
    // The same node, of a build that understands.
    let mut node = port.node("eu", "eu-1", Hello { boot_id: "new".into(), ..Hello::default() }).await;
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    let view = shows(&port, &mut node, |view| view.lag == 0).await;
    assert_eq!((view.state.as_str(), view.schema, view.persisted), ("connected", SCHEMA, true));
}

#[tokio::test]
async fn whether_a_node_holds_what_is_switched_off_is_shown() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    shows(&port, &mut node, |view| view.kills == "held" && view.revocations == "held").await;
    let spec = KillSpec { target: "everything".into(), mode: "deny".into(), ..KillSpec::default() };
    let act = crate::act::Act::of_system("test");
    port.fixture.publisher.kills().create(act, "k".parse().unwrap(), spec).await.unwrap();
    assert_eq!(shown(&port).kills, "behind", "at once, before anything is told");
    let seq = loop {
        if let Arrived::Kills(set) = node.arrived().await {
            break set.seq;
        }
    };
    assert_eq!(shown(&port).kills, "behind");
    node.say(Said::Status(Status { kill_seq: seq, ..Status::default() })).await;
    shows(&port, &mut node, |view| view.kills == "held").await;
}

#[tokio::test]
async fn case_24_a_node_of_a_geo_that_nothing_can_be_made_for_hears_that_and_an_admin_reads_why() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let store = port.fixture.publisher.store();
    store.pragma("PRAGMA query_only = ON").await.unwrap();
    let mut node = port.node("br", "br-1", Hello::default()).await;
    node.confirmed(0).await;
    node.confirmed(0).await;
    let withheld = || {
        let node = port.nodes.get(&"br".parse().unwrap(), &"br-1".parse().unwrap()).unwrap();
        Standing::of(&port.fixture.publisher).shown(node).withheld
    };
    assert_eq!(withheld(), "the store can't be used at present");
    store.pragma("PRAGMA query_only = OFF").await.unwrap();
    let snapshot = node.snapshot().await;
    assert_eq!(snapshot.envelope.revision, 1);
    node.ack(&snapshot).await;
    node.confirmed(1).await;
    assert_eq!(withheld(), "");
}

#[tokio::test]
async fn a_node_that_is_new_is_in_the_store_before_it_is_answered() {
    let port = Port::open().await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    assert!(matches!(node.arrived().await, Arrived::Welcome));
    let kept = crate::nodes::NodeRegistry::open(port.fixture.publisher.store()).await.unwrap();
    assert_eq!(kept.list(None, 10)[0].1.name, "nodes/eu-1");
}

#[tokio::test]
async fn what_a_node_says_of_itself_is_shown_and_ends_with_its_process() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello { boot_id: "one".into(), ..Hello::default() }).await;
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    let endpoint = "endpoints/e".to_owned();
    let applied = Version { epoch: 1, revision: 1, digest: snapshot.envelope.digest.clone() };
    node.say(Said::Status(Status {
        applied: Some(applied),
        inflight: 3,
        clock_offset_ms: -75_000,
        revocation_seq: 4,
        kill_seq: 5,
        tallies: vec![RevisionTally {
            revision: 1,
            requests: 9,
            errors: 2,
            denials: 1,
            digest: vec![0xAB; 32],
            refusals: vec![CodeTally { code: "rule_forbids".into(), requests: 1 }],
        }],
        staleness: "fresh".into(),
        persisted: true,
        snapshots_alive: 2,
        unusable_endpoints: vec![UnusableEndpoint { endpoint, reason: "credential: not there".into() }],
        unusable_endpoint_count: 1,
        ..Status::default()
    }))
    .await;
    let view = shows(&port, &mut node, |view| view.confirm_time.is_some()).await;
    assert_eq!((view.head_revision, view.lag, view.inflight, view.snapshots_alive), (1, 0, 3, 2));
    assert_eq!((view.staleness.as_str(), view.persisted, view.clock_offset_ms), ("fresh", true, -75_000));
    assert_eq!((view.revocation_seq, view.kill_seq, view.unusable_endpoint_count), (4, 5, 1));
    let (tally, endpoint) = (&view.tallies[0], &view.unusable_endpoints[0]);
    assert_eq!((tally.revision, tally.requests, tally.errors, tally.denials), (1, 9, 2, 1));
    assert_eq!(tally.digest, "ab".repeat(32));
    assert_eq!((tally.refusals[0].code.as_str(), tally.refusals[0].requests), ("rule_forbids", 1));
    assert_eq!(
        (endpoint.endpoint.as_str(), endpoint.reason.as_str()),
        ("endpoints/e", "credential: not there")
    );
    let ends = view.certificate_expire_time.unwrap().seconds - view.connect_time.unwrap().seconds;
    assert!((80 * 86_400..=90 * 86_400).contains(&ends), "{ends}");

    drop(node);
    soon(async {
        while shown(&port).state != "disconnected" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let hello = Hello { boot_id: "two".into(), revocation_seq: 1, ..Hello::default() };
    let mut again = port.node("eu", "eu-1", hello).await;
    assert!(matches!(again.arrived().await, Arrived::Welcome));
    let view = shown(&port);
    assert_eq!((view.boot_id.as_str(), view.staleness.as_str(), view.confirm_time), ("two", "", None));
    assert_eq!((view.tallies.len(), view.unusable_endpoint_count, view.revocation_seq), (0, 0, 1));
}

#[tokio::test]
async fn case_22_a_held_node_is_told_a_kill_of_what_has_left_its_policy_before_anybody_told_it() {
    let port = Port::open().await;
    port.publish(&[tenant("acme"), tenant("other")].concat()).await;
    port.publish(&document("Tenant", "name: elsewhere", "currency: USD, geos: [us]")).await;
    // What is there named by what it refers to: its provider is of another geo, and so it is too.
    port.publish(
        &[
            document("Provider", "name: p", "adapter: simulated, geos: [us]"),
            document(
                "Endpoint",
                "name: e",
                "provider: p, upstreamModel: m, processingRegions: [US], storageRegions: [US]",
            ),
        ]
        .concat(),
    )
    .await;
    let kills = [("tenant", "tenants/acme"), ("tenant", "tenants/elsewhere"), ("endpoint", "endpoints/e")];
    for (at, (target, resource)) in kills.into_iter().enumerate() {
        let spec = KillSpec {
            target: target.into(),
            resource: resource.into(),
            mode: "deny".into(),
            reason: "a test".into(),
            ..KillSpec::default()
        };
        let id = format!("k{at}").parse().unwrap();
        port.fixture.publisher.kills().create(Act::of_system("test"), id, spec).await.unwrap();
    }
    // As after a start: no node of the geo was heard before it left the policy.
    port.publish(&document("Tenant", "name: acme", "currency: USD, geos: [us]")).await;
    let hello = Hello { schema: SCHEMA + 1, kill_epoch: 1, kill_seq: 1, ..Hello::default() };
    let mut node = port.node("eu", "eu-1", hello).await;
    let told = loop {
        if let Arrived::Kills(set) = node.arrived().await {
            break set.kills.into_iter().map(|kill| kill.name).collect::<Vec<_>>();
        }
    };
    assert_eq!(told, ["tenants/acme"]);
    assert!(!node.was_sent("endpoints/e") && !node.was_sent("tenants/elsewhere"));
}
