//! A model of a vendor's list, as a card.
//!
//! | the name has | it is taken to be asked for | where the vendor does not say it |
//! |---|---|---|
//! | `embed` | `embed` | |
//! | `moderation` | `moderate` | |
//! | `rerank` | `rerank` | |
//! | `whisper`, `transcribe` | `transcribe` | |
//! | `tts` | `speech` | |
//! | `dall-e`, `image` | `image` | |
//! | none of these | `chat` | |
//!
//! Law: what is taken from a name alone is told, for whoever approves it. What the vendor says is never set aside.

use policy_engine::vocabulary::Operation;
use serde::Serialize;
use serde_json::Value;

use super::lifecycle::{Lifecycle, Since};
use crate::verbs::field::list;

/// What a name tells of what can be asked for.
const NAMES: [(&str, Operation); 9] = [
    ("embed", Operation::Embed),
    ("moderation", Operation::Moderate),
    ("rerank", Operation::Rerank),
    ("whisper", Operation::Transcribe),
    ("transcribe", Operation::Transcribe),
    ("tts", Operation::Speech),
    ("dall-e", Operation::Image),
    ("image", Operation::Image),
    ("", Operation::Chat),
];

/// What people read of a model before they choose it.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    #[serde(skip_serializing_if = "String::is_empty")]
    display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    publisher: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    input: Vec<String>,
    output: Vec<String>,
    operations: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_from: Option<String>,
}

/// Where it is known from what can be asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The vendor says it.
    Told,
    /// From its name alone.
    ByName,
}

impl Card {
    /// Of a model that a vendor's list has; `None`: nothing that the gateway has can be asked of it.
    pub(super) fn of(model: &Value, now: policy_engine::vocabulary::Instant) -> Option<(Self, Known)> {
        let text = |field: &str| model.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let words = |field: &str| -> Vec<String> {
            list(model, field).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let tokens = |field: &str| model.get(field).and_then(Value::as_u64).filter(|tokens| *tokens > 0);
        let known = model.get("operationsKnown").and_then(Value::as_bool).unwrap_or_default();
        let told: Vec<Operation> = words("operations").iter().filter_map(|word| word.parse().ok()).collect();
        let (operations, known) = match (told.is_empty(), known) {
            (false, _) => (told, Known::Told),
            (true, true) => return None,
            (true, false) => (vec![by_name(&text("id"))], Known::ByName),
        };
        let (usual_input, usual_output) = modalities(*operations.first()?);
        let or = |told: Vec<String>, usual: &str| if told.is_empty() { vec![usual.to_owned()] } else { told };
        let Lifecycle { deprecated, retired } = Lifecycle::of(model);
        let from = |since: Option<Since>| since.and_then(|since| since.changes(None, now));
        let card = Self {
            display_name: text("displayName"),
            publisher: text("publisher"),
            description: text("description"),
            input: or(words("input"), usual_input),
            output: or(words("output"), usual_output),
            operations: operations.iter().map(ToString::to_string).collect(),
            capabilities: words("capabilities"),
            context_window: tokens("contextWindow"),
            max_output_tokens: tokens("maxOutputTokens"),
            deprecated_from: from(deprecated),
            retired_from: from(retired),
        };
        Some((card, known))
    }
}

fn by_name(id: &str) -> Operation {
    let id = id.to_ascii_lowercase();
    NAMES.iter().find(|(part, _)| id.contains(part)).map_or(Operation::Chat, |(_, operation)| *operation)
}

/// What is read and written where something is asked for, unless more is told.
fn modalities(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::Embed => ("text", "embedding"),
        Operation::Image => ("text", "image"),
        Operation::EditImage => ("image", "image"),
        Operation::Speech => ("text", "audio"),
        Operation::Transcribe | Operation::Translate => ("audio", "text"),
        Operation::Chat | Operation::Complete | Operation::Moderate | Operation::Rerank => ("text", "text"),
    }
}
