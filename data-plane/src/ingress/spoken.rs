//! The events of an answer, told in another dialect while they come.
//!
//! Law: pulled by the connection; what happens is told when it happens, and a refusal is the last event. Dropping it cancels the vendor's
//! call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream as _;

use super::openai::rejection;
use crate::dialect::event::{Event, Start};
use crate::dialect::openai::events::Reading;
use crate::dialect::{anthropic, gemini, responses};
use crate::error::Rejection;
use crate::pipeline::stream::ScreenedStream;
use crate::upstream::sse::Splitter;

/// An answer, told in another dialect.
pub(super) struct Spoken {
    /// `None` once it ended.
    stream: Option<Box<ScreenedStream>>,
    splitter: Splitter,
    reading: Reading,
    writing: Writing,
    /// The model as it was asked for.
    model: String,
    said: Vec<Event>,
}

impl Spoken {
    /// Of a stream that the pipeline gave.
    pub(super) fn of(stream: Box<ScreenedStream>, writing: Writing, model: String) -> Self {
        Self {
            stream: Some(stream),
            splitter: Splitter::new(usize::MAX),
            reading: Reading::default(),
            writing,
            model,
            said: Vec::new(),
        }
    }

    /// Whether it ended.
    pub(super) fn is_over(&self) -> bool {
        self.stream.is_none()
    }

    /// The next bytes; `None`: it ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let Some(stream) = self.stream.as_mut() else { return Poll::Ready(None) };
            let out = match ready!(Pin::new(stream).poll_next(cx)) {
                Some(Ok(frame)) => self.told(frame),
                Some(Err(rejection)) => {
                    self.stream = None;
                    self.writing.broken(&rejection)
                }
                None => {
                    self.stream = None;
                    continue;
                }
            };
            if !out.is_empty() {
                return Poll::Ready(Some(out.into()));
            }
        }
    }

    fn told(&mut self, frame: Bytes) -> Vec<u8> {
        let mut out = Vec::with_capacity(frame.len());
        self.splitter.push(frame);
        // The splitter's cap is no bound here, so it gives no error.
        while let Ok(Some(event)) = self.splitter.next_event() {
            // A comment keeps a connection alive in any dialect.
            let Some(data) = event.data else {
                out.extend_from_slice(&event.raw);
                continue;
            };
            self.reading.take(&data, &mut self.said);
            for event in self.said.drain(..) {
                self.writing.put(named(event, &self.model), &mut out);
            }
        }
        out
    }
}

/// The event with the model as it was asked for.
fn named(event: Event, model: &str) -> Event {
    match event {
        Event::Start(start) => Event::Start(Start { model: model.to_owned(), ..start }),
        other => other,
    }
}

/// Events for a caller, being written.
#[derive(Debug)]
pub(super) enum Writing {
    /// In Anthropic's dialect.
    Anthropic(anthropic::events::Writing),
    /// In Gemini's dialect.
    Gemini(gemini::events::Writing),
    /// Of the Responses API.
    Responses(Box<responses::events::Writing>),
}

impl Writing {
    /// Writes what happens, framed.
    pub(super) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match self {
            Self::Anthropic(writing) => writing.put(event, out),
            Self::Gemini(writing) => writing.put(event, out),
            Self::Responses(writing) => writing.put(event, out),
        }
    }

    /// A refusal as the last event, framed.
    pub(super) fn broken(&self, rejection: &Rejection) -> Vec<u8> {
        let (status, refusal) = (rejection.code().row().http.as_u16(), &rejection.refusal);
        match self {
            Self::Anthropic(_) => anthropic::error::event(status, refusal),
            Self::Gemini(_) => [&b"data: "[..], &gemini::error::write(status, refusal), b"\n\n"].concat(),
            Self::Responses(writing) => rejection::events(rejection, (writing.number(), &writing.opening())),
        }
    }
}
