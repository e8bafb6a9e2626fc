//! An answer as the Responses API has it, whole.

use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Usage};
use super::super::chat::{Call, Kind, Part};
use super::{Echo, id};

/// Writes an answer to a request, made at a time in seconds of Unix time where the vendor does not tell.
pub(crate) fn write(answer: &Answer, echo: &Echo, now: u64) -> Vec<u8> {
    let choice = answer.choices.first();
    let of = id("resp", &answer.id);
    let output = choice.map(|choice| items(&of, &choice.content)).unwrap_or_default();
    let finish = choice.and_then(|choice| choice.finish.as_ref());
    let head = (of.as_str(), answer.model.as_str(), answer.created.unwrap_or(now));
    finished(echo, head, (finish, answer.usage.as_ref()), output).to_string().into()
}

/// A response that is over.
pub(super) fn finished(
    echo: &Echo,
    head: (&str, &str, u64),
    (finish, usage): (Option<&Finish>, Option<&Usage>),
    output: Vec<Value>,
) -> Value {
    let cut = match finish {
        Some(Finish::Length) => Some("max_output_tokens"),
        Some(Finish::Filtered) => Some("content_filter"),
        _ => None,
    };
    let status = if cut.is_some() { "incomplete" } else { "completed" };
    let mut response = echo.response(head, status, output);
    if let Some(fields) = response.as_object_mut() {
        if let Some(reason) = cut {
            fields.insert("incomplete_details".to_owned(), json!({ "reason": reason }));
        }
        fields.insert("usage".to_owned(), usage.map_or(Value::Null, used));
    }
    response
}

fn used(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.thinking },
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}

/// The items of an answer: thoughts, what was said, calls; each after the other.
fn items(of: &str, content: &[Part]) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    let mut said = Vec::new();
    for part in content {
        let at = items.len();
        match &part.kind {
            Kind::Thinking { text, signature } => items.push(reasoning((of, at), text, signature.as_deref())),
            Kind::Redacted(data) => items.push(reasoning((of, at), "", Some(data))),
            Kind::Text(text) => said.push(output_text(text)),
            Kind::Refusal(refusal) => said.push(json!({ "type": "refusal", "refusal": refusal })),
            Kind::Call(call) => {
                items.extend(message((of, at), &mut said));
                items.push(function_call((of, items.len()), call, "completed"));
            }
            _ => {}
        }
    }
    items.extend(message((of, items.len()), &mut said));
    items
}

fn message(at: (&str, usize), said: &mut Vec<Value>) -> Option<Value> {
    let content = std::mem::take(said);
    (!content.is_empty()).then(|| {
        json!({ "id": item_id("msg", at), "type": "message", "role": "assistant", "status": "completed", "content": content })
    })
}

/// The id of an item by its place.
pub(super) fn item_id(prefix: &str, (of, at): (&str, usize)) -> String {
    format!("{}_{at}", id(prefix, of))
}

/// A text that was said.
pub(super) fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A call of a function.
pub(super) fn function_call(at: (&str, usize), call: &Call, status: &str) -> Value {
    json!({
        "id": item_id("fc", at), "type": "function_call", "status": status,
        "call_id": call.id, "name": call.name, "arguments": call.arguments,
    })
}

/// What the model thought, and the vendor's proof of it.
pub(super) fn reasoning(at: (&str, usize), text: &str, signature: Option<&str>) -> Value {
    let summary = match text {
        "" => json!([]),
        text => json!([{ "type": "summary_text", "text": text }]),
    };
    let mut item = json!({ "id": item_id("rs", at), "type": "reasoning", "summary": summary });
    if let (Some(signature), Some(fields)) = (signature, item.as_object_mut()) {
        fields.insert("encrypted_content".to_owned(), signature.into());
    }
    item
}
