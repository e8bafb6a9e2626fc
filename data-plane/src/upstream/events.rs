//! A vendor's events as raw bytes, whoever sends them.
//!
//! Law: pull-based; nothing is read ahead of the reader, dropping the stream cancels the upstream call, retiring it after
//! the end mark does not.
//! Deliberately absent: splitting into events (`sse`), reading or changing them (the pipeline).

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;

use super::{
    cut::Carrier,
    error::UpstreamError,
    reader::Reader,
    rpc::steps::Steps,
    simulated::pieces,
    simulated::stream::Script,
    translation::{Pieces, Translation},
    unframed::Unframed,
};
use crate::dialect::event::Start;
use crate::dialect::vendor::{Framing, Reading};

/// Raw bytes of a stream of server-sent events, in the pieces in which they came.
#[derive(Debug)]
pub(crate) struct EventStream(Source);

#[derive(Debug)]
enum Source {
    Wire(Box<Reader>),
    Script(Box<Script>),
    Unframed(Box<Unframed>),
    Translated(Box<Translation>),
    Told(Option<Bytes>),
    Steps(Box<Steps>),
    Pieces(Box<pieces::Pieces>),
}

impl EventStream {
    /// Events from a connection.
    pub(crate) fn wire(reader: Reader) -> Self {
        Self(Source::Wire(Box::new(reader)))
    }

    /// Events from the simulated vendor.
    pub(crate) fn script(script: Script) -> Self {
        Self(Source::Script(Box::new(script)))
    }

    /// Pieces of what is no text from the simulated vendor.
    pub(crate) fn pieces(pieces: pieces::Pieces) -> Self {
        Self(Source::Pieces(Box::new(pieces)))
    }

    /// Events that are all there already.
    pub(crate) fn told(events: Bytes) -> Self {
        Self(Source::Told(Some(events)))
    }

    /// The events of an adapter of the organisation's own.
    pub(super) fn steps(steps: Steps) -> Self {
        Self(Source::Steps(Box::new(steps)))
    }

    /// What the frames of an AWS event stream carry, each at most so many bytes.
    pub(crate) fn unframed(self, cap: usize, carrier: Carrier) -> Self {
        match self.0 {
            Source::Wire(reader) => Self(Source::Unframed(Box::new(Unframed::of(*reader, cap, carrier)))),
            // These have no frames.
            other => Self(other),
        }
    }

    /// The same in OpenAI's dialect, of a vendor that speaks another, and whose answer begins so where it does not say.
    pub(crate) fn translated(self, spoken: (Framing, Reading), start: Start) -> Self {
        match self.0 {
            Source::Wire(reader) => {
                Self(Source::Translated(Box::new(Translation::of(Pieces::Plain(*reader), spoken, start))))
            }
            Source::Unframed(bytes) => {
                Self(Source::Translated(Box::new(Translation::of(Pieces::Unframed(*bytes), spoken, start))))
            }
            // These are in it already.
            other => Self(other),
        }
    }

    /// Ends a stream whose end mark came. Unlike dropping, which cancels the call and costs its HTTP/1.1 connection, this
    /// keeps the connection for the next call. Must be called within the runtime.
    pub(crate) fn retire(self) {
        match self.0 {
            Source::Wire(reader) => reader.retire(),
            Source::Script(_) | Source::Pieces(_) | Source::Told(_) | Source::Steps(_) => {}
            Source::Unframed(bytes) => bytes.retire(),
            Source::Translated(translation) => translation.retire(),
        }
    }

    /// The next bytes; after an error or the end, `None` for ever.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        match &mut self.0 {
            Source::Wire(reader) => reader.poll_piece(cx),
            Source::Script(script) => script.poll_piece(cx),
            Source::Unframed(bytes) => bytes.poll_piece(cx),
            Source::Translated(translation) => translation.poll_piece(cx),
            Source::Told(all) => Poll::Ready(all.take().map(Ok)),
            Source::Pieces(pieces) => pieces.poll_piece(cx),
            Source::Steps(steps) => steps.poll_piece(cx),
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, UpstreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(cx)
    }
}
