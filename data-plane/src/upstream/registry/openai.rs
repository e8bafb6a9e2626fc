//! OpenAI's list, and those of servers compatible with it, which say more of a model than OpenAI does.
//!
//! | who | what it says beside `id` and `owned_by` |
//! |---|---|
//! | this gateway | `chancery`: its card, for the caller whose key asks |
//! | OpenRouter | `name`, `description`, `architecture`, `context_length`, `top_provider`, `supported_parameters`, `expiration_date` |
//! | Mistral | `capabilities`, `max_context_length`, `deprecation` |
//! | Azure | `capabilities`, `deprecation` by what ends |
//! | Groq, vLLM | `context_window`, `max_completion_tokens`; `max_model_len` |
//! | Together | a bare list; `type`, `display_name`, `organization`, `context_length` |
//!
//! Law: OpenAI's own list says of no model what can be asked of it, and nothing is made up for it here.

use proto::admin::VendorModel;
use serde_json::Value;

use super::Page;
use super::card::{
    as_they_are, escaped, flag, has, id, list, places, prose, text, those, time, tokens, word, words,
};

const INPUT: &[(&str, &str)] =
    &[("text", "text"), ("image", "image"), ("audio", "audio"), ("file", "file"), ("pdf", "file")];
const OUTPUT: &[(&str, &str)] = &[
    ("text", "text"),
    ("image", "image"),
    ("audio", "audio"),
    ("embedding", "embedding"),
    ("embeddings", "embedding"),
];

/// What a `type` of Together's can be asked for.
const TYPES: [(&str, &str); 8] = [
    ("chat", "chat"),
    ("language", "complete"),
    ("code", "complete"),
    ("embedding", "embed"),
    ("image", "image"),
    ("moderation", "moderate"),
    ("rerank", "rerank"),
    ("transcribe", "transcribe"),
];

/// Operations as this gateway names them.
const OURS: &[(&str, &str)] = &[
    ("chat", "chat"),
    ("embed", "embed"),
    ("complete", "complete"),
    ("moderate", "moderate"),
    ("rerank", "rerank"),
    ("image", "image"),
    ("editImage", "editImage"),
    ("speech", "speech"),
    ("transcribe", "transcribe"),
    ("translate", "translate"),
];

/// Reads a page.
pub(super) fn read(page: &Value) -> Option<Page> {
    let entries = page.as_array().or_else(|| page.get("data")?.as_array())?;
    let models = entries.iter().map(model).collect::<Option<Vec<_>>>()?;
    // None is paged as of its reference; one that says it is not the last is believed, as OpenAI's other lists are.
    let last = models.last().filter(|_| flag(page, "/has_more") == Some(true));
    let next = last.map(|last| format!("/models?after={}", escaped(&last.id)));
    Some(Page { models, next })
}

fn model(entry: &Value) -> Option<VendorModel> {
    let id = id(entry.get("id"))?;
    let is_ours = entry.get("chancery").is_some();
    let (operations, operations_known) = operations(entry, is_ours);
    let able = |word: &str| has(entry, "/supported_parameters", word);
    let mut capabilities = those(&[
        (able("tools") || flag(entry, "/capabilities/function_calling") == Some(true), "tools"),
        (able("structured_outputs") || able("response_format"), "jsonSchema"),
        (able("reasoning"), "reasoning"),
    ]);
    capabilities.extend(as_they_are(entry, "/chancery/capabilities"));
    let input =
        modalities(entry, ["/chancery/input", "/architecture/input_modalities", "/input_modalities"], INPUT);
    let input = match flag(entry, "/capabilities/vision") {
        Some(true) if input.is_empty() => vec!["text".to_owned(), "image".to_owned()],
        _ => input,
    };
    let output = modalities(
        entry,
        ["/chancery/output", "/architecture/output_modalities", "/output_modalities"],
        OUTPUT,
    );
    Some(VendorModel {
        display_name: text(entry, &["/chancery/display_name", "/display_name", "/name"]),
        publisher: match is_ours {
            true => text(entry, &["/chancery/publisher"]),
            false => text(entry, &["/organization", "/owned_by"]),
        },
        description: prose(entry, &["/chancery/description", "/description"]),
        input,
        output,
        operations,
        operations_known,
        capabilities,
        context_window: tokens(
            entry,
            &[
                "/chancery/context_window",
                "/context_length",
                "/context_window",
                "/max_context_length",
                "/max_model_len",
            ],
        ),
        max_output_tokens: tokens(
            entry,
            &[
                "/chancery/max_output_tokens",
                "/top_provider/max_completion_tokens",
                "/max_completion_tokens",
                "/max_output_tokens",
            ],
        ),
        // Where another gateway of ours processes.
        regions: places(list(entry, "/chancery/processing_regions").iter().map(word)),
        deprecated: flag(entry, "/active") == Some(false),
        deprecate_time: time(entry, &["/chancery/deprecated_from", "/deprecation"]),
        retire_time: time(entry, &["/chancery/retired_from", "/deprecation/inference", "/expiration_date"]),
        id,
    })
}

/// What can be asked of a model, and whether that is told.
fn operations(entry: &Value, is_ours: bool) -> (Vec<String>, bool) {
    if is_ours {
        return (words(entry, "/chancery/operations", OURS), true);
    }
    if let Some(kind) = entry.get("type").and_then(Value::as_str)
        && let Some((_, operation)) = TYPES.iter().find(|(kinds, _)| *kinds == kind)
    {
        return (vec![(*operation).to_owned()], true);
    }
    let is = |pointers: [&str; 2]| pointers.iter().any(|pointer| flag(entry, pointer) == Some(true));
    let told = those(&[
        (is(["/capabilities/completion_chat", "/capabilities/chat_completion"]), "chat"),
        (is(["/capabilities/embeddings", "/capabilities/embedding"]), "embed"),
    ]);
    if !told.is_empty() {
        return (told, true);
    }
    let told = those(&[
        (has(entry, "/architecture/output_modalities", "text"), "chat"),
        (has(entry, "/architecture/output_modalities", "embeddings"), "embed"),
    ]);
    let is_known = !told.is_empty();
    (told, is_known)
}

fn modalities(entry: &Value, pointers: [&str; 3], table: &[(&str, &str)]) -> Vec<String> {
    let mut found = pointers.iter().map(|pointer| words(entry, pointer, table));
    found.find(|words| !words.is_empty()).unwrap_or_default()
}
