//! What the friendly vendor says when the story has nothing to say.
//!
//! Law: the answer is the last user text, so that a story can see what reached the vendor. Deliberately absent: speed.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::canned::{Asked, Canned, Piece};

/// The models it lists.
const MODELS: [&str; 2] = ["echo-small", "echo-large"];

/// The default answer to a request.
pub(super) fn answer(asked: &Asked) -> Canned {
    let path = asked.path.split('?').next().unwrap_or_default();
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    match (&asked.method, path) {
        (&Method::GET, "/v1/models") => document(&models()),
        (&Method::POST, "/v1/chat/completions") if member(&body, "stream") == &Value::Bool(true) => {
            stream(&body)
        }
        (&Method::POST, "/v1/chat/completions") => document(&completion(&body)),
        (&Method::POST, "/v1/embeddings") => document(&embeddings(&body)),
        _ => Canned::json(
            StatusCode::NOT_FOUND,
            json!({"error": {"message": "no such path", "type": "invalid_request_error"}}).to_string(),
        ),
    }
}

fn document(body: &Value) -> Canned {
    Canned::json(StatusCode::OK, body.to_string())
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn models() -> Value {
    let model = |id: &&str| json!({"id": id, "object": "model", "created": 0, "owned_by": "echo"});
    json!({"object": "list", "data": MODELS.iter().map(model).collect::<Vec<_>>()})
}

fn last_user_text(body: &Value) -> String {
    let messages = member(body, "messages").as_array().map(Vec::as_slice).unwrap_or_default();
    let last = messages.iter().rev().find(|message| member(message, "role") == "user");
    match last.map(|message| member(message, "content")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| member(part, "text").as_str()).collect(),
        _ => String::new(),
    }
}

fn usage(text: &str) -> Value {
    let words = text.split_whitespace().count();
    json!({"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words})
}

fn completion(body: &Value) -> Value {
    let text = last_user_text(body);
    let usage = usage(&text);
    let message = json!({"role": "assistant", "content": text});
    json!({
        "id": "chatcmpl-echo", "object": "chat.completion", "created": 0, "model": member(body, "model"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage,
    })
}

fn stream(body: &Value) -> Canned {
    let text = last_user_text(body);
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-echo", "object": "chat.completion.chunk", "created": 0,
            "model": member(body, "model"), "choices": choices, "usage": usage,
        });
        Piece::Bytes(format!("data: {chunk}\n\n").into())
    };
    let delta = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
    };
    let mut pieces = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    pieces.extend(text.split_inclusive(' ').map(|word| delta(json!({"content": word}), Value::Null)));
    pieces.push(delta(json!({}), json!("stop")));
    if member(member(body, "stream_options"), "include_usage") == &Value::Bool(true) {
        pieces.push(chunk(json!([]), usage(&text)));
    }
    pieces.push(Piece::Bytes("data: [DONE]\n\n".into()));
    Canned::events(pieces)
}

fn embeddings(body: &Value) -> Value {
    let inputs = match member(body, "input") {
        Value::Array(inputs) => inputs.len(),
        _ => 1,
    };
    let item = |index: usize| json!({"object": "embedding", "index": index, "embedding": [0.6, 0.8]});
    json!({
        "object": "list", "model": member(body, "model"), "data": (0..inputs).map(item).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": inputs, "total_tokens": inputs},
    })
}
