//! What callers of the Responses API send becomes chats, and what chats answer is told as responses, whole and as events.

use serde_json::{Value, json};

use super::read::{Asked, read};
use super::{Echo, answer, events};
use crate::dialect::answer::{Answer, Choice, Finish, Usage};
use crate::dialect::chat::{Call, Kind, Part};
use crate::dialect::event::{Delta, Event, Start};
use crate::dialect::field::BodyFault;
use crate::dialect::openai::{self, Reader};

const NOW: u64 = 1_800_000_000;

fn asked(body: &Value) -> Result<Asked, BodyFault> {
    read(body.to_string().as_bytes())
}

/// The chat that a request becomes.
fn chat(body: &Value) -> Value {
    let asked = asked(body).unwrap();
    serde_json::from_slice(&openai::write::write(&asked.chat, Reader::Pipeline).unwrap().body).unwrap()
}

#[test]
fn requests_become_chats() {
    assert_eq!(
        chat(&json!({"model": "m", "input": "hi", "instructions": "Be brief.", "max_output_tokens": 9,
            "store": true, "include": ["reasoning.encrypted_content"], "truncation": "disabled", "metadata": {"a": "b"}})),
        json!({"model": "m", "max_tokens": 9,
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]})
    );
    let schema = json!({"type": "object"});
    assert_eq!(
        chat(
            &json!({"model": "m", "stream": true, "parallel_tool_calls": false, "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "place", "schema": schema, "strict": true}, "verbosity": "low"},
            "tools": [{"type": "function", "name": "weather", "parameters": schema}, {"type": "web_search"}],
            "tool_choice": {"type": "function", "name": "weather"},
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "s"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "one moment"}]},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            ]})
        ),
        json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "parallel_tool_calls": false, "reasoning_effort": "low", "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": true}},
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}]},
            {"role": "assistant", "content": "one moment",
                "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}],
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        ]})
    );
}

#[test]
fn what_is_wrong_is_told_by_its_field() {
    for (more, field) in [
        (json!({"input": 7}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": ["x"]}), "input[0]"),
        (json!({"input": [{"role": "nobody", "content": "x"}]}), "input[0].role"),
        (json!({"input": [{"role": "user", "content": 7}]}), "input[0].content"),
        (json!({"input": [{"role": "user", "content": [{"text": "x"}]}]}), "input[0].content[0].type"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}), "input[0].call_id"),
        (json!({"input": [{"type": "item_reference", "id": "x"}]}), "input[0]"),
        (json!({"background": true}), "background"),
        (json!({"n": 128}), "n"),
        (json!({"best_of": 128}), "best_of"),
        (json!({"max_completion_tokens": 9}), "max_completion_tokens"),
        (json!({"conversation": "c"}), "conversation"),
        (json!({"max_output_tokens": "9"}), "max_output_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"stream": 1}), "stream"),
        (json!({"tools": [{"name": "f"}]}), "tools.type"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"instructions": ["x"]}), "instructions"),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(asked(&body).unwrap_err().field(), Some(field), "{body}");
    }
    for text in ["", "[]", r#"{"model":"m","model":"n"}"#, "{\"model\":\"\u{1}\"}"] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
    let previous = asked(&json!({"model": "m", "input": "hi", "previous_response_id": "resp_1"})).unwrap();
    assert_eq!(previous.previous.as_deref(), Some("resp_1"));
}

#[test]
fn what_a_chat_has_no_place_for_is_told_where_it_asks_for_something() {
    for (more, told) in [
        (json!({"include": ["reasoning.encrypted_content"]}), vec!["include"]),
        (json!({"truncation": "auto", "store": true}), vec!["store", "truncation"]),
        (json!({"reasoning": {"effort": "low", "summary": "auto"}}), vec!["reasoning.summary"]),
        (
            json!({"include": [], "truncation": "disabled", "store": false, "reasoning": {"effort": "low", "summary": null},
                "metadata": {"a": "b"}, "stream_options": {"include_obfuscation": false}}),
            vec![],
        ),
        (json!({"include": null, "truncation": null, "store": null, "reasoning": null}), vec![]),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(asked(&body).unwrap().left_out, told, "{body}");
    }
}

fn echo() -> Echo {
    asked(&json!({"model": "m", "input": "hi", "temperature": 0.5})).unwrap().echo
}

#[test]
fn an_answer_is_items_in_their_order() {
    let call = Call { id: "c1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let thought = Kind::Thinking { text: "hm".to_owned(), signature: Some("s".to_owned()) };
    let content = [thought, Kind::Text("hello".to_owned()), Kind::Call(call)].map(Part::of).to_vec();
    let usage = Usage { input: 7, cached: 3, output: 5, thinking: 2, ..Usage::default() };
    let choices = vec![Choice { content, finish: Some(Finish::Calls) }];
    let answer = Answer {
        id: "chatcmpl-1".to_owned(),
        model: "m".to_owned(),
        choices,
        usage: Some(usage),
        ..Answer::default()
    };
    let told: Value = serde_json::from_slice(&answer::write(&answer, &echo(), NOW)).unwrap();
    assert_eq!(
        (&told["id"], &told["created_at"], &told["status"]),
        (&json!("resp_1"), &json!(NOW), &json!("completed"))
    );
    assert_eq!((&told["store"], &told["temperature"]), (&json!(false), &json!(0.5)));
    let kinds: Vec<_> =
        told["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(told["output"][0]["encrypted_content"], "s");
    assert_eq!(told["output"][2]["call_id"], "c1");
    assert_eq!(told["usage"]["total_tokens"], 12);
    let cut = Answer {
        choices: vec![Choice { content: Vec::new(), finish: Some(Finish::Length) }],
        ..Answer::default()
    };
    let told: Value = serde_json::from_slice(&answer::write(&cut, &echo(), NOW)).unwrap();
    assert_eq!(
        (&told["status"], &told["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
}

#[test]
fn events_are_numbered_and_each_item_is_opened_told_and_closed() {
    let more = |delta| Event::More { choice: 0, delta };
    let call = |at, id: Option<&str>, arguments: &str| {
        more(Delta::Call {
            at,
            id: id.map(str::to_owned),
            name: id.map(|_| "f".to_owned()),
            arguments: arguments.to_owned(),
        })
    };
    let happens = [
        Event::Start(Start { id: "chatcmpl-1".to_owned(), model: "m".to_owned(), created: None }),
        more(Delta::Thinking("hm".to_owned())),
        more(Delta::Signature("s".to_owned())),
        more(Delta::Text("hel".to_owned())),
        more(Delta::Text("lo".to_owned())),
        call(0, Some("c1"), "{\"a\""),
        call(1, Some("c2"), "{}"),
        call(0, None, ":1}"),
        Event::End { choice: 0, finish: Finish::Calls },
        Event::Usage(Usage { input: 1, output: 2, ..Usage::default() }),
        Event::Done,
    ];
    let (mut writing, mut out) = (events::Writing::of(echo(), NOW), Vec::new());
    happens.into_iter().for_each(|event| writing.put(event, &mut out));
    let text = String::from_utf8(out).unwrap();
    let told: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(told.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), names);
    for (number, event) in told.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let of = |kind: &str| told.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of("response.output_item.added"), of("response.output_item.done")), (4, 4));
    assert_eq!((of("response.content_part.added"), of("response.content_part.done")), (1, 1));
    let ended = told.last().unwrap();
    assert_eq!(ended["type"], "response.completed");
    let output = &ended["response"]["output"];
    assert_eq!(
        (&output[0]["summary"][0]["text"], &output[0]["encrypted_content"]),
        (&json!("hm"), &json!("s"))
    );
    assert_eq!(output[1]["content"][0]["text"], "hello");
    assert_eq!((&output[2]["arguments"], &output[3]["arguments"]), (&json!("{\"a\":1}"), &json!("{}")));
}
