//! What a request is in Cohere's dialect, and what its answers are in OpenAI's. Bodies are after the vendor's published reference of version 2
//! (docs.cohere.com, `chat`, `chat-stream` and `embed`); no vendor was asked.

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
