//! Blocks of content, in requests and answers.
//!
//! Law: a block is read as what the form in between has if that is all it says; with more it is kept whole, as it stands. Absent on purpose:
//! what may stand where.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::chat::{Call, Kind, Part, Raw, Source};
use super::super::field::{BodyFault, boolean, given, kind};
pub(super) use super::super::field::{raw, string};
use super::super::json::Json;
use crate::tape::{Kind as Form, Tape, Value};

/// A member that is there, and not `null`.
pub(super) fn member<'t>(of: Value<'t>, name: &str) -> Option<Value<'t>> {
    of.get(name).filter(|value| given(*value))
}

/// A string of an object at a path, where there is one.
pub(super) fn text(path: &str, of: Value<'_>, name: &str) -> Result<Option<String>, BodyFault> {
    member(of, name).map(|value| string(&format!("{path}.{name}"), value)).transpose()
}

/// A string of an object at a path.
pub(super) fn required(path: &str, of: Value<'_>, name: &str) -> Result<String, BodyFault> {
    text(path, of, name)?.ok_or_else(|| BodyFault::Missing(format!("{path}.{name}")))
}

/// An object of an object at a path.
pub(super) fn inner<'t>(path: &str, of: Value<'t>, name: &str) -> Result<Value<'t>, BodyFault> {
    let value = member(of, name).ok_or_else(|| BodyFault::Missing(format!("{path}.{name}")))?;
    kind(&format!("{path}.{name}"), value, &[Form::Object], "an object")?;
    Ok(value)
}

/// The objects of an array.
pub(super) fn objects<'t>(path: &str, value: Value<'t>) -> Result<Vec<Value<'t>>, BodyFault> {
    kind(path, value, &[Form::Array], "an array of objects")?;
    let elements: Vec<Value<'t>> = value.elements().collect();
    // Numbers are no elements of a tape.
    if elements.len() != value.len() {
        return Err(BodyFault::wrong(path, "an array of objects"));
    }
    match elements.iter().position(|element| element.kind() != Form::Object) {
        Some(at) => Err(BodyFault::wrong(format!("{path}[{at}]"), "an object")),
        None => Ok(elements),
    }
}

/// Content: a string, or blocks.
pub(super) fn content(path: &str, value: Value<'_>) -> Result<Vec<Part>, BodyFault> {
    kind(path, value, &[Form::String, Form::Array], "a string or an array of blocks")?;
    if value.kind() == Form::String {
        return Ok(vec![Part::of(Kind::Text(value.text().into_owned()))]);
    }
    let blocks = objects(path, value)?;
    blocks.into_iter().enumerate().map(|(at, one)| block(&format!("{path}[{at}]"), one)).collect()
}

/// A block.
pub(super) fn block(path: &str, block: Value<'_>) -> Result<Part, BodyFault> {
    let of = required(path, block, "type")?;
    let cache = cache(path, block)?;
    let kind = match of.as_str() {
        "text" => {
            let text = required(path, block, "text")?;
            only(block, &["text"]).then_some(Kind::Text(text))
        }
        "thinking" => {
            let thought = required(path, block, "thinking")?;
            let signature = text(path, block, "signature")?.filter(|signature| !signature.is_empty());
            only(block, &["thinking", "signature"]).then_some(Kind::Thinking { text: thought, signature })
        }
        "redacted_thinking" => {
            let data = required(path, block, "data")?;
            only(block, &["data"]).then_some(Kind::Redacted(data))
        }
        "tool_use" => tool_use(path, block)?,
        "tool_result" => tool_result(path, block)?,
        "image" => image(path, block)?,
        "document" => document(path, block)?,
        _ => None,
    };
    Ok(match kind {
        Some(kind) => Part { kind, cache },
        None => Part::of(Kind::Other(raw(block))),
    })
}

/// The mark that everything up to here may be kept.
pub(super) fn cache(path: &str, of: Value<'_>) -> Result<Option<Raw>, BodyFault> {
    let Some(cache) = member(of, "cache_control") else { return Ok(None) };
    kind(&format!("{path}.cache_control"), cache, &[Form::Object], "an object")?;
    Ok(Some(raw(cache)))
}

/// Whether a block says nothing but this. Empty lists of citations and the model itself as caller say nothing.
fn only(block: Value<'_>, names: &[&str]) -> bool {
    block.members().filter(|(_, value)| given(*value)).all(|(key, value)| match key.text().as_ref() {
        "type" | "cache_control" => true,
        "citations" if value.kind() == Form::Array => value.len() == 0,
        "caller" => value.len() == 1 && value.get("type").is_some_and(|of| of.is("direct")),
        name => names.contains(&name),
    })
}

fn tool_use(path: &str, block: Value<'_>) -> Result<Option<Kind>, BodyFault> {
    let id = required(path, block, "id")?;
    let name = required(path, block, "name")?;
    let arguments = raw(inner(path, block, "input")?).into_string();
    Ok(only(block, &["id", "name", "input"]).then_some(Kind::Call(Call { id, name, arguments })))
}

fn tool_result(path: &str, block: Value<'_>) -> Result<Option<Kind>, BodyFault> {
    let id = required(path, block, "tool_use_id")?;
    let said = member(block, "content").map(|value| content(&format!("{path}.content"), value));
    let failed = member(block, "is_error").map(|value| boolean(&format!("{path}.is_error"), value));
    let failed = failed.transpose()?.flatten().unwrap_or(false);
    let content = said.transpose()?.unwrap_or_default();
    let plain = only(block, &["tool_use_id", "content", "is_error"]);
    Ok(plain.then_some(Kind::Output { id, content, failed }))
}

fn image(path: &str, block: Value<'_>) -> Result<Option<Kind>, BodyFault> {
    let source = source(path, inner(path, block, "source")?)?;
    Ok(source.filter(|_| only(block, &["source"])).map(|source| Kind::Image(source, None)))
}

fn document(path: &str, block: Value<'_>) -> Result<Option<Kind>, BodyFault> {
    let source = source(path, inner(path, block, "source")?)?;
    let name = text(path, block, "title")?;
    Ok(source.filter(|_| only(block, &["source", "title"])).map(|source| Kind::File { source, name }))
}

/// Where a picture or a document is; `None`: somewhere else.
fn source(path: &str, source: Value<'_>) -> Result<Option<Source>, BodyFault> {
    let path = &format!("{path}.source");
    Ok(match required(path, source, "type")?.as_str() {
        "base64" => Some(Source::Data {
            media_type: required(path, source, "media_type")?,
            data: required(path, source, "data")?,
        }),
        "text" => Some(Source::Data {
            media_type: text(path, source, "media_type")?.unwrap_or_else(|| "text/plain".to_owned()),
            data: STANDARD.encode(required(path, source, "data")?),
        }),
        "url" => Some(Source::Url(required(path, source, "url")?)),
        "file" => Some(Source::Id(required(path, source, "file_id")?)),
        _ => None,
    })
}

/// Writes a text.
pub(super) fn write_text(text: &str, json: &mut Json) {
    json.key("type").string("text");
    json.key("text").string(text);
}

/// Writes thoughts; what no vendor proved has an empty signature.
pub(super) fn write_thinking((text, signature): (&str, Option<&str>), json: &mut Json) {
    json.key("type").string("thinking");
    json.key("thinking").string(text);
    json.key("signature").string(signature.unwrap_or_default());
}

/// Writes thoughts that are readable for their vendor alone.
pub(super) fn write_redacted(data: &str, json: &mut Json) {
    json.key("type").string("redacted_thinking");
    json.key("data").string(data);
}

/// Writes a call of a tool; its arguments are a JSON object.
pub(super) fn write_tool_use((id, name, arguments): (&str, &str, &str), json: &mut Json) {
    json.key("type").string("tool_use");
    json.key("id").string(id);
    json.key("name").string(name);
    json.key("input").raw(arguments.as_bytes());
}

/// The arguments of a call as a JSON object; none at all are an empty one. `None`: they are none.
pub(in super::super) fn arguments(written: &str) -> Option<&str> {
    let written = written.trim();
    if written.is_empty() {
        return Some("{}");
    }
    let mut tape = Tape::default();
    tape.read(written.as_bytes()).ok()?;
    tape.root(written.as_bytes()).filter(|root| root.kind() == Form::Object).map(|_| written)
}

/// Whether JSON is a block or a tool of this dialect. OpenAI's has what one of type `x` holds in a member `x`, and messages of a role;
/// this one has neither.
pub(super) fn is_ours(json: &str) -> bool {
    let mut tape = Tape::default();
    let Some(root) = tape.read(json.as_bytes()).ok().and_then(|()| tape.root(json.as_bytes())) else {
        return false;
    };
    let of = root.get("type").filter(|of| of.kind() == Form::String).map(|of| of.text());
    of.is_some_and(|of| root.get("role").is_none() && (of == "text" || root.get(&of).is_none()))
}
