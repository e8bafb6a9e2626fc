//! A request of Anthropic's dialect, read.
//!
//! Law: a member of another type, or outside its range, is a fault that names its path; so is one of OpenAI's that this dialect has not, for
//! it would be taken for OpenAI's where the request goes next. Members that are not known stand beside the rest.

use policy_engine::vocabulary::{Operation, is_published};

use super::super::chat::{Chat, Format, Message, Role, Thinking, Tool, ToolChoice};
use super::super::field::{BodyFault, boolean, given, kind, number, whole};
use super::super::json::Json;
use super::block::{cache, content, inner, member, objects, raw, required, string, text};
use super::{EFFORT, SCHEMA, THINKING_TYPE};
use crate::tape::{Kind as Form, Tape, Value};

/// What a number of tokens may be at most.
const MOST: u64 = 1 << 40;

/// Members of both dialects that mean something else in each, or that are passed on.
const SHARED: [&str; 1] = ["service_tier"];

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Chat, BodyFault> {
    read_with(body, &["model", "max_tokens", "messages"])
}

/// Reads what is to be counted: a request that need not say how long its answer may be.
pub(crate) fn counted(body: &[u8]) -> Result<Chat, BodyFault> {
    read_with(body, &["model", "messages"])
}

fn read_with(body: &[u8], needed: &[&str]) -> Result<Chat, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let Some(root) = tape.root(body).filter(|root| root.kind() == Form::Object) else {
        return Err(BodyFault::wrong("", "an object"));
    };
    let mut chat = Chat::default();
    for (key, value) in root.members().filter(|(_, value)| given(*value)) {
        one(&mut chat, &key.text(), value)?;
    }
    for name in needed {
        member(root, name).ok_or_else(|| BodyFault::Missing((*name).to_owned()))?;
    }
    if let Some(system) = member(root, "system") {
        let content = content("system", system)?;
        chat.messages.insert(0, Message { role: Role::System, name: None, content });
    }
    effort(&mut chat, root)?;
    Ok(chat)
}

fn one(chat: &mut Chat, name: &str, value: Value<'_>) -> Result<(), BodyFault> {
    match name {
        "model" => chat.model = string(name, value)?,
        "messages" => messages(chat, value)?,
        // Once the messages are there.
        "system" => {}
        "stream" => chat.stream = boolean(name, value)?.unwrap_or(false),
        "max_tokens" => {
            chat.max_tokens = whole(name, value, 1..=MOST, "a whole number of tokens, at least 1")?;
        }
        "temperature" => {
            number(name, value, 0.0..=1.0, "a number from 0 to 1")?;
            chat.sampling.temperature = Some(raw(value));
        }
        "top_p" => {
            number(name, value, 0.0..=1.0, "a number from 0 to 1")?;
            chat.sampling.top_p = Some(raw(value));
        }
        "top_k" => chat.sampling.top_k = whole(name, value, 0..=MOST, "a whole number")?,
        "stop_sequences" => chat.stop = stop(name, value)?,
        "tools" => {
            let tools = objects(name, value)?.into_iter().enumerate();
            chat.tools =
                tools.map(|(at, one)| tool(&format!("tools[{at}]"), one)).collect::<Result<_, _>>()?;
        }
        "tool_choice" => tool_choice(chat, value)?,
        "thinking" => thinking(chat, value)?,
        "output_config" => output_config(chat, value)?,
        "output_format" => chat.format = Some(format(name, value)?),
        "metadata" => metadata(chat, value)?,
        name if is_published(Operation::Chat, name) && !SHARED.contains(&name) => {
            return Err(BodyFault::wrong(name, "absent: it is of another dialect"));
        }
        "inference_geo" => {
            return Err(BodyFault::wrong(name, "absent: where a request is processed is for policy to say"));
        }
        // What looks like a path would be taken for one.
        name if name.contains(['.', '[']) => {
            return Err(BodyFault::wrong(name, "absent: it is no member of the dialect"));
        }
        name => chat.others.push((name.to_owned(), raw(value))),
    }
    Ok(())
}

fn messages(chat: &mut Chat, value: Value<'_>) -> Result<(), BodyFault> {
    for (at, said) in objects("messages", value)?.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let role = match required(&path, said, "role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(BodyFault::wrong(format!("{path}.role"), "user or assistant")),
        };
        let words = member(said, "content").ok_or_else(|| BodyFault::Missing(format!("{path}.content")))?;
        let content = content(&format!("{path}.content"), words)?;
        chat.messages.push(Message { role, name: None, content });
        beside(chat, &path, said, &["role", "content"]);
    }
    Ok(())
}

/// Notes the members of an object that have no other place.
fn beside(chat: &mut Chat, path: &str, of: Value<'_>, known: &[&str]) {
    let others = of.members().filter(|(key, value)| given(*value) && !known.iter().any(|name| key.is(name)));
    chat.others.extend(others.map(|(key, value)| (format!("{path}.{}", key.text()), raw(value))));
}

fn stop(name: &str, value: Value<'_>) -> Result<Vec<String>, BodyFault> {
    const STRINGS: &str = "an array of strings";
    kind(name, value, &[Form::Array], STRINGS)?;
    let strings = value.elements().filter(|element| element.kind() == Form::String);
    let strings: Vec<String> = strings.map(|element| element.text().into_owned()).collect();
    if strings.len() == value.len() { Ok(strings) } else { Err(BodyFault::wrong(name, STRINGS)) }
}

/// A tool. One that says more than the form in between has is kept as it stands, with the type that it has by default.
fn tool(path: &str, tool: Value<'_>) -> Result<Tool, BodyFault> {
    const KNOWN: [&str; 6] = ["type", "name", "description", "input_schema", "strict", "cache_control"];
    let of = text(path, tool, "type")?;
    let name = required(path, tool, "name")?;
    if of.is_some_and(|of| of != "custom") {
        return Ok(Tool::Vendor(raw(tool)));
    }
    let schema = inner(path, tool, "input_schema")?;
    let description = text(path, tool, "description")?;
    let strict = member(tool, "strict").map(|value| boolean(&format!("{path}.strict"), value));
    let (strict, cache) = (strict.transpose()?.flatten(), cache(path, tool)?);
    let given = || tool.members().filter(|(_, value)| given(*value));
    if given().all(|(key, _)| KNOWN.iter().any(|known| key.is(known))) {
        return Ok(Tool::Function { name, description, parameters: Some(raw(schema)), strict, cache });
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("type").string("custom");
        let others = given().filter(|(key, _)| !key.is("type"));
        others.for_each(|(key, value)| json.key(&key.text()).raw(value.raw()));
    });
    Ok(Tool::Vendor(String::from_utf8_lossy(&json.done()).into()))
}

fn tool_choice(chat: &mut Chat, value: Value<'_>) -> Result<(), BodyFault> {
    const PATH: &str = "tool_choice";
    const SINGLE: &str = "disable_parallel_tool_use";
    kind(PATH, value, &[Form::Object], "an object")?;
    chat.tool_choice = Some(match required(PATH, value, "type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(required(PATH, value, "name")?),
        _ => return Err(BodyFault::wrong("tool_choice.type", "auto, any, tool or none")),
    });
    let single = member(value, SINGLE).map(|single| boolean(&format!("{PATH}.{SINGLE}"), single));
    chat.parallel_tool_calls = single.transpose()?.flatten().map(|single| !single);
    beside(chat, PATH, value, &["type", "name", SINGLE]);
    Ok(())
}

fn thinking(chat: &mut Chat, value: Value<'_>) -> Result<(), BodyFault> {
    const PATH: &str = "thinking";
    const BUDGET: &str = "thinking.budget_tokens";
    kind(PATH, value, &[Form::Object], "an object")?;
    let budget = member(value, "budget_tokens")
        .map(|budget| whole(BUDGET, budget, 1..=MOST, "a whole number of tokens"))
        .transpose()?
        .flatten();
    chat.thinking = Some(match required(PATH, value, "type")?.as_str() {
        "enabled" => Thinking::Budget(Some(budget.ok_or_else(|| BodyFault::Missing(BUDGET.to_owned()))?)),
        "adaptive" => Thinking::Budget(None),
        "disabled" => Thinking::Off,
        _ => return Err(BodyFault::wrong("thinking.type", "enabled, adaptive or disabled")),
    });
    beside(chat, PATH, value, &["type", "budget_tokens"]);
    Ok(())
}

fn output_config(chat: &mut Chat, value: Value<'_>) -> Result<(), BodyFault> {
    const PATH: &str = "output_config";
    kind(PATH, value, &[Form::Object], "an object")?;
    if let Some(shape) = member(value, "format") {
        chat.format = Some(format("output_config.format", shape)?);
    }
    beside(chat, PATH, value, &["format"]);
    Ok(())
}

/// An effort is what other dialects have too, unless the caller says more closely how long the model thinks. That it was said as an effort
/// stands beside the rest, so that it is said so again.
fn effort(chat: &mut Chat, root: Value<'_>) -> Result<(), BodyFault> {
    let effort = member(root, "output_config").and_then(|config| member(config, "effort"));
    let Some(effort) = effort else { return Ok(()) };
    let effort = string(EFFORT, effort)?;
    if chat.thinking == Some(Thinking::Budget(None)) {
        chat.others.push((THINKING_TYPE.to_owned(), "\"adaptive\"".into()));
    }
    if matches!(chat.thinking, None | Some(Thinking::Budget(None))) {
        chat.thinking = Some(Thinking::Effort(effort));
    }
    Ok(())
}

fn format(path: &str, value: Value<'_>) -> Result<Format, BodyFault> {
    kind(path, value, &[Form::Object], "an object")?;
    if required(path, value, "type")? != "json_schema" {
        return Err(BodyFault::wrong(format!("{path}.type"), "json_schema"));
    }
    let schema = raw(inner(path, value, "schema")?);
    Ok(Format::Schema { name: SCHEMA.to_owned(), description: None, schema, strict: Some(true) })
}

fn metadata(chat: &mut Chat, value: Value<'_>) -> Result<(), BodyFault> {
    const PATH: &str = "metadata";
    kind(PATH, value, &[Form::Object], "an object")?;
    chat.user = text(PATH, value, "user_id")?;
    beside(chat, PATH, value, &["user_id"]);
    Ok(())
}
