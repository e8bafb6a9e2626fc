//! The items of an input: messages, calls and what came of them, thoughts.
//!
//! Law: a role outside the dialect is refused by name; media is set apart wherever an item has it, and whatever else an item holds is text.
//! Tools count wherever an item lists them, as those of the body do.
//! What one says in a row is read as one, as messages of a chat are.

use std::ops::Range;

use policy_engine::content::Held;

use super::super::chat::{Place, note_field, note_media, note_within, read_functions, take_listed};
use super::super::{Embedded, Outline};
use super::Row;
use crate::dialect::field::{BodyFault, kind};
use crate::pipeline::dialect::responses::{is_base64, is_sealed_in};
use crate::tape::{Kind, Value};

const ROLES: [&str; 4] = ["user", "assistant", "system", "developer"];

const INPUT: &str = "a string or an array of at least one item";
const CONTENT: &str = "a string or an array of parts";

/// Names of members that are the dialect's.
const NAMES: [&str; 18] = [
    "action",
    "arguments",
    "call_id",
    "code",
    "content",
    "encrypted_content",
    "id",
    "input",
    "name",
    "output",
    "outputs",
    "phase",
    "queries",
    "results",
    "role",
    "status",
    "summary",
    "type",
];

/// Types of items and of their parts that are the dialect's, and the members that go by the same names.
const TYPES: [&str; 14] = [
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "compaction",
    "input_text",
    "output_text",
    "text",
    "refusal",
    "summary_text",
    "reasoning_text",
    "input_image",
    "input_file",
    "input_audio",
];

/// Members of a part that hold media, or say where it is.
const MEDIA: [&str; 2] = ["image_url", "file_url"];

/// The texts of an input, and which of them are read as one.
pub(super) fn read(outline: &mut Outline, input: Value<'_>) -> Result<Vec<Row>, BodyFault> {
    let wrong = || BodyFault::wrong("input", INPUT);
    match input.kind() {
        Kind::String => {
            outline.texts.push(input.range());
            Ok(vec![Row { by: "user".to_owned(), texts: vec![input.range()] }])
        }
        Kind::Array if input.len() > 0 && input.elements().count() == input.len() => {
            let mut rows: Vec<Row> = Vec::new();
            for (at, item) in input.elements().enumerate() {
                let row = one(outline, item).map_err(|fault| fault.within(&format!("input[{at}]")))?;
                match rows.last_mut().filter(|last| last.by == row.by) {
                    Some(last) => last.texts.extend(row.texts),
                    None => rows.push(row),
                }
            }
            Ok(rows)
        }
        _ => Err(wrong()),
    }
}

fn one(outline: &mut Outline, item: Value<'_>) -> Result<Row, BodyFault> {
    if item.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let of = item.get("type").filter(|of| of.kind() != Kind::Null);
    if of.is_some_and(|of| of.kind() != Kind::String) {
        return Err(BodyFault::wrong("type", "a string"));
    }
    let of = of.map_or("message".into(), |of| of.text());
    let mut row = Row { by: by(&of, item)?, texts: Vec::new() };
    for (key, value) in item.members() {
        note_within(outline, key, value)?;
        match key.text().as_ref() {
            "type" => unless_known(outline, value),
            "role" if of == "message" => {}
            "content" if of == "message" => said(outline, ("content", value), &mut row.texts)?,
            "output" if of.ends_with("_output") => said(outline, ("output", value), &mut row.texts)?,
            "content" | "summary" => {
                let mut texts = Vec::new();
                said(outline, (&key.text(), value), &mut texts)?;
                outline.join(texts);
            }
            "encrypted_content" if is_sealed_in(&of) => sealed(outline, value),
            "result" if of == "image_generation_call" => picture(outline, value),
            "tools" => take_listed(outline, (key, value)),
            "functions" => read_functions(outline, value)?,
            _ => {
                note_field(outline, Place::Message, (key, value))?;
                if !is_one_of(key, &NAMES) {
                    outline.texts.push(key.range());
                }
                outline.take_all(Some(key), value);
            }
        }
    }
    Ok(row)
}

/// Who says what is in an item.
fn by(of: &str, item: Value<'_>) -> Result<String, BodyFault> {
    if of != "message" {
        let is_result = of.ends_with("_output") || of == "mcp_approval_response";
        return Ok(if is_result { "tool" } else { "assistant" }.to_owned());
    }
    let role = item.get("role").ok_or_else(|| BodyFault::Missing("role".to_owned()))?;
    let known = ROLES.iter().find(|known| role.is(known) && role.kind() == Kind::String);
    let known = known.ok_or_else(|| BodyFault::wrong("role", "one of user, assistant, system, developer"))?;
    Ok((*known).to_owned())
}

/// A text, or parts of one; what the parts say is added to `texts`.
fn said(
    outline: &mut Outline,
    (field, value): (&str, Value<'_>),
    texts: &mut Vec<Range<usize>>,
) -> Result<(), BodyFault> {
    match value.kind() {
        Kind::Null => Ok(()),
        Kind::String => {
            outline.texts.push(value.range());
            texts.push(value.range());
            Ok(())
        }
        // What a computer shows is one part.
        Kind::Object => part(outline, value).map_err(|fault| fault.within(field)),
        Kind::Array if value.elements().count() == value.len() => {
            for (at, element) in value.elements().enumerate() {
                match element.kind() {
                    Kind::String => outline.texts.push(element.range()),
                    _ => part(outline, element).map_err(|fault| fault.within(&format!("{field}[{at}]")))?,
                }
                outline.join_arrays(element);
            }
            texts.extend(value.parts().map(|part| part.range()));
            Ok(())
        }
        _ => Err(BodyFault::wrong(field, CONTENT)),
    }
}

fn part(outline: &mut Outline, part: Value<'_>) -> Result<(), BodyFault> {
    if part.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let of = part.get("type").ok_or_else(|| BodyFault::Missing("type".to_owned()))?;
    kind("type", of, &[Kind::String], "a string")?;
    unless_known(outline, of);
    let is_any = |types: &[&str]| types.iter().any(|known| of.is(known));
    let medium = match () {
        () if is_any(&["input_image", "computer_screenshot"]) => "image",
        () if is_any(&["input_audio"]) => "audio",
        () if is_any(&["input_file"]) => "file",
        () => "other",
    };
    for (key, value) in part.members().filter(|(key, _)| !key.is("type")) {
        if !is_one_of(key, &TYPES) && !is_one_of(key, &MEDIA) {
            outline.texts.push(key.range());
        }
        // Where a text was found is no medium of the request's.
        if key.is("annotations") || key.is("logprobs") {
            outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
        } else {
            note_media(outline, medium, (key, value));
        }
        outline.take_numbers(Some(key), value);
    }
    Ok(())
}

/// A word that is the dialect's is structure, and a text otherwise.
fn unless_known(outline: &mut Outline, word: Value<'_>) {
    if !is_one_of(word, &TYPES) {
        outline.texts.extend(word.leaves().map(|leaf| leaf.range()));
    }
}

/// What a vendor sealed for itself. What anybody can read is not sealed, whatever it is called.
fn sealed(outline: &mut Outline, value: Value<'_>) {
    let text = value.text();
    if value.kind() != Kind::String || !is_base64(&text) {
        outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
        outline.take_numbers(None, value);
    } else if Held::read(&text) == Held::Opaque {
        outline.sealed_bytes = outline.sealed_bytes.saturating_add(text.len());
    } else {
        outline.embedded.push(Embedded { at: value.range(), medium: "other", textual: true });
    }
}

/// A picture that a vendor drew, in base64.
fn picture(outline: &mut Outline, value: Value<'_>) {
    if value.kind() == Kind::String && is_base64(&value.text()) {
        outline.media_bytes = outline.media_bytes.saturating_add(value.range().len());
        outline.embedded.push(Embedded { at: value.range(), medium: "image", textual: false });
    } else {
        outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
        outline.take_numbers(None, value);
    }
}

fn is_one_of(word: Value<'_>, words: &[&str]) -> bool {
    words.iter().any(|known| word.is(known))
}
