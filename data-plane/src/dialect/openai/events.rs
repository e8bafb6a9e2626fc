//! The events of an answer of OpenAI's dialect, read and written.
//!
//! Law: what is read is the data of an event, without its framing; what is written is framed (`data: {…}` and a blank line).

use super::super::answer::{Finish, Usage};
use super::super::chat::Kind;
use super::super::event::{Delta, Event, Start};
use super::super::json::Json;
use super::answer::{finish, usage, write_finish, write_usage};
use super::read::{self, text};
use crate::tape::{Tape, Value};

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    tape: Tape,
    begun: bool,
}

impl Reading {
    /// What an event says; what can't be read says nothing, for the pipeline let it pass.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) {
        if data.trim_ascii() == b"[DONE]" {
            return events.extend([Event::Done]);
        }
        let mut tape = std::mem::take(&mut self.tape);
        if tape.read(data).is_ok()
            && let Some(root) = tape.root(data)
        {
            self.chunk(root, events);
        }
        self.tape = tape;
    }

    fn chunk(&mut self, root: Value<'_>, events: &mut impl Extend<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            let [id, model] = ["id", "model"].map(|name| text(root.get(name)).unwrap_or_default());
            let created = root.get("created").and_then(|created| created.whole());
            events.extend([Event::Start(Start { id, model, created })]);
        }
        let choices = root.get("choices").into_iter().flat_map(|choices| choices.elements());
        for (at, one) in choices.enumerate() {
            let choice = one.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
            if let Some(delta) = one.get("delta") {
                deltas(delta, |delta| events.extend([Event::More { choice, delta }]));
            }
            events.extend(finish(one).map(|finish| Event::End { choice, finish }));
        }
        events.extend(root.get("usage").and_then(usage).map(Event::Usage));
    }
}

fn deltas(delta: Value<'_>, mut see: impl FnMut(Delta)) {
    let said = |name: &str| text(delta.get(name)).filter(|text| !text.is_empty());
    said("reasoning_content")
        .or_else(|| said("reasoning"))
        .map(Delta::Thinking)
        .into_iter()
        .for_each(&mut see);
    let details = delta.get("reasoning_details").into_iter().flat_map(|details| details.elements());
    for detail in details.filter_map(read::detail) {
        match detail {
            Kind::Thinking { signature: Some(signature), .. } => see(Delta::Signature(signature)),
            Kind::Redacted(data) => see(Delta::Redacted(data)),
            _ => {}
        }
    }
    said("content").map(Delta::Text).into_iter().for_each(&mut see);
    said("refusal").map(Delta::Refusal).into_iter().for_each(&mut see);
    let calls = delta.get("tool_calls").into_iter().flat_map(|calls| calls.elements());
    for (at, call) in calls.enumerate() {
        let function = call.get("function");
        let part = |name: &str| text(function.and_then(|function| function.get(name)));
        see(Delta::Call {
            at: call.get("index").and_then(|index| index.whole()).unwrap_or(at as u64),
            id: text(call.get("id")).filter(|id| !id.is_empty()),
            name: part("name").filter(|name| !name.is_empty()),
            arguments: part("arguments").unwrap_or_default(),
        });
    }
}

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Writing {
    start: Start,
    now: u64,
    used: Option<Usage>,
    /// Choices whose role was told.
    told: Vec<u64>,
}

impl Writing {
    /// Of an answer that began at a time, in seconds of Unix time, where its dialect does not tell.
    pub(crate) fn at(now: u64) -> Self {
        Self { start: Start::default(), now, used: None, told: Vec::new() }
    }

    /// Writes what happens.
    pub(crate) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => {
                self.start = start;
                self.choice(0, |_| {}, None, out);
            }
            Event::More { choice, delta } => self.choice(choice, |json| write_delta(&delta, json), None, out),
            Event::End { choice, finish } => self.choice(choice, |_| {}, Some(&finish), out),
            Event::Usage(usage) => self.used = Some(usage),
            Event::Done => {
                if let Some(usage) = self.used.take() {
                    self.chunk(out, |json| {
                        json.key("choices").array(|_| {});
                        json.key("usage").object(|json| write_usage(&usage, json));
                    });
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }

    fn choice(
        &mut self,
        choice: u64,
        delta: impl FnOnce(&mut Json),
        finish: Option<&Finish>,
        out: &mut Vec<u8>,
    ) {
        let is_first = !self.told.contains(&choice);
        if is_first {
            self.told.push(choice);
        }
        self.chunk(out, |json| {
            json.key("choices").array(|json| {
                json.object(|json| {
                    json.key("index").number_of(choice);
                    json.key("delta").object(|json| {
                        if is_first {
                            json.key("role").string("assistant");
                        }
                        delta(json);
                    });
                    write_finish(finish, json);
                });
            });
        });
    }

    fn chunk(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Json)) {
        let mut json = Json::default();
        json.object(|json| {
            json.key("id").string(&self.start.id);
            json.key("object").string("chat.completion.chunk");
            json.key("created").number_of(self.start.created.unwrap_or(self.now));
            json.key("model").string(&self.start.model);
            write(json);
        });
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&json.done());
        out.extend_from_slice(b"\n\n");
    }
}

fn write_delta(delta: &Delta, json: &mut Json) {
    let details = |json: &mut Json, kind: &str, member: &str, value: &str| {
        json.key("reasoning_details").array(|json| {
            json.object(|json| {
                json.key("type").string(kind);
                json.key(member).string(value);
            });
        });
    };
    match delta {
        Delta::Text(text) => json.key("content").string(text),
        Delta::Thinking(text) => json.key("reasoning_content").string(text),
        Delta::Signature(signature) => details(json, "reasoning.text", "signature", signature),
        Delta::Redacted(data) => details(json, "reasoning.encrypted", "data", data),
        Delta::Refusal(refusal) => json.key("refusal").string(refusal),
        Delta::Call { at, id, name, arguments } => json.key("tool_calls").array(|json| {
            json.object(|json| {
                json.key("index").number_of(*at);
                if let Some(id) = id {
                    json.key("id").string(id);
                    json.key("type").string("function");
                }
                json.key("function").object(|json| {
                    if let Some(name) = name {
                        json.key("name").string(name);
                    }
                    json.key("arguments").string(arguments);
                });
            });
        }),
    }
}
