//! The body of a picture that is to be made, or changed.
//!
//! Law: see the parent. The fields are those of OpenAI's references for `POST /v1/images/generations` and `/v1/images/edits`; of the
//! latter, a form, every field is a text and every file is told of (`file`). Pictures come whole.

use policy_engine::facts::Label;
use policy_engine::vocabulary::Operation;

use super::chat::{model, note, note_model};
use super::file::{FILES, is_file, take_file, whole_of_form};
use super::{ANSWERS, Outline};
use crate::dialect::field::BodyFault;
use crate::tape::{Kind, Value};

/// Fields that decide what is asked of whom.
const OWN: [&str; 7] = ["model", "prompt", "n", "stream", "image", "image[]", "mask"];

/// No vendor makes a picture of more tokens.
const MOST_TOKENS: u64 = 8192;

pub(super) fn read(outline: &mut Outline, root: Value<'_>, operation: Operation) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    outline.max_tokens = Some(MOST_TOKENS);
    let (mut prompt, mut pictures) = (false, 0);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "prompt" => {
                if value.kind() != Kind::String || value.is("") {
                    return Err(BodyFault::wrong("prompt", "a text"));
                }
                outline.texts.push(value.range());
                prompt = true;
            }
            "n" => outline.answers = whole_of_form("n", value, 1..=ANSWERS, "a whole number from 1 to 128")?,
            "stream" if !(value.kind() == Kind::Null || value.kind() == Kind::False || value.is("false")) => {
                return Err(BodyFault::wrong("stream", "`false`: pictures come whole here"));
            }
            "stream" => {}
            name @ ("image" | "image[]" | "mask") if operation == Operation::EditImage => {
                pictures += usize::from(name != "mask") * take_file(outline, (name, "image"), value)?;
            }
            name => {
                let word = || Label::new(&value.text()).filter(|_| value.kind() == Kind::String);
                match name {
                    "size" => outline.picture.size = word(),
                    "quality" => outline.picture.quality = word(),
                    _ => {}
                }
                let known = note(outline, (operation, &OWN), name, (key, value))?;
                let is_file = operation == Operation::EditImage && is_file(value);
                if known && is_file {
                    return Err(BodyFault::wrong(name, "a text"));
                } else if is_file {
                    take_file(outline, (name, "other"), value)?;
                } else if value.kind() != Kind::Number || !known {
                    outline.take_all(Some(key), value);
                }
            }
        }
    }
    note_model(outline)?;
    let missing = |field: &str| Err(BodyFault::Missing(field.to_owned()));
    match (outline.model.is_empty(), prompt, pictures) {
        (true, ..) => missing("model"),
        (_, false, _) => missing("prompt"),
        (.., 0) if operation == Operation::EditImage => missing("image"),
        (.., FILES..) => Err(BodyFault::wrong("image", "at most 16 pictures")),
        _ => Ok(()),
    }
}
