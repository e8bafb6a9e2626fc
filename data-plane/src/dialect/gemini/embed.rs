//! `embedContent` and `batchEmbedContents`, to and from OpenAI's `POST /v1/embeddings`.
//!
//! Law: a vendor is always asked in a batch, so that one text is no case of its own. All texts of a batch are embedded alike, for OpenAI's
//! dialect says once how. Absent on purpose: the method of Vertex AI's older models (`predict`).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::super::chat::Raw;
use super::super::field::BodyFault;
use super::super::json::Json;
pub(crate) use super::super::vectors::Encoding;
use super::super::{Unfit, Written, vectors};
use super::count::named;
use super::members::{at, members, objects, raw, string, whole};

use crate::tape::{Kind, Tape, Value};

/// Which method was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `embedContent`.
    One,
    /// `batchEmbedContents`.
    Batch,
}

/// What the field calls a task, and what this dialect does.
const TASKS: [(&str, &str); 4] = [
    ("search_query", "RETRIEVAL_QUERY"),
    ("search_document", "RETRIEVAL_DOCUMENT"),
    ("classification", "CLASSIFICATION"),
    ("clustering", "CLUSTERING"),
];

/// One text, and how it is to be embedded.
#[derive(Debug, Default, PartialEq)]
struct Text {
    text: String,
    how: How,
}

#[derive(Debug, Default, PartialEq)]
struct How {
    dimensions: Option<i64>,
    task: Option<Raw>,
    title: Option<Raw>,
}

/// Reads a request, and gives it as OpenAI's dialect has it.
pub(crate) fn read(model: &str, asked: Asked, body: &[u8]) -> Result<Vec<u8>, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
    let texts = match asked {
        Asked::One => vec![text(root)?],
        Asked::Batch => batch(root)?,
    };
    let mut json = Json::default();
    json.object(|json| {
        json.key("model").string(model);
        json.key("input").array(|json| texts.iter().for_each(|one| json.string(&one.text)));
        let Some(Text { how, .. }) = texts.first() else { return };
        if let Some(dimensions) = how.dimensions {
            json.key("dimensions").whole(dimensions);
        }
        let more = [("taskType", &how.task), ("title", &how.title)];
        for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            json.key(name).raw(value.as_bytes());
        }
    });
    Ok(json.done())
}

fn batch(root: Value<'_>) -> Result<Vec<Text>, BodyFault> {
    let mut texts: Vec<Text> = Vec::new();
    for (name, value) in members(root)? {
        match name.as_str() {
            "model" => drop(string(&name, value)?),
            "requests" => {
                for (at, request) in objects(&name, value)?.into_iter().enumerate() {
                    let path = format!("requests[{at}]");
                    let text = text(request).map_err(|fault| fault.within(&path))?;
                    if texts.first().is_some_and(|first| first.how != text.how) {
                        return Err(BodyFault::wrong(path, "embedded as the first request is"));
                    }
                    texts.push(text);
                }
            }
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    if texts.is_empty() { Err(BodyFault::Missing("requests".to_owned())) } else { Ok(texts) }
}

fn text(request: Value<'_>) -> Result<Text, BodyFault> {
    let (mut text, mut how) = (None, How::default());
    let of_string = |name: &str, value| string(name, value).map(|_| Some(raw(value)));
    for (name, value) in members(request)? {
        match name.as_str() {
            "model" => drop(string(&name, value)?),
            "content" => text = Some(content(value).map_err(|fault| fault.within(&name))?),
            "taskType" => how.task = of_string(&name, value)?,
            "title" => how.title = of_string(&name, value)?,
            "outputDimensionality" => {
                how.dimensions = Some(whole(&name, value, 1, "a whole number, at least 1")?);
            }
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    let text = text.ok_or_else(|| BodyFault::Missing("content".to_owned()))?;
    Ok(Text { text, how })
}

fn content(content: Value<'_>) -> Result<String, BodyFault> {
    let mut texts = Vec::new();
    for (name, value) in members(content)? {
        match name.as_str() {
            "role" => drop(string(&name, value)?),
            "parts" => {
                for (at, part) in objects(&name, value)?.into_iter().enumerate() {
                    let text = match members(part)?.as_slice() {
                        [(name, text)] if name == "text" => string(name, *text),
                        _ => Err(BodyFault::wrong("", "a text")),
                    };
                    texts.push(text.map_err(|fault| fault.within(&format!("parts[{at}]")))?);
                }
            }
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    let text = texts.join("\n");
    if text.is_empty() { Err(BodyFault::Missing("parts".to_owned())) } else { Ok(text) }
}

/// A request of OpenAI's dialect as `batchEmbedContents`, and how its answer is to be written.
pub(crate) fn write(body: &[u8]) -> Result<(Written, Encoding), Unfit> {
    let unfit = |field: &str, why| Unfit::new(field.to_owned(), why);
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body));
    let root = root.ok_or_else(|| unfit("input", "the body is no JSON"))?;
    let (mut encoding, mut left_out) = (Encoding::Float, Vec::new());
    let (mut model, mut texts, mut more) = (String::new(), Vec::new(), Vec::new());
    for (key, value) in root.members().filter(|(_, value)| value.kind() != Kind::Null) {
        let name = key.text();
        match name.as_ref() {
            "model" => model = named(&value.text()),
            "input" if value.kind() == Kind::String => texts.push(value.text().into_owned()),
            "input" => {
                let strings = value.elements().filter(|text| text.kind() == Kind::String);
                texts.extend(strings.map(|text| text.text().into_owned()));
                if texts.len() != value.len() {
                    return Err(unfit("input", "only texts can be embedded there, no token numbers"));
                }
            }
            "dimensions" => more.push(("outputDimensionality", raw(value))),
            "encoding_format" if value.is("base64") => encoding = Encoding::Base64,
            "encoding_format" => {}
            "user" => left_out.push("user".into()),
            "taskType" => more.push(("taskType", raw(value))),
            "title" => more.push(("title", raw(value))),
            "input_type" => {
                let task = TASKS.iter().find(|(known, _)| value.is(known));
                let (_, task) = task.ok_or_else(|| unfit("input_type", "there is no word for it there"))?;
                more.push(("taskType", format!("\"{task}\"").into()));
            }
            _ => return Err(unfit(&name, "there is no word for it there")),
        }
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("requests").array(|json| {
            for text in &texts {
                json.object(|json| {
                    json.key("model").string(&model);
                    json.key("content").object(|json| {
                        json.key("parts").array(|json| json.object(|json| json.key("text").string(text)));
                    });
                    more.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
                });
            }
        });
    });
    Ok((Written { body: json.done(), left_out, headers: Vec::new() }, encoding))
}

/// A vendor's answer as OpenAI's dialect has it; `None`: it is none.
pub(crate) fn read_answer(model: &str, encoding: Encoding, body: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let embeddings: Vec<Value<'_>> = match (at(root, "embeddings"), at(root, "embedding")) {
        (Some(all), _) => all.elements().collect(),
        (None, Some(one)) => vec![one],
        (None, None) => return None,
    };
    let values: Option<Vec<Value<'_>>> = embeddings.into_iter().map(|one| at(one, "values")).collect();
    let usage = at(root, "usageMetadata").and_then(|usage| at(usage, "promptTokenCount"));
    let tokens = usage.and_then(|tokens| tokens.whole());
    vectors::write((model, encoding), &values?, tokens)
}

/// An answer of OpenAI's dialect for a caller of this one; `None`: it is none.
pub(crate) fn write_answer(asked: Asked, body: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body).ok()?;
    let root = tape.root(body)?;
    let mut data: Vec<(u64, Vec<u8>)> = Vec::new();
    for (position, one) in root.get("data")?.elements().enumerate() {
        let index = one.get("index").and_then(|index| index.whole()).unwrap_or(position as u64);
        data.push((index, decoded(one.get("embedding")?)?));
    }
    data.sort_by_key(|(index, _)| *index);
    let tokens = root.get("usage").and_then(|usage| usage.get("prompt_tokens")?.whole());
    let mut json = Json::default();
    json.object(|json| {
        let values = |values: &[u8], json: &mut Json| json.object(|json| json.key("values").raw(values));
        match (asked, data.as_slice()) {
            (Asked::One, [(_, one), ..]) => values(one, json.key("embedding")),
            _ => json.key("embeddings").array(|json| data.iter().for_each(|(_, one)| values(one, json))),
        }
        if let Some(tokens) = tokens {
            json.key("usageMetadata").object(|json| json.key("promptTokenCount").number_of(tokens));
        }
    });
    Some(json.done())
}

fn decoded(embedding: Value<'_>) -> Option<Vec<u8>> {
    match embedding.kind() {
        Kind::Array => Some(embedding.raw().to_vec()),
        Kind::String => {
            let bytes = BASE64_STANDARD.decode(embedding.text().as_bytes()).ok()?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
            rest.is_empty().then(|| serde_json::to_vec(&numbers).ok()).flatten()
        }
        _ => None,
    }
}
