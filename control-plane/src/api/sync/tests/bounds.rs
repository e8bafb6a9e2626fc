//! What one node can't do to the control plane, whatever it says: fill it, crowd it, or claim what it was not sent.

use proto::manifest::SCHEMA;
use proto::sync::node_message::Message as Said;
use proto::sync::{Ack, ControlMessage, Hello, Nack, Version};
use tonic::{Code, Status, Streaming};

use super::node::{Port, soon};
use super::tenant;

fn shown(port: &Port) -> proto::admin::Node {
    port.nodes.get(&"eu".parse().unwrap(), &"eu-1".parse().unwrap()).unwrap()
}

/// Why a stream ends, whatever comes before.
async fn end(said: &mut Streaming<ControlMessage>) -> Status {
    loop {
        match soon(said.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends without a word"),
            Err(status) => return status,
        }
    }
}

fn hello(build: &str) -> Said {
    let hpke_public_key = vec![9; 32];
    Said::Hello(Hello { build: build.into(), schema: SCHEMA, hpke_public_key, ..Hello::default() })
}

#[tokio::test]
async fn what_is_larger_than_a_node_needs_is_not_read_and_what_is_longer_is_cut() {
    let port = Port::open().await;
    let issued = port.certificate("eu", "eu-1");
    let (_say, mut said) = port.stream(Some(&issued), hello(&"x".repeat(200_000))).await.unwrap();
    assert_eq!(end(&mut said).await.code(), Code::OutOfRange);
    assert_eq!(port.nodes.count(), 0);
    let build = format!("\u{202e}{}", "x".repeat(60_000));
    let (_say, mut said) = port.stream(Some(&issued), hello(&build)).await.unwrap();
    assert!(soon(said.message()).await.unwrap().is_some());
    assert_eq!(shown(&port).build, format!("\\u{{202e}}{}", "x".repeat(56)));
}

#[tokio::test]
async fn of_many_streams_of_a_node_the_newest_are_served() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let issued = port.certificate("eu", "eu-1");
    let mut first = port.stream(Some(&issued), hello("first")).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(port.stream(Some(&issued), hello("other")).await.unwrap());
    }
    assert_eq!(end(&mut first.1).await.code(), Code::ResourceExhausted);
    // Who starts again gets in.
    let mut again = port.node("eu", "eu-1", Hello { build: "again".into(), ..Hello::default() }).await;
    assert_eq!(again.snapshot().await.envelope.revision, 1);
    assert_eq!(shown(&port).build, "again");
    assert_eq!(end(&mut others[0].1).await.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn an_answer_to_what_was_not_sent_is_counted_and_moves_nothing() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let mut node = port.node("eu", "eu-1", Hello::default()).await;
    let snapshot = node.snapshot().await;
    let applied = Some(Version { epoch: 1, revision: 1_000_000, digest: vec![7; 32] });
    let nonce = snapshot.nonce + 1;
    node.say(Said::Ack(Ack { nonce, applied: applied.clone(), persisted: true, ..Ack::default() })).await;
    node.say(Said::Nack(Nack { nonce, revision: 1, code: 8, running: applied, ..Nack::default() })).await;
    let ignored = &port.fixture.publisher.metrics().ignored;
    while ignored.get() < 2 {
        node.confirmed(1).await;
    }
    let seen = shown(&port);
    assert_eq!((seen.applied_revision, seen.persisted, seen.last_nack), (0, false, None));
    // The answer that is awaited is heard still, be its code what it may.
    let nack = Nack { nonce: snapshot.nonce, revision: 1, code: 77, ..Nack::default() };
    node.say(Said::Nack(nack)).await;
    while shown(&port).last_nack.is_none() {
        node.confirmed(1).await;
    }
    assert_eq!(shown(&port).last_nack.unwrap().code, "UNKNOWN_77");
    assert_eq!(ignored.get(), 2);
}

#[tokio::test]
async fn a_node_that_says_more_than_a_node_has_to_say_is_told_so_and_its_stream_ends() {
    let port = Port::open().await;
    port.publish(&tenant("a")).await;
    let issued = port.certificate("eu", "eu-1");
    let (say, mut said) = port.stream(Some(&issued), hello("a")).await.unwrap();
    let flood = tokio::spawn(async move {
        let status = || proto::sync::NodeMessage { message: Some(Said::Status(Default::default())) };
        while say.send(status()).await.is_ok() {}
    });
    let ended = soon(async {
        loop {
            if let Err(status) = said.message().await {
                return status;
            }
        }
    });
    let refusal = proto::status::Refusal::of_status(&ended.await);
    assert_eq!(refusal.code, proto::code::ErrorCode::RateLimitExceeded, "{refusal:?}");
    assert!(refusal.retry_after.is_some());
    drop(said);
    soon(flood).await.unwrap();
}
