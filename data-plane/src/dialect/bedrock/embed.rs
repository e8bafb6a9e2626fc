//! Vectors by `InvokeModel`: of Amazon's Titan and of Cohere's models, to and from OpenAI's `POST /v1/embeddings`.
//!
//! Law: the body is the model's own, so whose it is shows in its name. Titan takes one text at a time.

use super::super::field::member;
use super::super::json::Json;
use super::super::vectors::{self, Encoding};
use super::super::{Unfit, Written, cohere};
use crate::tape::{Kind as Form, Tape, Value};

/// A request, and how its answer is to be written.
pub(crate) fn write(model: &str, body: &[u8]) -> Result<(Written, Encoding), Unfit> {
    if model.contains("cohere.embed") {
        return cohere::embed::write_unnamed(body);
    }
    let asked = vectors::read(body)?;
    let [text] = asked.texts.as_slice() else {
        return Err(Unfit::new("input", "one text at a time is embedded there"));
    };
    let normalise = |(name, _): &&(String, _)| name != "normalize";
    if let Some((name, _)) = asked.others.iter().find(normalise) {
        return Err(Unfit::new(name.clone(), "there is no word for it there"));
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("inputText").string(text);
        if let Some(dimensions) = &asked.dimensions {
            json.key("dimensions").raw(dimensions.as_bytes());
        }
        asked.others.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
    });
    let left_out = asked.user.iter().map(|_| "user".into()).collect();
    Ok((Written { body: json.done(), left_out, headers: Vec::new() }, asked.encoding))
}

/// An answer; `None`: it is none.
pub(crate) fn read_answer(model: &str, encoding: Encoding, body: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let all: Vec<Value<'_>> = match (member(root, "embedding"), member(root, "embeddings")) {
        (Some(one), _) => vec![one],
        (None, Some(all)) if all.kind() == Form::Array => all.elements().collect(),
        (None, Some(all)) => member(all, "float")?.elements().collect(),
        (None, None) => return None,
    };
    let tokens = root.get("inputTextTokenCount").and_then(|tokens| tokens.whole());
    vectors::write((model, encoding), &all, tokens)
}
