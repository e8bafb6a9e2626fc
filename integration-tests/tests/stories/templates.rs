//! An API of the organisation's own, spoken to by the template of `deploy/examples/custom.yaml`: what it is asked, what comes of its answers
//! and streams, and what is refused of a request and of a template.

use anyhow::Result;
use http::{HeaderName, HeaderValue, StatusCode};
use integration_tests::{
    door::{Ask, Door},
    scene::Scene,
    scripted::{Canned, OpenAiLike, Piece},
};
use serde_json::{Value, json};

/// The example, at an address of this machine.
fn example(base_url: &str) -> String {
    let example = include_str!("../../../deploy/examples/custom.yaml");
    format!("---\n{}", example.replace("https://models.example.com", base_url))
}

async fn with_the_example(door: Door) -> Result<(Scene, OpenAiLike)> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &example(&vendor.base_url())).await?;
    Ok((scene, vendor))
}

fn answer(rest: Value) -> Canned {
    let mut answer = json!({"output": [{"text": "Mice.", "why": "too_long"}]});
    answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    Canned::json(StatusCode::OK, answer.to_string())
}

async fn it_is_asked_and_answers_in_its_own_words(door: Door) -> Result<Scene> {
    let (scene, vendor) = with_the_example(door).await?;
    vendor.answer_next(answer(json!({"counts": {"in": 21, "out": 3}}))).await;
    let ask = Ask::chat("sim-house", "What do cats eat?").at_most(50);
    let told = scene.answered(&ask).await?;
    assert_eq!((told.text.as_str(), told.finish.as_str(), told.usage), ("Mice.", "length", Some((21, 3))));
    let asked = vendor.request().await?;
    assert_eq!(
        (asked.path.as_str(), asked.headers["x-team"].as_bytes()),
        ("/v1/v2/models/house-7b/generate", &b"research"[..])
    );
    let expected = json!({
        "instructions": "Answer briefly.",
        "turns": [{"from": "user", "says": "What do cats eat?"}],
        "parameters": {"max_new_tokens": 50},
        "stream": false,
    });
    assert_eq!(asked.json()?, expected);
    let record = scene.last_record().await?;
    let used = (&record["usage"]["input"], &record["usage"]["output"], &record["usage"]["provenance"]);
    assert_eq!(used, (&json!(21), &json!(3), &json!("vendor")));
    // Where it tells no tokens, they are estimated; each is paid for.
    vendor.answer_next(answer(json!({}))).await;
    assert_eq!(scene.answered(&ask).await?.text, "Mice.");
    let record = scene.last_record().await?;
    assert_eq!(record["usage"]["provenance"], "estimated");
    assert!(record["costNanos"].as_u64().unwrap() > 0, "{record}");
    Ok(scene)
}

async fn its_streams_are_told_as_they_come(door: Door) -> Result<Scene> {
    let (scene, vendor) = with_the_example(door).await?;
    let line = |line: Value| Piece::Bytes(format!("{line}\n").into());
    let first = [line(json!({"delta": "Mi"})), line(json!({"delta": "ce."}))];
    let pieces = [first.to_vec(), vec![line(json!({"delta": "", "why": "done"}))]].concat();
    vendor.answer_next(Canned::json_in(pieces)).await;
    let ask = Ask::chat("sim-house", "What do cats eat?").streaming(true);
    let told = scene.answered(&ask).await?;
    assert_eq!((told.text.as_str(), told.finish.as_str()), ("Mice.", "stop"));
    assert_eq!(vendor.request().await?.json()?["stream"], true);
    assert_eq!(scene.last_record().await?["usage"]["provenance"], "estimated");
    // One that does not come to its end is none that ended.
    vendor.answer_next(Canned::json_in(first.to_vec())).await;
    let refused = scene.refused(&ask).await?;
    assert_eq!(refused.code, "upstream_error", "{refused:?}");
    let failed = [first.to_vec(), vec![line(json!({"fault": {"message": "out of memory"}}))]].concat();
    vendor.answer_next(Canned::json_in(failed)).await;
    let refused = scene.refused(&ask).await?;
    assert_eq!(refused.code, "upstream_error", "{refused:?}");
    Ok(scene)
}

async fn what_it_has_no_place_for_is_a_400_by_name(door: Door) -> Result<Scene> {
    let (scene, vendor) = with_the_example(door).await?;
    for (ask, field) in [
        (Ask::chat("sim-house", "hi").times(2), "`n`"),
        (Ask::chat("sim-house", "hi").offering("look", json!({"type": "object"})), "`tools`"),
        (Ask::chat("sim-house", "hi").having("frequency_penalty", json!(0.5)), "`frequency_penalty`"),
    ] {
        let refused = scene.refused(&ask).await?;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.message.contains(field), "{refused:?}");
    }
    assert!(!vendor.was_asked().await, "nothing was sent");
    vendor
        .answer_next(Canned::json(StatusCode::BAD_REQUEST, r#"{"fault":{"message":"no cats here"}}"#))
        .await;
    let refused = scene.refused(&Ask::chat("sim-house", "hi")).await?;
    assert!(refused.status == 400 && refused.message.contains("no cats here"), "{refused:?}");
    Ok(scene)
}

async fn a_template_that_can_not_work_is_refused_where_it_is_applied(door: Door) -> Result<Scene> {
    let (scene, vendor) = with_the_example(door).await?;
    let example = example(&vendor.base_url());
    for (is, was, told) in [
        ("${turns}", "${turn}", "spec.template.request.body"),
        ("text: /delta", "text: delta", "spec.template.stream.text"),
        ("too_long: length", "too_long: tool_calls", "spec.template.response.finishReasons"),
    ] {
        let refused = scene.house.apply(&example.replace(is, was)).await.unwrap_err();
        assert!(format!("{refused:#}").contains(told), "{refused:#}");
    }
    vendor.answer_next(answer(json!({}))).await;
    assert_eq!(
        scene.answered(&Ask::chat("sim-house", "hi")).await?.text,
        "Mice.",
        "what was in force still is"
    );
    Ok(scene)
}

async fn its_vectors_are_read_by_the_template(door: Door) -> Result<Scene> {
    let (scene, vendor) = with_the_example(door).await?;
    let vectors = json!({"vectors": [{"values": [0.5, 1]}, {"values": [2, 3]}], "counts": {"in": 7}});
    vendor.answer_next(Canned::json(StatusCode::OK, vectors.to_string())).await;
    let ask = Ask::embed("sim-house", &["cats", "of ada, card 4111 1111 1111 1111"]);
    let told = scene.answered(&ask).await?;
    assert_eq!(told.vectors, [[0.5, 1.0], [2.0, 3.0]]);
    let asked = vendor.request().await?;
    assert_eq!(asked.path, "/v1/v2/models/house-7b/embed");
    let texts = asked.json()?["texts"].clone();
    assert!(texts[0] == "cats" && !texts[1].as_str().unwrap().contains("4111"), "{texts}");
    let record = scene.last_record().await?;
    let used = (&record["usage"]["input"], &record["usage"]["provenance"]);
    assert_eq!(used, (&json!(7), &json!("vendor")));
    // One too few is no answer.
    vendor.answer_next(Canned::json(StatusCode::OK, r#"{"vectors":[{"values":[1]}]}"#)).await;
    vendor.answer_next(Canned::json(StatusCode::OK, r#"{"vectors":[{"values":[1]}]}"#)).await;
    assert_eq!(scene.refused(&ask).await?.code, "upstream_error");
    Ok(scene)
}

/// What of AWS is the organisation's own, at an address of this machine.
fn of_aws(base_url: &str, what: &str) -> String {
    let example = example(base_url);
    let (head, rest) = example.split_once("  template:").unwrap();
    let rest = rest.split_once("---").unwrap().1;
    let signed = "  credential: {value: an-access-keys-secret}\n  auth: {aws: {accessKeyId: AKIASTORY, region: eu-central-1}}\n";
    format!("{}{signed}---{rest}", head.replace("adapter: custom", what))
}

async fn what_aws_runs_is_asked_in_openais_dialect_and_signed_for(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &of_aws(&vendor.base_url(), "adapter: sagemaker")).await?;
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": "Mice."}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24});
    let answer = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "tgi", "choices": [choice], "usage": usage});
    let answer = || Canned::json(StatusCode::OK, answer.to_string());
    let ask = Ask::chat("sim-house", "What do cats eat?");
    vendor.answer_next(answer()).await;
    let told = scene.answered(&ask).await?;
    assert_eq!((told.text.as_str(), told.usage), ("Mice.", Some((21, 3))));
    let asked = vendor.request().await?;
    assert_eq!(asked.path, "/v1/endpoints/house-7b/invocations");
    let shown = asked.headers["authorization"].to_str()?;
    assert!(shown.contains("Credential=AKIASTORY/") && shown.contains("/eu-central-1/sagemaker/"), "{shown}");
    assert_eq!(asked.json()?.get("model"), None);

    // The same provider, now a function, which is given the whole answer's time and no stream.
    scene.house.apply(&of_aws(&vendor.base_url(), "adapter: custom\n  transport: lambda")).await?;
    vendor.answer_next(answer()).await;
    let told = scene.answered(&ask.clone().streaming(true)).await?;
    assert_eq!((told.text.as_str(), told.usage), ("Mice.", Some((21, 3))));
    let asked = vendor.request().await?;
    assert_eq!(asked.path, "/v1/2015-03-31/functions/house-7b/invocations");
    assert_eq!(asked.json()?.get("stream"), None);
    let failed = Canned::json(StatusCode::OK, r#"{"errorMessage":"no cats","errorType":"KeyError"}"#);
    let name = HeaderName::from_static("x-amz-function-error");
    vendor.answer_next(failed.with(name, HeaderValue::from_static("Unhandled"))).await;
    // It is asked once more, for that may pass.
    vendor.answer_next(answer()).await;
    assert_eq!(scene.answered(&ask).await?.text, "Mice.");
    Ok(scene)
}

stories! {
    its_vectors_are_read_by_the_template,
    what_aws_runs_is_asked_in_openais_dialect_and_signed_for,
    it_is_asked_and_answers_in_its_own_words,
    its_streams_are_told_as_they_come,
    what_it_has_no_place_for_is_a_400_by_name,
    a_template_that_can_not_work_is_refused_where_it_is_applied,
}
