//! What an AWS event stream carries, as the bytes it was before it was framed: another server's stream, cut anywhere.
//!
//! Law: the payloads of data frames joined are those bytes; an exception ends them, and so does a frame that is not whole. Where a last frame says
//! that all came, a stream without it broke off. Absent on purpose: what the bytes mean.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::cut::{Carried, Carrier, Frames};
use super::error::{Delivered, Kind, UpstreamError};
use super::reader::Reader;

/// The bytes of one answer.
#[derive(Debug)]
pub(crate) struct Unframed {
    /// `None` once nothing more is read.
    reader: Option<Reader>,
    frames: Frames,
    carrier: Carrier,
    /// Whether the last frame came.
    complete: bool,
    given: Delivered,
}

impl Unframed {
    /// Of frames, each at most so many bytes.
    pub(super) fn of(reader: Reader, cap: usize, carrier: Carrier) -> Self {
        let complete = carrier == Carrier::Parts;
        Self {
            reader: Some(reader),
            frames: Frames::within(cap),
            carrier,
            complete,
            given: Delivered::Nothing,
        }
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
            match self.frames.carried(self.carrier)? {
                Some(Carried::Payload(bytes)) if !bytes.is_empty() => return Poll::Ready(Ok(Some(bytes))),
                Some(Carried::End) => {
                    self.complete = true;
                    continue;
                }
                Some(_) => continue,
                None => {}
            }
            match ready!(reader.poll_piece(cx)) {
                Some(piece) => self.frames.push(piece?),
                None if self.complete => return Poll::Ready(self.frames.end().map(|()| None)),
                None => {
                    let why = "it ended without a word that it is complete";
                    return Poll::Ready(Err(UpstreamError::caused(Kind::Reset, why)));
                }
            }
        }
    }
}
