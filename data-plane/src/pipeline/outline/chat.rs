//! A chat completion's body.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/chat/completions`; a role outside it is
//! refused, a part of content of an unknown type is text.

mod kinds;
mod media;
mod message;
mod schema;
mod tools;

use std::ops::RangeInclusive;

use policy_engine::vocabulary::{Operation, is_published};

use super::{ANSWERS, MODEL_NAME, Outline, UsageOption, Written};
use crate::dialect::field::{BodyFault, boolean, given, kind, number, whole};
use crate::tape::{Kind, Value};
pub(super) use kinds::Place;
use kinds::is_lookalike;
pub(crate) use media::data_url;
pub(super) use media::note as note_media;
pub(super) use message::read_part;
pub(super) use schema::take_described;
pub(super) use tools::{
    note_choice, note_field, note_model, note_within, read_functions, read_named, take_listed,
};

/// More output tokens than this are not asked for by anybody but an attacker; it keeps every sum far from overflow.
pub(super) const MOST_TOKENS: u64 = 1 << 40;

pub(super) const TOKENS: &str = "a whole number of tokens, at least 1";

/// Fields that are numbers, within the bounds of the reference, and what is said of others.
const NUMBERS: [(&str, RangeInclusive<f64>, &str); 4] = [
    ("temperature", 0.0..=2.0, "a number from 0 to 2"),
    ("top_p", 0.0..=1.0, "a number from 0 to 1"),
    ("presence_penalty", -2.0..=2.0, "a number from -2 to 2"),
    ("frequency_penalty", -2.0..=2.0, "a number from -2 to 2"),
];

const BIAS: &str = "an object of numbers from -100 to 100";

/// Fields that decide what is asked of whom.
const OWN: [&str; 12] = [
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
    "function_call",
];

/// Fields that are objects.
const OBJECTS: [&str; 5] = ["response_format", "metadata", "audio", "prediction", "web_search_options"];

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
                } else {
                    outline.note_field(Operation::Chat, name);
                }
            }
            "tools" => tools::read(outline, value)?,
            "functions" => tools::read_functions(outline, value)?,
            name => field(outline, name, (key, value))?,
        }
    }
    outline.max_tokens = caps.into_iter().flatten().min();
    note_model(outline)?;
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

pub(super) fn stream_options(outline: &mut Outline, value: Value<'_>) -> Result<(), BodyFault> {
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
        outline.texts.push(key.range());
        outline.take_all(Some(key), other);
    }
    Ok(())
}

/// A field that concerns only the vendor, or that we do not know.
fn field(outline: &mut Outline, name: &str, (key, value): (Value<'_>, Value<'_>)) -> Result<(), BodyFault> {
    let known = note(outline, (Operation::Chat, &OWN), name, (key, value))?;
    check(name, value)?;
    match name {
        "tool_choice" | "function_call" => tools::note_choice(outline, value)?,
        "response_format" => {
            outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
            schema::take_described(outline, value);
            return Ok(());
        }
        _ => {}
    }
    // Of the dialect's own numbers (a seed), none is anybody's.
    if value.kind() != Kind::Number || !known {
        outline.take_all(Some(key), value);
    }
    Ok(())
}

/// Notes what a field outside those that an operation decides by means to policy, and its name where the operation has none such;
/// whether it has.
pub(super) fn note(
    outline: &mut Outline,
    (operation, own): (Operation, &[&str]),
    name: &str,
    member: (Value<'_>, Value<'_>),
) -> Result<bool, BodyFault> {
    let known = is_published(operation, name);
    note_by(outline, (known, own), name, member)?;
    Ok(known)
}

/// The same of a field of which it is said whether it is known.
pub(super) fn note_by(
    outline: &mut Outline,
    (known, own): (bool, &[&str]),
    name: &str,
    (key, value): (Value<'_>, Value<'_>),
) -> Result<(), BodyFault> {
    tools::note_field(outline, Place::Body, (key, value))?;
    if !known {
        if is_lookalike(name, own) {
            return Err(BodyFault::wrong(name, "written as the dialect has it"));
        }
        outline.note_unknown(name);
        outline.texts.push(key.range());
    }
    Ok(())
}

/// Checks the types of fields that concern only the vendor.
pub(super) fn check(name: &str, value: Value<'_>) -> Result<(), BodyFault> {
    if let Some((_, within, expected)) = NUMBERS.iter().find(|(field, ..)| *field == name) {
        return number(name, value, within.clone(), expected);
    }
    match name {
        _ if OBJECTS.contains(&name) => kind(name, value, &[Kind::Object], "an object"),
        "seed" if given(value) && !is_seed(value) => Err(BodyFault::wrong(name, "a whole number of 64 bits")),
        "top_logprobs" => whole(name, value, 0..=20, "a whole number from 0 to 20").map(drop),
        "logit_bias" => {
            kind(name, value, &[Kind::Object], BIAS)?;
            let fits = |bias| given(bias) && number(name, bias, -100.0..=100.0, BIAS).is_ok();
            let all = value.members().all(|(_, bias)| fits(bias));
            if all { Ok(()) } else { Err(BodyFault::wrong(name, BIAS)) }
        }
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
        "tool_choice" | "function_call" => {
            kind(name, value, &[Kind::String, Kind::Object], "a string or an object")
        }
        _ => Ok(()),
    }
}

/// A seed may be negative, and is written without fraction or exponent.
fn is_seed(value: Value<'_>) -> bool {
    let written = std::str::from_utf8(value.raw()).ok().filter(|_| value.kind() == Kind::Number);
    written.is_some_and(|written| written.parse::<i64>().is_ok())
}
