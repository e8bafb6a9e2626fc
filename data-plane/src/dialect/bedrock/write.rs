//! A request written as Bedrock's dialect has it.
//!
//! Law: as of Anthropic's: what the dialect has no place for is left out where it changes nothing of what is meant, and told; else it is unfit.

mod content;
mod fields;

use policy_engine::vocabulary::{Operation, is_published};

use super::super::anthropic::beta;
use super::super::chat::{Chat, Format, Kind, Raw, Role, Tool, ToolChoice};
use super::super::json::Json;
use super::super::untold::{Untold, is_hint, is_of_thoughts, says_nothing};
use super::super::{Unfit, Written};

/// Members that only this dialect has, and that go as they came.
const OWN: [&str; 6] = [
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];

/// What of a model's own goes along.
const ADDITIONAL: &str = "additionalModelRequestFields";

const NO_PLACE: &str = "it has no place in Bedrock's dialect";

/// A body.
pub(crate) fn write(chat: &Chat) -> Result<Written, Unfit> {
    let mut writer = Writer::default();
    let mut json = Json::default();
    json.object(|json| writer.body(chat, json));
    writer.untold.written(json)
}

#[derive(Default)]
struct Writer {
    untold: Untold,
    /// Documents so far.
    documents: usize,
    caches: fields::Caches,
}

impl Writer {
    fn body(&mut self, chat: &Chat, json: &mut Json) {
        self.caches = fields::Caches::of(&chat.model);
        if chat.messages.iter().any(|message| message.role == Role::System) {
            self.system(chat, json.key("system"));
        }
        self.messages(chat, json.key("messages"));
        let own = self.own_fields(chat);
        self.inference(chat, own.max_tokens, json);
        self.tools(chat, json);
        self.format(chat, json);
        if let Some(fields) = own.fields {
            json.key(ADDITIONAL).raw(&fields);
        }
        if chat.choices.is_some_and(|choices| choices > 1) {
            self.untold.refuse("n", "there is one answer there");
        }
        if chat.user.is_some() {
            self.untold.leave("user");
        }
        chat.others.iter().for_each(|other| self.other(chat, other, json));
    }

    fn inference(&mut self, chat: &Chat, max_tokens: Option<u64>, json: &mut Json) {
        let sampling = &chat.sampling;
        let number = |raw: &Raw| raw.parse::<f64>().unwrap_or(f64::NAN);
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
        if sampling.temperature.as_ref().is_some_and(|raw| !(0.0..=1.0).contains(&number(raw))) {
            self.untold.refuse("temperature", "it goes from 0 to 1 there");
        }
        let takes = fields::takes(chat);
        let told =
            [("temperature", "temperature", &sampling.temperature), ("topP", "top_p", &sampling.top_p)];
        for ((_, name, raw), _) in told.iter().zip(takes).filter(|(_, takes)| !takes) {
            if raw.is_some() {
                self.untold.leave(*name);
            }
        }
        let told = told.iter().zip(takes).filter(|(_, takes)| *takes);
        let told: Vec<_> = told.filter_map(|((name, _, raw), _)| Some((name, raw.as_ref()?))).collect();
        let any = max_tokens.is_some() || !chat.stop.is_empty() || !told.is_empty();
        if !any {
            return;
        }
        json.key("inferenceConfig").object(|json| {
            if let Some(tokens) = max_tokens {
                json.key("maxTokens").number_of(tokens);
            }
            for (name, raw) in told {
                json.key(name).raw(raw.as_bytes());
            }
            if !chat.stop.is_empty() {
                json.key("stopSequences").array(|json| chat.stop.iter().for_each(|stop| json.string(stop)));
            }
        });
    }

    /// Tools, and which is called. That none may be called is said by having none, where none was.
    fn tools(&mut self, chat: &Chat, json: &mut Json) {
        match chat.parallel_tool_calls {
            Some(false) if !chat.tools.is_empty() => {
                self.untold.refuse("parallel_tool_calls", "calls are as many as the model makes there");
            }
            Some(_) => self.untold.leave("parallel_tool_calls"),
            None => {}
        }
        if chat.tools.is_empty() {
            let mut said = chat.messages.iter().flat_map(|said| &said.content);
            if said.any(|part| matches!(part.kind, Kind::Call(_) | Kind::Output { .. })) {
                self.untold.refuse(
                    "tools",
                    "calls that were made are refused there without the tools that were called",
                );
            }
            return match chat.tool_choice {
                None => {}
                Some(ToolChoice::Auto | ToolChoice::None) => self.untold.leave("tool_choice"),
                Some(_) => self.untold.refuse("tool_choice", "there are no tools to choose from"),
            };
        }
        if chat.tool_choice == Some(ToolChoice::None) {
            if chat
                .messages
                .iter()
                .flat_map(|said| &said.content)
                .any(|part| matches!(part.kind, Kind::Call(_)))
            {
                self.untold.refuse("tool_choice", "tools can't be forbidden there once one was called");
            }
            return;
        }
        json.key("toolConfig").object(|json| {
            json.key("tools").array(|json| {
                chat.tools.iter().enumerate().for_each(|tool| self.tool(tool, json));
            });
            let choice = match &chat.tool_choice {
                None | Some(ToolChoice::None) => return,
                Some(ToolChoice::Other(_)) => return self.untold.refuse("tool_choice", NO_PLACE),
                Some(choice) => choice,
            };
            json.key("toolChoice").object(|json| match choice {
                ToolChoice::Any => json.key("any").object(|_| {}),
                ToolChoice::Named(name) => {
                    json.key("tool").object(|json| json.key("name").string(name));
                }
                _ => json.key("auto").object(|_| {}),
            });
        });
    }

    fn tool(&mut self, (at, tool): (usize, &Tool), json: &mut Json) {
        let Tool::Function { name, description, parameters, strict, cache } = tool else {
            return self.untold.refuse(format!("tools[{at}]"), "a tool that another vendor runs");
        };
        json.object(|json| {
            json.key("toolSpec").object(|json| {
                json.key("name").string(name);
                if let Some(description) = description.as_ref().filter(|text| !text.is_empty()) {
                    json.key("description").string(description);
                }
                let schema = parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#);
                json.key("inputSchema").object(|json| json.key("json").raw(schema.as_bytes()));
                if let Some(strict) = strict {
                    json.key("strict").boolean(*strict);
                }
            });
        });
        match cache {
            Some(cache) if self.caches.tools => content::cache_point(cache, json),
            Some(_) => self.untold.leave(format!("tools[{at}].cache_control")),
            None => {}
        }
    }

    /// What the answer looks like; a schema is a text there.
    fn format(&mut self, chat: &Chat, json: &mut Json) {
        let (name, description, schema) = match &chat.format {
            None | Some(Format::Text) => return,
            Some(Format::Json) => {
                return self.untold.refuse("response_format", "JSON is answered by a schema alone there");
            }
            Some(Format::Schema { name, description, schema, strict }) => {
                if *strict == Some(false) {
                    self.untold.leave("response_format.json_schema.strict");
                }
                (name, description, schema)
            }
        };
        json.key("outputConfig").object(|json| {
            json.key("textFormat").object(|json| {
                json.key("type").string("json_schema");
                json.key("structure").object(|json| {
                    json.key("jsonSchema").object(|json| {
                        json.key("schema").string(schema);
                        json.key("name").string(name);
                        if let Some(description) = description {
                            json.key("description").string(description);
                        }
                    });
                });
            });
        });
    }

    fn other(&mut self, chat: &Chat, (name, value): &(String, Raw), json: &mut Json) {
        if name == ADDITIONAL || name == beta::MEMBER && fields::is_anthropics(chat) {
            // Written with what else there is of it.
        } else if OWN.contains(&name.as_str()) {
            json.key(name).raw(value.as_bytes());
        } else if is_of_thoughts(name) && fields::is_anthropics(chat) {
            // Written with the model's own.
        } else if is_hint(name) || says_nothing(name, value) {
            self.untold.leave(name.clone());
        } else if is_published(Operation::Chat, name) || name.contains(['.', '[']) {
            self.untold.refuse(name.clone(), NO_PLACE);
        } else {
            self.untold.refuse(name.clone(), "it is not known there");
        }
    }
}
