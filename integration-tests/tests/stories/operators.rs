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

/// The events of a query over a door, newest first.
async fn events(house: &Sandbox, door: Door, query: &[(&str, &str)]) -> Result<Vec<Value>> {
    let rpc = "chancery.admin.v1.AuditService/ListAuditEvents";
    let body: Value = query.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let asked = query.iter().map(|(key, value)| format!("{key}={}", value.replace(':', "%3A")));
    let path = format!("auditEvents?{}", asked.collect::<Vec<_>>().join("&"));
    let answer = call(house, (door, house.token()), (rpc, Method::GET, &path), &body).await?;
    let answer = answer.map_err(anyhow::Error::msg)?;
    Ok(answer.get("auditEvents").and_then(Value::as_array).cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_in_the_log_without_its_content_and_found_by_who_what_and_when() {
    let house = Sandbox::start(QUICKSTART, |_| ()).await.unwrap();
    let ada = house.key("ada@example.org", "research").await.unwrap();
    let text = "apiVersion: chancery/v1\nkind: Provider\nmetadata: {name: p}\n\
                spec: {adapter: openai, credential: {value: sk-planted-5ec2e7}, nonsense: 1}\n";
    let body = json!({"files": [{"path": "a.yaml", "text": text}]});
    let client = integration_tests::door::client().unwrap();
    let apply = async |token: &str| {
        let request =
            client.post(format!("{}/v1/policy:apply", house.admin_url())).bearer_auth(token).json(&body);
        request
            .header("x-chancery-reason", "a trial")
            .header("x-chancery-ticket", "CHG-7")
            .header("user-agent", "a story")
            .send()
            .await
            .unwrap()
    };
    assert_eq!(apply(house.token()).await.status(), 400);
    assert_eq!(apply(&ada).await.status(), 403);
    let long =
        client.post(format!("{}/v1/policy:apply", house.admin_url())).bearer_auth(house.token()).json(&body);
    assert_eq!(long.header("x-chancery-reason", "x".repeat(600)).send().await.unwrap().status(), 400);

    for door in Door::BOTH {
        let refused = events(&house, door, &[("outcome", "refused"), ("action", "Apply")]).await.unwrap();
        assert_eq!(refused.len(), 2, "{door:?} {refused:?}");
        let said =
            |event: &Value| [event["outcome"].clone(), event["reason"].clone(), event["ticket"].clone()];
        assert_eq!(said(&refused[0]), ["permission_denied", "a trial", "CHG-7"].map(|text| json!(text)));
        assert_eq!(said(&refused[1]), ["invalid_request", "a trial", "CHG-7"].map(|text| json!(text)));
        assert_eq!(refused[0]["actor"], "tenants/acme/principals/ada@example.org");
        let via = |event: &Value| ["address", "method", "source", "client"].map(|name| event[name].clone());
        assert_eq!(via(&refused[0]), ["127.0.0.1", "api_key", "rest", "a story"].map(|text| json!(text)));
        assert_eq!(via(&refused[1])[1], "admin_token");
        assert!(
            !json!(refused).to_string().contains("5ec2e7") && refused[1]["changes"].is_null(),
            "{refused:?}"
        );

        let adas =
            events(&house, door, &[("actor", "tenants/acme/principals/ada@example.org")]).await.unwrap();
        assert_eq!(adas, refused[..1]);
        let keys = events(&house, door, &[("resource", "keys")]).await.unwrap();
        assert!(keys.len() == 1 && keys[0]["action"].as_str().unwrap().ends_with("/CreateKey"), "{keys:?}");
        assert_eq!(
            events(&house, door, &[("resource", "tenants/acme"), ("action", "KeysService/CreateKey")])
                .await
                .unwrap(),
            keys
        );
        let at = keys[0]["createTime"].as_str().unwrap();
        let since = events(&house, door, &[("since", at)]).await.unwrap();
        assert_eq!((since.len(), since.last()), (3, keys.last()), "{since:?}");
        let until = events(&house, door, &[("until", at)]).await.unwrap();
        assert!(
            !until.is_empty()
                && until.iter().all(|event| event["sequence"].as_i64() < keys[0]["sequence"].as_i64())
        );
        assert!(events(&house, door, &[("since", "2999-01-01T00:00:00Z")]).await.unwrap().is_empty());
        assert!(events(&house, door, &[("resource", "rules/nothing")]).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_use_stays_and_who_uses_it_is_told_at_both_doors() {
    let house = Sandbox::start(QUICKSTART, |_| ()).await.unwrap();
    let file = |names: &[(&str, &str)]| {
        let document = |(kind, name): &(&str, &str)| {
            format!("---\napiVersion: chancery/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{}}\n")
        };
        let text: String = names.iter().map(document).collect();
        json!({"files": [{"path": "gone.yaml", "text": text}]})
    };
    let delete = format!("{POLICY}/Delete");
    for door in Door::BOTH {
        let one = ("chancery.admin.v1.RolesService/DeleteRole", Method::DELETE, "roles/chat-user");
        let body = json!({"name": "roles/chat-user"});
        let refused = call(&house, (door, house.token()), one, &body).await.unwrap().unwrap_err();
        assert!(
            refused.starts_with("failed_precondition roles/chat-user is still used by "),
            "{door:?} {refused}"
        );
        assert!(refused.contains("`tenants/acme/grants/research-chat`"), "{door:?} {refused}");

        let before = house.control.as_ref().unwrap().publisher().current().revision();
        let some = file(&[("Role", "chat-user"), ("Rule", "eu-residency")]);
        let told = post(&house, door, (&delete, "policy:delete"), &some).await.unwrap().unwrap();
        let faults = told["faults"].as_array().unwrap();
        assert_eq!(
            (faults.len(), &faults[0]["path"], &faults[0]["line"]),
            (1, &json!("gone.yaml"), &json!(2))
        );
        assert!(faults[0]["message"].as_str().unwrap().contains("research-chat"), "{faults:?}");
        let now = house.control.as_ref().unwrap().publisher().current().revision();
        assert_eq!((now, &told["changes"]), (before, &Value::Null), "all or nothing");
    }
    // Whoever uses it goes with it, whatever the order.
    let all = file(&[
        ("Endpoint", "sim-o3-mini-us"),
        ("Model", "sim-o3-mini"),
        ("Price", "sim-o3-mini"),
        ("Rule", "none"),
    ]);
    let told = post(&house, Door::Rest, (&delete, "policy:delete"), &all).await.unwrap().unwrap();
    let became: Vec<&str> =
        told["changes"].as_array().unwrap().iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert_eq!(became, ["deleted", "deleted", "absent", "deleted"], "{told}");
}
