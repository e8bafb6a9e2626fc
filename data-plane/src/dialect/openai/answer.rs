//! An answer of OpenAI's dialect, read and written.
//!
//! Law: thoughts stand in `reasoning_content`, where clients look for them, and beside it in `reasoning_details` where a vendor proved them.

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Kind, Part};
use super::super::json::Json;
use super::read::{self, text};
use super::write;
use crate::tape::{Kind as Form, Tape, Value};

/// Members that have a place in an [`Answer`], or that say nothing.
const KNOWN: [&str; 6] = ["id", "object", "created", "model", "choices", "usage"];

/// What the vendor itself calls an end that the dialect has no word for; OpenRouter's name of the member.
const NATIVE: &str = "native_finish_reason";

/// The word for a pause in [`NATIVE`], Anthropic's.
const PAUSED: &str = "pause_turn";

/// Reads an answer; `None`: it is none.
pub(crate) fn read(body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let others = root
        .members()
        .filter(|(key, value)| value.kind() != Form::Null && !KNOWN.iter().any(|known| key.is(known)));
    Some(Answer {
        id: text(root.get("id")).unwrap_or_default(),
        model: text(root.get("model")).unwrap_or_default(),
        created: root.get("created").and_then(|created| created.whole()),
        choices: root.get("choices")?.elements().map(choice).collect(),
        usage: root.get("usage").and_then(usage),
        others: others
            .map(|(key, value)| (key.text().into_owned(), String::from_utf8_lossy(value.raw()).into()))
            .collect(),
    })
}

fn choice(choice: Value<'_>) -> Choice {
    let mut content = Vec::new();
    let Some(message) = choice.get("message") else { return Choice { content, finish: finish(choice) } };
    let said = |name: &str| text(message.get(name)).filter(|text| !text.is_empty());
    let details = message.get("reasoning_details").map(|details| details.elements().filter_map(read::detail));
    let thoughts: Vec<Kind> = details.into_iter().flatten().collect();
    match said("reasoning_content").or_else(|| said("reasoning")) {
        Some(text) if thoughts.is_empty() => {
            content.push(Part::of(Kind::Thinking { text, signature: None }));
        }
        _ => content.extend(thoughts.into_iter().map(Part::of)),
    }
    content.extend(said("content").map(|text| Part::of(Kind::Text(text))));
    content.extend(said("refusal").map(|refusal| Part::of(Kind::Refusal(refusal))));
    content.extend(message.get("tool_calls").into_iter().flat_map(|calls| calls.elements()).map(read::call));
    Choice { content, finish: finish(choice) }
}

/// Why a choice ended, where it has.
pub(super) fn finish(choice: Value<'_>) -> Option<Finish> {
    let reason = text(choice.get("finish_reason"))?;
    Some(match reason.as_str() {
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::Calls,
        "content_filter" => Finish::Filtered,
        _ if choice.get(NATIVE).is_some_and(|native| native.is(PAUSED)) => Finish::Paused,
        _ => match text(choice.get("stop_reason")) {
            Some(sequence) => Finish::StopSequence(Some(sequence)),
            None => Finish::Stop,
        },
    })
}

/// What was used; `None` for `null`.
pub(super) fn usage(usage: Value<'_>) -> Option<Usage> {
    if usage.kind() != Form::Object {
        return None;
    }
    let number = |value: Option<Value<'_>>| value.and_then(|number| number.whole()).unwrap_or(0);
    let within = |of: &str, name: &str| number(usage.get(of).and_then(|details| details.get(name)));
    Some(Usage {
        input: number(usage.get("prompt_tokens")),
        cached: within("prompt_tokens_details", "cached_tokens"),
        cache_written: within("prompt_tokens_details", "cache_write_tokens"),
        output: number(usage.get("completion_tokens")),
        thinking: within("completion_tokens_details", "reasoning_tokens"),
    })
}

/// Writes an answer that was made at a time, in seconds of Unix time, where its dialect does not tell.
pub(crate) fn write(answer: &Answer, now: u64) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| {
        json.key("id").string(&answer.id);
        json.key("object").string("chat.completion");
        json.key("created").number_of(answer.created.unwrap_or(now));
        json.key("model").string(&answer.model);
        json.key("choices").array(|json| {
            for (at, choice) in answer.choices.iter().enumerate() {
                json.object(|json| {
                    json.key("index").number_of(at as u64);
                    json.key("message").object(|json| message(&choice.content, json));
                    write_finish(choice.finish.as_ref(), json);
                });
            }
        });
        if let Some(usage) = &answer.usage {
            json.key("usage").object(|json| write_usage(usage, json));
        }
        answer.others.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
    });
    json.done()
}

fn message(content: &[Part], json: &mut Json) {
    let joined = |of: fn(&Kind) -> Option<&str>| -> Option<String> {
        let texts: Vec<&str> = content.iter().filter_map(|part| of(&part.kind)).collect();
        (!texts.is_empty()).then(|| texts.concat())
    };
    json.key("role").string("assistant");
    let said = joined(|kind| if let Kind::Text(text) = kind { Some(text) } else { None });
    match said {
        Some(text) => json.key("content").string(&text),
        None => json.key("content").null(),
    }
    if let Some(refusal) = joined(|kind| if let Kind::Refusal(text) = kind { Some(text) } else { None }) {
        json.key("refusal").string(&refusal);
    }
    let thought = joined(|kind| if let Kind::Thinking { text, .. } = kind { Some(text) } else { None });
    if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
        json.key("reasoning_content").string(&thought);
    }
    let is_proved =
        |part: &&Part| matches!(part.kind, Kind::Thinking { signature: Some(_), .. } | Kind::Redacted(_));
    if content.iter().any(|part| is_proved(&part)) {
        let is_thought = |part: &&Part| matches!(part.kind, Kind::Thinking { .. } | Kind::Redacted(_));
        json.key("reasoning_details").array(|json| {
            for part in content.iter().filter(is_thought) {
                json.object(|json| write::detail(&part.kind, json));
            }
        });
    }
    let mut calls = content.iter().filter_map(|part| match &part.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    });
    if let Some(first) = calls.next() {
        json.key("tool_calls").array(|json| {
            std::iter::once(first)
                .chain(calls)
                .for_each(|call| json.object(|json| write::write_call(call, json)));
        });
    }
}

/// Writes why a choice ended, or that it has not.
pub(super) fn write_finish(finish: Option<&Finish>, json: &mut Json) {
    let reason = finish.map(|finish| match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Paused => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
        Finish::Filtered => "content_filter",
    });
    match reason {
        Some(reason) => json.key("finish_reason").string(reason),
        None => json.key("finish_reason").null(),
    }
    match finish {
        Some(Finish::StopSequence(Some(sequence))) => json.key("stop_reason").string(sequence),
        Some(Finish::Paused) => json.key(NATIVE).string(PAUSED),
        _ => {}
    }
}

/// Writes what was used.
pub(super) fn write_usage(usage: &Usage, json: &mut Json) {
    json.key("prompt_tokens").number_of(usage.input);
    json.key("completion_tokens").number_of(usage.output);
    json.key("total_tokens").number_of(usage.input.saturating_add(usage.output));
    json.key("prompt_tokens_details").object(|json| {
        json.key("cached_tokens").number_of(usage.cached);
        if usage.cache_written > 0 {
            json.key("cache_write_tokens").number_of(usage.cache_written);
        }
    });
    json.key("completion_tokens_details")
        .object(|json| json.key("reasoning_tokens").number_of(usage.thinking));
}
