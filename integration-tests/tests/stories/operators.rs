//! What operators and newcomers get wrong, and what they are told: the same over REST and gRPC.

use anyhow::{Context, Result};
use integration_tests::{
    admin::Anything,
    door::Door,
    sandbox::{QUICKSTART, Sandbox},
};
use reqwest::Method;
use serde_json::{Value, json};

const POLICY: &str = "chancery.admin.v1.PolicyService";

/// Posts over a door; what was answered, or the code and the message of the refusal.
async fn post(
    house: &Sandbox,
    door: Door,
    (rpc, path): (&str, &str),
    body: &Value,
) -> Result<Result<Value, String>> {
    call(house, (door, house.token()), (rpc, Method::POST, path), body).await
}

/// Calls as whoever has a token; a refusal is `code message`.
pub(crate) async fn call(
    house: &Sandbox,
    (door, token): (Door, &str),
    (rpc, verb, path): (&str, Method, &str),
    body: &Value,
) -> Result<Result<Value, String>> {
    if door == Door::Grpc {
        let caller = Anything::at(&house.admin_url(), Some(token)).await?;
        let answer = caller.call(rpc, body.clone()).await?;
        return Ok(answer.map_err(|refusal| format!("{} {}", refusal.code.as_str(), refusal.message)));
    }
    let client = integration_tests::door::client()?;
    let mut request =
        client.request(verb.clone(), format!("{}/v1/{path}", house.admin_url())).bearer_auth(token);
    if verb == Method::POST {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let fine = answer.status().is_success();
    let answer: Value = answer.json().await?;
    if fine || answer.get("faults").is_some() {
        return Ok(Ok(answer));
    }
    let error = answer.get("error").context("a refusal")?;
    let reason = error.pointer("/details/0/reason").and_then(Value::as_str).unwrap_or_default();
    Ok(Err(format!("{reason} {}", error["message"].as_str().unwrap_or_default())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_refuses_words_that_mean_nothing_here_and_says_what_was_meant() {
    let house = Sandbox::start(QUICKSTART, |_| ()).await.unwrap();
    let ask = |field: &str, value: Value| {
        let mut question = json!({"principal": "tenants/acme/principals/ada@example.org", "model": "sim-gpt-4o",
            "operation": "chat", "geo": "eu"});
        question[field] = value;
        question
    };
    let explain = format!("{POLICY}/Explain");
    for door in Door::BOTH {
        for (question, told) in [
            (ask("geo", json!("mars")), "no node runs in `mars`, and nothing names it: known are `eu`, `us`"),
            (ask("geo", json!("eu-")), "did you mean `eu`"),
            (ask("dataClasses", json!(["EMAIL", "EMIAL"])), "dataClasses[1]: `EMIAL` is no data class"),
            (ask("dataClasses", json!(["EMIAL"])), "did you mean `EMAIL`?"),
            (ask("subjectResidency", json!(["Atlantis"])), "`Atlantis` is not a place of the region table"),
            (ask("purpose", json!("social-scorng")), "did you mean `social-scoring`?"),
        ] {
            let refused =
                post(&house, door, (&explain, "policy:explain"), &question).await.unwrap().unwrap_err();
            assert!(refused.starts_with("invalid_request ") && refused.contains(told), "{door:?} {refused}");
        }
        // A geo that is planned, and a purpose that nothing names: both are questions.
        for question in [
            ask("geo", json!("de")),
            ask("purpose", json!("marketing")),
            ask("dataClasses", json!(["PHONE"])),
        ] {
            let answer = post(&house, door, (&explain, "policy:explain"), &question).await.unwrap();
            assert!(answer.is_ok(), "{door:?} {question} {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_has_expired_already_is_not_made() {
    let house = Sandbox::start(QUICKSTART, |_| ()).await.unwrap();
    let spec = json!({"tenant": "acme", "principal": "ada@example.org", "team": "research",
        "expireTime": "2001-01-01T00:00:00Z"});
    for (door, body) in [(Door::Rest, json!({"spec": spec})), (Door::Grpc, json!({"key": {"spec": spec}}))] {
        let rpc = ("chancery.admin.v1.KeysService/CreateKey", "keys");
        let refused = post(&house, door, rpc, &body).await.unwrap().unwrap_err();
        assert!(refused.contains("expireTime") && refused.contains("is in the past"), "{door:?} {refused}");
    }
}
