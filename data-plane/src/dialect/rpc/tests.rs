//! What a conversation is as a message, and what of an answer's messages is none.

use proptest::prelude::*;
use prost_types::value::Kind as Of;
use proto::inference::chat_stream_event::Event as Step;
use proto::inference::content_part::Part as Said;
use proto::inference::stream_delta::Delta as More;
use proto::inference::{
    ChatResponse, ChatStreamEvent, Choice, ContentPart, EmbedResponse, Embedding, FinishReason, Image,
    Message, ModerateResponse, Moderation, ModerationCategory, Role, StreamDelta, StreamFinish, StreamStart,
    ToolCall, Usage as Used,
};
use serde_json::{Value, json};

use super::super::chat::Chat;
use super::super::event::{Delta, Event};
use super::super::openai;
use super::super::tests::chats;
use super::super::vectors::Encoding;
use super::super::{Unfit, VendorFault};
use super::*;

fn chat(body: Value) -> Chat {
    openai::read::read(body.to_string().as_bytes()).unwrap()
}

fn said(part: Said) -> ContentPart {
    ContentPart { part: Some(part) }
}

#[test]
fn a_conversation_is_told_as_a_message_and_what_has_no_field_in_its_extensions() {
    let asked = chat(json!({
        "model": "house-7b", "temperature": 0.5, "top_p": 1, "seed": 7, "n": 2, "max_tokens": 50, "stop": "END",
        "top_k": 40, "presence_penalty": -0.25, "reasoning_effort": "low", "user": "ü\"1", "logit_bias": {}, "speed": {"x": [1]},
        "parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}},
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "name": "ada", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAEC", "filename": "a.pdf"}},
            ]},
            {"role": "assistant", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s1"}],
             "content": "I look", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "user", "content": "and?"},
        ],
    }));
    let Written { message, left_out } = write::write(&asked).unwrap();
    assert_eq!(left_out, ["logit_bias"]);
    let roles: Vec<i32> = message.messages.iter().map(|message| message.role).collect();
    let expected = [Role::System, Role::User, Role::Assistant, Role::Tool, Role::User].map(i32::from);
    assert_eq!(roles, expected);
    let [_, user, model, tool, _] = message.messages.as_slice() else { panic!("{message:?}") };
    assert_eq!((user.name.as_str(), user.content.len()), ("ada", 4));
    let Some(Said::Image(image)) = &user.content[1].part else { panic!("{user:?}") };
    let data = proto::inference::image::Source::Data(vec![0, 1, 2]);
    assert_eq!(*image, Image { source: Some(data), media_type: "image/png".into(), detail: "low".into() });
    let Some(Said::Reasoning(thought)) = &model.content[0].part else { panic!("{model:?}") };
    assert_eq!((thought.text.as_str(), thought.signature.as_str()), ("hm", "s1"));
    assert_eq!(model.tool_calls[0].id, "c1");
    assert_eq!((tool.tool_call_id.as_str(), &tool.content[0]), ("c1", &said(Said::Text("a cat".into()))));
    assert_eq!((message.n, message.seed, message.max_output_tokens), (Some(2), Some(7), Some(50)));
    assert_eq!((message.temperature, message.top_p, message.metadata), (Some(0.5), Some(1.0), None));
    let extensions = message.extensions.unwrap().fields;
    let names: Vec<&str> = extensions.keys().map(String::as_str).collect();
    assert_eq!(names, ["presence_penalty", "reasoning_effort", "speed", "top_k", "user"]);
    assert_eq!(extensions["user"].kind, Some(Of::StringValue("ü\"1".into())));
    assert_eq!(extensions["top_k"].kind, Some(Of::NumberValue(40.0)));
}

#[test]
fn a_member_that_can_not_be_read_is_refused_by_its_name() {
    for unread in ["1e400", "{\"x\":[1e400]}"] {
        let chat =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"speed":{unread}}}"#);
        let chat = openai::read::read(chat.as_bytes()).unwrap();
        assert_eq!(write::write(&chat).unwrap_err().field, "speed");
        let told = format!(r#"{{"model":"m","input":"hi","speed":{unread}}}"#);
        assert_eq!(embed::write(told.as_bytes()).err().unwrap().field, "speed");
        assert_eq!(moderate::write(told.as_bytes()).unwrap_err().field, "speed");
        let told = format!(r#"{{"model":"m","query":"q","documents":["a"],"speed":{unread}}}"#);
        assert_eq!(rerank::write(told.as_bytes()).err().unwrap().field, "speed");
    }
}

#[test]
fn what_no_message_can_tell_or_answer_is_refused_by_its_name() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body[name] = value;
        write::write(&chat(body))
    };
    for (name, value, field) in [
        ("logprobs", json!(true), "logprobs"),
        ("top_logprobs", json!(2), "top_logprobs"),
        ("modalities", json!(["audio"]), "modalities"),
        ("tools", json!([{"type": "web_search"}]), "tools"),
        ("seed", json!(0.5), "seed"),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}}]}]),
            "messages[0].content[0]",
        ),
        ("messages", json!([{"role": "user", "content": "x", "audio": {"id": "a"}}]), "messages[0].audio"),
        ("messages", json!([{"role": "user", "content": [{"type": "hologram"}]}]), "messages[0].content[0]"),
    ] {
        let unfit: Unfit = with(name, value).unwrap_err();
        assert_eq!(unfit.field, field);
    }
    assert_eq!(with("logprobs", json!(false)).unwrap().left_out, ["logprobs"]);
}

proptest! {
    #[test]
    fn whatever_is_said_is_told_in_its_order_or_refused(asked in chats()) {
        let Ok(Written { message, .. }) = write::write(&asked) else { return Ok(()) };
        let texts = |content: &[super::super::chat::Part]| -> Vec<String> {
            let text = |part: &super::super::chat::Part| match &part.kind {
                super::super::chat::Kind::Text(text) => vec![text.clone()],
                super::super::chat::Kind::Output { content, .. } => content
                    .iter()
                    .filter_map(|part| match &part.kind {
                        super::super::chat::Kind::Text(text) => Some(text.clone()),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            content.iter().flat_map(text).collect()
        };
        let before: Vec<String> = asked.messages.iter().flat_map(|message| texts(&message.content)).collect();
        let told = message.messages.iter().flat_map(|message| &message.content);
        let after: Vec<String> = told
            .filter_map(|part| match &part.part {
                Some(Said::Text(text)) => Some(text.clone()),
                _ => None,
            })
            .collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(message.tools.len(), asked.tools.len());
    }
}

fn answer() -> ChatResponse {
    let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: "{}".into() };
    let message = Message {
        role: Role::Assistant.into(),
        content: vec![said(Said::Text("hello".into()))],
        tool_calls: vec![call],
        ..Message::default()
    };
    ChatResponse {
        id: "a1".into(),
        model: "house-7b".into(),
        choices: vec![Choice { index: 0, message: Some(message), finish_reason: 0 }],
        usage: Some(Used { input_tokens: 7, output_tokens: 2, cached_input_tokens: 9, reasoning_tokens: 1 }),
        ..ChatResponse::default()
    }
}

#[test]
fn an_answer_says_what_it_is_and_no_more_than_an_answer_says() {
    let told: Value =
        serde_json::from_slice(&openai::answer::write(&answer::read(answer()).unwrap(), 1)).unwrap();
    assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(told["choices"][0]["message"]["content"], "hello");
    assert_eq!(
        told["usage"],
        json!({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 7}, "completion_tokens_details": {"reasoning_tokens": 1}})
    );
    let named = |name: &str| {
        let value = prost_types::Value { kind: Some(Of::StringValue("x".into())) };
        Some(Struct { fields: [(name.to_owned(), value)].into() })
    };
    let more = answer::read(ChatResponse { extensions: named("mood"), ..answer() }).unwrap();
    assert_eq!(more.others, [("mood".to_owned(), Raw::from("\"x\""))]);
    type Change = fn(&mut ChatResponse);
    let changes: [Change; 5] = [
        |told| told.choices.clear(),
        |told| told.choices[0].index = 1,
        |told| told.choices[0].message = None,
        |told| told.choices[0].message.as_mut().unwrap().content.push(said(Said::Image(Image::default()))),
        |told| told.choices[0].message.as_mut().unwrap().content.push(ContentPart::default()),
    ];
    for change in changes {
        let mut told = answer();
        change(&mut told);
        assert_eq!(answer::read(told), None);
    }
    assert_eq!(answer::read(ChatResponse { extensions: named("choices"), ..answer() }), None);
}

fn step(step: Step) -> ChatStreamEvent {
    ChatStreamEvent { event: Some(step) }
}

fn more(index: u32, text: &str) -> ChatStreamEvent {
    step(Step::Delta(StreamDelta { index, delta: Some(More::Text(text.into())) }))
}

fn end(index: u32) -> ChatStreamEvent {
    step(Step::Finish(StreamFinish { index, reason: FinishReason::Stop.into() }))
}

#[test]
fn a_stream_is_whole_once_each_of_its_choices_ended() {
    let start = || step(Step::Start(StreamStart::default()));
    let read = |all: Vec<ChatStreamEvent>| {
        let (mut reading, mut events) = (events::Reading::default(), Vec::new());
        let taken = all.into_iter().try_for_each(|event| reading.take(event, &mut events));
        taken.and_then(|()| reading.finish(&mut events)).map(|()| events)
    };
    let told =
        read(vec![start(), more(1, "b"), more(0, "a"), end(1), ChatStreamEvent::default(), end(0)]).unwrap();
    assert_eq!(told[1], Event::More { choice: 1, delta: Delta::Text("b".into()) });
    assert_eq!((told.len(), told.last()), (6, Some(&Event::Done)));
    // Who says nothing before the end has said nothing; who does not say that it begins does.
    assert_eq!(read(vec![end(0)]).unwrap().len(), 3);
    for (all, fault) in [
        (vec![], VendorFault::Other),
        (vec![start()], VendorFault::Other),
        (vec![start(), more(0, "a")], VendorFault::Other),
        (vec![more(0, "a"), more(1, "b"), end(0)], VendorFault::Other),
        (vec![start(), start()], VendorFault::Malformed),
        (vec![more(0, "a"), start()], VendorFault::Malformed),
        (vec![end(0), more(0, "a")], VendorFault::Malformed),
        (vec![end(0), end(0)], VendorFault::Malformed),
        (vec![more(128, "a")], VendorFault::Malformed),
    ] {
        assert_eq!(read(all).unwrap_err().fault, fault);
    }
}

#[test]
fn a_judgement_is_one_for_each_text_and_names_no_category_twice() {
    let category = |name: &str, score: f64| ModerationCategory {
        name: name.into(),
        flagged: true,
        score,
        input_types: vec!["text".into()],
    };
    let of = |categories: Vec<ModerationCategory>| ModerateResponse {
        results: vec![Moderation { flagged: true, categories }],
        ..ModerateResponse::default()
    };
    let told = moderate::read("m", 1, &of(vec![category("a/b", 0.25)])).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    let expected = json!({"id": "", "model": "m", "results": [{"flagged": true, "categories": {"a/b": true},
        "category_scores": {"a/b": 0.25}, "category_applied_input_types": {"a/b": ["text"]}}]});
    assert_eq!(told, expected);
    assert_eq!(moderate::read("m", 2, &of(vec![])), None);
    assert_eq!(moderate::read("m", 1, &of(vec![category("a", 0.1), category("a", 0.2)])), None);
    assert_eq!(moderate::read("m", 1, &of(vec![category("a", f64::NAN)])), None);
    let unfit = moderate::write(br#"{"model":"m","input":[{"type":"hologram"}]}"#).unwrap_err();
    assert_eq!(unfit.field, "input[0]");
}

#[test]
fn vectors_are_one_for_each_text_and_of_one_length() {
    let body = br#"{"model":"m","input":["a","b"],"dimensions":2,"user":"u","input_type":"query"}"#;
    let (written, encoding) = embed::write(body).unwrap();
    assert_eq!((written.message.inputs.len(), written.message.dimensions), (2, Some(2)));
    assert_eq!(written.message.extensions.unwrap().fields.len(), 2, "who asks, and what for");
    let of = |vectors: &[(u32, &[f32])]| {
        let vectors =
            vectors.iter().map(|(index, values)| Embedding { index: *index, values: values.to_vec() });
        EmbedResponse {
            embeddings: vectors.collect(),
            usage: Some(Used { input_tokens: 4, ..Used::default() }),
            ..Default::default()
        }
    };
    let told = embed::read(("m", encoding), 2, of(&[(1, &[0.1, -2.0]), (0, &[1e-9, 3.5])])).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["data"][0]["embedding"], json!([1e-9, 3.5]));
    assert_eq!(told["data"][1]["embedding"], json!([0.1, -2.0]));
    assert_eq!(told["usage"]["total_tokens"], 4);
    let told = embed::read(("m", Encoding::Base64), 1, of(&[(0, &[1.0])])).unwrap();
    assert!(String::from_utf8(told).unwrap().contains(r#""embedding":"AACAPw==""#));
    for vectors in [
        &[(0, &[1.0][..])][..],
        &[(0, &[1.0]), (0, &[1.0])],
        &[(0, &[1.0]), (1, &[1.0, 2.0])],
        &[(0, &[]), (1, &[])],
        &[(0, &[1.0]), (1, &[f32::NAN])],
        &[(0, &[1.0]), (1, &[1.0]), (2, &[1.0])],
    ] {
        assert_eq!(embed::read(("m", encoding), 2, of(vectors)), None, "{vectors:?}");
    }
}
