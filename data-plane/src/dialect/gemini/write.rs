//! A request written for a vendor that speaks the dialect.
//!
//! Law: what has no place is left out and told where it changes nothing of what is meant, and unfit otherwise. Whoever sets the model up
//! does so in one place, whenever it was said.

use super::super::chat::{Chat, Format, Kind, Message, Part, Role, Thinking, Tool, ToolChoice};
use super::super::json::Json;
use super::super::untold::{Untold, is_hint};
use super::super::{Unfit, Written};
use super::config::{JSON, NAME};

use super::Api;
use super::said::{Said, array, object, own_members, told};
use super::tuning::{self, Depth};
use crate::tape::{Kind as Form, Tape, Value};

/// A member of OpenAI's dialect, and JSON that asks for nothing there.
const NOTHING: [(&str, &str); 4] =
    [("logprobs", "false"), ("top_logprobs", "0"), ("logit_bias", "{}"), ("modalities", r#"["text"]"#)];

/// The body for one of those who serve the dialect.
pub(crate) fn write(chat: &Chat, api: Api) -> Result<Written, Unfit> {
    let mut json = Json::default();
    let mut writer = Writer { api, untold: Untold::default() };
    object(&mut json, |json| writer.body(chat, json))?;
    writer.untold.written(json)
}

/// Writes requests, and notes what it leaves out.
pub(super) struct Writer {
    pub(super) api: Api,
    pub(super) untold: Untold,
}

impl Writer {
    /// The members of a request.
    pub(super) fn body(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        self.instruction(&chat.messages, json)?;
        json.key("contents");
        array(json, |json| self.contents(chat, json))?;
        self.tools(chat, json)?;
        self.choice(chat, json)?;
        let mut config = Json::default();
        object(&mut config, |json| self.config(chat, json))?;
        let config = config.done();
        if config != b"{}" {
            json.key("generationConfig").raw(&config);
        }
        if chat.user.is_some() {
            self.untold.leave("user");
        }
        self.others(chat, json)
    }

    fn instruction(&mut self, messages: &[Message], json: &mut Json) -> Result<(), Unfit> {
        let system = messages.iter().enumerate().filter(|(_, message)| message.role == Role::System);
        let mut texts = Vec::new();
        for (at, message) in system {
            for part in &message.content {
                let Kind::Text(text) = &part.kind else {
                    return Err(Unfit::new(
                        format!("messages[{at}].content"),
                        "only text can instruct there",
                    ));
                };
                if part.cache.is_some() {
                    self.untold.leave("cache_control");
                }
                texts.push(text);
            }
        }
        if !texts.is_empty() {
            json.key("systemInstruction").object(|json| {
                json.key("parts").array(|json| {
                    texts.iter().for_each(|text| json.object(|json| json.key("text").string(text)));
                });
            });
        }
        Ok(())
    }

    /// What was said, what one role said in a row as one content.
    fn contents(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        let is_new = tuning::is_new(&chat.model);
        let calls = chat.messages.iter().flat_map(|message| &message.content);
        let called: Vec<(&str, &str)> = calls
            .filter_map(|part| match &part.kind {
                Kind::Call(call) => Some((call.id.as_str(), call.name.as_str())),
                _ => None,
            })
            .collect();
        let said = chat.messages.iter().enumerate().filter(|(_, message)| message.role != Role::System);
        let said: Vec<(usize, &Message)> = said.collect();
        let mut seen = 0;
        for run in said.chunk_by(|(_, one), (_, next)| one.role == next.role) {
            let Some((_, first)) = run.first() else { continue };
            let mut parts: Vec<(String, &Part)> = run
                .iter()
                .flat_map(|(at, message)| {
                    message.content.iter().map(move |part| (format!("messages[{at}]"), part))
                })
                .collect();
            if self.api == Api::Vertex {
                in_order(&mut parts, &called);
            }
            if run.iter().any(|(_, message)| message.name.is_some()) {
                self.untold.leave("messages.name");
            }
            let before = called.get(..seen).unwrap_or_default();
            let mut writer = Said::to_vendor(self.api, is_new, before);
            object(json, |json| {
                json.key("role").string(if first.role == Role::User { "user" } else { "model" });
                json.key("parts");
                array(json, |json| writer.write(&parts, json))
            })?;
            seen += parts.iter().filter(|(_, part)| matches!(part.kind, Kind::Call(_))).count();
            told(writer.left_out).for_each(|field| self.untold.leave(field));
        }
        Ok(())
    }

    fn tools(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        let more = chat.others.iter().find(|(name, _)| name == "functionDeclarations");
        let (functions, vendors): (Vec<&Tool>, Vec<&Tool>) =
            chat.tools.iter().partition(|tool| matches!(tool, Tool::Function { .. }));
        if chat.tools.is_empty() {
            return Ok(());
        }
        json.key("tools");
        array(json, |json| {
            if !functions.is_empty() {
                json.object(|json| {
                    json.key("functionDeclarations").array(|json| {
                        let more = more.map(|(_, more)| &**more);
                        functions.iter().for_each(|tool| self.function(tool, more, json));
                    });
                });
            }
            for vendor in vendors {
                let Tool::Vendor(raw) = vendor else { continue };
                let members = own_members(
                    raw,
                    |of, names| matches!(names, [name] if super::members::snake(name) == of),
                );
                let members =
                    members.ok_or_else(|| Unfit::new("tools", "a tool that another vendor runs"))?;
                json.object(|json| {
                    members.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
                });
            }
            Ok(())
        })
    }

    fn function(&mut self, tool: &Tool, more: Option<&str>, json: &mut Json) {
        let Tool::Function { name, description, parameters, strict, cache } = tool else { return };
        if *strict == Some(true) {
            self.untold.leave("tools.function.strict");
        }
        if cache.is_some() {
            self.untold.leave("cache_control");
        }
        json.object(|json| {
            json.key("name").string(name);
            if let Some(description) = description {
                json.key("description").string(description);
            }
            if let Some(parameters) = parameters {
                json.key("parametersJsonSchema").raw(parameters.as_bytes());
            }
            each(more, |root| {
                let own = root.elements().find(|one| one.get("name").is_some_and(|known| known.is(name)));
                for (key, value) in own.into_iter().flat_map(|own| own.members()) {
                    if !key.is("name") {
                        json.key(&key.text()).raw(value.raw());
                    }
                }
            });
        });
    }

    fn choice(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        if chat.parallel_tool_calls == Some(false) && !chat.tools.is_empty() {
            return Err(Unfit::new("parallel_tool_calls", "several may be called at once there"));
        }
        let (mode, names) = match &chat.tool_choice {
            None => (None, Vec::new()),
            Some(ToolChoice::Auto) => (Some("AUTO"), Vec::new()),
            Some(ToolChoice::None) => (Some("NONE"), Vec::new()),
            Some(ToolChoice::Any) => (Some("ANY"), Vec::new()),
            Some(ToolChoice::Named(name)) => (Some("ANY"), vec![name.clone()]),
            Some(ToolChoice::Other(raw)) => {
                let (mode, names) =
                    some_of(raw).ok_or_else(|| Unfit::new("tool_choice", "it can't be said there"))?;
                (Some(mode), names)
            }
        };
        let more = chat.others.iter().find(|(name, _)| name == "tool_config").map(|(_, more)| &**more);
        if mode.is_none() && more.is_none() {
            return Ok(());
        }
        json.key("toolConfig").object(|json| {
            if let Some(mode) = mode {
                json.key("functionCallingConfig").object(|json| {
                    json.key("mode").string(mode);
                    if !names.is_empty() {
                        json.key("allowedFunctionNames")
                            .array(|json| names.iter().for_each(|name| json.string(name)));
                    }
                });
            }
            each(more, |root| copy(root, json));
        });
        Ok(())
    }

    fn config(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        let sampling = &chat.sampling;
        let raws = [
            ("temperature", &sampling.temperature),
            ("topP", &sampling.top_p),
            ("presencePenalty", &sampling.presence_penalty),
            ("frequencyPenalty", &sampling.frequency_penalty),
        ];
        for (name, value) in raws.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            json.key(name).raw(value.as_bytes());
        }
        match sampling.seed.as_ref().map(|seed| seed.parse::<i32>()) {
            Some(Ok(seed)) => json.key("seed").whole(seed),
            Some(Err(_)) => self.untold.leave("seed"),
            None => {}
        }
        let counts = [
            ("topK", sampling.top_k),
            ("candidateCount", chat.choices),
            ("maxOutputTokens", chat.max_tokens),
        ];
        for (name, value) in counts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            json.key(name).number_of(value);
        }
        if !chat.stop.is_empty() {
            json.key("stopSequences").array(|json| chat.stop.iter().for_each(|stop| json.string(stop)));
        }
        self.format(chat.format.as_ref(), json);
        let more = chat.others.iter().find(|(name, _)| name == "generationConfig").map(|(_, more)| &**more);
        self.thinking(chat, more, json);
        each(more, |root| {
            for (key, value) in root.members().filter(|(key, _)| !key.is("thinkingConfig")) {
                json.key(&key.text()).raw(value.raw());
            }
        });
        Ok(())
    }

    fn format(&mut self, format: Option<&Format>, json: &mut Json) {
        match format {
            None => {}
            Some(Format::Text) => json.key("responseMimeType").string("text/plain"),
            Some(Format::Json) => json.key("responseMimeType").string(JSON),
            Some(Format::Schema { name, description, schema, .. }) => {
                if !name.is_empty() && name != NAME {
                    self.untold.leave("response_format.json_schema.name");
                }
                if description.is_some() {
                    self.untold.leave("response_format.json_schema.description");
                }
                json.key("responseMimeType").string(JSON);
                json.key("responseJsonSchema").raw(schema.as_bytes());
            }
        }
    }

    fn thinking(&mut self, chat: &Chat, more: Option<&str>, json: &mut Json) {
        let depth = chat.thinking.as_ref().and_then(|thinking| tuning::depth(&chat.model, thinking));
        if chat.thinking.is_some() && depth.is_none() {
            self.untold.leave("reasoning_effort");
        }
        // Who names a budget elsewhere is shown the thoughts.
        let is_budget = matches!(chat.thinking, Some(Thinking::Budget(_)));
        let shown = chat.show_thinking.or(is_budget.then_some(true));
        let mut config = Json::default();
        config.object(|json| {
            match depth {
                Some(Depth::Level(level)) => json.key("thinkingLevel").string(&level),
                Some(Depth::Budget(Some(tokens))) => json.key("thinkingBudget").number_of(tokens),
                Some(Depth::Budget(None)) => json.key("thinkingBudget").whole(-1),
                None => {}
            }
            if let Some(shown) = shown {
                json.key("includeThoughts").boolean(shown);
            }
            each(more, |root| root.get("thinkingConfig").into_iter().for_each(|more| copy(more, json)));
        });
        let config = config.done();
        if config != b"{}" {
            json.key("thinkingConfig").raw(&config);
        }
    }

    fn others(&mut self, chat: &Chat, json: &mut Json) -> Result<(), Unfit> {
        for (name, value) in &chat.others {
            let asks_nothing =
                || NOTHING.iter().any(|(known, nothing)| known == name && **value == **nothing);
            match name.as_str() {
                // Written where they belong.
                "functionDeclarations" | "tool_config" | "generationConfig" => {}
                hint if is_hint(hint) => self.untold.leave(hint.to_owned()),
                _ if asks_nothing() => {}
                field if policy_engine::vocabulary::is_published(OPERATION, field) => {
                    return Err(Unfit::new(field.to_owned(), "there is no word for it there"));
                }
                path if path.contains(['.', '[']) => {
                    return Err(Unfit::new(path.to_owned(), "it is not known"));
                }
                _ => json.key(name).raw(value.as_bytes()),
            }
        }
        Ok(())
    }
}

/// Puts outputs in the order of their calls, which is all there is to tell them apart by without ids.
fn in_order(parts: &mut [(String, &Part)], called: &[(&str, &str)]) {
    let call = |part: &Part| match &part.kind {
        Kind::Output { id, .. } => Some(called.iter().rposition(|(known, _)| known == id)),
        _ => None,
    };
    let mut outputs: Vec<(String, &Part)> =
        parts.iter().filter(|(_, part)| call(part).is_some()).cloned().collect();
    outputs.sort_by_key(|(_, part)| call(part));
    let places = parts.iter_mut().filter(|(_, part)| call(part).is_some());
    places.zip(outputs).for_each(|(place, output)| *place = output);
}

/// What is written.
const OPERATION: policy_engine::vocabulary::Operation = policy_engine::vocabulary::Operation::Chat;

/// Reads JSON that was kept as it came.
fn each(raw: Option<&str>, see: impl FnOnce(Value<'_>)) {
    let Some(raw) = raw else { return };
    let mut tape = Tape::for_text(raw.len());
    if tape.read(raw.as_bytes()).is_ok()
        && let Some(root) = tape.root(raw.as_bytes())
    {
        see(root);
    }
}

fn copy(object: Value<'_>, json: &mut Json) {
    object.members().for_each(|(key, value)| json.key(&key.text()).raw(value.raw()));
}

/// A choice among some functions as the dialect has it: OpenAI's `allowed_tools`, or this dialect's own.
fn some_of(raw: &str) -> Option<(&'static str, Vec<String>)> {
    let mut tape = Tape::for_text(raw.len());
    tape.read(raw.as_bytes()).ok()?;
    let root = tape.root(raw.as_bytes())?;
    if root.get("mode").is_some_and(|mode| mode.is("VALIDATED")) && root.len() == 1 {
        return Some(("VALIDATED", Vec::new()));
    }
    let allowed =
        root.get("allowed_tools").filter(|_| root.get("type").is_some_and(|of| of.is("allowed_tools")))?;
    let mode = if allowed.get("mode")?.is("required") { "ANY" } else { "VALIDATED" };
    let names = allowed.get("tools")?.elements().map(|tool| {
        let name = tool.get("function")?.get("name").filter(|name| name.kind() == Form::String)?;
        Some(name.text().into_owned())
    });
    Some((mode, names.collect::<Option<_>>()?))
}
