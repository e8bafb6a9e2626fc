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

/// `CreateResponse` of the same: what is asked of the Responses API; ascending.
const RESPONSES: [&str; 32] = [
    "background",
    "background_options",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// `CreateEmbeddingRequest` of the same; ascending.
const EMBED: [&str; 5] = ["dimensions", "encoding_format", "input", "model", "user"];

/// `CreateCompletionRequest` of the same; ascending.
const COMPLETE: [&str; 18] = [
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

/// `CreateModerationRequest` of the same; ascending.
const MODERATE: [&str; 2] = ["input", "model"];

/// Of Cohere's `POST /v2/rerank` and Jina's `POST /v1/rerank`, as their references have it in November 2026; ascending.
const RERANK: [&str; 8] = [
    "documents",
    "max_tokens_per_doc",
    "model",
    "priority",
    "query",
    "return_documents",
    "top_n",
    "truncation",
];

/// `CreateImageRequest` of OpenAI's; ascending.
const IMAGE: [&str; 19] = [
    "background",
    "complexity",
    "frame_count",
    "frame_duration_ms",
    "model",
    "moderation",
    "n",
    "output_compression",
    "output_format",
    "partial_images",
    "prompt",
    "quality",
    "response_format",
    "safety_identifier",
    "size",
    "stream",
    "style",
    "svg",
    "user",
];

/// `CreateImageEditRequest` of the same, `image[]` being several; ascending.
const EDIT_IMAGE: [&str; 22] = [
    "background",
    "complexity",
    "frame_count",
    "frame_duration_ms",
    "image",
    "image[]",
    "input_fidelity",
    "markup",
    "mask",
    "model",
    "n",
    "output_compression",
    "output_format",
    "partial_images",
    "prompt",
    "quality",
    "response_format",
    "safety_identifier",
    "size",
    "stream",
    "svg",
    "user",
];

/// `CreateSpeechRequest` of the same; ascending.
const SPEECH: [&str; 7] =
    ["input", "instructions", "model", "response_format", "speed", "stream_format", "voice"];

/// `CreateTranscriptionRequest` of the same; ascending.
const TRANSCRIBE: [&str; 14] = [
    "chunking_strategy",
    "file",
    "include[]",
    "keywords[]",
    "known_speaker_names[]",
    "known_speaker_references[]",
    "language",
    "languages[]",
    "model",
    "prompt",
    "response_format",
    "stream",
    "temperature",
    "timestamp_granularities[]",
];

/// `CreateTranslationRequest` of the same; ascending.
const TRANSLATE: [&str; 5] = ["file", "model", "prompt", "response_format", "temperature"];

fn fields(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Chat => &CHAT,
        Operation::Embed => &EMBED,
        Operation::Complete => &COMPLETE,
        Operation::Moderate => &MODERATE,
        Operation::Rerank => &RERANK,
        Operation::Image => &IMAGE,
        Operation::EditImage => &EDIT_IMAGE,
        Operation::Speech => &SPEECH,
        Operation::Transcribe => &TRANSCRIBE,
        Operation::Translate => &TRANSLATE,
    }
}

/// Whether a field stands in the published schema of an operation.
pub fn is_published(operation: Operation, field: &str) -> bool {
    fields(operation).binary_search(&field).is_ok()
}

/// Whether a field stands in the published schema of the Responses API, in whose form a chat may be asked for too.
pub fn is_published_of_responses(field: &str) -> bool {
    RESPONSES.binary_search(&field).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_ascend_so_that_every_field_is_found() {
        for operation in Operation::ALL.iter().copied() {
            let fields = fields(operation);
            assert!(fields.is_sorted_by(|a, b| a < b), "{operation}");
            assert!(fields.iter().all(|field| is_published(operation, field)), "{operation}");
        }
        assert!(RESPONSES.is_sorted_by(|a, b| a < b));
        assert!(RESPONSES.iter().all(|field| is_published_of_responses(field)));
        assert!(!is_published_of_responses("messages"));
        for field in ["", "plugins", "best_of", "Model", "input", "model ", "zzz"] {
            assert!(!is_published(Operation::Chat, field), "{field}");
        }
        assert!(!is_published(Operation::Embed, "input_type"));
    }
}
