//! A request of the dialect, read.
//!
//! Law: every wrong type is a fault by the path of its field, in camel case. Content of one role may be empty for the model alone.

use super::super::chat::{Chat, Kind, Message, Part, Role};
use super::super::field::{BodyFault, kind};
use super::ids::Ids;
use super::members::{members, objects, raw, string};
use super::signature::{Peer, own};
use super::{config, declared, part};
use crate::tape::{Kind as Form, Tape, Value};

/// Reads a body; the model and whether the answer is to come as events stand in its path.
pub(crate) fn read(model: &str, stream: bool, body: &[u8]) -> Result<Chat, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
    let mut chat = Chat { model: model.to_owned(), stream, ..Chat::default() };
    request(&mut chat, root)?;
    Ok(chat)
}

/// Reads a request into a conversation.
pub(super) fn request(chat: &mut Chat, root: Value<'_>) -> Result<(), BodyFault> {
    let (mut system, mut contents) = (None, None);
    for (name, value) in members(root)? {
        match name.as_str() {
            // The path tells it.
            "model" => drop(string("model", value)?),
            "contents" => contents = Some(read_contents(chat, &name, value)?),
            "systemInstruction" => system = Some(instruction(value).map_err(|fault| fault.within(&name))?),
            "generationConfig" => config::read(chat, value).map_err(|fault| fault.within(&name))?,
            "tools" => declared::tools(chat, &name, value)?,
            "toolConfig" => declared::choice(chat, value).map_err(|fault| fault.within(&name))?,
            "safetySettings" => {
                objects(&name, value)?;
                chat.others.push((name, raw(value)));
            }
            "cachedContent" => {
                kind(&name, value, &[Form::String], "a string")?;
                chat.others.push((name, raw(value)));
            }
            _ => chat.others.push((name, raw(value))),
        }
    }
    let contents = contents.ok_or_else(|| BodyFault::Missing("contents".to_owned()))?;
    chat.messages = system.into_iter().chain(contents).collect();
    Ok(())
}

fn instruction(value: Value<'_>) -> Result<Message, BodyFault> {
    let mut content = Vec::new();
    for (name, value) in members(value)? {
        match name.as_str() {
            "role" => drop(string(&name, value)?),
            "parts" => {
                for (at, part) in objects(&name, value)?.into_iter().enumerate() {
                    let path = format!("parts[{at}]");
                    let text = members(part).and_then(|members| match members.as_slice() {
                        [(name, text)] if name == "text" => string("text", *text),
                        [] => Err(BodyFault::Missing("text".to_owned())),
                        [(name, _), ..] => Err(BodyFault::wrong(name, "absent: only text can instruct")),
                    });
                    content.push(Part::of(Kind::Text(text.map_err(|fault| fault.within(&path))?)));
                }
            }
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    if content.is_empty() {
        return Err(BodyFault::Missing("parts".to_owned()));
    }
    Ok(Message { role: Role::System, name: None, content })
}

fn read_contents(chat: &mut Chat, field: &str, value: Value<'_>) -> Result<Vec<Message>, BodyFault> {
    let contents = objects(field, value)?;
    if contents.is_empty() {
        return Err(BodyFault::wrong(field, "an array of at least one content"));
    }
    let mut ids = Ids::of_contents(value);
    let mut messages: Vec<Message> = Vec::with_capacity(contents.len());
    for (at, content) in contents.into_iter().enumerate() {
        let path = format!("{field}[{at}]");
        let (message, others) = one(content, &mut ids).map_err(|fault| fault.within(&path))?;
        // SDKs keep each event of a stream as a content of its own.
        match messages.last_mut().filter(|last| last.role == message.role) {
            Some(last) => message.content.into_iter().for_each(|part| push(&mut last.content, part)),
            None => messages.push(message),
        }
        let others = others.into_iter().map(|(name, value)| (format!("{path}.{name}"), raw(value)));
        chat.others.extend(others);
    }
    Ok(messages)
}

type Others<'t> = Vec<(String, Value<'t>)>;

fn one<'t>(content: Value<'t>, ids: &mut Ids) -> Result<(Message, Others<'t>), BodyFault> {
    let (mut role, mut said, mut others) = (Role::User, Vec::new(), Vec::new());
    for (name, value) in members(content)? {
        match name.as_str() {
            "role" => role = read_role(value)?,
            "parts" => {
                for (at, part) in objects(&name, value)?.into_iter().enumerate() {
                    let path = format!("{name}[{at}]");
                    said.extend(part::read(part, Peer::Caller, ids).map_err(|fault| fault.within(&path))?);
                }
            }
            _ => others.push((name, value)),
        }
    }
    if said.is_empty() && role == Role::User {
        return Err(BodyFault::Missing("parts".to_owned()));
    }
    Ok((Message { role, name: None, content: said }, others))
}

/// Adds a part; thoughts in pieces are one, and so are thoughts and another vendor's proof of them. A signature of Gemini's own without
/// words is of the part after it.
fn push(said: &mut Vec<Part>, part: Part) {
    if let Kind::Thinking { text: more, signature: proof } = &part.kind
        && let Some(Part { kind: Kind::Thinking { text, signature: signature @ None }, .. }) = said.last_mut()
        && (!more.is_empty() || proof.as_deref().is_some_and(|proof| own(proof).is_none()))
    {
        text.push_str(more);
        signature.clone_from(proof);
        return;
    }
    said.push(part);
}

fn read_role(value: Value<'_>) -> Result<Role, BodyFault> {
    match value.text().as_ref() {
        "model" => Ok(Role::Assistant),
        // What functions gave back had roles of its own once.
        "user" | "function" | "tool" => Ok(Role::User),
        _ => Err(BodyFault::wrong("role", "user or model")),
    }
}
