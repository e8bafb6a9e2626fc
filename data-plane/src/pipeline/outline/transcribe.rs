//! The body of speech that is to be written down.
//!
//! Law: see the parent. The fields are those of OpenAI's references for `POST /v1/audio/transcriptions` and `/v1/audio/translations`,
//! which are forms: every field is a text, and the sound is told of (`file`). What was said comes whole.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::{model, note, note_model};
use super::file::{is_file, take_file};
use crate::dialect::field::BodyFault;
use crate::tape::{Kind, Value};

/// Fields that decide what is asked of whom.
const OWN: [&str; 5] = ["model", "file", "prompt", "stream", "response_format"];

/// Forms in which what was said is told.
const FORMS: [&str; 6] = ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"];

pub(super) fn read(outline: &mut Outline, root: Value<'_>, operation: Operation) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let mut files = 0;
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "file" => files += take_file(outline, ("file", "audio"), value)?,
            "stream" if !value.is("false") => {
                return Err(BodyFault::wrong("stream", "`false`: what was said comes whole here"));
            }
            "stream" => {}
            "response_format" if !FORMS.iter().any(|form| value.is(form)) => {
                let expected = "`json`, `text`, `srt`, `verbose_json`, `vtt` or `diarized_json`";
                return Err(BodyFault::wrong("response_format", expected));
            }
            "response_format" => {}
            name => {
                let known = note(outline, (operation, &OWN), name, (key, value))?;
                if known && is_file(value) {
                    return Err(BodyFault::wrong(name, "a text"));
                } else if is_file(value) {
                    take_file(outline, (name, "other"), value)?;
                } else {
                    outline.take_all(Some(key), value);
                }
            }
        }
    }
    note_model(outline)?;
    match (outline.model.is_empty(), files) {
        (true, _) => Err(BodyFault::Missing("model".to_owned())),
        (_, 1) => Ok(()),
        (_, 0) => Err(BodyFault::Missing("file".to_owned())),
        _ => Err(BodyFault::wrong("file", "one file")),
    }
}
