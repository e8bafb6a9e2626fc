//! Simulated embeddings: unit vectors in which texts with words in common lie near each other.
//!
//! Law: a vector depends on the text and the number of dimensions alone. Every word, lower-cased, pushes a few
//! dimensions up or down (feature hashing); the sum is scaled to length one. Deliberately absent: meaning.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{
    hash::{fnv, mixed},
    reply::Usage,
    request::{Embed, Input},
    tokens, wire,
};

/// Dimensions where the caller names none and the model is none of [`USUAL`].
const DIMENSIONS: usize = 256;
/// What the models of this name give where the caller names no dimensions (OpenAI's guide to embeddings).
const USUAL: [(&str, usize); 3] =
    [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)];
/// The most a caller may ask for: OpenAI's largest model gives 3072.
const MOST_DIMENSIONS: usize = 3072;
/// The most texts in one request (OpenAI's own bound).
const MOST_INPUTS: usize = 2048;
/// How many dimensions one word pushes.
const PUSHES: u64 = 8;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item>,
    model: &'a str,
    usage: PromptUsage,
}

#[derive(Serialize)]
struct PromptUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

/// The answer to `request`, or what is wrong with it.
pub(super) fn answer(request: &Embed<'_>) -> Result<Bytes, &'static str> {
    let inputs = &request.input.0;
    let dimensions = request.dimensions.unwrap_or_else(|| usual(&request.model));
    if inputs.is_empty() || inputs.len() > MOST_INPUTS {
        return Err("`input` must hold 1 to 2048 texts");
    }
    if dimensions == 0 || dimensions > MOST_DIMENSIONS {
        return Err("`dimensions` must be 1 to 3072");
    }
    let base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err("`encoding_format` must be `float` or `base64`"),
    };
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let floats = vector(input, dimensions);
        let embedding = if base64 { Vector::Base64(encode(&floats)) } else { Vector::Floats(floats) };
        Item { object: "embedding", index, embedding }
    });
    let usage = Usage::new(inputs.iter().map(count).sum(), 0);
    Ok(wire::json(&List {
        object: "list",
        data: data.collect(),
        model: &request.model,
        usage: PromptUsage { prompt_tokens: usage.prompt_tokens, total_tokens: usage.total_tokens },
    }))
}

fn usual(model: &str) -> usize {
    USUAL.iter().find(|(name, _)| *name == model).map_or(DIMENSIONS, |(_, dimensions)| *dimensions)
}

fn count(input: &Input<'_>) -> u64 {
    match input {
        Input::Text(text) => tokens::count(text),
        Input::Tokens(tokens) => u64::try_from(tokens.len()).unwrap_or(u64::MAX),
    }
}

/// The vector of a text.
pub(super) fn vector(input: &Input<'_>, dimensions: usize) -> Vec<f32> {
    let mut sums = vec![0f32; dimensions];
    match input {
        Input::Text(text) => {
            for word in text.split_whitespace() {
                push(&mut sums, fnv(word.to_lowercase().as_bytes()));
            }
        }
        Input::Tokens(tokens) => {
            for token in tokens {
                push(&mut sums, fnv(&token.to_le_bytes()));
            }
        }
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f32>().sqrt();
    if length > 0.0 {
        sums.iter_mut().for_each(|sum| *sum /= length);
    } else if let Some(first) = sums.first_mut() {
        *first = 1.0;
    }
    sums
}

fn push(sums: &mut [f32], seed: u64) {
    let dimensions = u64::try_from(sums.len()).unwrap_or(u64::MAX).max(1);
    for step in 0..PUSHES {
        let hash = mixed(seed.wrapping_add(step));
        let at = usize::try_from((hash >> 1) % dimensions).unwrap_or(0);
        if let Some(sum) = sums.get_mut(at) {
            *sum += if hash & 1 == 0 { 1.0 } else { -1.0 };
        }
    }
}

/// Little-endian floats in base64, as OpenAI's SDKs expect them.
fn encode(floats: &[f32]) -> String {
    let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Floats(floats) => floats.serialize(serializer),
            Self::Base64(text) => text.serialize(serializer),
        }
    }
}
