//! Messages and the bodies an SDK would have sent.

use proptest::prelude::*;
use prost_types::value::Kind as Value;
use proto::inference::content_part::Part;
use proto::inference::{self as wire, ContentPart, Message, Reasoning, Role, image};

use super::*;

fn structure(fields: &[(&str, Value)]) -> Struct {
    let fields = fields
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), prost_types::Value { kind: Some(kind.clone()) }));
    Struct { fields: fields.collect() }
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    let content = parts.into_iter().map(|part| ContentPart { part: Some(part) }).collect();
    Message { role: role.into(), content, ..Message::default() }
}

fn full() -> ChatRequest {
    let image = wire::Image {
        source: Some(image::Source::Data(vec![1, 2])),
        media_type: "image/gif".into(),
        detail: "low".into(),
    };
    let call = wire::ToolCall { id: "c1".into(), name: "find".into(), arguments: "{\"q\":1}".into() };
    let reasoning = Reasoning { text: "thought".into(), signature: String::new() };
    let function = wire::Function {
        name: "find".into(),
        description: "finds".into(),
        parameters: Some(structure(&[("type", Value::StringValue("object".into()))])),
        strict: Some(true),
    };
    ChatRequest {
        model: "m".into(),
        messages: vec![
            message(Role::System, vec![Part::Text("be \"brief\"".into())]),
            message(Role::User, vec![Part::Text("look".into()), Part::Image(image)]),
            Message { tool_calls: vec![call], ..message(Role::Assistant, vec![Part::Reasoning(reasoning)]) },
            Message { tool_call_id: "c1".into(), ..message(Role::Tool, vec![Part::Text("found".into())]) },
        ],
        tools: vec![Tool { kind: Some(Kind::Function(function)) }],
        tool_choice: Some(ToolChoice { choice: Some(Choice::Function("find".into())) }),
        parallel_tool_calls: Some(false),
        output_format: Some(OutputFormat { format: Some(Format::JsonObject(wire::JsonObjectFormat {})) }),
        stop: vec!["end".into()],
        seed: Some(-7),
        temperature: Some(0.5),
        top_p: Some(1.0),
        max_output_tokens: Some(99),
        n: Some(2),
        extensions: Some(structure(&[("top_k", Value::NumberValue(40.0))])),
        metadata: None,
    }
}

#[test]
fn every_field_has_its_place() {
    let body = chat(&full(), Form::Stream).map_err(|r| r.refusal).unwrap();
    let expected = concat!(
        r#"{"model":"m","messages":[{"role":"system","content":"be \"brief\""},"#,
        r#"{"role":"user","content":[{"type":"text","text":"look"},"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/gif;base64,AQI=","detail":"low"}}]},"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}],"#,
        r#""reasoning_content":"thought","content":null},{"role":"tool","tool_call_id":"c1","content":"found"}],"#,
        r#""tools":[{"type":"function","function":{"name":"find","description":"finds","parameters":{"type":"object"},"strict":true}}],"#,
        r#""tool_choice":{"type":"function","function":{"name":"find"}},"parallel_tool_calls":false,"#,
        r#""response_format":{"type":"json_object"},"stop":["end"],"seed":-7,"temperature":0.5,"top_p":1,"#,
        r#""max_completion_tokens":99,"n":2,"stream":true,"stream_options":{"include_usage":true},"top_k":40}"#,
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn what_has_no_place_is_refused_by_name() {
    let refused = |edit: fn(&mut ChatRequest)| {
        let mut request = full();
        edit(&mut request);
        chat(&request, Form::Whole).unwrap_err().refusal.fields[0].field.clone()
    };
    assert_eq!(refused(|r| r.messages[0].role = 0), "messages[0].role");
    assert_eq!(refused(|r| r.messages[1].content[0].part = None), "messages[1].content[0]");
    assert_eq!(refused(|r| r.tools[0].kind = None), "tools[0]");
    assert_eq!(refused(|r| r.temperature = Some(f64::NAN)), "temperature");
    for taken in CHAT_FIELDS {
        let mut request = full();
        request.extensions = Some(structure(&[(taken, Value::BoolValue(true))]));
        assert_eq!(
            chat(&request, Form::Whole).unwrap_err().refusal.fields[0].field,
            format!("extensions.{taken}")
        );
    }
    let signed = Reasoning { text: String::new(), signature: "s".into() };
    let request =
        ChatRequest { messages: vec![message(Role::Assistant, vec![Part::Reasoning(signed)])], ..full() };
    let rejection = chat(&request, Form::Whole).unwrap_err();
    assert_eq!(rejection.refusal.fields[0].field, "messages[0].content[0].reasoning.signature");
    assert_eq!(rejection.code().as_str(), "unsupported");
}

proptest! {
    #[test]
    fn any_text_survives(text in ".{0,40}", name in ".{1,10}", number in any::<f64>()) {
        let mut request = full();
        request.messages = vec![message(Role::User, vec![Part::Text(text.clone())])];
        let key = format!("x{name}");
        request.extensions = Some(structure(&[(&key, Value::NumberValue(number))]));
        match chat(&request, Form::Whole) {
            Err(_) => prop_assert!(!number.is_finite()),
            Ok(body) => {
                let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(read["messages"][0]["content"].as_str().unwrap(), text);
                // The reader of the test rounds the last digit as it likes, and more where there are few digits left.
                let off = (read[&key].as_f64().unwrap() - number).abs();
                prop_assert!(off <= number.abs() * 1e-15 + f64::MIN_POSITIVE);
                let back = crate::dialect::structure::read(&body).unwrap();
                let Some(Value::StructValue(back)) = back.kind else { panic!() };
                prop_assert!(back.fields.contains_key(&key));
            }
        }
    }
}
