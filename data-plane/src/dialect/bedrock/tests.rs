//! What a request is in Bedrock's dialect, and what its answers are in OpenAI's. Bodies are after the service model that AWS publishes with its
//! libraries (botocore 1.44.5, `bedrock-runtime`); no vendor was asked.

use proptest::prelude::*;

use super::super::openai;
use super::super::tests::chats;
use super::super::tests::golden::Examples;
use super::*;

const EXAMPLES: Examples = Examples { dialect: "bedrock", write: write::write, read: answer::read };

#[test]
fn requests() {
    EXAMPLES.requests(8);
}

#[test]
fn answers() {
    EXAMPLES.answers(5);
}

#[test]
fn streams() {
    EXAMPLES.streams(4, |lines, events| {
        let mut reading = events::Reading::default();
        for line in lines {
            reading.take(line, events)?;
        }
        reading.finish(events);
        Ok(())
    });
}

#[test]
fn what_there_is_no_place_for_is_refused_by_its_name() {
    let tools = r#""tools":[{"type":"function","function":{"name":"look"}}]"#;
    let called = r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{}"}}]}"#;
    let shown = |url: &str| {
        format!(r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#)
    };
    let said = |message: &str| format!(r#""messages":[{message}]"#);
    let hi = said(r#"{"role":"user","content":"hi"}"#);
    for (more, field) in [
        (format!(r#"{hi},"n":2"#), "n"),
        (format!(r#"{hi},"temperature":1.5"#), "temperature"),
        (format!(r#"{hi},"presence_penalty":0.5"#), "presence_penalty"),
        (format!(r#"{hi},"logprobs":true"#), "logprobs"),
        (format!(r#"{hi},"response_format":{{"type":"json_object"}}"#), "response_format"),
        (format!(r#"{hi},"top_k":5"#), "top_k"),
        (format!(r#"{hi},"nobody_knows_this":1"#), "nobody_knows_this"),
        (format!(r#"{hi},"additionalModelRequestFields":[1]"#), "additionalModelRequestFields"),
        (format!(r#"{hi},"tool_choice":"required""#), "tool_choice"),
        (format!(r#"{hi},{tools},"parallel_tool_calls":false"#), "parallel_tool_calls"),
        (format!(r#"{hi},"tools":[{{"type":"web_search"}}]"#), "tools[0]"),
        (format!(r#"{},{tools},"tool_choice":"none""#, said(called)), "tool_choice"),
        (said(&shown("https://example.org/a.png")), "messages[0].content[0]"),
        (said(&shown("data:image/tiff;base64,AAAA")), "messages[0].content[0]"),
        (said(&called.replace(r#""c""#, r#""""#)), "messages[0].content[0].id"),
        (said(&called.replace(r#""{}""#, r#""[]""#)), "messages[0].content[0].arguments"),
    ] {
        let body = format!(r#"{{"model":"amazon.nova-lite-v1:0",{more}}}"#);
        let chat = openai::read::read(body.as_bytes()).unwrap();
        let unfit = write::write(&chat).unwrap_err();
        assert_eq!(unfit.field, field, "{body}: {unfit}");
    }
}

#[test]
fn what_is_no_answer_is_none() {
    for body in ["", "{", "{}", "[]", r#"{"output":{}}"#, r#"{"output":{"message":{"content":"hi"}}}"#] {
        assert_eq!(answer::read(body.as_bytes()), None, "{body}");
    }
    let mut events = Vec::new();
    for data in ["", "{", "[]", "1", "\"x\""] {
        assert!(events::Reading::default().take(data.as_bytes(), &mut events).is_err(), "{data}");
    }
    events::Reading::default().take(b"{}", &mut events).unwrap();
    events::Reading::default().take(br#"{"somethingNew":{}}"#, &mut events).unwrap();
    events::Reading::default().finish(&mut events);
    assert!(events.is_empty());
}

proptest! {
    #[test]
    fn whatever_is_said_is_written_or_refused_by_name(chat in chats()) {
        match write::write(&chat) {
            Ok(written) => {
                let sent: serde_json::Value = serde_json::from_slice(&written.body).unwrap();
                let roles: Vec<&str> =
                    sent["messages"].as_array().unwrap().iter().map(|said| said["role"].as_str().unwrap()).collect();
                prop_assert!(roles.windows(2).all(|two| two[0] != two[1]), "{roles:?}");
            }
            Err(unfit) => prop_assert!(!unfit.field.is_empty()),
        }
    }
}
