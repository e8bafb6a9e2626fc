//! A vendor's events as the pipeline reads them, while they come.
//!
//! Law: pulled by the reader, never ahead of it; what comes out is the same however the vendor's bytes were cut, and ends as the vendor's
//! own did: with an end mark, or broken off.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::dialect::event::{Event, Start};
use crate::dialect::openai::events::Writing;
use crate::dialect::vendor::{Framing, Reading};
use crate::dialect::{VendorError, VendorFault};
use crate::upstream::cut::Cut;
use crate::upstream::error::{Delivered, Kind, UpstreamError};
use crate::upstream::reader::Reader;
use crate::upstream::unframed::Unframed;

/// The largest event that is read.
const EVENT_BYTES: usize = 16 << 20;

/// Where a vendor's bytes come from.
#[derive(Debug)]
pub(crate) enum Pieces {
    /// As they came.
    Plain(Reader),
    /// Out of frames.
    Unframed(Unframed),
}

impl Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        match self {
            Self::Plain(reader) => reader.poll_piece(cx),
            Self::Unframed(bytes) => bytes.poll_piece(cx),
        }
    }
}

/// Events of one dialect, as those of OpenAI's.
#[derive(Debug)]
pub(crate) struct Translation {
    /// `None` once nothing more is read.
    events: Option<Pieces>,
    cut: Cut,
    reading: Reading,
    /// How the answer begins where the vendor does not say.
    start: Start,
    writing: Writing,
    said: Vec<Event>,
    given: Delivered,
    /// How it broke off, once all before it was given.
    broken: Option<UpstreamError>,
}

impl Translation {
    /// Of a vendor's events, of an answer that begins so where the vendor does not say.
    pub(crate) fn of(events: Pieces, (framing, reading): (Framing, Reading), start: Start) -> Self {
        Self {
            events: Some(events),
            cut: Cut::of(framing, EVENT_BYTES),
            reading,
            writing: Writing::at(start.created.unwrap_or_default()),
            start,
            said: Vec::new(),
            given: Delivered::Nothing,
            broken: None,
        }
    }

    /// Ends it once its end mark came.
    pub(crate) fn retire(self) {
        match self.events {
            Some(Pieces::Plain(reader)) => reader.retire(),
            Some(Pieces::Unframed(bytes)) => bytes.retire(),
            None => {}
        }
    }

    /// The next bytes; after an error or the end, `None` for ever.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        loop {
            if let Some(error) = self.broken.take() {
                return Poll::Ready(Some(Err(error.after(self.given))));
            }
            let Some(events) = self.events.as_mut() else { return Poll::Ready(None) };
            let taken = match ready!(events.poll_piece(cx)) {
                Some(Ok(piece)) => {
                    self.cut.push(piece);
                    self.take()
                }
                Some(Err(error)) => Err(error),
                None => {
                    self.events = None;
                    let rest = self.cut.finish();
                    let taken = rest.and_then(|rest| rest.map_or(Ok(()), |data| self.take_data(&data)));
                    if taken.is_ok() {
                        self.reading.finish(&mut self.said);
                    }
                    taken
                }
            };
            let mut out = Vec::new();
            for event in self.said.drain(..) {
                self.writing.put(named(event, &self.start), &mut out);
            }
            if let Err(error) = taken {
                self.events = None;
                self.broken = Some(error);
            }
            if !out.is_empty() {
                self.given = Delivered::Something;
                return Poll::Ready(Some(Ok(out.into())));
            }
        }
    }

    fn take(&mut self) -> Result<(), UpstreamError> {
        while let Some(data) = self.cut.next_data()? {
            self.take_data(&data)?;
        }
        Ok(())
    }

    fn take_data(&mut self, data: &[u8]) -> Result<(), UpstreamError> {
        if data.is_empty() {
            return Ok(());
        }
        self.reading.take(data, &mut self.said).map_err(broken_off)
    }
}

/// An event as it is, but for a beginning without a name.
pub(super) fn named(event: Event, start: &Start) -> Event {
    let or = |told: String, ours: &String| if told.is_empty() { ours.clone() } else { told };
    match event {
        Event::Start(told) => Event::Start(Start {
            id: or(told.id, &start.id),
            model: or(told.model, &start.model),
            created: told.created,
        }),
        event => event,
    }
}

/// What the vendor says in the middle of an answer, as if it had said it before.
pub(super) fn broken_off(error: VendorError) -> UpstreamError {
    let kind = match error.fault {
        VendorFault::Malformed => Kind::Protocol,
        VendorFault::Overloaded | VendorFault::Other => Kind::Reset,
    };
    UpstreamError::caused(kind, error.message)
}
