//! An answer as it is written.
//!
//! Law: it is whole once every choice that began has its finish and nothing more comes; else it broke off. What is said of a choice after its
//! finish, and a second start, are malformed.

use proto::inference::chat_stream_event::Event as Step;
use proto::inference::stream_delta::Delta as More;
use proto::inference::{ChatStreamEvent, StreamDelta, StreamStart};

use super::super::answer::Finish;
use super::super::event::{Delta, Event, Start};
use super::super::{VendorError, VendorFault};
use super::answer::finish;
use super::usage;

/// The most choices of one answer, as many as can be asked for.
const CHOICES: u32 = 128;

/// Reads the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    begun: bool,
    /// Choices that began and have no finish, and those that have; each a bit.
    open: u128,
    ended: u128,
}

impl Reading {
    /// What an event says; one of a kind that is not known says nothing.
    ///
    /// # Errors
    /// It is none that may come here.
    pub(crate) fn take(
        &mut self,
        event: ChatStreamEvent,
        events: &mut impl Extend<Event>,
    ) -> Result<(), VendorError> {
        match event.event {
            Some(Step::Start(_)) if self.begun => return Err(malformed("a second start")),
            Some(Step::Start(start)) => self.begin(start, events),
            Some(Step::Delta(StreamDelta { index, delta })) => {
                self.begin(StreamStart::default(), events);
                self.open |= self.bit(index)?;
                let more = delta.map(|delta| Event::More { choice: index.into(), delta: read(delta) });
                events.extend(more);
            }
            Some(Step::Finish(told)) => {
                self.begin(StreamStart::default(), events);
                let bit = self.bit(told.index)?;
                (self.open, self.ended) = (self.open & !bit, self.ended | bit);
                let finish = finish(told.reason).unwrap_or(Finish::Stop);
                events.extend([Event::End { choice: told.index.into(), finish }]);
            }
            Some(Step::Usage(told)) => {
                self.begin(StreamStart::default(), events);
                events.extend([Event::Usage(usage(&told))]);
            }
            None => {}
        }
        Ok(())
    }

    /// Nothing more comes, and that is well as far as the call goes.
    ///
    /// # Errors
    /// The answer has not come to its end.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) -> Result<(), VendorError> {
        if self.ended == 0 || self.open != 0 {
            let message = "the stream ended before each of its choices had its finish".to_owned();
            return Err(VendorError { fault: VendorFault::Other, message });
        }
        events.extend([Event::Done]);
        Ok(())
    }

    /// The bit of a choice that has not ended.
    fn bit(&self, index: u32) -> Result<u128, VendorError> {
        let bit = if index < CHOICES { 1_u128 << index } else { return Err(malformed("too many choices")) };
        if self.ended & bit == 0 { Ok(bit) } else { Err(malformed("more of a choice that ended")) }
    }

    fn begin(&mut self, start: StreamStart, events: &mut impl Extend<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            let created = start.create_time.and_then(|at| u64::try_from(at.seconds).ok());
            // The caller asked for another name of the model.
            events.extend([Event::Start(Start { id: start.id, model: String::new(), created })]);
        }
    }
}

fn read(delta: More) -> Delta {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    match delta {
        More::Text(text) => Delta::Text(text),
        More::Reasoning(text) => Delta::Thinking(text),
        More::Refusal(text) => Delta::Refusal(text),
        More::ToolCall(call) => Delta::Call {
            at: call.index.into(),
            id: said(call.id),
            name: said(call.name),
            arguments: call.arguments,
        },
    }
}

fn malformed(what: &str) -> VendorError {
    VendorError { fault: VendorFault::Malformed, message: what.to_owned() }
}
