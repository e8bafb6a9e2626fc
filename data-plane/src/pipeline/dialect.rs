//! What the OpenAI dialect itself writes into an answer: names of members, words of closed vocabularies, counters, times.
//!
//! Law: what is not listed here is somebody's text, and read; a word that the lists lack costs a read, never a leak. Deliberately
//! absent: what becomes of a finding.

pub(crate) mod responses;

use crate::tape::{Kind, Tape, Value};

/// The highest place of a choice, a part or a call of a tool: nobody is given more than 128.
const LAST_PLACE: u64 = 127;

/// The most digits of a counter of tokens; a longer one counts nothing.
const COUNTER_DIGITS: usize = 9;

/// The beginning of the year 2100, in seconds of Unix time; a later one is no time of an answer.
const LAST_CREATED: u64 = 4_102_444_800;

/// The shortest base64 that is taken for a vector: twelve numbers of four bytes.
const SHORTEST_VECTOR: usize = 64;

/// Members whose strings are structure, at any level of an answer: no text that a client shows, and none that it joins.
const STRUCTURE: [&str; 6] = ["role", "type", "id", "object", "name", "finish_reason"];

/// Members of a message that hold what the model says.
const SPOKEN: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];

/// What content is judged for, as members of a judgement have it.
const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Whether a member's string is structure.
pub(crate) fn is_structure(key: Value<'_>) -> bool {
    match key.is_plain() {
        true => STRUCTURE.iter().any(|known| key.inner_bytes() == known.as_bytes()),
        false => STRUCTURE.iter().any(|known| key.is(known)),
    }
}

/// Whether a member has its name from the dialect or a known vendor of it, and not from a text.
pub(crate) fn is_own_name(name: &[u8]) -> bool {
    let answer = matches!(
        name,
        b"id"
            | b"object"
            | b"created"
            | b"model"
            | b"choices"
            | b"data"
            | b"usage"
            | b"service_tier"
            | b"system_fingerprint"
            | b"index"
            | b"message"
            | b"delta"
            | b"role"
            | b"content"
            | b"refusal"
            | b"reasoning"
            | b"reasoning_content"
            | b"thinking"
            | b"text"
            | b"type"
            | b"tool_calls"
            | b"function_call"
            | b"function"
            | b"name"
            | b"arguments"
            | b"finish_reason"
            | b"stop_reason"
            | b"logprobs"
            | b"annotations"
            | b"audio"
            | b"embedding"
            | b"results"
            | b"relevance_score"
            | b"document"
            | b"flagged"
            | b"categories"
            | b"category_scores"
            | b"category_applied_input_types"
            | b"provider"
            | b"x_groq"
    );
    answer
        || CATEGORIES.iter().any(|known| name == known.as_bytes())
        || (name.ends_with(b"_tokens") || name.ends_with(b"_tokens_details")) && name.iter().all(is_of_name)
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || *byte == b'_'
}

/// Whether a structural string is a word of a closed vocabulary, or empty.
pub(crate) fn is_own_word(word: Value<'_>) -> bool {
    matches!(
        word.inner_bytes(),
        b"" | b"assistant"
            | b"user"
            | b"system"
            | b"developer"
            | b"tool"
            | b"function"
            | b"text"
            | b"refusal"
            | b"stop"
            | b"length"
            | b"tool_calls"
            | b"content_filter"
            | b"function_call"
            | b"chat.completion"
            | b"chat.completion.chunk"
            | b"text_completion"
            | b"list"
            | b"embedding"
    )
}

/// Whether a long number of an outermost member is the dialect's own: a counter of `usage`, or a time of `created`.
pub(crate) fn is_own_number(member: Value<'_>, label: Option<Value<'_>>, number: Value<'_>) -> bool {
    if member.is("usage") {
        let counter = label.is_some_and(|label| label.inner().ends_with("_tokens"));
        return counter && number.whole().is_some() && number.raw().len() <= COUNTER_DIGITS;
    }
    member.is("created") && number.whole().is_some_and(|seconds| seconds <= LAST_CREATED)
}

/// The place that a member `index` gives; `None` where it is none of the protocol's.
pub(crate) fn place(index: Value<'_>) -> Option<u64> {
    index.whole().filter(|place| *place <= LAST_PLACE)
}

/// Whether a string is a vector in base64.
pub(crate) fn is_vector(text: Value<'_>) -> bool {
    let coded = text.inner().trim_end_matches('=').as_bytes();
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    coded.len() + 2 >= SHORTEST_VECTOR && coded.iter().all(of_base64)
}

/// Bytes of what the model says in a choice, whole or a part of it, at least: in a message, or as the text that goes on with another.
pub(crate) fn spoken_of(choice: Value<'_>) -> usize {
    match (choice.get("message").or_else(|| choice.get("delta")), choice.get("text")) {
        (Some(message), _) => spoken(message),
        (None, Some(text)) if text.kind() == Kind::String => least(text),
        (None, _) => 0,
    }
}

/// Bytes of a text, at least: a byte in JSON takes six at most, and one of them is a backslash then.
fn least(text: Value<'_>) -> usize {
    let escapes = memchr::memchr_iter(b'\\', text.inner_bytes()).count();
    text.inner_bytes().len().saturating_sub(5 * escapes)
}

/// Bytes of what the model says in a message, at least.
fn spoken(message: Value<'_>) -> usize {
    let members = message.members().filter(|(key, _)| SPOKEN.iter().any(|known| key.is(known)));
    members
        .map(|(_, value)| match value.kind() {
            Kind::String => least(value),
            _ => value.parts().map(least).sum(),
        })
        .sum()
}

/// Whether a text whose names of members were masked is one that any parser reads alike: two values of one kind may be one name now.
pub(crate) fn is_unambiguous(masked: &[u8]) -> bool {
    Tape::default().read(masked).is_ok()
}

/// What is wrong with one that is not.
pub(crate) const AMBIGUOUS: &str = "two members have one name once they are masked";

/// Something of an answer that is no text which a client would join to another.
pub(crate) enum Beside<'t> {
    /// A key or a string: a text by itself.
    Text(Value<'t>),
    /// Log probabilities, which spell the tokens of a text.
    LogProbabilities(Value<'t>),
}

/// Which strings of a value stand beside the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strings {
    /// All of them.
    All,
    /// Those that are structure.
    Structure,
}

/// Shows what of a member stands beside the texts, its name first, in the order of the text.
pub(crate) fn beside<'t>(
    (key, value): (Value<'t>, Value<'t>),
    strings: Strings,
    see: &mut dyn FnMut(Beside<'t>),
) {
    if !is_own_name(key.inner_bytes()) {
        see(Beside::Text(key));
    }
    if key.is("logprobs") {
        if value.kind() != Kind::Null {
            see(Beside::LogProbabilities(value));
        }
    } else if strings == Strings::Structure && value.kind() == Kind::String {
        if is_structure(key) && !is_own_word(value) {
            see(Beside::Text(value));
        }
    } else {
        within(value, strings, see);
    }
}

fn within<'t>(value: Value<'t>, strings: Strings, see: &mut dyn FnMut(Beside<'t>)) {
    match value.kind() {
        Kind::String if strings == Strings::All => see(Beside::Text(value)),
        Kind::Object => value.members().for_each(|member| beside(member, strings, see)),
        Kind::Array => value.elements().for_each(|element| within(element, strings, see)),
        _ => {}
    }
}
