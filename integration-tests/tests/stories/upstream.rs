//! Vendors, seen from their side: how they are called, and what their faults become.

use anyhow::Result;
use http::{StatusCode, Version, header};
use integration_tests::{
    door::{Ask, Door},
    scene::Scene,
    scripted::{Canned, Gate, Identity, OpenAiLike, Piece, Script, ScriptedUpstream},
};
use serde_json::json;

use crate::policy;

fn story(base_url: &str) -> String {
    let timeouts = "timeouts: {connect: 1s, firstByte: 400ms, idle: 400ms, total: 2s}";
    format!(
        "{}{}",
        policy::vendor_with("story", base_url, "EU", timeouts),
        policy::model("sim-story", &["story"])
    )
}

async fn a_vendor_gets_the_callers_question_and_none_of_its_credentials(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), "sk-vendor-canary\n")?;
    let credential = format!("adapter: openai, credential: {{file: {}}}", secret.path().display());
    let scene = Scene::with(door, &story(&vendor.base_url()).replace("adapter: openai", &credential)).await?;
    let ask = Ask::chat("sim-story", "hello").with("x-chancery-purpose", "support").with("x-story", "mine");
    scene.answered(&ask).await?;
    let asked = vendor.request().await?;
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(asked.headers[header::AUTHORIZATION], "Bearer sk-vendor-canary");
    let headers = format!("{:?}", asked.headers);
    for of_the_caller in [scene.key.as_str(), "x-chancery-purpose", "x-story", "mine"] {
        assert!(!headers.contains(of_the_caller), "{of_the_caller}: {headers}");
    }
    let body = asked.json()?;
    assert_eq!((&body["model"], &body["messages"][0]["content"]), (&json!("echo-small"), &json!("hello")));
    Ok(scene)
}

async fn http_2_under_tls_is_spoken_where_the_vendor_offers_it(door: Door) -> Result<Scene> {
    for (alpn, version) in [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"][..], Version::HTTP_11)]
    {
        let vendor = OpenAiLike::start_tls(Identity::new("localhost", alpn)?).await?;
        let roots = tempfile::NamedTempFile::new()?;
        std::fs::write(roots.path(), vendor.roots().unwrap())?;
        let path = roots.path().to_owned();
        let scene = Scene::configured(door, &story(&vendor.base_url()), |config| {
            config.upstream.extra_roots = Some(path.clone());
        })
        .await?;
        for stream in [false, true] {
            scene.answered(&Ask::chat("sim-story", "hello").streaming(stream)).await?;
            assert_eq!(vendor.request().await?.version, version);
        }
        // A caller that leaves is a cancelled stream on a connection that lives on.
        let pieces = vec![Piece::Bytes(": wait\n\n".into()), Piece::Wait(Gate::default())];
        vendor.answer_next(Canned::events(pieces)).await;
        scene.house.count(integration_tests::sandbox::Geo::Eu);
        let (caller, ask) = (scene.caller()?, Ask::chat("sim-story", "hello").streaming(true));
        let asking = tokio::spawn(async move { caller.ask(&ask).await });
        vendor.request().await?;
        asking.abort();
        tokio::time::timeout(std::time::Duration::from_secs(1), vendor.given_up()).await??;
        scene.answered(&Ask::chat("sim-story", "hello")).await?;
        scene.last_record().await?;
        if version == Version::HTTP_11 {
            return Ok(scene);
        }
    }
    anyhow::bail!("both versions are told of")
}

async fn case_53_a_vendor_that_nobody_vouches_for_is_not_spoken_to(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start_tls(Identity::new("localhost", &["http/1.1"])?).await?;
    let scene = Scene::with(door, &story(&vendor.base_url())).await?;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (502, "upstream_error"), "{refused:?}");
    assert!(!vendor.was_asked().await);
    Ok(scene)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// What a vendor does, and what the caller is told.
fn faults() -> Vec<(&'static str, Script, u16, &'static str)> {
    let said = |text: &str| Script::new().read().send(text.to_owned());
    let body =
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
    let sized = |length: usize, body: &str| said(&format!("{HEAD}content-length: {length}\r\n\r\n{body}"));
    vec![
        ("a reset before a byte", Script::new().read().reset(), 502, "upstream_error"),
        ("a reset in the headers", said("HTTP/1.1 200 OK\r\ncontent-").reset(), 502, "upstream_error"),
        ("silence", Script::new().read().hang(), 504, "upstream_timeout"),
        ("silence in the body", sized(body.len(), "{\"choices\"").hang(), 504, "upstream_timeout"),
        ("a length that is too long", sized(body.len() + 10, body), 502, "upstream_error"),
        ("a length that is too short", sized(10, body), 502, "upstream_error"),
        ("no HTTP", said("hello, who is this?\r\n\r\n"), 502, "upstream_error"),
        ("no JSON", sized(5, "hello"), 502, "upstream_error"),
        (
            "bad UTF-8",
            said(&format!("{HEAD}content-length: 3\r\n\r\n")).send(vec![b'"', 0xff, b'"']),
            502,
            "upstream_error",
        ),
        ("another JSON", sized(2, "{}"), 502, "upstream_error"),
        (
            "an error as a success",
            sized(34, "{\"error\":{\"message\":\"not for you\"}}"),
            502,
            "upstream_error",
        ),
        (
            "a redirect",
            said("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"),
            502,
            "upstream_error",
        ),
        (
            "a trickle",
            Script::new().read().trickle(
                format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len()),
                std::time::Duration::from_millis(100),
            ),
            504,
            "upstream_timeout",
        ),
    ]
}

async fn every_fault_of_a_vendor_is_told_as_one(door: Door) -> Result<Scene> {
    // Each case has a vendor of its own, so that a connection that is tried again meets the same fault.
    let mut vendors = Vec::new();
    let mut text = String::new();
    for (at, (what, script, status, code)) in faults().into_iter().enumerate() {
        let vendor = ScriptedUpstream::start([script]).await?;
        let (endpoint, model) = (format!("fault-{at}"), format!("sim-fault-{at}"));
        let timeouts = "timeouts: {connect: 1s, firstByte: 400ms, idle: 400ms, total: 1500ms}";
        text.push_str(&policy::vendor_with(&endpoint, &vendor.base_url(), "EU", timeouts));
        text.push_str(&policy::model(&model, &[&endpoint]));
        vendors.push((what, model, status, code, vendor));
    }
    let scene = Scene::with(door, &text).await?;
    for (what, model, status, code, vendor) in &vendors {
        for stream in [false, true] {
            let refused = match scene.ask(&Ask::chat(model, "hello").streaming(stream)).await? {
                Err(refused) => refused,
                Ok(told) => panic!("{what}, stream {stream}: {told:?}"),
            };
            assert_eq!(
                (refused.status, refused.code.as_str()),
                (*status, *code),
                "{what}, stream {stream}: {refused:?}"
            );
            assert!(!refused.message.contains("127.0.0.1"), "{what}: {}", refused.message);
            let record = scene.last_record().await?;
            assert_eq!(record["usage"]["provenance"], "none", "{what}: {record}");
        }
        assert!(vendor.was_dialled().await, "{what}");
    }
    Ok(scene)
}

async fn case_34_a_vendor_that_lies_about_usage_is_not_believed(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let mut seen = Vec::new();
    for claim in ["none", "1000000000"] {
        for stream in [false, true] {
            let text = format!("[[sim:say=four words are here]][[sim:usage={claim}]]");
            scene.answered(&Ask::chat("sim-mistral-large", &text).at_most(100).streaming(stream)).await?;
            let record = scene.last_record().await?;
            let output = record["usage"]["output"].as_u64().unwrap();
            assert!((1..=100).contains(&output), "{record}");
            seen.push(record["usage"]["provenance"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, ["estimated", "estimated", "clamped", "clamped"]);
    Ok(scene)
}

async fn case_54_a_vendor_that_echoes_our_credential_is_cut_short(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let secret = tempfile::NamedTempFile::new()?;
    std::fs::write(secret.path(), "sk-vendor-canary")?;
    let credential = format!("adapter: openai, credential: {{file: {}}}", secret.path().display());
    let scene = Scene::with(door, &story(&vendor.base_url()).replace("adapter: openai", &credential)).await?;
    let echo = json!({"error": {"message": "Incorrect API key provided: sk-vendor-canary", "type": "invalid_request_error"}});
    vendor.answer_next(Canned::json(StatusCode::BAD_REQUEST, echo.to_string())).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert!(!format!("{refused:?}").contains("sk-vendor-canary"), "{refused:?}");
    assert!(!scene.last_record().await?.to_string().contains("sk-vendor-canary"));
    Ok(scene)
}

stories! {
    a_vendor_gets_the_callers_question_and_none_of_its_credentials,
    http_2_under_tls_is_spoken_where_the_vendor_offers_it,
    case_53_a_vendor_that_nobody_vouches_for_is_not_spoken_to,
    every_fault_of_a_vendor_is_told_as_one,
    case_34_a_vendor_that_lies_about_usage_is_not_believed,
    case_54_a_vendor_that_echoes_our_credential_is_cut_short,
}
