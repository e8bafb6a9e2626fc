//! An answer of Anthropic's dialect, read and written.
//!
//! Law: `input_tokens` leaves out what was kept and what was written to be kept, which the form in between counts in. Absent on purpose: what is
//! counted of tools that the vendor runs.

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Kind, Part};
use super::super::json::Json;
use super::block::{self, member, raw};
use crate::tape::{Kind as Form, Tape, Value};

/// Members that have a place in an [`Answer`], or that are written from it.
const KNOWN: [&str; 9] =
    ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"];

/// Reads an answer; `None`: it is none.
pub(crate) fn read(body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let blocks = root.get("content").filter(|content| content.kind() == Form::Array)?;
    let mut content: Vec<Part> = blocks.elements().map(part).collect();
    content.extend(explanation(root).map(|why| Part::of(Kind::Refusal(why))));
    let others = root
        .members()
        .filter(|(key, value)| value.kind() != Form::Null && !KNOWN.iter().any(|known| key.is(known)));
    Some(Answer {
        id: string(root, "id").unwrap_or_default(),
        model: string(root, "model").unwrap_or_default(),
        created: None,
        choices: vec![Choice { content, finish: finish(root) }],
        usage: member(root, "usage").map(|told| usage(told, Usage::default())),
        others: others.map(|(key, value)| (key.text().into_owned(), raw(value))).collect(),
    })
}

/// A block of an answer. What a vendor says of a text beside it, such as where it has it from, leaves it a text.
fn part(one: Value<'_>) -> Part {
    if let (Some("text"), Some(text)) = (string(one, "type").as_deref(), string(one, "text")) {
        return Part::of(Kind::Text(text));
    }
    let part = block::block("", one).unwrap_or_else(|_| Part::of(Kind::Other(raw(one))));
    Part { cache: None, ..part }
}

/// A string, where there is one.
pub(super) fn string(of: Value<'_>, name: &str) -> Option<String> {
    of.get(name).filter(|value| value.kind() == Form::String).map(|value| value.text().into_owned())
}

/// Why the model will not say it, in a message or in the delta of one.
pub(super) fn explanation(of: Value<'_>) -> Option<String> {
    string(of.get("stop_details")?, "explanation")
}

/// Why a message ended, where it has; in a message or in the delta of one.
pub(super) fn finish(of: Value<'_>) -> Option<Finish> {
    Some(match string(of, "stop_reason")?.as_str() {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(string(of, "stop_sequence")),
        "tool_use" => Finish::Calls,
        "refusal" => Finish::Filtered,
        "pause_turn" => Finish::Paused,
        _ => Finish::Stop,
    })
}

/// What was used: what is told, and what is not as it was told before.
pub(super) fn usage(told: Value<'_>, before: Usage) -> Usage {
    let number = |name: &str, before: u64| told.get(name).and_then(|number| number.whole()).unwrap_or(before);
    let cached = number("cache_read_input_tokens", before.cached);
    let cache_written = number("cache_creation_input_tokens", before.cache_written);
    let uncached = before.input.saturating_sub(before.cached).saturating_sub(before.cache_written);
    let details = member(told, "output_tokens_details");
    let thinking = details.and_then(|details| details.get("thinking_tokens")).and_then(|n| n.whole());
    Usage {
        input: number("input_tokens", uncached).saturating_add(cached).saturating_add(cache_written),
        cached,
        cache_written,
        output: number("output_tokens", before.output),
        thinking: thinking.unwrap_or(before.thinking),
    }
}

/// Writes an answer; of several, the first, for the dialect has one.
pub(crate) fn write(answer: &Answer) -> Vec<u8> {
    let choice = answer.choices.first();
    let content = choice.map(|choice| choice.content.as_slice()).unwrap_or_default();
    let refusal: Vec<&str> = content
        .iter()
        .filter_map(|part| if let Kind::Refusal(why) = &part.kind { Some(why.as_str()) } else { None })
        .collect();
    let refusal = (!refusal.is_empty()).then(|| refusal.concat());
    let mut json = Json::default();
    json.object(|json| {
        json.key("id").string(&answer.id);
        json.key("type").string("message");
        json.key("role").string("assistant");
        json.key("model").string(&answer.model);
        json.key("content").array(|json| {
            content.iter().enumerate().for_each(|(at, part)| write_part((&answer.id, at), part, json));
        });
        let calls = content.iter().any(|part| matches!(part.kind, Kind::Call(_)));
        let finish = choice.and_then(|choice| choice.finish.as_ref());
        write_finish(finish, End { calls, refusal: refusal.as_deref() }, json);
        json.key("usage").object(|json| write_usage(&answer.usage.unwrap_or_default(), json));
        for (name, value) in answer.others.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
            json.key(name).raw(value.as_bytes());
        }
    });
    json.done()
}

fn write_part((id, at): (&str, usize), part: &Part, json: &mut Json) {
    match &part.kind {
        Kind::Text(text) if !text.is_empty() => json.object(|json| block::write_text(text, json)),
        Kind::Thinking { text, signature } => {
            json.object(|json| block::write_thinking((text, signature.as_deref()), json));
        }
        Kind::Redacted(data) => json.object(|json| block::write_redacted(data, json)),
        Kind::Call(call) => {
            let id = if call.id.is_empty() { made(id, at as u64) } else { call.id.clone() };
            let arguments = match block::arguments(&call.arguments) {
                Some(object) => object.to_owned(),
                None => none(&call.arguments),
            };
            json.object(|json| block::write_tool_use((&id, &call.name, &arguments), json));
        }
        Kind::Other(raw) if block::is_ours(raw) => json.raw(raw.as_bytes()),
        // Why the model will not say it stands with the end; what else there is, no model says.
        _ => {}
    }
}

/// What a model wrote for arguments and is no object, as the dialect needs one.
fn none(arguments: &str) -> String {
    let mut json = Json::default();
    json.object(|json| json.key("arguments").string(arguments));
    String::from_utf8_lossy(&json.done()).into_owned()
}

/// An id for a call that has none, which no other message has: ids have to differ within a conversation.
pub(super) fn made(message: &str, at: u64) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    format!("toolu_{}_{at}", message.chars().filter(fits).collect::<String>())
}

/// What was said before an end, as far as it tells why it is one.
#[derive(Clone, Copy)]
pub(super) struct End<'e> {
    /// Whether tools are called.
    pub(super) calls: bool,
    /// Why the model will not say it.
    pub(super) refusal: Option<&'e str>,
}

/// Writes why a message ended, or that it has not, and why the model will not say it. OpenAI is done, and does not wait, when it calls the tool
/// that it must; here who is asked waits for every tool.
pub(super) fn write_finish(finish: Option<&Finish>, End { calls, refusal }: End<'_>, json: &mut Json) {
    let reason = finish.map(|finish| match finish {
        Finish::Filtered => "refusal",
        Finish::Stop if refusal.is_some() => "refusal",
        Finish::Stop if calls => "tool_use",
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Paused => "pause_turn",
    });
    match reason {
        Some(reason) => json.key("stop_reason").string(reason),
        None => json.key("stop_reason").null(),
    }
    match finish {
        Some(Finish::StopSequence(Some(sequence))) => json.key("stop_sequence").string(sequence),
        _ => json.key("stop_sequence").null(),
    }
    if let Some(refusal) = refusal {
        json.key("stop_details").object(|json| {
            json.key("type").string("refusal");
            json.key("category").null();
            json.key("explanation").string(refusal);
        });
    }
}

/// Writes what was used.
pub(super) fn write_usage(usage: &Usage, json: &mut Json) {
    let uncached = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_written);
    json.key("input_tokens").number_of(uncached);
    json.key("cache_creation_input_tokens").number_of(usage.cache_written);
    json.key("cache_read_input_tokens").number_of(usage.cached);
    json.key("output_tokens").number_of(usage.output);
    if usage.thinking > 0 {
        json.key("output_tokens_details")
            .object(|json| json.key("thinking_tokens").number_of(usage.thinking));
    }
}
