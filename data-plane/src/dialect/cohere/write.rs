//! A request written as Cohere's dialect has it.
//!
//! Law: as of Anthropic's: what the dialect has no place for is left out where it changes nothing of what is meant, and told; else it is unfit.

mod content;

use policy_engine::vocabulary::{Operation, is_published};

use super::super::anthropic::think;
use super::super::chat::{Chat, Format, Raw, Thinking, Tool, ToolChoice};
use super::super::json::Json;
use super::super::untold::{Untold, is_hint, says_nothing};
use super::super::{Unfit, Written};

/// Members that only this dialect has, and that go as they came.
const OWN: [&str; 4] = ["citation_options", "documents", "priority", "safety_mode"];

const NO_PLACE: &str = "it has no place in Cohere's dialect";

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
}

impl Writer {
    fn body(&mut self, chat: &Chat, json: &mut Json) {
        json.key("model").string(&chat.model);
        self.messages(chat, json.key("messages"));
        // The vendor streams only whom it is asked to.
        json.key("stream").boolean(chat.stream);
        self.sampling(chat, json);
        if let Some(tokens) = chat.max_tokens {
            json.key("max_tokens").number_of(tokens);
        }
        if !chat.stop.is_empty() {
            json.key("stop_sequences").array(|json| chat.stop.iter().for_each(|stop| json.string(stop)));
        }
        self.tools(chat, json);
        self.format(chat, json);
        self.thinking(chat, json);
        if chat.choices.is_some_and(|choices| choices > 1) {
            self.untold.refuse("n", "there is one answer there");
        }
        if chat.user.is_some() {
            self.untold.leave("user");
        }
        chat.others.iter().for_each(|other| self.other(other, json));
    }

    fn sampling(&mut self, chat: &Chat, json: &mut Json) {
        let sampling = &chat.sampling;
        let number = |raw: &Raw| raw.parse::<f64>().unwrap_or(f64::NAN);
        let penalties = [
            ("presence_penalty", &sampling.presence_penalty),
            ("frequency_penalty", &sampling.frequency_penalty),
        ];
        for (name, penalty) in penalties {
            if penalty.as_ref().is_some_and(|raw| !(0.0..=1.0).contains(&number(raw))) {
                self.untold.refuse(name, "it goes from 0 to 1 there");
            }
        }
        let told = [
            ("temperature", &sampling.temperature),
            ("p", &sampling.top_p),
            ("seed", &sampling.seed),
            ("presence_penalty", &sampling.presence_penalty),
            ("frequency_penalty", &sampling.frequency_penalty),
        ];
        for (name, raw) in told.into_iter().filter_map(|(name, raw)| Some((name, raw.as_ref()?))) {
            json.key(name).raw(raw.as_bytes());
        }
        if let Some(top_k) = sampling.top_k {
            json.key("k").number_of(top_k);
        }
    }

    fn tools(&mut self, chat: &Chat, json: &mut Json) {
        match chat.parallel_tool_calls {
            Some(false) if !chat.tools.is_empty() => {
                self.untold.refuse("parallel_tool_calls", "calls are as many as the model makes there");
            }
            Some(_) => self.untold.leave("parallel_tool_calls"),
            None => {}
        }
        if chat.tools.is_empty() {
            return match chat.tool_choice {
                None => {}
                Some(ToolChoice::Auto | ToolChoice::None) => self.untold.leave("tool_choice"),
                Some(_) => self.untold.refuse("tool_choice", "there are no tools to choose from"),
            };
        }
        let tools = chat.tools.iter().enumerate();
        json.key("tools").array(|json| tools.for_each(|tool| self.tool(tool, json)));
        let is_strict = |tool: &Tool| matches!(tool, Tool::Function { strict: Some(true), .. });
        match chat.tools.iter().filter(|tool| is_strict(tool)).count() {
            0 => {}
            all if all == chat.tools.len() => json.key("strict_tools").boolean(true),
            _ => self.untold.leave("tools.function.strict"),
        }
        match &chat.tool_choice {
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::Any) => json.key("tool_choice").string("REQUIRED"),
            Some(ToolChoice::None) => json.key("tool_choice").string("NONE"),
            Some(ToolChoice::Named(named)) => match chat.tools.as_slice() {
                [Tool::Function { name, .. }] if name == named => json.key("tool_choice").string("REQUIRED"),
                _ => self.untold.refuse("tool_choice", "one of several tools can't be demanded there"),
            },
            Some(ToolChoice::Other(_)) => self.untold.refuse("tool_choice", NO_PLACE),
        }
    }

    fn tool(&mut self, (at, tool): (usize, &Tool), json: &mut Json) {
        let Tool::Function { name, description, parameters, strict: _, cache } = tool else {
            return self.untold.refuse(format!("tools[{at}]"), "a tool that another vendor runs");
        };
        if cache.is_some() {
            self.untold.leave("tools.cache_control");
        }
        json.object(|json| {
            json.key("type").string("function");
            json.key("function").object(|json| {
                json.key("name").string(name);
                if let Some(description) = description {
                    json.key("description").string(description);
                }
                let schema = parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#);
                json.key("parameters").raw(schema.as_bytes());
            });
        });
    }

    fn format(&mut self, chat: &Chat, json: &mut Json) {
        let schema = match &chat.format {
            None | Some(Format::Text) => return,
            Some(Format::Json) => None,
            Some(Format::Schema { description, schema, strict, .. }) => {
                let said = [
                    ("response_format.json_schema.description", description.is_some()),
                    ("response_format.json_schema.strict", *strict == Some(false)),
                ];
                said.into_iter().filter(|(_, said)| *said).for_each(|(field, _)| self.untold.leave(field));
                Some(schema)
            }
        };
        json.key("response_format").object(|json| {
            json.key("type").string("json_object");
            if let Some(schema) = schema {
                json.key("json_schema").raw(schema.as_bytes());
            }
        });
    }

    fn thinking(&mut self, chat: &Chat, json: &mut Json) {
        let budget = match &chat.thinking {
            None => return,
            Some(Thinking::Off) => None,
            Some(Thinking::Effort(effort)) if effort == "none" => None,
            Some(Thinking::Budget(budget)) => Some(*budget),
            Some(Thinking::Effort(effort)) => match think::budget(effort) {
                Some(budget) => Some(Some(budget)),
                None => return self.untold.refuse("reasoning_effort", "how much that is is not known"),
            },
        };
        json.key("thinking").object(|json| {
            json.key("type").string(if budget.is_some() { "enabled" } else { "disabled" });
            if let Some(tokens) = budget.flatten() {
                json.key("token_budget").number_of(tokens);
            }
        });
    }

    fn other(&mut self, (name, value): &(String, Raw), json: &mut Json) {
        if OWN.contains(&name.as_str()) {
            json.key(name).raw(value.as_bytes());
        } else if is_hint(name) || says_nothing(name, value) {
            self.untold.leave(name.clone());
        } else if is_published(Operation::Chat, name) || name.contains(['.', '[']) {
            self.untold.refuse(name.clone(), NO_PLACE);
        } else {
            self.untold.refuse(name.clone(), "it is not known there");
        }
    }
}
