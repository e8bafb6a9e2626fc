//! The events of an adapter's answer as the pipeline reads them, while they come.
//!
//! Law: pulled by the reader, never ahead of it; the end mark is written once the status is there and well, and the answer is whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream as _;
use proto::inference::ChatStreamEvent;
use tonic::{Status, Streaming};

use super::refused;
use crate::dialect::event::{Event, Start};
use crate::dialect::openai::events::Writing;
use crate::dialect::rpc::events::Reading;
use crate::upstream::error::{Delivered, Kind, UpstreamError};
use crate::upstream::translation::{broken_off, named};

/// The events of one answer.
#[derive(Debug)]
pub(crate) struct Steps {
    /// `None` once nothing more is read.
    events: Option<Streaming<ChatStreamEvent>>,
    reading: Reading,
    /// How the answer begins where the adapter does not say.
    start: Start,
    writing: Writing,
    given: Delivered,
}

impl Steps {
    /// Of an answer that begins so where the adapter does not say.
    pub(super) fn of(events: Streaming<ChatStreamEvent>, start: Start) -> Self {
        let writing = Writing::at(start.created.unwrap_or_default());
        Self { events: Some(events), reading: Reading::default(), start, writing, given: Delivered::Nothing }
    }

    /// The next bytes; after an error or the end, `None` for ever.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        loop {
            let Some(events) = self.events.as_mut() else { return Poll::Ready(None) };
            let told = ready!(Pin::new(events).poll_next(cx));
            let is_over = !matches!(told, Some(Ok(_)));
            if is_over {
                self.events = None;
            }
            match self.take(told) {
                Ok(piece) if piece.is_empty() => continue,
                Ok(piece) => {
                    self.given = Delivered::Something;
                    return Poll::Ready(Some(Ok(piece)));
                }
                Err(error) => {
                    self.events = None;
                    return Poll::Ready(Some(Err(error.after(self.given))));
                }
            }
        }
    }

    /// What an event says, or that no more come.
    fn take(&mut self, told: Option<Result<ChatStreamEvent, Status>>) -> Result<Bytes, UpstreamError> {
        let mut said: Vec<Event> = Vec::new();
        let taken = match told {
            Some(Ok(event)) => self.reading.take(event, &mut said),
            Some(Err(status)) => return Err(self.failed(&status)),
            None => self.reading.finish(&mut said),
        };
        taken.map_err(broken_off)?;
        let mut out = Vec::new();
        said.into_iter().for_each(|event| self.writing.put(named(event, &self.start), &mut out));
        Ok(out.into())
    }

    /// A status after the answer began is no refusal of the request any more: it broke off.
    fn failed(&self, status: &Status) -> UpstreamError {
        let error = refused::of(status);
        match (&error.kind, self.given) {
            (Kind::Status(_) | Kind::Unfit(_), Delivered::Something) => {
                UpstreamError::caused(Kind::Reset, error)
            }
            _ => error,
        }
    }
}
