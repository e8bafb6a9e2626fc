//! The messages of a request, and what they hold.
//!
//! Law: what a tool gave back is a message of its own; of one turn of the caller's, those come first. What says nothing is not written. Texts
//! alone are a string, anything more is parts.

use super::super::super::anthropic::block;
use super::super::super::chat::{Call, Chat, Kind, Message, Part, Role, Source};
use super::super::super::json::Json;
use super::{NO_PLACE, Writer};

/// A part and its path in OpenAI's dialect.
type Said<'c> = (String, &'c Part);

impl Writer {
    /// All that was said.
    pub(super) fn messages(&mut self, chat: &Chat, json: &mut Json) {
        json.array(|json| {
            for (at, message) in chat.messages.iter().enumerate() {
                if message.name.is_some() {
                    self.untold.leave("messages.name");
                }
                self.message((at, message), json);
            }
        });
    }

    fn message(&mut self, (at, message): (usize, &Message), json: &mut Json) {
        let path = |inner: usize| format!("messages[{at}].content[{inner}]");
        let parts = message.content.iter().enumerate().map(|(inner, part)| (path(inner), part));
        let parts: Vec<Said<'_>> = parts.filter(|(_, part)| part.kind != Kind::Text(String::new())).collect();
        if parts.iter().any(|(_, part)| part.cache.is_some()) {
            self.untold.leave("messages.content.cache_control");
        }
        let (outputs, said): (Vec<Said<'_>>, Vec<Said<'_>>) =
            parts.into_iter().partition(|(_, part)| matches!(part.kind, Kind::Output { .. }));
        for (path, part) in &outputs {
            if let Kind::Output { id, content, failed } = &part.kind {
                self.output(path, (id, content, *failed), json);
            }
        }
        if said.is_empty() {
            return;
        }
        json.object(|json| match message.role {
            Role::System => {
                json.key("role").string("system");
                self.content(&said, json);
            }
            Role::User => {
                json.key("role").string("user");
                self.content(&said, json);
            }
            Role::Assistant => self.assistant(&said, json),
        });
    }

    /// What the model said: thoughts before calls are its plan.
    fn assistant(&mut self, said: &[Said<'_>], json: &mut Json) {
        json.key("role").string("assistant");
        let calls: Vec<(&str, &Call)> = said
            .iter()
            .filter_map(|(path, part)| match &part.kind {
                Kind::Call(call) => Some((path.as_str(), call)),
                _ => None,
            })
            .collect();
        let is_thought = |part: &Part| matches!(part.kind, Kind::Thinking { .. } | Kind::Redacted(_));
        let of_calls = !calls.is_empty();
        let rest = said.iter().filter(|(_, part)| !matches!(part.kind, Kind::Call(_)));
        let rest: Vec<Said<'_>> = rest.filter(|(_, part)| !of_calls || !is_thought(part)).cloned().collect();
        if of_calls {
            let thoughts = said.iter().filter_map(|(_, part)| match &part.kind {
                Kind::Thinking { text, .. } => Some(text.as_str()),
                _ => None,
            });
            let plan: Vec<&str> = thoughts.collect();
            if !plan.is_empty() {
                json.key("tool_plan").string(&plan.concat());
            }
        }
        if !rest.is_empty() {
            self.content(&rest, json);
        }
        if of_calls {
            json.key("tool_calls").array(|json| calls.iter().for_each(|call| self.call(*call, json)));
        }
    }

    fn content(&mut self, said: &[Said<'_>], json: &mut Json) {
        let json = json.key("content");
        if let [(_, Part { kind: Kind::Text(text) | Kind::Refusal(text), .. })] = said {
            return json.string(text);
        }
        json.array(|json| said.iter().for_each(|said| self.part(said, json)));
    }

    fn part(&mut self, (path, part): &Said<'_>, json: &mut Json) {
        match &part.kind {
            Kind::Text(text) | Kind::Refusal(text) => json.object(|json| {
                json.key("type").string("text");
                json.key("text").string(text);
            }),
            Kind::Thinking { text, .. } => json.object(|json| {
                json.key("type").string("thinking");
                json.key("thinking").string(text);
            }),
            Kind::Redacted(_) => self.untold.leave("messages.reasoning_details"),
            Kind::Image(source, detail) => self.image(path, (source, detail.as_deref()), json),
            Kind::Audio { .. } => self.untold.refuse(path.clone(), "there are no sounds there"),
            Kind::File { .. } => {
                self.untold.refuse(path.clone(), "documents are texts there, in `documents`")
            }
            Kind::Call(_) | Kind::Output { .. } | Kind::Other(_) => {
                self.untold.refuse(path.clone(), NO_PLACE)
            }
        }
    }

    fn image(&mut self, path: &str, (source, detail): (&Source, Option<&str>), json: &mut Json) {
        let url = match source {
            Source::Url(url) => url.clone(),
            Source::Data { media_type, data } => format!("data:{media_type};base64,{data}"),
            Source::Id(_) => return self.untold.refuse(path.to_owned(), "files are not kept there"),
        };
        json.object(|json| {
            json.key("type").string("image_url");
            json.key("image_url").object(|json| {
                json.key("url").string(&url);
                if let Some(detail) = detail {
                    json.key("detail").string(detail);
                }
            });
        });
    }

    fn call(&mut self, (path, call): (&str, &Call), json: &mut Json) {
        let Some(arguments) = block::arguments(&call.arguments) else {
            return self
                .untold
                .refuse(format!("{path}.arguments"), "the arguments of a call are an object there");
        };
        json.object(|json| {
            json.key("id").string(&call.id);
            json.key("type").string("function");
            json.key("function").object(|json| {
                json.key("name").string(&call.name);
                json.key("arguments").string(arguments);
            });
        });
    }

    fn output(&mut self, path: &str, (call, content, failed): (&str, &[Part], bool), json: &mut Json) {
        if failed {
            self.untold.leave("messages.is_error");
        }
        let mut texts: Vec<&str> = Vec::new();
        for (at, part) in content.iter().enumerate() {
            match &part.kind {
                Kind::Text(text) | Kind::Refusal(text) => texts.push(text),
                _ => {
                    return self
                        .untold
                        .refuse(format!("{path}.content[{at}]"), "tools give back texts there");
                }
            }
        }
        json.object(|json| {
            json.key("role").string("tool");
            json.key("tool_call_id").string(call);
            json.key("content").string(&texts.concat());
        });
    }
}
