//! Every text of a stream of the Responses API through the hold-back.
//!
//! Law: what is held of a text leaves before the event that says it is whole, as a piece of its own; the whole texts that events tell again
//! are masked as a whole answer's are, which is the same. A finding that blocks ends the stream, and what stood before it has left. What
//! is told again is not counted again. Deliberately absent: putting together what stands in two parts, which are told one by one.

use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::{Blocked, Detectors};
use policy_engine::vocabulary::Id;

use super::super::super::decide::{Permitted, quoted};
use super::super::super::dialect::responses::{Seen, is_own_number, read};
use super::super::super::inspect::Tally;
use super::super::super::patch::Patches;
use super::super::super::repeated::Repeated;
use super::super::judge::{Judge, odd};
use super::channel::{Channel, Place};
use super::{Out, Says, piece, says};
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Value};

/// More texts than this are an attack.
const MOST: usize = 1024;

/// Screens one stream.
pub(super) struct Inspector {
    judge: Judge,
    channels: Vec<Channel>,
    /// What was found in items once they were whole.
    items: Tally,
    /// What was found in the response once it was.
    whole: Tally,
    /// Text that may leave; kept for its room.
    free: String,
}

impl Inspector {
    /// Screens an answer to a request on its terms.
    pub(super) fn new(
        detectors: Arc<Detectors>,
        permitted: Permitted<'_>,
        runtime: Arc<Runtime>,
        endpoint: Id,
    ) -> Self {
        let judge = Judge::new(detectors, permitted, runtime, endpoint);
        let (items, whole) = (Tally::default(), Tally::default());
        Self { judge, channels: Vec::new(), items, whole, free: String::new() }
    }

    /// Screens an event; gives whether it leaves, or brought nothing but text that is held.
    pub(super) fn take(
        &mut self,
        (kind, root): (&str, Value<'_>),
        repeated: &Repeated,
        patches: &mut Patches,
        out: &mut Out<'_>,
    ) -> Result<bool, Rejection> {
        let (place, piece) = (Place::of(root), piece(kind, root));
        let is_last = says(kind) != Says::More;
        for at in 0..self.channels.len() {
            if self.channels.get(at).is_some_and(|channel| is_last || channel.is_ended_by(kind, place)) {
                self.finish(at, out)?;
            }
        }
        let found = self.take_beside(root, (repeated, piece.is_some()), patches)?;
        match kind {
            "response.output_item.done" => {
                found.0.iter().for_each(|(what, count)| self.items.count(what, *count))
            }
            _ if is_last => self.whole = found,
            _ => {}
        }
        let Some((of, delta)) = piece else { return Ok(true) };
        let at = self.find((of, place), (root, patches))?;
        let text = delta.text();
        self.free.clear();
        self.advance(at, Some(&text), out)?;
        if self.free != *text {
            patches.add(delta.range(), quoted(&self.free));
        }
        Ok(text.is_empty() || !self.free.is_empty())
    }

    /// Refuses an event in which a name was masked, if what is `written` of it can be read in two ways.
    pub(super) fn judge(&mut self, written: impl FnOnce() -> BytesMut) -> Result<(), Rejection> {
        self.judge.judge(written)
    }

    /// Lets go of everything held.
    pub(super) fn flush(&mut self, out: &mut Out<'_>) -> Result<(), Rejection> {
        (0..self.channels.len()).try_for_each(|at| self.finish(at, out))
    }

    /// What was found so far: what is told twice counts once.
    pub(super) fn tally(&self) -> Tally {
        let mut told = Tally::default();
        for (what, count) in self.channels.iter().flat_map(|channel| channel.hold.found()) {
            told.add(*what, *count);
        }
        for (what, count) in self.items.0.iter().chain(&self.whole.0) {
            let known = told.0.iter().find(|(known, _)| known == what).map_or(0, |(_, count)| *count);
            told.count(what, count.saturating_sub(known));
        }
        told
    }

    /// Whatever an event brings beside a piece is a text by itself; gives what was found in it.
    fn take_beside(
        &mut self,
        root: Value<'_>,
        (repeated, is_piece): (&Repeated, bool),
        patches: &mut Patches,
    ) -> Result<Tally, Rejection> {
        let mut found = Tally::default();
        let mut take = |judge: &mut Judge, of, member: (Value<'_>, Value<'_>)| {
            let mut taken = Ok(());
            read(of, member, &mut |seen| match seen {
                _ if taken.is_err() => {}
                Seen::Text(text) => taken = judge.take_alone(text, patches, &mut found),
                Seen::Spelled(logprobs) => judge.drop_spelled(logprobs, "[]", patches),
                Seen::Array(_) => {}
            });
            taken?;
            let (key, value) = member;
            for (label, number) in value.numbers() {
                if !is_own_number(label.or(Some(key)), number) {
                    judge.take_alone(number, patches, &mut found)?;
                }
            }
            Ok(())
        };
        for (key, value) in root.members() {
            if key.is("response") && value.kind() == Kind::Object {
                let others = value.members().filter(|(key, _)| !repeated.has(*key));
                for member in others {
                    take(&mut self.judge, None, member)?;
                }
            } else if !(is_piece && key.is("delta") || key.is("sequence_number")) {
                take(&mut self.judge, root.get("type"), (key, value))?;
            }
        }
        Ok(found)
    }

    /// The text that an event brings a piece of.
    fn find(
        &mut self,
        (of, place): (&str, Place),
        (event, patches): (Value<'_>, &Patches),
    ) -> Result<usize, Rejection> {
        if let Some(at) = self.channels.iter().position(|channel| channel.is(of, place)) {
            return Ok(at);
        }
        if self.channels.len() >= MOST {
            return Err(self.judge.end(odd("too many texts")));
        }
        self.channels.push(Channel::begin((of, place), (event, patches), self.judge.hold()));
        Ok(self.channels.len() - 1)
    }

    /// Ends a text: what is still held of it leaves as a piece of its own.
    fn finish(&mut self, at: usize, out: &mut Out<'_>) -> Result<(), Rejection> {
        if self.judge.is_over() {
            return Ok(());
        }
        self.free.clear();
        self.advance(at, None, out)?;
        self.let_go(at, out);
        Ok(())
    }

    /// Puts a piece into a text, or ends it; what may leave is added to `free`.
    fn advance(&mut self, at: usize, text: Option<&str>, out: &mut Out<'_>) -> Result<(), Rejection> {
        let Some(channel) = self.channels.get_mut(at) else { return Ok(()) };
        let advanced = match text {
            Some("") => return Ok(()),
            Some(_) if channel.ended => return Err(self.judge.end(odd("a piece of a text that was whole"))),
            Some(text) => channel.hold.push(text, &mut self.judge.masker, &mut self.free),
            None if channel.ended => return Ok(()),
            None => {
                channel.ended = true;
                channel.hold.finish(&mut self.judge.masker, &mut self.free)
            }
        };
        let judged = match advanced {
            Ok(()) => self.judge.ask_again(channel.hold.found(), &mut channel.asked),
            Err(Blocked { what }) => {
                self.let_go(at, out);
                Err(Rejection::blocked(what.label()))
            }
        };
        judged.map_err(|rejection| self.judge.end(rejection))
    }

    /// What is free leaves in an event of its own.
    fn let_go(&mut self, at: usize, out: &mut Out<'_>) {
        if let Some(channel) = self.channels.get(at).filter(|_| !self.free.is_empty()) {
            out.event(&channel.kind(), |number, bytes| channel.write(number, &self.free, bytes));
        }
    }
}
