//! What a request is by a template, and what is read of answers by one. Two published APIs are described: Ollama's `POST /api/chat`
//! (github.com/ollama/ollama, `docs/api.md`), lines of JSON, and the generate extension of KServe's Open Inference Protocol
//! (`specification/protocol/generate_rest.yaml`), server-sent events. No vendor was asked.

use proptest::prelude::*;
use proto::admin::{
    Provider, ProviderSpec, RequestTemplate, ResponseTemplate, StreamTemplate, Template as Wire,
};
use proto::convert::Governed as _;
use serde_json::{Value, json};

use super::super::chat::Kind;
use super::super::event::{Event, Start};
use super::super::openai::{self, events::Writing};
use super::super::tests::chats;
use super::super::{Unfit, VendorError};
use super::*;

pub(crate) mod vectors;

fn words(words: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    words.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// A template as a node has it.
pub(crate) fn read(template: Wire) -> Arc<Template> {
    let spec = ProviderSpec {
        adapter: "custom".into(),
        base_url: "https://models.example".into(),
        template: Some(template),
        ..Default::default()
    };
    let provider = Provider { name: "providers/p".into(), spec: Some(spec), ..Default::default() };
    provider.fact().unwrap().template.unwrap()
}

/// Ollama's native chat.
pub(crate) fn ollama() -> Wire {
    let body = r#"{
      "model": "${model}", "messages": "${messages}", "stream": "${stream}", "keep_alive": "10m",
      "options": {"num_predict": "${maxTokens:-512}", "temperature": "${temperature}", "top_p": "${topP}",
                  "top_k": "${topK}", "seed": "${seed}", "stop": "${stop}"}
    }"#;
    Wire {
        request: Some(RequestTemplate { path: "/api/chat".into(), body: body.into(), ..Default::default() }),
        response: Some(ResponseTemplate {
            text: "/message/content".into(),
            finish_reason: "/done_reason".into(),
            input_tokens: "/prompt_eval_count".into(),
            output_tokens: "/eval_count".into(),
            error: "/error".into(),
            ..Default::default()
        }),
        stream: Some(StreamTemplate {
            framing: "lines".into(),
            text: "/message/content".into(),
            finish_reason: "/done".into(),
            input_tokens: "/prompt_eval_count".into(),
            output_tokens: "/eval_count".into(),
            error: "/error".into(),
            ..Default::default()
        }),
        embeddings: None,
    }
}

/// KServe's generation.
pub(crate) fn kserve() -> Wire {
    let body = r#"{
      "text_input": "${transcript}",
      "parameters": {"max_tokens": "${maxTokens:-256}", "temperature": "${temperature}", "stop": "${stop}", "who": "for ${user}"}
    }"#;
    Wire {
        request: Some(RequestTemplate {
            path: "/v2/models/${model}/generate".into(),
            body: body.into(),
            roles: words(&[("system", "System"), ("user", "Human"), ("assistant", "Bot")]),
            leave_out: vec!["top_p".into(), "response_format".into()],
            ..Default::default()
        }),
        response: Some(ResponseTemplate {
            text: "/text_output".into(),
            finish_reason: "/details/finish_reason".into(),
            finish_reasons: words(&[("out_of_room", "length"), ("refused", "content_filter")]),
            id: "/id".into(),
            error: "/error".into(),
            ..Default::default()
        }),
        stream: Some(StreamTemplate {
            path: "/v2/models/${model}/generate_stream".into(),
            text: "/text_output".into(),
            ..Default::default()
        }),
        embeddings: None,
    }
}

/// A template of nothing but a body.
fn bare(body: &str) -> Wire {
    Wire {
        request: Some(RequestTemplate { body: body.into(), ..Default::default() }),
        response: Some(ResponseTemplate { text: "/a".into(), ..Default::default() }),
        stream: None,
        embeddings: None,
    }
}

fn written(template: Wire, body: &Value) -> Result<(Value, Vec<String>), Unfit> {
    let body = body.to_string();
    let chat = openai::read::read(body.as_bytes()).unwrap();
    let plan = Plan::of(read(template));
    let written = write::write(&chat, (&plan, plan.template().ask.body.as_ref().unwrap()), body.len())?;
    let left_out = written.left_out.iter().map(ToString::to_string).collect();
    Ok((serde_json::from_slice(&written.body).unwrap(), left_out))
}

fn asked() -> Value {
    json!({"model": "llama3.2", "stream": true, "max_tokens": 50, "temperature": 0.50, "stop": ["END", "\n\n"],
        "messages": [
            {"role": "system", "content": "Be \"brief\"."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "text", "text": "A cat?"}]},
            {"role": "assistant", "content": "A dog."},
            {"role": "user", "content": "Sure?"}]})
}

#[test]
fn messages_are_a_list_and_settings_have_their_own_types() {
    let (body, left_out) = written(ollama(), &asked()).unwrap();
    let expected = json!({"model": "llama3.2", "stream": true, "keep_alive": "10m",
        "messages": [
            {"role": "system", "content": "Be \"brief\"."},
            {"role": "user", "content": "What is this?\nA cat?"},
            {"role": "assistant", "content": "A dog."},
            {"role": "user", "content": "Sure?"}],
        "options": {"num_predict": 50, "temperature": 0.5, "stop": ["END", "\n\n"]}});
    assert_eq!((body, left_out), (expected, vec![]));
    let least = json!({"model": "llama3.2", "messages": [{"role": "user", "content": "hi"}]});
    let (body, _) = written(ollama(), &least).unwrap();
    assert_eq!((&body["options"], &body["stream"]), (&json!({"num_predict": 512}), &json!(false)));
}

#[test]
fn a_transcript_is_one_text_with_the_names_of_who_speaks() {
    let (body, left_out) = written(kserve(), &asked()).unwrap();
    let expected = json!({
        "text_input": "System: Be \"brief\".\n\nHuman: What is this?\nA cat?\n\nBot: A dog.\n\nHuman: Sure?\n\nBot:",
        "parameters": {"max_tokens": 50, "temperature": 0.5, "stop": ["END", "\n\n"], "who": "for "}});
    assert_eq!((body, left_out), (expected, vec![]));
}

#[test]
fn a_message_may_have_another_shape_and_the_system_a_place_of_its_own() {
    let mut template = bare(
        r#"{"s": "${system}", "t": "${turns}", "p": "<${prompt}>", "m": ["${model}", "${topK}"], "n": null}"#,
    );
    let request = template.request.as_mut().unwrap();
    request.message = r#"{"who": "${role}", "parts": [{"text": "[${text}]"}]}"#.into();
    request.roles = words(&[("assistant", "model")]);
    request.leave_out = vec!["max_tokens".into(), "temperature".into(), "stop".into()];
    let part = |who: &str, text: &str| json!({"who": who, "parts": [{"text": text}]});
    let (body, left_out) = written(template, &asked()).unwrap();
    let expected = json!({"s": "Be \"brief\".", "p": "<Sure?>", "m": ["llama3.2"], "n": null,
        "t": [part("user", "[What is this?\nA cat?]"), part("model", "[A dog.]"), part("user", "[Sure?]")]});
    assert_eq!(body, expected);
    assert_eq!(left_out, ["max_tokens", "temperature", "stop"]);
}

#[test]
fn what_has_no_place_is_refused_by_its_name_or_left_out_where_its_author_says_so() {
    let said = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let tool = json!({"type": "function", "function": {"name": "look"}});
    for (more, field) in [
        (json!({"n": 2}), "n"),
        (json!({"tools": [tool]}), "tools"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"presence_penalty": 0.5}), "presence_penalty"),
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
        (json!({"reasoning_effort": "low"}), "reasoning_effort"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"nobody_knows_this": 1}), "nobody_knows_this"),
        (
            said(json!([{"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}])),
            "messages[0].content[0]",
        ),
        (
            said(
                json!([{"type": "text", "text": "hear"}, {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]),
            ),
            "messages[0].content[1]",
        ),
        (said(json!([{"type": "file", "file": {"file_id": "f"}}])), "messages[0].content[0]"),
    ] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let unfit = written(ollama(), &body).unwrap_err();
        assert_eq!(unfit.field, field, "{body}: {unfit}");
    }
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "top_p": 0.5,
        "response_format": {"type": "json_object"}, "seed": 7, "user": "u", "metadata": {}});
    let (sent, left_out) = written(kserve(), &body).unwrap();
    assert_eq!(left_out, ["top_p", "seed", "response_format", "metadata"]);
    assert_eq!(sent["parameters"]["who"], "for u");
    body["top_k"] = json!(3);
    assert_eq!(written(kserve(), &body).unwrap_err().field, "top_k");
}

#[test]
fn a_conversation_that_is_not_told_whole_is_refused_unless_its_author_says_so() {
    let prompt = bare(r#"{"p": "${prompt}"}"#);
    let one = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(written(prompt.clone(), &one).unwrap().0, json!({"p": "hi"}));
    for (template, body, field) in [
        (
            prompt.clone(),
            json!([{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]),
            "messages[0]",
        ),
        (
            prompt.clone(),
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]),
            "messages[0]",
        ),
        (
            prompt.clone(),
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
            "messages[1]",
        ),
        (prompt.clone(), json!([{"role": "user", "content": ""}]), "messages"),
        (
            bare(r#"{"t": "${turns}"}"#),
            json!([{"role": "user", "content": "a"}, {"role": "system", "content": "s"}]),
            "messages[1]",
        ),
    ] {
        let unfit = written(template, &json!({"model": "m", "messages": body})).unwrap_err();
        assert_eq!(unfit.field, field, "{body}: {unfit}");
    }
    let mut lax = prompt;
    lax.request.as_mut().unwrap().leave_out = vec!["messages".into()];
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "user", "content": "b"}]});
    assert_eq!(written(lax, &body).unwrap(), (json!({"p": "b"}), vec!["messages".to_owned()]));
}

#[test]
fn a_small_template_does_not_blow_a_request_up() {
    let said = |count: usize| {
        let messages = vec![json!({"role": "user", "content": "a"}); count];
        json!({"model": "m", "messages": messages})
    };
    let mut large = bare(r#"{"m": "${messages}"}"#);
    large.request.as_mut().unwrap().message = format!(r#"{{"t": "${{text}}{}"}}"#, "x".repeat(900));
    let mut long =
        bare(r#"{"a": "${transcript}", "b": "<${transcript}>", "c": "${transcript}${transcript}"}"#);
    long.request.as_mut().unwrap().roles = words(&[("user", "u".repeat(64).as_str())]);
    for template in [large, long] {
        written(template.clone(), &said(100)).unwrap();
        let unfit = written(template, &said(20_000)).unwrap_err();
        assert_eq!(unfit, Unfit::new("messages", "its template makes too much of them"));
    }
    let four = bare(r#"{"a": "${messages}", "b": "${messages}", "c": "${messages}", "d": "${messages}"}"#);
    written(four, &said(20_000)).unwrap();
}

fn answered(template: Wire, body: &str) -> Option<Value> {
    let read = answer::read(&read(template).told, body.as_bytes())?;
    Some(serde_json::from_slice(&openai::answer::write(&read, 7)).unwrap())
}

#[test]
fn an_answer_is_read_where_the_template_points() {
    let body = r#"{"model":"llama3.2","created_at":"2023-08-04T19:22:45.499127Z","message":{"role":"assistant","content":"Hello! \u00e4"},"done_reason":"length","done":true,"total_duration":5043500667,"prompt_eval_count":26,"eval_count":290}"#;
    let answer = answered(ollama(), body).unwrap();
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Hello! ä"}, "finish_reason": "length"});
    assert_eq!(answer["choices"], json!([choice]));
    assert_eq!(
        (&answer["usage"]["prompt_tokens"], &answer["usage"]["total_tokens"]),
        (&json!(26), &json!(316))
    );

    for (reason, finish) in [
        ("stop", "stop"),
        ("out_of_room", "length"),
        ("MAX_TOKENS", "length"),
        ("refused", "content_filter"),
        ("SAFETY", "content_filter"),
        ("?", "stop"),
    ] {
        let body = json!({"id": "g-1", "text_output": "x", "details": {"finish_reason": reason}}).to_string();
        let answer = answered(kserve(), &body).unwrap();
        let told = (&answer["id"], &answer["choices"][0]["finish_reason"], answer.get("usage"));
        assert_eq!(told, (&json!("g-1"), &json!(finish), None), "{reason}");
    }
}

#[test]
fn what_is_no_answer_is_none() {
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"text_output":null}"#,
        r#"{"text_output":1}"#,
        r#"{"text_output":["x"]}"#,
        r#"{"error":"overloaded","text_output":"x"}"#,
        r#"[{"text_output":"x"}]"#,
    ] {
        assert_eq!(answered(kserve(), body), None, "{body}");
    }
    // What says that nothing went wrong is no error, and who was cut off by a filter may have said nothing.
    for nothing in ["null", "false", "\"\"", "{}", "[]"] {
        let body = format!(r#"{{"error":{nothing},"text_output":"x"}}"#);
        assert!(answered(kserve(), &body).is_some(), "{body}");
    }
    for (text, reason, is_answer) in
        [("null", "refused", true), ("null", "stop", false), ("1", "refused", false)]
    {
        let body = format!(r#"{{"text_output":{text},"details":{{"finish_reason":"{reason}"}}}}"#);
        assert_eq!(answered(kserve(), &body).is_some(), is_answer, "{body}");
    }
    let filtered = answered(kserve(), r#"{"details":{"finish_reason":"refused"}}"#).unwrap();
    assert_eq!(filtered["choices"][0]["finish_reason"], "content_filter");
    // Tokens that are told by half are not told.
    let half = r#"{"message":{"content":"x"},"prompt_eval_count":26,"eval_count":2.5}"#;
    assert_eq!(answered(ollama(), half).unwrap().get("usage"), None);
}

#[test]
fn pointers_lead_through_arrays_and_names_that_look_like_numbers() {
    let mut template = bare(r#"{"p": "${prompt}"}"#);
    let point = |template: &mut Wire, text: &str| template.response.as_mut().unwrap().text = text.into();
    for (pointer, body, text) in [
        ("/0/generated_text", r#"[{"generated_text":"a"}]"#, Some("a")),
        ("/1/0", r#"[["x"],["b"]]"#, Some("b")),
        ("/1", r#"{"1":"c"}"#, Some("c")),
        ("/a~1b/~0", r#"{"a/b":{"~":"d"}}"#, Some("d")),
        ("/+0", r#"["x"]"#, None),
        ("/2", r#"["x","y"]"#, None),
        ("/1", r#"[7,"y"]"#, None),
        ("/a/b", r#"{"a":"x"}"#, None),
    ] {
        point(&mut template, pointer);
        let answer = answered(template.clone(), body);
        let said = answer.as_ref().and_then(|answer| answer["choices"][0]["message"]["content"].as_str());
        assert_eq!(said, text, "{pointer} in {body}");
    }
}

/// What events are in OpenAI's dialect, and why they broke off.
fn streamed(template: Wire, events: &[&str]) -> (String, Option<VendorError>) {
    let mut reading = events::Reading::of(Arc::new(Plan::of(read(template))));
    let (mut said, mut writing, mut out) = (Vec::new(), Writing::at(7), Vec::new());
    let broken = events.iter().find_map(|data| reading.take(data.as_bytes(), &mut said).err());
    if broken.is_none() {
        reading.finish(&mut said);
    }
    for event in said {
        let event = match event {
            Event::Start(start) => Event::Start(Start { id: "c".into(), model: "m".into(), ..start }),
            event => event,
        };
        writing.put(event, &mut out);
    }
    (String::from_utf8(out).unwrap(), broken)
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

#[test]
fn lines_of_json_are_a_stream() {
    let (said, broken) = streamed(
        ollama(),
        &[
            r#"{"model":"llama3.2","created_at":"2023-08-04T08:52:19.385406455-07:00","message":{"role":"assistant","content":"The"},"done":false}"#,
            r#"{"model":"llama3.2","message":{"role":"assistant","content":" sky"},"done":false}"#,
            r#"{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":282}"#,
        ],
    );
    let usage = r#"data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":26,"completion_tokens":282,"total_tokens":308,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;
    let expected = [
        chunk(r#"{"role":"assistant"}"#, "null"),
        chunk(r#"{"content":"The"}"#, "null"),
        chunk(r#"{"content":" sky"}"#, "null"),
        chunk("{}", r#""stop""#),
        format!("{usage}\n\ndata: [DONE]\n\n"),
    ];
    assert_eq!((said, broken), (expected.concat(), None));
}

#[test]
fn tokens_of_a_stream_are_told_once_both_are_known() {
    let first = r#"{"message":{"content":"a"},"error":"","prompt_eval_count":26,"done":false}"#;
    let next = r#"{"message":{"content":"b"},"error":null,"eval_count":1,"done":false}"#;
    let last = r#"{"message":{"content":""},"done":true,"eval_count":2}"#;
    let (said, broken) = streamed(ollama(), &[first, next, last]);
    assert_eq!((said.matches("\"usage\"").count(), broken), (1, None), "{said}");
    assert!(said.contains(r#""prompt_tokens":26,"completion_tokens":2,"total_tokens":28"#), "{said}");
    let (said, _) = streamed(ollama(), &[first, r#"{"done":true}"#]);
    assert!(said.ends_with("data: [DONE]\n\n") && !said.contains("\"usage\""), "{said}");
}

#[test]
fn a_stream_ends_as_its_template_says_or_broke_off() {
    let more = r#"{"text_output":"a"}"#;
    let whole = |said: &str| said.ends_with("data: [DONE]\n\n");
    // Nobody says how it ends: where it ends, it ends.
    let (said, _) = streamed(kserve(), &[more, more]);
    assert!(whole(&said) && said.contains(r#""finish_reason":"stop""#), "{said}");
    assert_eq!(streamed(kserve(), &[]), (String::new(), None), "nothing at all is no answer");
    let marked = |done: &str, finish: &str| {
        let mut template = kserve();
        let stream = template.stream.as_mut().unwrap();
        (stream.done, stream.finish_reason) = (done.into(), finish.into());
        template
    };
    let end = r#"{"why":"out_of_room"}"#;
    for (template, events, is_whole) in [
        (marked("END", ""), vec![more], false),
        (marked("END", ""), vec![more, " END "], true),
        (marked("END", ""), vec![more, "[DONE]"], true),
        (marked("", "/why"), vec![more], false),
        (marked("", "/why"), vec![more, r#"{"why":null}"#, r#"{"why":false}"#, r#"{"why":""}"#], false),
        (marked("", "/why"), vec![more, end], true),
        (marked("END", "/why"), vec![more, end], true),
        (marked("END", "/why"), vec![more, end, "END", more], true),
        (marked("", ""), vec![more, "[DONE]", more, "junk"], true),
    ] {
        let (said, broken) = streamed(template, &events);
        assert_eq!((whole(&said), broken), (is_whole, None), "{events:?}: {said}");
        assert_eq!(said.matches(r#""content":"a""#).count(), 1, "{said}");
        assert_eq!(said.contains(r#""finish_reason":"length""#), events.contains(&end), "{said}");
    }
    let (said, broken) =
        streamed(ollama(), &[r#"{"message":{"content":"a"}}"#, r#"{"error":"out of memory"}"#]);
    assert!(broken.unwrap().message == "out of memory" && said.contains(r#""content":"a""#), "{said}");
    for junk in ["{", "END", "1 2"] {
        let (_, broken) = streamed(ollama(), &[junk]);
        assert_eq!(broken.unwrap().fault, super::super::VendorFault::Malformed, "{junk}");
    }
}

#[test]
fn an_answer_that_came_whole_is_told_as_events() {
    let body = r#"{"message":{"content":"hi"},"done_reason":"length","prompt_eval_count":3,"eval_count":1}"#;
    let read = answer::read(&read(ollama()).told, body.as_bytes()).unwrap();
    let events = String::from_utf8(openai::whole::as_events(read, 7)).unwrap();
    let lines: Vec<&str> = events.split_terminator("\n\n").collect();
    assert_eq!(lines.len(), 5, "{events}");
    assert!(lines[1].contains(r#""delta":{"content":"hi"}"#), "{events}");
    assert!(lines[2].contains(r#""finish_reason":"length""#), "{events}");
    assert!(lines[3].contains(r#""total_tokens":4"#) && lines[4] == "data: [DONE]", "{events}");
}

proptest! {
    #[test]
    fn whatever_is_said_is_written_or_refused_by_name(chat in chats()) {
        for template in [ollama(), kserve()] {
            let plan = Plan::of(read(template));
            match write::write(&chat, (&plan, plan.template().ask.body.as_ref().unwrap()), 1 << 16) {
                Ok(written) => {
                    serde_json::from_slice::<Value>(&written.body).unwrap();
                    let parts = chat.messages.iter().flat_map(|message| &message.content);
                    let texts: Vec<usize> = parts
                        .filter_map(|part| match &part.kind {
                            Kind::Text(text) | Kind::Refusal(text) => Some(json!(text).to_string().len()),
                            _ => None,
                        })
                        .collect();
                    // What says who asks, where to end and how is little.
                    let growth = plan.growth(Operation::Chat);
                    let bound = texts.iter().sum::<usize>() as u64 * growth.copies() + growth.beside(texts.len() as u64);
                    prop_assert!(written.body.len() as u64 <= bound + 512, "{} > {bound}", written.body.len());
                }
                Err(unfit) => prop_assert!(!unfit.field.is_empty()),
            }
        }
    }
}
