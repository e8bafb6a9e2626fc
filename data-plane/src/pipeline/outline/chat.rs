//! A chat completion's body.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/chat/completions`; a role outside it is
//! refused, a part of content of an unknown type is text.

mod message;
mod tools;

use super::super::tape::{Kind, Value};
use super::field::{BodyFault, boolean, kind, whole};
use super::{ANSWERS, MODEL_NAME, Outline, UsageOption, Written};

/// More output tokens than this are not asked for by anybody but an attacker; it keeps every sum far from overflow.
const MOST_TOKENS: u64 = 1 << 40;

const TOKENS: &str = "a whole number of tokens, at least 1";

/// Fields that are numbers; what they may be is the vendor's to say.
const NUMBERS: [&str; 6] =
    ["temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "top_logprobs"];

/// Fields that decide what is asked of whom.
const OWN: [&str; 11] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "tools",
    "tool_choice",
    "functions",
];

/// Fields that are objects.
const OBJECTS: [&str; 6] =
    ["response_format", "metadata", "logit_bias", "audio", "prediction", "web_search_options"];

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    outline.usage = UsageOption::Absent(root.range().start + 1);
    let (mut messages, mut caps) = (None, [None, None]);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "messages" => messages = Some(message::read(outline, value)?),
            "stream" => outline.stream = boolean("stream", value)?.unwrap_or(false),
            "stream_options" => stream_options(outline, value)?,
            "max_tokens" => caps[0] = whole("max_tokens", value, 1..=MOST_TOKENS, TOKENS)?,
            "max_completion_tokens" => {
                caps[1] = whole("max_completion_tokens", value, 1..=MOST_TOKENS, TOKENS)?
            }
            name @ ("n" | "best_of") => {
                let n = whole(name, value, 1..=ANSWERS, "a whole number from 1 to 128")?;
                outline.answers = outline.answers.max(n.unwrap_or(1));
                if name == "n" {
                    outline.choices = n.unwrap_or(1);
                }
            }
            "tools" => tools::read(outline, value)?,
            name => {
                tools::note_option(outline, name, value)?;
                if name == "tool_choice" {
                    tools::note_choice(outline, value)?;
                }
                if !NAMES.contains(&name) && tools::is_lookalike(name, &OWN) {
                    return Err(BodyFault::wrong(name, "written as the dialect has it"));
                }
                other(name, value)?;
                leaves(outline, key, value);
            }
        }
    }
    outline.max_tokens = caps.into_iter().flatten().min();
    tools::note_model(outline)?;
    if outline.model.is_empty() {
        return Err(BodyFault::Missing("model".to_owned()));
    }
    messages.ok_or_else(|| BodyFault::Missing("messages".to_owned()))
}

pub(super) fn model(outline: &mut Outline, value: Value<'_>) -> Result<(), BodyFault> {
    let name = value.text();
    let fits = !name.is_empty() && name.len() <= MODEL_NAME && !name.chars().any(char::is_control);
    if value.kind() != Kind::String || !fits {
        return Err(BodyFault::wrong("model", "a model's name of at most 256 bytes"));
    }
    outline.model = name.into_owned();
    outline.model_at = value.range();
    Ok(())
}

fn stream_options(outline: &mut Outline, value: Value<'_>) -> Result<(), BodyFault> {
    kind("stream_options", value, &[Kind::Object], "an object")?;
    let asked = value.get("include_usage");
    let wanted = asked.map_or(Ok(None), |asked| boolean("stream_options.include_usage", asked))?;
    outline.usage = match (wanted, asked) {
        (Some(true), _) => UsageOption::Asked,
        (_, Some(asked)) => UsageOption::Instead(asked.range(), Written::Value),
        (_, None) if value.len() == 0 => UsageOption::Instead(value.range(), Written::Options),
        (_, None) => UsageOption::Beside(value.range().start + 1),
    };
    for (key, other) in value.members().filter(|(key, _)| !key.is("include_usage")) {
        leaves(outline, key, other);
    }
    Ok(())
}

/// Checks the types of fields that concern only the vendor.
fn other(name: &str, value: Value<'_>) -> Result<(), BodyFault> {
    match name {
        _ if NUMBERS.contains(&name) => kind(name, value, &[Kind::Number], "a number"),
        _ if OBJECTS.contains(&name) => kind(name, value, &[Kind::Object], "an object"),
        "stop" => {
            kind(name, value, &[Kind::String, Kind::Array], "a string or an array of strings")?;
            let strings = value.elements().filter(|e| e.kind() == Kind::String).count();
            let whole = value.kind() != Kind::Array || strings == value.len();
            if whole { Ok(()) } else { Err(BodyFault::wrong(name, "a string or an array of strings")) }
        }
        "user" | "service_tier" | "reasoning_effort" | "safety_identifier" | "prompt_cache_key" => {
            kind(name, value, &[Kind::String], "a string")
        }
        "logprobs" | "parallel_tool_calls" | "store" => boolean(name, value).map(drop),
        "tool_choice" => kind(name, value, &[Kind::String, Kind::Object], "a string or an object"),
        _ => Ok(()),
    }
}

/// Every string of a member whose structure is not ours to know; its keys too, but not its own name where that is known.
fn leaves(outline: &mut Outline, key: Value<'_>, value: Value<'_>) {
    let known = NAMES.iter().any(|name| key.is(name));
    if !known {
        outline.texts.push(key.range());
    }
    // Of the dialect's own numbers (a seed), none is anybody's.
    if value.kind() != Kind::Number || !known {
        outline.take_all(Some(key), value);
    }
}

/// Names of members that are the dialect's own and therefore nobody's text.
const NAMES: [&str; 24] = [
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "top_logprobs",
    "response_format",
    "metadata",
    "logit_bias",
    "audio",
    "prediction",
    "web_search_options",
    "stop",
    "user",
    "service_tier",
    "reasoning_effort",
    "safety_identifier",
    "prompt_cache_key",
    "logprobs",
    "parallel_tool_calls",
    "store",
    "tool_choice",
    "modalities",
    "verbosity",
];
