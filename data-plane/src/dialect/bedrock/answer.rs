//! An answer of Bedrock's dialect, read.
//!
//! Law: a block that says what no other dialect can say is left out; a text that is cited is a text. Absent on purpose: an id and a model, which
//! the dialect does not tell.

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Call, Kind, Part};
use super::super::field::{member, raw, text};
use crate::tape::{Kind as Form, Tape, Value};

/// Reads an answer; `None`: it is none.
pub(crate) fn read(body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let message = member(member(root, "output")?, "message")?;
    let blocks = member(message, "content").filter(|content| content.kind() == Form::Array)?;
    let content = blocks.elements().flat_map(parts).collect();
    let finish = match text(root, "stopReason") {
        Some(why) => Some(finish(&why)?),
        None => None,
    };
    Some(Answer {
        choices: vec![Choice { content, finish }],
        usage: member(root, "usage").map(usage),
        ..Answer::default()
    })
}

/// What an error says, for people; Cohere's says it alike.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let mut tape = Tape::default();
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    text(root, "message").or_else(|| text(root, "Message"))
}

fn parts(block: Value<'_>) -> Vec<Part> {
    let of = |kind| vec![Part::of(kind)];
    if let Some(text) = text(block, "text") {
        return of(Kind::Text(text));
    }
    if let Some(call) = member(block, "toolUse") {
        let said = |name: &str| text(call, name).unwrap_or_default();
        let arguments = member(call, "input").map_or_else(|| "{}".into(), raw).into_string();
        return of(Kind::Call(Call { id: said("toolUseId"), name: said("name"), arguments }));
    }
    if let Some(thought) = member(block, "reasoningContent") {
        let told = member(thought, "reasoningText").map(|thought| Kind::Thinking {
            text: text(thought, "text").unwrap_or_default(),
            signature: text(thought, "signature").filter(|signature| !signature.is_empty()),
        });
        let redacted = || text(thought, "redactedContent").map(Kind::Redacted);
        return told.or_else(redacted).map(Part::of).into_iter().collect();
    }
    let cited = member(block, "citationsContent").and_then(|cited| member(cited, "content"));
    let texts = cited.into_iter().flat_map(|cited| cited.elements()).filter_map(|one| text(one, "text"));
    texts.map(|text| Part::of(Kind::Text(text))).collect()
}

/// Why an answer ended; `None`: it is none, for the model began to call a tool and could not.
pub(super) fn finish(reason: &str) -> Option<Finish> {
    Some(match reason {
        "tool_use" => Finish::Calls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(None),
        "guardrail_intervened" | "content_filtered" => Finish::Filtered,
        "malformed_tool_use" | "malformed_model_output" => return None,
        _ => Finish::Stop,
    })
}

/// What was used.
pub(super) fn usage(told: Value<'_>) -> Usage {
    let number = |name: &str| told.get(name).and_then(|number| number.whole()).unwrap_or(0);
    let (cached, cache_written) = (number("cacheReadInputTokens"), number("cacheWriteInputTokens"));
    Usage {
        input: number("inputTokens").saturating_add(cached).saturating_add(cache_written),
        cached,
        cache_written,
        output: number("outputTokens"),
        thinking: 0,
    }
}
