//! The events of an answer of Cohere's dialect, read.
//!
//! Law: what is read is the data of an event, whose `type` says what it is. The answer is over with `message-end`; one that the vendor could not
//! end says so there. Citations stay with the vendor's own callers.

use super::super::event::{Delta, Event, Start};
use super::super::field::{member, text};
use super::super::{VendorError, VendorFault};
use super::answer::{finish, usage};
use crate::tape::{Kind as Form, Tape, Value};

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    tape: Tape,
    /// The calls so far.
    calls: u64,
    /// Calls that are not yet done, by their index; and whether there are arguments yet.
    open: Vec<(u64, u64, bool)>,
    done: bool,
}

impl Reading {
    /// What an event says. Events of types that are not known say nothing, and nor does what comes after the end.
    ///
    /// # Errors
    /// The vendor broke off, by its word or by an event that can't be read.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        if self.done {
            return Ok(());
        }
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
        let delta = member(root, "delta");
        let message = delta.and_then(|delta| member(delta, "message"));
        let mut more = |delta| events.extend([Event::More { choice: 0, delta }]);
        match (text(root, "type").unwrap_or_default().as_str(), message) {
            ("message-start", _) => {
                let id = text(root, "id").unwrap_or_default();
                events.extend([Event::Start(Start { id, ..Start::default() })]);
            }
            ("content-start" | "content-delta", Some(message)) => {
                if let Some(content) = member(message, "content") {
                    said(content, "thinking").map(Delta::Thinking).into_iter().for_each(&mut more);
                    said(content, "text").map(Delta::Text).into_iter().for_each(more);
                }
            }
            ("tool-plan-delta", Some(message)) => {
                said(message, "tool_plan").map(Delta::Thinking).into_iter().for_each(more);
            }
            ("tool-call-start" | "tool-call-delta", Some(message)) => {
                if let Some(call) = member(message, "tool_calls") {
                    self.call((index, call), &mut more);
                }
            }
            ("tool-call-end", _) => self.stop(index, &mut more),
            ("message-end", _) => self.end(delta.unwrap_or(root), events)?,
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self, (index, call): (u64, Value<'_>), more: &mut impl FnMut(Delta)) {
        let function = member(call, "function");
        let part = |name: &str| function.and_then(|function| said(function, name));
        let arguments = part("arguments").unwrap_or_default();
        let open = self.open.iter_mut().find(|(open, ..)| *open == index);
        match open {
            Some((_, at, told)) => {
                *told |= !arguments.is_empty();
                if !arguments.is_empty() {
                    more(Delta::Call { at: *at, id: None, name: None, arguments });
                }
            }
            None => {
                let at = self.calls;
                self.calls += 1;
                self.open.push((index, at, !arguments.is_empty()));
                more(Delta::Call { at, id: said(call, "id"), name: part("name"), arguments });
            }
        }
    }

    /// A call is whole. One without arguments says nothing of them here, and an empty object everywhere else.
    fn stop(&mut self, index: u64, more: &mut impl FnMut(Delta)) {
        let Some(place) = self.open.iter().position(|(open, ..)| *open == index) else { return };
        let (_, at, told) = self.open.swap_remove(place);
        if !told {
            more(Delta::Call { at, id: None, name: None, arguments: "{}".to_owned() });
        }
    }

    fn end(&mut self, delta: Value<'_>, events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        let reason = text(delta, "finish_reason").unwrap_or_default();
        let Some(finish) = finish(&reason) else {
            let why = text(delta, "error").unwrap_or(reason);
            return Err(VendorError { fault: VendorFault::Other, message: why });
        };
        self.done = true;
        events.extend([Event::End { choice: 0, finish }]);
        events.extend(member(delta, "usage").and_then(usage).map(Event::Usage));
        events.extend([Event::Done]);
        Ok(())
    }
}

fn said(of: Value<'_>, name: &str) -> Option<String> {
    text(of, name).filter(|text| !text.is_empty())
}
