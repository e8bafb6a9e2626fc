//! The fields of requests that are published, by operation.
//!
//! Law: a field is known by its exact name at the top of the body; one that came with a later version of the schema is unknown
//! until it is entered here. Absent on purpose: what a field means, and what stands within it.

use super::Operation;

/// `CreateChatCompletionRequest` of OpenAI's OpenAPI description, as its SDKs have it in November 2026; ascending.
const CHAT: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// `CreateEmbeddingRequest` of the same; ascending.
const EMBED: [&str; 5] = ["dimensions", "encoding_format", "input", "model", "user"];

/// Whether a field stands in the published schema of an operation.
pub fn is_published(operation: Operation, field: &str) -> bool {
    let fields = match operation {
        Operation::Chat => &CHAT[..],
        Operation::Embed => &EMBED[..],
    };
    fields.binary_search(&field).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_ascend_so_that_every_field_is_found() {
        for (operation, fields) in [(Operation::Chat, &CHAT[..]), (Operation::Embed, &EMBED[..])] {
            assert!(fields.is_sorted_by(|a, b| a < b), "{operation}");
            assert!(fields.iter().all(|field| is_published(operation, field)), "{operation}");
        }
        for field in ["", "plugins", "best_of", "Model", "input", "model ", "zzz"] {
            assert!(!is_published(Operation::Chat, field), "{field}");
        }
        assert!(!is_published(Operation::Embed, "input_type"));
    }
}
