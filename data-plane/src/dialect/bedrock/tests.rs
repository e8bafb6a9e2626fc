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

/// A body for a model, and what is left out of it.
fn written(model: &str, more: &str) -> (serde_json::Value, Vec<String>) {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"text","text":"hi","cache_control":{{"type":"ephemeral"}}}}]}}],{more}}}"#
    );
    let written = write::write(&openai::read::read(body.as_bytes()).unwrap()).unwrap();
    let left_out = written.left_out.iter().map(|field| field.to_string()).collect();
    (serde_json::from_slice(&written.body).unwrap(), left_out)
}

#[test]
fn what_anthropics_callers_say_goes_to_anthropics_models_and_is_a_hint_to_others() {
    let more = r#""thinking.type":"adaptive","output_config.effort":"high","anthropic_beta":["interleaved-thinking-2025-05-14","x-1"]"#;
    let thinks = format!(r#"{more},"reasoning_effort":"high""#);
    let (body, left_out) = written("eu.anthropic.claude-opus-4-7", &thinks);
    let own = &body["additionalModelRequestFields"];
    assert_eq!(own["output_config"]["effort"], "high");
    assert_eq!(own["thinking"]["type"], "adaptive");
    assert_eq!(own["anthropic_beta"], serde_json::json!(["interleaved-thinking-2025-05-14"]));
    assert_eq!(left_out, ["anthropic_beta"], "the one that is not known there");
    let (body, left_out) = written("meta.llama3-70b-instruct-v1:0", more);
    assert_eq!(body.get("additionalModelRequestFields"), None);
    for field in ["thinking.type", "output_config.effort", "anthropic_beta"] {
        assert!(left_out.iter().any(|left| left == field), "{field}: {left_out:?}");
    }
}

#[test]
fn a_mark_of_what_may_be_kept_goes_to_models_that_take_it() {
    for (model, takes) in [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", true),
        ("eu.amazon.nova-pro-v1:0", true),
        ("arn:aws:bedrock:eu-central-1:1:application-inference-profile/x", true),
        ("openai.gpt-oss-120b-1:0", false),
    ] {
        let (body, left_out) = written(model, r#""max_tokens":5"#);
        let marks = body["messages"][0]["content"].as_array().unwrap();
        assert_eq!(marks.iter().any(|block| block.get("cachePoint").is_some()), takes, "{model}");
        let told = left_out.iter().any(|left| left.ends_with(".cache_control"));
        assert_eq!(told, !takes, "{model}: {left_out:?}");
    }
}

#[test]
fn a_call_that_came_out_wrong_is_no_answer() {
    let answer =
        r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"malformed_tool_use"}"#;
    assert_eq!(answer::read(answer.as_bytes()), None);
    let event = br#"{"messageStop":{"stopReason":"malformed_tool_use"}}"#;
    assert!(events::Reading::default().take(event, &mut Vec::new()).is_err());
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
