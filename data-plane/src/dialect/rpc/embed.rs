//! Texts to be turned into vectors, and the vectors.
//!
//! Law: see the parent. There is one vector for each text, all of one length, and each of its numbers is one.

use proto::inference::{EmbedRequest, EmbedResponse};

use super::super::Unfit;
use super::super::vectors::{self, Encoding};
use super::{Written, extensions, usage};

/// The message of a body of OpenAI's dialect, and how numbers are to be written.
pub(crate) fn write(body: &[u8]) -> Result<(Written<EmbedRequest>, Encoding), Unfit> {
    let asked = vectors::read(body)?;
    let dimensions = match &asked.dimensions {
        None => None,
        Some(raw) => Some(raw.parse().map_err(|_| Unfit::new("dimensions", "it is no whole number"))?),
    };
    let mut others = asked.others;
    let user = asked.user.map(|user| ("user".to_owned(), serde_json::Value::from(user).to_string().into()));
    others.extend(user);
    let message = EmbedRequest {
        model: asked.model,
        inputs: asked.texts,
        dimensions,
        extensions: extensions(&others)?,
        metadata: None,
    };
    Ok((Written { message, left_out: Vec::new() }, asked.encoding))
}

/// An answer with so many vectors as OpenAI's dialect has it; `None`: it is none.
pub(crate) fn read(
    (model, encoding): (&str, Encoding),
    count: usize,
    told: EmbedResponse,
) -> Option<Vec<u8>> {
    let mut vectors = told.embeddings;
    vectors.sort_by_key(|vector| vector.index);
    let numbered = (0..).zip(&vectors).all(|(at, vector): (u32, _)| vector.index == at);
    let length = vectors.first()?.values.len();
    let alike = vectors.iter().all(|vector| vector.values.len() == length);
    if vectors.len() != count || !numbered || !alike || length == 0 {
        return None;
    }
    let vectors: Vec<Vec<f32>> = vectors.into_iter().map(|vector| vector.values).collect();
    vectors::of_numbers((model, encoding), &vectors, told.usage.map(|told| usage(&told).input))
}
