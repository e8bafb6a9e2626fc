//! SageMaker and Lambda, by scripted upstreams. Paths, frames and errors are after the service models that AWS publishes (botocore's
//! `sagemaker-runtime` and `lambda`); what containers say in OpenAI's dialect is after Text Generation Inference's Messages API and LMI's chat
//! completions.

use super::*;
use crate::upstream::cut::tests::frame;

const CHAT: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"tgi","choices":[{"index":0,"message":{"role":"assistant","content":"hello","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#;
const CHUNKS: &str = concat!(
    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"tgi\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hel\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"tgi\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo ä\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n",
    "data: [DONE]\n\n",
);
const TOOLS: &str = r#"{"model":"m 1","temperature":0.50,"tools":[{"type":"function","function":{"name":"look"}}],"messages":[{"role":"user","content":"hi"}]}"#;

/// An endpoint of AWS, that answers so.
async fn aws(place: Place, template: Option<Wire>, answer: Vec<u8>, piece: usize) -> (Custom, Heard) {
    answering_at(place, template, (answer, piece), |config| {
        config.auth =
            Some(Auth::Aws { access_key_id: "AKIDEXAMPLE".into(), region: "eu-west-1".into(), role: None });
    })
    .await
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n";
    let parts = parts.iter().flat_map(|part| frame("event", (":event-type", "PayloadPart"), part));
    head.as_bytes().iter().copied().chain(parts).collect()
}

fn streaming() -> String {
    STREAMING.replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}")
}

#[tokio::test]
async fn an_endpoint_of_sagemaker_is_asked_in_openais_dialect_and_answers_as_it_does() {
    let (vendor, mut heard) = aws(Place::SageMaker, None, whole("200 OK", CHAT).into_bytes(), 4096).await;
    let answer = vendor.call(call(TOOLS, false)).await.unwrap();
    assert_eq!(collected(answer).await.unwrap(), CHAT.as_bytes());
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/endpoints/m%201/invocations HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("/eu-west-1/sagemaker/aws4_request, SignedHeaders="), "{head}");
    assert!(head.contains("accept: application/json") && !head.contains(KEY), "{head}");
    // The model is the endpoint itself; all else is as it came.
    let expected = TOOLS.replace("\"model\":\"m 1\",", "");
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    for name in ["", ".", ".."] {
        let error = vendor.call(call(&BODY.replace("m 1", name), false)).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Connect), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_containers_stream_is_what_its_frames_carry_however_they_were_cut() {
    for part in [1, 5, 64, 4096] {
        let parts: Vec<&[u8]> = CHUNKS.as_bytes().chunks(part).collect();
        for piece in [1, 7, 4096] {
            let (vendor, mut heard) = aws(Place::SageMaker, None, framed(&parts), piece).await;
            let answer = vendor.call(call(&streaming(), true)).await.unwrap();
            assert_eq!(collected(answer).await.unwrap(), CHUNKS.as_bytes(), "{part} {piece}");
            let (head, body) = heard.recv().await.unwrap();
            assert!(
                head.starts_with("POST /v1/endpoints/m%201/invocations-response-stream HTTP/1.1\r\n"),
                "{head}"
            );
            assert!(head.contains("accept: application/vnd.amazon.eventstream"), "{head}");
            let sent: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (&sent["stream"], &sent["stream_options"]["include_usage"]),
                (&json!(true), &json!(true))
            );
        }
    }
}

#[tokio::test]
async fn a_container_may_be_asked_by_a_template_and_its_lines_come_in_frames() {
    let mut template = ollama();
    template.request.as_mut().unwrap().path = String::new();
    let parts: Vec<&[u8]> = LINES.as_bytes().chunks(9).collect();
    let (vendor, mut heard) = aws(Place::SageMaker, Some(template.clone()), framed(&parts), 11).await;
    let (text, usage, is_over) =
        said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/endpoints/m%201/invocations-response-stream HTTP/1.1\r\n"), "{head}");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["options"]["num_predict"], 512);
    let (vendor, mut heard) =
        aws(Place::SageMaker, Some(template), whole("200 OK", ANSWER).into_bytes(), 4096).await;
    let answer = collected(vendor.call(call(BODY, false)).await.unwrap()).await.unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&answer).unwrap()["choices"][0]["message"]["content"],
        "hello"
    );
    assert!(heard.recv().await.unwrap().0.starts_with("POST /v1/endpoints/m%201/invocations HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_stream_of_frames_that_breaks_off_says_so() {
    let first = CHUNKS.split_inclusive("\n\n").next().unwrap().as_bytes();
    let exception = |of: &str, said: &str| frame("exception", (":exception-type", of), said.as_bytes());
    let model = exception(
        "ModelStreamError",
        r#"{"Message":"out of memory","ErrorCode":"ModelInvocationTimeExceeded"}"#,
    );
    let inner = exception("InternalStreamFailure", r#"{"Message":"x"}"#);
    let torn = framed(&[first, b"data: "]);
    for (answer, kind) in [
        ([framed(&[first]), model.clone()].concat(), Kind::Reset),
        ([framed(&[first]), inner].concat(), Kind::Reset),
        (torn[..torn.len() - 3].to_vec(), Kind::Reset),
        ([framed(&[first]), vec![0; 16]].concat(), Kind::Protocol),
    ] {
        let (vendor, _heard) = aws(Place::SageMaker, None, answer, 4096).await;
        let (told, error) =
            collected(vendor.call(call(&streaming(), true)).await.unwrap()).await.unwrap_err();
        assert_eq!((told.as_slice(), error.delivered, error.kind), (first, Delivered::Something, kind));
    }
    let (vendor, _heard) = aws(Place::SageMaker, None, [framed(&[]), model].concat(), 4096).await;
    let (_, error) = collected(vendor.call(call(&streaming(), true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable(), "nothing was said before it: {error:?}");
    // Events of other types carry nothing.
    let other = [framed(&[first]), frame("event", (":event-type", "Other"), b"{}")].concat();
    let (vendor, _heard) = aws(Place::SageMaker, None, other, 4096).await;
    assert_eq!(collected(vendor.call(call(&streaming(), true)).await.unwrap()).await.unwrap(), first);
}

#[tokio::test]
async fn whose_fault_it_was_stays_so_though_sagemaker_calls_it_the_models() {
    let model = |status: u16| {
        json!({"ErrorCode": "CLIENT_ERROR_FROM_MODEL", "LogStreamArn": "arn:aws:logs:x", "Message": "Received client error",
            "OriginalMessage": "too long", "OriginalStatusCode": status})
        .to_string()
    };
    let told = r#"{"error":{"message":"too long"}}"#;
    let filtered = r#"{"error":{"code":"content_filter","message":"no"}}"#;
    let of_aws =
        |name: &str| format!(r#"{{"{name}":"User: arn:aws:iam::123456789012:user/x is not let in"}}"#);
    for (status, body, code, retryable, words) in [
        ("424 Failed Dependency", model(422), 422, false, told),
        ("424 Failed Dependency", model(413), 413, false, told),
        ("424 Failed Dependency", model(404), 400, false, told),
        ("424 Failed Dependency", model(429), 429, true, told),
        ("424 Failed Dependency", model(500), 502, true, told),
        ("424 Failed Dependency", of_aws("Message"), 502, true, ""),
        ("400 Bad Request", of_aws("message"), 400, false, ""),
        ("400 Bad Request", filtered.to_owned(), 400, false, filtered),
        ("429 Too Many Requests", of_aws("Message"), 429, true, ""),
        ("503 Service Unavailable", of_aws("Message"), 503, true, ""),
    ] {
        let (vendor, _heard) = aws(Place::SageMaker, None, whole(status, &body).into_bytes(), 4096).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        assert_eq!(error.retryable(), retryable, "{status}");
        let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
        assert_eq!((refusal.status.as_u16(), refusal.body), (code, Bytes::from(words)), "{status}");
    }
}

#[tokio::test]
async fn what_aws_calls_an_error_says_more_than_its_status() {
    for (name, code) in [
        ("ThrottlingException", 429),
        ("TooManyRequestsException:http://internal.amazon.com/coral/", 429),
        ("com.amazon.coral.service#AccessDeniedException", 403),
        ("ExpiredTokenException", 403),
        ("InvalidSignatureException", 403),
        ("UnrecognizedClientException", 403),
        ("ValidationError", 400),
        ("not a name: Throttling", 400),
    ] {
        for place in [Place::SageMaker, Place::Lambda] {
            let status = format!("400 Bad Request\r\nx-amzn-errortype: {name}");
            let (vendor, _heard) =
                aws(place, None, whole(&status, r#"{"Message":"x"}"#).into_bytes(), 4096).await;
            let error = vendor.call(call(BODY, false)).await.unwrap_err();
            let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
            assert_eq!((refusal.status.as_u16(), refusal.body), (code, Bytes::new()), "{name}");
        }
    }
}

#[tokio::test]
async fn a_function_is_invoked_with_openais_dialect_and_a_stream_is_its_answer_in_one() {
    let answer = || whole("200 OK", CHAT).into_bytes();
    let (vendor, mut heard) = aws(Place::Lambda, None, answer(), 4096).await;
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:answer:live";
    let told = vendor.call(call(&TOOLS.replace("m 1", arn), false)).await.unwrap();
    assert_eq!(collected(told).await.unwrap(), CHAT.as_bytes());
    let (head, body) = heard.recv().await.unwrap();
    let path = "/v1/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aanswer%3Alive/invocations";
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("/eu-west-1/lambda/aws4_request, SignedHeaders="), "{head}");
    assert_eq!(String::from_utf8(body).unwrap(), TOOLS.replace("m 1", arn));

    let (vendor, mut heard) = aws(Place::Lambda, None, answer(), 4096).await;
    let bytes = collected(vendor.call(call(&streaming(), true)).await.unwrap()).await.unwrap();
    let (text, usage, is_over) = said(&bytes);
    assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)));
    let told = String::from_utf8(bytes).unwrap();
    assert!(told.contains(r#""name":"look""#) && told.contains(r#""finish_reason":"tool_calls""#), "{told}");
    let (_, body) = heard.recv().await.unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), BODY.replace("\"max_tokens\":50,", ""));
}

#[tokio::test]
async fn a_function_that_fails_is_a_vendor_that_failed() {
    let answer = |kind: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nx-amz-function-error: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    let timed_out = r#"{"errorMessage":"2026-03-01T12:34:56.789Z 1 Task timed out after 3.00 seconds"}"#;
    for (kind, body, words) in [
        ("Unhandled", timed_out, "Task timed out"),
        ("Handled", r#"{"errorMessage":"no cats","errorType":"KeyError","stackTrace":[]}"#, "no cats"),
        ("Unhandled", "", "the function failed"),
        // However much it looks like an answer.
        ("Unhandled", CHAT, "the function failed"),
    ] {
        for template in [None, Some(bodied())] {
            let (vendor, _heard) = aws(Place::Lambda, template, answer(kind, body), 4096).await;
            let error = vendor.call(call(BODY, false)).await.unwrap_err();
            assert!(error.retryable(), "{error:?}");
            let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
            let told = String::from_utf8(refusal.body.to_vec()).unwrap();
            assert!(refusal.status.as_u16() == 502 && told.contains(words), "{told}");
        }
    }
    for (status, code) in
        [("404 Not Found", 404), ("413 Request Entity Too Large", 413), ("429 Too Many Requests", 429)]
    {
        let body = r#"{"Message":"what it says","Type":"User"}"#;
        let (vendor, _heard) = aws(Place::Lambda, None, whole(status, body).into_bytes(), 4096).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
        assert_eq!((refusal.status.as_u16(), refusal.body), (code, Bytes::new()));
    }
}

/// Ollama's template as a function has it.
fn bodied() -> Wire {
    let mut template = ollama();
    template.request.as_mut().unwrap().path = String::new();
    template.stream = None;
    template
}

#[tokio::test]
async fn a_function_may_be_asked_by_a_template() {
    let (vendor, mut heard) =
        aws(Place::Lambda, Some(bodied()), whole("200 OK", ANSWER).into_bytes(), 4096).await;
    let (text, _, is_over) =
        said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
    assert_eq!((text.as_str(), is_over), ("hello", true));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/2015-03-31/functions/m%201/invocations HTTP/1.1\r\n"), "{head}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&sent["messages"][0]["content"], &sent["stream"]), (&json!("hi"), &json!(false)));
}

/// Ollama's lines as a function streams them.
fn chunked(parts: &[&[u8]], complete: Option<&str>) -> Vec<u8> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n";
    let parts = parts.iter().flat_map(|part| frame("event", (":event-type", "PayloadChunk"), part));
    let end = complete.map(|end| frame("event", (":event-type", "InvokeComplete"), end.as_bytes()));
    head.as_bytes().iter().copied().chain(parts).chain(end.into_iter().flatten()).collect()
}

fn streams() -> Wire {
    Wire { stream: ollama().stream, ..bodied() }
}

/// `InvokeWithResponseStream` of the same service model: `PayloadChunk` and, last, `InvokeComplete`.
#[tokio::test]
async fn a_function_with_a_stream_is_asked_for_it_and_ends_with_a_word_that_all_came() {
    let parts: Vec<&[u8]> = LINES.as_bytes().chunks(9).collect();
    for (complete, piece) in
        [("{}", 1), (r#"{"LogResult":"x"}"#, 11), ("", 4096), (r#"{"ErrorCode":""}"#, 64)]
    {
        let (vendor, mut heard) =
            aws(Place::Lambda, Some(streams()), chunked(&parts, Some(complete)), piece).await;
        let (text, usage, is_over) =
            said(&collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap());
        assert_eq!(
            (text.as_str(), is_over, &usage["total_tokens"]),
            ("hello", true, &json!(9)),
            "{complete}"
        );
        let (head, body) = heard.recv().await.unwrap();
        let path = "/v1/2021-11-15/functions/m%201/response-streaming-invocations";
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains("/eu-west-1/lambda/aws4_request, SignedHeaders="), "{head}");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["stream"], true);
    }
    // Who asks for no stream is answered whole.
    let (vendor, mut heard) =
        aws(Place::Lambda, Some(streams()), whole("200 OK", ANSWER).into_bytes(), 4096).await;
    collected(vendor.call(call(BODY, false)).await.unwrap()).await.unwrap();
    assert!(heard.recv().await.unwrap().0.starts_with("POST /v1/2015-03-31/functions/m%201/invocations "));
}

#[tokio::test]
async fn a_functions_stream_that_failed_or_has_no_such_word_broke_off() {
    let first = LINES.lines().next().unwrap();
    let first = format!("{first}\n");
    let failed = r#"{"ErrorCode":"Unhandled","ErrorDetails":"no cats, said ada"}"#;
    for (parts, complete, kind) in [
        (vec![first.as_bytes()], Some(failed), Kind::Reset),
        (vec![first.as_bytes()], None, Kind::Reset),
        // However whole the answer is that came before.
        (vec![first.as_bytes(), LINES.as_bytes()], None, Kind::Reset),
        (vec![first.as_bytes()], Some("junk"), Kind::Protocol),
    ] {
        let (vendor, _heard) = aws(Place::Lambda, Some(streams()), chunked(&parts, complete), 4096).await;
        let answer = vendor.call(call(STREAMING, true)).await.unwrap();
        let (told, error) = collected(answer).await.unwrap_err();
        assert!(said(&told).0.starts_with("hel") && !said(&told).2, "{complete:?}");
        assert_eq!((error.delivered, &error.kind), (Delivered::Something, &kind), "{complete:?}");
        assert!(!format!("{error:?}").contains("ada"), "{error:?}");
    }
    let (vendor, _heard) = aws(Place::Lambda, Some(streams()), chunked(&[], Some(failed)), 4096).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable(), "nothing was said before it: {error:?}");
}

#[tokio::test]
async fn no_frame_is_waited_for_that_no_answer_may_be() {
    let part = "x".repeat(4096);
    for place in [Place::SageMaker, Place::Lambda] {
        let template = (place == Place::Lambda).then(streams);
        let answer = match place {
            Place::Lambda => chunked(&[part.as_bytes()], Some("{}")),
            _ => framed(&[part.as_bytes()]),
        };
        let (vendor, _heard) = answering_at(place, template, (answer[..200].to_vec(), 4096), |config| {
            config.auth = Some(Auth::Aws {
                access_key_id: "AKIDEXAMPLE".into(),
                region: "eu-west-1".into(),
                role: None,
            });
            config.caps.max_answer_bytes = 1024;
        })
        .await;
        let (_, error) = collected(vendor.call(call(&streaming(), true)).await.unwrap()).await.unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge);
    }
}

#[tokio::test]
async fn vectors_are_asked_of_an_endpoint_and_of_a_function_at_their_own_places() {
    for (place, path) in [
        (Place::SageMaker, "/v1/endpoints/m%201/invocations"),
        (Place::Lambda, "/v1/2015-03-31/functions/m%201/invocations"),
    ] {
        let mut template = vectors::ollama();
        template.embeddings.as_mut().unwrap().path = String::new();
        let answer = whole("200 OK", r#"{"embeddings":[[0.5]]}"#).into_bytes();
        let (vendor, mut heard) = aws(place, Some(template), answer, 4096).await;
        let mut asked = call(r#"{"model":"m 1","input":"a"}"#, false);
        asked.operation = Operation::Embed;
        let told = collected(vendor.call(asked).await.unwrap()).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&told).unwrap()["data"][0]["embedding"], json!([0.5]));
        assert!(heard.recv().await.unwrap().0.starts_with(&format!("POST {path} HTTP/1.1\r\n")));
    }
}
