//! Cohere, by a scripted upstream. Bodies are after its published reference of version 2.

use super::*;

const ANSWER: &str = r#"{"id":"c-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":7,"output_tokens":2},"tokens":{"input_tokens":73,"output_tokens":9},"cached_tokens":3}}"#;

const STREAM: &str = concat!(
    "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c-1\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n",
    "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"hel\"}}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"lo\"}}}}\n\n",
    "event: content-end\ndata: {\"type\":\"content-end\",\"index\":0}\n\n",
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":7,\"output_tokens\":2},\"tokens\":{\"input_tokens\":73,\"output_tokens\":9}}}}\n\n",
    "data: [DONE]\n\n",
);

#[tokio::test]
async fn cohere_is_sent_its_own_dialect_and_its_answer_is_read() {
    let (vendor, mut heard) = answering(Dialect::Cohere, whole("200 OK", ANSWER), 4096).await;
    let answer = vendor.call(call(BODY, false)).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!((&read["id"], &read["model"]), (&json!("c-1"), &json!("m-1")));
    assert_eq!(read["choices"][0]["message"]["content"], "hello");
    assert_eq!(
        (&read["usage"]["prompt_tokens"], &read["usage"]["completion_tokens"]),
        (&json!(7), &json!(2))
    );
    assert_eq!(read["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/chat HTTP/1.1\r\n"), "{head}");
    assert!(head.lines().any(|sent| sent == format!("authorization: Bearer {KEY}")), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({"model": "m-1", "stream": false, "max_tokens": 50, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]});
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_stream_is_the_same_however_it_was_cut() {
    let body = BODY.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"");
    for piece in [1, 2, 3, 7, 64, 4096] {
        let (vendor, _heard) = answering(Dialect::Cohere, events(STREAM), piece).await;
        let answer = vendor.call(call(&body, true)).await.unwrap();
        let (text, usage, is_over) = said(&collected(answer).await.unwrap());
        assert_eq!((text.as_str(), is_over), ("hello", true), "{piece}");
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(7), &json!(2)), "{piece}");
    }
}

#[tokio::test]
async fn what_the_vendor_could_not_end_is_no_answer() {
    let body = BODY.replace("\"max_tokens\"", "\"stream\":true,\"max_tokens\"");
    let failed = STREAM.replace("COMPLETE", "ERROR");
    let (vendor, _heard) = answering(Dialect::Cohere, events(&failed), 4096).await;
    let (told, error) = collected(vendor.call(call(&body, true)).await.unwrap()).await.unwrap_err();
    assert_eq!((said(&told).0.as_str(), error.delivered), ("hello", Delivered::Something));
    let cut = STREAM.find("event: message-end").unwrap();
    let (vendor, _heard) = answering(Dialect::Cohere, events(&STREAM[..cut]), 4096).await;
    let (text, _, is_over) = said(&collected(vendor.call(call(&body, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hello", false));
    let failed = ANSWER.replace("COMPLETE", "TIMEOUT");
    let (vendor, _heard) = answering(Dialect::Cohere, whole("200 OK", &failed), 4096).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Protocol) && error.retryable(), "{error:?}");
}

#[tokio::test]
async fn vectors_and_refusals() {
    let answer = r#"{"id":"e-1","embeddings":{"float":[[0.5,-1],[2,3]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":4}}}"#;
    let (vendor, mut heard) = answering(Dialect::Cohere, whole("200 OK", answer), 4096).await;
    let body = r#"{"model":"embed-v4.0","input":["a","b"],"encoding_format":"base64","input_type":"search_query","user":"u"}"#;
    let mut asked = call(body, false);
    asked.operation = Operation::Embed;
    let answer = vendor.call(asked).await.unwrap();
    assert_eq!(answer.left_out, ["user"]);
    let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
    assert_eq!(read["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!((&read["model"], &read["usage"]["total_tokens"]), (&json!("embed-v4.0"), &json!(4)));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/embed HTTP/1.1\r\n"), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({"model": "embed-v4.0", "texts": ["a", "b"], "input_type": "search_query",
        "embedding_types": ["float"]});
    assert_eq!(sent, expected);

    let refusal = whole("422 Unprocessable Entity", r#"{"id":"x","message":"too long"}"#);
    let (vendor, _heard) = answering(Dialect::Cohere, refusal, 4096).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
    assert_eq!(
        (refusal.status.as_u16(), &refusal.body[..]),
        (422, &br#"{"error":{"message":"too long"}}"#[..])
    );
}

#[tokio::test]
async fn documents_get_their_order() {
    let answer = r#"{"results":[{"index":1,"relevance_score":0.9}],"id":"r-1","meta":{"billed_units":{"search_units":1}}}"#;
    let (vendor, mut heard) = answering(Dialect::Cohere, whole("200 OK", answer), 4096).await;
    let mut asked = call(r#"{"model":"m-1","query":"who?","documents":["a","b"],"top_n":1}"#, false);
    asked.operation = Operation::Rerank;
    let told = collected(vendor.call(asked.clone()).await.unwrap()).await.unwrap();
    let expected = json!({"id": "r-1", "model": "m-1", "results": [{"index": 1, "relevance_score": 0.9}]});
    assert_eq!(serde_json::from_slice::<Value>(&told).unwrap(), expected);
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/rerank HTTP/1.1\r\n"), "{head}");
    let expected = json!({"model": "m-1", "query": "who?", "documents": ["a", "b"], "top_n": 1});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    for dialect in [Dialect::Anthropic, Dialect::Gemini, Dialect::Bedrock] {
        let (vendor, _heard) = answering(dialect, whole("200 OK", answer), 4096).await;
        let error = vendor.call(asked.clone()).await.unwrap_err();
        assert!(matches!(&error.kind, Kind::Unfit(unfit) if unfit.why.contains("`rerank`")), "{error:?}");
    }
}
