//! OpenAI's Responses API: `POST /v1/responses`, after its published reference. Callers speak it, and so do some vendors, to
//! whom it goes on as it was written; this is how it is told to the others, as a chat.
//!
//! Law: nothing is stored, so that what is answered says so, and what refers to something stored is not found. What an answer repeats of its
//! request is what the caller wrote.

pub(crate) mod answer;
pub(crate) mod events;
pub(crate) mod read;

use policy_engine::vocabulary::{Operation, is_published, is_published_of_responses};
use serde_json::{Map, Value, json};

/// What is said of a field that only chats have.
pub(crate) const OF_CHATS: &str = "left out: it is a field of chat completions alone";

/// Whether a field is one of chats and none of this API: whoever is asked for a chat would take it for the chat's.
pub(crate) fn is_of_chats(field: &str) -> bool {
    field == "best_of" || is_published(Operation::Chat, field) && !is_published_of_responses(field)
}

/// What an answer repeats of its request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Echo {
    members: Map<String, Value>,
}

/// Members that are repeated, and what they are where the request has none.
const REPEATED: [&str; 12] = [
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

impl Echo {
    /// Of a request that was read.
    fn of(request: &Map<String, Value>) -> Self {
        let mut members = Map::new();
        for name in REPEATED {
            let value = request.get(name).filter(|value| !value.is_null()).cloned();
            members.insert(name.to_owned(), value.unwrap_or_else(|| absent(name)));
        }
        Self { members }
    }

    /// A response as far as it has come.
    fn response(&self, (id, model, created): (&str, &str, u64), status: &str, output: Vec<Value>) -> Value {
        let mut response = self.members.clone();
        let own = [
            ("id", json!(id)),
            ("object", json!("response")),
            ("created_at", json!(created)),
            ("status", json!(status)),
            ("background", json!(false)),
            ("error", Value::Null),
            ("incomplete_details", Value::Null),
            ("model", json!(model)),
            ("output", Value::Array(output)),
            ("previous_response_id", Value::Null),
            ("store", json!(false)),
            ("truncation", json!("disabled")),
            ("usage", Value::Null),
        ];
        response.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(response)
    }
}

fn absent(name: &str) -> Value {
    match name {
        "parallel_tool_calls" => json!(true),
        "tools" => json!([]),
        "tool_choice" => json!("auto"),
        "metadata" => json!({}),
        "text" => json!({ "format": { "type": "text" } }),
        _ => Value::Null,
    }
}

/// The id of a response, or of an item of one: what follows a prefix is the same for all of a response.
fn id(prefix: &str, of: &str) -> String {
    let rest = of.strip_prefix("resp_").or_else(|| of.strip_prefix("chatcmpl-")).unwrap_or(of);
    format!("{prefix}_{rest}")
}

#[cfg(test)]
mod tests;
