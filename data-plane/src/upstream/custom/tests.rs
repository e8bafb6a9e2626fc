//! An API of one's own, by scripted upstreams: what it is sent, byte for byte, and what comes of its answers and of its faults.

mod aws;

use std::time::Duration;

use bytes::Bytes;
use policy_engine::facts::Auth;
use policy_engine::vocabulary::Operation;
use proto::admin::Template as Wire;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::dialect::template::tests::{kserve, ollama, read, vectors};
use crate::upstream::config::{Adapter, Timeouts};
use crate::upstream::error::{Delivered, Stage};
use crate::upstream::scripted::{KEY, call, collected, endpoint, request, said, serve};

const BODY: &str = r#"{"model":"m 1","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMING: &str = r#"{"model":"m 1","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"message":{"role":"assistant","content":"hello"},"done_reason":"stop","prompt_eval_count":7,"eval_count":2}"#;
const LINES: &str = concat!(
    "{\"message\":{\"content\":\"hel\"},\"done\":false}\n",
    "\r\n",
    "{\"message\":{\"content\":\"lo\"},\"done\":false}\r\n",
    "{\"message\":{\"content\":\"\"},\"done\":true,\"prompt_eval_count\":7,\"eval_count\":2}",
);

/// What a vendor was asked: heads and bodies.
type Heard = mpsc::UnboundedReceiver<(String, Vec<u8>)>;

/// A vendor that answers each connection with the same bytes, in pieces of so many, and then closes it or, after a `…`, says no more.
async fn answering(
    template: Wire,
    (answer, piece): (String, usize),
    change: impl FnOnce(&mut EndpointConfig),
) -> (Custom, Heard) {
    answering_at(Place::Http, Some(template), (answer.into_bytes(), piece), change).await
}

/// The same at another place.
async fn answering_at(
    place: Place,
    template: Option<Wire>,
    (answer, piece): (Vec<u8>, usize),
    change: impl FnOnce(&mut EndpointConfig),
) -> (Custom, Heard) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            told.send(request(&mut stream).await).unwrap();
            let (said, hangs) = match answer.strip_suffix("…".as_bytes()) {
                Some(said) => (said, true),
                None => (answer.as_slice(), false),
            };
            for piece in said.chunks(piece) {
                stream.write_all(piece).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            if hangs {
                std::future::pending::<()>().await;
            }
            stream.shutdown().await.ok();
        }
    })
    .await;
    let adapter = Adapter::Custom(place);
    let mut config = EndpointConfig { adapter, template: template.map(read), ..endpoint(port) };
    change(&mut config);
    (Custom::build(&config, place).unwrap(), heard)
}

fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn stream(kind: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn it_is_asked_and_answers_by_the_template() {
    let (vendor, mut heard) = answering(ollama(), (whole("200 OK", ANSWER), 4096), |_| {}).await;
    let answer = vendor.call(call(&BODY.replace("\"max", "\"user\":\"u\",\"max"), false)).await.unwrap();
    assert_eq!(answer.left_out, ["user"]);
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!((&read["id"], &read["model"]), (&json!("chatcmpl-req-1"), &json!("m 1")));
    assert_eq!(read["choices"][0]["message"]["content"], "hello");
    assert_eq!(read["usage"]["total_tokens"], 9);
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/api/chat HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|line| line == format!("authorization: Bearer {KEY}")), "{head}");
    let expected = r#"{"model":"m 1","messages":[{"role":"user","content":"hi"}],"stream":false,"keep_alive":"10m","options":{"num_predict":50}}"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[tokio::test]
async fn headers_and_the_credentials_own_are_the_templates() {
    let mut template = kserve();
    let asked = template.request.as_mut().unwrap();
    asked.headers.insert("x-team".into(), "research".into());
    asked.credential_header = "x-api-key".into();
    let answer = r#"{"text_output":"hello"}"#;
    let (vendor, mut heard) = answering(template, (whole("200 OK", answer), 4096), |_| {}).await;
    let answer = vendor.call(call(BODY, false)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!((&read["choices"][0]["message"]["content"], read.get("usage")), (&json!("hello"), None));
    let (head, _) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/v2/models/m%201/generate HTTP/1.1\r\n"), "{head}");
    for line in [
        "x-team: research".to_owned(),
        format!("x-api-key: {KEY}"),
        "content-type: application/json".to_owned(),
    ] {
        assert!(head.lines().any(|sent| sent == line), "`{line}` is missing in {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
    for (model, path) in
        [("a/../b?c#d", "/v1/v2/models/a%2F..%2Fb%3Fc%23d/generate"), ("ä", "/v1/v2/models/%C3%A4/generate")]
    {
        vendor.call(call(&BODY.replace("m 1", model), false)).await.unwrap();
        let (head, _) = heard.recv().await.unwrap();
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    }
    for model in ["", ".", ".."] {
        let error = vendor.call(call(&BODY.replace("m 1", model), false)).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Connect), "{model}: {error:?}");
    }
}

#[tokio::test]
async fn a_signature_is_for_api_gateway() {
    let (vendor, mut heard) = answering(ollama(), (whole("200 OK", ANSWER), 4096), |config| {
        config.auth =
            Some(Auth::Aws { access_key_id: "AKIDEXAMPLE".into(), region: "eu-west-1".into(), role: None });
    })
    .await;
    vendor.call(call(BODY, false)).await.unwrap();
    let (head, _) = heard.recv().await.unwrap();
    assert!(head.contains("/eu-west-1/execute-api/aws4_request, SignedHeaders="), "{head}");
    assert!(!head.contains(KEY), "{head}");
}

#[tokio::test]
async fn a_stream_is_the_same_however_it_was_cut() {
    let events = "data: {\"text_output\":\"hel\"}\n\n: still here\n\ndata: {\"text_output\":\"lo\"}\n\n";
    for piece in [1, 2, 3, 7, 64, 4096] {
        let lines = stream("application/x-ndjson", LINES);
        let (vendor, mut heard) = answering(ollama(), (lines, piece), |_| {}).await;
        let (text, usage, is_over) =
            said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
        assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)), "{piece}");
        let (head, body) = heard.recv().await.unwrap();
        assert!(head.contains("accept: application/x-ndjson"), "{head}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["stream"], true);

        let (vendor, mut heard) =
            answering(kserve(), (stream("text/event-stream", events), piece), |_| {}).await;
        let (text, usage, is_over) =
            said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
        assert_eq!((text.as_str(), is_over, usage), ("hello", true, Value::Null), "{piece}");
        let (head, _) = heard.recv().await.unwrap();
        assert!(head.starts_with("POST /v1/v2/models/m%201/generate_stream HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("accept: text/event-stream"), "{head}");
    }
}

#[tokio::test]
async fn whoever_asks_for_a_stream_of_an_api_without_any_is_given_the_answer_in_one() {
    let mut template = ollama();
    template.stream = None;
    let (vendor, mut heard) = answering(template, (whole("200 OK", ANSWER), 4096), |_| {}).await;
    let (text, usage, is_over) =
        said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)));
    let (_, body) = heard.recv().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["stream"], false);
    // As one that has some and does not stream all the same.
    let (vendor, _heard) =
        answering(kserve(), (whole("200 OK", r#"{"text_output":"hello"}"#), 4096), |_| {}).await;
    let (text, _, is_over) =
        said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hello", true));
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_so() {
    let first = LINES.lines().next().unwrap();
    let of = |rest: &str| stream("application/x-ndjson", &format!("{first}\n{rest}"));
    for (rest, kind) in [
        ("{\"error\":\"out of memory\"}\n", Kind::Reset),
        ("junk\n", Kind::Protocol),
        ("{\"message\":{\"content\":\"l", Kind::Protocol),
    ] {
        let (vendor, _heard) = answering(ollama(), (of(rest), 4096), |_| {}).await;
        let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
        assert_eq!(
            (said(&told).0.as_str(), error.delivered, error.kind),
            ("hel", Delivered::Something, kind),
            "{rest}"
        );
    }
    // Without its end the pipeline knows that it broke off.
    let (vendor, _heard) = answering(ollama(), (of(""), 4096), |_| {}).await;
    let (text, _, is_over) =
        said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hel", false));
    let short = format!("HTTP/1.1 200 OK\r\ncontent-length: 4096\r\n\r\n{first}\n");
    let (vendor, _heard) = answering(ollama(), (short, 4096), |_| {}).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Reset);
    // Nor is one told as whole that was cut within its last event, where nobody says how it ends.
    let cut = "data: {\"text_output\":\"hel\"}\n\ndata: {\"text_outp";
    let (vendor, _heard) = answering(kserve(), (stream("text/event-stream", cut), 4096), |_| {}).await;
    let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    let (text, _, is_over) = said(&told);
    assert_eq!((text.as_str(), is_over, error.kind), ("hel", false, Kind::Protocol));
    // Before anything was said another may be asked.
    let (vendor, _heard) = answering(ollama(), (stream("text/plain", "<html>\n"), 4096), |_| {}).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable() && error.kind == Kind::Protocol, "{error:?}");
}

#[tokio::test]
async fn who_hangs_is_given_up() {
    let brief = Duration::from_millis(50);
    let (vendor, _heard) = answering(ollama(), ("…".to_owned(), 4096), |config| {
        config.timeouts = Timeouts { first_byte: brief, ..Timeouts::default() };
    })
    .await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout(Stage::FirstByte));
    let first = LINES.lines().next().unwrap();
    let hangs = format!("{}\n…", stream("application/x-ndjson", first));
    let (vendor, _heard) = answering(ollama(), (hangs, 4096), |config| {
        config.timeouts = Timeouts { idle: brief, ..Timeouts::default() };
    })
    .await;
    let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!((said(&told).0.as_str(), error.kind), ("hel", Kind::Timeout(Stage::Idle)));
}

#[tokio::test]
async fn refusals_and_what_is_no_answer_are_told() {
    for (status, body, code, words) in [
        ("400 Bad Request", r#"{"error":"too long"}"#, 400, r#"{"error":{"message":"too long"}}"#),
        ("429 Too Many Requests", "slow down", 429, "slow down"),
        ("500 Internal Server Error", r#"{"error":{"message":"x"}}"#, 500, r#"{"error":{"message":"x"}}"#),
    ] {
        let (vendor, _heard) = answering(ollama(), (whole(status, body), 4096), |_| {}).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
        assert_eq!((refusal.status.as_u16(), refusal.body), (code, Bytes::from(words)));
    }
    for junk in ["", "<html>", "{}", r#"{"error":"overloaded"}"#, r#"{"message":{"content":7}}"#] {
        let (vendor, _heard) = answering(ollama(), (whole("200 OK", junk), 4096), |_| {}).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        assert!(error.kind == Kind::Protocol && error.retryable(), "{junk}: {error:?}");
    }
    let echo = ANSWER.replace("hello", KEY);
    let (vendor, _heard) = answering(ollama(), (whole("200 OK", &echo), 4096), |_| {}).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(error.kind == Kind::Protocol && !format!("{error:?}").contains(KEY), "{error:?}");
}

#[tokio::test]
async fn what_the_template_has_no_place_for_is_not_sent() {
    let (vendor, mut heard) = answering(ollama(), (whole("200 OK", ANSWER), 4096), |_| {}).await;
    for (more, field) in
        [("\"n\":2", "n"), ("\"logprobs\":true", "logprobs"), ("\"inference_geo\":\"us\"", "inference_geo")]
    {
        let error = vendor
            .call(call(&BODY.replace("\"max_tokens\"", &format!("{more},\"max_tokens\"")), false))
            .await;
        let error = error.unwrap_err();
        let Kind::Unfit(unfit) = &error.kind else { panic!("{error:?}") };
        assert!(unfit.field == field && error.retryable(), "{error:?}");
    }
    for operation in Operation::ALL.iter().copied().filter(|operation| *operation != Operation::Chat) {
        let mut other = call(r#"{"model":"m-1","input":"hi"}"#, false);
        other.operation = operation;
        let error = vendor.call(other).await.unwrap_err();
        let Kind::Unfit(unfit) = &error.kind else { panic!("{operation}: {error:?}") };
        assert!(unfit.field == "model" && unfit.why.contains(operation.as_str()), "{operation}: {error:?}");
    }
    assert!(heard.try_recv().is_err(), "nothing was sent");
}

#[test]
fn without_a_template_there_is_no_way() {
    let config = EndpointConfig { adapter: Adapter::Custom(Place::Http), ..endpoint(8000) };
    assert_eq!(Custom::build(&config, Place::Http).err().unwrap(), Fault::Template);
}

#[tokio::test]
async fn vectors_are_asked_for_and_read_by_their_template() {
    let answer = r#"{"embeddings":[[0.5,1],[2,3]],"prompt_eval_count":4}"#;
    let embed = |input: &str| {
        let mut asked = call(&format!(r#"{{"model":"m 1","input":{input}}}"#), false);
        asked.operation = Operation::Embed;
        asked
    };
    let (vendor, mut heard) = answering(vectors::ollama(), (whole("200 OK", answer), 7), |_| {}).await;
    let told = vendor.call(embed(r#"["a","b"]"#)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(told).await.unwrap()).unwrap();
    assert_eq!((&read["data"][1]["embedding"], &read["usage"]["prompt_tokens"]), (&json!([2, 3]), &json!(4)));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/api/embed HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|line| line == format!("authorization: Bearer {KEY}")), "{head}");
    assert_eq!(String::from_utf8(body).unwrap(), r#"{"model":"m 1","input":["a","b"],"keep_alive":"10m"}"#);
    // One too few is none.
    let error = vendor.call(embed(r#"["a","b","c"]"#)).await.unwrap_err();
    assert!(error.kind == Kind::Protocol && error.retryable(), "{error:?}");
    // It has nothing else.
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(&error.kind, Kind::Unfit(unfit) if unfit.why.contains("`chat`")), "{error:?}");
    let refused = whole("400 Bad Request", r#"{"error":"too long"}"#);
    let (vendor, _heard) = answering(vectors::ollama(), (refused, 4096), |_| {}).await;
    let Kind::Status(refusal) = vendor.call(embed("\"a\"")).await.unwrap_err().kind else { panic!() };
    assert_eq!(refusal.body, Bytes::from(r#"{"error":{"message":"too long"}}"#));
}
