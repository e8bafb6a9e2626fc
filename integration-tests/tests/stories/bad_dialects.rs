//! Bodies that are wrong, at the doors of other dialects: each is refused in the shape of its door, and nothing reaches a vendor.

use integration_tests::{door::Door, sandbox::Geo, scene::Scene, scripted::OpenAiLike};
use serde_json::{Value, json};

use crate::policy;

/// A door: where it is, how a body says hello beside something else, and where its refusals say which of our codes it is.
struct Dialect {
    path: &'static str,
    hello: &'static str,
    code: &'static str,
    /// Of its own words: where, and what an invalid request is called.
    word: (&'static str, Value),
}

fn doors() -> [Dialect; 3] {
    [
        Dialect {
            path: "/v1/messages",
            hello: r#""model":"sim-story","max_tokens":50,"messages":[{"role":"user","content":"hi"}]"#,
            code: "/error/chancery/code",
            word: ("/error/type", json!("invalid_request_error")),
        },
        Dialect {
            path: "/v1beta/models/sim-story:generateContent",
            hello: r#""contents":[{"role":"user","parts":[{"text":"hi"}]}]"#,
            code: "/error/chancery/code",
            word: ("/error/status", json!("INVALID_ARGUMENT")),
        },
        Dialect {
            path: "/v1/responses",
            hello: r#""model":"sim-story","input":"hi""#,
            code: "/error/code",
            word: ("/error/type", json!("invalid_request_error")),
        },
    ]
}

/// What is wrong whatever the dialect.
fn wrong(hello: &str) -> Vec<Vec<u8>> {
    let with = |rest: &str| format!("{{{hello}{rest}}}").into_bytes();
    let deep = |open: &str, close: &str| {
        with(&format!(r#","x":{}1{}"#, open.repeat(100_000), close.repeat(100_000)))
    };
    let mut not_utf8 = with(r#","x":"aa""#);
    let at = not_utf8.len() - 4;
    not_utf8.splice(at..at + 2, [0xff, 0xfe]);
    let first = hello.split_once(':').map_or("", |(name, _)| name);
    vec![
        b"".to_vec(),
        b"hello".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"{}".to_vec(),
        format!("{{{hello}").into_bytes(),
        [with(""), b" {}".to_vec()].concat(),
        not_utf8,
        with(r#","x":"\ud800""#),
        with(",\"x\":\"a\nb\""),
        with(r#","x":NaN"#),
        with(r#","x":Infinity"#),
        with(r#","x":01"#),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        with(&format!(",{first}:null")),
        with(r#","x":1,"x":2"#),
    ]
}

/// What is wrong in one dialect.
fn wrong_of(door: &Dialect) -> Vec<Vec<u8>> {
    let odd = ["-1", "0", "1.5", "9223372036854775808", "1e400", "\"many\"", "true"];
    let members: &[&str] = match door.path {
        "/v1/messages" => &[
            r#""tools":[{"name":"f"}]"#,
            r#""tools":[{"input_schema":{}}]"#,
            r#""tools":7"#,
            r#""tool_choice":"any""#,
            r#""temperature":"hot""#,
            r#""temperature":-1"#,
            r#""stream":"yes""#,
            r#""system":7"#,
            r#""thinking":{"type":"enabled"}"#,
        ],
        "/v1/responses" => &[
            r#""tools":[{"type":"function"}]"#,
            r#""tools":7"#,
            r#""temperature":"hot""#,
            r#""stream":"yes""#,
            r#""instructions":7"#,
            r#""text":{"format":7}"#,
        ],
        _ => &[
            r#""tools":[{"functionDeclarations":[{"description":"nameless"}]}]"#,
            r#""tools":7"#,
            r#""generationConfig":{"temperature":"hot"}"#,
            r#""systemInstruction":7"#,
            r#""toolConfig":7"#,
        ],
    };
    let hello = match door.path {
        "/v1/messages" => door.hello.replace(r#""max_tokens":50,"#, ""),
        _ => door.hello.to_owned(),
    };
    let most = |value: &str| match door.path {
        "/v1/messages" => format!(r#"{{{hello},"max_tokens":{value}}}"#),
        "/v1/responses" => format!(r#"{{{hello},"max_output_tokens":{value}}}"#),
        _ => format!(r#"{{{hello},"generationConfig":{{"maxOutputTokens":{value}}}}}"#),
    };
    let more = members.iter().map(|member| format!("{{{},{member}}}", door.hello));
    odd.into_iter().map(most).chain(more).map(String::into_bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_body_is_refused_in_the_shape_of_its_door() {
    let vendor = OpenAiLike::start().await.unwrap();
    let scene = Scene::with(Door::Rest, &policy::one_vendor(&vendor.base_url())).await.unwrap();
    let client = integration_tests::door::client().unwrap();
    for door in doors() {
        let url = format!("{}{}", scene.house.inference_url(Geo::Eu).unwrap(), door.path);
        for body in [wrong(door.hello), wrong_of(&door)].concat() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(160)]).into_owned();
            let shown = format!("{}: {shown}", door.path);
            scene.house.count(Geo::Eu);
            let answer = client.post(&url).bearer_auth(&scene.key).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 400, "{shown}");
            assert!(answer.headers().contains_key("x-chancery-request-id"), "{shown}");
            let error: Value = answer.json().await.unwrap();
            assert_eq!(error.pointer(door.code), Some(&json!("invalid_request")), "{shown}: {error}");
            assert_eq!(error.pointer(door.word.0), Some(&door.word.1), "{shown}: {error}");
        }
    }
    assert!(!vendor.was_asked().await);
    for record in scene.house.records(Geo::Eu).await.unwrap() {
        assert_eq!((&record["outcome"], &record["code"]), (&json!("refused"), &json!("invalid_request")));
        assert_eq!(record["attempts"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_64_a_body_over_the_cap_is_refused_at_every_door() {
    let vendor = OpenAiLike::start().await.unwrap();
    let more = policy::one_vendor(&vendor.base_url());
    let cap = |config: &mut data_plane::config::Config| config.bounds.body_bytes = 64 * 1024;
    let scene = Scene::configured(Door::Rest, &more, cap).await.unwrap();
    let client = integration_tests::door::client().unwrap();
    for door in doors() {
        let url = format!("{}{}", scene.house.inference_url(Geo::Eu).unwrap(), door.path);
        scene.house.count(Geo::Eu);
        let body = format!(r#"{{{},"x":"{}"}}"#, door.hello, "x".repeat(70_000));
        let answer = client.post(&url).bearer_auth(&scene.key).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 413, "{}", door.path);
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error.pointer(door.code), Some(&json!("payload_too_large")), "{}: {error}", door.path);
    }
    scene.house.records(Geo::Eu).await.unwrap();
    assert!(!vendor.was_asked().await);
}
