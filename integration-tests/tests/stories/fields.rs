//! What stands in a request beside its texts: fields nobody published, tools that the vendor runs, and numbers.

use anyhow::Result;
use http::StatusCode;
use integration_tests::{
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, OpenAiLike, Piece},
};
use serde_json::{Value, json};

use crate::{answer, policy};

const CARD: u64 = 4_111_111_111_111_111;

/// Two vendors of one kind: `strict` rejects fields outside the published schema, `open` forwards them.
async fn vendors() -> Result<(OpenAiLike, OpenAiLike, String)> {
    let (strict, open) = (OpenAiLike::start().await?, OpenAiLike::start().await?);
    let rejecting = policy::vendor("strict", &strict.base_url(), "EU")
        .replace("upstreamModel: echo-small,", "upstreamModel: echo-small, unknownFields: reject,");
    let more = [
        rejecting,
        policy::vendor("open", &open.base_url(), "EU"),
        policy::model("sim-strict", &["strict"]),
        policy::model("sim-both", &["strict", "open"]),
    ];
    Ok((strict, open, more.concat()))
}

async fn a_field_nobody_published_goes_only_where_such_fields_are_taken(door: Door) -> Result<Scene> {
    let (strict, open, more) = vendors().await?;
    let scene = Scene::with(door, &more).await?;
    let (alone, both) = (Ask::chat("sim-strict", "hello"), Ask::chat("sim-both", "hello"));
    for stream in [false, true] {
        for ask in [alone.clone().having("top_k", json!(40)), alone.clone().having("transforms", Value::Null)]
        {
            let refused = scene.refused(&ask.streaming(stream)).await?;
            assert_eq!((refused.status, refused.code.as_str()), (400, "unknown_field"), "{refused:?}");
            assert!(["top_k", "transforms"].contains(&refused.field.as_str()), "{refused:?}");
            assert!(refused.message.contains(&refused.field), "{refused:?}");
        }
        let told = scene.answered(&both.clone().having("top_k", json!(40)).streaming(stream)).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("open"), "{:?}", told.head);
        assert_eq!(open.request().await?.json()?["top_k"].as_f64(), Some(40.0));
    }
    let embed = Ask::embed("sim-strict", &["hello"]).having("truncate", json!("END"));
    assert_eq!(scene.refused(&embed).await?.field, "truncate");
    assert!(!strict.was_asked().await, "it was promised that such a field does not reach it");
    // What is published goes there, however new it is.
    for ask in
        [alone.clone().having("verbosity", json!("low")), both.having("safety_identifier", json!("u-1"))]
    {
        let told = scene.answered(&ask).await?;
        assert!(told.header("x-chancery-endpoint").ends_with("strict"), "{:?}", told.head);
    }
    scene.refused(&alone.having("top_k", json!(1))).await?;
    assert_eq!(scene.last_record().await?["reasons"], json!(["unknown_field"]));
    Ok(scene)
}

/// Fields by which a vendor is told to run something, and the kind that each is.
fn tools() -> Vec<(Ask, &'static str)> {
    let ask = || Ask::chat("sim-story", "hello");
    vec![
        (ask().having("functions", json!([{"type": "web_search"}])), "web_search"),
        (ask().having("functions", json!([{"name": "$code_runner"}])), "code_runner"),
        (ask().having("function_call", json!({"name": "$web_search"})), "web_search"),
        (ask().having("function_call", json!("file_search")), "file_search"),
        (ask().having("return_citations", json!(true)), "web_search"),
        (
            ask().having("compound_custom", json!({"tools": {"enabled_tools": ["visit_website"]}})),
            "visit_website",
        ),
        (ask().having("web_search_options", json!({"tools": [{"type": "mcp"}]})), "mcp"),
        (ask().having("attachments", json!([{"file_id": "f"}])), "attachments"),
        (ask().offering("$web_search", json!({"type": "object"})), "web_search"),
    ]
}

async fn a_tool_of_the_vendors_is_seen_wherever_it_stands(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    for (ask, kind) in tools() {
        let refused = scene.refused(&ask).await?;
        assert_eq!((refused.status, refused.code.as_str()), (403, "permit_missing"), "{kind}: {refused:?}");
        assert!(refused.message.contains(&format!("`{kind}`")), "{kind}: {refused:?}");
    }
    assert!(!vendor.was_asked().await);
    // A rule permits each kind by its name, and no other with it.
    scene.house.apply(&policy::rule("search", "permit", "'web_search' in egressTools", "")).await?;
    for (ask, kind) in tools() {
        let allowed = scene.ask(&ask).await?;
        assert_eq!(allowed.is_ok(), kind == "web_search", "{kind}: {allowed:?}");
    }
    // The caller's own functions, old form and new, are nobody's tools.
    let own =
        Ask::chat("sim-story", "hello").offering("find", json!({"properties": {"tools": {"type": "array"}}}));
    scene
        .answered(&own.having("functions", json!([{"name": "find"}])).having("function_call", json!("auto")))
        .await?;
    Ok(scene)
}

async fn a_schema_keeps_the_numbers_it_must_have(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let schema = json!({"type": "object", "properties": {
        "n": {"type": "integer", "maximum": CARD, "default": CARD},
        "maximum": {"enum": [CARD]},
    }});
    scene
        .answered(
            &Ask::chat("sim-story", "hello").offering("pay", schema).having("x", json!({"maximum": CARD})),
        )
        .await?;
    let sent = vendor.request().await?.json()?;
    let sent_schema = &sent["tools"][0]["function"]["parameters"]["properties"];
    assert_eq!(sent_schema["n"]["maximum"].as_f64(), Some(CARD as f64), "{sent}");
    for masked in [&sent_schema["n"]["default"], &sent_schema["maximum"]["enum"][0], &sent["x"]["maximum"]] {
        assert!(masked.as_str().is_some_and(|text| text.contains("CREDIT_DEBIT_CARD_NUMBER")), "{sent}");
    }
    Ok(scene)
}

async fn what_a_vendor_writes_beside_its_answer_is_read_too(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"});
    let body = json!({
        "id": "of ada@example.org", "object": "chat.completion", "created": 1, "model": "echo-small", "choices": [choice],
        "system_fingerprint": "bob@example.org", "service_tier": "carl@example.org", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    });
    vendor.answer_next(Canned::json(StatusCode::OK, body.to_string())).await;
    scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!(scene.last_record().await?["found"]["output"], json!({"EMAIL": 3}));
    let first = json!({
        "id": "of ada@example.org", "object": "chat.completion.chunk", "created": 1, "model": "echo-small",
        "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": null}],
    });
    let first = Piece::Bytes(format!("data: {first}\n\n").into());
    vendor.answer_next(Canned::events(vec![first, answer::end()])).await;
    scene.answered(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(scene.last_record().await?["found"]["output"], json!({"EMAIL": 1}));
    Ok(scene)
}

async fn no_place_of_an_answer_is_left_out(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let said = json!({
        "role": "assistant", "content": "hi", "ada@example.org": 1,
        "tool_calls": [{"index": 0, "id": "bob@example.org", "type": "function", "function": {"name": "carl@example.org", "arguments": "{}"}}],
    });
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "of": CARD});
    let found = json!({"EMAIL": 4, "CREDIT_DEBIT_CARD_NUMBER": 2});
    let body = json!({
        "id": "c", "object": "chat.completion", "created": CARD, "model": "echo-small", "usage": usage,
        "choices": [{"index": 0, "message": said, "finish_reason": "dan@example.org"}],
    });
    vendor.answer_next(Canned::json(StatusCode::OK, body.to_string())).await;
    let told = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert!(!told.finish.contains("example.org"), "{}", told.finish);
    assert_eq!(scene.last_record().await?["found"]["output"], found);
    let streamed = json!({
        "role": "bob@example.org", "content": "hi", "ada@example.org": 1, "x": {"id": "carl@example.org"},
    });
    let chunk = json!({
        "id": "c", "object": "chat.completion.chunk", "created": CARD, "model": "echo-small", "usage": usage,
        "choices": [{"index": 0, "delta": streamed, "finish_reason": "dan@example.org"}],
    });
    let chunk = Piece::Bytes(format!("data: {chunk}\n\ndata: [DONE]\n\n").into());
    vendor.answer_next(Canned::events(vec![chunk])).await;
    let told = scene.answered(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert!(!told.finish.contains("example.org"), "{}", told.finish);
    assert_eq!(scene.last_record().await?["found"]["output"], found);
    Ok(scene)
}

async fn a_place_that_is_none_ends_a_stream(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let calls =
        json!([{"index": CARD, "id": "c", "type": "function", "function": {"name": "f", "arguments": "bo"}}]);
    let chunk =
        json!({"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": null}]});
    let pieces =
        vec![answer::event("as far as. "), Piece::Bytes(format!("data: {chunk}\n\n").into()), answer::end()];
    vendor.answer_next(Canned::events(pieces)).await;
    let refused = scene.refused(&Ask::chat("sim-story", "hello").streaming(true)).await?;
    assert_eq!(refused.code, "upstream_error", "{refused:?}");
    assert_eq!(refused.before.unwrap().text, "as far as. ");
    scene.last_record().await?;
    Ok(scene)
}

async fn a_count_of_tokens_that_is_too_low_is_replaced(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let long = "so it was ".repeat(1000);
    for (canned, stream) in [(answer::whole(&long), false), (answer::in_pieces(&long, 500), true)] {
        vendor.answer_next(canned).await;
        scene.answered(&Ask::chat("sim-story", "hello").streaming(stream)).await?;
        let record = scene.last_record().await?;
        assert_eq!(record["usage"]["provenance"], "estimated", "{record}");
        assert!(record["usage"]["output"].as_u64().unwrap() >= 2_500, "{record}");
    }
    Ok(scene)
}

stories! {
    a_field_nobody_published_goes_only_where_such_fields_are_taken,
    a_tool_of_the_vendors_is_seen_wherever_it_stands,
    a_schema_keeps_the_numbers_it_must_have,
    what_a_vendor_writes_beside_its_answer_is_read_too,
    no_place_of_an_answer_is_left_out,
    a_place_that_is_none_ends_a_stream,
    a_count_of_tokens_that_is_too_low_is_replaced,
}

/// What only a body can say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_in_messages_in_choices_and_in_other_tools_are_seen() {
    let vendor = OpenAiLike::start().await.unwrap();
    let more = [
        policy::one_vendor(&vendor.base_url()),
        policy::rule("search", "permit", "'web_search' in egressTools", ""),
    ];
    let scene = Scene::with(Door::Rest, &more.concat()).await.unwrap();
    let within = json!([{"type": "web_search", "more": {"tools": [{"type": "mcp"}]}}]);
    let choice = json!({"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "mcp"}]}});
    let ask = || Ask::chat("sim-story", "hello");
    let message = |tools: Value| json!([{"role": "user", "content": "hello", "tools": tools}]);
    for (ask, kind) in [
        (ask().having("messages", message(json!([{"type": "mcp"}]))), "mcp"),
        (ask().having("messages", message(within.clone())), "mcp"),
        (ask().having("tools", within), "mcp"),
        (ask().having("tool_choice", json!("mcp")), "mcp"),
        (ask().having("tool_choice", choice), "mcp"),
        (
            ask().having("tools", json!([{"type": "builtin_function", "function": {"name": "$web_search"}}])),
            "builtin_function",
        ),
    ] {
        let refused = scene.refused(&ask).await.unwrap();
        assert_eq!((refused.status, refused.code.as_str()), (403, "permit_missing"), "{ask:?}");
        assert!(
            refused.message.contains(&format!("(`{kind}`)")),
            "one is permitted, the other named: {refused:?}"
        );
    }
    scene.answered(&ask().having("tool_choice", json!("web_search"))).await.unwrap();
    scene.house.records(Geo::Eu).await.unwrap();
}
