//! The messages of a conversation in the dialect.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proto::inference::content_part::Part;
use proto::inference::{File, Image, Message, Role, ToolCall, file, image};

use super::super::form;
use crate::dialect::json::Json;
use crate::error::Rejection;

/// Writes them as an array.
pub(super) fn write(messages: &[Message], json: &mut Json) -> Result<(), Rejection> {
    let mut fault = Ok(());
    json.array(|json| {
        for (at, message) in messages.iter().enumerate() {
            if fault.is_ok() {
                json.object(|json| fault = one(message, &format!("messages[{at}]"), json));
            }
        }
    });
    fault
}

fn one(message: &Message, path: &str, json: &mut Json) -> Result<(), Rejection> {
    let role = Role::try_from(message.role).unwrap_or(Role::Unspecified);
    let word =
        form::role(role).ok_or_else(|| Rejection::field(&format!("{path}.role"), "no role is given"))?;
    json.key("role").string(word);
    if !message.name.is_empty() {
        json.key("name").string(&message.name);
    }
    if !message.tool_call_id.is_empty() {
        json.key("tool_call_id").string(&message.tool_call_id);
    }
    if !message.tool_calls.is_empty() {
        json.key("tool_calls").array(|json| message.tool_calls.iter().for_each(|call| tool_call(call, json)));
    }
    content(message, path, json)
}

fn tool_call(call: &ToolCall, json: &mut Json) {
    json.object(|json| {
        json.key("id").string(&call.id);
        json.key("type").string("function");
        json.key("function").object(|json| {
            json.key("name").string(&call.name);
            json.key("arguments").string(&call.arguments);
        });
    });
}

/// One text is written as a string, as every vendor takes it; anything more as parts. Refusal and reasoning have members of
/// their own in the dialect.
fn content(message: &Message, path: &str, json: &mut Json) -> Result<(), Rejection> {
    let mut parts = Vec::new();
    for (at, part) in message.content.iter().enumerate() {
        let path = || format!("{path}.content[{at}]");
        match &part.part {
            None => return Err(Rejection::field(&path(), "no part is given")),
            Some(Part::Refusal(refusal)) => json.key("refusal").string(refusal),
            Some(Part::Reasoning(reasoning)) if !reasoning.signature.is_empty() => {
                let field = format!("{}.reasoning.signature", path());
                return Err(Rejection::unsupported(&field, "the dialect of the vendor has no place for it"));
            }
            Some(Part::Reasoning(reasoning)) => json.key("reasoning_content").string(&reasoning.text),
            Some(part) => parts.push((at, part)),
        }
    }
    match parts.as_slice() {
        [] => json.key("content").null(),
        [(_, Part::Text(text))] => json.key("content").string(text),
        _ => json.key("content").array(|json| parts.iter().for_each(|(_, part)| write_part(part, json))),
    }
    Ok(())
}

/// Writes a part of what is said, or of what is judged.
pub(super) fn write_part(part: &Part, json: &mut Json) {
    json.object(|json| match part {
        Part::Text(text) => {
            json.key("type").string("text");
            json.key("text").string(text);
        }
        Part::Image(image) => {
            json.key("type").string("image_url");
            json.key("image_url").object(|json| write_image(image, json));
        }
        Part::Audio(audio) => {
            json.key("type").string("input_audio");
            json.key("input_audio").object(|json| {
                json.key("data").string(&BASE64_STANDARD.encode(&audio.data));
                json.key("format").string(&audio.format);
            });
        }
        Part::File(file) => {
            json.key("type").string("file");
            json.key("file").object(|json| write_file(file, json));
        }
        Part::Refusal(_) | Part::Reasoning(_) => {}
    });
}

fn write_image(image: &Image, json: &mut Json) {
    match &image.source {
        Some(image::Source::Url(url)) => json.key("url").string(url),
        Some(image::Source::Data(data)) => {
            json.key("url").string(&data_url(&image.media_type, "image/png", data))
        }
        None => json.key("url").string(""),
    }
    if !image.detail.is_empty() {
        json.key("detail").string(&image.detail);
    }
}

fn write_file(file: &File, json: &mut Json) {
    match &file.source {
        Some(file::Source::Data(data)) => {
            json.key("file_data").string(&data_url(&file.media_type, "application/octet-stream", data));
        }
        Some(file::Source::FileId(id)) => json.key("file_id").string(id),
        None => {}
    }
    if !file.filename.is_empty() {
        json.key("filename").string(&file.filename);
    }
}

fn data_url(media_type: &str, otherwise: &str, data: &[u8]) -> String {
    let media_type = if media_type.is_empty() { otherwise } else { media_type };
    format!("data:{media_type};base64,{}", BASE64_STANDARD.encode(data))
}
