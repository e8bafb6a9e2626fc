//! Words of the OpenAI dialect and their places in `chancery.inference.v1`.

use proto::inference::{FinishReason, Role, ToolMode, Usage};

use crate::tape::Value;

/// A role's word; `None` where none was given.
pub(super) fn role(role: Role) -> Option<&'static str> {
    match role {
        Role::Unspecified => None,
        Role::System => Some("system"),
        Role::Developer => Some("developer"),
        Role::User => Some("user"),
        Role::Assistant => Some("assistant"),
        Role::Tool => Some("tool"),
    }
}

/// A mode's word.
pub(super) fn tool_mode(mode: ToolMode) -> &'static str {
    match mode {
        ToolMode::Unspecified | ToolMode::Auto => "auto",
        ToolMode::None => "none",
        ToolMode::Required => "required",
    }
}

/// Why an answer ends.
pub(super) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Unspecified,
    }
}

/// What was used, where that is told in tokens.
pub(super) fn tokens(answer: Value<'_>) -> Option<Usage> {
    let told = answer.get("usage")?;
    let number = |name: &str| told.get(name).and_then(|n| n.whole());
    let (input_tokens, output_tokens) = (number("input_tokens")?, number("output_tokens")?);
    Some(Usage { input_tokens, output_tokens, ..Usage::default() })
}

/// What was used.
pub(super) fn usage(usage: Value<'_>) -> Usage {
    let number = |name: &str| usage.get(name).and_then(|n| n.whole()).unwrap_or(0);
    let within = |name: &str, part: &str| {
        usage.get(name).and_then(|details| details.get(part)).and_then(|n| n.whole()).unwrap_or(0)
    };
    Usage {
        // Where there is no output, some tell a total alone.
        input_tokens: match usage.get("prompt_tokens").or(usage.get("completion_tokens")) {
            Some(_) => number("prompt_tokens"),
            None => number("total_tokens"),
        },
        output_tokens: number("completion_tokens"),
        cached_input_tokens: within("prompt_tokens_details", "cached_tokens"),
        reasoning_tokens: within("completion_tokens_details", "reasoning_tokens"),
    }
}
