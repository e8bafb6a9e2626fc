//! What the simulated vendor says: a function of the request alone.
//!
//! Law: the same request gives the same reply, whole or as a stream. Deliberately absent: bytes and time.

use std::borrow::Cow;

use super::{
    directive::{Claim, Directives},
    request::{Chat, Tool, ToolChoice},
    schema, tokens,
};

/// In which form a reply is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As messages of a conversation.
    Chat,
    /// As texts that go on with others.
    Text,
}

/// A reply with all its choices.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) form: Form,
    pub(super) model: String,
    pub(super) choices: Vec<Choice>,
    /// What is claimed to have been used; `None` if the prompt asked for silence about it.
    pub(super) usage: Option<Usage>,
}

/// One choice.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) said: Said,
    /// `stop`, `length` or `tool_calls`.
    pub(super) finish: &'static str,
}

/// What a choice consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A text.
    Text(String),
    /// Calls of functions: names and arguments as JSON.
    Calls(Vec<(String, String)>),
}

/// Token counts of a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) total_tokens: u64,
}

impl Usage {
    /// The sum is made here and nowhere else.
    pub(super) fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, completion_tokens, total_tokens }
    }
}

/// The last text a user wrote.
pub(super) fn asked<'a>(chat: &'a Chat<'_>) -> &'a str {
    let last = chat.messages.iter().rev().find(|message| message.role == "user");
    last.map_or("", |message| &message.content.0)
}

/// The reply to `chat`, whose last user text without its `directives` is `text`.
pub(super) fn reply(chat: &Chat<'_>, directives: &Directives, text: &str) -> Reply {
    let called = called(chat);
    let limit = chat.max_completion_tokens.or(chat.max_tokens);
    let choices: Vec<Choice> = (0..chat.n.unwrap_or(1))
        .map(|index| match called.as_slice() {
            [] => spoken(worded(chat, directives, text, index), limit),
            tools => calling(tools, directives, text),
        })
        .collect();
    let prompt = chat.messages.iter().map(|message| tokens::count(&message.content.0)).sum();
    let counted = choices.iter().map(|choice| choice.said.tokens()).sum();
    let usage = match directives.usage {
        Claim::Counted => Some(Usage::new(prompt, counted)),
        Claim::Omitted => None,
        Claim::Claimed(claimed) => Some(Usage::new(prompt, claimed)),
    };
    Reply { form: Form::Chat, model: chat.model.clone().into_owned(), choices, usage }
}

impl Said {
    /// How many tokens it is.
    pub(super) fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => tokens::count(text),
            Self::Calls(calls) => {
                calls.iter().map(|(name, args)| tokens::count(name) + tokens::count(args)).sum()
            }
        }
    }
}

/// The tools this turn calls: chosen ones, or those whose names the user wrote. A tool's result is answered in words.
fn called<'a, 'b>(chat: &'a Chat<'b>) -> Vec<&'a Tool<'b>> {
    let tools = chat.tools.as_deref().unwrap_or_default();
    if tools.is_empty() || chat.messages.last().is_some_and(|message| message.role == "tool") {
        return Vec::new();
    }
    let asked = asked(chat);
    let most = if chat.parallel_tool_calls == Some(false) { 1 } else { usize::MAX };
    match &chat.tool_choice {
        ToolChoice::None => Vec::new(),
        ToolChoice::Required => tools.iter().take(1).collect(),
        ToolChoice::Named(name) => tools.iter().filter(|tool| tool.function.name == *name).collect(),
        ToolChoice::Auto => {
            tools.iter().filter(|tool| asked.contains(tool.function.name.as_ref())).take(most).collect()
        }
    }
}

fn calling(tools: &[&Tool<'_>], directives: &Directives, text: &str) -> Choice {
    let call = |tool: &&Tool<'_>| {
        let made = || schema::instance(tool.function.parameters, text);
        (tool.function.name.clone().into_owned(), directives.args.clone().unwrap_or_else(made))
    };
    Choice { said: Said::Calls(tools.iter().map(call).collect()), finish: "tool_calls" }
}

fn worded(chat: &Chat<'_>, directives: &Directives, text: &str, index: u32) -> String {
    let said = match (&directives.say, &chat.response_format) {
        (Some(say), _) => say.clone(),
        (None, Some(format)) if format.kind == "json_object" => {
            format!(r#"{{"answer":{}}}"#, schema::quoted(text))
        }
        (None, Some(format)) if format.kind == "json_schema" => {
            let schema = format.json_schema.as_ref().and_then(|named| named.schema);
            schema::instance(schema, text)
        }
        (None, _) => plain(chat, text, index),
    };
    match directives.times {
        Some(times) => said.repeat(times),
        None => said,
    }
}

fn plain(chat: &Chat<'_>, text: &str, index: u32) -> String {
    let tool = chat.messages.last().filter(|message| message.role == "tool");
    let echoed = match tool {
        Some(result) => Cow::Owned(format!("the tool said {}", result.content.0)),
        None if text.is_empty() => Cow::Borrowed("you said nothing"),
        None => Cow::Owned(format!("you said {text}")),
    };
    match index {
        0 => format!("{} here: {echoed}", chat.model),
        _ => format!("{} here, choice {}: {echoed}", chat.model, index + 1),
    }
}

/// A text as a choice, cut to so many tokens.
pub(super) fn spoken(text: String, limit: Option<u64>) -> Choice {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let length: usize = tokens::tokens(&text).take(limit).map(str::len).sum();
    let mut text = text;
    let finish = if length < text.len() { "length" } else { "stop" };
    text.truncate(length);
    Choice { said: Said::Text(text), finish }
}
