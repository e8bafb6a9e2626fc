//! What is taken back or switched off, at every target, in every mode, at every door: for who begins, and for who is under way.

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use policy_engine::vocabulary::Operation;

use crate::house::world::{self, platform};
use crate::house::{House, KEY, NOW, asking, bearer, refused, whole};
use crate::overlay::tests::{kill, kills, revoked};
use crate::pipeline::stream::ScreenedStream;
use crate::pipeline::{self, Body};
use crate::record::{Door, Outcome, Provenance};

const DOORS: [Door; 2] = [Door::OpenAi, Door::Grpc];

/// Every target that hits a request for `fast` in a house.
const HIT: [(&str, &str); 6] = [
    ("everything", ""),
    ("geo", "eu"),
    ("tenant", "tenants/acme"),
    ("model", "models/fast"),
    ("provider", "providers/sim"),
    ("endpoint", "endpoints/sim-a"),
];

const MISSED: [(&str, &str); 6] = [
    ("geo", "us"),
    ("tenant", "tenants/rival"),
    ("model", "tenants/acme/models/fast"),
    ("model", "models/pair"),
    ("provider", "tenants/acme/providers/sim"),
    ("endpoint", "endpoints/sim-b"),
];

const MODES: [&str; 3] = ["deny", "drain", "read_only"];

/// A stream whose first event has come and which then says nothing.
async fn hanging(house: &House, door: Door) -> Pin<Box<ScreenedStream>> {
    let body = asking("fast", "[[sim:hang=2]][[sim:chunk=1]]abc", r#","stream":true"#);
    let received = house.request((door, Operation::Chat), &bearer(KEY), &body);
    let Ok(Body::Stream(stream)) = pipeline::serve(&house.node, received).await.body else { panic!() };
    let mut stream: Pin<Box<ScreenedStream>> = stream.into();
    assert!(stream.next().await.unwrap().is_ok());
    stream
}

/// Reads a stream to its end; gives the code it ended with, and how long that took.
async fn end_of(mut stream: Pin<Box<ScreenedStream>>) -> (Option<&'static str>, Duration) {
    let began = Instant::now();
    let mut code = None;
    while let Some(frame) = stream.next().await {
        assert!(code.is_none(), "nothing follows an error");
        code = frame.err().map(|rejection| rejection.code().as_str());
    }
    (code, began.elapsed())
}

#[tokio::test]
async fn what_is_switched_off_is_refused_in_every_mode_at_every_door_and_all_else_is_not() {
    for door in DOORS {
        for mode in MODES {
            for (seq, (target, name)) in (1..).zip(HIT) {
                let house = House::new(|_| ());
                assert!(house.node.overlay.kill(&kills((1, seq), vec![kill(target, name, mode)])).is_now());
                for (operation, body) in [
                    (Operation::Chat, asking("fast", "hi", "")),
                    (Operation::Chat, asking("fast", "hi", r#","stream":true"#)),
                    (Operation::Embed, r#"{"model":"embed","input":"hi"}"#.to_owned()),
                ] {
                    if operation == Operation::Embed && target == "model" {
                        continue;
                    }
                    let received = house.request((door, operation), &bearer(KEY), &body);
                    let (code, status, _) = refused(pipeline::serve(&house.node, received).await);
                    assert_eq!((code, status), ("switched_off", 503), "{target} {mode} {body}");
                }
                // Who is not proved learns nothing of it.
                let received = house.request((door, Operation::Chat), &bearer("chy_demo_no"), "{}");
                assert_eq!(refused(pipeline::serve(&house.node, received).await).0, "invalid_api_key");
                house.node.overlay.kill(&kills((1, seq + 1), vec![]));
                whole(house.chat(&asking("fast", "hi", "")).await);
                house.close();
            }
        }
    }
    let house = House::new(|_| ());
    for (seq, (target, name)) in (1..).zip(MISSED) {
        house.node.overlay.kill(&kills((1, seq), vec![kill(target, name, "deny")]));
        whole(house.chat(&asking("fast", "hi", "")).await);
    }
    house.close();
}

#[tokio::test]
async fn a_refusal_is_recorded_with_the_kill_and_told_without_its_reason() {
    let house = House::new(|_| ());
    let ends = proto::convert::timestamp(policy_engine::vocabulary::Instant(NOW + 90_000_000));
    let of = proto::sync::Kill {
        reason: "a leak at the vendor".to_owned(),
        expires_at: Some(ends),
        ..kill("model", "models/fast", "deny")
    };
    house.node.overlay.kill(&kills((1, 1), vec![of]));
    let Err(rejection) = house.chat(&asking("fast", "hi", "")).await.body else { panic!() };
    assert!(!format!("{:?}", rejection.refusal).contains("leak"));
    assert_eq!(rejection.retry_after(), Some(90), "it passes once the kill has ended");
    let [record] = house.records();
    assert_eq!((record.outcome, record.code), (Outcome::Refused, Some("switched_off")));
    assert_eq!(record.ruling.reasons, ["switched_off"]);
    assert_eq!(record.kill.as_deref(), Some("no-model"));
    assert_eq!(record.attempts.len(), 0);
    house.clock.fetch_add(90_000_000, std::sync::atomic::Ordering::SeqCst);
    whole(house.chat(&asking("fast", "hi", "")).await);
    house.close();
}

/// A house whose model `pair` has two endpoints that can be reached.
fn paired() -> House {
    House::new(|facts| {
        let mut model = facts.models.get(&platform("pair")).unwrap().clone();
        std::sync::Arc::make_mut(&mut model).route.groups[0][0].endpoint = world::name("sim-a");
        facts.models.insert(platform("pair"), model);
    })
}

#[tokio::test]
async fn another_endpoint_answers_for_one_that_is_switched_off() {
    let house = paired();
    assert_eq!(house.chat(&asking("pair", "hi", "")).await.head.endpoint.unwrap(), "sim-a");
    house.node.overlay.kill(&kills((1, 1), vec![kill("endpoint", "endpoints/sim-a", "read_only")]));
    assert_eq!(house.chat(&asking("pair", "hi", "")).await.head.endpoint.unwrap(), "sim-b");
    house.node.overlay.kill(&kills((1, 2), vec![kill("provider", "providers/sim", "read_only")]));
    assert_eq!(refused(house.chat(&asking("pair", "hi", "")).await).0, "switched_off");
    let [first, second, third]: [_; 3] = house.records();
    assert_eq!((first.kill, second.kill), (None, None), "an answer was not refused");
    assert_eq!(third.kill.as_deref(), Some("no-provider"));
    house.close();
}

/// Waits until somebody is called.
async fn called(house: &House) {
    while house.node.runtime.load().as_ref().unwrap().endpoints().iter().all(|e| e.vitals.busy() == 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_endpoint_answers_for_one_that_is_switched_off_before_it_has_answered() {
    let house = paired();
    let body = asking("pair", "[[sim:delay=100ms]]hi", "");
    let change = async {
        called(&house).await;
        house.node.overlay.kill(&kills((1, 1), vec![kill("endpoint", "endpoints/sim-a", "deny")]));
    };
    let (reply, ()) = tokio::join!(house.chat(&body), change);
    assert_eq!(reply.head.endpoint.as_ref().unwrap(), "sim-b");
    whole(reply);
    let [record] = house.records();
    assert_eq!((record.outcome, record.kill, record.attempts.len()), (Outcome::Answered, None, 2));
    assert!(record.ruling.reasons.is_empty());
    house.close();
}

#[tokio::test]
async fn case_16_a_key_that_is_revoked_is_refused_at_once_and_its_streams_are_cut() {
    for door in DOORS {
        let house = House::new(|_| ());
        let stream = hanging(&house, door).await;
        assert!(house.node.overlay.revoke(&revoked((1, 1), 0, &["demo"])).is_now());
        let (code, took) = end_of(stream).await;
        assert_eq!(code, Some("key_revoked"));
        assert!(took < Duration::from_millis(150), "before the vendor's silence could end it: {took:?}");
        let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("fast", "hi", ""));
        let told = refused(pipeline::serve(&house.node, received).await);
        let received = house.request((door, Operation::Chat), &bearer("chy_lost_lost"), "{}");
        assert_eq!(told, refused(pipeline::serve(&house.node, received).await), "as by a snapshot");
        let [cut, ..]: [_; 3] = house.records();
        assert_eq!((cut.outcome, cut.code, cut.status), (Outcome::Cut, Some("key_revoked"), 401));
        assert_eq!(cut.ruling.reasons, ["key_revoked"]);
        assert_eq!(cut.usage.provenance, Provenance::Estimated, "what was produced is charged");
        assert_eq!(house.node.overlay.cut(), [1, 0]);
        house.close();
    }
}

#[tokio::test]
async fn case_18_streams_are_cut_by_deny_and_end_by_themselves_in_the_other_modes() {
    for door in DOORS {
        for mode in MODES {
            for (target, name) in HIT {
                let house = House::new(|_| ());
                let stream = hanging(&house, door).await;
                house.node.overlay.kill(&kills((1, 1), vec![kill(target, name, mode)]));
                let (code, took) = end_of(stream).await;
                let [record] = house.records();
                assert_eq!(record.outcome, Outcome::Cut, "{target} {mode}");
                if mode == "deny" {
                    assert_eq!(code, Some("switched_off"), "{target}");
                    assert!(took < Duration::from_millis(150), "{took:?}");
                    assert_eq!(record.kill.unwrap().as_ref(), format!("no-{target}"));
                } else {
                    assert_eq!(code, Some("upstream_timeout"), "{target} {mode}");
                    assert_eq!(record.kill, None);
                }
                house.close();
            }
        }
    }
}

#[tokio::test]
async fn case_18_of_five_hundred_streams_those_that_are_hit_are_cut_at_once() {
    let house = House::new(|_| ());
    let mut open = Vec::new();
    for at in 0..500 {
        open.push(hanging(&house, DOORS[at % 2]).await);
    }
    let ends: Vec<_> = open.into_iter().map(|stream| tokio::spawn(end_of(stream))).collect();
    tokio::task::yield_now().await;
    let began = Instant::now();
    house.node.overlay.kill(&kills((1, 1), vec![kill("model", "models/fast", "deny")]));
    for end in ends {
        let (code, _) = end.await.unwrap();
        // The first of them were opened long before the last, and the vendor's patience is short here.
        assert!(matches!(code, Some("switched_off" | "upstream_timeout")), "{code:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    house.close();
}

#[tokio::test]
async fn a_stream_that_never_waits_is_cut_too() {
    let house = House::new(|_| ());
    let body = asking("fast", "[[sim:times=500]][[sim:chunk=1]][[sim:say=abcdefgh]]", r#","stream":true"#);
    let received = house.request((Door::OpenAi, Operation::Chat), &bearer(KEY), &body);
    let Ok(Body::Stream(stream)) = pipeline::serve(&house.node, received).await.body else { panic!() };
    let mut stream: Pin<Box<ScreenedStream>> = stream.into();
    assert!(stream.next().await.unwrap().is_ok());
    house.node.overlay.kill(&kills((1, 1), vec![kill("tenant", "tenants/acme", "deny")]));
    assert_eq!(stream.next().await.unwrap().unwrap_err().code().as_str(), "switched_off");
    assert!(stream.next().await.is_none());
    drop(stream);
    house.close();
}

#[tokio::test]
async fn a_request_that_waits_for_its_whole_answer_is_ended_too() {
    for (target, name) in HIT {
        let house = House::new(|_| ());
        let body = asking("fast", "[[sim:delay=10s]]hi", "");
        let answer = house.chat(&body);
        let change = async {
            called(&house).await;
            house.node.overlay.kill(&kills((1, 1), vec![kill(target, name, "drain")]));
            tokio::task::yield_now().await;
            house.node.overlay.kill(&kills((1, 2), vec![kill(target, name, "deny")]));
        };
        let (reply, ()) = tokio::join!(answer, change);
        assert_eq!(refused(reply).0, "switched_off", "{target}");
        let [record] = house.records();
        assert_eq!((record.outcome, record.code), (Outcome::Cut, Some("switched_off")));
        assert_eq!(record.usage.provenance, Provenance::Estimated, "a vendor that was called will charge");
        house.close();
    }
}

#[tokio::test]
async fn what_can_not_be_known_is_taken_for_switched_off() {
    let dir = tempfile::tempdir().unwrap();
    let statements = crate::overlay::Statements::at(dir.path());
    statements.keep(crate::overlay::Said::Kills, b"torn", crate::overlay::Trace::AsItWas).unwrap();
    let house = House::keeping(statements);
    house.node.overlay.restore(|_, _| Err("it does not verify".to_owned()));
    for (key, code) in [(KEY, "policy_unavailable"), ("chy_demo_no", "policy_unavailable")] {
        let received =
            house.request((Door::OpenAi, Operation::Chat), &bearer(key), &asking("fast", "hi", ""));
        assert_eq!(refused(pipeline::serve(&house.node, received).await).0, code);
    }
    house.node.overlay.heard(0, 0);
    whole(house.chat(&asking("fast", "hi", "")).await);
    house.close();
}
