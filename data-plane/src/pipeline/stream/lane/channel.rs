//! The channels of a stream: one text each, told apart by choice and by the place of the string in it.
//!
//! Law: two strings are of one channel exactly if a client would join them; the text parts of a `content` are joined like a plain
//! one. Structure and names of members are of none: each is a whole text. Deliberately absent: knowing which channels there are; a
//! vendor's new kind of text is a channel like the others.

use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::{Detectors, HoldBack};
use policy_engine::decision::Actions;

use super::super::super::decide::quoted;
use super::super::super::dialect::{is_own_name, is_own_word, is_structure, place};
use crate::tape::{Kind, Value};

/// A step from a choice to a string in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into the member of an object.
    Key(Box<str>),
    /// Into an element of an array: its `index`, or its position.
    Index(u64),
}

/// A step while its chunk is at hand.
#[derive(Clone, Copy)]
enum Passing<'t> {
    Key(Value<'t>),
    Index(u64),
}

/// One text.
pub(super) struct Channel {
    /// Its choice.
    pub(super) choice: u64,
    path: Box<[Step]>,
    /// What is held of it.
    pub(super) hold: HoldBack,
    /// Kinds of findings that were asked about.
    pub(super) asked: usize,
    /// Its choice has ended.
    pub(super) ended: bool,
}

/// The texts of a stream.
pub(super) struct Channels {
    all: Vec<Channel>,
    detectors: Arc<Detectors>,
    actions: Arc<Actions>,
}

/// A string of a chunk, and the channel it belongs to.
pub(super) struct Leaf<'t> {
    /// The string.
    pub(super) value: Value<'t>,
    /// Its channel's place.
    pub(super) channel: usize,
}

/// What a choice of a chunk holds.
#[derive(Default)]
pub(super) struct Leaves<'t> {
    /// Its texts.
    pub(super) texts: Vec<Leaf<'t>>,
    /// Its structure, names of members and long numbers, each a text by itself: no client joins those.
    pub(super) alone: Vec<Value<'t>>,
    /// Its log probabilities.
    pub(super) logprobs: Vec<Value<'t>>,
    /// Something beside texts that the caller needs: a role, a name, an id, a number.
    pub(super) structure: bool,
}

/// More channels than this are an attack.
const MOST: usize = 1024;

/// What is wrong with a place that is none.
const NO_PLACE: &str = "an index is out of bounds";

impl Channels {
    /// No text yet.
    pub(super) fn new(detectors: Arc<Detectors>, actions: Arc<Actions>) -> Self {
        Self { all: Vec::new(), detectors, actions }
    }

    /// The strings of a choice, each with its channel.
    ///
    /// # Errors
    /// With what is wrong: more channels than anybody needs, or a place that the protocol has not.
    pub(super) fn leaves<'t>(&mut self, index: u64, choice: Value<'t>) -> Result<Leaves<'t>, &'static str> {
        let mut walk = Walk { channels: self, choice: index, path: Vec::new(), found: Leaves::default() };
        for (key, value) in choice.members() {
            if key.is("index") {
                if value.kind() != Kind::Null {
                    place(value).ok_or(NO_PLACE)?;
                }
                continue;
            }
            walk.member(key, value)?;
            if !key.is("logprobs") {
                walk.numbers(value);
            }
        }
        Ok(walk.found)
    }

    /// A channel.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Channel> {
        self.all.get_mut(at)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.all.iter()
    }

    /// All of them, with their places.
    pub(super) fn places(&self) -> std::ops::Range<usize> {
        0..self.all.len()
    }

    fn find(&mut self, choice: u64, path: &[Passing<'_>]) -> Result<usize, &'static str> {
        let same = |channel: &Channel| channel.choice == choice && channel.is_at(path);
        if let Some(at) = self.all.iter().position(same) {
            return Ok(at);
        }
        let step = |step: &Passing<'_>| match step {
            Passing::Key(key) => Step::Key(key.text().into()),
            Passing::Index(index) => Step::Index(*index),
        };
        let hold = HoldBack::new(self.detectors.clone(), self.actions.clone());
        self.all.push(Channel {
            choice,
            path: path.iter().map(step).collect(),
            hold,
            asked: 0,
            ended: false,
        });
        if self.all.len() > MOST { Err("too many kinds of text") } else { Ok(self.all.len() - 1) }
    }
}

struct Walk<'w, 't> {
    channels: &'w mut Channels,
    choice: u64,
    path: Vec<Passing<'t>>,
    found: Leaves<'t>,
}

impl<'t> Walk<'_, 't> {
    fn member(&mut self, key: Value<'t>, value: Value<'t>) -> Result<(), &'static str> {
        if !is_own_name(key.inner_bytes()) {
            self.found.alone.push(key);
        }
        if key.is("logprobs") {
            if value.kind() != Kind::Null {
                self.found.logprobs.push(value);
            }
            return Ok(());
        }
        if value.kind() == Kind::String && is_structure(key) {
            self.found.structure = true;
            if !is_own_word(value) {
                self.found.alone.push(value);
            }
            return Ok(());
        }
        self.path.push(Passing::Key(key));
        self.value(value)?;
        self.path.pop();
        Ok(())
    }

    fn value(&mut self, value: Value<'t>) -> Result<(), &'static str> {
        match value.kind() {
            Kind::String => self.text(value),
            Kind::Object => value.members().try_for_each(|(key, member)| self.member(key, member)),
            Kind::Array => {
                let at = self.content_depth();
                value.elements().enumerate().try_for_each(|(place, element)| match at {
                    None => self.element(element, element_place(element, place as u64)?),
                    Some(depth) => self.part(element, place as u64, depth),
                })
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, value: Value<'t>) -> Result<(), &'static str> {
        let channel = self.channels.find(self.choice, &self.path)?;
        self.found.texts.push(Leaf { value, channel });
        Ok(())
    }

    fn element(&mut self, element: Value<'t>, place: u64) -> Result<(), &'static str> {
        self.path.push(Passing::Index(place));
        self.value(element)?;
        self.path.pop();
        Ok(())
    }

    /// How many steps within the `content` of a delta the walk is, if it is in one.
    fn content_depth(&self) -> Option<usize> {
        let in_content = matches!(self.path.get(1), Some(Passing::Key(key)) if key.is("content"));
        in_content.then(|| self.path.len() - 2)
    }

    /// An element of a content: its texts are of the channel that a plain content has, those deeper in of one of their own.
    fn part(&mut self, part: Value<'t>, place: u64, depth: usize) -> Result<(), &'static str> {
        let place = element_place(part, place)?;
        let is_text = |(key, value): &(Value<'t>, Value<'t>)| {
            value.kind() == Kind::String && (key.is("text") || key.is("refusal"))
        };
        let says = part.members().any(|member| is_text(&member));
        if depth > 0 {
            return self.element(part, if says { 0 } else { place });
        }
        if part.kind() == Kind::String {
            return self.text(part);
        }
        part.members().filter(is_text).try_for_each(|(_, text)| self.text(text))?;
        self.path.push(Passing::Index(if says { 0 } else { place }));
        match part.kind() {
            Kind::Object => part
                .members()
                .filter(|member| !is_text(member))
                .try_for_each(|(key, member)| self.member(key, member))?,
            _ => self.value(part)?,
        }
        self.path.pop();
        Ok(())
    }

    fn numbers(&mut self, value: Value<'t>) {
        let before = self.found.alone.len();
        self.found.alone.extend(value.numbers().map(|(_, number)| number));
        self.found.structure |= self.found.alone.len() > before;
    }
}

/// The place of an element: its `index`, or else its position.
fn element_place(element: Value<'_>, position: u64) -> Result<u64, &'static str> {
    match element.get("index") {
        Some(index) if index.kind() == Kind::Number => place(index).ok_or(NO_PLACE),
        _ => Ok(position),
    }
}

/// How a name of a member leaves.
pub(super) type Naming<'n> = &'n mut dyn FnMut(&str) -> String;

impl Channel {
    fn is_at(&self, path: &[Passing<'_>]) -> bool {
        let same = |(mine, theirs): (&Step, &Passing<'_>)| match (mine, theirs) {
            (Step::Key(mine), Passing::Key(theirs)) => theirs.is(mine),
            (Step::Index(mine), Passing::Index(theirs)) => mine == theirs,
            _ => false,
        };
        self.path.len() == path.len() && self.path.iter().zip(path).all(same)
    }

    /// Writes a choice that brings `text` to this channel and nothing else; names that are not the dialect's as `name` has them.
    pub(super) fn write(&self, text: &str, name: Naming<'_>, out: &mut BytesMut) {
        out.extend_from_slice(format!("{{\"index\":{}", self.choice).as_bytes());
        members(&self.path, text, name, out);
        out.extend_from_slice(b",\"finish_reason\":null}");
    }
}

/// Goes on with an object: a comma, the member that the first step names, and what is within it.
fn members(path: &[Step], text: &str, name: Naming<'_>, out: &mut BytesMut) {
    if let Some((Step::Key(key), rest)) = path.split_first() {
        out.extend_from_slice(b",");
        key_of(key, name, out);
        value(rest, text, name, out);
    }
}

fn value(path: &[Step], text: &str, name: Naming<'_>, out: &mut BytesMut) {
    match path.split_first() {
        None => out.extend_from_slice(&quoted(text)),
        Some((Step::Key(key), rest)) => {
            out.extend_from_slice(b"{");
            key_of(key, name, out);
            value(rest, text, name, out);
            out.extend_from_slice(b"}");
        }
        Some((Step::Index(index), rest)) if matches!(rest.first(), Some(Step::Key(_))) => {
            out.extend_from_slice(format!("[{{\"index\":{index}").as_bytes());
            members(rest, text, name, out);
            out.extend_from_slice(b"}]");
        }
        Some((Step::Index(_), rest)) => {
            out.extend_from_slice(b"[");
            value(rest, text, name, out);
            out.extend_from_slice(b"]");
        }
    }
}

fn key_of(key: &str, name: Naming<'_>, out: &mut BytesMut) {
    let key = if is_own_name(key.as_bytes()) { quoted(key) } else { quoted(&name(key)) };
    out.extend_from_slice(&key);
    out.extend_from_slice(b":");
}
