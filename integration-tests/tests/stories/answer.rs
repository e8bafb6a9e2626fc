//! Answers that stories give a vendor to say, in OpenAI's form.

use http::StatusCode;
use integration_tests::scripted::{Canned, Piece};
use serde_json::{Value, json};

/// What every vendor of a story claims to have used.
pub(crate) const USAGE: (u64, u64) = (5, 4);

fn usage() -> Value {
    json!({"prompt_tokens": USAGE.0, "completion_tokens": USAGE.1, "total_tokens": USAGE.0 + USAGE.1})
}

/// A whole answer that says this.
pub(crate) fn whole(text: &str) -> Canned {
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "echo-small",
        "choices": [choice], "usage": usage(),
    });
    Canned::json(StatusCode::OK, body.to_string())
}

fn chunk(choices: Value, usage: Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "echo-small",
        "choices": choices, "usage": usage,
    });
    format!("data: {chunk}\n\n")
}

/// An event with more text.
pub(crate) fn event(text: &str) -> Piece {
    Piece::Bytes(event_text(text).into())
}

/// The same as text.
pub(crate) fn event_text(text: &str) -> String {
    let delta = json!({"role": "assistant", "content": text});
    chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null)
}

/// The events that end an answer.
pub(crate) fn end() -> Piece {
    let finish = chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null);
    Piece::Bytes(format!("{finish}{}data: [DONE]\n\n", chunk(json!([]), usage())).into())
}

/// A stream that says this, so many characters an event.
pub(crate) fn in_pieces(text: &str, length: usize) -> Canned {
    let characters: Vec<char> = text.chars().collect();
    let mut pieces: Vec<Piece> =
        characters.chunks(length).map(|piece| event(&piece.iter().collect::<String>())).collect();
    pieces.push(end());
    Canned::events(pieces)
}
