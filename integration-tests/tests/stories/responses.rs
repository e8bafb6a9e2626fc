//! `/v1/responses` at vendors that speak the Responses API, at vendors that do not, and at both in one request.
//!
//! The answers in `responses/` are built after OpenAI's API reference: "The response object" and "Streaming events".

use std::time::Duration;

use anyhow::Result;
use http::StatusCode;
use integration_tests::{
    door::Door,
    program,
    sandbox::Geo,
    scene::Scene,
    scripted::{Canned, Gate, OpenAiLike, Piece},
};
use serde_json::{Value, json};

use crate::{policy, replayed::UNLIMITED};

const WHOLE: &str = include_str!("responses/whole.json");
const STREAM: &str = include_str!("responses/stream.sse");

/// A vendor that speaks the Responses API.
fn speaking(name: &str, vendor: &OpenAiLike) -> String {
    policy::vendor(name, &vendor.base_url(), "EU")
        .replace("adapter: openai,", "adapter: openai, responsesApi: true,")
}

fn permitted() -> String {
    ["web_search", "mcp"]
        .map(|kind| {
            let name = kind.replace('_', "-");
            policy::rule(&format!("permit-{name}"), "permit", &format!("'{kind}' in egressTools"), "")
        })
        .concat()
}

/// A whole answer that says this.
fn saying(text: &str) -> Canned {
    let mut answer: Value = serde_json::from_str(WHOLE).unwrap();
    let message = answer["output"][2].clone();
    answer["output"] = json!([message]);
    answer["output"][0]["content"] =
        json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]);
    Canned::json(StatusCode::OK, answer.to_string())
}

/// The golden stream, cut where no client would expect it.
fn streaming() -> Canned {
    let bytes = STREAM.as_bytes();
    let pieces = bytes.chunks(171).map(|piece| Piece::Bytes(piece.to_vec().into()));
    Canned::events(pieces.collect())
}

/// Its first events, up to the one that begins so, and then nothing but what is given.
fn beginning(until: &str, then: Piece) -> Canned {
    let end = STREAM.find(until).unwrap();
    Canned::events(vec![Piece::Bytes(STREAM.as_bytes()[..end].to_vec().into()), then])
}

async fn posted(scene: &Scene, body: &Value) -> Result<reqwest::Response> {
    scene.house.count(Geo::Eu);
    let url = scene.house.inference_url(Geo::Eu)? + "/v1/responses";
    Ok(reqwest::Client::new().post(url).bearer_auth(&scene.key).json(body).send().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_sdk_is_understood_by_a_vendor_that_speaks_it_too() {
    let vendor = OpenAiLike::start().await.unwrap();
    let more = [speaking("story", &vendor), policy::model("sim-story", &["story"]), permitted()].concat();
    let scene = Scene::with(Door::Rest, &more).await.unwrap();
    scene.house.apply(UNLIMITED).await.unwrap();
    vendor.answer_next(Canned::json(StatusCode::OK, WHOLE)).await;
    vendor.answer_next(saying("Sunny.")).await;
    vendor.answer_next(streaming()).await;
    vendor.answer_next(streaming()).await;
    vendor.answer_next(saying(r#"{"city":"Berlin"}"#)).await;
    vendor.answer_next(beginning("event: response.output_text.done", Piece::Break)).await;
    let refusal =
        json!({"error": {"message": "logprobs are not with this model", "type": "invalid_request_error"}});
    vendor.answer_next(Canned::json(StatusCode::BAD_REQUEST, refusal.to_string())).await;
    let url = scene.house.openai_url(Geo::Eu).unwrap();
    let variables = [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", &scene.key)];
    let said = program::run("openai_responses.py", &variables).await.unwrap();
    assert_eq!(said.trim(), "requests: 7");
    (0..7).for_each(|_| scene.house.count(Geo::Eu));

    let mut asked = Vec::new();
    for _ in 0..7 {
        let request = vendor.request().await.unwrap();
        assert_eq!(request.path, "/v1/responses");
        asked.push(request.json().unwrap());
    }
    // As it was asked, but for the name of the model, an address, a card, and that nothing is stored.
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
    let weather = json!({"type": "function", "name": "weather", "strict": true, "parameters": parameters});
    let mcp = json!({"type": "mcp", "server_label": "files", "server_url": "https://mcp.example.org", "authorization": "token-of-the-caller",
        "headers": {"x-key": "key-of-the-caller"}, "require_approval": "never"});
    let question = |text: &str| json!({"role": "user", "content": [{"type": "input_text", "text": text}]});
    let card = question("Whom? [CREDIT_DEBIT_CARD_NUMBER_1]");
    assert_eq!(
        asked[0],
        json!({"model": "echo-small", "store": false, "instructions": "Be brief, for [EMAIL_1].", "input": [card],
            "tools": [{"type": "web_search"}, mcp, weather], "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "low", "summary": "detailed"}, "max_output_tokens": 300, "max_tool_calls": 2, "metadata": {"k": "v"}})
    );
    let golden: Value = serde_json::from_str(WHOLE).unwrap();
    assert_eq!((&asked[1]["store"], asked[1]["input"].as_array().unwrap().len()), (&json!(false), 6));
    assert_eq!(asked[1]["input"][1]["encrypted_content"], golden["output"][0]["encrypted_content"]);
    assert_eq!(asked[1]["input"][2], golden["output"][1], "what the vendor searched goes back to it");
    assert_eq!(
        asked[2],
        json!({"model": "echo-small", "store": false, "stream": true, "instructions": "Be brief.", "input": "Whom?"})
    );
    assert_eq!(asked[4]["text"]["format"]["type"], "json_schema");

    let records = scene.house.records(Geo::Eu).await.unwrap();
    let first = &records[0];
    assert_eq!((&first["outcome"], &first["found"]["output"]), (&json!("answered"), &json!({"EMAIL": 3})));
    let used = ["input", "cachedInput", "output", "reasoning"].map(|name| first["usage"][name].as_u64());
    assert_eq!(used, [Some(75), Some(64), Some(88), Some(40)]);
    assert_eq!(first["usage"]["provenance"], "vendor");
    assert_eq!(records[2]["found"]["output"], json!({"EMAIL": 1}), "what is told again is not counted again");
    assert_eq!(records[5]["outcome"], "cut", "{}", records[5]);
    let all = json!(records).to_string();
    assert!(!all.contains("token-of-the-caller") && !all.contains("key-of-the-caller"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_may_reach_a_vendor_that_speaks_it_and_one_that_does_not() {
    let (native, chat) = (OpenAiLike::start().await.unwrap(), OpenAiLike::start().await.unwrap());
    let more = [
        speaking("native", &native),
        policy::vendor("chat", &chat.base_url(), "EU"),
        policy::model("sim-first", &["native", "chat"]),
        policy::model("sim-second", &["chat", "native"]),
        policy::model("sim-chat", &["chat"]),
        permitted(),
    ];
    let scene = Scene::with(Door::Rest, &more.concat()).await.unwrap();
    let failure = || Canned::json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":{"message":"no"}}"#);
    let asked = |model: &str, stream: bool| json!({"model": model, "input": "hello", "instructions": "Be brief.", "include": ["reasoning.encrypted_content"], "store": true, "stream": stream});
    for stream in [false, true] {
        // Who speaks it fails, and who does not is asked for a chat.
        native.answer_next(failure()).await;
        let told = posted(&scene, &asked("sim-first", stream)).await.unwrap();
        assert_eq!(told.headers()["x-chancery-endpoint"], "chat");
        let left: Vec<_> = told.headers().get_all("x-chancery-left-out").iter().collect();
        assert_eq!(left, ["include", "store"]);
        let told = told.text().await.unwrap();
        assert!(told.contains("hello") && told.contains("\"model\":\"sim-first\""), "{told}");
        assert_eq!(native.request().await.unwrap().path, "/v1/responses");
        let sent = chat.request().await.unwrap();
        assert_eq!(
            (sent.path.as_str(), sent.json().unwrap()["messages"][1]["content"].clone()),
            ("/v1/chat/completions", json!("hello"))
        );

        // And the other way round.
        chat.answer_next(failure()).await;
        native.answer_next(if stream { streaming() } else { saying("Hello.") }).await;
        let told = posted(&scene, &asked("sim-second", stream)).await.unwrap();
        assert_eq!(told.headers()["x-chancery-endpoint"], "native");
        let left: Vec<_> = told.headers().get_all("x-chancery-left-out").iter().collect();
        assert_eq!(left, ["store"], "nothing is stored anywhere");
        let told = told.text().await.unwrap();
        assert!(told.contains(if stream { "event: response.completed\n" } else { "Hello." }), "{told}");
        chat.request().await.unwrap();
        let sent = native.request().await.unwrap().json().unwrap();
        assert_eq!(
            (&sent["input"], &sent["include"], &sent["store"]),
            (&json!("hello"), &json!(["reasoning.encrypted_content"]), &json!(false))
        );
    }

    // A tool that the vendor runs goes to who can, and is refused by its name where nobody can.
    let searching =
        |model: &str| json!({"model": model, "input": "hello", "tools": [{"type": "web_search"}]});
    native.answer_next(saying("Found.")).await;
    let told = posted(&scene, &searching("sim-second")).await.unwrap();
    assert_eq!(told.headers()["x-chancery-endpoint"], "native");
    assert_eq!(native.request().await.unwrap().json().unwrap()["tools"], json!([{"type": "web_search"}]));
    let refused = posted(&scene, &searching("sim-chat")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["param"], "tools", "{refused}");
    let unknown =
        posted(&scene, &json!({"model": "sim-first", "input": "x", "previous_response_id": "resp_1"}))
            .await
            .unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(!native.was_asked().await && !chat.was_asked().await);
    // No rule permits this one.
    let other = json!({"model": "sim-first", "input": "hello", "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]});
    assert_eq!(posted(&scene, &other).await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_not_held_back_and_ends_with_who_asked_for_it() {
    let vendor = OpenAiLike::start().await.unwrap();
    let more = [speaking("story", &vendor), policy::model("sim-story", &["story"])].concat();
    let scene = Scene::with(Door::Rest, &more).await.unwrap();
    let asked = json!({"model": "sim-story", "input": "Whom?", "stream": true});
    vendor.answer_next(beginning("event: response.output_text.delta", Piece::Wait(Gate::default()))).await;
    let mut told = posted(&scene, &asked).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("event: response.content_part.added") {
        heard.extend_from_slice(&told.chunk().await.unwrap().expect("the stream goes on"));
    }
    drop(told);
    tokio::time::timeout(Duration::from_secs(10), vendor.given_up()).await.unwrap().unwrap();
    assert_eq!(scene.last_record().await.unwrap()["outcome"], "cancelled");

    // What breaks off says so in this API, with the next numbers.
    vendor.answer_next(beginning("event: response.output_text.delta", Piece::Break)).await;
    let told = posted(&scene, &asked).await.unwrap().text().await.unwrap();
    let events: Vec<Value> = told
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let [.., error, failed] = events.as_slice() else { panic!("{told}") };
    assert_eq!(
        (&error["type"], &error["code"], &error["sequence_number"]),
        (&json!("error"), &json!("upstream_error"), &json!(4))
    );
    assert_eq!((&failed["type"], &failed["sequence_number"]), (&json!("response.failed"), &json!(5)));
    let response = &failed["response"];
    assert_eq!((&response["status"], &response["model"]), (&json!("failed"), &json!("sim-story")));
    assert_eq!(response["error"]["code"], "upstream_error");
}
