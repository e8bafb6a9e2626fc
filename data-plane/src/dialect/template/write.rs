//! A request, by a template.
//!
//! Law: see the parent.

use std::borrow::Cow;
use std::fmt::Write as _;

use policy_engine::facts::template::{Draft, Roles};
use policy_engine::vocabulary::{Omission, Operation, Slot, is_published};

use super::super::chat::{Chat, Format, Raw, Role, Thinking, ToolChoice};
use super::super::untold::{Untold, is_hint, says_nothing};
use super::super::{Unfit, Written};
use super::Plan;
use super::fill::{Fill, Value, role};
use super::said::{self, Said};

const NO_PLACE: &str = "its template has no place for it";

/// The body for a request of so many bytes.
pub(crate) fn write(chat: &Chat, (plan, body): (&Plan, &Draft), size: usize) -> Result<Written, Unfit> {
    let mut untold = Untold::default();
    let said = said::all(chat, &mut untold);
    let writer = Writer { chat, plan, said: &said };
    writer.conversation(&mut untold);
    writer.settings(&mut untold);
    writer.abilities(&mut untold);
    chat.others.iter().for_each(|(name, value)| other(name, value, &mut untold));
    let filled = Fill::of(&plan.template.ask, size, |slot, message| writer.value(slot, message)).body(body);
    if filled.is_none() {
        untold.refuse("messages", "its template makes too much of them");
    }
    untold.written(filled.unwrap_or_default())
}

/// A request on its way into a template.
struct Writer<'c> {
    chat: &'c Chat,
    plan: &'c Plan,
    said: &'c [Said],
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
            // Of texts that are to be embedded; a template of chats has none.
            Slot::Inputs | Slot::Input | Slot::Dimensions => None,
        }
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
