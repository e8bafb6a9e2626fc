//! Where one event of a vendor ends and the next begins: lines of server-sent events, lines of JSON, or frames of an AWS event stream.
//!
//! Law: what comes out is the same however the bytes came in; a frame's checksums are its proof, and one that is larger than the cap is never
//! waited for. A frame is given as a JSON object with one member, its type's, as AWS's own libraries show it. Absent on purpose: what events
//! mean.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::{Bytes, BytesMut};

use super::{
    error::{Kind, UpstreamError},
    sse::Splitter,
};
use crate::dialect::field::text;
use crate::dialect::json::Json;
use crate::dialect::vendor::Framing;
use crate::tape::Tape;

/// What a frame weighs at least: lengths and checksums.
const LEAST: usize = 16;

/// How a vendor's events are cut apart.
pub(super) enum Cut {
    /// At blank lines.
    Events(Splitter),
    /// At the end of each line.
    Lines(Lines),
    /// By their lengths.
    Frames(Frames),
}

/// Lines that are not yet read.
pub(super) struct Lines {
    bytes: BytesMut,
    /// How much of it has no end of a line.
    looked: usize,
    /// Whether the next line is the first, which may begin with a byte order mark.
    first: bool,
    cap: usize,
}

/// Frames that are not yet read.
pub(super) struct Frames {
    bytes: BytesMut,
    cap: usize,
}

impl Cut {
    /// Of a framing, with a cap on one event, in bytes.
    pub(super) fn of(framing: Framing, cap: usize) -> Self {
        match framing {
            Framing::Frames => Self::Frames(Frames::within(cap)),
            Framing::Events => Self::Events(Splitter::new(cap)),
            Framing::Lines => Self::Lines(Lines { bytes: BytesMut::new(), looked: 0, first: true, cap }),
        }
    }

    /// More bytes.
    pub(super) fn push(&mut self, piece: Bytes) {
        match self {
            Self::Events(splitter) => splitter.push(piece),
            Self::Lines(lines) => lines.bytes.extend_from_slice(&piece),
            Self::Frames(frames) => frames.push(piece),
        }
    }

    /// The data of the next event that is whole; of events without any, empty.
    pub(super) fn next_data(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match self {
            Self::Events(splitter) => {
                let event = splitter.next_event()?;
                Ok(event.map(|event| event.data.unwrap_or_default()))
            }
            Self::Lines(lines) => lines.next(),
            Self::Frames(frames) => frames.next(),
        }
    }

    /// Nothing more comes: the data of what there is.
    pub(super) fn finish(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match self {
            Self::Events(splitter) => Ok(splitter.finish().and_then(|event| event.data)),
            Self::Lines(lines) => Ok(Some(lines.rest())),
            Self::Frames(frames) => frames.end().map(|()| None),
        }
    }
}

impl Lines {
    /// The next line that is whole, empty ones among them; one that is blank is empty.
    fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let rest = self.bytes.get(self.looked..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).map(|end| self.looked + end);
        if length.unwrap_or(self.bytes.len()) > self.cap {
            return Err(UpstreamError::new(Kind::TooLarge));
        }
        let Some(length) = length else {
            self.looked = self.bytes.len();
            return Ok(None);
        };
        self.looked = 0;
        let mut line = self.bytes.split_to(length + 1).freeze();
        line.truncate(length);
        if line.ends_with(b"\r") {
            line.truncate(length - 1);
        }
        Ok(Some(self.read(line)))
    }

    /// What has no end of a line.
    fn rest(&mut self) -> Bytes {
        let line = self.bytes.split().freeze();
        self.read(line)
    }

    fn read(&mut self, line: Bytes) -> Bytes {
        let marked = std::mem::take(&mut self.first) && line.starts_with(b"\xef\xbb\xbf");
        let line = if marked { line.slice(3..) } else { line };
        if line.trim_ascii().is_empty() { Bytes::new() } else { line }
    }
}

/// What frames carry another server's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// SageMaker's: `PayloadPart`.
    Parts,
    /// Lambda's: `PayloadChunk`, and `InvokeComplete` last.
    Chunks,
}

/// What a frame carries that is no message of a dialect.
pub(super) enum Carried {
    /// Bytes of another server's stream.
    Payload(Bytes),
    /// Nothing of it.
    Nothing,
    /// Nothing more of it: all came.
    End,
}

impl Frames {
    /// Frames, each at most so many bytes.
    pub(super) fn within(cap: usize) -> Self {
        Self { bytes: BytesMut::new(), cap }
    }

    /// More bytes.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.bytes.extend_from_slice(&piece);
    }

    /// What the next frame that is whole carries.
    ///
    /// # Errors
    /// It is no frame, or it is an exception, by which the stream breaks off; or all came, and it failed.
    pub(super) fn carried(&mut self, carrier: Carrier) -> Result<Option<Carried>, UpstreamError> {
        let Some(message) = self.message()? else { return Ok(None) };
        let of = header(&message, ":event-type");
        match (header(&message, ":message-type"), carrier) {
            (Some("event"), Carrier::Parts) if of == Some("PayloadPart") => {
                Ok(Some(Carried::Payload(message.payload().clone())))
            }
            (Some("event"), Carrier::Chunks) if of == Some("PayloadChunk") => {
                Ok(Some(Carried::Payload(message.payload().clone())))
            }
            (Some("event"), Carrier::Chunks) if of == Some("InvokeComplete") => {
                completed(message.payload()).map(Some)
            }
            (Some("event"), _) => Ok(Some(Carried::Nothing)),
            _ => {
                let what = header(&message, ":exception-type").or(header(&message, ":error-message"));
                let said = String::from_utf8_lossy(message.payload());
                let why = format!("{}: {said}", what.unwrap_or("an exception"));
                Err(UpstreamError::caused(Kind::Reset, why))
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self) -> Result<(), UpstreamError> {
        match self.bytes.is_empty() {
            true => Ok(()),
            false => Err(UpstreamError::caused(Kind::Reset, "the last frame is not whole")),
        }
    }

    fn message(&mut self) -> Result<Option<Message>, UpstreamError> {
        let Some(told) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*told)).unwrap_or(usize::MAX);
        if length > self.cap {
            return Err(UpstreamError::new(Kind::TooLarge));
        }
        if length < LEAST {
            return Err(UpstreamError::caused(Kind::Protocol, "a frame has no length"));
        }
        if self.bytes.len() < length {
            return Ok(None);
        }
        let message = read_message_from(self.bytes.split_to(length).freeze());
        message.map(Some).map_err(|error| UpstreamError::caused(Kind::Protocol, error))
    }

    fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let Some(message) = self.message()? else { return Ok(None) };
        let header = |name: &str| header(&message, name);
        let of = match header(":message-type") {
            Some("exception") => header(":exception-type"),
            Some("error") => Some("error"),
            _ => header(":event-type"),
        };
        let Some(of) = of else { return Err(UpstreamError::caused(Kind::Protocol, "a frame has no type")) };
        let mut json = Json::default();
        json.object(|json| {
            let json = json.key(of);
            match (of, message.payload().is_empty()) {
                ("error", _) => json.object(|json| {
                    json.key("message").string(header(":error-message").unwrap_or_default());
                }),
                (_, true) => json.object(|_| {}),
                (_, false) => json.raw(message.payload()),
            }
        });
        Ok(Some(json.done().into()))
    }
}

/// What the end of a function's answer says: that it failed, by a code, or that it did not.
fn completed(payload: &Bytes) -> Result<Carried, UpstreamError> {
    if payload.is_empty() {
        return Ok(Carried::End);
    }
    let mut tape = Tape::default();
    let root = tape.read(payload).ok().and_then(|()| tape.root(payload));
    let root = root.ok_or_else(|| UpstreamError::caused(Kind::Protocol, "the last frame is no JSON"))?;
    // What it says beside may repeat what it was asked.
    match text(root, "ErrorCode").filter(|code| !code.is_empty()) {
        None => Ok(Carried::End),
        Some(code) => Err(UpstreamError::caused(Kind::Reset, format!("the function failed: {code}"))),
    }
}

/// A header of a frame that is text.
fn header<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
    header.value().as_string().ok().map(|text| text.as_str())
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frames")
    }
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events(_) => "Events",
            Self::Lines(_) => "Lines",
            Self::Frames(_) => "Frames",
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
