//! Bedrock, by a scripted upstream. Bodies are after the service model that AWS publishes (botocore's `bedrock-runtime`).

use policy_engine::facts::Auth;

use super::*;
use crate::upstream::cut::tests::frame;

const ANSWER: &str = r#"{"metrics":{"latencyMs":7},"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":2,"totalTokens":19,"cacheReadInputTokens":6,"cacheWriteInputTokens":4}}"#;

const PROFILE: &str = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0";

/// A stream, each event as its type and its payload.
const STREAM: [(&str, &str); 6] = [
    ("messageStart", r#"{"role":"assistant","p":"abcd"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"hel"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"lo"}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ("metadata", r#"{"metrics":{"latencyMs":7},"usage":{"inputTokens":7,"outputTokens":2,"totalTokens":9}}"#),
];

fn frames(of: &[(&str, &str)]) -> Vec<u8> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n";
    let framed = of.iter().flat_map(|(of, payload)| match of.ends_with("Exception") {
        true => frame("exception", (":exception-type", of), payload),
        false => frame("event", (":event-type", of), payload),
    });
    head.as_bytes().iter().copied().chain(framed).collect()
}

fn streaming(model: &str) -> String {
    BODY.replace("m-1", model).replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"")
}

#[tokio::test]
async fn a_key_of_bedrocks_own_is_shown_and_the_model_stands_in_the_path() {
    let (vendor, mut heard) = answering(Dialect::Bedrock, whole("200 OK", ANSWER), 4096).await;
    let answer = vendor.call(call(&BODY.replace("m-1", PROFILE), false)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!((&read["model"], &read["id"]), (&json!(PROFILE), &json!("chatcmpl-req-1")));
    assert_eq!(read["choices"][0]["message"]["content"], "hello");
    assert_eq!(read["usage"]["prompt_tokens"], 17);
    assert_eq!(read["usage"]["prompt_tokens_details"], json!({"cached_tokens": 6, "cache_write_tokens": 4}));
    let (head, body) = heard.recv().await.unwrap();
    let path = "/v1/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0/converse";
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.lines().any(|sent| sent == format!("authorization: Bearer {KEY}")), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({"system": [{"text": "Be brief."}], "inferenceConfig": {"maxTokens": 50},
        "messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    assert_eq!(sent, expected);
    for name in ["", "..", "a?b", "a#b", "a b", "a%2fb"] {
        let error = vendor.call(call(&BODY.replace("m-1", name), false)).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Connect), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_signature_is_shown_where_there_is_a_key_of_aws() {
    let document = format!(
        r#"{{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"{KEY}","SessionToken":"session-canary-4711"}}"#
    );
    for (id, secret) in [("AKIDEXAMPLE", KEY.to_owned()), ("", document)] {
        let answer = whole("200 OK", ANSWER).into_bytes();
        let (vendor, mut heard) = answering_as(Dialect::Bedrock, (answer, 4096), |config| {
            config.auth =
                Some(Auth::Aws { access_key_id: id.to_owned(), region: "eu-west-1".to_owned(), role: None });
            config.credential = Some(Secret::new(secret));
        })
        .await;
        vendor.call(call(BODY, false)).await.unwrap();
        let (head, _) = heard.recv().await.unwrap();
        assert!(head.contains("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{head}");
        assert!(head.contains("/eu-west-1/bedrock/aws4_request, SignedHeaders="), "{head}");
        assert!(head.contains("x-amz-date: ") && !head.contains(KEY), "{head}");
        assert_eq!(head.contains("x-amz-security-token: session-canary-4711"), id.is_empty(), "{head}");
    }
}

#[tokio::test]
async fn a_session_that_is_echoed_does_not_pass() {
    let echo = ANSWER.replace("hello", "session-canary-4711");
    let (vendor, _heard) =
        answering_as(Dialect::Bedrock, (whole("200 OK", &echo).into_bytes(), 4096), |config| {
            config.auth =
                Some(Auth::Aws { access_key_id: String::new(), region: "eu-west-1".to_owned(), role: None });
            let document =
                r#"{"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"session-canary-4711"}"#;
            config.credential = Some(Secret::new(document.to_owned()));
        })
        .await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Protocol), "{error:?}");
}

#[tokio::test]
async fn a_stream_of_frames_is_the_same_however_it_was_cut() {
    for piece in [1, 2, 3, 7, 64, 4096] {
        let (vendor, mut heard) = answering_as(Dialect::Bedrock, (frames(&STREAM), piece), |_| {}).await;
        let answer = vendor.call(call(&streaming("m-1"), true)).await.unwrap();
        let (text, usage, is_over) = said(&collected(answer).await.unwrap());
        assert_eq!((text.as_str(), is_over), ("hello", true), "{piece}");
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(7), &json!(2)), "{piece}");
        let (head, _) = heard.recv().await.unwrap();
        assert!(head.starts_with("POST /v1/model/m-1/converse-stream HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("accept: application/vnd.amazon.eventstream"), "{head}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_so() {
    let slow = ("throttlingException", r#"{"message":"Too many tokens"}"#);
    let thrown = [STREAM[0], STREAM[1], slow];
    let (vendor, _heard) = answering_as(Dialect::Bedrock, (frames(&thrown), 4096), |_| {}).await;
    let (told, error) =
        collected(vendor.call(call(&streaming("m-1"), true)).await.unwrap()).await.unwrap_err();
    assert_eq!((said(&told).0.as_str(), error.delivered), ("hel", Delivered::Something));
    assert!(matches!(error.kind, Kind::Reset), "{error:?}");

    let (vendor, _heard) = answering_as(Dialect::Bedrock, (frames(&[slow]), 4096), |_| {}).await;
    let (_, error) = collected(vendor.call(call(&streaming("m-1"), true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable(), "nothing was said before it: {error:?}");

    // Without its end the pipeline knows that it broke off; in the middle of a frame it is an error.
    let (vendor, _heard) = answering_as(Dialect::Bedrock, (frames(&STREAM[..3]), 4096), |_| {}).await;
    let (text, _, is_over) =
        said(&collected(vendor.call(call(&streaming("m-1"), true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hello", false));
    let mut torn = frames(&STREAM);
    torn.truncate(torn.len() - 1);
    let (vendor, _heard) = answering_as(Dialect::Bedrock, (torn, 4096), |_| {}).await;
    let (_, error) = collected(vendor.call(call(&streaming("m-1"), true)).await.unwrap()).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Reset), "{error:?}");
}

#[tokio::test]
async fn exceptions_are_what_their_status_says() {
    for (status, code, retryable) in [
        ("400 Bad Request", 400, false),
        ("403 Forbidden", 403, false),
        ("404 Not Found", 404, false),
        ("408 Request Timeout", 408, true),
        ("424 Failed Dependency", 502, true),
        ("429 Too Many Requests", 429, true),
        ("500 Internal Server Error", 500, true),
        ("503 Service Unavailable", 503, true),
    ] {
        let body = r#"{"message":"what it says"}"#;
        let (vendor, _heard) = answering(Dialect::Bedrock, whole(status, body), 4096).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        assert_eq!(error.retryable(), retryable, "{status}");
        let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
        assert_eq!(refusal.status.as_u16(), code);
        assert_eq!(&refusal.body[..], br#"{"error":{"message":"what it says"}}"#);
    }
}

#[tokio::test]
async fn vectors_are_asked_of_the_model_in_its_own_words() {
    let embed = |model: &str, input: &str| {
        let mut asked = call(&format!(r#"{{"model":"{model}","input":{input},"dimensions":256}}"#), false);
        asked.operation = Operation::Embed;
        asked
    };
    let titan = r#"{"embedding":[0.5,-1],"inputTextTokenCount":3}"#;
    let (vendor, mut heard) = answering(Dialect::Bedrock, whole("200 OK", titan), 4096).await;
    let answer = vendor.call(embed("amazon.titan-embed-text-v2:0", r#""hi""#)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!(read["data"][0]["embedding"], json!([0.5, -1]));
    assert_eq!(read["usage"]["prompt_tokens"], 3);
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/model/amazon.titan-embed-text-v2%3A0/invoke HTTP/1.1\r\n"), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent, json!({"inputText": "hi", "dimensions": 256}));
    let two = vendor.call(embed("amazon.titan-embed-text-v2:0", r#"["a","b"]"#)).await.unwrap_err();
    assert!(matches!(&two.kind, Kind::Unfit(unfit) if unfit.field == "input"), "{two:?}");

    for answer in [r#"{"embeddings":{"float":[[1],[2]]}}"#, r#"{"embeddings":[[1],[2]]}"#] {
        let (vendor, mut heard) = answering(Dialect::Bedrock, whole("200 OK", answer), 4096).await;
        let answer = vendor.call(embed("cohere.embed-v4:0", r#"["a","b"]"#)).await.unwrap();
        let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
        assert_eq!(read["data"][1]["embedding"], json!([2]));
        let (_, body) = heard.recv().await.unwrap();
        let sent: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"],
            "output_dimension": 256});
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn pictures_are_made_by_the_model_in_the_path() {
    let made = whole("200 OK", r#"{"images":["aGk="]}"#);
    let (vendor, mut heard) = answering(Dialect::Bedrock, made, 4096).await;
    let mut asked = call(r#"{"model":"amazon.nova-canvas-v1:0","prompt":"a cat","user":"u"}"#, false);
    asked.operation = Operation::Image;
    let answer = vendor.call(asked).await.unwrap();
    assert_eq!(answer.left_out, ["user"]);
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!(read["data"], json!([{"b64_json": "aGk="}]));
    assert!(read["created"].as_u64().unwrap() > 1_700_000_000, "{read}");
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/model/amazon.nova-canvas-v1%3A0/invoke HTTP/1.1\r\n"), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&sent["taskType"], &sent["textToImageParams"]["text"]),
        (&json!("TEXT_IMAGE"), &json!("a cat"))
    );

    let filtered = whole("200 OK", r#"{"finish_reasons":["Filter reason: prompt"]}"#);
    let (vendor, _heard) = answering(Dialect::Bedrock, filtered, 4096).await;
    let mut asked = call(r#"{"model":"stability.sd3-5-large-v1:0","prompt":"a cat"}"#, false);
    asked.operation = Operation::Image;
    let error = vendor.call(asked).await.unwrap_err();
    assert!(matches!(&error.kind, Kind::Status(refusal) if refusal.is_filtered()), "{error:?}");
}
