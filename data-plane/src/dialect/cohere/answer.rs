//! An answer of Cohere's dialect, read.
//!
//! Law: an answer that the vendor says it could not end is none. Where a text is from stays with the vendor's own callers. Absent on purpose: the
//! model, which the dialect does not tell.

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Call, Kind, Part};
use super::super::field::{member, text};
use crate::tape::{Tape, Value};

/// Reads an answer; `None`: it is none.
pub(crate) fn read(body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let message = member(root, "message")?;
    let finish = match text(root, "finish_reason") {
        Some(reason) => Some(finish(&reason)?),
        None => None,
    };
    let mut content: Vec<Part> = plan(message).into_iter().collect();
    let parts = member(message, "content").into_iter().flat_map(|content| content.elements());
    content.extend(parts.filter_map(part));
    let calls = member(message, "tool_calls").into_iter().flat_map(|calls| calls.elements());
    content.extend(calls.filter_map(call));
    Some(Answer {
        id: text(root, "id").unwrap_or_default(),
        choices: vec![Choice { content, finish }],
        usage: member(root, "usage").and_then(usage),
        ..Answer::default()
    })
}

/// What the model means to do with its tools.
fn plan(message: Value<'_>) -> Option<Part> {
    let text = text(message, "tool_plan").filter(|plan| !plan.is_empty())?;
    Some(Part::of(Kind::Thinking { text, signature: None }))
}

fn part(part: Value<'_>) -> Option<Part> {
    let kind = match text(part, "type")?.as_str() {
        "thinking" => Kind::Thinking { text: text(part, "thinking")?, signature: None },
        _ => Kind::Text(text(part, "text")?),
    };
    Some(Part::of(kind))
}

fn call(call: Value<'_>) -> Option<Part> {
    let function = member(call, "function")?;
    let arguments = text(function, "arguments").unwrap_or_default();
    Some(Part::of(Kind::Call(Call {
        id: text(call, "id").unwrap_or_default(),
        name: text(function, "name")?,
        arguments: if arguments.is_empty() { "{}".to_owned() } else { arguments },
    })))
}

/// Why an answer ended; `None`: the vendor could not end it.
pub(super) fn finish(reason: &str) -> Option<Finish> {
    Some(match reason {
        "ERROR" | "TIMEOUT" => return None,
        "TOOL_CALL" => Finish::Calls,
        "MAX_TOKENS" => Finish::Length,
        "STOP_SEQUENCE" => Finish::StopSequence(None),
        _ => Finish::Stop,
    })
}

/// What was used, where that is told.
pub(super) fn usage(told: Value<'_>) -> Option<Usage> {
    let counted = member(told, "billed_units").filter(|units| units.get("input_tokens").is_some());
    let counted = counted.or_else(|| member(told, "tokens"))?;
    let number = |of: Value<'_>, name: &str| of.get(name).and_then(number).unwrap_or(0);
    let input = number(counted, "input_tokens");
    Some(Usage {
        input,
        cached: number(told, "cached_tokens").min(input),
        cache_written: 0,
        output: number(counted, "output_tokens"),
        thinking: 0,
    })
}

/// A count, which the reference has as a number that need not be whole.
fn number(value: Value<'_>) -> Option<u64> {
    let written = || std::str::from_utf8(value.raw()).ok()?.parse::<f64>().ok();
    value.whole().or_else(|| {
        let number = written().filter(|number| (0.0..9_007_199_254_740_992.0).contains(number))?;
        Some(number.ceil() as u64)
    })
}
