//! A request written as OpenAI's dialect has it.
//!
//! Law: for a vendor, what is not published is left out where it changes nothing of what is meant, and is unfit otherwise.

use super::super::chat::{
    Call, Chat, Format, Kind, Message, Part, Role, Sampling, Source, Thinking, Tool, ToolChoice,
};
use super::super::json::Json;
use super::super::untold::{BETAS, Untold, is_of_thoughts};
use super::super::{Unfit, Written};
use super::Reader;

/// Tokens of thinking up to which an effort is low, and medium.
const EFFORTS: [u64; 2] = [2_048, 8_192];

/// A body for a reader.
pub(crate) fn write(chat: &Chat, reader: Reader) -> Result<Written, Unfit> {
    let mut writer = Writer { reader, untold: Untold::default() };
    let mut json = Json::default();
    json.object(|json| writer.body(chat, json));
    writer.untold.written(json)
}

struct Writer {
    reader: Reader,
    untold: Untold,
}

impl Writer {
    /// Whether what is not published is written; if not, that is noted.
    fn tells(&mut self, field: &'static str) -> bool {
        if self.reader.is_vendor() {
            self.untold.leave(field);
        }
        self.reader == Reader::Pipeline
    }

    fn body(&mut self, chat: &Chat, json: &mut Json) {
        json.key("model").string(&chat.model);
        json.key("messages").array(|json| {
            for (at, message) in chat.messages.iter().enumerate() {
                self.message((at, message), json);
            }
        });
        if chat.stream {
            json.key("stream").boolean(true);
            json.key("stream_options").object(|json| json.key("include_usage").boolean(true));
        }
        if let Some(tokens) = chat.max_tokens {
            // Its newer models refuse the older name, which is the one that everybody else has.
            let name = if self.reader == Reader::OpenAi { "max_completion_tokens" } else { "max_tokens" };
            json.key(name).number_of(tokens);
        }
        self.sampling(&chat.sampling, json);
        if let Some(choices) = chat.choices {
            json.key("n").number_of(choices);
        }
        if !chat.stop.is_empty() {
            json.key("stop").array(|json| chat.stop.iter().for_each(|stop| json.string(stop)));
        }
        if !chat.tools.is_empty() {
            json.key("tools").array(|json| chat.tools.iter().for_each(|tool| self.tool(tool, json)));
        }
        if let Some(choice) = &chat.tool_choice {
            tool_choice(choice, json.key("tool_choice"));
        }
        if let Some(parallel) = chat.parallel_tool_calls {
            json.key("parallel_tool_calls").boolean(parallel);
        }
        if let Some(format) = &chat.format {
            json.key("response_format").object(|json| response_format(format, json));
        }
        if let Some(thinking) = &chat.thinking {
            self.thinking(thinking, json);
        }
        if let Some(shown) = chat.show_thinking.filter(|_| self.tells("include_reasoning")) {
            json.key("include_reasoning").boolean(shown);
        }
        if let Some(user) = &chat.user {
            json.key("user").string(user);
        }
        for (name, value) in &chat.others {
            if self.reader.is_vendor() && (name == BETAS || is_of_thoughts(name)) {
                self.untold.leave(name.clone());
                continue;
            }
            match self.reader {
                Reader::Pipeline => json.key(name).raw(value.as_bytes()),
                _ if policy_engine::vocabulary::is_published(OPERATION, name) => {
                    json.key(name).raw(value.as_bytes());
                }
                _ => self.untold.refuse(name.clone(), "it is none of OpenAI's dialect"),
            }
        }
    }

    fn sampling(&mut self, sampling: &Sampling, json: &mut Json) {
        let written = [
            ("temperature", &sampling.temperature),
            ("top_p", &sampling.top_p),
            ("seed", &sampling.seed),
            ("presence_penalty", &sampling.presence_penalty),
            ("frequency_penalty", &sampling.frequency_penalty),
        ];
        for (name, value) in written {
            if let Some(value) = value {
                json.key(name).raw(value.as_bytes());
            }
        }
        if let Some(top_k) = sampling.top_k.filter(|_| self.tells("top_k")) {
            json.key("top_k").number_of(top_k);
        }
    }

    fn thinking(&mut self, thinking: &Thinking, json: &mut Json) {
        match (thinking, self.reader) {
            (Thinking::Effort(effort), _) => json.key("reasoning_effort").string(effort),
            (Thinking::Off, Reader::Vendor | Reader::OpenAi) => {}
            (Thinking::Budget(budget), Reader::Vendor | Reader::OpenAi) => {
                let [low, medium] = EFFORTS;
                let effort = match budget {
                    Some(tokens) if *tokens <= low => "low",
                    Some(tokens) if *tokens > medium => "high",
                    _ => "medium",
                };
                json.key("reasoning_effort").string(effort);
            }
            (Thinking::Off, Reader::Pipeline) => {
                json.key("thinking").object(|json| json.key("type").string("disabled"));
            }
            (Thinking::Budget(budget), Reader::Pipeline) => json.key("thinking").object(|json| {
                json.key("type").string("enabled");
                if let Some(tokens) = budget {
                    json.key("budget_tokens").number_of(*tokens);
                }
            }),
        }
    }

    /// One message, or several: each tool's output is one by itself.
    fn message(&mut self, (at, message): (usize, &Message), json: &mut Json) {
        let path = || format!("messages[{at}]");
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let mut rest = message.content.as_slice();
        while let Some(output) = rest.iter().position(|part| matches!(part.kind, Kind::Output { .. })) {
            let (before, after) = rest.split_at(output);
            self.runs((role, message), before, &path(), json);
            if let Some(Part { kind: Kind::Output { id, content, failed }, cache }) = after.first() {
                json.object(|json| {
                    self.output((id, content, *failed), &path(), json);
                    self.cache(cache.as_deref(), json);
                });
            }
            rest = after.get(1..).unwrap_or_default();
        }
        if message.content.is_empty() {
            json.object(|json| self.said((role, message), rest, &path(), json));
        }
        self.runs((role, message), rest, &path(), json);
    }

    /// Thoughts stand before all else of a message, so those that came after something begin another, but for vendors, who take no thoughts.
    fn runs(&mut self, whose: (&str, &Message), parts: &[Part], path: &str, json: &mut Json) {
        let mut rest = parts;
        while !rest.is_empty() {
            let thoughts = rest.iter().take_while(|part| is_thought(part)).count();
            let others = rest.iter().skip(thoughts).position(is_thought).unwrap_or(rest.len() - thoughts);
            let length = if self.reader == Reader::Pipeline { thoughts + others } else { rest.len() };
            let (run, after) = rest.split_at(length);
            json.object(|json| self.said(whose, run, path, json));
            rest = after;
        }
    }

    /// The mark that everything up to here may be kept.
    fn cache(&mut self, cache: Option<&str>, json: &mut Json) {
        if let Some(cache) = cache.filter(|_| self.tells("cache_control")) {
            json.key("cache_control").raw(cache.as_bytes());
        }
    }

    fn output(&mut self, (id, content, failed): (&str, &[Part], bool), path: &str, json: &mut Json) {
        json.key("role").string("tool");
        json.key("tool_call_id").string(id);
        if failed && self.tells("is_error") {
            json.key("is_error").boolean(true);
        }
        let is_text = |part: &Part| matches!(part.kind, Kind::Text(_));
        if self.reader.is_vendor() && !content.iter().all(is_text) {
            self.untold.refuse(format!("{path}.content"), "what a tool gives back can only be text there");
        }
        // A tool that gave nothing back did so all the same.
        if content.is_empty() {
            return json.key("content").string("");
        }
        self.content(&content.iter().collect::<Vec<_>>(), path, json);
    }

    fn said(&mut self, (role, message): (&str, &Message), parts: &[Part], path: &str, json: &mut Json) {
        json.key("role").string(role);
        if let Some(name) = &message.name {
            json.key("name").string(name);
        }
        let thoughts: Vec<&Part> = parts.iter().filter(|part| is_thought(part)).collect();
        if !thoughts.is_empty() && self.tells("reasoning_details") {
            json.key("reasoning_details").array(|json| {
                thoughts.iter().for_each(|part| json.object(|json| detail(&part.kind, json)));
            });
        }
        let calls: Vec<(&Call, Option<&str>)> = parts.iter().filter_map(call).collect();
        if !calls.is_empty() {
            json.key("tool_calls").array(|json| {
                for (call, cache) in &calls {
                    json.object(|json| {
                        write_call(call, json);
                        self.cache(*cache, json);
                    });
                }
            });
        }
        let is_content = |part: &&Part| !is_thought(part) && call(part).is_none();
        let content: Vec<&Part> = parts.iter().filter(is_content).collect();
        // Who only thought said nothing, which is not the same as content that is missing.
        if content.is_empty() && calls.is_empty() && !parts.is_empty() {
            return json.key("content").string("");
        }
        self.content(&content, path, json);
    }

    /// One text without a mark is written as a string, as every vendor takes it; anything more as parts.
    fn content(&mut self, parts: &[&Part], path: &str, json: &mut Json) {
        match parts {
            [] => json.key("content").null(),
            [Part { kind: Kind::Text(text), cache }] if cache.is_none() || !self.tells("cache_control") => {
                json.key("content").string(text);
            }
            [Part { kind: Kind::Refusal(refusal), .. }] => {
                json.key("content").null();
                json.key("refusal").string(refusal);
            }
            parts => json.key("content").array(|json| {
                for (at, part) in parts.iter().enumerate() {
                    self.part(part, &format!("{path}.content[{at}]"), json);
                }
            }),
        }
    }

    fn part(&mut self, part: &Part, path: &str, json: &mut Json) {
        let Part { kind, cache } = part;
        if let Kind::Other(raw) = kind {
            match self.reader {
                Reader::Pipeline => json.raw(raw.as_bytes()),
                _ => self.untold.refuse(path.to_owned(), "it is none of OpenAI's dialect"),
            }
            return;
        }
        if self.reader.is_vendor() && matches!(kind, Kind::Image(Source::Id(_), _)) {
            self.untold.refuse(path.to_owned(), "a picture is given by its content or its place there");
        }
        if self.reader.is_vendor() && matches!(kind, Kind::File { source: Source::Url(_), .. }) {
            self.untold.refuse(path.to_owned(), "a file is given by its content or its id there");
        }
        json.object(|json| {
            write_part(kind, json);
            self.cache(cache.as_deref(), json);
        });
    }

    fn tool(&mut self, tool: &Tool, json: &mut Json) {
        let Tool::Function { name, description, parameters, strict, cache } = tool else {
            if let Tool::Vendor(raw) = tool {
                match self.reader {
                    Reader::Pipeline => json.raw(raw.as_bytes()),
                    _ => self.untold.refuse("tools", "a tool that another vendor runs"),
                }
            }
            return;
        };
        json.object(|json| {
            json.key("type").string("function");
            json.key("function").object(|json| {
                json.key("name").string(name);
                if let Some(description) = description {
                    json.key("description").string(description);
                }
                if let Some(parameters) = parameters {
                    json.key("parameters").raw(parameters.as_bytes());
                }
                if let Some(strict) = strict {
                    json.key("strict").boolean(*strict);
                }
            });
            self.cache(cache.as_deref(), json);
        });
    }
}

fn is_thought(part: &Part) -> bool {
    matches!(part.kind, Kind::Thinking { .. } | Kind::Redacted(_))
}

/// A call, and whether everything up to it may be kept.
fn call(part: &Part) -> Option<(&Call, Option<&str>)> {
    match &part.kind {
        Kind::Call(call) => Some((call, part.cache.as_deref())),
        _ => None,
    }
}

/// A call of a tool.
pub(super) fn write_call(call: &Call, json: &mut Json) {
    json.key("id").string(&call.id);
    json.key("type").string("function");
    json.key("function").object(|json| {
        json.key("name").string(&call.name);
        json.key("arguments").string(&call.arguments);
    });
}

/// What is written here.
const OPERATION: policy_engine::vocabulary::Operation = policy_engine::vocabulary::Operation::Chat;

/// Thoughts as a piece of `reasoning_details`.
pub(super) fn detail(kind: &Kind, json: &mut Json) {
    match kind {
        Kind::Thinking { text, signature } => {
            json.key("type").string("reasoning.text");
            json.key("text").string(text);
            if let Some(signature) = signature {
                json.key("signature").string(signature);
            }
        }
        Kind::Redacted(data) => {
            json.key("type").string("reasoning.encrypted");
            json.key("data").string(data);
        }
        _ => {}
    }
}

fn write_part(kind: &Kind, json: &mut Json) {
    match kind {
        Kind::Text(text) => {
            json.key("type").string("text");
            json.key("text").string(text);
        }
        Kind::Refusal(refusal) => {
            json.key("type").string("refusal");
            json.key("refusal").string(refusal);
        }
        Kind::Image(source, detail) => {
            json.key("type").string("image_url");
            json.key("image_url").object(|json| {
                match source {
                    // Whoever reads a picture of the dialect looks for where it is.
                    Source::Id(id) => {
                        json.key("url").string("");
                        json.key("file_id").string(id);
                    }
                    source => json.key("url").string(&url(source, "image/png")),
                }
                if let Some(detail) = detail {
                    json.key("detail").string(detail);
                }
            });
        }
        Kind::Audio { data, format } => {
            json.key("type").string("input_audio");
            json.key("input_audio").object(|json| {
                json.key("data").string(data);
                json.key("format").string(format);
            });
        }
        Kind::File { source, name } => {
            json.key("type").string("file");
            json.key("file").object(|json| {
                match source {
                    Source::Id(id) => json.key("file_id").string(id),
                    data => json.key("file_data").string(&url(data, "application/octet-stream")),
                }
                if let Some(name) = name {
                    json.key("filename").string(name);
                }
            });
        }
        // Written elsewhere.
        Kind::Thinking { .. } | Kind::Redacted(_) | Kind::Call(_) | Kind::Output { .. } | Kind::Other(_) => {}
    }
}

fn url(source: &Source, otherwise: &str) -> String {
    match source {
        Source::Url(url) | Source::Id(url) => url.clone(),
        Source::Data { media_type, data } => {
            let media_type = if media_type.is_empty() { otherwise } else { media_type };
            format!("data:{media_type};base64,{data}")
        }
    }
}

fn tool_choice(choice: &ToolChoice, json: &mut Json) {
    match choice {
        ToolChoice::Auto => json.string("auto"),
        ToolChoice::None => json.string("none"),
        ToolChoice::Any => json.string("required"),
        ToolChoice::Named(name) => json.object(|json| {
            json.key("type").string("function");
            json.key("function").object(|json| json.key("name").string(name));
        }),
        ToolChoice::Other(raw) => json.raw(raw.as_bytes()),
    }
}

fn response_format(format: &Format, json: &mut Json) {
    match format {
        Format::Text => json.key("type").string("text"),
        Format::Json => json.key("type").string("json_object"),
        Format::Schema { name, description, schema, strict } => {
            json.key("type").string("json_schema");
            json.key("json_schema").object(|json| {
                json.key("name").string(name);
                if let Some(description) = description {
                    json.key("description").string(description);
                }
                json.key("schema").raw(schema.as_bytes());
                if let Some(strict) = strict {
                    json.key("strict").boolean(*strict);
                }
            });
        }
    }
}
