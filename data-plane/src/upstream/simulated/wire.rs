//! The simulated vendor's JSON: OpenAI's `chat.completion`, its chunks and its errors.
//!
//! Law: field names, order and nulls are OpenAI's, so that clients and translators meet the real form. Deliberately
//! absent: a clock; `created` is a constant, so that an answer is a function of its request.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::reply::{Reply, Said, Usage};

/// 2026-01-01T00:00:00Z, in seconds.
pub(super) const CREATED: u64 = 1_767_225_600;
/// Which build answers.
pub(super) const FINGERPRINT: &str = "fp_simulated";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WholeChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    refusal: Option<()>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: &'a [ChunkChoice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

/// The part of a choice that one chunk brings.
#[derive(Debug, Default, Serialize)]
pub(super) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    /// Outer `None`: not in the chunk; inner `None`: `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[Call<'a>; 1]>,
}

/// A function call or, in a chunk, a piece of one.
#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    /// In chunks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: Function<'a>,
}

/// The function of a call.
#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

/// What one chunk says, beside what all chunks of a stream have in common.
pub(super) struct Saying<'a> {
    /// The choice, its delta and, at its end, why it ended; `None` for the chunk with the usage.
    pub(super) choice: Option<(usize, Delta<'a>, Option<&'static str>)>,
    /// `None`: nobody asked for usage; inner `None`: asked for, and not yet known.
    pub(super) usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: FailureBody<'a>,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<()>,
    code: Option<()>,
}

/// The id of a call within the answer `id`.
pub(super) fn call_id(id: &str, choice: usize, call: usize) -> String {
    let request = id.rsplit('-').next().unwrap_or(id);
    format!("call_{request}_{choice}_{call}")
}

/// A whole answer.
pub(super) fn completion(id: &str, reply: &Reply) -> Bytes {
    let choices = reply.choices.iter().enumerate().map(|(index, choice)| {
        let (content, tool_calls) = match &choice.said {
            Said::Text(text) => (Some(text.as_str()), Vec::new()),
            Said::Calls(calls) => (None, calls.iter().enumerate().map(whole_call(id, index)).collect()),
        };
        let message = Message { role: "assistant", content, tool_calls, refusal: None };
        WholeChoice { index, message, logprobs: None, finish_reason: choice.finish }
    });
    json(&Completion {
        id,
        object: "chat.completion",
        created: CREATED,
        model: &reply.model,
        choices: choices.collect(),
        usage: reply.usage,
        system_fingerprint: FINGERPRINT,
    })
}

fn whole_call<'a>(id: &'a str, choice: usize) -> impl Fn((usize, &'a (String, String))) -> Call<'a> {
    move |(at, (name, arguments))| Call {
        index: None,
        id: Some(call_id(id, choice, at)),
        kind: Some("function"),
        function: Function { name: Some(name), arguments },
    }
}

/// One event of a stream, with its framing.
pub(super) fn event(id: &str, model: &str, saying: Saying<'_>) -> Bytes {
    let choice = saying.choice.map(|(index, delta, finish_reason)| ChunkChoice {
        index,
        delta,
        logprobs: None,
        finish_reason,
    });
    let chunk = Chunk {
        id,
        object: "chat.completion.chunk",
        created: CREATED,
        model,
        system_fingerprint: FINGERPRINT,
        choices: choice.as_slice(),
        usage: saying.usage,
    };
    framed(&chunk)
}

/// Any value as an event.
pub(super) fn framed<T: Serialize>(value: &T) -> Bytes {
    let mut out = BytesMut::with_capacity(320);
    out.put_slice(b"data: ");
    write(&mut out, value);
    out.put_slice(b"\n\n");
    out.freeze()
}

/// The end mark of a stream, with its framing.
pub(super) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// An error body.
pub(super) fn failure(kind: &'static str, message: &str) -> Bytes {
    json(&Failure { error: FailureBody { message, kind, param: None, code: None } })
}

/// Any value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Bytes {
    let mut out = BytesMut::with_capacity(640);
    write(&mut out, value);
    out.freeze()
}

fn write<T: Serialize>(out: &mut BytesMut, value: &T) {
    let written = serde_json::to_writer((&mut *out).writer(), value);
    debug_assert!(written.is_ok(), "our own structs always serialise into memory");
}
