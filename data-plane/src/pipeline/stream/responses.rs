//! The events of the Responses API, on their way.
//!
//! Law: an event leaves as it came but for what is masked in it, what it repeats of the request and its number: numbers have no gap,
//! whatever was held or said beside. Events that nobody here knows leave too, and every string of theirs is read. Deliberately absent:
//! reading bytes from anywhere, and the form of an error.

mod channel;
mod inspector;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use policy_engine::content::Detectors;
use policy_engine::vocabulary::Id;

use super::super::decide::Permitted;
use super::super::dialect::responses::produced_by;
use super::super::inspect::Tally;
use super::super::patch::Patches;
use super::super::repeated::Repeated;
use super::super::usage::Produced;
use super::frame::Frame;
use super::judge::odd;
use super::lane::one_line;
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Tape, Value};
use crate::upstream::sse::Event;
use inspector::Inspector;

/// The longest name of an event, in bytes.
const NAME: usize = 64;

/// The lane of one stream.
pub(super) struct Lane {
    repeated: Box<Repeated>,
    inspector: Option<Box<Inspector>>,
    patches: Patches,
    /// Events that have left, or are in the frame: the number of the next.
    number: u64,
    /// The same of those that have left.
    left: u64,
    /// The response as it began.
    opening: Bytes,
}

/// Where events leave, and the number of the next.
pub(super) struct Out<'f> {
    frame: &'f mut Frame,
    number: &'f mut u64,
}

impl Out<'_> {
    /// An event of our own leaves: `write` is given its number.
    fn event(&mut self, name: &str, write: impl FnOnce(u64, &mut BytesMut)) {
        let number = *self.number;
        self.frame.named(name, |out| write(number, out));
        *self.number = number.saturating_add(1);
    }
}

/// What an event is to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// More follows.
    More,
    /// It is the last: the response is whole, or as much of it as there will be.
    Done,
    /// The vendor failed.
    Failed,
}

impl Lane {
    /// Nothing can apply.
    pub(super) fn fast(repeated: Box<Repeated>) -> Self {
        let (patches, opening) = (Patches::default(), Bytes::new());
        Self { repeated, inspector: None, patches, number: 0, left: 0, opening }
    }

    /// Every text passes the detectors.
    pub(super) fn inspected(
        repeated: Box<Repeated>,
        detectors: Arc<Detectors>,
        permitted: Permitted<'_>,
        (runtime, endpoint): (&Arc<Runtime>, &Id),
    ) -> Self {
        let inspector = Inspector::new(detectors, permitted, runtime.clone(), endpoint.clone());
        Self { inspector: Some(Box::new(inspector)), ..Self::fast(repeated) }
    }

    /// Lets an event go on, as far as it may. Gives what text it brought.
    ///
    /// # Errors
    /// When the stream must end; what may leave before that is in the frame.
    pub(super) fn take(
        &mut self,
        (kind, root): (&str, Value<'_>),
        (event, data): (&Event, &Bytes),
        frame: &mut Frame,
    ) -> Result<Produced, Rejection> {
        self.patches.clear();
        let response = root.get("response").filter(|response| response.kind() == Kind::Object);
        if let Some(response) = response {
            self.repeated.patch(response, &mut self.patches);
        }
        let leaves = match &mut self.inspector {
            None => true,
            Some(inspector) => {
                let out = &mut Out { frame, number: &mut self.number };
                let leaves = inspector.take((kind, root), &self.repeated, &mut self.patches, out)?;
                inspector.judge(|| written(&self.patches, data))?;
                leaves
            }
        };
        if leaves {
            if response.is_some() && self.opening.is_empty() {
                self.opening = opening(&written(&self.patches, data));
            }
            self.leave((kind, root), (event, data), frame);
        }
        let delta = piece(kind, root).map(|(_, delta)| produced_by(kind, delta));
        let (bytes, spoken) = delta.unwrap_or_default();
        Ok(Produced { bytes, spoken })
    }

    fn leave(&mut self, (kind, root): (&str, Value<'_>), (event, data): (&Event, &Bytes), frame: &mut Frame) {
        let numbered = root.get("sequence_number");
        if let Some(numbered) = numbered.filter(|numbered| numbered.whole() != Some(self.number)) {
            self.patches.add(numbered.range(), self.number.to_string());
        }
        self.number = self.number.saturating_add(1);
        if self.patches.is_empty() && is_canonical(kind, event) {
            frame.pass(&event.raw);
        } else {
            frame.named(kind, |out| self.patches.write(&one_line(event, data), out));
        }
    }

    /// Lets go of what is held, as no more comes.
    pub(super) fn flush(&mut self, frame: &mut Frame) -> Result<(), Rejection> {
        let out = &mut Out { frame, number: &mut self.number };
        self.inspector.as_mut().map_or(Ok(()), |inspector| inspector.flush(out))
    }

    /// What was in the frame has left.
    pub(super) fn sent(&mut self) {
        self.left = self.number;
    }

    /// What is in the frame never leaves.
    pub(super) fn dropped(&mut self) {
        self.number = self.left;
    }

    /// What may be kept of events that leave.
    pub(super) fn kept(&self, events: &[u8]) -> BytesMut {
        self.repeated.hidden_in_events(events)
    }

    /// What was found.
    pub(super) fn tally(&self) -> Tally {
        self.inspector.as_ref().map_or_else(Tally::default, |inspector| inspector.tally())
    }

    /// The number of the next event, and the response as it began; empty where it has not.
    pub(super) fn standing(&self) -> (u64, Bytes) {
        (self.number, self.opening.clone())
    }
}

/// What an event says that it is.
///
/// # Errors
/// It says nothing of the kind, or something that no name of an event is.
pub(super) fn kind_of(root: Value<'_>) -> Result<&str, Rejection> {
    let kind = root.get("type").filter(|kind| kind.kind() == Kind::String && kind.is_plain());
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    let kind = kind.map(|kind| kind.inner()).filter(|kind| (1..=NAME).contains(&kind.len()));
    kind.filter(|kind| kind.bytes().all(fits)).ok_or_else(|| odd("an event does not say what it is"))
}

/// What an event means for the stream.
pub(super) fn says(kind: &str) -> Says {
    match kind {
        "response.completed" | "response.incomplete" => Says::Done,
        "response.failed" | "response.cancelled" | "error" => Says::Failed,
        _ => Says::More,
    }
}

/// The text that an event brings a piece of, by the name of its events, and the piece.
fn piece<'k, 't>(kind: &'k str, root: Value<'t>) -> Option<(&'k str, Value<'t>)> {
    let of = kind.strip_suffix(".delta")?;
    root.get("delta").filter(|delta| delta.kind() == Kind::String).map(|delta| (of, delta))
}

fn written(patches: &Patches, data: &Bytes) -> BytesMut {
    let mut written = BytesMut::new();
    patches.write(data, &mut written);
    written
}

/// The response that an event holds, on one line.
fn opening(event: &[u8]) -> Bytes {
    let mut tape = Tape::for_text(event.len());
    let read = tape.read(event).is_ok();
    let response = tape.root(event).filter(|_| read).and_then(|root| root.get("response"));
    response.map(|response| Bytes::copy_from_slice(response.raw())).unwrap_or_default()
}

/// Whether an event's bytes are `event: `, its kind, `data: `, its payload and a blank line, and nothing else.
fn is_canonical(kind: &str, event: &Event) -> bool {
    event.span.as_ref().is_some_and(|span| {
        span.start == "event: \ndata: ".len() + kind.len()
            && event.name == kind.as_bytes()
            && event.raw.starts_with(b"event: ")
            && event.raw.len() == span.end + 2
            && event.raw.ends_with(b"\n\n")
    })
}
