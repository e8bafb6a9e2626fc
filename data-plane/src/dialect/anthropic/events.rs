//! The events of an answer of Anthropic's dialect, read and written.
//!
//! Law: what is read is the data of an event, without its framing and its name, which the data says too; what is written is framed. A vendor
//! that breaks off says so in an event of its own, and so does one whose events are none: both are errors, with what was read before them given.

mod writing;

use super::super::answer::Usage;
use super::super::event::{Delta, Event, Start};
use super::super::{VendorError, VendorFault};
use super::answer::{explanation, finish, string, usage};
use super::block::{member, raw};
use super::error::broken_off;
use crate::tape::{Kind as Form, Tape, Value};

pub(crate) use writing::Writing;

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    tape: Tape,
    used: Usage,
    /// The calls so far.
    calls: u64,
    /// Calls that are not yet done, by the index of their block.
    open: Vec<Open>,
}

/// A call that is not yet done.
#[derive(Debug)]
struct Open {
    index: u64,
    at: u64,
    /// Whether there are arguments yet.
    told: bool,
}

impl Reading {
    /// What an event says. Events of types that are not known say nothing, and nor do pings.
    ///
    /// # Errors
    /// The vendor broke off, by its word or by an event that can't be read.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        let malformed = || VendorError {
            fault: VendorFault::Malformed,
            message: "an event is none of the dialect".to_owned(),
        };
        let mut tape = std::mem::take(&mut self.tape);
        let read = tape.read(data).map_err(|_| malformed());
        let taken = read.and_then(|()| {
            let root = tape.root(data).filter(|root| root.kind() == Form::Object).ok_or_else(malformed)?;
            self.event(root, events)
        });
        self.tape = tape;
        taken
    }

    fn event(&mut self, root: Value<'_>, events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        let index = root.get("index").and_then(|index| index.whole()).unwrap_or(0);
        let mut more = |delta| events.extend([Event::More { choice: 0, delta }]);
        match string(root, "type").unwrap_or_default().as_str() {
            "message_start" => {
                if let Some(message) = member(root, "message") {
                    self.start(message, events);
                }
            }
            "content_block_start" => {
                if let Some(block) = member(root, "content_block") {
                    self.block((index, block), &mut more);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = member(root, "delta") {
                    self.delta((index, delta), &mut more);
                }
            }
            "content_block_stop" => self.stop(index, &mut more),
            "message_delta" => self.end(root, events),
            "message_stop" => events.extend([Event::Done]),
            "error" => return Err(broken_off(root)),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, message: Value<'_>, events: &mut impl Extend<Event>) {
        let [id, model] = ["id", "model"].map(|name| string(message, name).unwrap_or_default());
        events.extend([Event::Start(Start { id, model, created: None })]);
        self.usage(message, events);
    }

    fn usage(&mut self, of: Value<'_>, events: &mut impl Extend<Event>) {
        if let Some(told) = member(of, "usage") {
            self.used = usage(told, self.used);
            events.extend([Event::Usage(self.used)]);
        }
    }

    /// A block begins; most begin empty, but need not.
    fn block(&mut self, (index, block): (u64, Value<'_>), more: &mut impl FnMut(Delta)) {
        let said = |name: &str| string(block, name).filter(|text| !text.is_empty());
        match string(block, "type").unwrap_or_default().as_str() {
            "text" => said("text").map(Delta::Text).into_iter().for_each(more),
            "thinking" => {
                said("thinking").map(Delta::Thinking).into_iter().for_each(&mut *more);
                said("signature").map(Delta::Signature).into_iter().for_each(more);
            }
            "redacted_thinking" => said("data").map(Delta::Redacted).into_iter().for_each(more),
            "tool_use" => {
                let at = self.calls;
                self.calls += 1;
                let input =
                    block.get("input").filter(|input| input.kind() == Form::Object && input.len() > 0);
                let arguments = input.map(|input| raw(input).into_string()).unwrap_or_default();
                self.open.push(Open { index, at, told: !arguments.is_empty() });
                more(Delta::Call { at, id: said("id"), name: said("name"), arguments });
            }
            _ => {}
        }
    }

    fn delta(&mut self, (index, delta): (u64, Value<'_>), more: &mut impl FnMut(Delta)) {
        let said = |name: &str| string(delta, name).filter(|text| !text.is_empty());
        match string(delta, "type").unwrap_or_default().as_str() {
            "text_delta" => said("text").map(Delta::Text).into_iter().for_each(more),
            "thinking_delta" => said("thinking").map(Delta::Thinking).into_iter().for_each(more),
            "signature_delta" => said("signature").map(Delta::Signature).into_iter().for_each(more),
            "input_json_delta" => {
                // Tools that the vendor runs have arguments too; they are not the caller's.
                let Some(open) = self.open.iter_mut().find(|open| open.index == index) else { return };
                let Some(arguments) = said("partial_json") else { return };
                open.told = true;
                more(Delta::Call { at: open.at, id: None, name: None, arguments });
            }
            _ => {}
        }
    }

    /// A block ends. A call without arguments says nothing of them here, and an empty object everywhere else.
    fn stop(&mut self, index: u64, more: &mut impl FnMut(Delta)) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let open = self.open.swap_remove(at);
        if !open.told {
            more(Delta::Call { at: open.at, id: None, name: None, arguments: "{}".to_owned() });
        }
    }

    fn end(&mut self, root: Value<'_>, events: &mut impl Extend<Event>) {
        if let Some(delta) = member(root, "delta") {
            let refusal = explanation(delta).map(Delta::Refusal);
            events.extend(refusal.map(|delta| Event::More { choice: 0, delta }));
            events.extend(finish(delta).map(|finish| Event::End { choice: 0, finish }));
        }
        self.usage(root, events);
    }
}
