//! A request of the Responses API, which asks for a chat.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/responses`; what means the same as in a chat is read as
//! there; a field that only chats have is refused by name, for nobody would count what it asks for. What a vendor sealed for itself is no
//! text of anybody's while it can't be read. Deliberately absent: what refers to something stored, which the door refuses.

mod items;

use std::ops::Range;

use policy_engine::vocabulary::is_published_of_responses;

use super::chat::{
    MOST_TOKENS, TOKENS, check, model, note_by, note_choice, note_model, read_named, take_described,
};
use super::{Outline, UsageOption};
use crate::dialect::field::{BodyFault, boolean, given, kind, whole};
use crate::dialect::responses::{OF_CHATS, is_of_chats};
use crate::tape::{Kind, Value};

/// What else matters of a request of the Responses API.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stated {
    /// Members that an answer repeats, and where their values stand.
    pub(crate) repeated: Vec<(&'static str, Range<usize>)>,
    /// Where the value of `store` stands; empty where there is none: there it goes in as the first member.
    pub(crate) store: Range<usize>,
    /// Whether what is answered is to be stored.
    pub(crate) stores: bool,
}

/// Members that an answer repeats and that are the caller's own words, or the caller's name of something.
const REPEATED: [&str; 9] = [
    "instructions",
    "metadata",
    "model",
    "prompt_cache_key",
    "safety_identifier",
    "text",
    "tool_choice",
    "tools",
    "user",
];

/// Fields that decide what is asked of whom, those of chats among them, for this may be told as one.
const OWN: [&str; 18] = [
    "model",
    "input",
    "instructions",
    "stream",
    "store",
    "max_output_tokens",
    "tools",
    "tool_choice",
    "previous_response_id",
    "conversation",
    "background",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "functions",
    "function_call",
];

/// Texts that are read as one, by who says them.
struct Row {
    by: String,
    texts: Vec<Range<usize>>,
}

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let first = root.range().start + 1;
    let mut stated = Stated { store: first..first, ..Stated::default() };
    // It is told on every stream.
    outline.usage = UsageOption::Asked;
    let (mut rows, mut instructions) = (None, None);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "input" => rows = Some(items::read(outline, value)?),
            "instructions" => {
                kind("instructions", value, &[Kind::String], "a string")?;
                instructions = given(value).then(|| value.range());
                outline.texts.extend(instructions.clone());
            }
            "stream" => outline.stream = boolean("stream", value)?.unwrap_or(false),
            "store" => {
                stated.stores = boolean("store", value)?.unwrap_or(false);
                stated.store = value.range();
            }
            "max_output_tokens" => {
                outline.max_tokens = whole("max_output_tokens", value, 1..=MOST_TOKENS, TOKENS)?;
            }
            "tools" => read_named(outline, value)?,
            name => field(outline, name, (key, value))?,
        }
        let repeated = REPEATED.iter().find(|name| given(value) && key.is(name));
        stated.repeated.extend(repeated.map(|name| (*name, value.range())));
    }
    // A picture that is drawn on the way is not looked into.
    let draws = outline.egress_tools.iter().any(|kind| kind == "image_generation");
    outline.elsewhere.extend(draws.then_some("image"));
    outline.stated = Some(Box::new(stated));
    note_model(outline)?;
    if outline.model.is_empty() {
        return Err(BodyFault::Missing("model".to_owned()));
    }
    join(outline, instructions, rows.ok_or_else(|| BodyFault::Missing("input".to_owned()))?);
    Ok(())
}

/// What one says in a row is read as one; instructions are said before all, by the system.
fn join(outline: &mut Outline, instructions: Option<Range<usize>>, mut rows: Vec<Row>) {
    if let Some(instructions) = instructions {
        match rows.first_mut().filter(|row| row.by == "system") {
            Some(row) => row.texts.insert(0, instructions),
            None => rows.insert(0, Row { by: "system".to_owned(), texts: vec![instructions] }),
        }
    }
    rows.into_iter().for_each(|row| outline.join(row.texts));
}

/// A field that concerns only the vendor, or that we do not know.
fn field(outline: &mut Outline, name: &str, (key, value): (Value<'_>, Value<'_>)) -> Result<(), BodyFault> {
    if given(value) && is_of_chats(name) {
        return Err(BodyFault::wrong(name, OF_CHATS));
    }
    let known = is_published_of_responses(name);
    note_by(outline, (known, &OWN), name, (key, value))?;
    check(name, value)?;
    match name {
        "tool_choice" => note_choice(outline, value)?,
        "text" => {
            kind("text", value, &[Kind::Object], "an object")?;
            outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
            for (key, member) in value.members() {
                if key.is("format") {
                    take_described(outline, member);
                } else {
                    outline.take_numbers(Some(key), member);
                }
            }
            return Ok(());
        }
        _ => {}
    }
    // Of the dialect's own numbers (`max_tool_calls`), none is anybody's.
    if value.kind() != Kind::Number || !known {
        outline.take_all(Some(key), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
