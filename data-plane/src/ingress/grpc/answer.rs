//! A whole answer of the OpenAI dialect as a message of `chancery.inference.v1`.
//!
//! Law: what the message has a field for goes there, what else stands at the top goes to the extensions. The model is the one
//! that was asked for. Deliberately absent: judging the answer; the pipeline did.

use prost_types::{Struct, Timestamp};
use proto::inference::content_part::Part;
use proto::inference::{
    ChatResponse, Choice, ContentPart, EmbedResponse, Embedding, FinishReason, Message, ModerateResponse,
    Moderation, ModerationCategory, Reasoning, RerankResponse, RerankResult, Role, ToolCall,
};

use super::form;
use crate::dialect::structure;
use crate::tape::{Kind, Tape, Value};

/// Members that have fields, or that say nothing.
const CHAT_FIELDS: [&str; 6] = ["id", "object", "created", "model", "choices", "usage"];

/// A conversation's answer; `None` where it is none.
pub(super) fn chat(bytes: &[u8], model: String) -> Option<ChatResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let mut extensions = Struct::default();
    for (key, value) in root.members().filter(|(key, _)| !CHAT_FIELDS.iter().any(|known| key.is(known))) {
        extensions.fields.insert(key.text().into_owned(), structure::read(value.raw())?);
    }
    Some(ChatResponse {
        id: text(root.get("id")),
        model,
        create_time: created(root),
        choices: root
            .get("choices")?
            .elements()
            .enumerate()
            .map(|(at, choice)| choice_of(at, choice))
            .collect(),
        usage: root.get("usage").filter(|usage| usage.kind() == Kind::Object).map(form::usage),
        extensions: (!extensions.fields.is_empty()).then_some(extensions),
    })
}

/// When the answer was made.
pub(super) fn created(root: Value<'_>) -> Option<Timestamp> {
    let seconds = root.get("created")?.whole()?;
    Some(Timestamp { seconds: i64::try_from(seconds).ok()?, nanos: 0 })
}

/// A string, or nothing.
pub(super) fn text(value: Option<Value<'_>>) -> String {
    value.map(|value| value.text().into_owned()).unwrap_or_default()
}

fn choice_of(at: usize, choice: Value<'_>) -> Choice {
    let index = choice.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
    let reason = choice.get("finish_reason").map(|reason| form::finish_reason(&reason.text()));
    Choice {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        message: choice.get("message").map(message_of),
        finish_reason: reason.unwrap_or(FinishReason::Unspecified).into(),
    }
}

fn message_of(message: Value<'_>) -> Message {
    let said =
        |name: &str| message.get(name).map(|value| value.text().into_owned()).filter(|text| !text.is_empty());
    let reasoning = said("reasoning_content").or_else(|| said("reasoning"));
    let parts = [
        reasoning.map(|text| Part::Reasoning(Reasoning { text, signature: String::new() })),
        said("content").map(Part::Text),
        said("refusal").map(Part::Refusal),
    ];
    let calls = message.get("tool_calls").into_iter().flat_map(|calls| calls.elements());
    Message {
        role: Role::Assistant.into(),
        content: parts.into_iter().flatten().map(|part| ContentPart { part: Some(part) }).collect(),
        name: String::new(),
        tool_calls: calls.map(tool_call_of).collect(),
        tool_call_id: String::new(),
    }
}

fn tool_call_of(call: Value<'_>) -> ToolCall {
    let function = call.get("function");
    let part = |name: &str| text(function.and_then(|function| function.get(name)));
    ToolCall { id: text(call.get("id")), name: part("name"), arguments: part("arguments") }
}

/// The vectors; `None` where there are none.
pub(super) fn embed(bytes: &[u8], model: String) -> Option<EmbedResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let embeddings = root.get("data")?.elements().enumerate().map(|(at, embedding)| {
        let index = embedding.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
        let values = serde_json::from_slice(embedding.get("embedding")?.raw()).ok()?;
        Some(Embedding { index: u32::try_from(index).ok()?, values })
    });
    let mut embeddings = embeddings.collect::<Option<Vec<_>>>()?;
    embeddings.sort_by_key(|embedding| embedding.index);
    let usage = root.get("usage").filter(|usage| usage.kind() == Kind::Object).map(form::usage);
    Some(EmbedResponse { model, embeddings, usage })
}

/// What content was judged to be; `None` where nothing was judged.
pub(super) fn moderate(bytes: &[u8], model: String) -> Option<ModerateResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let results = root.get("results")?.elements().map(judgement_of).collect();
    Some(ModerateResponse { id: text(root.get("id")), model, results })
}

fn judgement_of(result: Value<'_>) -> Moderation {
    let is_true = |value: Value<'_>| value.kind() == Kind::True;
    let of = |name: &str, key: Value<'_>| result.get(name).and_then(|all| all.get(&key.text()));
    let categories = result.get("categories").into_iter().flat_map(|all| all.members());
    Moderation {
        flagged: result.get("flagged").is_some_and(is_true),
        categories: categories
            .map(|(key, flagged)| ModerationCategory {
                name: key.text().into_owned(),
                flagged: is_true(flagged),
                score: of("category_scores", key).map(number).unwrap_or_default(),
                input_types: of("category_applied_input_types", key)
                    .into_iter()
                    .flat_map(|types| types.elements())
                    .map(|of| of.text().into_owned())
                    .collect(),
            })
            .collect(),
    }
}

/// The documents in their order; `None` where they have none.
pub(super) fn rerank(bytes: &[u8], model: String) -> Option<RerankResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let results = root.get("results")?.elements().map(|result| {
        let document = result.get("document");
        let shown = document.map(|document| document.get("text").unwrap_or(document));
        Some(RerankResult {
            index: u32::try_from(result.get("index")?.whole()?).ok()?,
            relevance_score: number(result.get("relevance_score")?),
            document: shown
                .filter(|shown| shown.kind() == Kind::String)
                .map(|shown| shown.text().into_owned()),
        })
    });
    let results = results.collect::<Option<Vec<_>>>()?;
    let usage = root.get("usage").filter(|usage| usage.kind() == Kind::Object).map(form::usage);
    Some(RerankResponse { id: text(root.get("id")), model, results, usage })
}

/// A number; zero for anything else.
pub(super) fn number(value: Value<'_>) -> f64 {
    let written = std::str::from_utf8(value.raw()).ok().filter(|_| value.kind() == Kind::Number);
    written.and_then(|written| written.parse().ok()).unwrap_or_default()
}
