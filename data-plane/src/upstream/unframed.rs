//! What an AWS event stream carries, as the bytes it was before it was framed: another server's stream, cut anywhere.
//!
//! Law: the payloads of data frames joined are those bytes; an exception ends them, and so does a frame that is not whole. Absent on purpose:
//! what the bytes mean.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::cut::{Carried, Frames};
use super::error::{Delivered, UpstreamError};
use super::reader::Reader;

/// The bytes of one answer.
#[derive(Debug)]
pub(crate) struct Unframed {
    /// `None` once nothing more is read.
    reader: Option<Reader>,
    frames: Frames,
    given: Delivered,
}

impl Unframed {
    /// Of frames, each at most so many bytes.
    pub(super) fn of(reader: Reader, cap: usize) -> Self {
        Self { reader: Some(reader), frames: Frames::within(cap), given: Delivered::Nothing }
    }

    /// Ends it once its end mark came.
    pub(super) fn retire(self) {
        if let Some(reader) = self.reader {
            reader.retire();
        }
    }

    /// The next bytes; after an error or the end, `None` for ever.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        let piece = match ready!(self.poll_carried(cx)) {
            Ok(piece) => piece.map(Ok),
            Err(error) => Some(Err(error.after(self.given))),
        };
        match &piece {
            Some(Ok(_)) => self.given = Delivered::Something,
            Some(Err(_)) | None => self.reader = None,
        }
        Poll::Ready(piece)
    }

    fn poll_carried(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UpstreamError>> {
        loop {
            let Some(reader) = self.reader.as_mut() else { return Poll::Ready(Ok(None)) };
            match self.frames.carried()? {
                Some(Carried::Payload(bytes)) if !bytes.is_empty() => return Poll::Ready(Ok(Some(bytes))),
                Some(_) => continue,
                None => {}
            }
            match ready!(reader.poll_piece(cx)) {
                Some(piece) => self.frames.push(piece?),
                None => return Poll::Ready(self.frames.end().map(|()| None)),
            }
        }
    }
}
