//! A request as OpenAI's dialect has it, read.
//!
//! Law: the pipeline has checked the types of what it knows; what is of another type here is a fault all the same.

use super::super::chat::{
    Call, Chat, Format, Kind, Message, Part, Raw, Role, Source, Thinking, Tool, ToolChoice,
};
use super::super::field::{BodyFault, boolean, given, kind, raw, string, whole};
use crate::tape::{Kind as Form, Tape, Value};

/// What a number of tokens or answers may be at most.
const MOST: u64 = 1 << 40;

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Chat, BodyFault> {
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let mut chat = Chat::default();
    let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
    for (key, value) in root.members().filter(|(_, value)| given(*value)) {
        member(&mut chat, &key.text(), value)?;
    }
    Ok(chat)
}

fn member(chat: &mut Chat, name: &str, value: Value<'_>) -> Result<(), BodyFault> {
    let number = |least| whole(name, value, least..=MOST, "a whole number");
    match name {
        "model" => chat.model = string(name, value)?,
        "messages" => chat.messages = messages(chat, value)?,
        "stream" => chat.stream = boolean(name, value)?.unwrap_or(false),
        // What a stream tells of what was used is the pipeline's.
        "stream_options" => {}
        "max_tokens" | "max_completion_tokens" => {
            let tokens = number(1)?;
            chat.max_tokens = chat.max_tokens.into_iter().chain(tokens).min();
        }
        "temperature" => chat.sampling.temperature = Some(raw(value)),
        "top_p" => chat.sampling.top_p = Some(raw(value)),
        "top_k" => chat.sampling.top_k = number(0)?,
        "seed" => chat.sampling.seed = Some(raw(value)),
        "presence_penalty" => chat.sampling.presence_penalty = Some(raw(value)),
        "frequency_penalty" => chat.sampling.frequency_penalty = Some(raw(value)),
        "n" => chat.choices = number(1)?,
        "stop" => chat.stop = strings(name, value)?,
        "tools" => chat.tools = objects(name, value)?.map(tool).collect::<Result<_, _>>()?,
        "tool_choice" => chat.tool_choice = Some(tool_choice(value)),
        "parallel_tool_calls" => chat.parallel_tool_calls = boolean(name, value)?,
        "response_format" => chat.format = Some(format(value)?),
        "reasoning_effort" => chat.thinking = Some(Thinking::Effort(string(name, value)?)),
        "thinking" => chat.thinking = Some(thinking(value)?),
        "include_reasoning" => chat.show_thinking = boolean(name, value)?,
        "user" => chat.user = Some(string(name, value)?),
        name => chat.others.push((name.to_owned(), raw(value))),
    }
    Ok(())
}

/// A string, where there is one.
pub(super) fn text(value: Option<Value<'_>>) -> Option<String> {
    value.filter(|value| value.kind() == Form::String).map(|value| value.text().into_owned())
}

fn strings(field: &str, value: Value<'_>) -> Result<Vec<String>, BodyFault> {
    match value.kind() {
        Form::String => Ok(vec![value.text().into_owned()]),
        _ => value.elements().map(|element| string(field, element)).collect(),
    }
}

fn objects<'t>(
    field: &str,
    value: Value<'t>,
) -> Result<impl Iterator<Item = Value<'t>> + use<'t>, BodyFault> {
    kind(field, value, &[Form::Array], "an array of objects")?;
    Ok(value.elements())
}

/// The messages; what of one has no place is noted beside the other members, by its path.
fn messages(chat: &mut Chat, value: Value<'_>) -> Result<Vec<Message>, BodyFault> {
    let mut messages = Vec::new();
    for (at, said) in objects("messages", value)?.enumerate() {
        let path = format!("messages[{at}]");
        let role = said.get("role").map(|role| role.text()).unwrap_or_default();
        let (mut content, mut calls, mut name, mut details) = (Vec::new(), Vec::new(), None, false);
        for (key, value) in said.members().filter(|(_, value)| given(*value)) {
            match key.text().as_ref() {
                "role" | "tool_call_id" | "is_error" => {}
                "cache_control" if role == "tool" => {}
                "name" => name = Some(string(&format!("{path}.name"), value)?),
                "content" => content.extend(parts(&format!("{path}.content"), value)?),
                "refusal" => content.push(Part::of(Kind::Refusal(value.text().into_owned()))),
                // Calls come after what is said, wherever the member stands.
                "tool_calls" => calls.extend(value.elements().map(call)),
                "reasoning_details" => {
                    details = true;
                    // Thoughts come before what was said of them.
                    content.splice(0..0, value.elements().filter_map(detail).map(Part::of));
                }
                "reasoning_content" | "reasoning" if said.get("reasoning_details").is_none() && !details => {
                    details = true;
                    let text = value.text().into_owned();
                    content.insert(0, Part::of(Kind::Thinking { text, signature: None }));
                }
                "reasoning_content" | "reasoning" => {}
                other => chat.others.push((format!("{path}.{other}"), raw(value))),
            }
        }
        content.append(&mut calls);
        let (role, content) = match role.as_ref() {
            "assistant" => (Role::Assistant, content),
            "tool" => {
                let id = text(said.get("tool_call_id")).unwrap_or_default();
                let failed = said.get("is_error").is_some_and(|failed| failed.kind() == Form::True);
                let cache = cache(said);
                (Role::User, vec![Part { kind: Kind::Output { id, content, failed }, cache }])
            }
            "system" | "developer" => (Role::System, content),
            "user" => (Role::User, content),
            // What is older than tools is nobody else's.
            _ => (Role::User, vec![Part::of(Kind::Other(raw(said)))]),
        };
        messages.push(Message { role, name, content });
    }
    Ok(messages)
}

/// The pieces of what is said, or judged, at a path.
pub(in crate::dialect) fn parts(path: &str, value: Value<'_>) -> Result<Vec<Part>, BodyFault> {
    match value.kind() {
        Form::String => Ok(vec![Part::of(Kind::Text(value.text().into_owned()))]),
        _ => value.elements().enumerate().map(|(at, part)| one(&format!("{path}[{at}]"), part)).collect(),
    }
}

fn one(path: &str, part: Value<'_>) -> Result<Part, BodyFault> {
    let of = part.get("type").map(|of| of.text()).unwrap_or_default();
    let inner = |name: &str| part.get(name).filter(|inner| inner.kind() == Form::Object);
    let missing = |name: &str| BodyFault::Missing(format!("{path}.{name}"));
    let kind = match of.as_ref() {
        // With where it is from, it is more than a text.
        "text" if part.get("citations").is_some_and(|cited| cited.len() > 0) => Kind::Other(raw(part)),
        "text" => Kind::Text(text(part.get("text")).ok_or_else(|| missing("text"))?),
        "refusal" => Kind::Refusal(text(part.get("refusal")).ok_or_else(|| missing("refusal"))?),
        "image_url" => {
            let image = inner("image_url").ok_or_else(|| missing("image_url"))?;
            let source = match text(image.get("file_id")) {
                Some(id) => Source::Id(id),
                None => Source::of_url(text(image.get("url")).ok_or_else(|| missing("image_url.url"))?),
            };
            Kind::Image(source, text(image.get("detail")))
        }
        "input_audio" => {
            let audio = inner("input_audio").ok_or_else(|| missing("input_audio"))?;
            let data = text(audio.get("data")).ok_or_else(|| missing("input_audio.data"))?;
            Kind::Audio { data, format: text(audio.get("format")).unwrap_or_default() }
        }
        "file" => {
            let file = inner("file").ok_or_else(|| missing("file"))?;
            let source = match (text(file.get("file_data")), text(file.get("file_id"))) {
                // Base64 without a word about it is a file's too.
                (Some(data), _) => match Source::of_url(data) {
                    Source::Url(data) if !data.contains("://") => {
                        Source::Data { media_type: String::new(), data }
                    }
                    source => source,
                },
                (None, Some(id)) => Source::Id(id),
                (None, None) => return Err(missing("file.file_data")),
            };
            Kind::File { source, name: text(file.get("filename")) }
        }
        _ => return Ok(Part::of(Kind::Other(raw(part)))),
    };
    let cache = cache(part).filter(|_| !matches!(kind, Kind::Other(_)));
    Ok(Part { kind, cache })
}

/// The mark that everything up to here may be kept.
fn cache(of: Value<'_>) -> Option<Raw> {
    of.get("cache_control").filter(|cache| given(*cache)).map(raw)
}

/// A call of a tool.
pub(super) fn call(call: Value<'_>) -> Part {
    let function = call.get("function").filter(|function| function.kind() == Form::Object);
    let Some(function) = function else { return Part::of(Kind::Other(raw(call))) };
    let kind = Kind::Call(Call {
        id: text(call.get("id")).unwrap_or_default(),
        name: text(function.get("name")).unwrap_or_default(),
        arguments: text(function.get("arguments")).unwrap_or_default(),
    });
    Part { kind, cache: cache(call) }
}

/// A piece of `reasoning_details`; others than these two are its writer's own.
pub(super) fn detail(detail: Value<'_>) -> Option<Kind> {
    match detail.get("type")?.text().as_ref() {
        "reasoning.text" => Some(Kind::Thinking {
            text: text(detail.get("text")).unwrap_or_default(),
            signature: text(detail.get("signature")),
        }),
        "reasoning.encrypted" => Some(Kind::Redacted(text(detail.get("data"))?)),
        _ => None,
    }
}

fn tool(tool: Value<'_>) -> Result<Tool, BodyFault> {
    let function = tool.get("function").filter(|_| tool.get("type").is_some_and(|of| of.is("function")));
    let Some(function) = function else { return Ok(Tool::Vendor(raw(tool))) };
    let at = |name: &str| function.get(name).filter(|value| given(*value));
    Ok(Tool::Function {
        name: text(at("name")).ok_or_else(|| BodyFault::Missing("tools.function.name".to_owned()))?,
        description: text(at("description")),
        parameters: at("parameters").map(raw),
        strict: at("strict").map_or(Ok(None), |strict| boolean("tools.function.strict", strict))?,
        cache: cache(tool),
    })
}

fn tool_choice(choice: Value<'_>) -> ToolChoice {
    let named = choice.get("function").and_then(|function| text(function.get("name")));
    match (choice.text().as_ref(), named) {
        ("auto", _) => ToolChoice::Auto,
        ("none", _) => ToolChoice::None,
        ("required" | "any", _) => ToolChoice::Any,
        (_, Some(name)) => ToolChoice::Named(name),
        (_, None) => ToolChoice::Other(raw(choice)),
    }
}

fn format(format: Value<'_>) -> Result<Format, BodyFault> {
    const FIELD: &str = "response_format";
    let of = format.get("type").map(|of| of.text()).unwrap_or_default();
    match of.as_ref() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let missing = |name: &str| BodyFault::Missing(format!("{FIELD}.{name}"));
            let schema = format.get("json_schema").ok_or_else(|| missing("json_schema"))?;
            let at = |name: &str| schema.get(name).filter(|value| given(*value));
            Ok(Format::Schema {
                name: text(at("name")).unwrap_or_default(),
                description: text(at("description")),
                schema: at("schema").map(raw).ok_or_else(|| missing("json_schema.schema"))?,
                strict: at("strict").map_or(Ok(None), |strict| boolean(FIELD, strict))?,
            })
        }
        _ => Err(BodyFault::wrong("response_format.type", "text, json_object or json_schema")),
    }
}

fn thinking(value: Value<'_>) -> Result<Thinking, BodyFault> {
    if value.get("type").is_some_and(|of| of.is("disabled")) {
        return Ok(Thinking::Off);
    }
    let budget = value.get("budget_tokens").filter(|budget| given(*budget));
    let read = |budget| whole("thinking.budget_tokens", budget, 0..=MOST, "a whole number of tokens");
    Ok(Thinking::Budget(budget.map_or(Ok(None), read)?))
}
