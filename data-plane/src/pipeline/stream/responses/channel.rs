//! The texts of a stream of the Responses API: each is told in pieces, by events of one name about one place.
//!
//! Law: two pieces are of one text exactly if a client would join them: clients go by the kind of an event and by the places of its item,
//! its part and its summary in the response, never by ids. Deliberately absent: knowing which kinds there are.

use bytes::BytesMut;
use policy_engine::content::HoldBack;

use super::super::super::decide::quoted;
use super::super::super::patch::Patches;
use crate::tape::{Kind, Value};

/// Members of an event that are of that event alone, and of no other piece of the text.
const PASSING: [&str; 5] = ["type", "sequence_number", "delta", "logprobs", "obfuscation"];

/// Kinds of events that end whatever is told of their place.
const ENDS: [&str; 3] =
    ["response.content_part.done", "response.reasoning_summary_part.done", "response.output_item.done"];

/// Where in a response something stands, as far as an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    item: Option<u64>,
    part: Option<u64>,
    summary: Option<u64>,
}

/// One text.
pub(super) struct Channel {
    /// The name of its events, without what says that they bring a piece.
    of: Box<str>,
    place: Place,
    /// Members that its events have beside that: each with a comma behind it.
    members: Vec<u8>,
    /// What is held of it.
    pub(super) hold: HoldBack,
    /// Kinds of findings that were asked about.
    pub(super) asked: usize,
    /// It has ended.
    pub(super) ended: bool,
}

impl Place {
    /// Of an event.
    pub(super) fn of(event: Value<'_>) -> Self {
        let at = |name| event.get(name).and_then(|at| at.whole());
        Self { item: at("output_index"), part: at("content_index"), summary: at("summary_index") }
    }

    /// Whether it is in another, which may say less.
    fn is_in(self, other: Self) -> bool {
        let fits = |own: Option<u64>, other: Option<u64>| other.is_none() || own == other;
        fits(self.item, other.item) && fits(self.part, other.part) && fits(self.summary, other.summary)
    }
}

impl Channel {
    /// Begun by an event, which leaves with these changes.
    pub(super) fn begin(
        (of, place): (&str, Place),
        (event, patches): (Value<'_>, &Patches),
        hold: HoldBack,
    ) -> Self {
        let mut members = Vec::new();
        for (key, value) in event.members() {
            let is_own = !PASSING.iter().any(|passing| key.is(passing));
            if is_own && matches!(value.kind(), Kind::String | Kind::Number) {
                for part in [key, value] {
                    let written = patches.at(&part.range()).map_or(part.raw(), |with| &with[..]);
                    members.extend_from_slice(written);
                    members.push(if part.kind() == Kind::Key { b':' } else { b',' });
                }
            }
        }
        Self { of: of.into(), place, members, hold, asked: 0, ended: false }
    }

    /// Whether it is that of events of such a name about such a place.
    pub(super) fn is(&self, of: &str, place: Place) -> bool {
        self.place == place && *self.of == *of
    }

    /// Whether an event says that no more of it comes.
    pub(super) fn is_ended_by(&self, kind: &str, place: Place) -> bool {
        let Some(of) = kind.strip_suffix(".done") else { return false };
        self.place.is_in(place) && (*self.of == *of || ENDS.contains(&kind))
    }

    /// The name of its events.
    pub(super) fn kind(&self) -> String {
        format!("{}.delta", self.of)
    }

    /// Writes an event that brings a piece of it.
    pub(super) fn write(&self, number: u64, text: &str, out: &mut BytesMut) {
        out.extend_from_slice(format!("{{\"type\":\"{}.delta\",", self.of).as_bytes());
        out.extend_from_slice(&self.members);
        out.extend_from_slice(format!("\"sequence_number\":{number},\"delta\":").as_bytes());
        out.extend_from_slice(&quoted(text));
        let spelled: &[u8] = if &*self.of == "response.output_text" { b",\"logprobs\":[]}" } else { b"}" };
        out.extend_from_slice(spelled);
    }
}
