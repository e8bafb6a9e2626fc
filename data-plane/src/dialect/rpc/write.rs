//! A conversation as a message.
//!
//! Law: see the parent. What an answer's messages could not tell (log probabilities, sounds) is not asked for.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_types::Struct;
use prost_types::value::Kind as Of;
use proto::inference::content_part::Part as Said;
use proto::inference::output_format::Format as Form;
use proto::inference::tool::Kind as ToolKind;
use proto::inference::tool_choice::Choice;
use proto::inference::{
    Audio, ChatRequest, ContentPart, File, Function, Image, JsonObjectFormat, JsonSchemaFormat, Message,
    OutputFormat, Reasoning, Role, TextFormat, Tool, ToolCall, ToolChoice, ToolMode, file, image,
};

use super::super::chat::{self, Chat, Kind, Part, Raw, Source, Thinking};
use super::super::untold::{Untold, is_of_thoughts, says_nothing};
use super::super::{Unfit, structure};
use super::{Written, extensions};

/// What of a request the answer's messages have no place for.
const UNANSWERABLE: [&str; 5] = ["audio", "function_call", "functions", "logprobs", "modalities"];
const NO_ANSWER: &str = "an adapter's answer has no place for it";
const NO_PLACE: &str = "an adapter's messages have no place for it";
const NO_NUMBER: &str = "it is no number that an adapter's messages have";

/// The message of a conversation.
pub(crate) fn write(chat: &Chat) -> Result<Written<ChatRequest>, Unfit> {
    let mut untold = Untold::default();
    let mut number = |field: &'static str, raw: &Option<Raw>| -> Option<f64> {
        let read = raw.as_ref()?.parse().ok();
        if read.is_none() {
            untold.refuse(field, NO_NUMBER);
        }
        read
    };
    let temperature = number("temperature", &chat.sampling.temperature);
    let top_p = number("top_p", &chat.sampling.top_p);
    let seed = chat.sampling.seed.as_ref().map(|seed| seed.parse());
    if matches!(seed, Some(Err(_))) {
        untold.refuse("seed", NO_NUMBER);
    }
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let message = ChatRequest {
        model: chat.model.clone(),
        messages: messages(&chat.messages, &mut untold),
        tools: chat.tools.iter().filter_map(|one| tool(one, &mut untold)).collect(),
        tool_choice: chat.tool_choice.as_ref().and_then(|choice| tool_choice(choice, &mut untold)),
        parallel_tool_calls: chat.parallel_tool_calls,
        output_format: chat.format.as_ref().map(|format| output_format(format, &mut untold)),
        stop: chat.stop.clone(),
        seed: seed.and_then(Result::ok),
        temperature,
        top_p,
        max_output_tokens: chat.max_tokens.map(small),
        n: chat.choices.map(small),
        extensions: extensions(&others(chat, &mut untold))?,
        metadata: None,
    };
    Ok(Written { message, left_out: untold.told()? })
}

/// Members of OpenAI's dialect that the message has no fields for.
fn others(chat: &Chat, untold: &mut Untold) -> Vec<(String, Raw)> {
    let sampling = &chat.sampling;
    let quoted = |text: &str| serde_json::Value::from(text).to_string().into_boxed_str();
    let thinking = chat.thinking.as_ref().map(|thinking| match thinking {
        Thinking::Effort(effort) => ("reasoning_effort", quoted(effort)),
        Thinking::Budget(None) => ("thinking", r#"{"type":"enabled"}"#.into()),
        Thinking::Budget(Some(tokens)) => {
            ("thinking", format!(r#"{{"type":"enabled","budget_tokens":{tokens}}}"#).into())
        }
        Thinking::Off => ("thinking", r#"{"type":"disabled"}"#.into()),
    });
    let own = [
        sampling.presence_penalty.clone().map(|raw| ("presence_penalty", raw)),
        sampling.frequency_penalty.clone().map(|raw| ("frequency_penalty", raw)),
        sampling.top_k.map(|most| ("top_k", most.to_string().into())),
        thinking,
        chat.show_thinking.map(|shown| ("include_reasoning", shown.to_string().into())),
        chat.user.as_ref().map(|user| ("user", quoted(user))),
    ];
    let mut others: Vec<(String, Raw)> =
        own.into_iter().flatten().map(|(name, raw)| (name.to_owned(), raw)).collect();
    for (name, raw) in &chat.others {
        if says_nothing(name, raw) || is_of_thoughts(name) {
            untold.leave(name.clone());
        } else if UNANSWERABLE.contains(&name.as_str()) || name == "top_logprobs" {
            untold.refuse(name.clone(), NO_ANSWER);
        } else if name.contains(['.', '[']) {
            untold.refuse(name.clone(), NO_PLACE);
        } else {
            others.push((name.clone(), raw.clone()));
        }
    }
    others
}

fn messages(all: &[chat::Message], untold: &mut Untold) -> Vec<Message> {
    let mut messages = Vec::with_capacity(all.len());
    for (at, said) in all.iter().enumerate() {
        let role = match said.role {
            chat::Role::System => Role::System,
            chat::Role::User => Role::User,
            chat::Role::Assistant => Role::Assistant,
        };
        let name = said.name.clone().unwrap_or_default();
        let begin = || Message { role: role.into(), name: name.clone(), ..Message::default() };
        let (mut message, before) = (begin(), messages.len());
        let is_empty = |message: &Message| message.content.is_empty() && message.tool_calls.is_empty();
        for (inner, part) in said.content.iter().enumerate() {
            let path = || format!("messages[{at}].content[{inner}]");
            if part.cache.is_some() {
                untold.leave("cache_control");
            }
            match &part.kind {
                Kind::Call(call) => message.tool_calls.push(ToolCall {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                }),
                Kind::Output { id, content, failed } => {
                    if !is_empty(&message) {
                        messages.push(std::mem::replace(&mut message, begin()));
                    }
                    if *failed {
                        untold.leave("is_error");
                    }
                    messages.push(Message {
                        role: Role::Tool.into(),
                        content: content
                            .iter()
                            .filter_map(|part| self::part(part, &path(), untold))
                            .collect(),
                        tool_call_id: id.clone(),
                        ..Message::default()
                    });
                }
                _ => message.content.extend(self::part(part, &path(), untold)),
            }
        }
        if !is_empty(&message) || messages.len() == before {
            messages.push(message);
        }
    }
    messages
}

/// A piece of what was said; `None`: it is not told.
pub(super) fn part(part: &Part, path: &str, untold: &mut Untold) -> Option<ContentPart> {
    let mut decoded = |data: &str| {
        let bytes = BASE64_STANDARD.decode(data).ok();
        if bytes.is_none() {
            untold.refuse(path.to_owned(), "its content is no base64");
        }
        bytes
    };
    let said = match &part.kind {
        Kind::Text(text) => Said::Text(text.clone()),
        Kind::Refusal(text) => Said::Refusal(text.clone()),
        Kind::Thinking { text, signature } => Said::Reasoning(Reasoning {
            text: text.clone(),
            signature: signature.clone().unwrap_or_default(),
        }),
        Kind::Image(Source::Url(url), detail) => Said::Image(Image {
            source: Some(image::Source::Url(url.clone())),
            detail: detail.clone().unwrap_or_default(),
            ..Image::default()
        }),
        Kind::Image(Source::Data { media_type, data }, detail) => Said::Image(Image {
            source: Some(image::Source::Data(decoded(data)?)),
            media_type: media_type.clone(),
            detail: detail.clone().unwrap_or_default(),
        }),
        Kind::Audio { data, format } => Said::Audio(Audio { data: decoded(data)?, format: format.clone() }),
        Kind::File { source: Source::Data { media_type, data }, name } => Said::File(File {
            source: Some(file::Source::Data(decoded(data)?)),
            filename: name.clone().unwrap_or_default(),
            media_type: media_type.clone(),
        }),
        Kind::File { source: Source::Id(id), name } => Said::File(File {
            source: Some(file::Source::FileId(id.clone())),
            filename: name.clone().unwrap_or_default(),
            ..File::default()
        }),
        Kind::Redacted(_) => {
            untold.leave("messages.reasoning_details");
            return None;
        }
        Kind::Image(Source::Id(_), _)
        | Kind::File { source: Source::Url(_), .. }
        | Kind::Call(_)
        | Kind::Output { .. }
        | Kind::Other(_) => {
            untold.refuse(path.to_owned(), NO_PLACE);
            return None;
        }
    };
    Some(ContentPart { part: Some(said) })
}

fn tool(tool: &chat::Tool, untold: &mut Untold) -> Option<Tool> {
    let chat::Tool::Function { name, description, parameters, strict, cache } = tool else {
        untold.refuse("tools", "a tool that another vendor runs");
        return None;
    };
    if cache.is_some() {
        untold.leave("cache_control");
    }
    let function = Function {
        name: name.clone(),
        description: description.clone().unwrap_or_default(),
        parameters: parameters.as_ref().and_then(|raw| object(raw, "tools.function.parameters", untold)),
        strict: *strict,
    };
    Some(Tool { kind: Some(ToolKind::Function(function)) })
}

fn tool_choice(choice: &chat::ToolChoice, untold: &mut Untold) -> Option<ToolChoice> {
    let mode = |mode: ToolMode| Choice::Mode(mode.into());
    let choice = match choice {
        chat::ToolChoice::Auto => mode(ToolMode::Auto),
        chat::ToolChoice::None => mode(ToolMode::None),
        chat::ToolChoice::Any => mode(ToolMode::Required),
        chat::ToolChoice::Named(name) => Choice::Function(name.clone()),
        chat::ToolChoice::Other(_) => {
            untold.refuse("tool_choice", NO_PLACE);
            return None;
        }
    };
    Some(ToolChoice { choice: Some(choice) })
}

fn output_format(format: &chat::Format, untold: &mut Untold) -> OutputFormat {
    let format = match format {
        chat::Format::Text => Form::Text(TextFormat {}),
        chat::Format::Json => Form::JsonObject(JsonObjectFormat {}),
        chat::Format::Schema { name, description, schema, strict } => Form::JsonSchema(JsonSchemaFormat {
            name: name.clone(),
            description: description.clone().unwrap_or_default(),
            schema: object(schema, "response_format.json_schema.schema", untold),
            strict: *strict,
        }),
    };
    OutputFormat { format: Some(format) }
}

fn object(raw: &Raw, field: &'static str, untold: &mut Untold) -> Option<Struct> {
    match structure::read(raw.as_bytes()).and_then(|value| value.kind) {
        Some(Of::StructValue(object)) => Some(object),
        _ => {
            untold.refuse(field, "it is no object");
            None
        }
    }
}
