//! What is taken back or switched off, as it is met on the wire.

use std::time::Instant;

use proto::inference::inference_client::InferenceClient;
use proto::inference::{GetModelRequest, GetQuotaRequest, ListModelsRequest};
use proto::status::Refusal;
use tonic::Code;
use tonic::transport::Channel;

use super::grpc::{chat, client, with_key};
use super::*;
use crate::house::{asking, limit};
use crate::overlay::tests::{kill, kills, revoked};

/// The code each of the doors' lookings answers with; empty where it answers.
pub(super) async fn looks(open: &Open, stub: &mut InferenceClient<Channel>) -> Vec<String> {
    let mut told = Vec::new();
    for path in ["/v1/models", "/v1/models/fast", "/v1/quota", "/v1/quota?model=fast"] {
        let got = open.get(path).await;
        told.push(if got.status.is_success() { String::new() } else { got.code() });
    }
    let code = |answer: Result<(), tonic::Status>| {
        answer.map_or_else(|status| Refusal::of_status(&status).code.to_string(), |()| String::new())
    };
    told.push(code(stub.list_models(with_key(ListModelsRequest::default())).await.map(drop)));
    told.push(code(stub.get_model(with_key(GetModelRequest { name: "fast".into() })).await.map(drop)));
    told.push(code(stub.get_quota(with_key(GetQuotaRequest::default())).await.map(drop)));
    told
}

#[tokio::test]
async fn what_there_is_may_still_be_looked_at_where_it_is_read_only_and_where_a_part_is_switched_off() {
    let minute = policy_engine::vocabulary::Period::Sliding(policy_engine::vocabulary::Duration(60_000_000));
    let open = open(|facts| limit(facts, "rpm", policy_engine::facts::Bound::Requests(60, minute))).await;
    let mut stub = client(&open).await;
    let seen = looks(&open, &mut stub).await;
    assert!(seen.iter().all(String::is_empty), "{seen:?}");
    let mut seq = 0;
    for (target, name, hides) in [
        ("everything", "", true),
        ("geo", "eu", true),
        ("tenant", "tenants/acme", true),
        ("model", "models/fast", false),
        ("provider", "providers/sim", false),
        ("endpoint", "endpoints/sim-a", false),
    ] {
        for mode in ["deny", "drain", "read_only"] {
            seq += 1;
            open.house.node.overlay.kill(&kills((1, seq), vec![kill(target, name, mode)]));
            let told = looks(&open, &mut stub).await;
            if hides && mode != "read_only" {
                assert!(told.iter().all(|code| code == "switched_off"), "{target} {mode}: {told:?}");
                continue;
            }
            assert_eq!(told, seen, "{target} {mode}");
            let card = &open.get("/v1/models/fast").await.json()["chancery"];
            assert_eq!((&card["available"], &card["reasons"][0]), (&false.into(), &"switched_off".into()));
            let quota = open.get("/v1/quota?model=fast").await.json();
            assert_eq!(quota["data"].as_array().unwrap().len(), 0, "no request of it can be counted");
        }
    }
    open.house.node.overlay.revoke(&revoked((1, 1), 0, &["demo"]));
    let told = looks(&open, &mut stub).await;
    assert!(told.iter().all(|code| code == "key_revoked"), "{told:?}");
}

#[tokio::test]
async fn a_refusal_tells_programs_whether_to_try_again() {
    let open = open(|_| ()).await;
    let ends = proto::convert::timestamp(policy_engine::vocabulary::Instant(crate::house::NOW + 2_500_000));
    for (seq, ends, wait, again) in [(1, None, None, "false"), (2, Some(ends), Some("3"), "true")] {
        let kill = proto::sync::Kill { expires_at: ends, ..kill("everything", "", "deny") };
        open.house.node.overlay.kill(&kills((1, seq), vec![kill]));
        let got = open.post("/v1/chat/completions", &asking("fast", "hi", "")).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (503, "switched_off"));
        let header = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((header("retry-after"), header("x-should-retry")), (wait, Some(again)));
        let embed = open.post("/v1/embeddings", r#"{"model":"embed","input":"hi"}"#).await;
        assert_eq!(embed.code(), "switched_off");
        let status = client(&open).await.chat(with_key(chat("fast", "hi"))).await.unwrap_err();
        assert_eq!(
            (status.code(), Refusal::of_status(&status).code.as_str()),
            (Code::Unavailable, "switched_off")
        );
        let told = status.metadata().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(told, wait);
    }
}

#[tokio::test]
async fn a_silent_stream_is_cut_on_the_wire_with_the_doors_own_error() {
    for (change, code, grpc) in
        [("kill", "switched_off", Code::Unavailable), ("revoke", "key_revoked", Code::Unauthenticated)]
    {
        let open = open(|_| ()).await;
        let mut stub = client(&open).await;
        let text = "[[sim:hang=2]][[sim:chunk=1]]abc";
        let mut typed = stub.chat_stream(with_key(chat("fast", text))).await.unwrap().into_inner();
        assert!(typed.message().await.unwrap().is_some());
        let events = open.post_streamed(&asking("fast", text, r#","stream":true"#)).await;
        let began = Instant::now();
        let overlay = &open.house.node.overlay;
        if change == "kill" {
            overlay.kill(&kills((1, 1), vec![kill("tenant", "tenants/acme", "deny")]));
        } else {
            overlay.revoke(&revoked((1, 1), 0, &["demo"]));
        }
        let status = loop {
            match typed.message().await {
                Ok(message) => assert!(message.is_some(), "it does not end well"),
                Err(status) => break status,
            }
        };
        assert_eq!((status.code(), Refusal::of_status(&status).code.as_str()), (grpc, code));
        let body = events.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let (_, end) = text.rsplit_once("data: {\"error\"").unwrap();
        assert!(end.contains(code) && end.ends_with("\n\ndata: [DONE]\n\n"), "{end}");
        assert!(
            began.elapsed().as_millis() < 150,
            "before the vendor's silence ended it: {:?}",
            began.elapsed()
        );
        let records: [_; 2] = open.house.records();
        assert!(records.iter().all(|record| record.code == Some(code)));
    }
}
