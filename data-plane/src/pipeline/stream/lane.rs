//! How the events of a stream go on: as they are, or through the hold-back.
//!
//! Law: the fast lane is taken only where compile proved that no finding can change anything; both give the same bytes where
//! nothing is found. Deliberately absent: reading bytes from anywhere.

mod channel;
mod inspector;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use policy_engine::content::Detectors;
use policy_engine::vocabulary::Id;

use super::super::decide::Permitted;
use super::super::dialect::spoken_of;
use super::super::inspect::Tally;
use super::super::patch::Patches;
use super::super::usage::Produced;
use super::chunk::{Chunk, cut};
use super::frame::Frame;
use crate::error::Rejection;
use crate::runtime::Runtime;
use crate::tape::{Kind, Value};
use crate::upstream::sse::Event;
use inspector::{Inspector, Verdict};

/// The lane of one stream.
pub(super) struct Lane {
    patches: Patches,
    inspector: Option<Box<Inspector>>,
}

impl Lane {
    /// Nothing can apply.
    pub(super) fn fast() -> Self {
        Self { patches: Patches::default(), inspector: None }
    }

    /// Every text passes the detectors.
    pub(super) fn inspected(
        detectors: Arc<Detectors>,
        permitted: Permitted<'_>,
        runtime: &Arc<Runtime>,
        endpoint: &Id,
    ) -> Self {
        let inspector = Inspector::new(detectors, permitted, runtime.clone(), endpoint.clone());
        Self { patches: Patches::default(), inspector: Some(Box::new(inspector)) }
    }

    /// Lets a chunk go on, as far as it may. Gives what text it brought.
    ///
    /// # Errors
    /// When the stream must end; what may leave before that is in the frame.
    pub(super) fn take(
        &mut self,
        chunk: &Chunk<'_>,
        (event, data): (&Event, &Bytes),
        (frame, shows_usage): (&mut Frame, bool),
    ) -> Result<Produced, Rejection> {
        self.patches.clear();
        if let Some((key, _)) = chunk.usage.filter(|_| !shows_usage) {
            self.patches.add(cut(chunk.root, key), &b""[..]);
        }
        let (verdict, bytes) = match &mut self.inspector {
            None => (Verdict::Leaves, chunk.choices.iter().map(|choice| texts(choice.value)).sum()),
            Some(inspector) => inspector.take(chunk, &mut self.patches, frame)?,
        };
        if let Some(inspector) = &mut self.inspector {
            inspector.judge(|| {
                let mut written = BytesMut::new();
                self.patches.write(data, &mut written);
                written
            })?;
        }
        match verdict {
            Verdict::Held => {}
            Verdict::Leaves if self.patches.is_empty() && is_canonical(event) => frame.pass(&event.raw),
            Verdict::Leaves => frame.event(|out| self.patches.write(&one_line(event, data), out)),
        }
        let spoken = chunk.choices.iter().map(|choice| spoken_of(choice.value)).sum();
        Ok(Produced { bytes, spoken })
    }

    /// Lets go of what is held, as no more comes.
    pub(super) fn flush(&mut self, frame: &mut Frame) -> Result<(), Rejection> {
        self.inspector.as_mut().map_or(Ok(()), |inspector| inspector.flush(frame))
    }

    /// What was found.
    pub(super) fn tally(&self) -> Tally {
        self.inspector.as_ref().map_or_else(Tally::default, |inspector| inspector.tally())
    }
}

/// Bytes of text in a choice.
fn texts(choice: Value<'_>) -> usize {
    let delta = choice.get("delta").filter(|delta| delta.kind() == Kind::Object);
    let members = delta.into_iter().flat_map(|delta| delta.members()).filter(|(key, _)| !key.is("role"));
    let strings = members.flat_map(|(_, value)| value.leaves()).filter(|leaf| leaf.kind() == Kind::String);
    let text = choice.get("text").filter(|text| text.kind() == Kind::String);
    strings.chain(text).map(|leaf| leaf.inner().len()).sum()
}

/// Whether an event's bytes are `data: `, its payload and a blank line, and nothing else.
fn is_canonical(event: &Event) -> bool {
    event.span.as_ref().is_some_and(|span| {
        span.start == 6 && event.raw.len() == span.end + 2 && event.raw.ends_with(b"\n\n")
    })
}

/// A payload on one line. One that was joined from several has line feeds where JSON has blanks, and nowhere else.
pub(super) fn one_line(event: &Event, data: &Bytes) -> Bytes {
    if event.span.is_some() {
        return data.clone();
    }
    let mut line = BytesMut::from(&data[..]);
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.freeze()
}
