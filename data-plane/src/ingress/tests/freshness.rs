//! Policy that is too old, as it is met on the wire.

use policy_engine::facts::Staleness;
use policy_engine::vocabulary::Duration;
use proto::status::Refusal;
use tonic::Code;

use super::grpc::{chat, client, with_key};
use super::overlay::looks;
use super::*;
use crate::freshness::tests::{at, says};
use crate::house::asking;

#[tokio::test]
async fn case_17_every_door_says_that_keys_are_too_old_and_to_try_again() {
    let minute = Staleness { keys: Some(Duration(60_000_000)), ..Staleness::default() };
    let open = open(|facts| *facts = says(minute)).await;
    let mut stub = client(&open).await;
    open.house.node.freshness.heard(at(0), None, true);
    let told = looks(&open, &mut stub).await;
    assert!(told.iter().all(String::is_empty), "{told:?}");
    open.house.node.freshness.look(at(60));
    let told = looks(&open, &mut stub).await;
    assert!(told.iter().all(|code| code == "auth_stale"), "{told:?}");
    let embed = r#"{"model":"embed","input":"hi"}"#;
    let large = "x".repeat(100_000);
    for (path, body) in [
        ("/v1/chat/completions", asking("fast", "hi", "")),
        ("/v1/chat/completions", asking("fast", "hi", r#","stream":true"#)),
        ("/v1/chat/completions", asking("fast", &large, "")),
        ("/v1/embeddings", embed.to_owned()),
    ] {
        let got = open.post(path, &body).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (503, "auth_stale"));
        let header = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((header("retry-after"), header("x-should-retry")), (Some("5"), Some("true")));
        assert_eq!(header("www-authenticate"), None);
    }
    let status = stub.chat(with_key(chat("fast", "hi"))).await.unwrap_err();
    assert_eq!((status.code(), Refusal::of_status(&status).code.as_str()), (Code::Unavailable, "auth_stale"));
    open.house.node.freshness.heard(at(61), None, true);
    assert!(stub.chat(with_key(chat("fast", "hi"))).await.is_ok());
    assert_eq!(open.post("/v1/embeddings", embed).await.status, 200);
}

#[tokio::test]
async fn what_is_shown_as_available_is_judged_by_rules_that_are_known() {
    let week = Staleness { keys: Some(Staleness::MOST), ..Staleness::default() };
    let open = open(|facts| *facts = says(week)).await;
    open.house.node.freshness.heard(at(0), None, true);
    for (seconds, available, reasons) in [(86_399, true, 0), (86_400, false, 1)] {
        open.house.node.freshness.look(at(seconds));
        let card = &open.get("/v1/models/fast").await.json()["chancery"];
        assert_eq!(card["available"], available);
        let told = card["reasons"].as_array().unwrap();
        assert!(told.len() == reasons && told.iter().all(|reason| reason == "rules_stale"), "{told:?}");
    }
}
