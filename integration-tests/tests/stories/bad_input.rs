//! Bodies that are wrong: each is refused, the field is named in the shape that was called, and nothing reaches a vendor.

use anyhow::Result;
use integration_tests::{
    admin::Anything,
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
    scripted::OpenAiLike,
};
use serde_json::{Value, json};

use crate::policy;

const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

/// A wrong body, the status, the field.
type Case = (Vec<u8>, u16, &'static str);

fn cases() -> Vec<Case> {
    let with = |rest: &str| format!(r#"{{"model":"sim-story",{HI}{rest}}}"#).into_bytes();
    let said = |messages: &str| format!(r#"{{"model":"sim-story","messages":{messages}}}"#).into_bytes();
    let deep = |open: &str, close: &str| {
        with(&format!(r#","x":{}1{}"#, open.repeat(100_000), close.repeat(100_000)))
    };
    let mut not_utf8 = with("");
    not_utf8.splice(12..12, [0xff, 0xfe]);
    vec![
        (b"".to_vec(), 400, ""),
        (b"hello".to_vec(), 400, ""),
        (b"{\"model\":".to_vec(), 400, ""),
        (b"[]".to_vec(), 400, ""),
        (b"null".to_vec(), 400, ""),
        ([with(""), b" {}".to_vec()].concat(), 400, ""),
        (not_utf8, 400, ""),
        (with(r#","x":"\ud800""#), 400, ""),
        (with(",\"x\":\"a\nb\""), 400, ""),
        (deep("[", "]"), 400, ""),
        (deep("{\"a\":", "}"), 400, ""),
        (b"{}".to_vec(), 400, "model"),
        (format!("{{{HI}}}").into_bytes(), 400, "model"),
        (format!(r#"{{"model":7,{HI}}}"#).into_bytes(), 400, "model"),
        (format!(r#"{{"model":"a\r\nb",{HI}}}"#).into_bytes(), 400, "model"),
        (with(r#","model":"sim-gpt-4o""#), 400, "model"),
        (with(r#","mod\u0065l":"sim-gpt-4o""#), 400, "model"),
        (br#"{"model":"sim-story"}"#.to_vec(), 400, "messages"),
        (said("[]"), 400, "messages"),
        (said("\"hi\""), 400, "messages"),
        (said("[7]"), 400, "messages"),
        (said(r#"[{"role":"robot","content":"hi"}]"#), 400, "messages[0].role"),
        (said(r#"[{"content":"hi"}]"#), 400, "messages[0].role"),
        (said(r#"[{"role":"user","content":7}]"#), 400, "messages[0].content"),
        (
            said(r#"[{"role":"user","content":[{"type":"text","text":1}]}]"#),
            400,
            "messages[0].content[0].text",
        ),
        (with(r#","stream":"yes""#), 400, "stream"),
        (with(r#","temperature":"hot""#), 400, "temperature"),
        (with(r#","temperature":2.1"#), 400, "temperature"),
        (with(r#","top_p":-1"#), 400, "top_p"),
        (with(r#","presence_penalty":1e400"#), 400, "presence_penalty"),
        (with(r#","seed":1.5"#), 400, "seed"),
        (with(r#","top_logprobs":21"#), 400, "top_logprobs"),
        (with(r#","logit_bias":{"1":101}"#), 400, "logit_bias"),
        (with(r#","n":0"#), 400, "n"),
        (with(r#","n":1000000000"#), 400, "n"),
        (with(r#","max_tokens":-1"#), 400, "max_tokens"),
        (with(r#","max_tokens":9223372036854775808"#), 400, "max_tokens"),
        (with(r#","max_completion_tokens":1.5"#), 400, "max_completion_tokens"),
        (with(r#","tools":[{"type":"function"}]"#), 400, "tools[0].function.name"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_body_is_refused_by_its_field_in_openais_shape() {
    let vendor = OpenAiLike::start().await.unwrap();
    let scene = Scene::with(Door::Rest, &policy::one_vendor(&vendor.base_url())).await.unwrap();
    let url = format!("{}/chat/completions", scene.house.openai_url(Geo::Eu).unwrap());
    let client = integration_tests::door::client().unwrap();
    for (body, status, field) in cases() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        scene.house.count(Geo::Eu);
        let request = client.post(&url).bearer_auth(&scene.key).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{shown}");
        assert!(answer.headers().contains_key("x-chancery-request-id"), "{shown}");
        let error: Value = answer.json().await.unwrap();
        let error = &error["error"];
        assert_eq!(error["param"].as_str().unwrap_or_default(), field, "{shown}: {error}");
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("invalid_request_error"), &json!("invalid_request")),
            "{shown}"
        );
        assert!(error["message"].as_str().unwrap().contains(field), "{shown}: {error}");
    }
    assert!(!vendor.was_asked().await);
    for record in scene.house.records(Geo::Eu).await.unwrap() {
        assert_eq!((&record["outcome"], &record["code"]), (&json!("refused"), &json!("invalid_request")));
        assert_eq!(record["attempts"], json!([]));
    }
    scene.answered(&Ask::chat("sim-story", "still here")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_inputs_of_embeddings_are_refused_by_their_field() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let url = format!("{}/embeddings", scene.house.openai_url(Geo::Eu).unwrap());
    let client = integration_tests::door::client().unwrap();
    for input in ["null", "\"\"", "[]", "7", "{}", "[\"a\",1]", "[[]]"] {
        scene.house.count(Geo::Eu);
        let body = format!(r#"{{"model":"sim-embed-small","input":{input}}}"#);
        let answer = client.post(&url).bearer_auth(&scene.key).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{input}");
        let error: Value = answer.json().await.unwrap();
        assert!(
            error["error"]["param"].as_str().unwrap_or_default().starts_with("input"),
            "{input}: {error}"
        );
    }
    scene.house.records(Geo::Eu).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_messages_are_refused_by_their_field_over_grpc() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let caller = Anything::at(&url, Some(&scene.key)).await.unwrap();
    let user = json!([{"role": "ROLE_USER", "content": [{"text": "hi"}]}]);
    let cases = [
        ("Chat", json!({"messages": user}), "model"),
        ("Chat", json!({"model": "sim-mistral-large"}), "messages"),
        (
            "Chat",
            json!({"model": "sim-mistral-large", "messages": [{"content": [{"text": "hi"}]}]}),
            "messages[0].role",
        ),
        (
            "Chat",
            json!({"model": "sim-mistral-large", "messages": [{"role": 77, "content": [{"text": "hi"}]}]}),
            "messages[0].role",
        ),
        ("Chat", json!({"model": "sim-mistral-large", "messages": user, "n": 100_000}), "n"),
        (
            "Chat",
            json!({"model": "sim-mistral-large", "messages": user, "extensions": {"model": "sim-gpt-4o"}}),
            "extensions",
        ),
        (
            "Chat",
            json!({"model": "sim-mistral-large", "messages": user, "extensions": {"messages": []}}),
            "extensions",
        ),
        ("Chat", json!({"model": "sim-mistral-large", "messages": user, "temperature": 2.1}), "temperature"),
        ("Chat", json!({"model": "sim-mistral-large", "messages": user, "topP": -1}), "top_p"),
        (
            "Chat",
            json!({"model": "sim-mistral-large", "messages": user, "extensions": {"logit_bias": {"1": 101}}}),
            "logit_bias",
        ),
        ("ChatStream", json!({"model": "sim-mistral-large"}), "messages"),
        ("Embed", json!({"model": "sim-embed-small"}), "input"),
        ("Embed", json!({"model": "sim-embed-small", "inputs": [""]}), "input"),
    ];
    for (rpc, message, field) in cases {
        scene.house.count(Geo::Eu);
        let shown = format!("{rpc} {message}");
        let refusal = caller
            .call(&format!("chancery.inference.v1.Inference/{rpc}"), message)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(refusal.code.as_str(), "invalid_request", "{shown}: {refusal:?}");
        let named = refusal.fields.first().map(|wrong| wrong.field.as_str()).unwrap_or_default();
        assert!(named.starts_with(field), "{shown}: {refusal:?}");
        assert!(refusal.revision.is_some() && refusal.request_id.is_some(), "{refusal:?}");
    }
    scene.house.records(Geo::Eu).await.unwrap();
}

async fn case_64_a_body_over_the_cap_is_refused_before_it_is_read(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let more = policy::one_vendor(&vendor.base_url());
    let scene = Scene::configured(door, &more, |config| config.bounds.body_bytes = 64 * 1024).await?;
    scene.house.count(Geo::Eu);
    let refused = scene.caller()?.ask(&Ask::chat("sim-story", &"x".repeat(70_000))).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (413, "payload_too_large"), "{refused:?}");
    assert!(refused.message.contains("65536"), "{}", refused.message);
    scene.house.records(Geo::Eu).await?;
    assert!(!vendor.was_asked().await);
    let scene = Scene::configured(door, &more, |config| config.bounds.body_bytes = 64 * 1024).await?;
    scene.answered(&Ask::chat("sim-story", &"x ".repeat(20_000))).await?;
    Ok(scene)
}

async fn case_62_a_declaration_cannot_carry_another_header(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    for (name, value) in [
        ("x-chancery-purpose", "a b"),
        ("x-chancery-purpose", &"p".repeat(200)),
        ("x-chancery-data-class", "not/a/name"),
        ("x-subject-residency", "EU,,../.."),
        ("x-subject-residency", "europe"),
        ("x-chancery-subject-jurisdiction", "XX"),
    ] {
        let refused = scene.refused(&Ask::chat("sim-mistral-large", "hello").with(name, value)).await?;
        assert_eq!((refused.status, refused.code.as_str()), (400, "invalid_request"), "{name}: {value}");
        assert!(refused.field.starts_with("x-chancery-"), "{refused:?}");
    }
    let contradictory =
        Ask::chat("sim-mistral-large", "hello").with("x-purpose", "a").with("x-chancery-purpose", "b");
    assert_eq!(scene.refused(&contradictory).await?.status, 400);
    Ok(scene)
}

stories! {
    case_64_a_body_over_the_cap_is_refused_before_it_is_read,
    case_62_a_declaration_cannot_carry_another_header,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_63_paths_and_methods_that_are_not_ours_are_refused_in_the_same_shape() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let base = scene.house.inference_url(Geo::Eu).unwrap();
    let client = integration_tests::door::client().unwrap();
    for (path, status) in [
        ("/", 404),
        ("/v1", 404),
        ("/v1/chat", 404),
        ("//v1/models", 404),
        ("/v1/models/", 404),
        ("/V1/models", 404),
        ("/v1/%2e%2e/models", 404),
        ("/v1/tenants/acme/teams", 404),
        ("/metrics", 404),
        ("/v1/chat/completions", 405),
    ] {
        let answer = client.get(format!("{base}{path}")).bearer_auth(&scene.key).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let error: Value = answer.json().await.unwrap();
        assert!(error["error"]["message"].is_string(), "{path}: {error}");
    }
    let zipped = client.post(format!("{base}/v1/chat/completions")).bearer_auth(&scene.key);
    scene.house.count(Geo::Eu);
    let answer = zipped.header("content-encoding", "gzip").body(vec![0x1f, 0x8b]).send().await.unwrap();
    assert_eq!(answer.status(), 415, "case 47: nothing small may become large here");
    scene.house.records(Geo::Eu).await.unwrap();
}
