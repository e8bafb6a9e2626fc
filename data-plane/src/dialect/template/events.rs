//! The events of an answer, read by a template's pointers.
//!
//! Law: where the template says how a stream ends, one that ends otherwise broke off; where it does not, the end of the connection's own
//! framing is the end. What comes after the end says nothing, but for what was used.

use std::sync::Arc;

use super::super::answer::{Finish, Usage};
use super::super::event::{Delta, Event, Start};
use super::super::{VendorError, VendorFault};
use super::Plan;
use super::answer::{error, finish, text, tokens};
use crate::tape::{Kind as Form, Tape, Value};

/// What stands in place of JSON at the end of a stream wherever OpenAI's habit is followed.
const DONE: &[u8] = b"[DONE]";

/// Reads the events of one answer.
#[derive(Debug)]
pub(crate) struct Reading {
    plan: Arc<Plan>,
    tape: Tape,
    begun: bool,
    /// Whether the answer ended, and whether all did.
    ended: bool,
    done: bool,
    /// Tokens of input and of output as they were told last.
    used: (Option<u64>, Option<u64>),
}

impl Reading {
    /// Of a stream of this plan's.
    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        Self { plan, tape: Tape::default(), begun: false, ended: false, done: false, used: (None, None) }
    }

    /// What the data of an event says.
    ///
    /// # Errors
    /// The vendor broke off, by what it says or by what can't be read.
    pub(crate) fn take(&mut self, data: &[u8], events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        if self.done {
            return Ok(());
        }
        let plan = Arc::clone(&self.plan);
        let Some(stream) = &plan.template().stream else { return Ok(()) };
        let mark = data.trim_ascii();
        if mark == DONE || !stream.done.is_empty() && mark == stream.done.as_bytes() {
            self.end(events);
            return Ok(());
        }
        let malformed = || VendorError {
            fault: VendorFault::Malformed,
            message: "an event is no JSON, and not the end".to_owned(),
        };
        let mut tape = std::mem::take(&mut self.tape);
        let read = tape.read(data).map_err(|_| malformed());
        let taken = read.and_then(|()| match tape.root(data) {
            Some(root) => self.event(root, &plan, events),
            None => Err(malformed()),
        });
        self.tape = tape;
        taken
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        let plan = Arc::clone(&self.plan);
        let Some(stream) = &plan.template().stream else { return };
        let is_open_ended = stream.told.finish.is_none() && stream.done.is_empty();
        if self.begun && !self.done && (self.ended || is_open_ended) {
            self.end(events);
        }
    }

    fn event(
        &mut self,
        root: Value<'_>,
        plan: &Plan,
        events: &mut impl Extend<Event>,
    ) -> Result<(), VendorError> {
        let template = plan.template();
        let Some(stream) = &template.stream else { return Ok(()) };
        let told = &stream.told;
        if let Some(error) = error(root, told.error.as_ref()) {
            let message =
                if error.kind() == Form::String { error.text().into_owned() } else { String::new() };
            return Err(VendorError { fault: VendorFault::Other, message });
        }
        self.begin(events);
        if !self.ended {
            let more = text(root, &told.text).filter(|text| !text.is_empty());
            events.extend(more.map(|text| Event::More { choice: 0, delta: Delta::Text(text) }));
            let end = told.finish.as_ref().and_then(|end| finish(root, end, &template.told.endings));
            if let Some(finish) = end {
                self.ended = true;
                events.extend([Event::End { choice: 0, finish }]);
            }
        }
        events.extend(self.used(tokens(root, told)).map(Event::Usage));
        Ok(())
    }

    /// What was used so far, once both are known and as often as one is told anew.
    fn used(&mut self, (input, output): (Option<u64>, Option<u64>)) -> Option<Usage> {
        let is_told = input.is_some() || output.is_some();
        self.used = (input.or(self.used.0), output.or(self.used.1));
        let (input, output) = self.used;
        Some(Usage { input: input?, output: output?, ..Usage::default() }).filter(|_| is_told)
    }

    fn begin(&mut self, events: &mut impl Extend<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            events.extend([Event::Start(Start::default())]);
        }
    }

    fn end(&mut self, events: &mut impl Extend<Event>) {
        self.begin(events);
        self.done = true;
        if !std::mem::replace(&mut self.ended, true) {
            events.extend([Event::End { choice: 0, finish: Finish::Stop }]);
        }
        events.extend([Event::Done]);
    }
}
