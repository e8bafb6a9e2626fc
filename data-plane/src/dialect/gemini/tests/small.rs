//! Errors, counts and embeddings.

use std::time::Duration;

use proto::code::ErrorCode;
use proto::status::{DenialReason, Refusal};

use super::super::embed::{self, Asked, Encoding};
use super::super::{Api, count, error, write};
use crate::dialect::field::BodyFault;

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

#[test]
fn an_error_has_googles_shape_and_ours_beside_it() {
    let refusal = Refusal {
        reasons: vec![DenialReason {
            code: "no_export".into(),
            source: "eu-residency".into(),
            message: "stays here".into(),
        }],
        revision: Some(7),
        request_id: Some("r-1".into()),
        retry_after: Some(Duration::from_millis(1_500)),
        ..Refusal::new(ErrorCode::PermissionDenied, "not yours")
    };
    let body = error::write(403, &refusal);
    assert_eq!(
        text(body.clone()),
        concat!(
            r#"{"error":{"code":403,"message":"not yours","status":"PERMISSION_DENIED","#,
            r#""details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}],"#,
            r#""chancery":{"code":"permission_denied","request_id":"r-1","revision":7,"#,
            r#""reasons":[{"code":"no_export","source":"eu-residency","message":"stays here"}]}}}"#
        )
    );
    assert_eq!(error::message(&body).as_deref(), Some("not yours"));
}

#[test]
fn every_code_of_ours_is_an_error_of_the_dialect() {
    for code in ErrorCode::ALL {
        let body = text(error::write(code.row().http.as_u16(), &Refusal::new(*code, "m")));
        assert!(body.contains(&format!(r#""chancery":{{"code":"{}""#, code.as_str())), "{body}");
        assert!(!body.contains(r#""status":"OK""#), "{body}");
    }
}

#[test]
fn a_vendors_message_is_found_wherever_it_stands() {
    let read = |body: &str| error::message(body.as_bytes());
    assert_eq!(read(r#"{"error":{"code":400,"message":"bad","status":"X"}}"#).as_deref(), Some("bad"));
    assert_eq!(read(r#"[{"error":{"message":"in an array"}}]"#).as_deref(), Some("in an array"));
    for none in
        ["", "<html>", "{}", "[]", r#"{"error":"x"}"#, r#"{"error":{"message":""}}"#, r#"{"error":{}}"#]
    {
        assert_eq!(read(none), None, "{none}");
    }
}

#[test]
fn contents_and_whole_requests_are_counted() {
    let contents = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    let whole = r#"{"generate_content_request":{"model":"models/x","contents":[{"parts":[{"text":"hi"}]}]}}"#;
    for body in [contents, whole] {
        let chat = count::read("gemini-2.5-flash", body.as_bytes()).unwrap();
        assert_eq!(
            text(write::write(&chat, Api::Gemini).unwrap().body),
            r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#
        );
    }
    let fault = |body: &str| count::read("m", body.as_bytes()).unwrap_err();
    assert_eq!(
        fault(r#"{"generateContentRequest":{"contents":[{"parts":[{"text":1}]}]}}"#),
        BodyFault::wrong("generateContentRequest.contents[0].parts[0].text", "a string")
    );
    assert_eq!(fault(r#"{"generateContentRequest":{},"contents":[]}"#).field(), Some("contents"));
    assert_eq!(text(count::write_answer(31)), r#"{"totalTokens":31}"#);
}

#[test]
fn an_embedding_is_openais_and_comes_back() {
    let one = br#"{"content":{"parts":[{"text":"a"},{"text":"b"}]},"task_type":"RETRIEVAL_QUERY","outputDimensionality":2}"#;
    let openai = text(embed::read("e-1", Asked::One, one).unwrap());
    assert_eq!(openai, r#"{"model":"e-1","input":["a\nb"],"dimensions":2,"taskType":"RETRIEVAL_QUERY"}"#);
    let (written, encoding) = embed::write(openai.as_bytes()).unwrap();
    assert_eq!(encoding, Encoding::Float);
    assert_eq!(
        text(written.body),
        concat!(
            r#"{"requests":[{"model":"models/e-1","content":{"parts":[{"text":"a\nb"}]},"#,
            r#""outputDimensionality":2,"taskType":"RETRIEVAL_QUERY"}]}"#
        )
    );
    let two = br#"{"requests":[{"model":"m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    let openai = text(embed::read("e-1", Asked::Batch, two).unwrap());
    assert_eq!(openai, r#"{"model":"e-1","input":["a","b"]}"#);
}

#[test]
fn an_answer_of_numbers_is_written_as_it_was_asked_for() {
    let vendor =
        br#"{"embeddings":[{"values":[0.5, -1]},{"values":[2,3]}],"usageMetadata":{"promptTokenCount":4}}"#;
    let floats = embed::read_answer("e-1", Encoding::Float, vendor).unwrap();
    assert_eq!(
        text(floats.clone()),
        concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5, -1]},"#,
            r#"{"object":"embedding","index":1,"embedding":[2,3]}],"model":"e-1","#,
            r#""usage":{"prompt_tokens":4,"total_tokens":4}}"#
        )
    );
    let base64 = embed::read_answer("e-1", Encoding::Base64, vendor).unwrap();
    assert!(text(base64.clone()).contains(r#""embedding":"AAAAPwAAgL8=""#));
    assert_eq!(
        text(embed::write_answer(Asked::Batch, &base64).unwrap()),
        r#"{"embeddings":[{"values":[0.5,-1.0]},{"values":[2.0,3.0]}],"usageMetadata":{"promptTokenCount":4}}"#
    );
    assert_eq!(
        text(embed::write_answer(Asked::One, &floats).unwrap()),
        r#"{"embedding":{"values":[0.5, -1]},"usageMetadata":{"promptTokenCount":4}}"#
    );
    let single = br#"{"embedding":{"values":[1]}}"#;
    assert!(embed::read_answer("e", Encoding::Float, single).is_some());
    for none in ["{}", r#"{"embeddings":[{}]}"#, r#"{"embeddings":[{"values":"x"}]}"#, "x"] {
        assert_eq!(embed::read_answer("e", Encoding::Float, none.as_bytes()), None, "{none}");
    }
    for none in [r#"{"data":[{"embedding":"AAA="}]}"#, r#"{"data":[{}]}"#, "{}"] {
        assert_eq!(embed::write_answer(Asked::Batch, none.as_bytes()), None, "{none}");
    }
}

#[test]
fn what_cannot_be_embedded_is_named() {
    let fault =
        |asked, body: &str| embed::read("e", asked, body.as_bytes()).unwrap_err().field().unwrap().to_owned();
    assert_eq!(fault(Asked::One, "{}"), "content");
    assert_eq!(fault(Asked::One, r#"{"content":{"parts":[{"inlineData":{}}]}}"#), "content.parts[0]");
    assert_eq!(fault(Asked::One, r#"{"content":{"parts":[]}}"#), "content.parts");
    assert_eq!(fault(Asked::Batch, r#"{"requests":[]}"#), "requests");
    let unlike = r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"title":"t"}]}"#;
    assert_eq!(fault(Asked::Batch, unlike), "requests[1]");
    let unfit = |body: &str| embed::write(body.as_bytes()).unwrap_err().field.into_owned();
    assert_eq!(unfit(r#"{"model":"e","input":[1,2]}"#), "input");
    assert_eq!(unfit(r#"{"model":"e","input":[[1],[2]]}"#), "input");
    assert_eq!(unfit(r#"{"model":"e","input":"a","truncate":"END"}"#), "truncate");
    assert_eq!(unfit(r#"{"model":"e","input":"a","input_type":"image"}"#), "input_type");
    let (written, encoding) = embed::write(
        br#"{"model":"e","input":"a","user":"u","encoding_format":"base64","input_type":"search_query"}"#,
    )
    .unwrap();
    assert_eq!((written.left_out, encoding), (vec!["user".into()], Encoding::Base64));
    assert!(text(written.body).contains(r#""taskType":"RETRIEVAL_QUERY""#));
}
