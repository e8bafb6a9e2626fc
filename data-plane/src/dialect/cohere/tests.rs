//! What a request is in Cohere's dialect, and what its answers are in OpenAI's. Bodies are after the vendor's published reference of version 2
//! (docs.cohere.com, `chat`, `chat-stream`, `embed` and `rerank`); no vendor was asked.

use proptest::prelude::*;

use super::super::openai;
use super::super::tests::chats;
use super::super::tests::golden::Examples;
use super::*;

const EXAMPLES: Examples = Examples { dialect: "cohere", write: write::write, read: answer::read };

#[test]
fn requests() {
    EXAMPLES.requests(6);
}

#[test]
fn answers() {
    EXAMPLES.answers(4);
}

#[test]
fn streams() {
    EXAMPLES.streams(3, |lines, events| {
        let mut reading = events::Reading::default();
        for line in lines {
            reading.take(line, events)?;
        }
        Ok(())
    });
}

#[test]
fn what_there_is_no_place_for_is_refused_by_its_name() {
    let tool = |name: &str| format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#);
    let tools = format!(r#""tools":[{},{}]"#, tool("look"), tool("hear"));
    let said = |content: &str| format!(r#""messages":[{{"role":"user","content":[{content}]}}]"#);
    let hi = said(r#"{"type":"text","text":"hi"}"#);
    for (more, field) in [
        (format!(r#"{hi},"n":2"#), "n"),
        (format!(r#"{hi},"presence_penalty":-0.5"#), "presence_penalty"),
        (format!(r#"{hi},"frequency_penalty":1.5"#), "frequency_penalty"),
        (format!(r#"{hi},"logprobs":true"#), "logprobs"),
        (format!(r#"{hi},"nobody_knows_this":1"#), "nobody_knows_this"),
        (format!(r#"{hi},"reasoning_effort":"a bit""#), "reasoning_effort"),
        (format!(r#"{hi},"tool_choice":"required""#), "tool_choice"),
        (format!(r#"{hi},{tools},"parallel_tool_calls":false"#), "parallel_tool_calls"),
        (
            format!(r#"{hi},{tools},"tool_choice":{{"type":"function","function":{{"name":"look"}}}}"#),
            "tool_choice",
        ),
        (format!(r#"{hi},"tools":[{{"type":"web_search"}}]"#), "tools[0]"),
        (
            said(r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}"#),
            "messages[0].content[0]",
        ),
        (
            said(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#),
            "messages[0].content[0]",
        ),
    ] {
        let body = format!(r#"{{"model":"command-a",{more}}}"#);
        let chat = openai::read::read(body.as_bytes()).unwrap();
        let unfit = write::write(&chat).unwrap_err();
        assert_eq!(unfit.field, field, "{body}: {unfit}");
    }
}

#[test]
fn what_is_no_answer_is_none() {
    for body in ["", "{", "{}", r#"{"message":"error"}"#, r#"{"message":{},"finish_reason":"ERROR"}"#] {
        let read = answer::read(body.as_bytes());
        assert!(read.is_none_or(|answer| answer.choices[0].content.is_empty()), "{body}");
    }
    assert_eq!(answer::read(br#"{"message":{},"finish_reason":"ERROR"}"#), None);
    let mut events = Vec::new();
    for data in ["", "{", "[]", "1"] {
        assert!(events::Reading::default().take(data.as_bytes(), &mut events).is_err(), "{data}");
    }
    events::Reading::default().take(br#"{"type":"something-new"}"#, &mut events).unwrap();
    assert!(events.is_empty());
}

#[test]
fn counts_need_not_be_whole() {
    let body =
        r#"{"id":"c","message":{"content":[]},"usage":{"tokens":{"input_tokens":7.0,"output_tokens":1.5}}}"#;
    let usage = answer::read(body.as_bytes()).unwrap().usage.unwrap();
    assert_eq!((usage.input, usage.output), (7, 2));
}

proptest! {
    #[test]
    fn whatever_is_said_is_written_or_refused_by_name(chat in chats()) {
        match write::write(&chat) {
            Ok(written) => {
                serde_json::from_slice::<serde_json::Value>(&written.body).unwrap();
            }
            Err(unfit) => prop_assert!(!unfit.field.is_empty()),
        }
    }
}

/// The example of the reference's `rerank`, both ways; that documents stand in results is the gateway's to see to.
#[test]
fn documents_are_told_as_texts_and_their_order_is_read() {
    let body = r#"{"model":"rerank-v3.5","query":"What is the capital?","documents":["Carson City",{"text":"Saipan"},"Washington"],"top_n":2,"max_tokens_per_doc":512,"return_documents":true}"#;
    let (written, asked) = rerank::write(body.as_bytes()).unwrap();
    let expected = r#"{"model":"rerank-v3.5","query":"What is the capital?","documents":["Carson City","Saipan","Washington"],"top_n":2,"max_tokens_per_doc":512}"#;
    assert_eq!(String::from_utf8(written.body).unwrap(), expected);
    let answer = r#"{"results":[{"index":2,"relevance_score":0.999071},{"index":0,"relevance_score":0.32713068}],"id":"07734bd2","meta":{"api_version":{"version":"2","is_experimental":false},"billed_units":{"search_units":1}}}"#;
    let told = rerank::read_answer(&asked, answer.as_bytes()).unwrap();
    let expected = r#"{"id":"07734bd2","model":"rerank-v3.5","results":[{"index":2,"relevance_score":0.999071,"document":{"text":"Washington"}},{"index":0,"relevance_score":0.32713068,"document":{"text":"Carson City"}}]}"#;
    assert_eq!(String::from_utf8(told).unwrap(), expected);
    let counted = answer.replace(r#""billed_units""#, r#""tokens":{"input_tokens":9},"billed_units""#);
    let told = rerank::read_answer(&asked, counted.as_bytes()).unwrap();
    assert!(String::from_utf8(told).unwrap().ends_with(r#""usage":{"prompt_tokens":9,"total_tokens":9}}"#));
    for junk in [
        "",
        "{}",
        r#"{"results":{}}"#,
        r#"{"results":[7]}"#,
        &answer.replace("\"index\":2", "\"index\":3"),
        &answer.replace("0.999071", "\"1\""),
    ] {
        assert_eq!(rerank::read_answer(&asked, junk.as_bytes()), None, "{junk}");
    }
    for (more, field) in
        [(r#""rank_fields":["a"]"#, "rank_fields"), (r#""documents":[{"title":"b"}]"#, "documents[0]")]
    {
        let body = format!(r#"{{"model":"m","query":"q",{more}}}"#);
        assert_eq!(rerank::write(body.as_bytes()).unwrap_err().field, field);
    }
}
