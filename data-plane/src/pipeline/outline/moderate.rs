//! The body of what is to be judged.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/moderations`; parts are read as those of a chat's
//! message, and are judged as one.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::{model, note, read_part};
use super::inputs::{self, Empty, Form};
use crate::dialect::field::BodyFault;
use crate::tape::{Kind, Value};

/// The texts; each is judged.
const INPUT: Form = Form { field: "input", expected: EXPECTED, most: 2048, empty: Empty::Taken };

const EXPECTED: &str = "a text, an array of at most 2048 texts, or an array of parts";

/// Fields that decide what is asked of whom.
const OWN: [&str; 2] = ["model", "input"];

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut input = None;
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "input" => input = Some(read_input(outline, value)?),
            name => {
                note(outline, (Operation::Moderate, &OWN), name, (key, value))?;
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
    let objects = input.elements().filter(|element| element.kind() == Kind::Object).count();
    if objects == 0 {
        inputs::read(outline, INPUT, input)?;
        let numbers = outline.token_numbers > 0;
        return if numbers { Err(BodyFault::wrong("input", EXPECTED)) } else { Ok(()) };
    }
    if objects != input.len() || objects > INPUT.most {
        return Err(BodyFault::wrong("input", EXPECTED));
    }
    for (at, part) in input.elements().enumerate() {
        read_part(outline, part).map_err(|fault| fault.within(&format!("input[{at}]")))?;
    }
    outline.join(input.parts().map(|part| part.range()).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;

    fn read(input: &str) -> Result<Outline, BodyFault> {
        let body = format!(r#"{{"model":"m","input":{input}}}"#);
        Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Moderate)
    }

    #[test]
    fn texts_are_read_and_pictures_are_set_apart() {
        assert_eq!(read(r#""a""#).unwrap().texts.len(), 1);
        let texts = read(r#"["bob@exam","ple.org"]"#).unwrap();
        assert_eq!((texts.texts.len(), texts.joined.len()), (2, 1));
        let parts = r#"[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x.org/a.png"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]"#;
        let parts = read(parts).unwrap();
        assert_eq!((parts.elsewhere.as_slice(), parts.embedded.len()), (&["image"][..], 1));
        assert_eq!(parts.texts.len(), 2, "the text and the URL");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (input, field) in [
            ("null", "input"),
            ("[]", "input"),
            ("[1,2]", "input"),
            (r#"["a",{"type":"text","text":"b"}]"#, "input"),
            (r#"[{"text":"b"}]"#, "input[0].type"),
            (r#"[{"type":"text","text":7}]"#, "input[0].text"),
        ] {
            assert_eq!(read(input).unwrap_err().field(), Some(field), "{input}");
        }
    }
}
