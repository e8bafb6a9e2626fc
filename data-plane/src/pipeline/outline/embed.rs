//! An embedding's body.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/embeddings`.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::model;
use crate::dialect::field::{BodyFault, kind, whole};
use crate::tape::{Kind, Value};

/// The most texts of one request, as the dialect has it.
const INPUTS: usize = 2048;

const INPUT: &str = "a text, an array of at most 2048 texts, or token numbers";

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut input = None;
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "input" => input = Some(read_input(outline, value)?),
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
    input.ok_or_else(|| BodyFault::Missing("input".to_owned()))
}

fn read_input(outline: &mut Outline, input: Value<'_>) -> Result<(), BodyFault> {
    match input.kind() {
        Kind::String if !input.is("") => outline.texts.push(input.range()),
        Kind::Array if (1..=INPUTS).contains(&input.len()) || numbers(input) => {
            let loose = input.len().saturating_sub(input.elements().count());
            if loose > 0 && loose < input.len() {
                return Err(BodyFault::wrong("input", INPUT));
            }
            outline.token_numbers = loose as u64;
            for (at, one) in input.elements().enumerate() {
                read_one(outline, one).map_err(|()| BodyFault::wrong(format!("input[{at}]"), INPUT))?;
            }
            // Texts are cut to the length a model takes, values and all.
            outline.join(input.parts().map(|part| part.range()).collect());
        }
        _ => return Err(BodyFault::wrong("input", INPUT)),
    }
    Ok(())
}

fn numbers(array: Value<'_>) -> bool {
    array.len() > 0 && array.elements().next().is_none()
}

fn read_one(outline: &mut Outline, one: Value<'_>) -> Result<(), ()> {
    match one.kind() {
        Kind::String if !one.is("") => outline.texts.push(one.range()),
        Kind::Array if numbers(one) => {
            outline.token_numbers = outline.token_numbers.saturating_add(one.len() as u64);
        }
        _ => return Err(()),
    }
    Ok(())
}
