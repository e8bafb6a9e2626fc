//! A request, by a template.
//!
//! Law: see the parent. A member whose value the request does not have is left out of its object or array. A template makes no request much
//! larger than it was: what it would write beyond that is not written.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;

use policy_engine::facts::template::{Filling, Gap, Piece, Roles, Shape};
use policy_engine::vocabulary::{Omission, Operation, Slot, is_published};

use super::super::chat::{Chat, Format, Raw, Role, Thinking, ToolChoice};
use super::super::json::Json;
use super::super::untold::{Untold, is_hint, says_nothing};
use super::super::{Unfit, Written};
use super::Plan;
use super::said::{self, Said};

/// The bytes of a message without what was said and by whom.
const FRAME: usize = r#"{"role":"","content":""},"#.len();
const NO_PLACE: &str = "its template has no place for it";

/// How many times as large as the request a body may be, and the bytes that it may have beside.
const GROWTH: usize = 8;
const ROOM: usize = 256 * 1024;

/// The body for a request of so many bytes.
pub(crate) fn write(chat: &Chat, plan: &Plan, size: usize) -> Result<Written, Unfit> {
    let mut untold = Untold::default();
    let said = said::all(chat, &mut untold);
    let left = Cell::new(Some(size.saturating_mul(GROWTH).saturating_add(ROOM)));
    let writer = Writer { chat, plan, said: &said, left };
    writer.conversation(&mut untold);
    writer.settings(&mut untold);
    writer.abilities(&mut untold);
    chat.others.iter().for_each(|(name, value)| other(name, value, &mut untold));
    let mut json = Json::default();
    writer.shape(&plan.template.ask.body.shape, None, &mut json);
    if writer.left.get().is_none() {
        untold.refuse("messages", "its template makes too much of them");
    }
    untold.written(json)
}

/// A request on its way into a template.
struct Writer<'c> {
    chat: &'c Chat,
    plan: &'c Plan,
    said: &'c [Said],
    /// The bytes that it may still write; `None`: it would have had to write more.
    left: Cell<Option<usize>>,
}

/// What a place is filled with.
enum Value<'c> {
    Text(Cow<'c, str>),
    /// JSON as it stands.
    Raw(Cow<'c, str>),
    Messages(Vec<&'c Said>),
    Texts(&'c [String]),
}

impl<'c> Writer<'c> {
    /// What was said and has no place.
    fn conversation(&self, untold: &mut Untold) {
        let has = |slot| self.plan.has(slot);
        let all = has(Slot::Messages) || has(Slot::Transcript);
        let (of_system, of_turns) = (all || has(Slot::System), all || has(Slot::Turns));
        let prompt = self.prompt();
        if has(Slot::Prompt) && prompt.is_none() && !of_turns {
            untold.refuse("messages", "what its template tells is a text of the user's, and there is none");
        }
        for said in self.said {
            let is_prompt = has(Slot::Prompt) && prompt.is_some_and(|prompt| prompt.at == said.at);
            let told = if said.role == Role::System { of_system } else { of_turns || is_prompt };
            match told {
                true => {}
                false if self.plan.leaves_out(Omission::Messages) => untold.leave("messages"),
                false => untold.refuse(format!("messages[{}]", said.at), NO_PLACE),
            }
        }
    }

    /// How the answer is drawn, and has no place.
    fn settings(&self, untold: &mut Untold) {
        for (slot, field, omission) in [
            (Slot::MaxTokens, "max_tokens", Some(Omission::MaxTokens)),
            (Slot::Temperature, "temperature", Some(Omission::Temperature)),
            (Slot::TopP, "top_p", Some(Omission::TopP)),
            (Slot::TopK, "top_k", Some(Omission::TopK)),
            (Slot::PresencePenalty, "presence_penalty", Some(Omission::PresencePenalty)),
            (Slot::FrequencyPenalty, "frequency_penalty", Some(Omission::FrequencyPenalty)),
            (Slot::Stop, "stop", Some(Omission::Stop)),
            // These change nothing of what is meant.
            (Slot::Seed, "seed", None),
            (Slot::User, "user", None),
        ] {
            if self.plan.has(slot) || self.value(slot, None).is_none() {
                continue;
            }
            match omission.is_none_or(|omission| self.plan.leaves_out(omission)) {
                true => untold.leave(field),
                false => untold.refuse(field, NO_PLACE),
            }
        }
    }

    /// What no template tells.
    fn abilities(&self, untold: &mut Untold) {
        let chat = self.chat;
        if chat.choices.is_some_and(|choices| choices > 1) {
            untold.refuse("n", "there is one answer there");
        }
        if !chat.tools.is_empty() {
            untold.refuse("tools", "a template tells nothing of tools");
        }
        match chat.tool_choice {
            None => {}
            Some(ToolChoice::Auto | ToolChoice::None) => untold.leave("tool_choice"),
            Some(_) => untold.refuse("tool_choice", "there are no tools to choose from"),
        }
        if chat.parallel_tool_calls.is_some() {
            untold.leave("parallel_tool_calls");
        }
        let mut unless = |said: bool, field: &'static str, omission| match said {
            false => {}
            true if self.plan.leaves_out(omission) => untold.leave(field),
            true => untold.refuse(field, NO_PLACE),
        };
        let formed = matches!(chat.format, Some(Format::Json | Format::Schema { .. }));
        unless(formed, "response_format", Omission::ResponseFormat);
        let thinks = match &chat.thinking {
            None | Some(Thinking::Off) => false,
            Some(Thinking::Effort(effort)) => effort != "none",
            Some(Thinking::Budget(_)) => true,
        };
        unless(thinks, "reasoning_effort", Omission::ReasoningEffort);
        if chat.show_thinking.is_some() {
            untold.leave("include_reasoning");
        }
    }

    fn prompt(&self) -> Option<&'c Said> {
        self.said.iter().rev().find(|said| said.role == Role::User)
    }

    /// What a place is filled with; `None`: the request has nothing for it.
    fn value(&self, slot: Slot, message: Option<&'c Said>) -> Option<Value<'c>> {
        let (chat, sampling) = (self.chat, &self.chat.sampling);
        let raw = |raw: &'c Option<Raw>| raw.as_deref().map(|raw| Value::Raw(Cow::Borrowed(raw)));
        let whole = |number: Option<u64>| number.map(|number| Value::Raw(Cow::Owned(number.to_string())));
        let text = |text: &'c str| Some(Value::Text(Cow::Borrowed(text)));
        let roles = &self.plan.template.ask.roles;
        match slot {
            Slot::Model => text(&chat.model),
            Slot::Messages => Some(Value::Messages(self.said.iter().collect())),
            Slot::Turns => {
                Some(Value::Messages(self.said.iter().filter(|said| said.role != Role::System).collect()))
            }
            Slot::System => {
                let system = self.said.iter().filter(|said| said.role == Role::System);
                let texts: Vec<&str> = system.map(|said| said.text.as_str()).collect();
                (!texts.is_empty()).then(|| Value::Text(texts.join("\n\n").into()))
            }
            Slot::Prompt => text(&self.prompt()?.text),
            Slot::Transcript => Some(Value::Text(transcript(self.said, roles).into())),
            Slot::MaxTokens => whole(chat.max_tokens),
            Slot::Temperature => raw(&sampling.temperature),
            Slot::TopP => raw(&sampling.top_p),
            Slot::TopK => whole(sampling.top_k),
            Slot::Seed => raw(&sampling.seed),
            Slot::PresencePenalty => raw(&sampling.presence_penalty),
            Slot::FrequencyPenalty => raw(&sampling.frequency_penalty),
            Slot::Stop => (!chat.stop.is_empty()).then_some(Value::Texts(&chat.stop)),
            Slot::User => text(chat.user.as_deref()?),
            Slot::Stream => {
                let stream = chat.stream && self.plan.template.stream.is_some();
                Some(Value::Raw(Cow::Borrowed(if stream { "true" } else { "false" })))
            }
            Slot::Role => text(role(message?.role, roles)),
            Slot::Text => text(&message?.text),
        }
    }

    /// Takes so many bytes of those that it may write; `false`: there are not as many.
    fn takes(&self, bytes: usize) -> bool {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().is_some()
    }

    /// Writes JSON with its places filled.
    fn shape(&self, shape: &Shape, message: Option<&'c Said>, json: &mut Json) {
        if !self.takes(weight(shape)) {
            return json.null();
        }
        match shape {
            Shape::Null => json.null(),
            Shape::Flag(flag) => json.boolean(*flag),
            Shape::Number(number) => json.raw(number.as_bytes()),
            Shape::Text(pieces) => json.string(&self.text(pieces, message)),
            Shape::Gap(gap) => self.gap(gap, message, json),
            Shape::List(all) => json.array(|json| {
                let there = all.iter().filter(|shape| !self.is_absent(shape, message));
                there.for_each(|shape| self.shape(shape, message, json));
            }),
            Shape::Object(members) => json.object(|json| {
                let there = members.iter().filter(|(_, shape)| !self.is_absent(shape, message));
                there.for_each(|(name, shape)| self.shape(shape, message, json.key(name)));
            }),
        }
    }

    fn is_absent(&self, shape: &Shape, message: Option<&'c Said>) -> bool {
        match shape {
            Shape::Gap(gap) => gap.otherwise.is_none() && self.value(gap.slot, message).is_none(),
            _ => false,
        }
    }

    fn gap(&self, gap: &Gap, message: Option<&'c Said>, json: &mut Json) {
        let value = self.value(gap.slot, message);
        let bytes = match &value {
            Some(Value::Text(text) | Value::Raw(text)) => text.len(),
            Some(Value::Texts(texts)) => texts.iter().map(|text| text.len() + 3).sum::<usize>(),
            Some(Value::Messages(_)) => 0,
            None => gap.otherwise.as_ref().map_or(0, String::len),
        };
        if !self.takes(bytes) {
            return json.null();
        }
        match (value, &gap.otherwise) {
            (Some(Value::Text(text)), _) => json.string(&text),
            (Some(Value::Raw(raw)), _) => json.raw(raw.as_bytes()),
            (Some(Value::Texts(texts)), _) => {
                json.array(|json| texts.iter().for_each(|text| json.string(text)))
            }
            (Some(Value::Messages(all)), _) => {
                json.array(|json| all.into_iter().for_each(|said| self.message(said, json)));
            }
            (None, Some(text)) if gap.slot.filling() == Filling::Text => json.string(text),
            (None, Some(otherwise)) => json.raw(otherwise.as_bytes()),
            (None, None) => json.null(),
        }
    }

    fn message(&self, said: &'c Said, json: &mut Json) {
        let ask = &self.plan.template.ask;
        match &ask.message {
            Some(message) => self.shape(&message.shape, Some(said), json),
            None => {
                let role = role(said.role, &ask.roles);
                if !self.takes(FRAME + role.len() + said.text.len()) {
                    return json.null();
                }
                json.object(|json| {
                    json.key("role").string(role);
                    json.key("content").string(&said.text);
                });
            }
        }
    }

    fn text(&self, pieces: &[Piece], message: Option<&'c Said>) -> String {
        let mut text = String::new();
        let mut more = |words: &str| {
            if self.takes(words.len()) {
                text.push_str(words);
            }
        };
        for piece in pieces {
            match piece {
                Piece::Words(words) => more(words),
                Piece::Gap(gap) => match self.value(gap.slot, message) {
                    Some(Value::Text(value) | Value::Raw(value)) => more(&value),
                    _ => more(gap.otherwise.as_deref().unwrap_or_default()),
                },
            }
        }
        text
    }
}

/// The bytes of JSON without what is within it and what its places are filled with.
fn weight(shape: &Shape) -> usize {
    match shape {
        Shape::Null | Shape::Flag(_) => 6,
        Shape::Number(number) => number.len() + 1,
        Shape::Text(_) | Shape::Gap(_) | Shape::List(_) => 3,
        Shape::Object(members) => members.iter().map(|(name, _)| name.len() + 4).sum::<usize>() + 3,
    }
}

/// What only one dialect has, or nobody knows.
fn other(name: &str, value: &Raw, untold: &mut Untold) {
    if is_hint(name) || says_nothing(name, value) {
        untold.leave(name.to_owned());
    } else if is_published(Operation::Chat, name) || name.contains(['.', '[']) {
        untold.refuse(name.to_owned(), NO_PLACE);
    } else {
        untold.refuse(name.to_owned(), "it is not known there");
    }
}

fn role(role: Role, roles: &Roles) -> &str {
    match role {
        Role::System => &roles.system,
        Role::User => &roles.user,
        Role::Assistant => &roles.assistant,
    }
}

/// All that was said as one text: a paragraph each, begun with who says it; the model goes on where it ends.
fn transcript(said: &[Said], roles: &Roles) -> String {
    let mut text = String::new();
    for said in said {
        // Writing to a string does not fail.
        let _ = write!(text, "{}: {}\n\n", role(said.role, roles), said.text);
    }
    let _ = write!(text, "{}:", roles.assistant);
    text
}
