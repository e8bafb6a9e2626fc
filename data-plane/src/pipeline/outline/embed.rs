//! An embedding's body.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/embeddings`.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::model;
use super::inputs::{self, Empty, Form};
use crate::dialect::field::{BodyFault, kind, whole};
use crate::tape::{Kind, Value};

/// The texts; at most as many as the dialect has it.
const INPUT: Form = Form {
    field: "input",
    expected: "a text, an array of at most 2048 texts, or token numbers",
    most: 2048,
    empty: Empty::Refused,
};

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut input = None;
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "input" => input = Some(inputs::read(outline, INPUT, value)?),
            "dimensions" => drop(whole("dimensions", value, 1..=65_536, "a whole number, at least 1")?),
            name @ ("encoding_format" | "user" | "input_type") => {
                outline.note_field(Operation::Embed, name);
                kind(name, value, &[Kind::String], "a string")?;
                outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
            }
            name => {
                outline.note_field(Operation::Embed, name);
                outline.texts.push(key.range());
                outline.take_all(Some(key), value);
            }
        }
    }
    if outline.model.is_empty() {
        return Err(BodyFault::Missing("model".to_owned()));
    }
    input.map(drop).ok_or_else(|| BodyFault::Missing("input".to_owned()))
}
