//! Splits raw bytes into server-sent events, whatever pieces they come in.
//!
//! Law: every way of cutting the same bytes gives the same events, and their raw bytes joined are the bytes that came.
//! An event that lies inside one piece is a slice of it, not a copy. Deliberately absent: reading the payload, and any
//! meaning of `[DONE]` beyond naming it.
//!
//! The grammar is WHATWG HTML, 9.2.6: lines end with LF, CR LF or CR; a leading BOM is skipped; one space after the
//! colon is not part of the value; several `data` lines are one payload joined by LF; comments and unknown fields mean
//! nothing. Two deliberate differences: a block without data is given too (its raw bytes may have to be forwarded), and
//! so is a block that the end of the stream left unfinished (vendors forget the last blank line after `[DONE]`).

mod boundary;

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::error::{Kind, UpstreamError};
use boundary::Boundary;

/// One block of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The block as it came, with its blank line (except at the end of an unfinished stream).
    pub(crate) raw: Bytes,
    /// The payload; `None` for blocks without `data`, such as keep-alive comments.
    pub(crate) data: Option<Bytes>,
    /// Where the payload lies in `raw`; `None` if there is none or it was joined from several lines.
    pub(crate) span: Option<Range<usize>>,
    /// The value of the `event` field, empty where there is none.
    pub(crate) name: Bytes,
}

impl Event {
    /// Whether this is OpenAI's end mark.
    pub(crate) fn is_done(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.trim_ascii() == b"[DONE]")
    }
}

/// Splits one stream; feed it with [`Splitter::push`], empty it with [`Splitter::next_event`].
#[derive(Debug)]
pub(crate) struct Splitter {
    cap: usize,
    /// The piece at hand, from the first byte that no event has taken.
    piece: Bytes,
    /// What earlier pieces left of the block that is going on.
    carry: BytesMut,
    boundary: Boundary,
    /// Whether the next block is the first, which may begin with a BOM.
    first: bool,
    failed: bool,
}

impl Splitter {
    /// A splitter whose events weigh at most `cap` bytes each, raw.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            cap,
            piece: Bytes::new(),
            carry: BytesMut::new(),
            boundary: Boundary::default(),
            first: true,
            failed: false,
        }
    }

    /// Takes the next piece. The events of the one before should have been taken; what is left of it is copied.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() {
            self.piece = piece;
        } else {
            let mut joined = BytesMut::from(std::mem::take(&mut self.piece));
            joined.extend_from_slice(&piece);
            self.piece = joined.freeze();
        }
    }

    /// What was pushed and not yet looked at.
    pub(crate) fn rest(&self) -> &Bytes {
        &self.piece
    }

    /// The next event of what was pushed, or `None` until more comes. An event over the cap is an error; after it
    /// nothing comes any more.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, UpstreamError> {
        if self.failed || self.piece.is_empty() {
            return Ok(None);
        }
        let end = self.boundary.find(&self.piece);
        let taken = self.piece.split_to(end.unwrap_or(self.piece.len()));
        if self.carry.len().saturating_add(taken.len()) > self.cap {
            self.failed = true;
            self.carry = BytesMut::new();
            return Err(UpstreamError::new(Kind::TooLarge));
        }
        if end.is_none() {
            self.carry.extend_from_slice(&taken);
            return Ok(None);
        }
        let raw = if self.carry.is_empty() {
            taken
        } else {
            self.carry.extend_from_slice(&taken);
            self.carry.split().freeze()
        };
        Ok(Some(self.read(raw)))
    }

    /// The block that the end of the stream left unfinished, if one has anything in it.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        let raw = self.carry.split().freeze();
        let open = std::mem::take(&mut self.boundary).is_open();
        (open && !self.failed && !raw.is_empty()).then(|| self.read(raw))
    }

    fn read(&mut self, raw: Bytes) -> Event {
        let first = std::mem::replace(&mut self.first, false);
        let bom = if first && raw.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut payload = Payload::None;
        let mut name = Bytes::new();
        let mut at = bom;
        while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
            let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (field, value) = field(rest.get(..length).unwrap_or(rest), at);
            match field {
                b"data" => payload = payload.and(&raw, value),
                b"event" => name = raw.slice(value),
                _ => {}
            }
            at += length + 1;
        }
        let (data, span) = payload.done(&raw);
        Event { raw, data, span, name }
    }
}

/// The field's name and where its value lies; `at` is where the line begins. A comment has an empty name.
fn field(line: &[u8], at: usize) -> (&[u8], Range<usize>) {
    let end = at + line.len();
    match memchr::memchr(b':', line) {
        None => (line, end..end),
        Some(colon) => {
            let (name, value) = line.split_at(colon);
            let skip = if value.get(1) == Some(&b' ') { 2 } else { 1 };
            (name, at + colon + skip..end)
        }
    }
}

enum Payload {
    None,
    One(Range<usize>),
    Joined(BytesMut),
}

impl Payload {
    fn and(self, raw: &Bytes, line: Range<usize>) -> Self {
        let mut joined = match self {
            Self::None => return Self::One(line),
            Self::One(range) => BytesMut::from(raw.slice(range)),
            Self::Joined(joined) => joined,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(raw.get(line).unwrap_or_default());
        Self::Joined(joined)
    }

    fn done(self, raw: &Bytes) -> (Option<Bytes>, Option<Range<usize>>) {
        match self {
            Self::None => (None, None),
            Self::One(span) => (Some(raw.slice(span.clone())), Some(span)),
            Self::Joined(joined) => (Some(joined.freeze()), None),
        }
    }
}

#[cfg(test)]
mod tests;
