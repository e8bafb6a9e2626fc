//! What goes to vendors of other dialects, byte for byte, and what comes of their answers, however they were cut.

mod bedrock;
mod cohere;
mod vertex;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::upstream::config::Adapter;
use crate::upstream::error::{Delivered, Refusal};
use crate::upstream::scripted::{KEY, call, collected, endpoint, request, said, serve};

const BODY: &str = r#"{"model":"m-1","max_tokens":50,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]}"#;

/// A vendor that answers each connection with the same bytes, in pieces of so many, and what it was asked.
async fn answering(dialect: Dialect, answer: String, piece: usize) -> (Vendor, Heard) {
    answering_as(dialect, (answer.into_bytes(), piece), |_| {}).await
}

/// What a vendor was asked: heads and bodies.
type Heard = mpsc::UnboundedReceiver<(String, Vec<u8>)>;

/// The same with another configuration.
async fn answering_as(
    dialect: Dialect,
    (answer, piece): (Vec<u8>, usize),
    change: impl FnOnce(&mut EndpointConfig),
) -> (Vendor, Heard) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            told.send(request(&mut stream).await).unwrap();
            for piece in answer.chunks(piece) {
                stream.write_all(piece).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            stream.shutdown().await.ok();
        }
    })
    .await;
    let mut config = EndpointConfig { adapter: Adapter::Foreign(dialect), ..endpoint(port) };
    change(&mut config);
    (Vendor::build(&config, dialect).unwrap(), heard)
}

fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn events(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}

const ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":2}}"#;

#[tokio::test]
async fn anthropic_is_sent_its_own_dialect_and_its_answer_is_read() {
    let (vendor, mut heard) = answering(Dialect::Anthropic, whole("200 OK", ANTHROPIC), 4096).await;
    let more = r#""seed":7,"anthropic_beta":["files-api-2025-04-14","x"],"max_tokens""#;
    let body = BODY.replace("\"max_tokens\"", more);
    let answer = vendor.call(call(&body, false)).await.unwrap();
    assert_eq!(answer.left_out, ["seed"]);
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!(read["choices"][0]["message"]["content"], "hello");
    assert_eq!(read["choices"][0]["finish_reason"], "stop");
    assert_eq!((&read["usage"]["prompt_tokens"], &read["usage"]["total_tokens"]), (&json!(10), &json!(12)));
    assert_eq!(read["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
    let betas = "anthropic-beta: files-api-2025-04-14,x".to_owned();
    for line in [format!("x-api-key: {KEY}"), "anthropic-version: 2023-06-01".to_owned(), betas] {
        assert!(head.lines().any(|sent| sent == line), "`{line}` is missing in {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        sent,
        json!({"model": "m-1", "max_tokens": 50, "system": "Be brief.",
            "messages": [{"role": "user", "content": "hi"}]})
    );
}

#[tokio::test]
async fn gemini_is_asked_at_the_place_of_its_model() {
    let answer = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6}}"#;
    let (vendor, mut heard) = answering(Dialect::Gemini, whole("200 OK", answer), 4096).await;
    let answer = vendor.call(call(BODY, false)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!(
        (&read["choices"][0]["message"]["content"], &read["usage"]["total_tokens"]),
        (&json!("hello"), &json!(6))
    );
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/models/m-1:generateContent HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|sent| sent == format!("x-goog-api-key: {KEY}")), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent["contents"][0]["parts"][0]["text"], "hi");
    for name in ["../../etc", "a?b", "a#b", "", "m 1"] {
        let odd = BODY.replace("m-1", name);
        let error = vendor.call(call(&odd, false)).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Connect), "{name}: {error:?}");
    }
}

const STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hel\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

#[tokio::test]
async fn a_stream_is_the_same_however_it_was_cut() {
    let body = BODY.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"");
    for piece in [1, 2, 3, 7, 64, 4096] {
        let (vendor, _heard) = answering(Dialect::Anthropic, events(STREAM), piece).await;
        let answer = vendor.call(call(&body, true)).await.unwrap();
        let (text, usage, is_over) = said(&collected(answer).await.unwrap());
        assert_eq!((text.as_str(), is_over), ("hello", true), "{piece}");
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(7), &json!(2)), "{piece}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_early_or_with_an_error_is_broken_off_after_what_was_said() {
    let body = BODY.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"");
    let cut = STREAM.find("event: content_block_stop").unwrap();
    let failed = format!(
        "{}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}}}\n\n",
        &STREAM[..cut]
    );
    let (vendor, _heard) = answering(Dialect::Anthropic, events(&failed), 4096).await;
    let (told, error) = collected(vendor.call(call(&body, true)).await.unwrap()).await.unwrap_err();
    assert_eq!((said(&told).0.as_str(), error.delivered), ("hello", Delivered::Something));
    assert!(matches!(error.kind, Kind::Reset) && !error.retryable(), "{error:?}");
    // Without its end mark the pipeline knows that it broke off.
    let (vendor, _heard) = answering(Dialect::Anthropic, events(&STREAM[..cut]), 4096).await;
    let (text, _, is_over) = said(&collected(vendor.call(call(&body, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hello", false));
    let junk = events("data: no json\n\n");
    let (vendor, _heard) = answering(Dialect::Anthropic, junk, 4096).await;
    let (_, error) = collected(vendor.call(call(&body, true)).await.unwrap()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Protocol) && error.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_vendors_refusal_says_what_it_says_where_it_is_looked_for() {
    for (dialect, body) in [
        (
            Dialect::Anthropic,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"too long"}}"#,
        ),
        (Dialect::Gemini, r#"[{"error":{"code":400,"message":"too long","status":"INVALID_ARGUMENT"}}]"#),
    ] {
        let (vendor, _heard) = answering(dialect, whole("400 Bad Request", body), 4096).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
        let Refusal { status, body, .. } = *refusal;
        assert_eq!((status.as_u16(), &body[..]), (400, &br#"{"error":{"message":"too long"}}"#[..]));
    }
    let (vendor, _heard) = answering(Dialect::Anthropic, whole("200 OK", "{\"type\":\"error\"}"), 4096).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Protocol), "{error:?}");
}

#[tokio::test]
async fn what_a_vendor_has_no_place_for_is_not_sent() {
    let (vendor, mut heard) = answering(Dialect::Anthropic, whole("200 OK", ANTHROPIC), 4096).await;
    for (more, field) in
        [("\"n\":2", "n"), ("\"logprobs\":true", "logprobs"), ("\"inference_geo\":\"us\"", "inference_geo")]
    {
        let body = BODY.replace("\"max_tokens\"", &format!("{more},\"max_tokens\""));
        let error = vendor.call(call(&body, false)).await.unwrap_err();
        let Kind::Unfit(unfit) = &error.kind else { panic!("{error:?}") };
        assert!(unfit.field == field && error.retryable(), "{error:?}");
    }
    for operation in Operation::ALL.iter().copied().filter(|operation| *operation != Operation::Chat) {
        let mut other = call(r#"{"model":"m-1","input":"hi"}"#, false);
        other.operation = operation;
        let error = vendor.call(other).await.unwrap_err();
        let Kind::Unfit(unfit) = &error.kind else { panic!("{operation}: {error:?}") };
        assert!(unfit.field == "model" && error.retryable(), "{operation}: {error:?}");
        assert!(
            operation == Operation::Embed || unfit.why.contains(operation.as_str()),
            "{operation}: {error:?}"
        );
    }
    assert!(heard.try_recv().is_err(), "nothing was sent");
}
