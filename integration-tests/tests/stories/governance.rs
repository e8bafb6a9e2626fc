//! What policy does to a request: where it may go, under which licence, for what, and what becomes of its content.

use anyhow::Result;
use integration_tests::{
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
    scripted::{Nobody, OpenAiLike},
};
use serde_json::json;

use crate::{answer, policy};

const MODEL: &str = "sim-mistral-large";

async fn case_55_what_must_stay_in_the_eu_fails_there_rather_than_leave(door: Door) -> Result<Scene> {
    let (eu, us) = (Nobody::hold()?, OpenAiLike::start().await?);
    let text = [
        policy::vendor("down-eu", &eu.base_url()?, "EU"),
        policy::vendor("up-us", &us.base_url(), "US"),
        policy::model("sim-two-homes", &["down-eu", "up-us"]),
    ];
    let scene = Scene::with(door, &text.concat()).await?;
    let ask = Ask::chat("sim-two-homes", "hello");
    for stream in [false, true] {
        let refused = scene.refused(&ask.clone().streaming(stream)).await?;
        assert_eq!((refused.status, refused.code.as_str()), (502, "upstream_error"), "{refused:?}");
    }
    assert!(!us.was_asked().await, "data about people in the EU went to the US");
    for record in scene.house.records(Geo::Eu).await? {
        let tried: Vec<&str> =
            record["attempts"].as_array().unwrap().iter().map(|a| a["endpoint"].as_str().unwrap()).collect();
        // Once more, for it is alone; the other one is not its.
        assert_eq!(tried, ["down-eu", "down-eu"]);
    }
    // For somebody whose data may go there, the same model falls back.
    let bot = scene.house.key("build-bot", "engineering").await?;
    let told = scene.ask_at(Geo::Eu, &bot, &ask).await?.unwrap();
    assert!(told.header("x-chancery-endpoint").ends_with("up-us"), "{:?}", told.head);
    assert!(us.was_asked().await);
    Ok(scene)
}

async fn a_model_that_is_nowhere_allowed_is_refused_with_the_law(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let refused = scene.refused(&Ask::chat("sim-gemini-pro", "hello")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "residency_unsatisfied"));
    assert!(refused.message.contains("GDPR Art. 44"), "{}", refused.message);
    // The same question about people elsewhere is answered, unless the caller declares that it is about the EU.
    let bot = scene.house.key("build-bot", "engineering").await?;
    let ask = Ask::chat("sim-gemini-pro", "hello");
    scene.ask_at(Geo::Eu, &bot, &ask).await?.unwrap();
    for place in ["EU", "Eu", "DE-BY", "EEA"] {
        let declared = ask.clone().with("x-subject-residency", place);
        let refused = scene.ask_at(Geo::Eu, &bot, &declared).await?.unwrap_err();
        assert_eq!(refused.code, "residency_unsatisfied", "{place}");
    }
    // Declaring may only make it stricter.
    let refused = scene.refused(&ask.with("x-subject-residency", "US")).await?;
    assert_eq!(refused.code, "residency_unsatisfied");
    Ok(scene)
}

async fn a_licence_says_who_and_what_for(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let bot = scene.house.key("build-bot", "engineering").await?;
    let refused = scene.ask_at(Geo::Eu, &bot, &Ask::chat("sim-gpt-4o", "hello")).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "licence_not_accepted"));
    let refused =
        scene.ask_at(Geo::Eu, &bot, &Ask::chat("sim-llama-3.2-vision", "hello")).await?.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (403, "licence_territory"));
    let ask = Ask::chat("sim-gpt-4o", "hello");
    scene.answered(&ask).await?;
    let refused = scene.refused(&ask.with("x-purpose", "training-on-outputs")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "licence_purpose"));
    let expired = "---
apiVersion: chancery/v1
kind: Licence
metadata: {name: openai-terms}
spec:
  kind: vendorEula
  term: {from: 2025-01-01, to: 2025-12-31}
  acceptance: required
";
    scene.house.apply(expired).await?;
    assert_eq!(scene.refused(&Ask::chat("sim-gpt-4o", "hello")).await?.code, "licence_expired");
    Ok(scene)
}

async fn a_rule_forbids_a_purpose(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let ask = Ask::chat(MODEL, "rank these people");
    scene.answered(&ask.clone().with("x-chancery-purpose", "ranking")).await?;
    let refused = scene.refused(&ask.with("x-chancery-purpose", "social-scoring")).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "rule_forbids"));
    assert!(refused.message.contains("EU AI Act"), "{}", refused.message);
    let record = scene.last_record().await?;
    assert_eq!(record["reasons"], json!(["rule_forbids"]));
    assert_eq!(record["purpose"], "social-scoring");
    assert_eq!(record["usage"]["provenance"], "none");
    Ok(scene)
}

async fn a_shadow_rule_changes_nothing_and_is_written_down(door: Door) -> Result<Scene> {
    let shadow =
        policy::rule("trial", "forbid", "purpose == 'trial'", "").replace("mode: enforce", "mode: shadow");
    let scene = Scene::with(door, &shadow).await?;
    scene.answered(&Ask::chat(MODEL, "hello").with("x-purpose", "trial")).await?;
    assert_eq!(scene.last_record().await?["shadowDenials"], json!(["trial"]));
    Ok(scene)
}

async fn a_word_is_kept_from_the_vendor(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    for text in ["what of project-x?", "PROJECT-X", "p\u{200b}roject-x"] {
        let refused = scene.refused(&Ask::chat("sim-story", text)).await?;
        assert_eq!((refused.status, refused.code.as_str()), (403, "content_blocked"), "{text}");
        assert!(!refused.message.to_lowercase().contains("project-x"), "{}", refused.message);
    }
    assert!(!vendor.was_asked().await);
    scene.answered(&Ask::chat("sim-story", "project-xylophone is another word")).await?;
    Ok(scene)
}

/// What must not be seen by a vendor of Ada's, and what it sees instead is a placeholder.
const PERSONAL: &str = "write to jane.doe@example.com, call +49 30 901820, card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00";

async fn personal_data_is_masked_before_it_leaves(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let ask = Ask::chat("sim-story", PERSONAL).after("system", "of j.roe@example.com");
    for stream in [false, true] {
        let told = scene.answered(&ask.clone().streaming(stream)).await?;
        let sent = vendor.request().await?.json()?.to_string();
        for secret in ["jane.doe", "j.roe", "901820", "4111", "0532"] {
            assert!(!sent.contains(secret), "the vendor saw {secret}: {sent}");
            assert!(!told.text.contains(secret), "{}", told.text);
        }
        assert!(told.text.starts_with("write to "), "what is not personal stays: {}", told.text);
    }
    let record = scene.last_record().await?;
    let found = &record["found"]["input"];
    assert_eq!((&found["EMAIL"], &found["PHONE"]), (&json!(2), &json!(1)), "{record}");
    assert_eq!(found["CREDIT_DEBIT_CARD_NUMBER"], 1);
    assert_eq!(found["INTERNATIONAL_BANK_ACCOUNT_NUMBER"], 1);
    Ok(scene)
}

async fn embeddings_are_no_side_door(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let refused = scene.refused(&Ask::embed("sim-story", &["a harmless text", "about project-x"])).await?;
    assert_eq!((refused.status, refused.code.as_str()), (403, "content_blocked"));
    assert!(!vendor.was_asked().await);
    scene.answered(&Ask::embed("sim-story", &["a harmless text", PERSONAL])).await?;
    let sent = vendor.request().await?.json()?.to_string();
    assert!(sent.contains("a harmless text"), "{sent}");
    for secret in ["jane.doe", "901820", "4111", "0532"] {
        assert!(!sent.contains(secret), "the vendor saw {secret}: {sent}");
    }
    assert_eq!(scene.refused(&Ask::embed("sim-gemini-pro", &["x"])).await?.status, 400);
    Ok(scene)
}

async fn a_model_without_a_price_cannot_be_paid_for(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let free = policy::one_vendor(&vendor.base_url());
    let unpriced = free
        .split("---\n")
        .filter(|document| !document.contains("kind: Price"))
        .collect::<Vec<_>>()
        .join("---\n");
    let scene = Scene::with(door, &unpriced).await?;
    let refused = scene.refused(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (403, "unpriced_model"),
        "a budget counts what it may not count for nothing"
    );
    assert!(!vendor.was_asked().await);
    Ok(scene)
}

async fn an_answer_is_masked_however_it_is_cut(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let said = "reach bob.stone@example.net or pay 4111 1111 1111 1111 now";
    vendor.answer_next(answer::whole(said)).await;
    let whole = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert!(!whole.text.contains("bob.stone") && !whole.text.contains("4111"), "{}", whole.text);
    assert!(whole.text.starts_with("reach ") && whole.text.ends_with(" now"), "{}", whole.text);
    for length in [1, 2, 3, 7, 100] {
        vendor.answer_next(answer::in_pieces(said, length)).await;
        let streamed = scene.answered(&Ask::chat("sim-story", "hello").streaming(true)).await?;
        assert_eq!(streamed.text, whole.text, "in pieces of {length}");
    }
    for record in scene.house.records(Geo::Eu).await? {
        let found = &record["found"]["output"];
        assert_eq!((&found["EMAIL"], &found["CREDIT_DEBIT_CARD_NUMBER"]), (&json!(1), &json!(1)), "{record}");
    }
    Ok(scene)
}

async fn an_answer_that_holds_what_is_blocked_is_ended(door: Door) -> Result<Scene> {
    let guard = "---
apiVersion: chancery/v1
kind: Guardrail
metadata: {name: no-leaks}
spec: {applies: {models: [\"*\"]}, output: [{words: [moonbase], action: block}]}
";
    let scene = Scene::with(door, guard).await?;
    let ask = Ask::chat(MODEL, "[[sim:say=the plan is called moonbase and it is secret]]");
    let refused = scene.refused(&ask).await?;
    assert_eq!(refused.code, "content_blocked", "{refused:?}");
    let refused = scene.refused(&ask.streaming(true)).await?;
    assert_eq!(refused.code, "content_blocked", "{refused:?}");
    let before = refused.before.map(|told| told.text).unwrap_or_default();
    assert!(!before.contains("moon") && !before.contains("secret"), "{before}");
    for record in scene.house.records(Geo::Eu).await? {
        assert_eq!(record["outcome"], "blocked");
        assert!(
            record["usage"]["output"].as_u64().unwrap() > 0,
            "the vendor wrote it, and is paid: {record}"
        );
    }
    Ok(scene)
}

async fn a_notice_is_told_in_a_header(door: Door) -> Result<Scene> {
    let notice = policy::rule(
        "tell",
        "require",
        "purpose == 'support'",
        ", obligations: [{notice: \"Made by a machine: 100 % so\"}, {noCache: true}]",
    );
    let scene = Scene::with(door, &notice).await?;
    for stream in [false, true] {
        let told =
            scene.answered(&Ask::chat(MODEL, "hello").with("x-purpose", "support").streaming(stream)).await?;
        assert_eq!(told.header("x-chancery-notice"), "Made by a machine: 100 %25 so");
    }
    let told = scene.answered(&Ask::chat(MODEL, "hello")).await?;
    assert_eq!(told.header("x-chancery-notice"), "");
    Ok(scene)
}

stories! {
    case_55_what_must_stay_in_the_eu_fails_there_rather_than_leave,
    a_model_that_is_nowhere_allowed_is_refused_with_the_law,
    a_licence_says_who_and_what_for,
    a_rule_forbids_a_purpose,
    a_shadow_rule_changes_nothing_and_is_written_down,
    a_word_is_kept_from_the_vendor,
    personal_data_is_masked_before_it_leaves,
    embeddings_are_no_side_door,
    a_model_without_a_price_cannot_be_paid_for,
    an_answer_is_masked_however_it_is_cut,
    an_answer_that_holds_what_is_blocked_is_ended,
    a_notice_is_told_in_a_header,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_corner_of_a_body_is_a_hiding_place() {
    let vendor = OpenAiLike::start().await.unwrap();
    let scene = Scene::with(Door::Rest, &policy::one_vendor(&vendor.base_url())).await.unwrap();
    let url = format!("{}/chat/completions", scene.house.openai_url(Geo::Eu).unwrap());
    let client = integration_tests::door::client().unwrap();
    let tool = |description: &str, parameters: serde_json::Value| json!([{"type": "function", "function": {"name": "f", "description": description, "parameters": parameters}}]);
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"q\":\"project-x\"}"}});
    let user = json!({"role": "user", "content": "hi"});
    let corners = [
        json!({"messages": [user], "a_new_field": "project-x"}),
        json!({"messages": [user], "a_new_field": {"deep": [["project-x"]]}}),
        json!({"messages": [user], "metadata": {"project-x": "a key"}}),
        json!({"messages": [user], "tools": tool("project-x", json!({}))}),
        json!({"messages": [user], "tools": tool("", json!({"type": "object", "properties": {"project-x": {}}}))}),
        json!({"messages": [user, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]}),
        json!({"messages": [{"role": "user", "name": "project-x", "content": "hi"}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "pro\u{200b}ject-x"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "thing", "of": "project-x"}]}]}),
        json!({"messages": [user], "stop": ["project-x"]}),
        json!({"messages": [user], "user": "project-x"}),
    ];
    for mut body in corners {
        body["model"] = json!("sim-story");
        scene.house.count(Geo::Eu);
        let answer = client.post(&url).bearer_auth(&scene.key).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let error: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((status, &error["error"]["code"]), (403, &json!("content_blocked")), "{body}: {error}");
    }
    assert!(!vendor.was_asked().await);
    scene.house.records(Geo::Eu).await.unwrap();
}
