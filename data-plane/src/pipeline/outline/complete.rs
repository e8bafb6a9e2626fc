//! The body of a text that is to be gone on with.
//!
//! Law: see the parent. The fields are those of OpenAI's reference for `POST /v1/completions`; what means the same as in a chat is
//! read as there.

use policy_engine::vocabulary::Operation;

use super::chat::{MOST_TOKENS, check, model, note, note_model, stream_options};
use super::inputs::{self, Empty, Form};
use super::{ANSWERS, Outline, UsageOption};
use crate::dialect::field::{BodyFault, boolean, kind, whole};
use crate::tape::{Kind, Value};

/// The texts; each is answered.
const PROMPT: Form = Form {
    field: "prompt",
    expected: "a text, an array of at most 128 texts, or token numbers",
    most: 128,
    empty: Empty::Taken,
};

/// Fields that decide what is asked of whom.
const OWN: [&str; 10] = [
    "model",
    "prompt",
    "suffix",
    "stream",
    "stream_options",
    "max_tokens",
    "n",
    "best_of",
    "echo",
    "logprobs",
];

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    outline.usage = UsageOption::Absent(root.range().start + 1);
    let (mut prompts, mut echoes, mut echoed) = (None, false, 0);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "prompt" => {
                let before = outline.texts.len();
                prompts = Some(inputs::read(outline, PROMPT, value)?);
                echoed = outline.texts.iter().skip(before).map(std::ops::Range::len).sum();
            }
            "suffix" => {
                kind("suffix", value, &[Kind::String], "a string")?;
                outline.texts.extend(value.leaves().map(|leaf| leaf.range()));
            }
            "stream" => outline.stream = boolean("stream", value)?.unwrap_or(false),
            "stream_options" => stream_options(outline, value)?,
            "max_tokens" => {
                outline.max_tokens = whole("max_tokens", value, 0..=MOST_TOKENS, "a whole number of tokens")?;
            }
            name @ ("n" | "best_of") => {
                let n = whole(name, value, 1..=ANSWERS, "a whole number from 1 to 128")?.unwrap_or(1);
                outline.answers = outline.answers.max(n);
                if name == "n" {
                    outline.choices = n;
                }
            }
            "echo" => echoes = boolean("echo", value)?.unwrap_or(false),
            "logprobs" => drop(whole("logprobs", value, 0..=20, "a whole number from 0 to 20")?),
            name => field(outline, name, (key, value))?,
        }
    }
    note_model(outline)?;
    if outline.model.is_empty() {
        return Err(BodyFault::Missing("model".to_owned()));
    }
    let prompts = prompts.ok_or_else(|| BodyFault::Missing("prompt".to_owned()))?;
    answer_each(outline, prompts as u64, if echoes { echoed } else { 0 })
}

/// Every text is answered as often as one is; `echoed` bytes of them are repeated each time.
fn answer_each(outline: &mut Outline, prompts: u64, echoed: usize) -> Result<(), BodyFault> {
    outline.echoed_bytes = echoed.saturating_mul(usize::try_from(outline.choices).unwrap_or(usize::MAX));
    outline.choices = outline.choices.saturating_mul(prompts);
    outline.answers = outline.answers.saturating_mul(prompts);
    if outline.choices > ANSWERS {
        return Err(BodyFault::wrong("n", "such that there are at most 128 answers to all texts"));
    }
    Ok(())
}

/// A field that concerns only the vendor, or that we do not know.
fn field(outline: &mut Outline, name: &str, (key, value): (Value<'_>, Value<'_>)) -> Result<(), BodyFault> {
    let known = note(outline, (Operation::Complete, &OWN), name, (key, value))?;
    check(name, value)?;
    // Of the dialect's own numbers (a seed), none is anybody's.
    if value.kind() != Kind::Number || !known {
        outline.take_all(Some(key), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;

    fn read(body: &str) -> Result<Outline, BodyFault> {
        Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Complete)
    }

    #[test]
    fn every_text_is_answered_as_often_as_is_asked() {
        for (body, texts, tokens, choices, answers) in [
            (r#"{"model":"m","prompt":"a"}"#, 1, 0, 1, 1),
            (r#"{"model":"m","prompt":""}"#, 1, 0, 1, 1),
            (r#"{"model":"m","prompt":["a","b",""],"n":2,"best_of":5}"#, 3, 0, 6, 15),
            (r#"{"model":"m","prompt":[1,2,3]}"#, 0, 3, 1, 1),
            (r#"{"model":"m","prompt":[[1,2],[3]],"n":3}"#, 0, 3, 6, 6),
            (
                r#"{"model":"m","prompt":"a","suffix":"b","user":"u","stop":["x"],"seed":4111111111111111}"#,
                4,
                0,
                1,
                1,
            ),
        ] {
            let outline = read(body).unwrap();
            assert_eq!((outline.texts.len(), outline.token_numbers), (texts, tokens), "{body}");
            assert_eq!((outline.choices, outline.answers), (choices, answers), "{body}");
            assert!(outline.unknown_fields.is_empty() && outline.numbers.is_empty(), "{body}");
        }
        let joined = read(r#"{"model":"m","prompt":["a","b"],"n":2,"echo":true}"#).unwrap();
        assert_eq!((joined.joined.len(), joined.echoed_bytes), (1, 12), "quotes among them");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, field) in [
            (r#"{"model":"m"}"#, "prompt"),
            (r#"{"prompt":"a"}"#, "model"),
            (r#"{"model":"m","prompt":null}"#, "prompt"),
            (r#"{"model":"m","prompt":["a",1]}"#, "prompt"),
            (r#"{"model":"m","prompt":["a",{}]}"#, "prompt[1]"),
            (r#"{"model":"m","prompt":["a","b"],"n":65}"#, "n"),
            (r#"{"model":"m","prompt":"a","n":0}"#, "n"),
            (r#"{"model":"m","prompt":"a","temperature":"hot"}"#, "temperature"),
            (r#"{"model":"m","prompt":"a","logprobs":true}"#, "logprobs"),
            (r#"{"model":"m","prompt":"a","suffix":["b"]}"#, "suffix"),
            (r#"{"model":"m","prompt":"a","Prompt":"b"}"#, "Prompt"),
            (r#"{"model":"m","prompt":"a","max_tokens":-1}"#, "max_tokens"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }

    #[test]
    fn what_a_vendor_would_run_is_egress_here_too() {
        let body =
            r#"{"model":"m:online","prompt":"a","plugins":[{"id":"web"}],"models":["x"],"transforms":[]}"#;
        let outline = read(body).unwrap();
        assert_eq!(outline.egress_tools, ["plugins", "routing", "web_search"]);
        assert_eq!(outline.unknown_fields, ["plugins", "models", "transforms"]);
    }
}
