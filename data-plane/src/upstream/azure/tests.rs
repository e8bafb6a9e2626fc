//! Azure, by a scripted upstream. Bodies are after its published reference.

use futures_util::StreamExt as _;
use policy_engine::facts::Auth;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::upstream::call::AnswerBody;
use crate::upstream::error::Refusal;
use crate::upstream::scripted::{KEY, call, endpoint, request, serve};

const ANSWER: &str = r#"{"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"finish_reason":"stop","index":0,"message":{"content":"hi","role":"assistant"}}],"object":"chat.completion","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"jailbreak":{"filtered":false,"detected":false}}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

const FILTERED: &str = r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":true,"severity":"medium"}}}}}"#;

/// A resource that answers with these bytes, after giving tokens to whoever asks for one.
async fn resource(answer: String) -> (u16, mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            let (head, body) = request(&mut stream).await;
            let token = r#"{"access_token":"eyJ0-canary-token","expires_in":3599}"#;
            let answer = if head.contains("/oauth2/v2.0/token ") { whole("200 OK", token) } else { answer };
            told.send((head, body)).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn config(port: u16, path: &str, api_version: &str) -> EndpointConfig {
    EndpointConfig {
        base_url: format!("http://127.0.0.1:{port}{path}"),
        api_version: api_version.to_owned(),
        ..endpoint(port)
    }
}

#[tokio::test]
async fn both_forms_of_the_url_lead_where_azure_has_them() {
    let (port, mut heard) = resource(whole("200 OK", ANSWER)).await;
    let (new, query) = ("/openai/v1/chat/completions", "/openai/v1/chat/completions?api-version=preview");
    let old = "/openai/deployments/gpt-4o.eu/chat/completions?api-version=2024-10-21";
    for (path, version, expected) in [
        ("", "", new),
        ("/openai", "", new),
        ("/openai/v1", "", new),
        ("/openai/v1/", "", new),
        ("/openai/v1", "preview", query),
        ("", "2024-10-21", old),
        ("/openai", "2024-10-21", old),
        ("/gateway", "", "/gateway/chat/completions"),
        (
            "/gateway/openai",
            "2024-10-21",
            "/gateway/openai/deployments/gpt-4o.eu/chat/completions?api-version=2024-10-21",
        ),
    ] {
        let azure = Azure::build(&config(port, path, version)).unwrap();
        azure.call(call(r#"{"model":"gpt-4o.eu" , "x":1}"#, false)).await.unwrap();
        let (head, body) = heard.recv().await.unwrap();
        assert!(head.starts_with(&format!("POST {expected} HTTP/1.1\r\n")), "{path} {version}: {head}");
        assert!(head.lines().any(|sent| sent == format!("api-key: {KEY}")), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        assert_eq!(body, br#"{"model":"gpt-4o.eu" , "x":1}"#);
    }
    let azure = Azure::build(&config(port, "", "2024-10-21")).unwrap();
    let mut vectors = call(r#"{"model":"e"}"#, false);
    vectors.operation = Operation::Embed;
    azure.call(vectors).await.unwrap();
    let (head, _) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /openai/deployments/e/embeddings?api-version=2024-10-21 "), "{head}");
    for name in ["", "..", "a/b", "a?b", "a#b", "a b", "a%2fb"] {
        let error = azure.call(call(&format!(r#"{{"model":"{name}"}}"#), false)).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Connect), "{name}: {error:?}");
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn the_responses_api_has_a_place_of_its_own_for_all_deployments() {
    let (port, mut heard) = resource(whole("200 OK", ANSWER)).await;
    for (path, version, told, expected) in [
        ("", "", None, Some("/openai/v1/responses")),
        ("/openai/v1", "preview", None, Some("/openai/v1/responses?api-version=preview")),
        ("", "", Some(false), None),
        ("", "2024-10-21", None, None),
        ("", "2025-04-01-preview", Some(true), Some("/openai/responses?api-version=2025-04-01-preview")),
    ] {
        let config = EndpointConfig { responses_api: told, ..config(port, path, version) };
        let azure = Azure::build(&config).unwrap();
        assert_eq!(azure.speaks_responses(), expected.is_some(), "{path} {version}");
        let Some(expected) = expected else { continue };
        let asked = Call { api: Api::Responses, ..call(r#"{"model":"gpt-4o.eu","input":"hi"}"#, false) };
        azure.call(asked).await.unwrap();
        let (head, body) = heard.recv().await.unwrap();
        assert!(head.starts_with(&format!("POST {expected} HTTP/1.1\r\n")), "{path} {version}: {head}");
        assert_eq!(body, br#"{"model":"gpt-4o.eu","input":"hi"}"#);
    }
}

#[tokio::test]
async fn what_the_filter_says_passes_and_its_refusal_is_one() {
    let (port, _heard) = resource(whole("200 OK", ANSWER)).await;
    let answer = Azure::build(&config(port, "", "")).unwrap().call(call("{}", false)).await.unwrap();
    let AnswerBody::Whole(body) = answer.body else { panic!("not whole") };
    assert_eq!(body, ANSWER);

    let chunk = format!("data: {}\n\ndata: [DONE]\n\n", ANSWER.replace("message", "delta"));
    let stream =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{chunk}");
    let (port, _heard) = resource(stream).await;
    let answer = Azure::build(&config(port, "", "")).unwrap().call(call("{}", true)).await.unwrap();
    let AnswerBody::Events(events) = answer.body else { panic!("no stream") };
    let pieces: Vec<_> = events.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), chunk.as_bytes());

    let (port, _heard) = resource(whole("400 Bad Request", FILTERED)).await;
    let error = Azure::build(&config(port, "", "")).unwrap().call(call("{}", false)).await.unwrap_err();
    assert!(!error.retryable());
    let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
    assert!(refusal.is_filtered());
    let plain =
        Refusal { body: r#"{"error":{"code":"context_length_exceeded"}}"#.into(), ..*refusal.clone() };
    let elsewhere = Refusal { body: FILTERED.replace("content_filter\"", "x\"").into(), ..*refusal.clone() };
    assert!(!plain.is_filtered() && elsewhere.is_filtered());
    for junk in ["", "{", "[]", r#"{"error":"content_filter"}"#, r#"{"code":"content_filter"}"#] {
        assert!(!Refusal { body: junk.into(), ..*refusal.clone() }.is_filtered(), "{junk}");
    }
}

#[tokio::test]
async fn a_token_of_entra_is_shown_where_the_provider_says_so() {
    let (port, mut heard) = resource(whole("200 OK", ANSWER)).await;
    let config = EndpointConfig {
        auth: Some(Auth::Entra {
            tenant: "t-1".to_owned(),
            client: "c-1".to_owned(),
            scope: "https://cognitiveservices.azure.com/.default".to_owned(),
            authority: format!("http://127.0.0.1:{port}"),
            is_federated: false,
        }),
        ..config(port, "", "")
    };
    let azure = Azure::build(&config).unwrap();
    for _ in 0..2 {
        azure.call(call("{}", false)).await.unwrap();
    }
    let (head, form) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /t-1/oauth2/v2.0/token HTTP/1.1\r\n"), "{head}");
    assert!(String::from_utf8(form).unwrap().contains(&format!("client_secret={KEY}&scope=https%3A%2F%2F")));
    for _ in 0..2 {
        let (head, _) = heard.recv().await.unwrap();
        assert!(head.lines().any(|sent| sent == "authorization: Bearer eyJ0-canary-token"), "{head}");
        assert!(!head.contains("api-key") && !head.contains(KEY), "{head}");
    }
    let bare = EndpointConfig { credential: None, ..config };
    assert!(Azure::build(&bare).err().unwrap().is_of_credential());
}

#[tokio::test]
async fn a_body_of_another_dialects_caller_is_written_in_words_of_this_one() {
    let (port, mut heard) = resource(whole("200 OK", ANSWER)).await;
    let mut foreign = call(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#,
        false,
    );
    foreign.foreign = true;
    Azure::build(&config(port, "", "")).unwrap().call(foreign).await.unwrap();
    let (_, body) = heard.recv().await.unwrap();
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent["messages"][0]["role"], "user");
    assert!(!sent.to_string().contains("cache_control"), "{sent}");
}
