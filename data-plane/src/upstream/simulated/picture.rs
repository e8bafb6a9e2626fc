//! Simulated pictures: one dot, however they are described.
//!
//! Law: a description is repeated, so that what reached the vendor can be seen; names and nulls are OpenAI's. Deliberately absent:
//! anything to look at.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{hash::fnv, request::Whole, tokens, wire};

/// One transparent dot.
const DOT: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Tokens of one picture.
const TOKENS: u64 = 272;

/// The most bytes of a description that are repeated.
const MOST: usize = 4096;

/// `POST /images/generations`, and the fields of the form of `POST /images/edits`.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) prompt: Cow<'a, str>,
    #[serde(default)]
    n: Whole,
    #[serde(borrow, default)]
    response_format: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Pictures<'a> {
    created: u64,
    data: Vec<Picture<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Used>,
}

#[derive(Serialize)]
struct Picture<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    b64_json: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    revised_prompt: &'a str,
}

#[derive(Serialize)]
struct Used {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
}

/// The answer to `request`; models named after `dall-e` are paid by the picture and say nothing of tokens, as their original.
pub(super) fn answer(request: &Request<'_>, prompt: &str) -> Bytes {
    let shown = prompt.get(..prompt.floor_char_boundary(MOST)).unwrap_or_default();
    let by_url = request.response_format.as_deref() == Some("url");
    let picture = |index: u64| Picture {
        b64_json: (!by_url).then_some(DOT),
        url: by_url.then(|| format!("https://pictures.invalid/{:016x}-{index}.png", fnv(prompt.as_bytes()))),
        revised_prompt: shown,
    };
    let count = request.n.0.unwrap_or(1);
    let (input, output) = (tokens::count(prompt), TOKENS * count);
    let used = Used { input_tokens: input, output_tokens: output, total_tokens: input + output };
    let usage = (!request.model.starts_with("dall-e")).then_some(used);
    wire::json(&Pictures { created: wire::CREATED, data: (0..count).map(picture).collect(), usage })
}
