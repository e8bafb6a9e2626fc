//! Every text of a stream through the hold-back.
//!
//! Law: what is held of a channel leaves before the chunk that ends its choice; every other string, name and long number is a whole
//! text, read as in an answer that comes whole. A finding that blocks, or that the policy would not have permitted, ends the stream,
//! and what stood before it has left. Deliberately absent: detecting.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::mask::apply;
use policy_engine::content::{Blocked, Detectors, Masker};
use policy_engine::decision::Actions;
use policy_engine::vocabulary::{Id, Operation};

use super::super::super::again::Again;
use super::super::super::decide::{Permitted, acts, quoted};
use super::super::super::dialect::{self, Beside, Strings};
use super::super::super::inspect::Tally;
use super::super::super::patch::Patches;
use super::super::chunk::{Choice, Chunk};
use super::super::frame::Frame;
use super::channel::Channels;
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Value};
use crate::upstream::error::{Kind as Failure, UpstreamError};

/// Texts outside the channels that are remembered for having nothing in them, and how long they may be: every chunk brings the
/// same few.
const CLEAN: (usize, usize) = (16, 256);

/// Screens one stream.
pub(super) struct Inspector {
    detectors: Arc<Detectors>,
    actions: Arc<Actions>,
    masker: Masker,
    channels: Channels,
    /// Where a new finding may change the decision.
    again: Option<Again>,
    /// The beginning of a chunk of this answer, up to its choices.
    opening: Vec<u8>,
    /// What was found outside choices.
    beside: Tally,
    /// Texts outside the channels, as written, in which nothing was found.
    clean: Vec<Box<[u8]>>,
    /// Text that may leave; kept for its room.
    free: String,
    /// Log probabilities go, since something may have to be masked.
    spells: bool,
    /// A name of a member of the chunk at hand was masked.
    renamed: bool,
    /// Nothing leaves any more.
    over: bool,
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
        let Permitted { entitled, found, permit, masker, .. } = permitted;
        let in_messages = entitled.question.operation == Operation::Chat;
        let again = Again { question: entitled.question, found, runtime, endpoint };
        let again = permit.output_decides.then_some(again);
        let actions =
            again.as_ref().map_or_else(|| permit.output.clone(), |again| again.foresee(&permit.output));
        let actions = Arc::new(actions);
        let spells = acts(&actions) || again.is_some();
        Self {
            channels: Channels::new(detectors.clone(), actions.clone()),
            detectors,
            actions,
            masker,
            again,
            opening: Vec::new(),
            beside: Tally::default(),
            clean: Vec::new(),
            free: String::new(),
            spells,
            renamed: false,
            over: false,
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
        if std::mem::take(&mut self.renamed) && !dialect::is_unambiguous(&written()) {
            return Err(odd(dialect::AMBIGUOUS));
        }
        Ok(())
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
        if self.spells {
            patches.add(logprobs.range(), &b"null"[..]);
        }
    }

    /// Screens a string, a key or a number that is a whole text.
    fn take_alone(&mut self, leaf: Value<'_>, patches: &mut Patches) -> Result<(), Rejection> {
        if self.clean.iter().any(|known| **known == *leaf.raw()) {
            return Ok(());
        }
        let (text, mut findings) = (leaf.as_read(), Vec::new());
        self.detectors.scan(&text, &mut findings);
        if findings.is_empty() && self.clean.len() < CLEAN.0 && leaf.raw().len() <= CLEAN.1 {
            self.clean.push(leaf.raw().into());
        }
        findings.iter().for_each(|finding| self.beside.add(finding.what, 1));
        let masked = apply(&text, &findings, &self.actions, &mut self.masker);
        let masked = masked.map_err(|blocked| self.end(Rejection::blocked(blocked.what.label())))?;
        if masked != text {
            self.renamed |= leaf.kind() == Kind::Key;
            patches.add(leaf.range(), quoted(&masked));
        }
        Ok(())
    }

    /// Ends a channel: what it still holds leaves in a chunk of its own.
    fn finish(&mut self, at: usize, frame: &mut Frame) -> Result<(), Rejection> {
        if self.over {
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
            Some(_) if channel.ended => return Err(self.end(odd("text after the end of its choice"))),
            Some(text) => channel.hold.push(text, &mut self.masker, &mut self.free),
            None if channel.ended => return Ok(()),
            None => {
                channel.ended = true;
                channel.hold.finish(&mut self.masker, &mut self.free)
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
            self.end(rejection)
        })
    }

    /// Where a channel holds a new kind of data: whether the policy still permits the answer.
    fn ask_again(&mut self, at: usize) -> Result<(), Rejection> {
        let (Some(channel), Some(again)) = (self.channels.get(at), &mut self.again) else { return Ok(()) };
        let found = channel.hold.found();
        if found.len() > std::mem::replace(&mut channel.asked, found.len()) {
            again.ask(found.iter().map(|(what, _)| *what))?;
        }
        Ok(())
    }

    /// What is free leaves in a chunk of its own.
    fn let_go(&mut self, at: usize, frame: &mut Frame) {
        let (detectors, actions, masker) = (&self.detectors, &self.actions, &mut self.masker);
        // Whatever may not leave was refused when it came.
        let mut name = |key: &str| {
            let mut findings = Vec::new();
            detectors.scan(key, &mut findings);
            apply(key, &findings, actions, masker).map(Cow::into_owned).unwrap_or_default()
        };
        if let Some(channel) = self.channels.get(at).filter(|_| !self.free.is_empty()) {
            frame.event(|out| {
                out.extend_from_slice(&self.opening);
                channel.write(&self.free, &mut name, out);
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

    /// Nothing is let go any more.
    fn end(&mut self, rejection: Rejection) -> Rejection {
        self.over = true;
        rejection
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

fn odd(what: &'static str) -> Rejection {
    Rejection::upstream(&UpstreamError::caused(Failure::Protocol, what), None)
}
