//! Pictures by URL for a vendor that takes them whole: fetched where the node's operator says so, and nowhere else.

use anyhow::Result;
use http::{HeaderValue, Method, StatusCode, header};
use integration_tests::{
    door::Door,
    program,
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, OpenAiLike},
};
use serde_json::{Value, json};

use crate::policy;

/// The first bytes of a picture.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a cat";

/// A model of a vendor that speaks Bedrock's dialect.
fn bedrock(base_url: &str) -> String {
    let vendor = policy::vendor_with("story", base_url, "EU", "timeouts: {connect: 1s}");
    let vendor = vendor.replace("adapter: openai", "adapter: bedrock, credential: {value: a-key-of-bedrock}");
    format!("{vendor}{}", policy::model("sim-story", &["story"]))
}

fn answer() -> Canned {
    let message = json!({"role": "assistant", "content": [{"text": "A cat."}]});
    let usage = json!({"inputTokens": 200, "outputTokens": 3, "totalTokens": 203});
    let answer = json!({"output": {"message": message}, "stopReason": "end_turn", "usage": usage});
    Canned::json(StatusCode::OK, answer.to_string())
}

fn picture(body: &'static [u8]) -> Canned {
    Canned::json(StatusCode::OK, body).with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_names_a_picture_by_its_url_and_the_vendor_gets_it_whole() -> Result<()> {
    let (vendor, host) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::configured(Door::Rest, &bedrock(&vendor.base_url()), |config| {
        (config.fetch.enabled, config.fetch.plain_http) = (true, true);
        // What is not public is fetched from only where it is listed.
        config.fetch.hosts = vec!["127.0.0.1".to_owned()];
    })
    .await?;
    vendor.answer_next(answer()).await;
    host.answer_next(picture(PNG)).await;
    host.answer_next(picture(b"<html>not a cat</html>")).await;
    let (url, at) =
        (scene.house.openai_url(Geo::Eu)?, format!("{}/cat.png?signature=canary", host.base_url()));
    let variables =
        [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", &scene.key), ("PICTURE", at.as_str())];
    let said = program::run("files_by_url.py", &variables).await?;
    assert!(said.contains("it is no URL that is fetched from here") && said.contains("no type"), "{said}");

    let asked = host.request().await?;
    assert_eq!((&asked.method, asked.path.as_str()), (&Method::GET, "/v1/cat.png?signature=canary"));
    assert!(!format!("{:?}", asked.headers).contains(&scene.key), "{:?}", asked.headers);
    let sent = vendor.request().await?.json()?;
    let image = &sent["messages"][0]["content"][1]["image"];
    assert_eq!(image, &json!({"format": "png", "source": {"bytes": "iVBORw0KGgogYSBjYXQ="}}));

    (0..3).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await?;
    let fetched: Vec<Value> = records.iter().map(|record| record["fetched"].clone()).collect();
    let host = &fetched[0]["hosts"][0];
    assert_eq!(fetched[0], json!({"files": 1, "failed": 0, "bytes": PNG.len(), "hosts": [host]}));
    assert_eq!(fetched[2], json!({"files": 1, "failed": 1, "bytes": 0, "hosts": [host]}));
    assert!(!format!("{records:?}").contains("canary"), "{records:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_fetched_unless_the_operator_says_so() -> Result<()> {
    let (vendor, host) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(Door::Rest, &bedrock(&vendor.base_url())).await?;
    let part = json!({"type": "image_url", "image_url": {"url": format!("{}/cat.png", host.base_url())}});
    let body = json!({"model": "sim-story", "messages": [{"role": "user", "content": [part]}]});
    let url = format!("{}/chat/completions", scene.house.openai_url(Geo::Eu)?);
    let client = integration_tests::door::client()?;
    let refused = client.post(&url).bearer_auth(&scene.key).json(&body).send().await?;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused: Value = refused.json().await?;
    assert_eq!(refused["error"]["param"], "messages[0].content[0]", "{refused}");
    assert!(!host.was_asked().await && !vendor.was_asked().await, "nobody was");
    // One that is sent along is as large as a body may be, and no larger.
    let data = format!("data:image/png;base64,{}", "A".repeat(33 * 1024 * 1024));
    let part = json!({"type": "image_url", "image_url": {"url": data}});
    let body = json!({"model": "sim-story", "messages": [{"role": "user", "content": [part]}]});
    let refused = client.post(&url).bearer_auth(&scene.key).json(&body).send().await?;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let refused: Value = refused.json().await?;
    assert_eq!(refused["error"]["code"], "payload_too_large", "{refused}");
    Ok(())
}
