//! Another candidate: when it is tried, when not, and what of it is told.

use anyhow::Result;
use http::{HeaderValue, StatusCode, header};
use integration_tests::{
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, Nobody, OpenAiLike, Script, ScriptedUpstream},
};
use serde_json::{Value, json};

use crate::policy;

fn two(first: &str, second: &str) -> String {
    let timeouts = "timeouts: {connect: 1s, firstByte: 400ms, idle: 400ms, total: 5s}";
    [
        policy::vendor_with("first", first, "EU", timeouts),
        policy::vendor_with("second", second, "EU", timeouts),
        policy::model("sim-story", &["first", "second"]),
    ]
    .concat()
}

fn tried(record: &Value) -> Vec<(String, bool)> {
    let attempts = record["attempts"].as_array().unwrap().iter();
    attempts.map(|a| (a["endpoint"].as_str().unwrap().to_owned(), a["failure"].is_null())).collect()
}

fn failure(status: u16) -> Canned {
    let body = json!({"error": {"message": "the vendor's own words about sk-vendor-secret", "type": "server_error"}});
    Canned::json(StatusCode::from_u16(status).unwrap(), body.to_string())
}

async fn one_that_is_down_is_passed_over(door: Door) -> Result<Scene> {
    let (first, second) = (Nobody::hold()?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url()?, &second.base_url())).await?;
    for stream in [false, true] {
        let told = scene.answered(&Ask::chat("sim-story", "hello").streaming(stream)).await?;
        assert_eq!(told.text, "hello");
        assert!(told.header("x-chancery-endpoint").ends_with("second"));
        let record = scene.last_record().await?;
        assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), true)]);
    }
    let metrics = scene.house.metrics(Geo::Eu).await?;
    for line in [
        "chancery_upstream_attempts_total{endpoint=\"first\",outcome=\"connect\"} 2",
        "chancery_upstream_attempts_total{endpoint=\"second\",outcome=\"answered\"} 2",
        "chancery_upstream_first_byte_seconds_count{endpoint=\"second\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // One request, though it was tried twice.
    scene.house.apply(&policy::limit("few", "requests: 4, per: month")).await?;
    let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!(told.header("x-ratelimit-remaining-requests"), "3");
    Ok(scene)
}

async fn case_50_passing_failures_are_passed_over_and_others_are_told(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    for status in [500, 502, 503, 529, 429] {
        first.answer_next(failure(status)).await;
        let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("second"), "{status}");
    }
    for (status, told, code) in [
        (400, 400, "upstream_rejected"),
        (401, 502, "upstream_credential"),
        (403, 502, "upstream_credential"),
        (413, 400, "upstream_rejected"),
    ] {
        first.answer_next(failure(status)).await;
        let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
        assert_eq!((refused.status, refused.code.as_str()), (told, code), "{status}: {refused:?}");
    }
    Ok(scene)
}

async fn what_none_could_answer_is_told_as_the_last_of_them_said(door: Door) -> Result<Scene> {
    let (first, second) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    first.answer_next(failure(500)).await;
    let busy = failure(429).with(header::RETRY_AFTER, HeaderValue::from_static("7"));
    second.answer_next(busy).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (429, "upstream_rate_limited"));
    assert_eq!(refused.retry_after, Some(7));
    assert!(!refused.message.contains("sk-vendor-secret"), "{}", refused.message);
    let record = scene.last_record().await?;
    assert_eq!(tried(&record), [("first".to_owned(), false), ("second".to_owned(), false)]);
    assert_eq!((&record["outcome"], &record["usage"]["provenance"]), (&json!("failed"), &json!("none")));
    Ok(scene)
}

async fn a_vendor_that_never_answers_is_given_up_for_another(door: Door) -> Result<Scene> {
    let (first, second) =
        (ScriptedUpstream::start([Script::new().read().hang()]).await?, OpenAiLike::start().await?);
    let scene = Scene::with(door, &two(&first.base_url(), &second.base_url())).await?;
    let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert!(told.header("x-chancery-endpoint").ends_with("second"));
    let mut seen = first.connection().await?;
    seen.request().await?;
    seen.closed().await?;
    Ok(scene)
}

stories! {
    one_that_is_down_is_passed_over,
    case_50_passing_failures_are_passed_over_and_others_are_told,
    what_none_could_answer_is_told_as_the_last_of_them_said,
    a_vendor_that_never_answers_is_given_up_for_another,
}
