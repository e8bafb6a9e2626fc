//! An answer of the dialect, read and written.
//!
//! Law: what has no place in the form between stands among the others: members of the answer under their names, those of its candidates
//! together in `candidates`, each with its `index`. An end that the form has no word for, or that has several here, keeps its own there.

use super::super::answer::{Answer, Choice, Finish, Usage};
use super::super::chat::{Kind, Part, Raw};
use super::super::json::Json;
use super::config::together;
use super::ids::Ids;
use super::members::{at, members, raw, text_at};
use super::part;
use super::said::{Said, array, is_object, object};
use super::signature::Peer;
use crate::tape::{Kind as Form, Tape, Value};

/// Members that have a place in an [`Answer`].
const KNOWN: [&str; 5] = ["candidates", "usageMetadata", "modelVersion", "responseId", "createTime"];

/// Ends at which the vendor's filter kept something back.
const FILTERED: [&str; 11] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "NO_IMAGE",
];

/// The end of a call that is none.
const MALFORMED: &str = "MALFORMED_FUNCTION_CALL";

/// Reads an answer; `None`: it is none.
pub(crate) fn read(body: &[u8]) -> Option<Answer> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let candidates = at(root, "candidates");
    let blocked = blocked(root);
    if candidates.is_none() && blocked.is_none() && at(root, "usageMetadata").is_none() {
        return None;
    }
    let id = text_at(root, "responseId").unwrap_or_default();
    let mut ids = Ids::of_answer(&id);
    let mut found: Vec<(u64, Choice)> = Vec::new();
    let mut rest = Vec::new();
    for (position, candidate) in candidates.into_iter().flat_map(|all| all.elements()).enumerate() {
        let index = index(candidate, position);
        found.push((index, choice(candidate, &mut ids)));
        rest.extend(left_of(candidate, index));
    }
    found.sort_by_key(|(index, _)| *index);
    let mut choices: Vec<Choice> = found.into_iter().map(|(_, choice)| choice).collect();
    if choices.is_empty() {
        choices.extend(blocked.map(|message| Choice {
            content: message.map(|message| Part::of(Kind::Refusal(message))).into_iter().collect(),
            finish: Some(Finish::Filtered),
        }));
    }
    let mut others: Vec<(String, Raw)> = members(root)
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
        .map(|(name, value)| (name, raw(value)))
        .collect();
    if !rest.is_empty() {
        others.push(("candidates".to_owned(), format!("[{}]", rest.join(",")).into()));
    }
    Some(Answer {
        id,
        model: text_at(root, "modelVersion").unwrap_or_default(),
        created: created(root),
        choices,
        usage: at(root, "usageMetadata").and_then(usage),
        others,
    })
}

/// When an answer was made.
pub(super) fn created(root: Value<'_>) -> Option<u64> {
    let time: jiff::Timestamp = text_at(root, "createTime")?.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// Whether the prompt was blocked, and what is said of it.
pub(super) fn blocked(root: Value<'_>) -> Option<Option<String>> {
    let feedback = at(root, "promptFeedback")?;
    at(feedback, "blockReason")?;
    Some(text_at(feedback, "blockReasonMessage"))
}

/// Which of the candidates one is.
pub(super) fn index(candidate: Value<'_>, position: usize) -> u64 {
    at(candidate, "index").and_then(|index| index.whole()).unwrap_or(position as u64)
}

/// What a candidate says; a part that can't be read is kept as it is.
pub(super) fn content(candidate: Value<'_>, ids: &mut Ids) -> Vec<Part> {
    let parts = at(candidate, "content").and_then(|content| at(content, "parts"));
    let parts = parts.into_iter().flat_map(|parts| parts.elements());
    parts.flat_map(|value| part::read(value, Peer::Vendor, ids).unwrap_or_default()).collect()
}

fn choice(candidate: Value<'_>, ids: &mut Ids) -> Choice {
    let content = content(candidate, ids);
    let calls = content.iter().any(|part| matches!(part.kind, Kind::Call(_)));
    Choice { content, finish: finish(candidate, calls) }
}

/// Why a candidate ended, where it has.
pub(super) fn finish(candidate: Value<'_>, calls: bool) -> Option<Finish> {
    let reason = text_at(candidate, "finishReason").filter(|reason| reason != "FINISH_REASON_UNSPECIFIED")?;
    Some(match reason.as_str() {
        "MAX_TOKENS" => Finish::Length,
        reason if FILTERED.contains(&reason) => Finish::Filtered,
        _ if calls => Finish::Calls,
        _ => Finish::Stop,
    })
}

/// What a candidate has beside.
fn left_of(candidate: Value<'_>, index: u64) -> Option<String> {
    let is_said = |name: &str, value: Value<'_>| match name {
        "content" | "index" => true,
        "finishReason" => ["STOP", "MAX_TOKENS", "SAFETY"].iter().any(|reason| value.is(reason)),
        _ => false,
    };
    let members = members(candidate).unwrap_or_default().into_iter();
    let rest: Vec<(String, Raw)> = members
        .filter(|(name, value)| !is_said(name, *value))
        .map(|(name, value)| (name, raw(value)))
        .collect();
    let index = ("index".to_owned(), index.to_string().into());
    (!rest.is_empty())
        .then(|| together(&std::iter::once(index).chain(rest).collect::<Vec<_>>()).into_string())
}

/// What was used.
pub(super) fn usage(usage: Value<'_>) -> Option<Usage> {
    if usage.kind() != Form::Object {
        return None;
    }
    let number = |name: &str| at(usage, name).and_then(|number| number.whole()).unwrap_or(0);
    let thinking = number("thoughtsTokenCount");
    Some(Usage {
        input: number("promptTokenCount").saturating_add(number("toolUsePromptTokenCount")),
        cached: number("cachedContentTokenCount"),
        cache_written: 0,
        output: number("candidatesTokenCount").saturating_add(thinking),
        thinking,
    })
}

/// Writes an answer.
pub(crate) fn write(answer: &Answer) -> Vec<u8> {
    let mut json = Json::default();
    let feedback = answer.others.iter().find(|(name, _)| name == "promptFeedback");
    let is_blocked = feedback.is_some_and(|(_, feedback)| tells_block(feedback));
    let rest = answer.others.iter().find(|(name, _)| name == "candidates").map(|(_, rest)| &**rest);
    json.object(|json| {
        if !is_blocked {
            json.key("candidates").array(|json| {
                for (index, choice) in answer.choices.iter().enumerate() {
                    json.object(|json| candidate((index as u64, choice), rest, json));
                }
            });
        }
        if let Some(usage) = &answer.usage {
            json.key("usageMetadata").object(|json| write_usage(usage, json));
        }
        head(&answer.id, &answer.model, json);
        let others = answer.others.iter().filter(|(name, _)| name != "candidates");
        others.for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
    });
    json.done()
}

fn tells_block(feedback: &str) -> bool {
    let mut tape = Tape::for_text(feedback.len());
    tape.read(feedback.as_bytes()).is_ok()
        && tape.root(feedback.as_bytes()).is_some_and(|feedback| at(feedback, "blockReason").is_some())
}

/// Writes what an answer and each of its events begin or end with.
pub(super) fn head(id: &str, model: &str, json: &mut Json) {
    if !model.is_empty() {
        json.key("modelVersion").string(model);
    }
    if !id.is_empty() {
        json.key("responseId").string(id);
    }
}

fn candidate((index, choice): (u64, &Choice), rest: Option<&str>, json: &mut Json) {
    let malformed = choice.content.iter().find_map(malformed);
    write_content(&choice.content, json);
    let mut tape = Tape::default();
    let rest = rest.filter(|rest| tape.read(rest.as_bytes()).is_ok());
    let rest = rest.and_then(|rest| tape.root(rest.as_bytes()));
    let mut rest = rest.into_iter().flat_map(|rest| rest.elements());
    let own = rest.find(|own| own.get("index").and_then(|at| at.whole()) == Some(index));
    let is_told = own.is_some_and(|own| own.get("finishReason").is_some());
    if let Some(arguments) = malformed {
        json.key("finishReason").string(MALFORMED);
        json.key("finishMessage").string(arguments);
    } else if let Some(finish) = choice.finish.as_ref().filter(|_| !is_told) {
        json.key("finishReason").string(reason(finish));
    }
    json.key("index").number_of(index);
    for (key, value) in own.into_iter().flat_map(|own| own.members()).filter(|(key, _)| !key.is("index")) {
        json.key(&key.text()).raw(value.raw());
    }
}

/// The arguments of a call that are no JSON object.
pub(super) fn malformed(part: &Part) -> Option<&str> {
    match &part.kind {
        Kind::Call(call) if !call.arguments.trim().is_empty() && !is_object(&call.arguments) => {
            Some(&call.arguments)
        }
        _ => None,
    }
}

/// Writes what the model said; calls that are none are left to the end's reason.
pub(super) fn write_content(content: &[Part], json: &mut Json) {
    let parts = content.iter().filter(|part| malformed(part).is_none());
    let parts: Vec<(String, &Part)> = parts.map(|part| (String::new(), part)).collect();
    json.key("content").object(|json| {
        json.key("parts");
        let mut said = Said::to_caller();
        // A part that another dialect alone has, and a file that another vendor has, can't be told.
        let told = array(json, |json| {
            let known: Vec<(String, &Part)> = parts.into_iter().filter(|(_, part)| is_known(part)).collect();
            said.write(&known, json)
        });
        debug_assert!(told.is_ok(), "what is known can be told");
        json.key("role").string("model");
    });
}

fn is_known(part: &Part) -> bool {
    object(&mut Json::default(), |json| {
        json.key("parts");
        array(json, |json| Said::to_caller().write(&[(String::new(), part)], json))
    })
    .is_ok()
}

/// The word for an end.
pub(super) fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Calls | Finish::Paused => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

/// Writes what was used.
pub(super) fn write_usage(usage: &Usage, json: &mut Json) {
    json.key("promptTokenCount").number_of(usage.input);
    if usage.cached > 0 {
        json.key("cachedContentTokenCount").number_of(usage.cached);
    }
    json.key("candidatesTokenCount").number_of(usage.output.saturating_sub(usage.thinking));
    if usage.thinking > 0 {
        json.key("thoughtsTokenCount").number_of(usage.thinking);
    }
    json.key("totalTokenCount").number_of(usage.input.saturating_add(usage.output));
}
