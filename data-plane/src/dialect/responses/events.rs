//! An answer as the Responses API tells it while it comes.
//!
//! Law: events are numbered from 0; each item is opened, told and closed, in the order in which items began, and the last event repeats all
//! of them.

use serde_json::{Value, json};

use super::super::answer::{Finish, Usage};
use super::super::chat::Call;
use super::super::event::{Delta, Event, Start};
use super::answer::{finished, function_call, item_id, output_text, reasoning};
use super::{Echo, id};

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Writing {
    echo: Echo,
    now: u64,
    start: Start,
    number: u64,
    items: Vec<Item>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

/// An item that was begun.
#[derive(Debug)]
enum Item {
    /// What was said.
    Said(String),
    /// Why it was not.
    Refused(String),
    /// What was thought, and the vendor's proof.
    Thought(String, Option<String>),
    /// A call, by its number in the answer.
    Called(u64, Call),
}

impl Writing {
    /// Of an answer that began at a time, in seconds of Unix time, where the vendor does not tell.
    pub(crate) fn of(echo: Echo, now: u64) -> Self {
        let (start, items) = (Start::default(), Vec::new());
        Self { echo, now, start, number: 0, items, finish: None, usage: None }
    }

    /// Writes what happens, framed.
    pub(crate) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => {
                self.start = Start { id: id("resp", &start.id), ..start };
                for kind in ["response.created", "response.in_progress"] {
                    let response = self.echo.response(self.head(), "in_progress", Vec::new());
                    self.event(kind, json!({ "response": response }), out);
                }
            }
            Event::More { choice: 0, delta } => self.more(delta, out),
            Event::End { choice: 0, finish } => self.finish = Some(finish),
            // Nobody can ask for more than one here.
            Event::More { .. } | Event::End { .. } => {}
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Done => self.done(out),
        }
    }

    /// How many events were written: the number of the next.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The response as it began; nothing where it has not.
    pub(crate) fn opening(&self) -> Vec<u8> {
        match self.number {
            0 => Vec::new(),
            _ => self.echo.response(self.head(), "in_progress", Vec::new()).to_string().into(),
        }
    }

    fn head(&self) -> (&str, &str, u64) {
        (&self.start.id, &self.start.model, self.start.created.unwrap_or(self.now))
    }

    fn event(&mut self, kind: &str, mut event: Value, out: &mut Vec<u8>) {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("type".to_owned(), kind.into());
            fields.insert("sequence_number".to_owned(), self.number.into());
        }
        self.number = self.number.saturating_add(1);
        out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
    }

    fn more(&mut self, delta: Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => {
                let at = self.open(|item| matches!(item, Item::Said(_)), || Item::Said(String::new()), out);
                self.add(at, &text);
                let event = json!({ "item_id": self.name(at), "output_index": at, "content_index": 0, "delta": text, "logprobs": [] });
                self.event("response.output_text.delta", event, out);
            }
            Delta::Refusal(text) => {
                let begin = || Item::Refused(String::new());
                let at = self.open(|item| matches!(item, Item::Refused(_)), begin, out);
                self.add(at, &text);
                let event = json!({ "item_id": self.name(at), "output_index": at, "content_index": 0, "delta": text });
                self.event("response.refusal.delta", event, out);
            }
            Delta::Thinking(text) => {
                let at = self.thought(out);
                self.add(at, &text);
                let event = json!({ "item_id": self.name(at), "output_index": at, "summary_index": 0, "delta": text });
                self.event("response.reasoning_summary_text.delta", event, out);
            }
            Delta::Signature(proof) | Delta::Redacted(proof) => {
                let at = self.thought(out);
                if let Some(Item::Thought(_, signature)) = self.items.get_mut(at) {
                    signature.get_or_insert_default().push_str(&proof);
                }
            }
            Delta::Call { at: call, id, name, arguments } => {
                let begin = || {
                    let (id, name) = (id.unwrap_or_default(), name.unwrap_or_default());
                    Item::Called(call, Call { id, name, arguments: String::new() })
                };
                let is_it = |item: &Item| matches!(item, Item::Called(known, _) if *known == call);
                let at = self.open(is_it, begin, out);
                self.add(at, &arguments);
                if !arguments.is_empty() {
                    let event = json!({ "item_id": self.name(at), "output_index": at, "delta": arguments });
                    self.event("response.function_call_arguments.delta", event, out);
                }
            }
        }
    }

    fn thought(&mut self, out: &mut Vec<u8>) -> usize {
        let begin = || Item::Thought(String::new(), None);
        self.open(|item| matches!(item, Item::Thought(..)), begin, out)
    }

    /// The place of an item: of one that was begun, or of a new one. What was said before a call or a thought is one item, what comes after
    /// it another.
    fn open(
        &mut self,
        is_it: impl Fn(&Item) -> bool,
        begin: impl FnOnce() -> Item,
        out: &mut Vec<u8>,
    ) -> usize {
        let last = self.items.len().saturating_sub(1);
        let known = self.items.iter().enumerate().rfind(|(_, item)| is_it(item)).map(|(at, _)| at);
        let goes_on = |at: &usize| *at == last || matches!(self.items.get(*at), Some(Item::Called(..)));
        if let Some(at) = known.filter(goes_on) {
            return at;
        }
        self.items.push(begin());
        let at = self.items.len().saturating_sub(1);
        let item = self.item(at, "in_progress", false);
        self.event("response.output_item.added", json!({ "output_index": at, "item": item }), out);
        let name = self.name(at);
        match self.items.get(at) {
            Some(Item::Said(_)) => {
                let event = json!({ "item_id": name, "output_index": at, "content_index": 0, "part": output_text("") });
                self.event("response.content_part.added", event, out);
            }
            Some(Item::Refused(_)) => {
                let part = json!({ "type": "refusal", "refusal": "" });
                let event = json!({ "item_id": name, "output_index": at, "content_index": 0, "part": part });
                self.event("response.content_part.added", event, out);
            }
            Some(Item::Thought(..)) => {
                let part = json!({ "type": "summary_text", "text": "" });
                let event = json!({ "item_id": name, "output_index": at, "summary_index": 0, "part": part });
                self.event("response.reasoning_summary_part.added", event, out);
            }
            _ => {}
        }
        at
    }

    fn add(&mut self, at: usize, text: &str) {
        match self.items.get_mut(at) {
            Some(Item::Said(all) | Item::Refused(all) | Item::Thought(all, _)) => all.push_str(text),
            Some(Item::Called(_, call)) => call.arguments.push_str(text),
            None => {}
        }
    }

    fn name(&self, at: usize) -> String {
        let prefix = match self.items.get(at) {
            Some(Item::Thought(..)) => "rs",
            Some(Item::Called(..)) => "fc",
            _ => "msg",
        };
        item_id(prefix, (&self.start.id, at))
    }

    /// An item as far as it has come, or as it began.
    fn item(&self, at: usize, status: &str, is_told: bool) -> Value {
        let of = (self.start.id.as_str(), at);
        let message = |content: Vec<Value>| json!({ "id": item_id("msg", of), "type": "message", "role": "assistant", "status": status, "content": content });
        match self.items.get(at) {
            Some(Item::Said(text)) if is_told => message(vec![output_text(text)]),
            Some(Item::Refused(refusal)) if is_told => {
                message(vec![json!({ "type": "refusal", "refusal": refusal })])
            }
            Some(Item::Thought(text, signature)) if is_told => reasoning(of, text, signature.as_deref()),
            Some(Item::Thought(..)) => reasoning(of, "", None),
            Some(Item::Called(_, call)) if is_told => function_call(of, call, status),
            Some(Item::Called(_, call)) => {
                function_call(of, &Call { arguments: String::new(), ..call.clone() }, status)
            }
            _ => message(Vec::new()),
        }
    }

    fn close(&mut self, at: usize, out: &mut Vec<u8>) {
        let name = self.name(at);
        let place = |more: Value| {
            let mut event = json!({ "item_id": name, "output_index": at });
            if let (Some(fields), Value::Object(more)) = (event.as_object_mut(), more) {
                fields.extend(more);
            }
            event
        };
        let events = match self.items.get(at) {
            Some(Item::Said(text)) => vec![
                (
                    "response.output_text.done",
                    place(json!({ "content_index": 0, "text": text, "logprobs": [] })),
                ),
                (
                    "response.content_part.done",
                    place(json!({ "content_index": 0, "part": output_text(text) })),
                ),
            ],
            Some(Item::Refused(refusal)) => {
                let part = json!({ "type": "refusal", "refusal": refusal });
                vec![
                    ("response.refusal.done", place(json!({ "content_index": 0, "refusal": refusal }))),
                    ("response.content_part.done", place(json!({ "content_index": 0, "part": part }))),
                ]
            }
            Some(Item::Thought(text, _)) => {
                let part = json!({ "type": "summary_text", "text": text });
                vec![
                    (
                        "response.reasoning_summary_text.done",
                        place(json!({ "summary_index": 0, "text": text })),
                    ),
                    (
                        "response.reasoning_summary_part.done",
                        place(json!({ "summary_index": 0, "part": part })),
                    ),
                ]
            }
            Some(Item::Called(_, call)) => {
                let done = json!({ "arguments": call.arguments, "name": call.name });
                vec![("response.function_call_arguments.done", place(done))]
            }
            None => Vec::new(),
        };
        for (kind, event) in events {
            self.event(kind, event, out);
        }
        let item = self.item(at, "completed", true);
        self.event("response.output_item.done", json!({ "output_index": at, "item": item }), out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        for at in 0..self.items.len() {
            self.close(at, out);
        }
        let output = (0..self.items.len()).map(|at| self.item(at, "completed", true)).collect();
        let how = (self.finish.as_ref(), self.usage.as_ref());
        let response = finished(&self.echo, self.head(), how, output);
        let is_cut = matches!(self.finish, Some(Finish::Length | Finish::Filtered));
        let kind = if is_cut { "response.incomplete" } else { "response.completed" };
        self.event(kind, json!({ "response": response }), out);
    }
}
