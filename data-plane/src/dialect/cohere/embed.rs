//! `POST /v2/embed`, to and from OpenAI's `POST /v1/embeddings`; and the same as Bedrock has it.
//!
//! Law: what a text is embedded for is `input_type`, which the vendor demands: a document to be searched, where the caller does not say.

use super::super::field::member;
use super::super::json::Json;
use super::super::vectors::{self, Asked, Encoding};
use super::super::{Unfit, Written};
use crate::tape::{Kind as Form, Tape};

/// What texts are embedded for, where that is not told.
const FOR: &str = r#""search_document""#;

/// A request, and how its answer is to be written.
pub(crate) fn write(body: &[u8]) -> Result<(Written, Encoding), Unfit> {
    let asked = vectors::read(body)?;
    compose(&asked, Some(&asked.model))
}

/// The same where the model is named elsewhere.
pub(crate) fn write_unnamed(body: &[u8]) -> Result<(Written, Encoding), Unfit> {
    compose(&vectors::read(body)?, None)
}

fn compose(asked: &Asked, model: Option<&str>) -> Result<(Written, Encoding), Unfit> {
    let mut input_type = FOR;
    let mut truncate = None;
    for (name, value) in &asked.others {
        match name.as_str() {
            "input_type" => input_type = value,
            "truncate" => truncate = Some(value),
            name => return Err(Unfit::new(name.to_owned(), "there is no word for it there")),
        }
    }
    let mut json = Json::default();
    json.object(|json| {
        if let Some(model) = model {
            json.key("model").string(model);
        }
        json.key("texts").array(|json| asked.texts.iter().for_each(|text| json.string(text)));
        json.key("input_type").raw(input_type.as_bytes());
        json.key("embedding_types").array(|json| json.string("float"));
        if let Some(dimensions) = &asked.dimensions {
            json.key("output_dimension").raw(dimensions.as_bytes());
        }
        if let Some(truncate) = truncate {
            json.key("truncate").raw(truncate.as_bytes());
        }
    });
    let left_out = asked.user.iter().map(|_| "user".into()).collect();
    Ok((Written { body: json.done(), left_out, headers: Vec::new() }, asked.encoding))
}

/// An answer; `None`: it is none.
pub(crate) fn read_answer(model: &str, encoding: Encoding, body: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let float = member(member(root, "embeddings")?, "float").filter(|all| all.kind() == Form::Array)?;
    let units = member(root, "meta").and_then(|meta| member(meta, "billed_units"));
    let tokens = units.and_then(|units| units.get("input_tokens")?.whole());
    vectors::write((model, encoding), &float.elements().collect::<Vec<_>>(), tokens)
}
