//! A request written as Anthropic's dialect has it.
//!
//! Law: what the dialect has no place for is left out where it changes nothing of what is meant, and told; else it is unfit. Members that only
//! this dialect has go as they came.

mod content;

use http::HeaderValue;
use policy_engine::vocabulary::{Operation, is_published};

use super::super::chat::{Chat, Format, Raw, Role, Tool, ToolChoice};
use super::super::json::Json;
use super::super::untold::{Untold, is_hint, is_of_thoughts, says_nothing};
use super::super::{Unfit, Written};
use super::generation::Generation;
use super::{EFFORT, SCHEMA, THINKING_TYPE, beta, block, think};

/// Members that are written here, so that no other may go by their names.
const WRITTEN: [&str; 4] = ["system", "stop_sequences", "output_config", "output_format"];

const NO_PLACE: &str = "it has no place in Anthropic's dialect";

/// A body.
pub(crate) fn write(chat: &Chat) -> Result<Written, Unfit> {
    let mut writer = Writer::default();
    let mut json = Json::default();
    json.object(|json| writer.body(chat, json));
    let headers = writer.headers;
    writer.untold.written(json).map(|written| Written { headers, ..written })
}

#[derive(Default)]
struct Writer {
    untold: Untold,
    headers: Vec<(&'static str, HeaderValue)>,
    /// What the output's configuration says of thinking, beside what the caller says there.
    effort: Option<&'static str>,
}

impl Writer {
    fn body(&mut self, chat: &Chat, json: &mut Json) {
        json.key("model").string(&chat.model);
        self.thinking(chat, json);
        if chat.messages.iter().any(|message| message.role == Role::System) {
            self.system(chat, json.key("system"));
        }
        self.messages(chat, json.key("messages"));
        if chat.stream {
            json.key("stream").boolean(true);
        }
        self.sampling(chat, json);
        if chat.choices.is_some_and(|choices| choices > 1) {
            self.untold.refuse("n", "there is one answer there");
        }
        if !chat.stop.is_empty() {
            json.key("stop_sequences").array(|json| chat.stop.iter().for_each(|stop| json.string(stop)));
        }
        if !chat.tools.is_empty() {
            let tools = chat.tools.iter().enumerate();
            json.key("tools").array(|json| tools.for_each(|tool| self.tool(tool, json)));
        }
        self.tool_choice(chat, json);
        self.output_config(chat, json);
        if let Some(user) = &chat.user {
            json.key("metadata").object(|json| json.key("user_id").string(user));
        }
        chat.others.iter().for_each(|other| self.other(other, json));
    }

    fn thinking(&mut self, chat: &Chat, json: &mut Json) {
        let Some(plan) = think::plan(chat) else {
            return self.untold.refuse("reasoning_effort", "how much that is is not known");
        };
        json.key("max_tokens").number_of(plan.tokens);
        if let Some(field) = plan.left_out {
            self.untold.leave(field);
        }
        self.effort = plan.effort;
        let Some(mode) = plan.mode else {
            beside(chat, "thinking.").for_each(|(name, _)| self.untold.leave(name.clone()));
            return;
        };
        json.key("thinking").object(|json| {
            think::write(mode, json);
            for (path, value) in beside(chat, "thinking.").filter(|(path, _)| path != THINKING_TYPE) {
                json.key(path.trim_start_matches("thinking.")).raw(value.as_bytes());
            }
        });
    }

    fn sampling(&mut self, chat: &Chat, json: &mut Json) {
        let sampling = &chat.sampling;
        let number = |raw: &Raw| raw.parse::<f64>().unwrap_or(f64::NAN);
        let [draws, by_mass, by_count] = Generation::of(&chat.model).takes(sampling.temperature.is_some());
        let told = [
            ("temperature", sampling.temperature.is_some(), draws),
            ("top_p", sampling.top_p.is_some(), by_mass),
            ("top_k", sampling.top_k.is_some(), by_count),
        ];
        told.into_iter()
            .filter(|(_, said, fits)| *said && !fits)
            .for_each(|(name, ..)| self.untold.leave(name));
        if let Some(temperature) = sampling.temperature.as_ref().filter(|_| draws) {
            if !(0.0..=1.0).contains(&number(temperature)) {
                self.untold.refuse("temperature", "it goes from 0 to 1 there");
            }
            json.key("temperature").raw(temperature.as_bytes());
        }
        if let Some(top_p) = sampling.top_p.as_ref().filter(|_| by_mass) {
            json.key("top_p").raw(top_p.as_bytes());
        }
        if let Some(top_k) = sampling.top_k.filter(|_| by_count) {
            json.key("top_k").number_of(top_k);
        }
        if sampling.seed.is_some() {
            self.untold.leave("seed");
        }
        let penalties = [
            ("presence_penalty", &sampling.presence_penalty),
            ("frequency_penalty", &sampling.frequency_penalty),
        ];
        for (name, penalty) in penalties {
            match penalty.as_ref().map(number) {
                Some(0.0) => self.untold.leave(name),
                Some(_) => self.untold.refuse(name, NO_PLACE),
                None => {}
            }
        }
    }

    fn tool(&mut self, (at, tool): (usize, &Tool), json: &mut Json) {
        let Tool::Function { name, description, parameters, strict, cache } = tool else {
            if let Tool::Vendor(raw) = tool {
                match block::is_ours(raw) {
                    true => json.raw(raw.as_bytes()),
                    false => self.untold.refuse(format!("tools[{at}]"), "a tool that another vendor runs"),
                }
            }
            return;
        };
        json.object(|json| {
            json.key("name").string(name);
            if let Some(description) = description {
                json.key("description").string(description);
            }
            let schema = parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#);
            json.key("input_schema").raw(schema.as_bytes());
            if let Some(strict) = strict {
                json.key("strict").boolean(*strict);
            }
            if let Some(cache) = cache {
                json.key("cache_control").raw(cache.as_bytes());
            }
        });
    }

    /// Which tool is called, and whether several at once; that is said together, and only of tools that there are.
    fn tool_choice(&mut self, chat: &Chat, json: &mut Json) {
        let single = chat.parallel_tool_calls.map(|parallel| !parallel);
        let choice = match (&chat.tool_choice, single) {
            (None, None) => return,
            (Some(ToolChoice::Other(_)), _) => return self.untold.refuse("tool_choice", NO_PLACE),
            (Some(choice), _) => choice,
            (None, Some(_)) => &ToolChoice::Auto,
        };
        if chat.tools.is_empty() && matches!(choice, ToolChoice::Auto | ToolChoice::None) {
            let told =
                [("tool_choice", chat.tool_choice.is_some()), ("parallel_tool_calls", single.is_some())];
            return told.into_iter().filter(|(_, told)| *told).for_each(|(name, _)| self.untold.leave(name));
        }
        let single = single.filter(|_| {
            *choice != ToolChoice::None || {
                self.untold.leave("parallel_tool_calls");
                false
            }
        });
        json.key("tool_choice").object(|json| {
            match choice {
                ToolChoice::Auto | ToolChoice::Other(_) => json.key("type").string("auto"),
                ToolChoice::None => json.key("type").string("none"),
                ToolChoice::Any => json.key("type").string("any"),
                ToolChoice::Named(name) => {
                    json.key("type").string("tool");
                    json.key("name").string(name);
                }
            }
            if let Some(single) = single {
                json.key("disable_parallel_tool_use").boolean(single);
            }
        });
    }

    fn output_config(&mut self, chat: &Chat, json: &mut Json) {
        let schema = match &chat.format {
            None | Some(Format::Text) => None,
            Some(Format::Json) => {
                return self.untold.refuse("response_format", "JSON is answered by a schema alone there");
            }
            Some(Format::Schema { name, description, schema, strict }) => {
                let said = [
                    ("response_format.json_schema.name", name != SCHEMA),
                    ("response_format.json_schema.description", description.is_some()),
                    ("response_format.json_schema.strict", *strict == Some(false)),
                ];
                said.into_iter().filter(|(_, said)| *said).for_each(|(field, _)| self.untold.leave(field));
                Some(schema)
            }
        };
        let refused = Generation::of(&chat.model).refuses_efforts();
        let mut config =
            beside(chat, "output_config.").filter(|(path, _)| !(refused && path == EFFORT)).peekable();
        if refused && beside(chat, EFFORT).next().is_some() {
            self.untold.leave(EFFORT);
        }
        if schema.is_none() && config.peek().is_none() && self.effort.is_none() {
            return;
        }
        json.key("output_config").object(|json| {
            if let Some(effort) = self.effort {
                json.key("effort").string(effort);
            }
            for (path, value) in config {
                json.key(path.trim_start_matches("output_config.")).raw(value.as_bytes());
            }
            if let Some(schema) = schema {
                json.key("format").object(|json| {
                    json.key("type").string("json_schema");
                    json.key("schema").raw(schema.as_bytes());
                });
            }
        });
    }

    fn other(&mut self, (name, value): &(String, Raw), json: &mut Json) {
        if name == "service_tier" && ["\"auto\"", "\"standard_only\""].contains(&&**value) {
            json.key(name).raw(value.as_bytes());
        } else if name == beta::MEMBER {
            match beta::header(value) {
                Some(names) => self.headers.push((beta::HEADER, names)),
                None => self.untold.refuse(beta::MEMBER, "it is no array of names"),
            }
        } else if is_of_thoughts(name) {
            // Written in its place.
        } else if is_hint(name) || says_nothing(name, value) {
            self.untold.leave(name.clone());
        } else if is_published(Operation::Chat, name)
            || name.contains(['.', '['])
            || WRITTEN.contains(&name.as_str())
            // Where a request is processed is for policy to say, by the endpoint.
            || name == "inference_geo"
        {
            self.untold.refuse(name.clone(), NO_PLACE);
        } else {
            json.key(name).raw(value.as_bytes());
        }
    }
}

/// What stands beside the rest of a request, at paths that begin so.
fn beside<'c>(chat: &'c Chat, of: &'static str) -> impl Iterator<Item = &'c (String, Raw)> {
    chat.others.iter().filter(move |(name, _)| name.starts_with(of))
}
