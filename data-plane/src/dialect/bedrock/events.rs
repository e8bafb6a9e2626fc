//! The events of an answer of Bedrock's dialect, read.
//!
//! Law: what is read is an object with one member, the event's type, as AWS's own libraries show a frame. The answer is over with its
//! `metadata`, which comes last, or, if none comes, with the end of the stream after its `messageStop`. A stream that ends before that broke off.

use super::super::chat::Raw;
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
    /// Calls that are not yet done, by the index of their block; and whether there are arguments yet.
    open: Vec<(u64, u64, bool)>,
    /// Whether the message ended, and whether all did.
    stopped: bool,
    done: bool,
}

impl Reading {
    /// What an event says. Events of types that are not known say nothing.
    ///
    /// # Errors
    /// The vendor broke off, by an exception or by an event that can't be read.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        let malformed = || VendorError {
            fault: VendorFault::Malformed,
            message: "an event is none of the dialect".to_owned(),
        };
        let mut tape = std::mem::take(&mut self.tape);
        let read = tape.read(data).map_err(|_| malformed());
        let taken = read.and_then(|()| {
            let root = tape.root(data).filter(|root| root.kind() == Form::Object).ok_or_else(malformed)?;
            let event = root.members().next().map(|(key, value)| (key.text().into_owned(), value));
            event.map_or(Ok(()), |(of, event)| self.event((&of, event), events))
        });
        self.tape = tape;
        taken
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        if self.stopped && !std::mem::replace(&mut self.done, true) {
            events.extend([Event::Done]);
        }
    }

    fn event(
        &mut self,
        (of, event): (&str, Value<'_>),
        events: &mut impl Extend<Event>,
    ) -> Result<(), VendorError> {
        let index = event.get("contentBlockIndex").and_then(|index| index.whole()).unwrap_or(0);
        let mut more = |delta| events.extend([Event::More { choice: 0, delta }]);
        match of {
            "messageStart" => events.extend([Event::Start(Start::default())]),
            "contentBlockStart" => {
                if let Some(call) = member(event, "start").and_then(|start| member(start, "toolUse")) {
                    let at = self.calls;
                    self.calls += 1;
                    self.open.push((index, at, false));
                    let [id, name] = ["toolUseId", "name"].map(|name| text(call, name));
                    more(Delta::Call { at, id, name, arguments: String::new() });
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = member(event, "delta") {
                    self.delta((index, delta), &mut more);
                }
            }
            "contentBlockStop" => self.stop(index, &mut more),
            "messageStop" => {
                self.stopped = true;
                let why = text(event, "stopReason").unwrap_or_default();
                let why = finish(&why).ok_or_else(|| broken_off(&why, event))?;
                events.extend([Event::End { choice: 0, finish: why }]);
            }
            "metadata" => {
                events.extend(member(event, "usage").map(usage).map(Event::Usage));
                self.finish(events);
            }
            of if of == "error" || of.ends_with("Exception") => return Err(broken_off(of, event)),
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, (index, delta): (u64, Value<'_>), more: &mut impl FnMut(Delta)) {
        let said = |of: Value<'_>, name: &str| text(of, name).filter(|text| !text.is_empty());
        said(delta, "text").map(Delta::Text).into_iter().for_each(&mut *more);
        if let Some(thought) = member(delta, "reasoningContent") {
            said(thought, "text").map(Delta::Thinking).into_iter().for_each(&mut *more);
            said(thought, "signature").map(Delta::Signature).into_iter().for_each(&mut *more);
            said(thought, "redactedContent").map(Delta::Redacted).into_iter().for_each(&mut *more);
        }
        let input = member(delta, "toolUse").and_then(|call| said(call, "input"));
        let open = self.open.iter_mut().find(|(open, ..)| *open == index);
        if let (Some(arguments), Some((_, at, told))) = (input, open) {
            *told = true;
            more(Delta::Call { at: *at, id: None, name: None, arguments });
        }
    }

    /// A block ends. A call without arguments says nothing of them here, and an empty object everywhere else.
    fn stop(&mut self, index: u64, more: &mut impl FnMut(Delta)) {
        let Some(place) = self.open.iter().position(|(open, ..)| *open == index) else { return };
        let (_, at, told) = self.open.swap_remove(place);
        if !told {
            more(Delta::Call { at, id: None, name: None, arguments: "{}".to_owned() });
        }
    }
}

/// Why a vendor broke off: by an exception of its own, or of its transport.
fn broken_off(of: &str, event: Value<'_>) -> VendorError {
    let fault = match of {
        "throttlingException" | "serviceUnavailableException" => VendorFault::Overloaded,
        _ => VendorFault::Other,
    };
    let said: Raw = text(event, "message").unwrap_or_default().into();
    VendorError { fault, message: format!("{of}: {said}") }
}
