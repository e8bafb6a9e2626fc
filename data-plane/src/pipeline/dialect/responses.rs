//! What the Responses API itself writes into an answer: its names and words, counters, times; what a vendor sealed for itself.
//!
//! Law: as of the parent; of an answer or an event every string is shown but for what is listed here. Deliberately absent: what becomes of
//! a finding, and what an answer repeats of its request.

use policy_engine::content::Held;

use super::{COUNTER_DIGITS, LAST_CREATED, is_own_name, is_own_word};
use crate::tape::{Kind, Value};

/// Members that the API names, beside those that it has from its older sister.
const NAMES: [&str; 40] = [
    "action",
    "annotation_index",
    "background",
    "call_id",
    "code",
    "completed_at",
    "content_index",
    "created_at",
    "effort",
    "encrypted_content",
    "error",
    "format",
    "incomplete_details",
    "input",
    "instructions",
    "item",
    "item_id",
    "max_tool_calls",
    "metadata",
    "obfuscation",
    "output",
    "output_index",
    "parallel_tool_calls",
    "part",
    "previous_response_id",
    "prompt_cache_key",
    "response",
    "safety_identifier",
    "sequence_number",
    "status",
    "store",
    "summary",
    "summary_index",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "verbosity",
];

/// Members that are times, in seconds of Unix time.
const TIMES: [&str; 3] = ["created_at", "completed_at", "expires_at"];

/// Parts of an item in which the model says something.
const SAID: [&str; 2] = ["content", "summary"];

/// Members of an item that the model writes, beside what it says.
const WRITTEN: [&str; 3] = ["arguments", "input", "code"];

/// Something of an answer that is read.
pub(crate) enum Seen<'t> {
    /// A key or a string.
    Text(Value<'t>),
    /// An array, whose parts may be read as one.
    Array(Value<'t>),
    /// Log probabilities, which spell the tokens of a text.
    Spelled(Value<'t>),
}

/// Whether items of a type hold something that their vendor sealed.
pub(crate) fn is_sealed_in(of: &str) -> bool {
    matches!(of, "reasoning" | "compaction")
}

/// Whether a text may be base64, of either alphabet.
pub(crate) fn is_base64(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

/// Whether a long number is the API's own: a counter of tokens, or a time.
pub(crate) fn is_own_number(label: Option<Value<'_>>, number: Value<'_>) -> bool {
    let Some((label, whole)) = label.zip(number.whole()) else { return false };
    let counts = label.inner().ends_with("_tokens") && number.raw().len() <= COUNTER_DIGITS;
    counts || TIMES.iter().any(|time| label.is(time)) && whole <= LAST_CREATED
}

/// Shows what of a member is read, its name first, in the order of the text; `of` is the type of the object that it is a member of.
pub(crate) fn read<'t>(
    of: Option<Value<'t>>,
    (key, value): (Value<'t>, Value<'t>),
    see: &mut dyn FnMut(Seen<'t>),
) {
    if !is_own_name(key.inner_bytes()) && !NAMES.iter().any(|name| key.is(name)) {
        see(Seen::Text(key));
    }
    if key.is("logprobs") {
        if value.kind() != Kind::Null && value.len() > 0 {
            see(Seen::Spelled(value));
        }
    } else if !is_opaque(of, (key, value)) {
        within(value, see);
    }
}

fn within<'t>(value: Value<'t>, see: &mut dyn FnMut(Seen<'t>)) {
    match value.kind() {
        Kind::String if !is_own_word(value) => see(Seen::Text(value)),
        Kind::Object => {
            let of = value.get("type");
            value.members().for_each(|member| read(of, member, see));
        }
        Kind::Array => {
            see(Seen::Array(value));
            value.elements().for_each(|element| within(element, see));
        }
        _ => {}
    }
}

/// Whether a member is nothing that can be read: sealed by its vendor, or a picture.
fn is_opaque(of: Option<Value<'_>>, (key, value): (Value<'_>, Value<'_>)) -> bool {
    let of = of.map_or("".into(), |of| of.text());
    let sealed = key.is("encrypted_content") && is_sealed_in(&of);
    let drawn = key.is("result") && of == "image_generation_call" || key.is("partial_image_b64");
    if !(sealed || drawn) || value.kind() != Kind::String {
        return false;
    }
    let text = value.text();
    is_base64(&text) && Held::read(&text) == Held::Opaque
}

/// The texts that the model wrote in an item, and whether each is surely of its words.
fn written<'t>(item: Value<'t>) -> impl Iterator<Item = (Value<'t>, bool)> {
    let said = SAID.into_iter().filter_map(move |name| item.get(name)).flat_map(|said| said.parts());
    let written = WRITTEN.into_iter().filter_map(move |name| item.get(name));
    let is_message = item.get("type").is_some_and(|of| of.is("message"));
    let written = written.filter(|text| text.kind() == Kind::String).map(|text| (text, false));
    said.map(move |text| (text, is_message)).chain(written)
}

/// Bytes of text in the items of a response, and those of them that are surely the model's words.
pub(crate) fn produced(response: Value<'_>) -> (usize, usize) {
    let items = response.get("output").into_iter().flat_map(|output| output.elements());
    items.flat_map(written).fold((0, 0), |(bytes, spoken), (text, is_spoken)| {
        let least = if is_spoken { super::least(text) } else { 0 };
        (bytes + text.inner().len(), spoken + least)
    })
}

/// The same of an event that brings a piece of a text.
pub(crate) fn produced_by(kind: &str, delta: Value<'_>) -> (usize, usize) {
    let is_spoken = matches!(kind, "response.output_text.delta" | "response.refusal.delta");
    (delta.inner().len(), if is_spoken { super::least(delta) } else { 0 })
}
