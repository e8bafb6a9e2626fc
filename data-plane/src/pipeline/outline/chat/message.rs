//! The messages of a conversation.
//!
//! Law: a role outside the dialect, no messages at all and content of the wrong type are refused by name; identifiers,
//! texts, tool calls and unknown members are texts; media is set apart. What one role says in a row is read as one.

use std::ops::Range;

use super::super::Outline;
use super::kinds::Place;
use super::{media, tools};
use crate::dialect::field::{BodyFault, kind};
use crate::tape::{Kind, Value};

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

pub(super) fn read(outline: &mut Outline, messages: Value<'_>) -> Result<(), BodyFault> {
    if messages.kind() != Kind::Array || messages.len() == 0 {
        return Err(BodyFault::wrong("messages", "an array of at least one message"));
    }
    let (mut objects, mut role, mut said) = (0, None::<Value<'_>>, Vec::new());
    for (at, message) in messages.elements().enumerate() {
        let before = said.len();
        let by =
            one(outline, message, &mut said).map_err(|fault| fault.within(&format!("messages[{at}]")))?;
        if role.replace(by).is_some_and(|last| last.text() != by.text()) {
            outline.join(said.drain(..before).collect());
        }
        objects += 1;
    }
    outline.join(said);
    if objects == messages.len() { Ok(()) } else { Err(BodyFault::wrong("messages", "an array of objects")) }
}

/// One message: adds what it says to `said`, and gives its role.
fn one<'t>(
    outline: &mut Outline,
    message: Value<'t>,
    said: &mut Vec<Range<usize>>,
) -> Result<Value<'t>, BodyFault> {
    if message.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let (mut role, mut content, mut calls) = (None, None, false);
    for (key, value) in message.members() {
        match key.text().as_ref() {
            "role" => role = Some((value, read_role(value)?)),
            "content" => {
                content = Some(value.kind() != Kind::Null);
                read_content(outline, value, said)?;
            }
            "tool_calls" => {
                kind("tool_calls", value, &[Kind::Array], "an array")?;
                calls = value.len() > 0;
                tool_calls(outline, value)?;
            }
            "function_call" | "audio" => {
                kind(&key.text(), value, &[Kind::Object], "an object")?;
                calls = true;
                outline.texts.extend(texts(value));
                outline.take_numbers(Some(key), value);
            }
            "name" | "tool_call_id" | "refusal" | "reasoning" | "reasoning_content" => {
                kind(&key.text(), value, &[Kind::String], "a string")?;
                outline.texts.extend(texts(value));
                said.extend((key.is("refusal") && is_string(value)).then(|| value.range()));
            }
            "tools" => tools::read(outline, value)?,
            "functions" => tools::read_functions(outline, value)?,
            _ => {
                tools::note_field(outline, Place::Message, (key, value))?;
                outline.texts.push(key.range());
                outline.take_all(Some(key), value);
            }
        }
    }
    match (role, content.unwrap_or(false)) {
        (None, _) => Err(BodyFault::Missing("role".to_owned())),
        (Some((role, _)), true) => Ok(role),
        (Some((role, Speaker::Model)), false) if calls || content.is_some() => Ok(role),
        (Some(_), false) if content.is_some() => Err(BodyFault::wrong("content", CONTENT)),
        (Some(_), false) => Err(BodyFault::Missing("content".to_owned())),
    }
}

const CONTENT: &str = "a string or an array of parts";

enum Speaker {
    Model,
    Other,
}

fn read_role(value: Value<'_>) -> Result<Speaker, BodyFault> {
    let known = value.kind() == Kind::String && ROLES.iter().any(|role| value.is(role));
    if !known {
        return Err(BodyFault::wrong("role", "one of system, developer, user, assistant, tool, function"));
    }
    Ok(if value.is("assistant") { Speaker::Model } else { Speaker::Other })
}

fn read_content(
    outline: &mut Outline,
    content: Value<'_>,
    said: &mut Vec<Range<usize>>,
) -> Result<(), BodyFault> {
    match content.kind() {
        Kind::Null => Ok(()),
        Kind::String => {
            outline.texts.push(content.range());
            said.push(content.range());
            Ok(())
        }
        Kind::Array => {
            let mut objects = 0;
            for (at, part) in content.elements().enumerate() {
                read_part(outline, part).map_err(|fault| fault.within(&format!("content[{at}]")))?;
                outline.join_arrays(part);
                objects += 1;
            }
            said.extend(content.parts().map(|part| part.range()));
            let whole = objects == content.len() && objects > 0;
            if whole { Ok(()) } else { Err(BodyFault::wrong("content", CONTENT)) }
        }
        _ => Err(BodyFault::wrong("content", CONTENT)),
    }
}

/// One part: a known type and the dialect's names are structure, media is set apart, everything else is text.
pub(in crate::pipeline::outline) fn read_part(
    outline: &mut Outline,
    part: Value<'_>,
) -> Result<(), BodyFault> {
    if part.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let Some(of) = part.get("type") else { return Err(BodyFault::Missing("type".to_owned())) };
    if of.kind() != Kind::String {
        return Err(BodyFault::wrong("type", "a string"));
    }
    if of.is("text") && part.get("text").is_none_or(|text| text.kind() != Kind::String) {
        return Err(BodyFault::wrong("text", "a string"));
    }
    if of.is("image_url") && !part.get("image_url").is_some_and(|i| i.get("url").is_some_and(is_string)) {
        return Err(BodyFault::wrong("image_url.url", "a string"));
    }
    if !is_one_of(of, &TYPES) {
        outline.texts.push(of.range());
    }
    let medium = media::medium_of(part);
    for (key, value) in part.members().filter(|(key, _)| !key.is("type")) {
        if !is_one_of(key, &TYPES) {
            outline.texts.push(key.range());
        }
        media::note(outline, medium, (key, value));
        outline.take_numbers(Some(key), value);
    }
    Ok(())
}

fn is_one_of(word: Value<'_>, words: &[&str]) -> bool {
    words.iter().any(|known| word.is(known))
}

fn is_string(value: Value<'_>) -> bool {
    value.kind() == Kind::String
}

/// The types of the dialect's parts, and the members that go by the same names.
const TYPES: [&str; 5] = ["text", "image_url", "input_audio", "file", "refusal"];

/// The ids, names and arguments of the tools a model asked for.
fn tool_calls(outline: &mut Outline, calls: Value<'_>) -> Result<(), BodyFault> {
    for (at, call) in calls.elements().enumerate() {
        if call.kind() != Kind::Object {
            return Err(BodyFault::wrong(format!("tool_calls[{at}]"), "an object"));
        }
        let arguments = call.get("function").and_then(|function| function.get("arguments"));
        if arguments.is_some_and(|arguments| arguments.kind() != Kind::String) {
            return Err(BodyFault::wrong(format!("tool_calls[{at}].function.arguments"), "a string"));
        }
        outline.texts.extend(texts(call));
        outline.take_numbers(None, call);
    }
    Ok(())
}

/// The strings of a structure of the dialect's, and its keys where they are not the dialect's.
fn texts(value: Value<'_>) -> impl Iterator<Item = std::ops::Range<usize>> {
    let own = |leaf: &Value<'_>| leaf.kind() == Kind::Key && is_one_of(*leaf, &CALLS);
    value.leaves().filter(move |leaf| !own(leaf)).map(|leaf| leaf.range())
}

/// Names of members of a call that a model made.
const CALLS: [&str; 8] = ["id", "index", "type", "function", "custom", "name", "arguments", "input"];
