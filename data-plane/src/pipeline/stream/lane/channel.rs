//! The channels of a stream: one text each, told apart by choice and by the place of the string in it.
//!
//! Law: two strings are of one channel exactly if a client would join them. Deliberately absent: knowing which there are; a
//! vendor's new kind of text is a channel like the others.

use std::sync::Arc;

use bytes::BytesMut;
use policy_engine::content::{Detectors, HoldBack};
use policy_engine::decision::Actions;

use super::super::super::tape::text::escape;
use super::super::super::tape::{Kind, Value};

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
    /// Its long numbers, each a text by itself: no client joins numbers.
    pub(super) numbers: Vec<Value<'t>>,
    /// Something beside texts that the caller needs: a role, a name, an id.
    pub(super) structure: bool,
}

/// More channels than this are an attack.
const MOST: usize = 1024;

/// Members whose strings are structure, not text.
const STRUCTURE: [&str; 6] = ["role", "type", "id", "object", "name", "finish_reason"];

impl Channels {
    /// No text yet.
    pub(super) fn new(detectors: Arc<Detectors>, actions: Arc<Actions>) -> Self {
        Self { all: Vec::new(), detectors, actions }
    }

    /// The strings of a choice, each with its channel; `None` where there are more channels than anybody needs.
    pub(super) fn leaves<'t>(&mut self, index: u64, choice: Value<'t>) -> Option<Leaves<'t>> {
        let mut walk = Walk { channels: self, choice: index, path: Vec::new(), found: Leaves::default() };
        for (key, value) in choice.members().filter(|(key, _)| !key.is("logprobs") && !key.is("index")) {
            walk.member(key, value)?;
            walk.found.numbers.extend(value.numbers().map(|(_, number)| number));
        }
        Some(walk.found)
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

    fn find(&mut self, choice: u64, path: &[Passing<'_>]) -> Option<usize> {
        let same = |channel: &Channel| channel.choice == choice && channel.is_at(path);
        if let Some(at) = self.all.iter().position(same) {
            return Some(at);
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
        (self.all.len() <= MOST).then(|| self.all.len() - 1)
    }
}

struct Walk<'w, 't> {
    channels: &'w mut Channels,
    choice: u64,
    path: Vec<Passing<'t>>,
    found: Leaves<'t>,
}

impl<'t> Walk<'_, 't> {
    fn member(&mut self, key: Value<'t>, value: Value<'t>) -> Option<()> {
        if STRUCTURE.iter().any(|known| key.is(known)) && value.kind() == Kind::String {
            self.found.structure = true;
            return Some(());
        }
        self.path.push(Passing::Key(key));
        self.value(value)?;
        self.path.pop();
        Some(())
    }

    fn value(&mut self, value: Value<'t>) -> Option<()> {
        match value.kind() {
            Kind::String => {
                let channel = self.channels.find(self.choice, &self.path)?;
                self.found.texts.push(Leaf { value, channel });
            }
            Kind::Object => {
                for (key, member) in value.members() {
                    self.member(key, member)?;
                }
            }
            Kind::Array => {
                for (at, element) in value.elements().enumerate() {
                    let index = element.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
                    self.path.push(Passing::Index(index));
                    self.value(element)?;
                    self.path.pop();
                }
            }
            _ => {}
        }
        Some(())
    }
}

impl Channel {
    fn is_at(&self, path: &[Passing<'_>]) -> bool {
        let same = |(mine, theirs): (&Step, &Passing<'_>)| match (mine, theirs) {
            (Step::Key(mine), Passing::Key(theirs)) => theirs.is(mine),
            (Step::Index(mine), Passing::Index(theirs)) => mine == theirs,
            _ => false,
        };
        self.path.len() == path.len() && self.path.iter().zip(path).all(same)
    }

    /// Writes a choice that brings `text` to this channel and nothing else.
    pub(super) fn write(&self, text: &str, out: &mut BytesMut) {
        out.extend_from_slice(format!("{{\"index\":{}", self.choice).as_bytes());
        members(&self.path, text, out);
        out.extend_from_slice(b",\"finish_reason\":null}");
    }
}

/// Goes on with an object: a comma, the member that the first step names, and what is within it.
fn members(path: &[Step], text: &str, out: &mut BytesMut) {
    if let Some((Step::Key(key), rest)) = path.split_first() {
        out.extend_from_slice(b",");
        string(key, out);
        out.extend_from_slice(b":");
        value(rest, text, out);
    }
}

fn value(path: &[Step], text: &str, out: &mut BytesMut) {
    match path.split_first() {
        None => string(text, out),
        Some((Step::Key(key), rest)) => {
            out.extend_from_slice(b"{");
            string(key, out);
            out.extend_from_slice(b":");
            value(rest, text, out);
            out.extend_from_slice(b"}");
        }
        Some((Step::Index(index), rest)) if matches!(rest.first(), Some(Step::Key(_))) => {
            out.extend_from_slice(format!("[{{\"index\":{index}").as_bytes());
            members(rest, text, out);
            out.extend_from_slice(b"}]");
        }
        Some((Step::Index(_), rest)) => {
            out.extend_from_slice(b"[");
            value(rest, text, out);
            out.extend_from_slice(b"]");
        }
    }
}

fn string(text: &str, out: &mut BytesMut) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    escape(text, &mut quoted);
    quoted.push(b'"');
    out.extend_from_slice(&quoted);
}
