//! Errors, in the dialect's words; and how long a model thinks.

use proto::code::ErrorCode;
use proto::status::{DenialReason, Refusal};
use serde_json::{Value, json};

use super::super::super::chat::{Call, Chat, Kind, Message, Part, Role, Sampling, Thinking, ToolChoice};
use super::super::super::openai;
use super::super::think::{Mode, plan};
use super::super::{error, write};
use super::laws::asked;

#[test]
fn a_refusal_has_the_shape_of_the_dialect_and_ours_beside_it() {
    let reason = DenialReason {
        code: "geo_not_allowed".into(),
        source: "tenants/a".into(),
        message: "not there".into(),
    };
    let refusal = Refusal {
        reasons: vec![reason],
        revision: Some(7),
        request_id: Some("r-1".to_owned()),
        ..Refusal::new(ErrorCode::GeoNotAllowed, "not there")
    };
    let body = error::write(403, &refusal);
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        told,
        serde_json::json!({
            "type": "error",
            "error": {
                "type": "permission_error",
                "message": "not there",
                "chancery": {
                    "code": "geo_not_allowed",
                    "request_id": "r-1",
                    "revision": 7,
                    "reasons": [{ "code": "geo_not_allowed", "source": "tenants/a", "message": "not there" }],
                },
            },
            "request_id": "r-1",
        })
    );
    assert_eq!(error::message(&body).as_deref(), Some("not there"));
    let event = error::event(403, &refusal);
    assert!(event.starts_with(b"event: error\ndata: {") && event.ends_with(b"}\n\n"));
}

#[test]
fn every_status_has_a_word() {
    for (status, word) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ] {
        let told = error::write(status, &Refusal::new(ErrorCode::InvalidRequest, "no"));
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["error"]["type"], word, "{status}");
    }
}

#[test]
fn what_a_vendor_says_of_an_error_is_read_if_it_says_it() {
    let said = |body: &str| error::message(body.as_bytes());
    let body =
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":"req_1"}"#;
    assert_eq!(said(body).as_deref(), Some("model: x"));
    for body in ["", "<html>", "{}", r#"{"error":"no"}"#, r#"{"error":{"message":1}}"#] {
        assert_eq!(said(body), None, "{body}");
    }
}

#[test]
fn an_effort_is_a_budget_within_what_there_is() {
    for (effort, tokens, mode, told) in [
        ("none", None, Some(Mode::Disabled), 4_096),
        ("minimal", None, Some(Mode::Enabled(1_024)), 4_096),
        ("low", None, Some(Mode::Enabled(2_048)), 4_096),
        ("medium", None, Some(Mode::Enabled(8_192)), 9_216),
        ("high", None, Some(Mode::Enabled(16_384)), 17_408),
        ("xhigh", None, Some(Mode::Enabled(32_768)), 33_792),
        ("max", None, Some(Mode::Enabled(32_768)), 33_792),
        ("high", Some(100_000), Some(Mode::Enabled(16_384)), 100_000),
        ("high", Some(4_000), Some(Mode::Enabled(2_000)), 4_000),
        ("high", Some(2_048), Some(Mode::Enabled(1_024)), 2_048),
        ("low", Some(2_047), None, 2_047),
    ] {
        let mut chat = asked();
        (chat.thinking, chat.max_tokens) = (Some(Thinking::Effort(effort.to_owned())), tokens);
        let plan = plan(&chat).unwrap();
        assert_eq!(
            (plan.mode, plan.tokens, plan.effort, plan.left_out),
            (mode, told, None, mode.is_none().then_some("reasoning_effort")),
            "{effort} {tokens:?}"
        );
    }
}

/// A body for a model, and what is left out of it.
fn written(model: &str, more: &str) -> (Value, Vec<String>) {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],{more}}}"#);
    let chat = openai::read::read(body.as_bytes()).unwrap();
    let written = write::write(&chat).unwrap();
    let left_out = written.left_out.iter().map(|field| field.to_string()).collect();
    (serde_json::from_slice(&written.body).unwrap(), left_out)
}

#[test]
fn models_that_are_told_efforts_are_told_them() {
    for (model, effort, told) in [
        ("claude-opus-4-6", "minimal", "low"),
        ("claude-opus-4-6", "high", "high"),
        ("claude-opus-4-6", "xhigh", "max"),
        ("claude-opus-4-7", "xhigh", "xhigh"),
        ("claude-sonnet-5", "medium", "medium"),
        ("claude-fable-5", "max", "max"),
    ] {
        let (body, left_out) = written(model, &format!(r#""reasoning_effort":"{effort}""#));
        assert_eq!(body["thinking"], json!({ "type": "adaptive" }), "{model}");
        assert_eq!(body["output_config"], json!({ "effort": told }), "{model}");
        assert!(left_out.is_empty(), "{model}: {left_out:?}");
    }
    // A tool that must be called goes with no thoughts, but with an effort.
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","reasoning_effort":"low""#;
    let (body, left_out) = written("claude-opus-4-7", tools);
    assert_eq!((body.get("thinking"), &body["output_config"]), (None, &json!({ "effort": "low" })));
    assert!(left_out.is_empty(), "{left_out:?}");
}

#[test]
fn what_a_model_would_refuse_is_left_out_and_told() {
    let sampling = r#""temperature":0.2,"top_p":0.9"#;
    for (model, temperature, top_p, told) in [
        ("claude-3-5-sonnet-20241022", Some(0.2), Some(0.9), &[][..]),
        ("claude-sonnet-4-5", Some(0.2), None, &["top_p"]),
        ("claude-opus-4-6", Some(0.2), None, &["top_p"]),
        ("claude-opus-4-7", None, None, &["temperature", "top_p"]),
        ("claude-sonnet-5", None, None, &["temperature", "top_p"]),
    ] {
        let (body, left_out) = written(model, sampling);
        let number = |name: &str| body.get(name).and_then(Value::as_f64);
        assert_eq!((number("temperature"), number("top_p")), (temperature, top_p), "{model}");
        assert_eq!(left_out, told, "{model}");
    }
    let (body, left_out) = written("claude-sonnet-4-5", r#""top_p":0.9"#);
    assert_eq!((&body["top_p"], left_out.len()), (&json!(0.9), 0));
}

#[test]
fn a_budget_becomes_an_effort_where_it_would_be_refused_and_rest_is_left_out_where_there_is_none() {
    let asked = |model: &str, thinking: Thinking| {
        let chat = Chat { model: model.to_owned(), thinking: Some(thinking), ..asked() };
        let plan = plan(&chat).unwrap();
        (plan.mode, plan.effort, plan.left_out)
    };
    let budget = |tokens| Thinking::Budget(Some(tokens));
    assert_eq!(asked("claude-opus-4-6", budget(8_000)), (Some(Mode::Enabled(8_000)), None, None));
    for (tokens, effort) in [(1_024, "low"), (8_000, "medium"), (16_000, "high"), (32_000, "xhigh")] {
        let told = (Some(Mode::Adaptive), Some(effort), Some("thinking.budget_tokens"));
        assert_eq!(asked("claude-opus-4-8", budget(tokens)), told);
    }
    assert_eq!(asked("claude-sonnet-5", Thinking::Off), (Some(Mode::Disabled), None, None));
    assert_eq!(asked("claude-fable-5", Thinking::Off), (None, None, Some("thinking")));
    let none = Thinking::Effort("none".to_owned());
    assert_eq!(asked("claude-fable-5", none), (None, None, Some("reasoning_effort")));
}

#[test]
fn a_budget_has_room_beside_it() {
    for (budget, tokens) in [(Some(2_000), 4_096), (Some(8_000), 9_024), (None, 4_096)] {
        let mut chat = asked();
        (chat.thinking, chat.max_tokens) = (Some(Thinking::Budget(budget)), None);
        assert_eq!(plan(&chat).unwrap().tokens, tokens);
    }
}

#[test]
fn an_effort_yields_to_what_the_vendor_refuses_beside_thoughts() {
    let mut effort = asked();
    (effort.thinking, effort.max_tokens) = (Some(Thinking::Effort("low".to_owned())), None);
    let thinks = |chat: &Chat| plan(chat).unwrap().mode.is_some();
    let sampling = |name: &str, value: &str| {
        let (mut sampling, value) = (Sampling::default(), Some(value.into()));
        match name {
            "temperature" => sampling.temperature = value,
            _ => sampling.top_p = value,
        }
        let mut chat = effort.clone();
        chat.sampling = sampling;
        chat
    };
    assert!(thinks(&effort));
    assert!(thinks(&sampling("temperature", "1.0")) && !thinks(&sampling("temperature", "0.9")));
    assert!(thinks(&sampling("top_p", "0.95")) && !thinks(&sampling("top_p", "0.9")));
    let mut forced = effort.clone();
    forced.tool_choice = Some(ToolChoice::Any);
    assert!(!thinks(&forced));
    let mut top_k = effort.clone();
    top_k.sampling.top_k = Some(5);
    assert!(!thinks(&top_k));

    let call = Part::of(Kind::Call(Call { id: "a".into(), name: "b".into(), arguments: "{}".into() }));
    let output = Part::of(Kind::Output { id: "a".into(), content: Vec::new(), failed: false });
    let thought = Part::of(Kind::Thinking { text: "Hm.".into(), signature: Some("s".into()) });
    let said = |role, content| Message { role, name: None, content };
    let mut begun = effort.clone();
    begun.messages.push(said(Role::Assistant, vec![Part::of(Kind::Text("One, ".into()))]));
    assert!(!thinks(&begun));
    let answered = |content| {
        let mut chat = effort.clone();
        chat.messages.extend([said(Role::Assistant, content), said(Role::User, vec![output.clone()])]);
        chat
    };
    assert!(!thinks(&answered(vec![call.clone()])));
    assert!(thinks(&answered(vec![thought, call])));
}
