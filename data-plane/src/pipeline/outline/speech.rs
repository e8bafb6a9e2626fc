//! The body of a text that is to be spoken.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/audio/speech`; the answer is the sound itself, never
//! events.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::{model, note, note_model};
use crate::dialect::field::{BodyFault, kind};
use crate::tape::{Kind, Value};

/// Fields that decide what is asked of whom.
const OWN: [&str; 4] = ["model", "input", "instructions", "stream_format"];

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut input = false;
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "input" => {
                if value.kind() != Kind::String || value.is("") {
                    return Err(BodyFault::wrong("input", "a text"));
                }
                outline.texts.push(value.range());
                outline.characters = value.text().chars().count() as u64;
                input = true;
            }
            "instructions" => {
                kind("instructions", value, &[Kind::String], "a text")?;
                outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
            }
            "stream_format" if !(value.kind() == Kind::Null || value.is("audio")) => {
                return Err(BodyFault::wrong(
                    "stream_format",
                    "`audio`: sound comes as it is, not in events",
                ));
            }
            "stream_format" => {}
            name => {
                let known = note(outline, (Operation::Speech, &OWN), name, (key, value))?;
                if value.kind() != Kind::Number || !known {
                    outline.take_all(Some(key), value);
                }
            }
        }
    }
    note_model(outline)?;
    match (outline.model.is_empty(), input) {
        (true, _) => Err(BodyFault::Missing("model".to_owned())),
        (_, false) => Err(BodyFault::Missing("input".to_owned())),
        _ => Ok(()),
    }
}
