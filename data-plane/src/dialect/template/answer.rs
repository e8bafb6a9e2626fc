//! An answer, read by a template's pointers.
//!
//! Law: an answer that says what went wrong, or has no text where the template points, is none, but for one that a filter ended before it
//! said anything. Tokens are told both, or not at all.

use std::collections::BTreeMap;

use policy_engine::facts::template::{Pointer, Told};
use policy_engine::vocabulary::Ending;

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Kind, Part};
use crate::tape::{Kind as Form, Tape, Value};

/// Words for an answer that was as long as it might be, as APIs have them.
const LENGTH: [&str; 6] =
    ["length", "max_length", "max_new_tokens", "max_tokens", "model_length", "token_limit"];
/// Words for one that a filter ended.
const FILTERED: [&str; 4] = ["blocked", "content_filter", "content_filtered", "safety"];

/// Reads an answer; `None`: it is none.
pub(crate) fn read(told: &Told, body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    if error(root, told.error.as_ref()).is_some() {
        return None;
    }
    let finish = told.finish.as_ref().and_then(|pointer| finish(root, pointer, &told.endings));
    let text = match at(root, &told.text) {
        None if finish == Some(Finish::Filtered) => String::new(),
        _ => text(root, &told.text)?,
    };
    Some(Answer {
        id: told.id.as_ref().and_then(|id| self::text(root, id)).unwrap_or_default(),
        choices: vec![Choice {
            content: vec![Part::of(Kind::Text(text))],
            finish: Some(finish.unwrap_or(Finish::Stop)),
        }],
        usage: usage(root, told),
        ..Answer::default()
    })
}

/// What an error says, where the template points to it.
pub(crate) fn message(error: &Pointer, body: &[u8]) -> Option<String> {
    let mut tape = Tape::default();
    tape.read(body).ok()?;
    text(tape.root(body)?, error).filter(|text| !text.is_empty())
}

/// What went wrong, where the template points to it; `false` and what is empty say that nothing did.
pub(super) fn error<'t>(root: Value<'t>, error: Option<&Pointer>) -> Option<Value<'t>> {
    let value = at(root, error?)?;
    let is_nothing = match value.kind() {
        Form::False => true,
        Form::String => value.text().is_empty(),
        Form::Object | Form::Array => value.len() == 0,
        _ => false,
    };
    (!is_nothing).then_some(value)
}

/// What a pointer points to; nothing where there is nothing, or `null`.
pub(super) fn at<'t>(root: Value<'t>, pointer: &Pointer) -> Option<Value<'t>> {
    let mut value = root;
    for step in &pointer.0 {
        value = match value.kind() {
            Form::Object => value.get(step)?,
            // Numbers in an array have no place on the tape: no element is counted wrongly for it.
            Form::Array if value.elements().count() == value.len() => value.elements().nth(index(step)?)?,
            _ => return None,
        };
    }
    (value.kind() != Form::Null).then_some(value)
}

fn index(step: &str) -> Option<usize> {
    step.bytes().all(|byte| byte.is_ascii_digit()).then(|| step.parse().ok()).flatten()
}

/// The text that a pointer points to.
pub(super) fn text(root: Value<'_>, pointer: &Pointer) -> Option<String> {
    at(root, pointer).filter(|value| value.kind() == Form::String).map(|value| value.text().into_owned())
}

/// Why it ended; `None`: it has not.
pub(super) fn finish(
    root: Value<'_>,
    pointer: &Pointer,
    endings: &BTreeMap<String, Ending>,
) -> Option<Finish> {
    let value = at(root, pointer)?;
    let word = match value.kind() {
        Form::True => return Some(Finish::Stop),
        Form::String => value.text(),
        _ => return None,
    };
    let is = |words: &[&str]| words.iter().any(|usual| word.eq_ignore_ascii_case(usual));
    match endings.get(word.as_ref()) {
        Some(Ending::Stop) => Some(Finish::Stop),
        Some(Ending::Length) => Some(Finish::Length),
        Some(Ending::ContentFilter) => Some(Finish::Filtered),
        None if word.is_empty() => None,
        None if is(&LENGTH) => Some(Finish::Length),
        None if is(&FILTERED) => Some(Finish::Filtered),
        None => Some(Finish::Stop),
    }
}

/// What was used; `None`: it is not told.
fn usage(root: Value<'_>, told: &Told) -> Option<Usage> {
    let (input, output) = tokens(root, told);
    Some(Usage { input: input?, output: output?, ..Usage::default() })
}

/// Tokens of input and of output, each where it is told.
pub(super) fn tokens(root: Value<'_>, told: &Told) -> (Option<u64>, Option<u64>) {
    let number = |pointer: &Pointer| at(root, pointer).and_then(|value| value.whole());
    match &told.tokens {
        Some((input, output)) => (number(input), number(output)),
        None => (None, None),
    }
}
