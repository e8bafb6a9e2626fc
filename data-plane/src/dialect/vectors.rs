//! OpenAI's `POST /v1/embeddings`, for vendors that say it otherwise: what is asked, read, and what came of it, written.
//!
//! Law: what a vendor has no word for is refused by its name, or left out and told; numbers are written as they came, or as base64 of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Unfit;
use super::chat::Raw;
use super::field::raw;
use super::json::Json;
use crate::tape::{Kind, Tape, Value};

/// How numbers are written in OpenAI's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As numbers.
    Float,
    /// As base64 of numbers of 32 bits, the lowest byte first.
    Base64,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    /// The model as it is named.
    pub(super) model: String,
    /// Whose vectors are asked for.
    pub(super) texts: Vec<String>,
    /// How many numbers a vector has.
    pub(super) dimensions: Option<Raw>,
    /// How they are written.
    pub(super) encoding: Encoding,
    /// Who of the caller's own users asks.
    pub(super) user: Option<String>,
    /// Members that the published schema has not, by their names.
    pub(super) others: Vec<(String, Raw)>,
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Asked, Unfit> {
    let unfit = |field: &'static str, why| Unfit::new(field, why);
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body));
    let root = root.ok_or_else(|| unfit("input", "the body is no JSON"))?;
    let mut asked = Asked {
        model: String::new(),
        texts: Vec::new(),
        dimensions: None,
        encoding: Encoding::Float,
        user: None,
        others: Vec::new(),
    };
    for (key, value) in root.members().filter(|(_, value)| value.kind() != Kind::Null) {
        let name = key.text();
        match name.as_ref() {
            "model" => asked.model = value.text().into_owned(),
            "input" if value.kind() == Kind::String => asked.texts.push(value.text().into_owned()),
            "input" => {
                let strings = value.elements().filter(|text| text.kind() == Kind::String);
                asked.texts.extend(strings.map(|text| text.text().into_owned()));
                if asked.texts.len() != value.len() {
                    return Err(unfit("input", "only texts can be embedded there, no token numbers"));
                }
            }
            "dimensions" => asked.dimensions = Some(raw(value)),
            "encoding_format" if value.is("base64") => asked.encoding = Encoding::Base64,
            "encoding_format" => {}
            "user" => asked.user = Some(value.text().into_owned()),
            name => asked.others.push((name.to_owned(), raw(value))),
        }
    }
    Ok(asked)
}

/// An answer of these vectors, each an array of numbers; `None`: one of them is none.
pub(super) fn write(
    (model, encoding): (&str, Encoding),
    vectors: &[Value<'_>],
    tokens: Option<u64>,
) -> Option<Vec<u8>> {
    let written: Vec<Vec<u8>> =
        vectors.iter().map(|vector| encoded(*vector, encoding)).collect::<Option<_>>()?;
    Some(told(model, &written, tokens))
}

/// An answer of vectors as they are written.
fn told(model: &str, written: &[Vec<u8>], tokens: Option<u64>) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| {
        json.key("object").string("list");
        json.key("data").array(|json| {
            for (index, values) in written.iter().enumerate() {
                json.object(|json| {
                    json.key("object").string("embedding");
                    json.key("index").number_of(index as u64);
                    json.key("embedding").raw(values);
                });
            }
        });
        json.key("model").string(model);
        if let Some(tokens) = tokens {
            json.key("usage").object(|json| {
                json.key("prompt_tokens").number_of(tokens);
                json.key("total_tokens").number_of(tokens);
            });
        }
    });
    json.done()
}

/// An answer of these vectors; `None`: one of their numbers is none that JSON has.
pub(super) fn of_numbers(of: (&str, Encoding), vectors: &[Vec<f32>], tokens: Option<u64>) -> Option<Vec<u8>> {
    if vectors.iter().flatten().any(|number| !number.is_finite()) {
        return None;
    }
    let written = vectors.iter().map(|vector| match of.1 {
        Encoding::Float => serde_json::to_vec(vector).ok(),
        Encoding::Base64 => Some(base64_of(vector)),
    });
    Some(told(of.0, &written.collect::<Option<Vec<_>>>()?, tokens))
}

fn base64_of(numbers: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    format!("\"{}\"", BASE64_STANDARD.encode(bytes)).into_bytes()
}

fn encoded(values: Value<'_>, encoding: Encoding) -> Option<Vec<u8>> {
    if values.kind() != Kind::Array {
        return None;
    }
    if encoding == Encoding::Float {
        return Some(values.raw().to_vec());
    }
    let numbers: Vec<f32> = serde_json::from_slice(values.raw()).ok()?;
    Some(base64_of(&numbers))
}
