//! What nodes are sent, when, and what they are never sent.

mod bounds;
mod crowd;
mod node;
mod rollouts;
mod vendors;
mod views;
mod witnesses;

use prost::Message as _;
use proto::sync::node_message::Message as Said;
use proto::sync::{Hello, NackCode, Version};

use crate::issue::{self, Wanted};
use crate::publish::Act;
use node::{Arrived, Port, soon};

fn document(kind: &str, metadata: &str, spec: &str) -> String {
    format!("apiVersion: chancery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n---\n")
}

fn tenant(name: &str) -> String {
    document("Tenant", &format!("name: {name}"), "currency: USD")
}

#[tokio::test]
async fn at_most_one_snapshot_is_unanswered_and_the_latest_wins() {
    let port = Port::open().await;
    assert_eq!(port.publish(&tenant("a")).await, 1);
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let first = node.snapshot().await;
    assert_eq!((first.envelope.revision, first.contents.resources.len()), (1, 1));
    for (revision, name) in [(2, "b"), (3, "c"), (4, "d")] {
        assert_eq!(port.publish(&tenant(name)).await, revision);
    }
    node.confirmed(4).await;
    node.ack(&first).await;
    let latest = node.snapshot().await;
    assert_eq!((latest.envelope.revision, latest.contents.resources.len()), (4, 4));
    assert_eq!(latest.envelope.prev_digest.len(), 32);
    node.ack(&latest).await;
    // An answer to something else frees nothing and is nobody's.
    node.ack(&first).await;
    node.confirmed(4).await;
    let name = "eu-1".parse().unwrap();
    let seen = port.nodes.get(&"eu".parse().unwrap(), &name).unwrap();
    assert_eq!((seen.state.as_str(), seen.last_nack), ("connected", None));
}

#[tokio::test]
async fn case_13_what_was_refused_is_not_sent_again_and_its_author_is_told_why() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = node.snapshot().await;
    node.nack(&snapshot, "spec.route: there is no Endpoint `e` here").await;
    for _ in 0..5 {
        node.confirmed(1).await;
    }
    let (geo, name) = ("eu".parse().unwrap(), "eu-1".parse().unwrap());
    let nack = port.nodes.get(&geo, &name).unwrap().last_nack.unwrap();
    assert_eq!((nack.code.as_str(), nack.revision), ("VALIDATION", 1));
    assert!(nack.resource.contains("Model") && nack.detail.contains("Endpoint `e`"), "{nack:?}");
    // What changes nothing in its scope is not sent; what does is.
    assert_eq!(port.publish(&document("Provider", "name: p", "adapter: simulated, geos: [us]")).await, 2);
    node.confirmed(2).await;
    port.publish(&tenant("b")).await;
    assert_eq!(node.snapshot().await.envelope.revision, 3);
    // A node that comes again may be of another build: it is sent once more.
    let mut again = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = again.snapshot().await;
    again.nack(&snapshot, "still").await;
    again.confirmed(3).await;
}

#[tokio::test]
async fn a_node_that_has_it_is_sent_secrets_and_no_snapshot() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut first = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = first.snapshot().await;
    let (revision, digest) = (1, snapshot.envelope.digest.clone());
    let hello = Hello { applied: Some(Version { epoch: 1, revision, digest }), ..Hello::default() };
    let mut second = port.node("eu", "eu-2", hello).await;
    assert!(matches!(second.arrived().await, Arrived::Welcome));
    let Arrived::Secrets(bundle) = second.arrived().await else { panic!("secrets come first") };
    assert_eq!(bundle.scope_keys.len(), 1);
    second.confirmed(1).await;
    let seen = port.nodes.get(&"eu".parse().unwrap(), &"eu-2".parse().unwrap()).unwrap();
    assert_eq!((seen.applied_revision, seen.confirmed_revision), (1, 1));
}

#[tokio::test]
async fn case_11_a_node_that_knows_more_is_told_nothing_until_a_new_epoch_and_then_all() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let known = port.node("eu", "eu-9", takes_changes()).await.snapshot().await;
    // It has what this store has lost: a later revision, and revocations and kills of a later seq.
    let (revision, digest) = (9, vec![7; 32]);
    let lost = Hello { applied: Some(Version { epoch: 1, revision, digest }), ..takes_changes() };
    let lost = Hello { revocation_epoch: 1, revocation_seq: 8, kill_epoch: 1, kill_seq: 8, ..lost };
    let mut ahead = port.node("eu", "eu-1", lost).await;
    // It hears that the control plane is there, and by that no revision is confirmed to it.
    ahead.confirmed(0).await;
    let shown = |name: &str| port.nodes.get(&"eu".parse().unwrap(), &name.parse().unwrap()).unwrap();
    let eu_1 = shown("eu-1");
    assert_eq!((eu_1.ahead_epoch, eu_1.confirmed_revision), (1, 0));
    assert_eq!((eu_1.applied_epoch, eu_1.applied_revision), (1, 9));
    // This one has the same content as the head, and a later number; that one has the right number, and another content; the last one
    // has what is known, and was told of a kill that is not.
    let digest = known.envelope.digest.clone();
    let of = |revision, digest| Some(Version { epoch: 1, revision, digest });
    let same = Hello { applied: of(revision, digest.clone()), ..takes_changes() };
    let other = Hello { applied: of(1, vec![7; 32]), ..takes_changes() };
    let told = Hello { applied: of(1, digest), kill_epoch: 1, kill_seq: 8, ..takes_changes() };
    let mut same = port.node("eu", "eu-2", same).await;
    let mut other = port.node("eu", "eu-3", other).await;
    let mut told = port.node("eu", "eu-4", told).await;
    for (node, name) in [(&mut same, "eu-2"), (&mut other, "eu-3"), (&mut told, "eu-4")] {
        node.confirmed(0).await;
        assert_eq!(shown(name).ahead_epoch, 1, "{name}");
    }
    assert_eq!(shown("eu-9").ahead_epoch, 0);

    let act = Act { reason: "restored".into(), ..Act::of_system("test") };
    port.fixture.publisher.bump_epoch(act).await.unwrap();
    for (node, base) in [(&mut ahead, 0), (&mut same, 32), (&mut other, 0), (&mut told, 32)] {
        let snapshot = node.snapshot().await;
        assert_eq!((snapshot.envelope.epoch, snapshot.envelope.revision), (2, 2));
        assert_eq!((snapshot.envelope.shrink_revision, snapshot.base.len()), (2, base));
        node.ack(&snapshot).await;
        node.confirmed(2).await;
    }
    // Whoever comes later is told that this epoch took nothing back and switched nothing off.
    let mut later = port.node("eu", "eu-5", Hello { kill_epoch: 1, kill_seq: 8, ..Hello::default() }).await;
    let (mut revocations, mut kills) = (None, None);
    while revocations.is_none() || kills.is_none() {
        match later.arrived().await {
            Arrived::Revocations(set) => revocations = Some((set.epoch, set.seq)),
            Arrived::Kills(set) => kills = Some((set.epoch, set.seq)),
            _ => {}
        }
    }
    assert_eq!((revocations, kills), (Some((2, 0)), Some((2, 0))));
}

fn takes_changes() -> Hello {
    Hello { capabilities: vec!["delta".into()], ..Hello::default() }
}

#[tokio::test]
async fn a_node_that_takes_changes_is_sent_what_changed_of_what_it_has() {
    let port = Port::open().await;
    for name in ["a", "b", "c"] {
        port.publish(&tenant(name)).await;
    }
    let mut node = port.node("eu", "eu-1", takes_changes()).await;
    let mut plain = port.node("eu", "eu-2", Hello::default()).await;
    let whole = node.snapshot().await;
    assert_eq!((whole.base.len(), whole.contents.resources.len()), (0, 3));
    node.ack(&whole).await;
    let first = plain.snapshot().await;
    plain.ack(&first).await;
    let encoded = || port.fixture.publisher.metrics().encoded.get();
    let before = encoded();
    port.publish(&tenant("d")).await;
    let changes = node.snapshot().await;
    assert_eq!(changes.base, whole.envelope.digest);
    let names: Vec<&str> = changes.contents.resources.iter().map(|r| r.name.as_str()).collect();
    assert_eq!((names, changes.contents.removed.len()), (vec!["tenants/d"], 0));
    let second = plain.snapshot().await;
    assert_eq!((second.base.len(), second.contents.resources.len()), (0, 4));
    assert_eq!(second.envelope.digest, changes.envelope.digest);
    assert_eq!(encoded() - before, 2, "each form is encoded once");
    // What the changes did not lead to, the whole does; once, and from then on.
    node.nacks(&changes, NackCode::DigestMismatch, "another root").await;
    let again = node.snapshot().await;
    assert_eq!((again.base.len(), again.contents.resources.len()), (0, 4));
    node.ack(&again).await;
    plain.ack(&second).await;
    assert_eq!(encoded() - before, 2);
}

#[tokio::test]
async fn a_revision_a_node_missed_is_in_the_changes_it_is_sent() {
    let port = Port::open().await;
    for name in ["a", "b", "c", "d"] {
        port.publish(&tenant(name)).await;
    }
    let mut node = port.node("eu", "eu-1", takes_changes()).await;
    let first = node.snapshot().await;
    for name in ["e", "f"] {
        port.publish(&tenant(name)).await;
    }
    node.confirmed(6).await;
    node.ack(&first).await;
    let changes = node.snapshot().await;
    assert_eq!((changes.base, changes.contents.resources.len()), (first.envelope.digest, 2));
    // A node that comes with something of an earlier epoch that nobody knows is sent everything.
    let stranger = Version { epoch: 0, revision: 1, digest: vec![7; 32] };
    let mut other = port.node("eu", "eu-2", Hello { applied: Some(stranger), ..takes_changes() }).await;
    assert_eq!(other.snapshot().await.base.len(), 0);
}

#[tokio::test]
async fn what_was_taken_back_is_told_at_once_and_again_only_when_it_is_more() {
    let port = Port::open().await;
    let people = [
        tenant("acme"),
        document("Team", "name: crew, tenant: acme", "jurisdictions: [EU]"),
        document("Principal", "name: ada, tenant: acme", "type: user, teams: [crew]"),
    ];
    port.publish(&people.concat()).await;
    let spec = proto::admin::KeySpec {
        tenant: "acme".into(),
        principal: "ada".into(),
        team: "crew".into(),
        ..Default::default()
    };
    let wanted = vec![Wanted { spec, ..Wanted::default() }];
    let issued = issue::create(&port.fixture.publisher, Act::of_system("test"), wanted).await.unwrap();
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    // It never answers its snapshot, and yet it is told.
    node.snapshot().await;
    let id = proto::name::parse_as(policy_engine::vocabulary::Kind::Key, &issued[0].key.name).unwrap();
    issue::revoke(&port.fixture.publisher, Act::of_system("test"), &id).await.unwrap();
    let told = loop {
        match node.arrived().await {
            Arrived::Revocations(set) => break set,
            Arrived::Snapshot(_) => panic!("one is unanswered"),
            _ => {}
        }
    };
    let digest = crate::registry::sha256(id.name.as_str().as_bytes());
    assert_eq!((told.seq, told.keys), (3, vec![digest[..16].to_vec()]));
    // Who knows it is not told again; who does not, is.
    let mut knows =
        port.node("eu", "eu-2", Hello { revocation_epoch: 1, revocation_seq: 3, ..Hello::default() }).await;
    let mut does_not = port.node("eu", "eu-3", Hello::default()).await;
    for (node, expected) in [(&mut knows, 0), (&mut does_not, 1)] {
        let mut count = 0;
        loop {
            match node.arrived().await {
                Arrived::Revocations(_) => count += 1,
                Arrived::Heartbeat { head: 3 } => break,
                _ => {}
            }
        }
        assert_eq!(count, expected);
    }
}

#[tokio::test]
async fn what_is_switched_off_is_told_at_once_and_so_is_that_it_is_lifted() {
    let port = Port::open().await;
    port.publish(&tenant("acme")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    let kills = port.fixture.publisher.kills();
    let spec = proto::admin::KillSpec {
        target: "tenant".into(),
        resource: "tenants/acme".into(),
        mode: "deny".into(),
        reason: "a test".into(),
        ..Default::default()
    };
    let id: policy_engine::vocabulary::Name = "stop".parse().unwrap();
    kills.create(Act::of_system("test"), id.clone(), spec).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        if let Arrived::Kills(set) = node.arrived().await {
            seen.push((set.seq, set.kills.iter().map(|kill| kill.name.clone()).collect::<Vec<_>>()));
            if seen.len() == 1 {
                kills.lift(Act::of_system("test"), id.clone()).await.unwrap();
            }
        }
    }
    assert_eq!((&seen[0].1, seen[1].1.len()), (&vec!["tenants/acme".to_owned()], 0));
    assert!(seen[1].0 > seen[0].0, "{seen:?}");
}

#[tokio::test]
async fn a_node_stays_connected_when_another_process_of_its_name_ends() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let hello = |boot: &str| Hello { boot_id: boot.into(), ..Hello::default() };
    let shown = || port.nodes.get(&"eu".parse().unwrap(), &"eu-1".parse().unwrap()).unwrap();
    let mut first = port.node("eu", "eu-1", hello("one")).await;
    let snapshot = first.snapshot().await;
    first.ack(&snapshot).await;
    while shown().confirmed_revision < 1 {
        first.confirmed(1).await;
    }
    let mut second = port.node("eu", "eu-1", hello("two")).await;
    second.snapshot().await;
    assert_eq!((shown().boot_id.as_str(), shown().confirmed_revision), ("two", 0));
    drop(second);
    while shown().boot_id != "one" {
        first.confirmed(1).await;
    }
    let node = shown();
    assert_eq!((node.state.as_str(), node.applied_revision, node.confirmed_revision), ("connected", 1, 1));
    drop(first);
    let ended = async {
        while shown().state != "disconnected" {
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
}

#[tokio::test]
async fn case_24_streams_outlive_a_store_that_fails() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = node.snapshot().await;
    node.ack(&snapshot).await;
    let store = port.fixture.publisher.store();
    store.pragma("PRAGMA query_only = 1").await.unwrap();
    assert!(port.tried(&tenant("b")).await.is_err());
    for _ in 0..5 {
        node.confirmed(1).await;
    }
    // The first node of a geo needs a new scope key, which can't be kept now: it waits, and is served once it can.
    let mut first = port.node("us", "us-1", Hello::default()).await;
    assert!(matches!(first.arrived().await, Arrived::Welcome));
    for _ in 0..10 {
        node.confirmed(1).await;
    }
    store.pragma("PRAGMA query_only = 0").await.unwrap();
    assert_eq!(first.snapshot().await.envelope.revision, 1);
    assert_eq!(port.publish(&tenant("b")).await, 2);
    assert_eq!(node.snapshot().await.envelope.revision, 2);
}

#[tokio::test]
async fn case_14_who_and_where_a_node_is_comes_from_its_certificate_alone() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    // There is no place in a Hello to say another geo; what it does say changes nothing of where it is.
    let lie = Hello { node_class: "us".into(), build: "geo/us".into(), ..Hello::default() };
    let mut node = port.node("eu", "eu-1", lie).await;
    assert_eq!(node.snapshot().await.envelope.scope.unwrap().geo, "eu");
    // A second Hello is no second chance.
    node.say(Said::Hello(Hello { node_class: "us".into(), ..Hello::default() })).await;
    port.publish(&tenant("b")).await;
    assert!(port.nodes.get(&"us".parse().unwrap(), &"eu-1".parse().unwrap()).is_none());

    let hello = || Said::Hello(Hello::default());
    let none = refusal(&port, None, hello()).await;
    assert!(none.contains("ertificate"), "no certificate at all: {none}");
    let elsewhere = Port::open().await;
    let foreign = elsewhere.certificate("eu", "eu-1");
    refusal(&port, Some(&foreign), hello()).await;
    let server = port.authority.issue_server(&["127.0.0.1".to_owned()], crate::ca::LEAF_VALIDITY).unwrap();
    refusal(&port, Some(&server), hello()).await;
    let before = events(&port).await;
    let stranger = port.certificate_without_id();
    assert!(refusal(&port, Some(&stranger), hello()).await.contains("PermissionDenied"));
    let after = events(&port).await;
    assert_eq!(after.len(), before.len() + 1, "who knocks with a certificate of ours is logged");
    assert_eq!(after[0].outcome, "permission_denied");
}

/// What is logged, newest first.
async fn events(port: &Port) -> Vec<proto::admin::AuditEvent> {
    let page = crate::store::Page { before: None, size: 100 };
    let logged = port.fixture.publisher.store().events(page).await.unwrap();
    logged.iter().map(|event| proto::admin::AuditEvent::decode(event.body.as_slice()).unwrap()).collect()
}

/// How a stream ends that never begins.
async fn refusal(port: &Port, issued: Option<&crate::ca::Issued>, first: Said) -> String {
    match port.stream(issued, first).await {
        Err(error) => error,
        Ok((_say, mut said)) => format!("{:?}", soon(said.message()).await.expect_err("a refusal")),
    }
}

#[tokio::test]
async fn a_stream_that_begins_wrong_is_ended_with_a_reason() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let issued = port.certificate("eu", "eu-1");
    let status = Said::Status(proto::sync::Status::default());
    assert!(refusal(&port, Some(&issued), status).await.contains("begins with a Hello"));
    let (_say, mut said) = port.stream(Some(&issued), Said::Hello(node::no_key())).await.unwrap();
    let ended = loop {
        if let Err(status) = soon(said.message()).await {
            break status;
        }
    };
    assert_eq!(ended.code(), tonic::Code::InvalidArgument);
    assert!(ended.message().contains("sealed"), "{ended:?}");
}

#[tokio::test]
async fn case_15_nothing_of_another_geo_is_ever_on_the_wire() {
    let port = Port::open().await;
    let ours = "acme";
    let text = [
        document("Tenant", "name: acme", "currency: USD"),
        document("Team", "name: crew, tenant: acme", "jurisdictions: [EU]"),
        document("Principal", "name: ada, tenant: acme", "type: user, teams: [crew]"),
        document("Tenant", "name: canary-tenant", "currency: USD, displayName: canary-display, geos: [us]"),
        document(
            "Provider",
            "name: canary-provider",
            "adapter: openai, baseUrl: 'https://canary-host.test/v1', credential: {value: sk-canary-secret}, geos: [us]",
        ),
        document(
            "Provider",
            "name: shared",
            "adapter: openai, baseUrl: 'https://shared.test/v1', credential: {value: sk-shared-secret}",
        ),
        document(
            "Endpoint",
            "name: canary-endpoint",
            "provider: canary-provider, upstreamModel: canary-upstream, processingRegions: [US], storageRegions: [US], geos: [us]",
        ),
        document(
            "Endpoint",
            "name: near",
            "provider: shared, upstreamModel: m, processingRegions: [EU], storageRegions: [EU]",
        ),
        document(
            "Model",
            "name: both",
            "card: {operations: [chat]}, route: {groups: [[{endpoint: near}], [{endpoint: canary-endpoint}]]}",
        ),
        document(
            "Rule",
            "name: canary-rule",
            "layer: regulation, effect: forbid, when: 'model.name == \"canary-condition\"', geos: [us]",
        ),
        document(
            "Guardrail",
            "name: canary-guardrail",
            "applies: {models: ['*']}, input: [{words: [canary-word], action: block}], geos: [us]",
        ),
    ];
    port.publish(&text.concat()).await;
    let mut made = Vec::new();
    for geo in ["us", "eu"] {
        let (tenant, principal, team) = (ours.into(), "ada".into(), "crew".into());
        let spec =
            proto::admin::KeySpec { tenant, principal, team, geos: vec![geo.into()], ..Default::default() };
        let wanted = vec![Wanted { spec, ..Wanted::default() }];
        let issued = issue::create(&port.fixture.publisher, Act::of_system("test"), wanted).await.unwrap();
        made.push(issued[0].secret.split('_').nth(1).unwrap().to_owned());
    }
    let mut eu = port.node("eu", "eu-1", Hello::default()).await;
    let mut us = port.node("us", "us-1", Hello::default()).await;
    for node in [&mut eu, &mut us] {
        let snapshot = node.snapshot().await;
        node.ack(&snapshot).await;
        node.confirmed(3).await;
    }
    let canaries = [
        "canary-tenant",
        "canary-display",
        "canary-provider",
        "canary-host",
        "sk-canary-secret",
        "canary-endpoint",
        "canary-upstream",
        "canary-rule",
        "canary-condition",
        "canary-guardrail",
        "canary-word",
        &made[0],
    ];
    for canary in canaries {
        assert!(us.was_sent(canary), "`{canary}` is looked for where it is");
        assert!(!eu.was_sent(canary), "`{canary}` is of `us`");
    }
    for shared in ["sk-shared-secret", "near", &made[1]] {
        assert!(eu.was_sent(shared), "`{shared}`");
    }
    assert!(!us.was_sent(&made[1]));
}
