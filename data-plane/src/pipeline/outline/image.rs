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

/// How a width and a height are spelt.
const ONE_WAY: &str = "a width and a height such as `1024x1024`, without signs, spaces and leading zeros";

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
                if name == "size" && value.kind() == Kind::String && is_odd(&value.text()) {
                    return Err(BodyFault::wrong("size", ONE_WAY));
                }
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

/// Whether a size is a width and a height in another spelling than that of prices: a vendor may make the same picture of it, for which then
/// another price would hold.
fn is_odd(size: &str) -> bool {
    let Some((width, height)) = size.split_once(['x', 'X']) else { return false };
    let sides = [width, height];
    let is_number = |side: &&str| side.trim().parse::<u64>().is_ok();
    let is_plain = |side: &&str| !side.starts_with('0') && side.bytes().all(|byte| byte.is_ascii_digit());
    sides.iter().all(is_number) && !(sides.iter().all(is_plain) && size.contains('x'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_and_a_height_are_spelt_in_one_way() {
        for odd in [
            "+1792x1024",
            "01792x1024",
            "1792x01024",
            "1792X1024",
            " 1792x1024",
            "1792 x 1024",
            "1792x1024\n",
        ] {
            assert!(is_odd(odd), "{odd:?}");
        }
        for plain in ["1792x1024", "auto", "1024*1024", "hdx", "", "square_hd"] {
            assert!(!is_odd(plain), "{plain:?}");
        }
    }
}
