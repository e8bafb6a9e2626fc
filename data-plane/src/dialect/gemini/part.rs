//! Parts of contents, read.
//!
//! Law: a part is read as what other dialects know only if nothing of it is lost; any other stays as it is, under [`PART`].

use super::super::chat::{Call, Kind, Part};
use super::super::field::{BodyFault, boolean};
use super::super::json::Json;
use super::PART;
use super::ids::Ids;
use super::media;
use super::members::{members, objects, raw, string};
use super::said::{is_error, is_object};
use super::signature::{self, Peer, Proof};
use crate::tape::{Kind as Form, Value};

const OBJECT: &str = "an object";

/// The parts that one is in the form between: itself, and before it the proof that it bears.
pub(super) fn read(part: Value<'_>, peer: Peer, ids: &mut Ids) -> Result<Vec<Part>, BodyFault> {
    let (mut thought, mut proof, mut rest) = (false, None, Vec::new());
    for (name, value) in members(part)? {
        match name.as_str() {
            "thought" => thought = boolean("thought", value)?.unwrap_or(false),
            "thoughtSignature" => proof = Some(signature::read(&string(&name, value)?, peer)),
            _ => rest.push((name, value)),
        }
    }
    let kind = match rest.as_slice() {
        [(name, text)] if name == "text" => {
            let text = string(name, *text)?;
            match (thought, proof) {
                (true, Some(Proof::Redacted(data))) => Some(Kind::Redacted(data)),
                (true, proof) => Some(Kind::Thinking { text, signature: proof.map(wire) }),
                (false, proof) => return Ok(proved(proof, Some(Kind::Text(text)))),
            }
        }
        _ if thought => None,
        [(name, value)] => {
            let kind = known(name, *value, ids).map_err(|fault| fault.within(name))?;
            if kind.is_some() {
                return Ok(proved(proof, kind));
            }
            None
        }
        [] if proof.is_some() => return Ok(proved(proof, None)),
        [] => return Err(BodyFault::Missing("text".to_owned())),
        _ => None,
    };
    Ok(vec![Part::of(kind.map_or_else(|| other(part), Ok)?)])
}

fn wire(proof: Proof) -> String {
    match proof {
        Proof::Signature(signature) | Proof::Redacted(signature) => signature,
    }
}

/// What bears a proof, and the proof before it. A text without a word is there for its proof alone.
fn proved(proof: Option<Proof>, kind: Option<Kind>) -> Vec<Part> {
    let is_borne = proof.is_some();
    let proof = proof.map(|proof| match proof {
        Proof::Signature(signature) => Kind::Thinking { text: String::new(), signature: Some(signature) },
        Proof::Redacted(data) => Kind::Redacted(data),
    });
    let kind = kind.filter(|kind| !is_borne || !matches!(kind, Kind::Text(text) if text.is_empty()));
    proof.into_iter().chain(kind).map(Part::of).collect()
}

/// What other dialects know, too.
fn known(name: &str, value: Value<'_>, ids: &mut Ids) -> Result<Option<Kind>, BodyFault> {
    match name {
        "inlineData" => blob(value).map(Some),
        "fileData" => place(value),
        "functionCall" => call(value, ids),
        "functionResponse" => output(value, ids),
        _ => Ok(None),
    }
}

fn blob(value: Value<'_>) -> Result<Kind, BodyFault> {
    let (mut media_type, mut data, mut title) = (None, None, None);
    for (name, value) in members(value)? {
        match name.as_str() {
            "mimeType" => media_type = Some(string(&name, value)?),
            "data" => data = Some(string(&name, value)?),
            "displayName" => title = Some(string(&name, value)?),
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    let missing = |name: &str| BodyFault::Missing(name.to_owned());
    let media_type = media_type.ok_or_else(|| missing("mimeType"))?;
    Ok(media::of_data(media_type, data.ok_or_else(|| missing("data"))?, title))
}

fn place(value: Value<'_>) -> Result<Option<Kind>, BodyFault> {
    let (mut media_type, mut url, mut title, mut is_whole) = (String::new(), None, None, true);
    for (name, value) in members(value)? {
        match name.as_str() {
            "mimeType" => media_type = string(&name, value)?,
            "fileUri" => url = Some(string(&name, value)?),
            "displayName" => title = Some(string(&name, value)?),
            _ => is_whole = false,
        }
    }
    let url = url.ok_or_else(|| BodyFault::Missing("fileUri".to_owned()))?;
    Ok(media::of_url(&url, &media_type, title.as_deref()).filter(|_| is_whole))
}

fn call(value: Value<'_>, ids: &mut Ids) -> Result<Option<Kind>, BodyFault> {
    let (mut id, mut name, mut arguments, mut is_whole) = (None, None, None, true);
    for (member, value) in members(value)? {
        match member.as_str() {
            "id" => id = Some(string(&member, value)?),
            "name" => name = Some(string(&member, value)?),
            "args" if value.kind() == Form::Object => arguments = Some(raw(value)),
            "args" => return Err(BodyFault::wrong(member, OBJECT)),
            _ => is_whole = false,
        }
    }
    let name = name.ok_or_else(|| BodyFault::Missing("name".to_owned()))?;
    let arguments = arguments.map_or_else(|| "{}".to_owned(), String::from);
    let id = is_whole.then(|| ids.call(id, &name));
    Ok(id.map(|id| Kind::Call(Call { id, name, arguments })))
}

fn output(value: Value<'_>, ids: &mut Ids) -> Result<Option<Kind>, BodyFault> {
    let (mut id, mut name, mut response, mut media, mut is_whole) = (None, None, None, Vec::new(), true);
    for (member, value) in members(value)? {
        match member.as_str() {
            "id" => id = Some(string(&member, value)?),
            "name" => name = Some(string(&member, value)?),
            "response" if value.kind() == Form::Object => response = Some(said(value)),
            "response" => return Err(BodyFault::wrong(member, OBJECT)),
            "parts" => {
                for (at, part) in objects(&member, value)?.into_iter().enumerate() {
                    let path = format!("parts[{at}]");
                    media.extend(read(part, Peer::Vendor, ids).map_err(|fault| fault.within(&path))?);
                }
            }
            _ => is_whole = false,
        }
    }
    let name = name.ok_or_else(|| BodyFault::Missing("name".to_owned()))?;
    let (text, failed) = response.ok_or_else(|| BodyFault::Missing("response".to_owned()))?;
    let content = std::iter::once(Part::of(Kind::Text(text))).chain(media).collect();
    let id = is_whole.then(|| ids.output(id, &name));
    Ok(id.map(|id| Kind::Output { id, content, failed }))
}

/// What a function gave back, as a text, and whether it failed: what stands alone in `output` or `error`, or all of the JSON. The inverse is
/// [`super::said::response`], which takes a text that is an object, or the object of an error, for the whole response.
fn said(response: Value<'_>) -> (String, bool) {
    let alone = |name: &str| response.get(name).filter(|_| response.len() == 1);
    let plain = |value: Option<Value<'_>>, is_whole: fn(&str) -> bool| {
        let text = value.filter(|value| value.kind() == Form::String)?.text().into_owned();
        Some(text).filter(|text| !is_whole(text))
    };
    let whole = || raw(response).into_string();
    match (alone("output"), alone("error")) {
        (output @ Some(_), _) => (plain(output, is_object).unwrap_or_else(whole), false),
        (_, error @ Some(_)) => (plain(error, is_error).unwrap_or_else(whole), true),
        _ => (whole(), false),
    }
}

/// A part that only this dialect has.
fn other(part: Value<'_>) -> Result<Kind, BodyFault> {
    let mut json = Json::default();
    let mut is_typed = false;
    json.object(|json| {
        json.key("type").string(PART);
        for (key, value) in part.members() {
            is_typed |= key.is("type");
            json.key(&key.text()).raw(value.raw());
        }
    });
    match is_typed {
        true => Err(BodyFault::wrong("type", "absent: it is not known")),
        false => Ok(Kind::Other(String::from_utf8_lossy(&json.done()).into())),
    }
}
