//! A request of the Responses API, read.
//!
//! Law: every fault names its field. What one says in a row, in however many items, is one message.

use serde_json::{Map, Value};

use super::super::chat::{
    Call, Chat, Format, Kind, Message, Part, Raw, Role, Source, Thinking, Tool, ToolChoice,
};
use super::super::field::BodyFault;
use super::{Echo, OF_CHATS, is_of_chats};
use crate::tape::Tape;

/// What needs something that is stored, or goes on without the caller.
const STORED: [&str; 4] = ["background", "background_options", "conversation", "prompt"];

/// What a vendor does that speaks this API, and no chat has a place for.
const BEYOND: [&str; 3] = ["context_management", "max_tool_calls", "moderation"];

/// What has no place in a chat, and what is said can be answered without; [`left_out`] says when the caller is told.
const IDLE: [&str; 5] = ["include", "metadata", "store", "stream_options", "truncation"];

/// A request, and what of it an answer repeats.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    /// The conversation.
    pub(crate) chat: Chat,
    /// What is repeated.
    pub(crate) echo: Echo,
    /// The response that it goes on from.
    pub(crate) previous: Option<String>,
    /// Fields that ask for something and have no place in a chat.
    pub(crate) left_out: Vec<&'static str>,
    /// A field without which the chat would be another.
    pub(crate) beyond: Option<&'static str>,
}

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Asked, BodyFault> {
    // The tape refuses what two parsers would read differently.
    Tape::for_text(body.len()).read(body)?;
    let request: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| BodyFault::wrong("", "an object"))?;
    let echo = Echo::of(&request);
    let (mut chat, mut previous) = (Chat::default(), None);
    for (name, value) in request.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "previous_response_id" => previous = Some(string(name, value)?),
            "input" => chat.messages = input(value)?,
            _ => member(&mut chat, name, value)?,
        }
    }
    if chat.messages.is_empty() {
        return Err(BodyFault::Missing("input".to_owned()));
    }
    if let Some(instructions) = request.get("instructions").filter(|value| !value.is_null()) {
        let text = Part::of(Kind::Text(string("instructions", instructions)?));
        chat.messages.insert(0, Message { role: Role::System, name: None, content: vec![text] });
    }
    let asks = |name: &str| request.get(name).is_some_and(|value| !value.is_null());
    let beyond = BEYOND.into_iter().find(|name| asks(name));
    Ok(Asked { chat, echo, previous, left_out: left_out(&request), beyond })
}

/// What is asked for that no chat has a place for, so that the caller is told: a field that asks for what there is anyway is none.
fn left_out(request: &Map<String, Value>) -> Vec<&'static str> {
    let asks = |name: &str| request.get(name).unwrap_or(&Value::Null);
    let told = [
        ("include", asks("include").as_array().is_some_and(|include| !include.is_empty())),
        ("reasoning.summary", word(asks("reasoning"), "summary").is_some()),
        ("store", asks("store").as_bool() == Some(true)),
        ("truncation", asks("truncation").as_str().is_some_and(|how| how != "disabled")),
    ];
    told.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name).collect()
}

fn member(chat: &mut Chat, name: &str, value: &Value) -> Result<(), BodyFault> {
    match name {
        "model" => chat.model = string(name, value)?,
        "instructions" => {}
        "stream" => chat.stream = boolean(name, value)?,
        "max_output_tokens" => chat.max_tokens = Some(whole(name, value)?),
        "temperature" => chat.sampling.temperature = Some(number(name, value)?),
        "top_p" => chat.sampling.top_p = Some(number(name, value)?),
        "parallel_tool_calls" => chat.parallel_tool_calls = Some(boolean(name, value)?),
        "tools" => chat.tools = list(name, value)?.iter().map(tool).collect::<Result<_, _>>()?,
        "tool_choice" => chat.tool_choice = Some(tool_choice(value)),
        "text" => text(chat, value)?,
        "reasoning" => {
            if let Some(effort) = value.get("effort").filter(|effort| !effort.is_null()) {
                chat.thinking = Some(Thinking::Effort(string("reasoning.effort", effort)?));
            }
        }
        "user" => chat.user = Some(string(name, value)?),
        "top_logprobs" if whole(name, value)? == 0 => {}
        "background" if !boolean(name, value)? => {}
        _ if STORED.contains(&name) => {
            return Err(BodyFault::wrong(
                name,
                "left out: nothing is stored here, and nobody is asked twice",
            ));
        }
        _ if IDLE.contains(&name) || BEYOND.contains(&name) => {}
        _ if is_of_chats(name) => return Err(BodyFault::wrong(name, OF_CHATS)),
        _ => chat.others.push((name.to_owned(), raw(value))),
    }
    Ok(())
}

fn raw(value: &Value) -> Raw {
    value.to_string().into()
}

fn string(field: &str, value: &Value) -> Result<String, BodyFault> {
    value.as_str().map(str::to_owned).ok_or_else(|| BodyFault::wrong(field, "a string"))
}

fn boolean(field: &str, value: &Value) -> Result<bool, BodyFault> {
    value.as_bool().ok_or_else(|| BodyFault::wrong(field, "a boolean"))
}

fn whole(field: &str, value: &Value) -> Result<u64, BodyFault> {
    value.as_u64().ok_or_else(|| BodyFault::wrong(field, "a whole number"))
}

fn number(field: &str, value: &Value) -> Result<Raw, BodyFault> {
    if value.is_number() { Ok(raw(value)) } else { Err(BodyFault::wrong(field, "a number")) }
}

fn list<'v>(field: &str, value: &'v Value) -> Result<&'v [Value], BodyFault> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| BodyFault::wrong(field, "an array"))
}

fn word<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn needed(path: &str, value: &Value, name: &str) -> Result<String, BodyFault> {
    word(value, name).map(str::to_owned).ok_or_else(|| BodyFault::Missing(format!("{path}.{name}")))
}

fn input(value: &Value) -> Result<Vec<Message>, BodyFault> {
    if let Some(text) = value.as_str() {
        let content = vec![Part::of(Kind::Text(text.to_owned()))];
        return Ok(vec![Message { role: Role::User, name: None, content }]);
    }
    let items = value.as_array().ok_or_else(|| BodyFault::wrong("input", "a string or an array of items"))?;
    let mut messages: Vec<Message> = Vec::new();
    for (at, value) in items.iter().enumerate() {
        let (role, content) = item(&format!("input[{at}]"), value)?;
        match messages.last_mut().filter(|last| last.role == role && role == Role::Assistant) {
            Some(last) => last.content.extend(content),
            None => messages.push(Message { role, name: None, content }),
        }
    }
    Ok(messages)
}

fn item(path: &str, item: &Value) -> Result<(Role, Vec<Part>), BodyFault> {
    if !item.is_object() {
        return Err(BodyFault::wrong(path, "an object"));
    }
    let one = |role, kind| Ok((role, vec![Part::of(kind)]));
    match word(item, "type").unwrap_or("message") {
        "message" => {
            let role = match word(item, "role") {
                Some("user") => Role::User,
                Some("assistant") => Role::Assistant,
                Some("system" | "developer") => Role::System,
                _ => {
                    let expected = "one of user, assistant, system, developer";
                    return Err(BodyFault::wrong(format!("{path}.role"), expected));
                }
            };
            let content = item.get("content").unwrap_or(&Value::Null);
            Ok((role, parts(&format!("{path}.content"), content)?))
        }
        "function_call" => {
            let [id, name, arguments] = ["call_id", "name", "arguments"].map(|name| needed(path, item, name));
            one(Role::Assistant, Kind::Call(Call { id: id?, name: name?, arguments: arguments? }))
        }
        "function_call_output" => {
            let id = needed(path, item, "call_id")?;
            let output = item.get("output").unwrap_or(&Value::Null);
            let content = parts(&format!("{path}.output"), output)?;
            one(Role::User, Kind::Output { id, content, failed: false })
        }
        "reasoning" => {
            let texts = ["content", "summary"].map(|name| item.get(name).and_then(Value::as_array));
            let texts = texts.into_iter().flatten().find(|texts| !texts.is_empty());
            let text = texts.into_iter().flatten().filter_map(|part| word(part, "text")).collect();
            let signature = word(item, "encrypted_content").map(str::to_owned);
            one(Role::Assistant, Kind::Thinking { text, signature })
        }
        "item_reference" => Err(BodyFault::wrong(path, "the item itself: nothing is stored here")),
        _ => one(Role::Assistant, Kind::Other(raw(item))),
    }
}

fn parts(path: &str, value: &Value) -> Result<Vec<Part>, BodyFault> {
    if let Some(text) = value.as_str() {
        return Ok(vec![Part::of(Kind::Text(text.to_owned()))]);
    }
    let parts = value.as_array().ok_or_else(|| BodyFault::wrong(path, "a string or an array of parts"))?;
    let each = parts.iter().enumerate().map(|(at, one)| part(&format!("{path}[{at}]"), one));
    each.collect()
}

fn part(path: &str, part: &Value) -> Result<Part, BodyFault> {
    let kind = match word(part, "type") {
        Some("input_text" | "output_text" | "text") => Kind::Text(needed(path, part, "text")?),
        Some("refusal") => Kind::Refusal(needed(path, part, "refusal")?),
        Some("input_image") => {
            let source = match (word(part, "image_url"), word(part, "file_id")) {
                (Some(url), _) => Source::of_url(url.to_owned()),
                (None, Some(id)) => Source::Id(id.to_owned()),
                (None, None) => return Err(BodyFault::Missing(format!("{path}.image_url"))),
            };
            Kind::Image(source, word(part, "detail").map(str::to_owned))
        }
        Some("input_file") => {
            let source = match (word(part, "file_data"), word(part, "file_url"), word(part, "file_id")) {
                (Some(data), ..) => Source::of_url(data.to_owned()),
                (_, Some(url), _) => Source::Url(url.to_owned()),
                (.., Some(id)) => Source::Id(id.to_owned()),
                _ => return Err(BodyFault::Missing(format!("{path}.file_data"))),
            };
            Kind::File { source, name: word(part, "filename").map(str::to_owned) }
        }
        Some(_) => Kind::Other(raw(part)),
        None => return Err(BodyFault::Missing(format!("{path}.type"))),
    };
    Ok(Part::of(kind))
}

fn tool(tool: &Value) -> Result<Tool, BodyFault> {
    match word(tool, "type") {
        Some("function") => Ok(Tool::Function {
            name: needed("tools", tool, "name")?,
            description: word(tool, "description").map(str::to_owned),
            parameters: tool.get("parameters").filter(|schema| !schema.is_null()).map(raw),
            strict: tool.get("strict").and_then(Value::as_bool),
            cache: None,
        }),
        Some(_) => Ok(Tool::Vendor(raw(tool))),
        None => Err(BodyFault::Missing("tools.type".to_owned())),
    }
}

fn tool_choice(choice: &Value) -> ToolChoice {
    match (choice.as_str(), word(choice, "type"), word(choice, "name")) {
        (Some("auto"), ..) => ToolChoice::Auto,
        (Some("none"), ..) => ToolChoice::None,
        (Some("required"), ..) => ToolChoice::Any,
        (_, Some("function"), Some(name)) => ToolChoice::Named(name.to_owned()),
        _ => ToolChoice::Other(raw(choice)),
    }
}

fn text(chat: &mut Chat, value: &Value) -> Result<(), BodyFault> {
    if let Some(verbosity) = value.get("verbosity").filter(|verbosity| !verbosity.is_null()) {
        chat.others.push(("verbosity".to_owned(), raw(verbosity)));
    }
    let Some(format) = value.get("format").filter(|format| !format.is_null()) else { return Ok(()) };
    chat.format = match word(format, "type") {
        Some("text") => None,
        Some("json_object") => Some(Format::Json),
        Some("json_schema") => Some(Format::Schema {
            name: needed("text.format", format, "name")?,
            description: word(format, "description").map(str::to_owned),
            schema: format
                .get("schema")
                .map(raw)
                .ok_or_else(|| BodyFault::Missing("text.format.schema".to_owned()))?,
            strict: format.get("strict").and_then(Value::as_bool),
        }),
        _ => return Err(BodyFault::wrong("text.format.type", "text, json_object or json_schema")),
    };
    Ok(())
}
