//! Every text of a stream through the hold-back.
//!
//! Law: what is held of a channel leaves before the chunk that ends its choice; every other string, name and long number is a whole
//! text, read as in an answer that comes whole. A finding that blocks, or that the policy would not have permitted, ends the stream,
//! and what stood before it has left. Deliberately absent: detecting.

use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::{Blocked, Detectors};
use policy_engine::vocabulary::{Id, Operation};

use super::super::super::decide::{Permitted, quoted};
use super::super::super::dialect::{self, Beside, Strings};
use super::super::super::inspect::Tally;
use super::super::super::patch::Patches;
use super::super::chunk::{Choice, Chunk};
use super::super::frame::Frame;
use super::super::judge::{Judge, odd};
use super::channel::Channels;
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Value};

/// Screens one stream.
pub(super) struct Inspector {
    judge: Judge,
    channels: Channels,
    /// The beginning of a chunk of this answer, up to its choices.
    opening: Vec<u8>,
    /// What was found outside choices.
    beside: Tally,
    /// Text that may leave; kept for its room.
    free: String,
    /// What is said stands in messages, and not as a text by itself.
    in_messages: bool,
}

/// What becomes of a chunk.
pub(super) enum Verdict {
    /// It leaves, with its patches.
    Leaves,
    /// It brought nothing but text that is held.
    Held,
}

impl Inspector {
    /// Screens an answer to a request on its terms.
    pub(super) fn new(
        detectors: Arc<Detectors>,
        permitted: Permitted<'_>,
        runtime: Arc<Runtime>,
        endpoint: Id,
    ) -> Self {
        let in_messages = permitted.entitled.question.operation == Operation::Chat;
        let judge = Judge::new(detectors, permitted, runtime, endpoint);
        let (detectors, actions) = judge.terms();
        Self {
            channels: Channels::new(detectors, actions),
            judge,
            opening: Vec::new(),
            beside: Tally::default(),
            free: String::new(),
            in_messages,
        }
    }

    /// Screens a chunk: gives what becomes of it and the bytes of text it brought.
    pub(super) fn take(
        &mut self,
        chunk: &Chunk<'_>,
        patches: &mut Patches,
        frame: &mut Frame,
    ) -> Result<(Verdict, usize), Rejection> {
        self.take_beside(chunk, patches)?;
        if self.opening.is_empty() {
            self.open(chunk, patches);
        }
        let (mut produced, mut brought) = (0, chunk.choices.is_empty());
        for choice in &chunk.choices {
            let (text, leaves) = self.take_choice(choice, patches, frame)?;
            produced += text;
            brought |= leaves;
        }
        Ok((if brought { Verdict::Leaves } else { Verdict::Held }, produced))
    }

    /// Refuses a chunk in which a name was masked, if what is `written` of it can be read in two ways.
    pub(super) fn judge(&mut self, written: impl FnOnce() -> BytesMut) -> Result<(), Rejection> {
        self.judge.judge(written)
    }

    /// Lets go of everything held.
    pub(super) fn flush(&mut self, frame: &mut Frame) -> Result<(), Rejection> {
        self.channels.places().try_for_each(|at| self.finish(at, frame))
    }

    /// What was found so far.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.beside.clone();
        for (what, count) in self.channels.iter().flat_map(|channel| channel.hold.found()) {
            tally.add(*what, *count);
        }
        tally
    }

    /// Screens a choice: the bytes of text it brought, and whether anything of it has to leave.
    fn take_choice(
        &mut self,
        choice: &Choice<'_>,
        patches: &mut Patches,
        frame: &mut Frame,
    ) -> Result<(usize, bool), Rejection> {
        let leaves = self.channels.leaves(choice.index, choice.value).map_err(odd)?;
        leaves.logprobs.iter().for_each(|logprobs| self.drop_spelled(*logprobs, patches));
        leaves.alone.iter().try_for_each(|alone| self.take_alone(*alone, patches))?;
        let (mut produced, mut leave) = (0, leaves.structure || choice.ends || leaves.texts.is_empty());
        for (place, leaf) in leaves.texts.iter().enumerate() {
            let text = leaf.value.text();
            produced += text.len();
            self.free.clear();
            self.advance(leaf.channel, Some(&text), frame)?;
            let last = || leaves.texts.iter().skip(place + 1).all(|later| later.channel != leaf.channel);
            if choice.ends && last() {
                self.advance(leaf.channel, None, frame)?;
            }
            if self.free != *text {
                patches.add(leaf.value.range(), quoted(&self.free));
            }
            leave |= text.is_empty() || !self.free.is_empty();
        }
        let ended = self.channels.places().filter(|_| choice.ends);
        for at in ended {
            if self.channels.get(at).is_some_and(|channel| channel.choice == choice.index) {
                self.finish(at, frame)?;
            }
        }
        Ok((produced, leave))
    }

    /// What the vendor wrote beside the choices has no order that a client would join, so each string is a whole text; so is each
    /// long number, but for those of the dialect's own.
    fn take_beside(&mut self, chunk: &Chunk<'_>, patches: &mut Patches) -> Result<(), Rejection> {
        for (key, value) in chunk.root.members() {
            if key.is("choices") {
                are_choices(value, &chunk.choices)?;
                continue;
            }
            let mut taken = Ok(());
            dialect::beside((key, value), Strings::All, &mut |beside| match beside {
                _ if taken.is_err() => {}
                Beside::Text(text) => taken = self.take_alone(text, patches),
                Beside::LogProbabilities(logprobs) => self.drop_spelled(logprobs, patches),
            });
            taken?;
            for (label, number) in value.numbers() {
                if !dialect::is_own_number(key, label, number) {
                    self.take_alone(number, patches)?;
                }
            }
        }
        Ok(())
    }

    fn drop_spelled(&self, logprobs: Value<'_>, patches: &mut Patches) {
        self.judge.drop_spelled(logprobs, "null", patches);
    }

    fn take_alone(&mut self, leaf: Value<'_>, patches: &mut Patches) -> Result<(), Rejection> {
        self.judge.take_alone(leaf, patches, &mut self.beside)
    }

    /// Ends a channel: what it still holds leaves in a chunk of its own.
    fn finish(&mut self, at: usize, frame: &mut Frame) -> Result<(), Rejection> {
        if self.judge.is_over() {
            return Ok(());
        }
        self.free.clear();
        self.advance(at, None, frame)?;
        self.let_go(at, frame);
        Ok(())
    }

    /// Puts text into a channel, or ends it; what may leave is added to `free`.
    fn advance(&mut self, at: usize, text: Option<&str>, frame: &mut Frame) -> Result<(), Rejection> {
        let Some(channel) = self.channels.get(at) else { return Ok(()) };
        let advanced = match text {
            Some("") => return Ok(()),
            Some(_) if channel.ended => return Err(self.judge.end(odd("text after the end of its choice"))),
            Some(text) => channel.hold.push(text, &mut self.judge.masker, &mut self.free),
            None if channel.ended => return Ok(()),
            None => {
                channel.ended = true;
                channel.hold.finish(&mut self.judge.masker, &mut self.free)
            }
        };
        let judged = match advanced {
            Ok(()) => self.ask_again(at),
            Err(Blocked { what }) => {
                self.let_go(at, frame);
                Err(Rejection::blocked(what.label()))
            }
        };
        judged.map_err(|rejection| {
            self.filtered(at, frame);
            self.judge.end(rejection)
        })
    }

    /// Where a channel holds a new kind of data: whether the policy still permits the answer.
    fn ask_again(&mut self, at: usize) -> Result<(), Rejection> {
        let Some(channel) = self.channels.get(at) else { return Ok(()) };
        self.judge.ask_again(channel.hold.found(), &mut channel.asked)
    }

    /// What is free leaves in a chunk of its own.
    fn let_go(&mut self, at: usize, frame: &mut Frame) {
        let judge = &mut self.judge;
        if let Some(channel) = self.channels.get(at).filter(|_| !self.free.is_empty()) {
            frame.event(|out| {
                out.extend_from_slice(&self.opening);
                channel.write(&self.free, &mut |key| judge.name(key), out);
                out.extend_from_slice(b"]}");
            });
        }
    }

    /// The choice of a channel ends, filtered.
    fn filtered(&mut self, at: usize, frame: &mut Frame) {
        if let Some(channel) = self.channels.get(at) {
            let said = if self.in_messages { "\"delta\":{}" } else { "\"text\":\"\"" };
            let choice =
                format!("{{\"index\":{},{said},\"finish_reason\":\"content_filter\"}}]}}", channel.choice);
            frame.event(|out| {
                out.extend_from_slice(&self.opening);
                out.extend_from_slice(choice.as_bytes());
            });
        }
    }

    /// Remembers how chunks of this answer begin, as they leave.
    fn open(&mut self, chunk: &Chunk<'_>, patches: &Patches) {
        self.opening.push(b'{');
        for name in ["id", "object", "created", "model"] {
            if let Some(value) = chunk.root.get(name) {
                self.opening.extend_from_slice(format!("\"{name}\":").as_bytes());
                let written = patches.at(&value.range()).map_or(value.raw(), |with| &with[..]);
                self.opening.extend_from_slice(written);
                self.opening.push(b',');
            }
        }
        self.opening.extend_from_slice(b"\"choices\":[");
    }
}

/// Whether all that stands as choices was read as such.
fn are_choices(value: Value<'_>, choices: &[Choice<'_>]) -> Result<(), Rejection> {
    let all =
        value.len() == choices.len() && choices.iter().all(|choice| choice.value.kind() == Kind::Object);
    let are = value.kind() == Kind::Null || value.kind() == Kind::Array && all;
    if are { Ok(()) } else { Err(odd("the choices are none")) }
}
