//! A node that the control plane is not heard of: from disk, and cut off in the middle.

use std::sync::Arc;
use std::time::SystemTime;

use policy_engine::facts::{Facts, Staleness};
use policy_engine::vocabulary::Duration;
use proto::inference::content_part::Part;
use proto::inference::{ContentPart, Message, Role};

use super::*;
use crate::freshness::tests::says;

/// The code of a chat over gRPC; empty where it is answered.
async fn spoken(channel: &Channel) -> String {
    let content = vec![ContentPart { part: Some(Part::Text("hi".into())) }];
    let messages = vec![Message { role: Role::User.into(), content, ..Message::default() }];
    let asked = ChatRequest { model: "fast".into(), messages, ..ChatRequest::default() };
    let mut request = tonic::Request::new(asked);
    request.metadata_mut().insert("authorization", "Bearer chy_demo_secret".parse().unwrap());
    match InferenceClient::new(channel.clone()).chat(request).await {
        Ok(_) => String::new(),
        Err(status) => proto::status::Refusal::of_status(&status).code.to_string(),
    }
}

fn minute() -> Facts {
    says(Staleness { keys: Some(Duration(60_000_000)), ..Staleness::default() })
}

#[tokio::test]
async fn case_17_a_node_that_is_cut_off_serves_until_its_policy_is_too_old_and_heals_with_what_was_revoked() {
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.secrets(secrets(&session.hello.hpke_public_key.clone(), [7; 32])).await;
    session.offer(&Sample::of(&minute(), 5)).await.unwrap();
    session.heartbeat(5).await;
    let status = session.status().await;
    assert_eq!((status.staleness.as_str(), status.persisted, status.snapshots_alive), ("fresh", true, 1));
    let (inference, ops) = (plane.inference_address(), plane.ops_address());
    let channel = grpc(inference).await;

    // Its key is revoked elsewhere, and nobody can tell this node.
    drop(session);
    plane.node.freshness.pass(55);
    assert!(chat(inference).await.starts_with("HTTP/1.1 200"));
    assert_eq!(spoken(&channel).await, "");
    let ready = get(ops, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("revision 5\nstale: confirmed 5"), "{ready}");
    plane.node.freshness.pass(5);
    for answer in [chat(inference).await, get(inference, "/v1/models").await] {
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("auth_stale"), "{answer}");
        assert!(answer.contains("retry-after: 5"), "{answer}");
    }
    assert_eq!(spoken(&channel).await, "auth_stale");
    let ready = get(ops, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("too old for every tenant"), "{ready}");
    let unhealthy = async { while health(&channel, "").await != Told::NotServing {} };
    soon(unhealthy).await;
    let metrics = get(ops, "/metrics").await;
    for (class, level) in [("registry", 1), ("keys", 2), ("revocations", 2), ("rules", 1)] {
        let line = format!("chancery_policy_staleness{{class=\"{class}\"}} {level}");
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }

    // It is heard again: the policy that holds now revokes the key, and leaves another.
    let mut facts = minute();
    let demo = facts.keys[&world::name("demo")].clone();
    facts.keys.insert(world::name("other"), demo);
    Arc::make_mut(facts.keys.get_mut(&world::name("demo")).unwrap()).revoked = true;
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.offer(&Sample::of(&facts, 6)).await.unwrap();
    let revoked = chat(inference).await;
    assert!(revoked.starts_with("HTTP/1.1 401") && revoked.contains("key_revoked"), "{revoked}");
    let other = "GET /v1/models HTTP/1.1\r\nauthorization: Bearer chy_other_secret\r\n";
    assert!(exchange(inference, other, "").await.starts_with("HTTP/1.1 200"));
    session.heartbeat(6).await;
    let status = session.status().await;
    assert_eq!(status.staleness, "fresh");
    let tallies: Vec<_> = status.tallies.iter().map(|t| (t.revision, t.requests, t.errors)).collect();
    let why =
        "what was asked of the catalogue is no request, nor what was refused for age or a key taken back";
    assert_eq!(tallies, [(6, 0, 0), (5, 2, 0)], "{why}");
    assert!(get(ops, "/readyz").await.ends_with("ok, revision 6\n"));
    soon(plane.shutdown()).await;
}

#[tokio::test]
async fn case_01_a_node_that_starts_alone_says_how_old_its_policy_is_and_a_restart_makes_it_no_younger() {
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    drop(enforced(&mut control, &plane).await);
    plane.shutdown().await;
    control.end().await;
    let heard = control.home().join("state/policy/heard");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for (hours, ready, served) in [(2, "HTTP/1.1 200", "HTTP/1.1 200"), (25, "HTTP/1.1 503", "HTTP/1.1 503")]
    {
        let at = (now - hours * 3600) * 1_000_000;
        std::fs::write(&heard, format!("{at} {at}\n")).unwrap();
        let plane = started(&control).await;
        let told = get(plane.ops_address(), "/readyz").await;
        assert!(told.starts_with(ready), "{hours} h: {told}");
        assert_eq!(told.contains("stale: confirmed 72"), hours == 2, "{told}");
        let answer = chat(plane.inference_address()).await;
        assert!(answer.starts_with(served), "{hours} h: {answer}");
        assert_eq!(answer.contains("auth_stale"), hours == 25, "{answer}");
        let metrics = get(plane.ops_address(), "/metrics").await;
        let level = if hours == 25 { 2 } else { 1 };
        assert!(
            metrics.contains(&format!("chancery_policy_staleness{{class=\"keys\"}} {level}")),
            "{metrics}"
        );
        // It goes on being written down, and is never younger for it.
        let written = async {
            loop {
                let text = std::fs::read_to_string(&heard).unwrap();
                let words: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
                if words[1] > at {
                    return words[0];
                }
                tokio::task::yield_now().await;
            }
        };
        let written = soon(written).await;
        assert!(written.abs_diff(at) < 60_000_000, "{written} {at}");
        soon(plane.shutdown()).await;
    }
}
